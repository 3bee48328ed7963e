//! Which bin a float32 belongs to.
//!
//! A bin is the sign, the exponent and the top four mantissa bits of the number: sixteen bins an
//! octave, each about 6% wide, from 1e-38 to 3e38, with no range to choose beforehand. The index is
//! signed so that ascending indices are ascending values. Subnormals share one bin a sign, the one
//! nearest zero; zeros, NaN and infinities have no bin and are counted apart.

/// Mantissa bits that tell bins apart; 2⁴ bins an octave.
pub const MANTISSA_BITS: u32 = 4;
/// Bits of a float32 that a bin ignores.
pub const SHIFT: u32 = 23 - MANTISSA_BITS;
/// Index (of the positive side) of the one bin for subnormal magnitudes.
pub const SUBNORMAL: i16 = (1 << MANTISSA_BITS) - 1;
/// Largest index of a finite number.
pub const MAX_BIN: i16 = (0x7f7f_ffff_u32 >> SHIFT) as i16;
/// Width of a bin relative to its lower edge, at most: the stated error of a binned quantile.
pub const RELATIVE_WIDTH: f64 = 1.0 / (1 << MANTISSA_BITS) as f64;

/// The bin of a finite, non-zero number.
pub fn index(value: f32) -> i16 {
    let bits = value.to_bits();
    let magnitude = (((bits & 0x7fff_ffff) >> SHIFT) as i16).max(SUBNORMAL);
    if bits >> 31 == 1 { -magnitude } else { magnitude }
}

/// Lower and upper edge of a bin, as values (lower < upper for either sign).
pub fn edges(index: i16) -> (f64, f64) {
    let magnitude = index.unsigned_abs().min(MAX_BIN as u16) as u32;
    let low = if magnitude <= SUBNORMAL as u32 { 0.0 } else { f64::from(f32::from_bits(magnitude << SHIFT)) };
    let high = if magnitude == MAX_BIN as u32 {
        f64::from(f32::MAX)
    } else {
        f64::from(f32::from_bits((magnitude + 1) << SHIFT))
    };
    if index < 0 { (-high, -low) } else { (low, high) }
}

/// Whether an index read from a file is one that [`index`] can return.
pub fn is_valid(index: i64) -> bool {
    (i64::from(SUBNORMAL)..=i64::from(MAX_BIN)).contains(&index.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_lies_within_the_edges_of_its_bin() {
        for v in [1.0f32, 1.05, -1.0, 3e38, -2.5e-38, 1e-40, -1e-45, f32::MAX, f32::MIN_POSITIVE] {
            let (low, high) = edges(index(v));
            assert!(low <= f64::from(v) && f64::from(v) <= high, "{v}: {low}..{high}");
        }
    }

    #[test]
    fn ascending_values_have_ascending_bins() {
        let values = [-3e38f32, -1.0, -1e-20, -1e-42, 1e-42, 1.2e-38, 1e-20, 0.99, 1.0, 1.07, 3e38];
        assert!(values.windows(2).all(|w| index(w[0]) < index(w[1])));
    }

    #[test]
    fn a_bin_of_a_normal_number_is_at_most_a_sixteenth_wide() {
        for i in (SUBNORMAL + 1)..=MAX_BIN {
            let (low, high) = edges(i);
            assert!(high / low <= 1.0 + RELATIVE_WIDTH + 1e-12, "bin {i}");
            assert!(is_valid(i64::from(i)) && is_valid(-i64::from(i)));
        }
        assert!(!is_valid(0) && !is_valid(i64::from(MAX_BIN) + 1));
    }
}
