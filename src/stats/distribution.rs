//! The distribution of one tensor's values: exact counts and moments, bins, and a small sample.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::bins;
use super::packed::{self, floats};
use super::random::SplitMix64;

/// While no more finite values than this were seen, all of them are kept: the layers of teaching
/// networks are then described exactly, and drawn as an exact kernel density.
pub const EXACT_CAPACITY: usize = 1_024;
/// Values that ride along with the bins of a larger tensor: a uniform sample, four times smaller so
/// that records of large networks stay small.
pub const SAMPLE_CAPACITY: usize = 256;

/// Values summed before a partial sum joins the total: keeps the rounding of 10⁹ additions away.
const BLOCK: usize = 4096;

/// What one tensor's values look like: mergeable, so that batches, epochs and ranks combine by
/// adding.
///
/// Counts are exact. Mean, variance, L1 and L2 are of the finite values, accumulated in float64.
/// While at most [`EXACT_CAPACITY`] finite values were seen, all of them are kept and everything
/// (quantiles, densities) is exact; beyond, quantiles come from bins about 6% wide and a uniform
/// sample of the values tells their shape inside a bin.
///
/// ```
/// use gradscope::stats::Distribution;
/// let mut d = Distribution::of(&[3.0, -4.0, 0.0, f32::NAN]);
/// assert_eq!((d.count(), d.zeros(), d.nan()), (4, 1, 1));
/// d.merge(&Distribution::of(&[12.0]));
/// assert_eq!(d.max(), Some(12.0));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(into = "Wire", try_from = "Wire")]
pub struct Distribution {
    count: u64,
    zeros: u64,
    nan: u64,
    positive_infinities: u64,
    negative_infinities: u64,
    min: f32,
    max: f32,
    mean: f64,
    /// Sum of squared deviations from the mean.
    squared_deviations: f64,
    l1: f64,
    sum_of_squares: f64,
    /// Ascending (index, count) of non-zero finite values; empty where the sample is complete.
    bins: Vec<(i16, u64)>,
    /// Finite values, ascending: all of them, or a uniform sample.
    sample: Vec<f32>,
}

impl Default for Distribution {
    fn default() -> Self {
        Self {
            count: 0,
            zeros: 0,
            nan: 0,
            positive_infinities: 0,
            negative_infinities: 0,
            min: f32::INFINITY,
            max: f32::NEG_INFINITY,
            mean: 0.0,
            squared_deviations: 0.0,
            l1: 0.0,
            sum_of_squares: 0.0,
            bins: Vec::new(),
            sample: Vec::new(),
        }
    }
}

impl Distribution {
    /// Of these values, in one pass.
    pub fn of(values: &[f32]) -> Self {
        let mut d = Self { count: values.len() as u64, ..Self::default() };
        // Deviations are taken from some value of the data, not from zero: a layer at -8 ± 1e-6
        // would otherwise lose its variance to cancellation.
        let pivot = values.iter().copied().find(|v| v.is_finite()).map_or(0.0, f64::from);
        let (mut shifted, mut shifted_squares) = (0.0, 0.0);
        let exact = values.len() <= EXACT_CAPACITY;
        let mut table = if exact { Vec::new() } else { vec![0u64; 2 * bins::LARGEST as usize + 1] };
        for block in values.chunks(BLOCK) {
            let (mut sum, mut sum2, mut l1, mut squares) = (0.0, 0.0, 0.0, 0.0);
            for &v in block {
                if !v.is_finite() {
                    d.count_non_finite(v);
                    continue;
                }
                let x = f64::from(v);
                let shift = x - pivot;
                sum += shift;
                sum2 += shift * shift;
                l1 += x.abs();
                squares += x * x;
                // Adding zero turns -0.0 into 0.0.
                d.min = d.min.min(v + 0.0);
                d.max = d.max.max(v + 0.0);
                if v == 0.0 {
                    d.zeros += 1;
                } else if !exact {
                    table[(bins::index(v) + bins::LARGEST) as usize] += 1;
                }
            }
            shifted += sum;
            shifted_squares += sum2;
            d.l1 += l1;
            d.sum_of_squares += squares;
        }
        let n = d.finite() as f64;
        if n > 0.0 {
            d.mean = pivot + shifted / n;
            d.squared_deviations = (shifted_squares - shifted * shifted / n).max(0.0);
        }
        if d.finite() <= EXACT_CAPACITY as u64 {
            d.sample = values.iter().copied().filter(|v| v.is_finite()).map(|v| v + 0.0).collect();
        } else {
            let counted = (-bins::LARGEST..).zip(&table).filter(|(_, c)| **c > 0);
            d.bins = counted.map(|(i, c)| (i, *c)).collect();
            d.sample = d.draw(values);
        }
        d.sample.sort_unstable_by(f32::total_cmp);
        d
    }

