//! L2 norms, as every step of training takes them: float64 accumulation, the same bits on every machine.

use super::kernel::{self, Instructions};

/// Values summed before a partial sum joins the total: keeps the rounding of 10⁹ additions away.
const BLOCK: usize = 4096;

/// L2 norm of the values: NaN if any is, else infinite if any is.
pub fn l2(values: &[f32]) -> f64 {
    let instructions = Instructions::widest();
    values.chunks(BLOCK).map(|block| kernel::squares(instructions, block)).sum::<f64>().sqrt()
}

/// The norms that [`follow`] measures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Followed {
    /// L2 norm of what changed.
    pub change: f64,
    /// L2 norm of the new values.
    pub l2: f64,
}

/// Measures new values beside those that were kept and keeps the new ones, in one pass over both.
pub fn follow(kept: &mut [f32], values: &[f32]) -> Followed {
    let instructions = Instructions::widest();
    let blocks = kept.chunks_mut(BLOCK).zip(values.chunks(BLOCK));
    let sums = blocks.map(|(kept, values)| kernel::follow(instructions, kept, values));
    let [change, l2] = sums.fold([0.0; 2], |[a, b], [c, d]| [a + c, b + d]).map(f64::sqrt);
    Followed { change, l2 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn norms_are_those_of_a_direct_sum_whatever_the_instructions() {
        for length in [0, 1, 15, 16, 33, 4_095, 4_096, 10_001] {
            let a: Vec<f32> = (0..length).map(|i| (i as f32 * 0.7).sin() * 1e-3).collect();
            let b: Vec<f32> = (0..length).map(|i| (i as f32 * 0.3).cos()).collect();
            let direct = |f: &dyn Fn(usize) -> f64| (0..length).map(|i| f(i).powi(2)).sum::<f64>().sqrt();
            let close = |x: f64, y: f64| (x - y).abs() <= 1e-13 * y;
            assert!(close(l2(&a), direct(&|i| f64::from(a[i]))), "{length}");
            let apart = direct(&|i| f64::from(a[i]) - f64::from(b[i]));
            let mut kept = a.clone();
            let followed = follow(&mut kept, &b);
            assert!(kept == b && close(followed.change, apart) && close(followed.l2, l2(&b)), "{length}");
            let (baseline, widest) = (Instructions::baseline(), Instructions::widest());
            let both = |instructions| kernel::follow(instructions, &mut a.clone(), &b);
            assert_eq!(both(baseline), both(widest));
            assert_eq!(kernel::squares(baseline, &a), kernel::squares(widest, &a));
        }
    }

    #[test]
    fn a_value_that_is_not_finite_shows_in_the_norm() {
        assert_eq!(l2(&[1.0, f32::NEG_INFINITY]), f64::INFINITY);
        assert!(l2(&[1.0, f32::INFINITY, f32::NAN]).is_nan());
        assert!(follow(&mut [f32::INFINITY], &[f32::INFINITY]).change.is_nan());
    }
}
