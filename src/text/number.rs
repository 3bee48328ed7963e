//! Numbers as people read them.

/// Significant digits of a number in a text, a table or on a label.
const DIGITS: usize = 3;
/// Significant digits in a tooltip: what a float32 carries, less its rounding.
const TOOLTIP_DIGITS: usize = 6;
/// From here on, and below [`PLAIN_FROM`], numbers are written with an exponent.
pub(crate) const PLAIN_BELOW: f64 = 1e5;
/// The smallest magnitude that is written without an exponent.
pub(crate) const PLAIN_FROM: f64 = 1e-3;

/// A number with three significant digits, thousands separators and an ASCII minus: `0`, `0.123`, `12.3`,
/// `1,230`, `1.23e-5`, `NaN`, `inf`, `-inf`. For flags, which read no separators, see [`literal`].
///
/// ```
/// use gradscope_core::text::number;
/// assert_eq!(number(-0.000_012_345), "-1.23e-5");
/// assert_eq!(number(1234.0), "1,230");
/// ```
pub fn number(value: f64) -> String {
    grouped(&rounded(value, DIGITS))
}

/// A number with three significant digits as one types it: without thousands separators.
///
/// ```
/// assert_eq!(gradscope_core::text::literal(1234.0), "1230");
/// ```
pub fn literal(value: f64) -> String {
    rounded(value, DIGITS)
}

/// A number with six significant digits, for tooltips.
pub fn precise(value: f64) -> String {
    grouped(&rounded(value, TOOLTIP_DIGITS))
}

/// A count with thousands separators: `1,000`.
///
/// ```
/// assert_eq!(gradscope_core::text::count(1_234_567), "1,234,567");
/// ```
pub fn count(n: u64) -> String {
    grouped(&n.to_string())
}

/// A numeral with thousands separators in its whole part: `-1,234.5678`, `1.5e-7`, `NaN`.
pub(crate) fn grouped(numeral: &str) -> String {
    let start = usize::from(numeral.starts_with('-'));
    let digits = numeral[start..].bytes().take_while(u8::is_ascii_digit).count();
    let mut out = String::with_capacity(numeral.len() + digits / 3);
    for (i, c) in numeral.char_indices() {
        let left = (start + digits).saturating_sub(i);
        if i > start && left > 0 && left.is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// A share from 0 to 1 as a percentage with three significant digits: `12.3%`.
pub fn percentage(share: f64) -> String {
    if share.is_finite() { format!("{}%", number(100.0 * share)) } else { number(share) }
}

/// A share as a percentage that never rounds a part to nothing or to all: `0.4%`, `62%`, `>99.9%`.
pub fn percent(part: u64, whole: u64) -> String {
    let share = 100.0 * part as f64 / whole.max(1) as f64;
    if part > 0 && share < 0.1 {
        "<0.1%".into()
    } else if part < whole && share > 99.9 {
        ">99.9%".into()
    } else if (1.0..=99.0).contains(&share) || part == 0 || part == whole {
        format!("{share:.0}%")
    } else {
        format!("{share:.1}%")
    }
}

fn rounded(value: f64, digits: usize) -> String {
    if value.is_nan() {
        return "NaN".into();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf".into() } else { "-inf".into() };
    }
    if value == 0.0 {
        return "0".into();
    }
    // Rounding comes first: 9.999e4 with three digits is 1e5 and is written so.
    let scientific = format!("{value:.*e}", digits - 1);
    let rounded: f64 = scientific.parse().unwrap_or(value);
    if (PLAIN_FROM..PLAIN_BELOW).contains(&rounded.abs()) {
        return rounded.to_string();
    }
    match scientific.split_once('e') {
        Some((mantissa, exponent)) => format!("{}e{exponent}", without_trailing_zeros(mantissa)),
        None => scientific,
    }
}

pub(crate) fn without_trailing_zeros(mantissa: &str) -> &str {
    if mantissa.contains('.') { mantissa.trim_end_matches('0').trim_end_matches('.') } else { mantissa }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_and_an_exponent_only_where_it_helps() {
        let cases = [
            (0.0, "0"),
            (-0.0, "0"),
            (0.5, "0.5"),
            (0.12345, "0.123"),
            (12.345, "12.3"),
            (1234.0, "1,230"),
            (-99_940.0, "-99,900"),
            (99_960.0, "1e5"),
            (123_456.0, "1.23e5"),
            (0.001, "0.001"),
            (0.000_999_6, "0.001"),
            (0.000_12, "1.2e-4"),
            (-1.2345e-30, "-1.23e-30"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
            (5e-324, "4.94e-324"),
            (f64::MAX, "1.8e308"),
        ];
        for (value, text) in cases {
            assert_eq!(number(value), text);
        }
        assert_eq!(precise(0.123_456_78), "0.123457");
        assert_eq!(precise(-12_345.678), "-12,345.7");
        assert_eq!(literal(12_345.0), "12300");
    }

    #[test]
    fn counts_are_grouped() {
        assert_eq!([0, 999, 1000, 28_490, 1_000_000].map(count).join(" "), "0 999 1,000 28,490 1,000,000");
    }

    #[test]
    fn a_part_is_never_rounded_to_nothing_or_to_all() {
        assert_eq!(percent(1, 100_000), "<0.1%");
        assert_eq!(percent(99_999, 100_000), ">99.9%");
        assert_eq!(percent(5, 1000), "0.5%");
        assert_eq!(percent(2, 3), "67%");
        assert_eq!((percent(0, 7), percent(7, 7)), ("0%".into(), "100%".into()));
    }
}