    fn count_non_finite(&mut self, v: f32) {
        if v.is_nan() {
            self.nan += 1;
        } else if v > 0.0 {
            self.positive_infinities += 1;
        } else {
            self.negative_infinities += 1;
        }
    }

    /// A uniform sample without replacement (Floyd, 1987) of the positions, non-finite ones dropped.
    fn draw(&self, values: &[f32]) -> Vec<f32> {
        let n = values.len() as u64;
        let mut random = SplitMix64::new(&[self.count, self.l1.to_bits(), self.mean.to_bits()]);
        let mut chosen = std::collections::BTreeSet::new();
        for j in n - SAMPLE_CAPACITY as u64..n {
            let t = random.below(j + 1);
            if !chosen.insert(t) {
                chosen.insert(j);
            }
        }
        // Adding zero turns -0.0 into 0.0.
        chosen.iter().map(|&i| values[i as usize] + 0.0).filter(|v| v.is_finite()).collect()
    }

    /// Adds what another distribution has seen. Counts, bins and extremes add exactly, in any order.
    pub fn merge(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        let (n, m) = (self.finite(), other.finite());
        let bins = merge_bins(&self.bins(), &other.bins());
        let sample = if n + m <= EXACT_CAPACITY as u64 && self.is_exact() && other.is_exact() {
            let mut all = [self.sample.as_slice(), &other.sample].concat();
            all.sort_unstable_by(f32::total_cmp);
            all
        } else {
            merge_samples(self, other)
        };
        if n + m > 0 {
            let (n, m) = (n as f64, m as f64);
            // Chan, Golub and LeVeque (1979): moments of a union from those of its parts.
            let delta = other.mean - self.mean;
            self.squared_deviations += other.squared_deviations + delta * delta * n * m / (n + m);
            self.mean = if n == 0.0 { other.mean } else { self.mean + delta * m / (n + m) };
        }
        self.count += other.count;
        self.zeros += other.zeros;
        self.nan += other.nan;
        self.positive_infinities += other.positive_infinities;
        self.negative_infinities += other.negative_infinities;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.l1 += other.l1;
        self.sum_of_squares += other.sum_of_squares;
        self.sample = sample;
        self.bins = if self.is_exact() { Vec::new() } else { bins };
    }

    /// All values seen.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Values that are neither NaN nor infinite.
    pub fn finite(&self) -> u64 {
        self.count - self.nan - self.infinities()
    }

    /// Exact zeros, of either sign.
    pub fn zeros(&self) -> u64 {
        self.zeros
    }

    /// NaN values.
    pub fn nan(&self) -> u64 {
        self.nan
    }

    /// Infinities of either sign.
    pub fn infinities(&self) -> u64 {
        self.positive_infinities + self.negative_infinities
    }

    /// Smallest finite value.
    pub fn min(&self) -> Option<f64> {
        (self.finite() > 0).then(|| f64::from(self.min))
    }

    /// Largest finite value.
    pub fn max(&self) -> Option<f64> {
        (self.finite() > 0).then(|| f64::from(self.max))
    }

    /// Mean of the finite values.
    pub fn mean(&self) -> Option<f64> {
        (self.finite() > 0).then_some(self.mean)
    }

