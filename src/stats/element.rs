//! The types of number that a tensor may hold.

use std::fmt::Debug;

use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};

/// A number that a distribution can be taken of: `f32`, `f64`, [`half::bf16`], [`half::f16`].
///
/// Half-precision values are measured as the float32 that each of them is exactly. For what becomes of
/// float64 values see [`Distribution`](super::Distribution).
pub trait Element: Copy + Debug + Send + Sync + sealed::Measured {}

impl Element for f32 {}
impl Element for f64 {}
impl Element for bf16 {}
impl Element for f16 {}

/// A type that the inner loops compute with.
pub trait Wide: Copy + PartialOrd + Send + Sync {
    /// Above every finite value.
    const HIGHEST: Self;
    /// Below every finite value.
    const LOWEST: Self;

    /// As float64, exactly.
    fn widen(self) -> f64;

    /// The float32 that stands for the value in bins and samples; of a value that is not finite, one
    /// that is not either.
    fn place(self) -> f32;
}

impl Wide for f32 {
    const HIGHEST: Self = f32::INFINITY;
    const LOWEST: Self = f32::NEG_INFINITY;

    #[inline(always)]
    fn widen(self) -> f64 {
        f64::from(self)
    }

    #[inline(always)]
    fn place(self) -> f32 {
        self
    }
}

impl Wide for f64 {
    const HIGHEST: Self = f64::INFINITY;
    const LOWEST: Self = f64::NEG_INFINITY;

    #[inline(always)]
    fn widen(self) -> f64 {
        self
    }

    /// The nearest float32 that is finite, and zero only where the value is.
    #[inline(always)]
    fn place(self) -> f32 {
        const TINIEST: f64 = 1.401298464324817e-45;
        let magnitude = self.abs();
        let within = if magnitude > f64::from(f32::MAX) && magnitude < f64::INFINITY {
            f64::from(f32::MAX)
        } else if magnitude < TINIEST && magnitude > 0.0 {
            TINIEST
        } else {
            magnitude
        };
        within.copysign(self) as f32
    }
}

mod sealed {
    use super::*;

    /// How values reach the inner loops.
    pub trait Measured: Sized {
        /// The type that they are computed with.
        type Wide: Wide;

        /// The values of a block: themselves, or converted into the buffer.
        fn block<'a>(values: &'a [Self], buffer: &'a mut Vec<Self::Wide>) -> &'a [Self::Wide];

        /// One of them.
        fn one(self) -> Self::Wide;
    }

    macro_rules! measured_as_it_is {
        ($type:ty) => {
            impl Measured for $type {
                type Wide = $type;

                fn block<'a>(values: &'a [Self], _: &'a mut Vec<Self>) -> &'a [Self] {
                    values
                }

                fn one(self) -> Self {
                    self
                }
            }
        };
    }

    macro_rules! measured_as_float32 {
        ($type:ty) => {
            impl Measured for $type {
                type Wide = f32;

                fn block<'a>(values: &'a [Self], buffer: &'a mut Vec<f32>) -> &'a [f32] {
                    buffer.resize(values.len(), 0.0);
                    values.convert_to_f32_slice(buffer);
                    buffer
                }

                fn one(self) -> f32 {
                    self.to_f32()
                }
            }
        };
    }

    measured_as_it_is!(f32);
    measured_as_it_is!(f64);
    measured_as_float32!(bf16);
    measured_as_float32!(f16);
}
