//! The distribution of one tensor's values: exact counts and moments, bins, and a small sample.

use std::borrow::Cow;

use super::bins;
use super::element::{Element, Wide};
use super::interval::Interval;
use super::kernel::Instructions;
use super::moments::root;
use super::quantile_summary::{self, DetailLevel, QuantileSummary};
use super::sample;
use super::tensor_stats::{self, TensorStats, merge_bins};

/// While no more finite values than this were seen, all of them are kept: the layers of teaching
/// networks are then described exactly, and drawn as an exact kernel density.
pub const EXACT_CAPACITY: usize = 1_024;

/// The distribution of one tensor's values: mergeable, so that batches, epochs and ranks combine by
/// adding.
///
/// Counts are exact. Mean, variance, L1 and L2 are of the finite values, accumulated in float64; they
/// hold their digits over 10⁹ values and where the spread is small beside the mean. While at most
/// [`EXACT_CAPACITY`] finite values were seen, all of them are kept and everything (quantiles,
/// densities) is exact; beyond, quantiles come from bins about 6% wide and a sample of the values tells
/// their shape inside a bin.
///
/// Neither the number of threads nor the processor's instructions change a bit of the result.
///
/// # Float64
/// Of float64 values, counts, extremes and moments are those of the values themselves. Bins and kept
/// values, and with them quantiles and densities, are those of the nearest finite float32 of each, which
/// is zero only where the value is: 1e300 stands at 3.4e38, 1e-300 at 1.4e-45. A norm or deviation whose
/// square leaves the range of float64 is infinite, as in torch.
///
/// ```
/// use gradscope_core::stats::Distribution;
/// let mut d = Distribution::new(&[3.0, -4.0, 0.0, f32::NAN]);
/// assert_eq!((d.count(), d.zeros(), d.nan()), (4, 1, 1));
/// d.merge(&Distribution::new(&[12.0]));
/// assert_eq!(d.max(), Some(12.0));
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Distribution {
    pub(super) count: u64,
    /// Its bins are empty where the sample is complete.
    pub(super) tensor_stats: TensorStats,
    /// Finite values, ascending: all of them, or a sample.
    pub(super) sample: Vec<f32>,
    /// Quantiles that stand for bins and sample where those were given up; see [`compacted`](Self::compacted).
    pub(super) quantile_summary: QuantileSummary,
}

impl Distribution {
    /// Measures these values in one pass on this thread.
    pub fn new(values: &[f32]) -> Self {
        Self::with_threads(values, 1)
    }

    /// Measures values of any [`Element`] type, on at most so many threads: a tensor is shared among them in
    /// pieces of 262,144 values, and one no larger is measured here.
    ///
    /// ```
    /// use gradscope_core::stats::Distribution;
    /// let half = [half::bf16::from_f32(0.5); 4];
    /// assert_eq!(Distribution::with_threads(&half, 2), Distribution::new(&[0.5; 4]));
    /// ```
    pub fn with_threads<T: Element>(values: &[T], threads: usize) -> Self {
        Self::with_instructions(values, threads, Instructions::widest())
    }

    /// Measures what [`compacted`](Self::compacted) leaves of the distribution of these values, to the same bits,
    /// without measuring what is given up.
    pub fn with_detail<T: Element>(values: &[T], threads: usize, keep: DetailLevel) -> Self {
        let (instructions, count) = (Instructions::widest(), values.len() as u64);
        let tensor_stats = match keep {
            DetailLevel::Moments => tensor_stats::without_bins(values, instructions),
            DetailLevel::Quantiles if values.len() > EXACT_CAPACITY => {
                tensor_stats::with_bins(values, threads, instructions)
            }
            _ => return Self::with_threads(values, threads).compacted(keep),
        };
        let d = Self { count, tensor_stats, ..Self::default() };
        if keep == DetailLevel::Quantiles && d.finite() <= EXACT_CAPACITY as u64 {
            return Self::with_threads(values, threads).compacted(keep);
        }
        d.compacted(keep)
    }

    /// As [`with_threads`](Self::with_threads), with these instructions: the result is the same with all.
    pub fn with_instructions<T: Element>(values: &[T], threads: usize, instructions: Instructions) -> Self {
        let count = values.len() as u64;
        let tensor_stats = if values.len() <= EXACT_CAPACITY {
            tensor_stats::without_bins(values, instructions)
        } else {
            tensor_stats::with_bins(values, threads, instructions)
        };
        let mut d = Self { count, tensor_stats, ..Self::default() };
        if d.finite() <= EXACT_CAPACITY as u64 {
            // Adding zero turns -0.0 into 0.0.
            let places = values.iter().map(|v| v.one().place() + 0.0).filter(|v| v.is_finite());
            d.sample = places.collect();
            d.sample.sort_unstable_by(f32::total_cmp);
            d.tensor_stats.bins = Vec::new();
        } else {
            d.sample = sample::draw(values, &d.tensor_stats, &d.seed());
        }
        d
    }