    /// Sample standard deviation of the finite values (divisor n − 1, as `torch.std`); 0 for one.
    pub fn std(&self) -> Option<f64> {
        let n = self.finite();
        (n > 0).then(|| (self.squared_deviations / (n.max(2) - 1) as f64).sqrt())
    }

    /// L1 norm of the finite values.
    pub fn l1(&self) -> f64 {
        self.l1
    }

    /// L2 norm, as `torch.linalg.vector_norm` gives it: NaN if any value is, else infinite if any is.
    pub fn l2(&self) -> f64 {
        if self.nan > 0 {
            f64::NAN
        } else if self.infinities() > 0 {
            f64::INFINITY
        } else {
            self.sum_of_squares.sqrt()
        }
    }

    /// Whether every finite value is kept, so that quantiles and densities are exact.
    pub fn is_exact(&self) -> bool {
        self.sample.len() as u64 == self.finite()
    }

    /// The kept values, ascending: all finite ones if [`is_exact`](Self::is_exact), else a uniform
    /// sample of at most [`SAMPLE_CAPACITY`].
    pub fn sample(&self) -> &[f32] {
        &self.sample
    }

    /// Ascending (bin, count) of the non-zero finite values.
    pub(super) fn bins(&self) -> Cow<'_, [(i16, u64)]> {
        if !self.is_exact() {
            return Cow::Borrowed(&self.bins);
        }
        let mut bins: Vec<(i16, u64)> = Vec::new();
        for &v in self.sample.iter().filter(|v| **v != 0.0) {
            match bins.last_mut() {
                Some((i, c)) if *i == bins::index(v) => *c += 1,
                _ => bins.push((bins::index(v), 1)),
            }
        }
        Cow::Owned(bins)
    }

    /// The q-quantile (0 ≤ q ≤ 1) of the finite values, interpolated linearly between ranks (numpy's
    /// default, Hyndman and Fan's type 7). Exact while all values are kept; otherwise off by at most
    /// a bin, a sixteenth of the value.
    pub fn quantile(&self, q: f64) -> Option<f64> {
        let n = self.finite();
        if n == 0 {
            return None;
        }
        let rank = q.clamp(0.0, 1.0) * (n - 1) as f64;
        if self.is_exact() {
            let (low, high) = (self.sample[rank.floor() as usize], self.sample[rank.ceil() as usize]);
            return Some(f64::from(low) + (f64::from(high) - f64::from(low)) * rank.fract());
        }
        let mut below = 0.0;
        let mut value = f64::from(self.max);
        for (low, high, count) in self.intervals() {
            let next = below + count as f64;
            if rank < next {
                value = low + (high - low) * ((rank - below + 0.5) / count as f64).min(1.0);
                break;
            }
            below = next;
        }
        Some(value.clamp(f64::from(self.min), f64::from(self.max)))
    }

    /// Ascending (low, high, count) that cover the finite values; zeros are an interval of width 0.
    pub(super) fn intervals(&self) -> Vec<(f64, f64, u64)> {
        let bins = self.bins();
        let (negative, positive) = bins.split_at(bins.partition_point(|(i, _)| *i < 0));
        let interval = |&(i, count): &(i16, u64)| {
            let (low, high) = bins::edges(i);
            (low.max(f64::from(self.min)), high.min(f64::from(self.max)), count)
        };
        let zeros = (self.zeros > 0).then_some((0.0, 0.0, self.zeros));
        negative.iter().map(interval).chain(zeros).chain(positive.iter().map(interval)).collect()
    }
}

fn merge_bins(a: &[(i16, u64)], b: &[(i16, u64)]) -> Vec<(i16, u64)> {
    let (mut a, mut b) = (a.iter().peekable(), b.iter().peekable());
    let mut merged = Vec::with_capacity(a.len() + b.len());
    while let (Some(&&(i, n)), Some(&&(j, m))) = (a.peek(), b.peek()) {
        merged.push(match i.cmp(&j) {
            std::cmp::Ordering::Less => *a.next().unwrap_or(&(i, n)),
            std::cmp::Ordering::Greater => *b.next().unwrap_or(&(j, m)),
            std::cmp::Ordering::Equal => {
                a.next();
                b.next();
                (i, n + m)
            }
        });
    }
    merged.extend(a);
    merged.extend(b);
    merged
}

