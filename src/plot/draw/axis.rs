//! Axes: where values go, and which of them are labelled.

use crate::plot::draw::tick::{power_of_ten, tick};

/// Space beyond the data at either end, as a share of the span.
const PADDING: f64 = 0.04;
/// Height of a band for values that have no place on a scale, as a share of the span.
const BAND: f64 = 0.11;
/// Values further apart than this factor go on a logarithmic axis where either kind would do.
const LOG_FROM: f64 = 100.0;
/// Decades that a logarithmic axis spans at least: below, it would blow up differences that do not
/// matter, and its zero would seem near.
const MIN_DECADES: f64 = 2.0;
/// Values that are closer than this share of their size are one value, told apart by rounding alone
/// (those of a float32 that differ are ten times as far apart).
const SAME: f64 = 5e-9;
/// No coordinate may overflow when a span is taken.
const MAX_COORDINATE: f64 = 1e300;

/// A labelled place of an axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Tick {
    /// The coordinate along the axis.
    pub at: f64,
    /// The text beside it.
    pub label: String,
    /// Whether it names a band beside the scale rather than a place on it.
    pub reserved: bool,
}

/// How values become coordinates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// As they are.
    Linear,
    /// log₁₀ of the value.
    Log,
    /// −log₁₀ of minus the value, for values that are all negative.
    NegativeLog,
}

/// The kind of scale that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spacing {
    /// Logarithmic where the values are of one sign and far apart, linear otherwise.
    Automatic,
    /// Logarithmic, whatever the values.
    Log,
}

/// Values that a scale shows beside itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReservedBands {
    /// Exact zeros, which a logarithm has no place for.
    pub zero: bool,
    /// Values that are NaN.
    pub nan: bool,
    /// Infinite values, of either sign.
    pub inf: bool,
}

/// Where a value is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Place {
    /// On the scale.
    Scale(f64),
    /// In the band of exact zeros.
    Zero(f64),
    /// In the band of NaN and infinities.
    Odd(f64),
}

impl Place {
    /// The coordinate along the axis.
    pub fn at(self) -> f64 {
        match self {
            Place::Scale(at) | Place::Zero(at) | Place::Odd(at) => at,
        }
    }
}

/// An axis with everything that is on it.
#[derive(Clone, Debug, PartialEq)]
pub struct Scale {
    /// How values become coordinates.
    pub kind: Kind,
    /// The coordinate at its lower end.
    pub low: f64,
    /// The coordinate at its upper end.
    pub high: f64,
    /// Labelled places, ascending.
    pub ticks: Vec<Tick>,
    /// Decades from one label to the next, on a logarithmic axis of whole decades.
    pub decades: Option<i32>,
    zero: Option<f64>,
    odd: Option<f64>,
}

impl Scale {
    /// Over these coordinates (on a logarithmic axis: exponents), with room for the bands. Without
    /// any coordinate the axis has bands alone.
    pub fn over(kind: Kind, span: Option<(f64, f64)>, bands: ReservedBands, at_most: usize) -> Self {
        let (low, high) = widened(kind, span);
        let (mut ticks, decades) = match (span, kind) {
            (None, _) => (Vec::new(), None),
            (_, Kind::Linear) => (linear_ticks(low, high, at_most), None),
            (_, Kind::Log) => log_ticks(low, high, at_most),
            (_, Kind::NegativeLog) => {
                let (mirrored, decades) = log_ticks(-high, -low, at_most);
                let ticks = mirrored.into_iter().rev();
                let ticks = ticks.map(|t| Tick { at: -t.at, label: format!("-{}", t.label), ..t });
                (ticks.collect(), decades)
            }
        };
        let band = BAND * (high - low);
        let mut scale = Self { kind, low, high, ticks: Vec::new(), decades, zero: None, odd: None };
        if bands.zero && kind != Kind::Linear {
            // Alone, it has the middle.
            let at = if span.is_some() { low - 0.6 * band } else { (low + high) / 2.0 };
            scale.zero = Some(at);
            scale.low = at.min(low) - 0.4 * band;
            ticks.insert(0, Tick { at, label: "0".into(), reserved: true });
        }
        if bands.nan || bands.inf {
            let at = high + 0.6 * band;
            let label = match (bands.nan, bands.inf) {
                (true, true) => "NaN, inf",
                (true, false) => "NaN",
                _ => "inf",
            };
            scale.odd = Some(at);
            scale.high = high + band;
            ticks.push(Tick { at, label: label.into(), reserved: true });
        }
        scale.ticks = ticks;
        scale
    }

