//! Mean, spread, norms and extremes of finite values, in float64, joined in a fixed order.

use super::element::Wide;
use super::kernel::{self, Instructions, Sums};
use super::quantile_summary::{DIGITS, with_digits};

/// A block whose variance is a smaller share of its mean square than this is gone through again with
/// its mean as the pivot: a layer at -8 ± 1e-6 would otherwise lose its variance to cancellation. What
/// the threshold lets pass has lost three of float64's sixteen digits at most.
const CANCELLED: f64 = 1e-3;

/// Sums of many finite values that neither drift nor cancel. A sum that leaves the range of float64,
/// which only float64 tensors can bring about, stays at its largest number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moments {
    pub n: u64,
    pub mean: f64,
    /// Sum of squared deviations from the mean.
    pub squared_deviations: f64,
    pub l1: f64,
    pub sum_of_squares: f64,
    pub min: f64,
    pub max: f64,
}

impl Default for Moments {
    fn default() -> Self {
        Self {
            n: 0,
            mean: 0.0,
            squared_deviations: 0.0,
            l1: 0.0,
            sum_of_squares: 0.0,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
        }
    }
}

impl Moments {
    /// Of a block of finite values, of which the sums are known already.
    pub fn from_block<T: Wide>(instructions: Instructions, values: &[T], sums: &Sums<T>) -> Self {
        if values.is_empty() {
            return Self::default();
        }
        let n = values.len() as f64;
        let (mut mean, mut deviations) = (sums.sum / n, sums.squares - sums.sum * (sums.sum / n));
        if !mean.is_finite() {
            mean = values
                .iter()
                .map(|v: &T| v.widen() / n)
                .sum::<f64>()
                .clamp(sums.min.widen(), sums.max.widen());
            deviations = f64::INFINITY;
        } else if deviations < CANCELLED * sums.squares {
            let (sum, squares) = kernel::deviations(instructions, values, mean);
            deviations = (squares - sum * (sum / n)).max(0.0);
            mean += sum / n;
        }
        Self {
            n: values.len() as u64,
            mean,
            // Infinity minus infinity: the squares left the range of float64.
            squared_deviations: if deviations.is_nan() { f64::MAX } else { deviations.min(f64::MAX) },
            l1: sums.l1.min(f64::MAX),
            sum_of_squares: sums.squares.min(f64::MAX),
            // Adding zero turns -0.0 into 0.0.
            min: sums.min.widen() + 0.0,
            max: sums.max.widen() + 0.0,
        }
    }

    /// To as many digits as go with quantiles. The extremes stay.
    pub fn round(&mut self) {
        for number in [&mut self.mean, &mut self.squared_deviations, &mut self.l1, &mut self.sum_of_squares] {
            *number = with_digits(*number, DIGITS);
        }
    }

    /// Those of a union from those of its parts (Chan, Golub and LeVeque, 1979). Swapping the parts
    /// changes no bit, and equal means stay what they are.
    pub fn merge(&mut self, other: &Self) {
        let (a, b) =
            if (self.n, self.mean) >= (other.n, other.mean) { (*self, other) } else { (*other, &*self) };
        if b.n == 0 {
            *self = a;
            return;
        }
        let (n, m) = (a.n as f64, b.n as f64);
        let share = m / (n + m);
        let apart = b.mean - a.mean;
        let between = (apart * apart * (n * share)).min(f64::MAX);
        let mean =
            if apart.is_finite() { a.mean + apart * share } else { a.mean * (n / (n + m)) + b.mean * share };
        *self = Self {
            n: a.n + b.n,
            mean,
            squared_deviations: (a.squared_deviations + b.squared_deviations + between).min(f64::MAX),
            l1: (a.l1 + b.l1).min(f64::MAX),
            sum_of_squares: (a.sum_of_squares + b.sum_of_squares).min(f64::MAX),
            min: a.min.min(b.min),
            max: a.max.max(b.max),
        };
    }
}

/// The root of a sum of squares over `n`; infinite where the sum left the range of float64.
pub fn root(sum_of_squares: f64, n: f64) -> f64 {
    if sum_of_squares == f64::MAX { f64::INFINITY } else { (sum_of_squares / n).sqrt() }
}
