//! The values that ride along with bins, which tell the shape inside a bin: values at evenly spaced
//! ranks of a random draw.
//!
//! So few values at random would draw a density that is 20% wrong at its peak. Everything is drawn by a
//! generator that the data seed: the same tensors always give the same sample.

use super::bins;
use super::element::{Element, Wide};
use super::random::SplitMix64;
use super::tensor_stats::TensorStats;

/// Values in a sample, at most: four times fewer than are kept of a small tensor, so that records of
/// large networks stay small.
pub const SAMPLE_CAPACITY: usize = 256;
/// Sample values in a bin from which they tell its shape, rather than an even spread.
pub const INFORMATIVE: usize = 8;
/// Values drawn where some bin holds so much that its shape matters: one of so many.
const DRAWN_OF: u64 = 8;
/// Values drawn then, at least and at most: the error of a density that 65,536 values are drawn of is 4%
/// of its peak, with the kernel of a million values.
const DRAWN: (u64, u64) = (1_024, 65_536);

/// Places in a stratum that a merged sample may take its value from.
const PLACES: u64 = 1 << 16;

/// Ascending values, and how many each stands for.
type Weighted<'a> = (&'a [f32], u128);

/// A sample of the finite values of a tensor, ascending.
pub fn draw<T: Element>(values: &[T], tensor_stats: &TensorStats, seed: &[u64]) -> Vec<f32> {
    let at = |places: &[u64]| places.iter().map(|i| values[*i as usize].one().place()).collect();
    draw_from(values.len() as u64, tensor_stats, seed, at)
}

/// The same of so many values that lie elsewhere: `at` fetches those of ascending places.
pub fn draw_from(
    length: u64,
    tensor_stats: &TensorStats,
    seed: &[u64],
    at: impl FnOnce(&[u64]) -> Vec<f32>,
) -> Vec<f32> {
    let finite = tensor_stats.moments.n;
    let heaviest = tensor_stats.bins.iter().map(|(_, count)| *count).max().unwrap_or(0);
    let shape_matters = heaviest as f64 / finite as f64 >= INFORMATIVE as f64 / SAMPLE_CAPACITY as f64;
    let wanted =
        if shape_matters { (length / DRAWN_OF).clamp(DRAWN.0, DRAWN.1) } else { SAMPLE_CAPACITY as u64 };
    let wanted = wanted.min(length);
    let mut random = SplitMix64::new(seed);
    // One of each stretch of the tensor, whose rows may differ; bounds in units of 2⁻¹⁶.
    let stretch = (length << 16) / wanted;
    let places: Vec<u64> = (0..wanted)
        .map(|k: u64| {
            let (first, end) = ((k * stretch) >> 16, ((k + 1) * stretch) >> 16);
            first + random.below(end - first)
        })
        .collect();
    // Adding zero turns -0.0 into 0.0.
    let mut drawn: Vec<f32> = at(&places).into_iter().map(|v| v + 0.0).filter(|v| v.is_finite()).collect();
    if drawn.len() <= SAMPLE_CAPACITY {
        drawn.sort_unstable_by(f32::total_cmp);
        return drawn;
    }
    let ranks = ranks(&drawn, tensor_stats);
    put_in_place(&mut drawn, 0, &ranks);
    ranks.iter().map(|&rank| drawn[rank]).collect()
}

/// Ascending ranks of the drawn values that make the sample: of each bin as many as its exact count
/// deserves, evenly spaced, so that the draw's luck moves nothing from bin to bin.
fn ranks(drawn: &[f32], tensor_stats: &TensorStats) -> Vec<usize> {
    let mut drawn_of = vec![0usize; 2 * bins::MAX_BIN as usize + 1];
    let place = |bin: i16| (bin + bins::MAX_BIN) as usize;
    drawn.iter().for_each(|v| drawn_of[place(if *v == 0.0 { 0 } else { bins::index(*v) })] += 1);
    let zeros = (tensor_stats.counts.zeros > 0).then_some((0, tensor_stats.counts.zeros));
    let (negative, positive) =
        tensor_stats.bins.split_at(tensor_stats.bins.partition_point(|(bin, _)| *bin < 0));
    let counts = negative.iter().copied().chain(zeros).chain(positive.iter().copied());
    let share = |count: u64| {
        (u128::from(count) * SAMPLE_CAPACITY as u128 / u128::from(tensor_stats.moments.n)) as usize
    };
    let (mut below, mut drawn_below) = (0, 0);
    let mut ranks = Vec::with_capacity(SAMPLE_CAPACITY);
    for (bin, count) in counts {
        let drawn = drawn_of[place(bin)];
        let deserved = (share(below + count) - share(below)).min(drawn);
        ranks.extend((0..deserved).map(|k| drawn_below + (2 * k + 1) * drawn / (2 * deserved)));
        below += count;
        drawn_below += drawn;
    }
    ranks
}

/// Moves the values of these ranks to where sorting would: half the work of sorting. The slice starts
/// at rank `first`.
fn put_in_place(values: &mut [f32], first: usize, ranks: &[usize]) {
    let (below, [rank, above @ ..]) = ranks.split_at(ranks.len() / 2) else { return };
    let (left, _, right) = values.select_nth_unstable_by(rank - first, f32::total_cmp);
    put_in_place(left, first, below);
    put_in_place(right, rank + 1, above);
}

/// A sample of the union of what two samples stand for, in any order: each comes with the number of
/// values that it stands for.
pub fn merge(a: (&[f32], u64), b: (&[f32], u64), seed: &[u64]) -> Vec<f32> {
    if a.0.is_empty() || b.0.is_empty() {
        return [a.0, b.0].concat();
    }
    // The weights are whole numbers so that no rounding depends on the order: of a value of `a`, how
    // many it stands for, times the lengths of both.
    let weigh = |of: (_, u64), beside: &[f32]| (of.0, u128::from(of.1) * beside.len() as u128);
    let (a, b): (Weighted, Weighted) = (weigh(a, b.0), weigh(b, a.0));
    let total = a.0.len() as u128 * a.1 + b.0.len() as u128 * b.1;
    let length = (a.0.len() + b.0.len()).min(SAMPLE_CAPACITY);
    let mut random = SplitMix64::new(seed);
    let mut sample = Vec::with_capacity(length);
    let (mut rest, mut below) = (merge_sorted(a, b), 0);
    let stratum = total / length as u128;
    let odd = (total % length as u128) as u64;
    for k in 0..length as u64 {
        // Anywhere in its stratum: with fixed ranks, many small parts would never be seen beside a
        // large one. No value is taken twice.
        let anywhere = u128::from(random.below(PLACES));
        let start = stratum * u128::from(k) + u128::from(odd * k / length as u64);
        let rank = start + stratum / u128::from(PLACES) * anywhere;
        let Some(value) = rest.find(|(_, weight)| {
            below += weight;
            below > rank
        }) else {
            break;
        };
        sample.push(value.0);
    }
    sample
}

/// The values of both with their weights, ascending and, where values are equal, by weight.
fn merge_sorted<'a>(
    (mut a, w): Weighted<'a>,
    (mut b, v): Weighted<'a>,
) -> impl Iterator<Item = (f32, u128)> + 'a {
    std::iter::from_fn(move || {
        let from_a = match (a.first(), b.first()) {
            (Some(x), Some(y)) => x.total_cmp(y).then(w.cmp(&v)).is_le(),
            (x, _) => x.is_some(),
        };
        let (side, weight) = if from_a { (&mut a, w) } else { (&mut b, v) };
        side.split_off_first().map(|value| (*value, weight))
    })
}
