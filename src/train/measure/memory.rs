//! The values of a tensor where they lie: the one place of `train` that reads raw memory.

use std::borrow::Cow;

use tch::{Device, Kind, Tensor};

/// The tensor's values as float32, row-major: borrowed from its own memory where that is possible (a
/// contiguous float32 tensor on the CPU), else copied.
pub fn values(tensor: &Tensor) -> Cow<'_, [f32]> {
    if is_plain(tensor) && tensor.is_contiguous() {
        return in_place(tensor);
    }
    let copy = tensor.detach().to_device(Device::Cpu).to_kind(Kind::Float).contiguous();
    Cow::Owned(in_place(&copy).into_owned())
}

/// The values in whatever order they lie in memory, for what does not depend on it: gradients of weights
/// often are transposed, and a copy would cost ten times what reading them does.
pub fn unordered(tensor: &Tensor) -> Cow<'_, [f32]> {
    if is_plain(tensor) && is_transposed(tensor) { in_place(tensor) } else { values(tensor) }
}

/// Whether it is a matrix whose columns lie one after the other.
pub fn is_transposed(tensor: &Tensor) -> bool {
    tensor.dim() == 2 && !tensor.is_contiguous() && tensor.tr().is_contiguous()
}

fn is_plain(tensor: &Tensor) -> bool {
    tensor.device() == Device::Cpu && tensor.kind() == Kind::Float
}

/// The memory of a float32 tensor on the CPU that leaves no gaps.
#[allow(unsafe_code)]
fn in_place(tensor: &Tensor) -> Cow<'_, [f32]> {
    let (data, length) = (tensor.data_ptr().cast::<f32>(), tensor.numel());
    if length == 0 || data.is_null() {
        return Cow::Borrowed(&[]);
    }
    // SAFETY: the tensor is float32 on the CPU and contiguous, or a transposed matrix that is, so
    // `length` initialised values lie at `data`, aligned by libtorch's allocator; the borrow of `tensor`
    // keeps the storage alive. Nothing writes to it meanwhile: tensors are not shared between threads
    // here, and callers drop the slice before the next operation on the tensor.
    Cow::Borrowed(unsafe { std::slice::from_raw_parts(data, length) })
}
