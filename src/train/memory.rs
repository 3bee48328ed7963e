//! The values of a tensor where they lie: the one place of `train` that reads raw memory.

use std::borrow::Cow;

use tch::{Device, Kind, Tensor};

pub use crate::stats::{l2, l2_of_difference};

/// The tensor's values as float32, row-major: borrowed from its own memory where that is possible (a
/// contiguous float32 tensor on the CPU), else copied.
#[allow(unsafe_code)]
pub fn values(tensor: &Tensor) -> Cow<'_, [f32]> {
    let plain = tensor.device() == Device::Cpu && tensor.kind() == Kind::Float && tensor.is_contiguous();
    if !plain {
        let copy = tensor.detach().to_device(Device::Cpu).to_kind(Kind::Float).contiguous();
        return Cow::Owned(values(&copy).into_owned());
    }
    let (data, length) = (tensor.data_ptr().cast::<f32>(), tensor.numel());
    if length == 0 || data.is_null() {
        return Cow::Borrowed(&[]);
    }
    // SAFETY: the tensor is contiguous float32 on the CPU, so `length` initialised values lie at
    // `data`, aligned by libtorch's allocator; the borrow of `tensor` keeps the storage alive. Nothing
    // writes to it meanwhile: tensors are not shared between threads here, and callers drop the slice
    // before the next operation on the tensor.
    Cow::Borrowed(unsafe { std::slice::from_raw_parts(data, length) })
}
