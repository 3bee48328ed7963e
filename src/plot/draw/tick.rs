//! Numbers on axes.

use crate::text::{PLAIN_BELOW, PLAIN_FROM, grouped, without_trailing_zeros};

/// Label of an axis at `value`, where neighbouring labels are `step` apart and the largest magnitude
/// on the axis is `largest`: as many digits as tell neighbours apart, no more.
pub fn tick(value: f64, step: f64, largest: f64) -> String {
    // A tick at 1e-17 of an axis that goes to 1 is the zero that rounding missed.
    if value.abs() < step * 1e-6 {
        return "0".into();
    }
    let step_exponent = step.log10().floor() as i32;
    let plain = (PLAIN_FROM..PLAIN_BELOW).contains(&largest);
    if plain {
        // A step of 0.25 needs one digit more than its size tells.
        let whole_steps = step / 10f64.powi(step_exponent);
        let extra = i32::from((whole_steps - whole_steps.round()).abs() > 1e-6);
        return grouped(&format!("{value:.*}", (extra - step_exponent).clamp(0, 12) as usize));
    }
    let digits = (value.abs().log10().floor() as i32 - step_exponent).clamp(0, 15) as usize;
    let text = format!("{value:.digits$e}");
    match text.split_once('e') {
        Some((mantissa, exponent)) => format!("{}e{exponent}", without_trailing_zeros(mantissa)),
        None => text,
    }
}

/// A power of ten for a label: `10⁻²`.
pub fn power_of_ten(exponent: i32) -> String {
    const SUPERSCRIPTS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    let mut text = String::from("10");
    for c in exponent.to_string().chars() {
        text.push(c.to_digit(10).map_or('⁻', |d| SUPERSCRIPTS[d as usize]));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_have_the_digits_that_tell_them_apart() {
        assert_eq!(tick(0.15, 0.05, 0.2), "0.15");
        assert_eq!(tick(0.5, 0.25, 1.0), "0.50");
        assert_eq!(tick(-20_000.0, 10_000.0, 30_000.0), "-20,000");
        assert_eq!(tick(1e-18, 0.1, 0.3), "0");
        assert_eq!(tick(1.000_000_2, 1e-7, 1.000_000_3), "1.0000002");
        assert_eq!(tick(-2.5e-30, 5e-31, 3e-30), "-2.5e-30");
        assert_eq!(tick(200_000.0, 100_000.0, 300_000.0), "2e5");
        assert_eq!(power_of_ten(-12), "10⁻¹²");
    }
}
