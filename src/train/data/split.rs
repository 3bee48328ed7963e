//! Sizes of the training, dev and test splits.

use std::str::FromStr;

use crate::text::number;
use crate::train::TrainError;

/// Shares such as 0.7,0.2,0.1 add up to one but for rounding.
const ROUNDING: f64 = 1e-9;

/// Sizes of the training, dev and test splits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Split {
    /// Shares of the rows.
    Fractions([f64; 3]),
    /// Numbers of rows.
    Counts([u64; 3]),
}

impl FromStr for Split {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = "a split is three numbers, training,dev,test: shares such as 0.7,0.15,0.15 or rows such as 640,160,200";
        let parts: Vec<f64> = text
            .split(',')
            .map(|p| p.trim().parse::<f64>().ok().filter(|v| v.is_finite() && *v >= 0.0))
            .collect::<Option<_>>()
            .ok_or(form)?;
        let parts: [f64; 3] = parts.try_into().map_err(|_| form)?;
        if parts[0] == 0.0 {
            return Err("a split needs training rows: its first number should be above zero".into());
        }
        if parts.iter().all(|p| *p <= 1.0) {
            return Ok(Self::Fractions(parts));
        }
        if parts.iter().any(|p| p.fract() != 0.0 || *p > 1e12) {
            return Err(form.into());
        }
        Ok(Self::Counts(parts.map(|p| p as u64)))
    }
}

impl Split {
    /// Rows of each part, of `rows` in all. Where the source brings its own test rows (`own_test` above
    /// zero), the third number is of them and the other two are of `rows`.
    pub(super) fn rows(self, rows: u64, own_test: u64) -> Result<[u64; 3], TrainError> {
        let (upto, whose) = if own_test > 0 { (2, "the training files have") } else { (3, "the data has") };
        let parts = match self {
            Self::Counts(counts) => counts,
            Self::Fractions(shares) => {
                let sum: f64 = shares[..upto].iter().sum();
                if sum > 1.0 + ROUNDING {
                    let [a, b, c] = shares;
                    let which = if own_test > 0 { "the first two shares" } else { "the shares" };
                    return Err(TrainError::Settings(format!(
                        "--split {a},{b},{c}: {which} of a split should add up to 1 at most, not to {}",
                        number(sum)
                    )));
                }
                let of = |rows: u64, share: f64| ((rows as f64 * share).round() as u64).min(rows);
                let (a, b) = (of(rows, shares[0]), of(rows, shares[0] + shares[1]));
                let test = if own_test > 0 { of(own_test, shares[2]) } else { of(rows, sum) - b };
                [a, b - a, test]
            }
        };
        let [a, b, c] = parts;
        let needed: u64 = parts[..upto].iter().sum();
        if needed > rows {
            return Err(TrainError::Data(format!(
                "--split {a},{b},{c} asks for {needed} rows, but {whose} {rows}"
            )));
        }
        if own_test > 0 && c > own_test {
            return Err(TrainError::Data(format!(
                "--split {a},{b},{c} asks for {c} test rows, but the test files have {own_test}"
            )));
        }
        if a == 0 {
            return Err(TrainError::Data(format!("the split leaves none of {rows} rows to train on")));
        }
        Ok(parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str, rows: u64, own_test: u64) -> Result<[u64; 3], String> {
        text.parse::<Split>()?.rows(rows, own_test).map_err(|e| e.to_string())
    }

    #[test]
    fn shares_are_of_all_rows() {
        assert_eq!(rows("0.64,0.16,0.2", 1000, 0), Ok([640, 160, 200]));
        assert_eq!(rows("0.7,0,0.3", 1000, 0), Ok([700, 0, 300]));
        assert_eq!(rows("0.7,0.2,0.1", 9, 0), Ok([6, 2, 1]));
    }

    #[test]
    fn the_third_number_is_of_the_test_files_where_there_are_such() {
        assert_eq!(rows("0.8,0.2,1", 60_000, 10_000), Ok([48_000, 12_000, 10_000]));
        assert_eq!(rows("5000,1000,1000", 60_000, 10_000), Ok([5_000, 1_000, 1_000]));
        assert!(rows("0.8,0.3,0", 300, 60).unwrap_err().contains("first two shares"));
        assert!(rows("200,101,0", 300, 60).unwrap_err().contains("training files have 300"));
        assert!(rows("200,100,61", 300, 60).unwrap_err().contains("test files have 60"));
    }
}