    /// Adds what another distribution has seen. Counts, bins and extremes add exactly, in any order;
    /// swapping the two changes nothing at all. Of one that gave up its bins, counts, moments and
    /// extremes are left.
    pub fn merge(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        if self.count == 0 {
            self.clone_from(other);
            return;
        }
        if !(self.has_shape() && other.has_shape()) {
            self.count += other.count;
            self.tensor_stats.counts.add(&other.tensor_stats.counts);
            self.tensor_stats.moments.merge(&other.tensor_stats.moments);
            *self = self.compacted(DetailLevel::Moments);
            return;
        }
        let (n, m) = (self.finite(), other.finite());
        let stays_exact = n + m <= EXACT_CAPACITY as u64 && self.is_exact() && other.is_exact();
        let bins = if stays_exact { Vec::new() } else { merge_bins(&self.bins(), &other.bins()) };
        let before = std::mem::take(&mut self.sample);
        self.count += other.count;
        self.tensor_stats.counts.add(&other.tensor_stats.counts);
        self.tensor_stats.moments.merge(&other.tensor_stats.moments);
        self.sample = if stays_exact {
            let mut all = [before.as_slice(), &other.sample].concat();
            all.sort_unstable_by(f32::total_cmp);
            all
        } else {
            sample::merge((&before, n), (&other.sample, m), &self.seed())
        };
        self.tensor_stats.bins = bins;
        // Of nothing but zeros there may have been, which the bins now tell.
        self.quantile_summary = QuantileSummary::default();
    }

    /// Returns the seed that the sample is drawn by.
    pub(super) fn seed(&self) -> [u64; 3] {
        let moments = &self.tensor_stats.moments;
        [self.count, moments.l1.to_bits(), moments.sum_of_squares.to_bits()]
    }

    /// Number of all values seen.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Values that are neither NaN nor infinite.
    pub fn finite(&self) -> u64 {
        self.count - self.nan() - self.infinities()
    }

    /// Exact zeros, of either sign.
    pub fn zeros(&self) -> u64 {
        self.tensor_stats.counts.zeros
    }

    /// Number of NaN values.
    pub fn nan(&self) -> u64 {
        self.tensor_stats.counts.nan
    }

    /// Infinities of either sign.
    pub fn infinities(&self) -> u64 {
        self.tensor_stats.counts.positive_infinities + self.tensor_stats.counts.negative_infinities
    }

    /// Smallest finite value.
    pub fn min(&self) -> Option<f64> {
        (self.finite() > 0).then_some(self.tensor_stats.moments.min)
    }

    /// Largest finite value.
    pub fn max(&self) -> Option<f64> {
        (self.finite() > 0).then_some(self.tensor_stats.moments.max)
    }

    /// Mean of the finite values.
    pub fn mean(&self) -> Option<f64> {
        (self.finite() > 0).then_some(self.tensor_stats.moments.mean)
    }

    /// Sample standard deviation of the finite values (divisor n − 1, as `torch.std`); 0 for one.
    pub fn std(&self) -> Option<f64> {
        let n = self.finite();
        (n > 0).then(|| root(self.tensor_stats.moments.squared_deviations, (n.max(2) - 1) as f64))
    }

    /// L1 norm of the finite values.
    pub fn l1(&self) -> f64 {
        self.tensor_stats.moments.l1
    }

    /// L2 norm, as `torch.linalg.vector_norm` gives it: NaN if any value is, else infinite if any is.
    pub fn l2(&self) -> f64 {
        if self.nan() > 0 {
            f64::NAN
        } else if self.infinities() > 0 {
            f64::INFINITY
        } else {
            root(self.tensor_stats.moments.sum_of_squares, 1.0)
        }
    }

    /// Whether every finite value is kept, so that quantiles and densities are exact.
    pub fn is_exact(&self) -> bool {
        self.sample.len() as u64 == self.finite()
    }

    /// Whether values or bins tell how the values are spread.
    fn has_shape(&self) -> bool {
        self.is_exact() || !self.tensor_stats.bins.is_empty() || self.zeros() == self.finite()
    }