/// A uniform sample of the union: how many come from either side follows their finite counts.
fn merge_samples(a: &Distribution, b: &Distribution) -> Vec<f32> {
    let mut random = SplitMix64::new(&[a.count, b.count, a.l1.to_bits(), b.l1.to_bits()]);
    let (mut from_a, mut from_b) = (a.sample.clone(), b.sample.clone());
    let (mut left_a, mut left_b) = (a.finite(), b.finite());
    let mut sample = Vec::with_capacity(SAMPLE_CAPACITY);
    while sample.len() < SAMPLE_CAPACITY && left_a + left_b > 0 {
        let (side, left) = if random.below(left_a + left_b) < left_a {
            (&mut from_a, &mut left_a)
        } else {
            (&mut from_b, &mut left_b)
        };
        // A side whose sample is used up (non-finite values were drawn) ends the merged sample.
        if side.is_empty() {
            break;
        }
        let i = random.below(side.len() as u64) as usize;
        sample.push(side.swap_remove(i));
        *left -= 1;
    }
    sample.sort_unstable_by(f32::total_cmp);
    sample
}

/// The form of a distribution in a record.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    n: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    zeros: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    nan: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    posinf: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    neginf: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    range: Option<[f32; 2]>,
    mean: f64,
    m2: f64,
    l1: f64,
    ss: f64,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    bins: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    values: String,
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

impl From<Distribution> for Wire {
    fn from(d: Distribution) -> Self {
        Self {
            n: d.count,
            zeros: d.zeros,
            nan: d.nan,
            posinf: d.positive_infinities,
            neginf: d.negative_infinities,
            range: (d.finite() > 0).then_some([d.min, d.max]),
            mean: d.mean,
            m2: d.squared_deviations,
            l1: d.l1,
            ss: d.sum_of_squares,
            bins: packed::encode_bins(&d.bins),
            values: floats::encode(&d.sample),
        }
    }
}

impl TryFrom<Wire> for Distribution {
    type Error = String;

    fn try_from(w: Wire) -> Result<Self, String> {
        let bins = packed::decode_bins(&w.bins)?;
        let sample = floats::decode(&w.values)?;
        let apart = [w.zeros, w.nan, w.posinf, w.neginf];
        let non_finite = apart[1..].iter().try_fold(0u64, |sum, c| sum.checked_add(*c));
        let finite = non_finite
            .and_then(|m| w.n.checked_sub(m))
            .ok_or("distribution: more values apart than in all")?;
        let binned = bins.iter().try_fold(w.zeros, |sum, (_, c)| sum.checked_add(*c));
        let exact = sample.len() as u64 == finite;
        let [min, max] = w.range.unwrap_or([f32::INFINITY, f32::NEG_INFINITY]);
        let within = |v: &f32| (min..=max).contains(v);
        if sample.len() > EXACT_CAPACITY || !sample.iter().all(within) || !sample.is_sorted() {
            return Err("distribution: its sample is too long, out of range or out of order".into());
        }
        if !exact && binned != Some(finite) {
            return Err(format!("distribution: bins do not add up to its {finite} finite values"));
        }
        if (finite > 0) != w.range.is_some()
            || (finite > 0 && !(min <= max && min.is_finite() && max.is_finite()))
        {
            return Err("distribution: its range does not fit its count".into());
        }
        if exact && w.zeros != sample.iter().filter(|v| **v == 0.0).count() as u64 {
            return Err("distribution: its zeros are miscounted".into());
        }
        Ok(Self {
            count: w.n,
            zeros: w.zeros,
            nan: w.nan,
            positive_infinities: w.posinf,
            negative_infinities: w.neginf,
            min,
            max,
            mean: w.mean,
            squared_deviations: w.m2,
            l1: w.l1,
            sum_of_squares: w.ss,
            bins: if exact { Vec::new() } else { bins },
            sample,
        })
    }
}
