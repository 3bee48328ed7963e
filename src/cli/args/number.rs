//! Numbers of the command line, within the bounds that make sense.

type Parsed<T> = Result<T, String>;

fn float(text: &str, what: &str, fits: impl Fn(f64) -> bool) -> Parsed<f64> {
    match text.parse::<f64>() {
        Ok(value) if fits(value) => Ok(value),
        _ => Err(format!("should be {what}")),
    }
}

fn whole(text: &str, low: u64, high: u64) -> Parsed<u64> {
    match text.parse::<u64>() {
        Ok(value) if (low..=high).contains(&value) => Ok(value),
        _ => Err(format!("should be a whole number between {low} and {high}")),
    }
}

pub fn rate(text: &str) -> Parsed<f64> {
    float(text, "a number between 1e-30 and 1000000", |v| (1e-30..=1e6).contains(&v))
}

pub fn clip(text: &str) -> Parsed<f64> {
    float(text, "a number above 0 and at most 1e12", |v| v > 0.0 && v <= 1e12)
}

pub fn probability(text: &str) -> Parsed<f64> {
    float(text, "a number from 0 up to, but not including, 1", |v| (0.0..1.0).contains(&v))
}

pub fn decay(text: &str) -> Parsed<f64> {
    float(text, "a number from 0 to 1000", |v| (0.0..=1000.0).contains(&v))
}

pub fn noise(text: &str) -> Parsed<f64> {
    float(text, "a number from 0 to 1000", |v| (0.0..=1000.0).contains(&v))
}

pub fn slope(text: &str) -> Parsed<f64> {
    float(text, "a number from 0 to 1", |v| (0.0..=1.0).contains(&v))
}

pub fn samples(text: &str) -> Parsed<u64> {
    whole(text, 4, 100_000_000)
}

pub fn units(text: &str) -> Parsed<u64> {
    whole(text, 1, 32_768)
}

pub fn epochs(text: &str) -> Parsed<u64> {
    whole(text, 1, 1_000_000_000)
}

pub fn threads(text: &str) -> Parsed<u64> {
    whole(text, 1, 1_024)
}

pub fn steps(text: &str) -> Parsed<u64> {
    whole(text, 1, 1_000_000_000)
}

/// Steps that a record holds one by one, before it joins several into a point.
pub fn first_batches(text: &str) -> Parsed<u64> {
    whole(text, 1, 500)
}

pub fn budget(text: &str) -> Parsed<u64> {
    whole(text, 3, 1_000)
}

pub fn seed(text: &str) -> Parsed<i64> {
    match text.parse::<i64>() {
        Ok(value) if value >= 0 => Ok(value),
        _ => Err(format!("should be a whole number between 0 and {}", i64::MAX)),
    }
}

pub fn rows(text: &str) -> Parsed<u64> {
    whole(text, 1, 100_000)
}