    /// Returns it with less of its shape, for a history that is read as numbers: counts, moments and
    /// extremes stay what they are, up to eight digits of mean, deviations and norms.
    /// A tensor of so few values that they are shorter than their quantiles keeps them.
    pub fn compacted(&self, keep: DetailLevel) -> Self {
        let few = self.is_exact() && self.finite() <= quantile_summary::PROBABILITIES.len() as u64;
        let quantile_summary = match keep {
            DetailLevel::Full => return self.clone(),
            DetailLevel::Quantiles if few => return self.clone(),
            DetailLevel::Quantiles if !self.has_shape() => self.quantile_summary.clone(),
            DetailLevel::Quantiles => QuantileSummary::new(self.quantiles(quantile_summary::PROBABILITIES)),
            DetailLevel::Moments => QuantileSummary::default(),
        };
        let mut tensor_stats = TensorStats {
            counts: self.tensor_stats.counts,
            moments: self.tensor_stats.moments,
            bins: Vec::new(),
        };
        tensor_stats.moments.round();
        Self { count: self.count, tensor_stats, sample: Vec::new(), quantile_summary }
    }

    /// Bytes that it takes, about.
    pub fn memory(&self) -> usize {
        size_of::<Self>()
            + 4 * self.sample.len()
            + size_of::<(i16, u64)>() * self.tensor_stats.bins.len()
            + self.quantile_summary.memory()
    }

    /// The kept values, ascending: all finite ones if [`is_exact`](Self::is_exact), else at most
    /// [`SAMPLE_CAPACITY`](super::SAMPLE_CAPACITY), at evenly spaced ranks of a random draw.
    pub fn sample(&self) -> &[f32] {
        &self.sample
    }

    /// Ascending (bin, count) of the non-zero finite values.
    fn bins(&self) -> Cow<'_, [(i16, u64)]> {
        if !self.is_exact() {
            return Cow::Borrowed(&self.tensor_stats.bins);
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
    /// a bin, a sixteenth of the value. Of a [`compacted`](Self::compacted) one, so at the quantiles that
    /// it keeps, and interpolated between them; `None` where it keeps none.
    pub fn quantile(&self, q: f64) -> Option<f64> {
        self.quantiles([q]).map(|[value]| value)
    }

    /// The same for several that ascend, in one pass over the bins.
    pub fn quantiles<const N: usize>(&self, ascending: [f64; N]) -> Option<[f64; N]> {
        let n = self.finite();
        if n == 0 {
            return None;
        }
        let range = [self.tensor_stats.moments.min, self.tensor_stats.moments.max];
        let ascending = ascending.map(|q| q.clamp(0.0, 1.0));
        let rank = |q: f64| q * (n - 1) as f64;
        let values = if !self.has_shape() {
            let points = self.kept_quantiles()?;
            ascending.map(|q| quantile_summary::between(&points, q))
        } else if self.is_exact() {
            ascending.map(|q| {
                let rank = rank(q);
                let (low, high) = (self.sample[rank.floor() as usize], self.sample[rank.ceil() as usize]);
                f64::from(low) + (f64::from(high) - f64::from(low)) * rank.fract()
            })
        } else {
            self.binned_quantiles(ascending.map(rank))
        };
        Some(values.map(|v| v.clamp(range[0], range[1])))
    }

    fn binned_quantiles<const N: usize>(&self, ranks: [f64; N]) -> [f64; N] {
        let intervals = self.intervals();
        let mut rest = intervals.iter().peekable();
        let mut below = 0.0;
        ranks.map(|rank| {
            while let Some(Interval { low, high, count, .. }) = rest.peek() {
                let count = *count as f64;
                if rank < below + count {
                    return low + (high - low) * ((rank - below + 0.5) / count).min(1.0);
                }
                below += count;
                rest.next();
            }
            self.tensor_stats.moments.max
        })
    }

    /// (probability, value) of the kept quantiles, from one extreme to the other; `None` where none is kept.
    pub(super) fn kept_quantiles(&self) -> Option<Vec<(f64, f64)>> {
        Some(
            self.quantile_summary
                .points([self.tensor_stats.moments.min, self.tensor_stats.moments.max])?
                .collect(),
        )
    }

    /// Ascending intervals that cover the finite values.
    pub(super) fn intervals(&self) -> Vec<Interval> {
        let bins = self.bins();
        let (negative, positive) = bins.split_at(bins.partition_point(|(i, _)| *i < 0));
        let range = [self.tensor_stats.moments.min, self.tensor_stats.moments.max]
            .map(|extreme| f64::from(extreme.place()));
        let interval = |&(bin, count): &(i16, u64)| {
            let (low, high) = bins::edges(bin);
            Interval { bin, low: low.max(range[0]), high: high.min(range[1]), count }
        };
        let zeros = Interval { bin: 0, low: 0.0, high: 0.0, count: self.zeros() };
        let zeros = (self.zeros() > 0).then_some(zeros);
        negative.iter().map(interval).chain(zeros).chain(positive.iter().map(interval)).collect()
    }
}
