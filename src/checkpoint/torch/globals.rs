//! The names that torch.save writes for weights and what commonly stands beside them. Whatever is not
//! here is refused: a pickle may name any function there is.

use super::super::dtype::Dtype;
use super::value::{Known, Numbers};

/// The meaning of a name in a pickle; `None` for everything that is refused.
pub fn known(module: &str, name: &str) -> Option<Known> {
    Some(match (module, name) {
        ("collections", "OrderedDict" | "defaultdict" | "Counter") => Known::Dict,
        ("builtins" | "__builtin__", "dict") => Known::Dict,
        ("builtins" | "__builtin__", "list" | "tuple" | "set" | "frozenset") => Known::Sequence,
        (
            "builtins" | "__builtin__",
            "int" | "long" | "float" | "bool" | "str" | "complex" | "bytes" | "bytearray",
        ) => Known::Opaque,
        ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2") => Known::Tensor { typed: false },
        ("torch._utils", "_rebuild_tensor_v3") => Known::Tensor { typed: true },
        ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state") => Known::First,
        ("torch._tensor", "_rebuild_from_type_v2") => Known::FromType,
        ("torch._utils", "_rebuild_sparse_tensor" | "_rebuild_sparse_csr_tensor") => Known::Unread("sparse"),
        ("torch._utils", "_rebuild_qtensor") => Known::Unread("quantised"),
        ("torch._utils", "_rebuild_nested_tensor") => Known::Unread("nested"),
        ("torch._utils", "_rebuild_meta_tensor_no_storage") => Known::Unread("meta: without values"),
        ("torch._utils", "_rebuild_device_tensor_from_numpy") => Known::Unread("of a device without storage"),
        ("torch.storage", "UntypedStorage") | ("torch", "UntypedStorage") => Known::Numbers(Numbers::Bytes),
        ("torch", name) => torch_global(name)?,
        ("torch.nn.parameter", "Parameter" | "Buffer") => Known::Opaque,
        ("torch.serialization", "_get_layout") => Known::Opaque,
        ("torch.torch_version", "TorchVersion") => Known::Opaque,
        ("_codecs", "encode") => Known::Opaque,
        ("argparse", "Namespace") => Known::Opaque,
        ("datetime", "datetime" | "timedelta" | "date") => Known::Opaque,
        ("pathlib" | "pathlib._local", "PosixPath" | "PurePosixPath" | "WindowsPath" | "PureWindowsPath") => {
            Known::Opaque
        }
        ("numpy", "dtype" | "ndarray") => Known::Opaque,
        ("numpy.core.multiarray" | "numpy._core.multiarray", "scalar" | "_reconstruct") => Known::Opaque,
        _ => return None,
    })
}

fn torch_global(name: &str) -> Option<Known> {
    let numbers = match name {
        "DoubleStorage" | "float64" => Numbers::Float(Dtype::F64),
        "FloatStorage" | "float32" => Numbers::Float(Dtype::F32),
        "HalfStorage" | "float16" => Numbers::Float(Dtype::F16),
        "BFloat16Storage" | "bfloat16" => Numbers::Float(Dtype::Bf16),
        "float8_e4m3fn" => Numbers::Float(Dtype::F8E4m3),
        "float8_e5m2" => Numbers::Float(Dtype::F8E5m2),
        "LongStorage" | "int64" => Numbers::Other("int64", 8),
        "IntStorage" | "int32" => Numbers::Other("int32", 4),
        "ShortStorage" | "int16" => Numbers::Other("int16", 2),
        "CharStorage" | "int8" => Numbers::Other("int8", 1),
        "ByteStorage" | "uint8" => Numbers::Other("uint8", 1),
        "uint16" => Numbers::Other("uint16", 2),
        "uint32" => Numbers::Other("uint32", 4),
        "uint64" => Numbers::Other("uint64", 8),
        "BoolStorage" | "bool" => Numbers::Other("bool", 1),
        "float8_e4m3fnuz" => Numbers::Other("float8_e4m3fnuz", 1),
        "float8_e5m2fnuz" => Numbers::Other("float8_e5m2fnuz", 1),
        "ComplexHalfStorage" | "complex32" => Numbers::Other("complex32", 4),
        "ComplexFloatStorage" | "complex64" => Numbers::Other("complex64", 8),
        "ComplexDoubleStorage" | "complex128" => Numbers::Other("complex128", 16),
        "QInt8Storage" => Numbers::Other("qint8", 1),
        "QUInt8Storage" => Numbers::Other("quint8", 1),
        "QInt32Storage" => Numbers::Other("qint32", 4),
        "Size" => return Some(Known::Sequence),
        "device" | "Tensor" => return Some(Known::Opaque),
        "qint8" | "quint8" | "qint32" | "quint4x2" | "quint2x4" => return Some(Known::Opaque),
        // How a quantised tensor is scaled.
        "per_tensor_affine" | "per_tensor_symmetric" => return Some(Known::Opaque),
        "per_channel_affine" | "per_channel_symmetric" | "per_channel_affine_float_qparams" => {
            return Some(Known::Opaque);
        }
        _ => return None,
    };
    Some(Known::Numbers(numbers))
}