    /// The scale that suits these values, with so many labels at most.
    pub fn fitted(values: impl Iterator<Item = f64>, spacing: Spacing, at_most: usize) -> Self {
        let mut bands = ReservedBands::default();
        let (mut smallest, mut largest) = (f64::INFINITY, 0.0f64);
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values {
            bands.nan |= value.is_nan();
            bands.inf |= value.is_infinite();
            bands.zero |= value == 0.0;
            if value.is_finite() {
                (low, high) = (low.min(value), high.max(value));
                if value != 0.0 {
                    smallest = smallest.min(value.abs());
                    largest = largest.max(value.abs());
                }
            }
        }
        let far_apart = largest / smallest > LOG_FROM;
        let kind = if spacing == Spacing::Log || (low >= 0.0 && far_apart) {
            Kind::Log
        } else if high < 0.0 && far_apart {
            Kind::NegativeLog
        } else {
            Kind::Linear
        };
        let span = match kind {
            Kind::Linear => (low <= high).then_some((low.max(-MAX_COORDINATE), high.min(MAX_COORDINATE))),
            Kind::Log => (largest > 0.0).then(|| (smallest.log10(), largest.log10())),
            Kind::NegativeLog => Some((-largest.log10(), -smallest.log10())),
        };
        Self::over(kind, span, bands, at_most)
    }

    /// Where this value goes; `None` if the scale was not made for it.
    pub fn place(&self, value: f64) -> Option<Place> {
        if !value.is_finite() {
            return self.odd.map(Place::Odd);
        }
        match self.kind {
            Kind::Linear => Some(Place::Scale(value.clamp(-MAX_COORDINATE, MAX_COORDINATE))),
            _ if value == 0.0 => self.zero.map(Place::Zero),
            Kind::Log => (value > 0.0).then(|| Place::Scale(value.log10())),
            Kind::NegativeLog => (value < 0.0).then(|| Place::Scale(-(-value).log10())),
        }
    }

    /// The band of exact zeros.
    pub fn zero_band(&self) -> Option<f64> {
        self.zero
    }
}

/// Room at either end, and a width above zero where all values are equal.
fn widened(kind: Kind, span: Option<(f64, f64)>) -> (f64, f64) {
    let Some((low, high)) = span else { return (0.0, 1.0) };
    let span = high - low;
    if kind != Kind::Linear {
        let room = (PADDING * span).max((MIN_DECADES - span) / 2.0);
        return (low - room, high + room);
    }
    if span < (SAME * low.abs().max(high.abs())).max(f64::MIN_POSITIVE * 1e20) {
        // A single value stands in the middle of an axis that names it.
        let room = if low == 0.0 { 0.5 } else { 0.1 * low.abs() };
        return (low - room, high + room);
    }
    (low - PADDING * span, high + PADDING * span)
}

/// Labels at multiples of 1, 2 or 5 times a power of ten.
pub fn linear_ticks(low: f64, high: f64, at_most: usize) -> Vec<Tick> {
    let step = nice_step((high - low) / at_most.max(1) as f64);
    let (first, last) = ((low / step).ceil(), (high / step).floor());
    if !(step > 0.0 && first.is_finite() && last - first <= 2.0 * at_most as f64 + 2.0) {
        return Vec::new();
    }
    let largest = low.abs().max(high.abs());
    (0..=(last - first) as usize)
        .map(|i| {
            let at = (first + i as f64) * step;
            Tick { at, label: tick(at, step, largest), reserved: false }
        })
        .collect()
}

