//! The types of number that a file may hold, and how their bytes become numbers.

use half::{bf16, f16};

/// A floating-point type. Integers and truth values are no parameters that learn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dtype {
    /// Floating point of 64 bits.
    F64,
    /// Floating point of 32 bits.
    F32,
    /// 16 bits, IEEE.
    F16,
    /// 16 bits, the upper half of a float32.
    Bf16,
    /// 8 bits, four of them exponent: no infinities, the largest pattern is NaN (`float8_e4m3fn`).
    F8E4m3,
    /// 8 bits, five of them exponent: the upper half of a float16.
    F8E5m2,
}

/// Numbers as they are measured: everything up to 32 bits is a float32 exactly.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Up to 32 bits.
    F32(Vec<f32>),
    /// Floating point of 64 bits.
    F64(Vec<f64>),
}

impl Dtype {
    /// Bytes of a number.
    pub fn size(self) -> u64 {
        match self {
            Self::F64 => 8,
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
            Self::F8E4m3 | Self::F8E5m2 => 1,
        }
    }

    /// The numbers that whole bytes of it stand for, the least significant byte first.
    pub fn values(self, bytes: &[u8]) -> Values {
        match self {
            Self::F64 => Values::F64(bytes.as_chunks().0.iter().map(|b| f64::from_le_bytes(*b)).collect()),
            Self::F32 => Values::F32(bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect()),
            Self::F16 => {
                Values::F32(bytes.as_chunks().0.iter().map(|b| f16::from_le_bytes(*b).to_f32()).collect())
            }
            Self::Bf16 => {
                Values::F32(bytes.as_chunks().0.iter().map(|b| bf16::from_le_bytes(*b).to_f32()).collect())
            }
            Self::F8E4m3 => Values::F32(bytes.iter().map(|b| e4m3(*b)).collect()),
            Self::F8E5m2 => Values::F32(bytes.iter().map(|b| f16::from_le_bytes([0, *b]).to_f32()).collect()),
        }
    }
}

/// `float8_e4m3fn`: bias 7, and where all bits but the sign are set, NaN (OCP 8-bit floating point, 2023).
fn e4m3(bits: u8) -> f32 {
    let (exponent, mantissa) = (i32::from(bits >> 3 & 15), f32::from(bits & 7));
    let magnitude = match (exponent, bits & 7) {
        (15, 7) => f32::NAN,
        (0, _) => mantissa * 2f32.powi(-9),
        _ => (8.0 + mantissa) * 2f32.powi(exponent - 10),
    };
    if bits & 0x80 == 0 { magnitude } else { -magnitude }
}

impl Values {
    /// All of them as float64.
    pub fn iter(&self) -> Box<dyn Iterator<Item = f64> + '_> {
        match self {
            Self::F32(values) => Box::new(values.iter().map(|v| f64::from(*v))),
            Self::F64(values) => Box::new(values.iter().copied()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_bits_are_what_the_standard_says() {
        let Values::F32(e4m3) = Dtype::F8E4m3.values(&[0x38, 0xb8, 0x7e, 0x01, 0x08, 0x00, 0x7f]) else {
            panic!("float32")
        };
        assert_eq!(e4m3[..6], [1.0, -1.0, 448.0, 0.001953125, 0.015625, 0.0]);
        assert!(e4m3[6].is_nan());
        let Values::F32(e5m2) = Dtype::F8E5m2.values(&[0x3c, 0x7b, 0x7c, 0x81]) else { panic!("float32") };
        assert_eq!(e5m2, [1.0, 57344.0, f32::INFINITY, -1.525_878_9e-5]);
    }
}