/// The smallest of 1, 2, 5, 10, … times a power of ten that is not below `least`.
pub fn nice_step(least: f64) -> f64 {
    let power = 10f64.powf(least.log10().floor());
    let factor = [1.0, 2.0, 5.0].into_iter().find(|f| f * power >= least * (1.0 - 1e-9)).unwrap_or(10.0);
    factor * power
}

/// Labels at powers of ten, between them where there are fewer than three.
fn log_ticks(low: f64, high: f64, at_most: usize) -> (Vec<Tick>, Option<i32>) {
    let (first, last) = (low.ceil() as i32, high.floor() as i32);
    if last - first >= 2 {
        let step = nice_step(f64::from(last - first + 1) / at_most.max(1) as f64).max(1.0) as i32;
        let start = first + (-first).rem_euclid(step);
        let ticks = (start..=last).step_by(step as usize);
        let ticks = ticks.map(|e| Tick { at: f64::from(e), label: power_of_ten(e), reserved: false });
        return (ticks.collect(), Some(step));
    }
    let round = (first - 1..=last + 1).flat_map(|e| [1.0, 2.0, 5.0].map(|f| (f, e)));
    let ticks = round
        .map(|(f, e)| (f * 10f64.powi(e), f64::from(e) + f64::log10(f)))
        .filter(|(_, at)| (low..=high).contains(at))
        .map(|(value, at)| Tick { at, label: crate::text::number(value), reserved: false })
        .collect();
    (ticks, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(scale: &Scale) -> String {
        scale.ticks.iter().map(|t| t.label.as_str()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn round_numbers_are_labelled() {
        let linear = Scale::fitted([-0.3, 0.2].into_iter(), Spacing::Automatic, 6);
        assert_eq!(labels(&linear), "-0.3 -0.2 -0.1 0.0 0.1 0.2".replace("0.0", "0"));
        let log = Scale::fitted([1e-20, 1.0].into_iter(), Spacing::Automatic, 6);
        assert_eq!(labels(&log), "10⁻²⁰ 10⁻¹⁵ 10⁻¹⁰ 10⁻⁵ 10⁰");
        assert_eq!(log.decades, Some(5));
        let negative = Scale::fitted([-100.0, -0.1].into_iter(), Spacing::Automatic, 6);
        assert_eq!(labels(&negative), "-10² -10¹ -10⁰ -10⁻¹");
        assert!(negative.place(-100.0).unwrap().at() < negative.place(-0.1).unwrap().at());
    }

    #[test]
    fn every_axis_has_a_width_and_two_labels() {
        for values in [[0.0, 0.0], [0.693, 0.693], [1e-30, 1.1e-30], [1.0, 1.0 + 1e-7], [-1e300, 1e300]] {
            for spacing in [Spacing::Automatic, Spacing::Log] {
                let scale = Scale::fitted(values.into_iter(), spacing, 6);
                let empty = spacing == Spacing::Log && values == [0.0, 0.0];
                assert!(scale.low < scale.high, "{values:?}");
                assert!(empty || scale.ticks.len() >= 2, "{values:?} {spacing:?} {}", labels(&scale));
                assert!(scale.ticks.len() <= 13, "{values:?} {}", labels(&scale));
                let mut distinct: Vec<_> = scale.ticks.iter().map(|t| &t.label).collect();
                distinct.dedup();
                assert_eq!(distinct.len(), scale.ticks.len(), "{}", labels(&scale));
            }
        }
    }

    #[test]
    fn zeros_and_non_finite_values_have_a_lane_of_their_own() {
        let values = [0.0, 1e-3, 1.0, f64::NAN, f64::INFINITY];
        let scale = Scale::fitted(values.into_iter(), Spacing::Log, 6);
        assert_eq!(labels(&scale), "0 10⁻³ 10⁻² 10⁻¹ 10⁰ NaN, inf");
        let places: Vec<f64> = values.iter().map(|v| scale.place(*v).unwrap().at()).collect();
        assert!(places[..4].is_sorted() && places[3] < scale.high && places[0] > scale.low);
        let nothing = Scale::fitted([f64::NAN].into_iter(), Spacing::Automatic, 6);
        assert_eq!(labels(&nothing), "NaN");
    }
}
