//! One pass over the values of a tensor: what is counted, bins and moments.

use std::cell::RefCell;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::bins;
use super::element::{Element, Wide};
use super::kernel::{self, Instructions, TABLE_LENGTH, Table};
use super::moments::Moments;

/// Values summed before a partial sum joins the total. A block is read up to three times, so it has to
/// fit the first cache.
const BLOCK: usize = 4096;
/// Values that one thread takes at a time. Moments are joined chunk after chunk, whoever measured them,
/// so that the number of threads changes no bit.
const CHUNK: usize = 64 * BLOCK;
/// Chunks after which a table is emptied, long before a counter of 32 bits is full.
const CHUNKS_A_TABLE: usize = (1 << 31) / CHUNK;

/// Rows of a table that share an exponent.
const OCTAVE: usize = 1 << bins::MANTISSA_BITS;

/// Counts, moments and bins of a tensor, from one pass.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TensorStats {
    pub counts: Counts,
    pub moments: Moments,
    /// Ascending (index, count) of the non-zero finite values; empty where none were asked for.
    pub bins: Vec<(i16, u64)>,
}

/// How many values are what has no bin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub zeros: u64,
    pub nan: u64,
    pub positive_infinities: u64,
    pub negative_infinities: u64,
}

impl Counts {
    pub fn add(&mut self, other: &Self) {
        self.zeros += other.zeros;
        self.nan += other.nan;
        self.positive_infinities += other.positive_infinities;
        self.negative_infinities += other.negative_infinities;
    }

    fn add_non_finite(&mut self, value: f64) {
        if value.is_nan() {
            self.nan += 1;
        } else if value > 0.0 {
            self.positive_infinities += 1;
        } else {
            self.negative_infinities += 1;
        }
    }
}

/// Counts and moments alone, joined in the order of [`with_bins`]: to the same bits.
pub fn without_bins<T: Element>(values: &[T], instructions: Instructions) -> TensorStats {
    let mut pass = Pass::new(instructions);
    let mut moments = Moments::default();
    for chunk in values.chunks(CHUNK) {
        let mut of_chunk = Moments::default();
        for block in chunk.chunks(BLOCK) {
            of_chunk.merge(&pass.block(block, None));
        }
        moments.merge(&of_chunk);
    }
    TensorStats { counts: pass.counts, moments, bins: Vec::new() }
}

/// Everything, on as many threads as are asked for and worth starting.
pub fn with_bins<T: Element>(values: &[T], threads: usize, instructions: Instructions) -> TensorStats {
    let chunks = values.len().div_ceil(CHUNK);
    let next = AtomicUsize::new(0);
    let work = || take_chunks(values, &next, instructions);
    let parts = if threads.min(chunks) <= 1 {
        vec![work()]
    } else {
        std::thread::scope(|scope| {
            let others: Vec<_> = (1..threads.min(chunks)).map(|_| scope.spawn(work)).collect();
            let own = work();
            std::iter::once(own)
                .chain(others.into_iter().map(|other: std::thread::ScopedJoinHandle<_>| {
                    other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
                }))
                .collect()
        })
    };
    let mut tensor_stats = TensorStats::default();
    let mut moments = vec![Moments::default(); chunks];
    for part in parts {
        tensor_stats.counts.add(&part.counts);
        tensor_stats.bins = merge_bins(&tensor_stats.bins, &part.bins);
        part.moments.into_iter().for_each(|(chunk, m)| moments[chunk] = m);
    }
    moments.iter().for_each(|m| tensor_stats.moments.merge(m));
    tensor_stats
}

/// The part that one thread has measured.
struct Part {
    counts: Counts,
    bins: Vec<(i16, u64)>,
    moments: Vec<(usize, Moments)>,
}

/// Measures chunks until none is left.
fn take_chunks<T: Element>(values: &[T], next: &AtomicUsize, instructions: Instructions) -> Part {
    TABLE.with_borrow_mut(|table| {
        let mut pass = Pass::new(instructions);
        let (mut bins, mut chunks) = (Vec::new(), Vec::new());
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(chunk) = values.chunks(CHUNK).nth(index) else { break };
            let mut moments = Moments::default();
            for block in chunk.chunks(BLOCK) {
                moments.merge(&pass.block(block, Some(table)));
            }
            chunks.push((index, moments));
            if chunks.len() % CHUNKS_A_TABLE == 0 {
                bins = merge_bins(&bins, &pass.empty(table));
            }
        }
        bins = merge_bins(&bins, &pass.empty(table));
        Part { counts: pass.counts, bins, moments: chunks }
    })
}

thread_local! {
    /// All zeros between uses. Kept, since 128 KB of fresh memory cost more than a small tensor.
    static TABLE: RefCell<Box<Table>> = RefCell::new(Box::new([[0; 4]; TABLE_LENGTH]));
}

/// One thread's way through blocks.
struct Pass<T: Element> {
    instructions: Instructions,
    counts: Counts,
    /// Zeros whose counters are still in the table.
    zeros_in_table: [u64; 2],
    converted: Vec<T::Wide>,
    finite: Vec<T::Wide>,
}

impl<T: Element> Pass<T> {
    fn new(instructions: Instructions) -> Self {
        let counts = Counts::default();
        Self { instructions, counts, zeros_in_table: [0; 2], converted: Vec::new(), finite: Vec::new() }
    }

    fn block(&mut self, values: &[T], table: Option<&mut Table>) -> Moments {
        let values = T::block(values, &mut self.converted);
        let (sums, may_hold_zeros) = match table {
            Some(table) => {
                let before = zero_counters(table);
                let sums = kernel::binned_sums(self.instructions, values, table);
                (sums, zero_counters(table) != before)
            }
            None => (kernel::sums(self.instructions, values), true),
        };
        if may_hold_zeros {
            let zeros = kernel::zeros(self.instructions, values);
            self.counts.zeros += zeros[0] + zeros[1];
            self.zeros_in_table[0] += zeros[0];
            self.zeros_in_table[1] += zeros[1];
        }
        if sums.l1.is_finite() {
            return Moments::from_block(self.instructions, values, &sums);
        }
        self.finite.clear();
        for value in values {
            if value.widen().is_finite() {
                self.finite.push(*value);
            } else {
                self.counts.add_non_finite(value.widen());
            }
        }
        let sums = kernel::sums(self.instructions, &self.finite);
        Moments::from_block(self.instructions, &self.finite, &sums)
    }

    /// The bins of what the table has counted, which is all zeros afterwards.
    fn empty(&mut self, table: &mut Table) -> Vec<(i16, u64)> {
        let [positive_zeros, negative_zeros] = std::mem::take(&mut self.zeros_in_table);
        let (positive, negative) = table.split_at_mut(TABLE_LENGTH / 2);
        let mut bins = side(negative, negative_zeros);
        bins.reverse();
        bins.iter_mut().for_each(|(index, _)| *index = -*index);
        bins.append(&mut side(positive, positive_zeros));
        bins
    }
}

/// The bins of one sign, by magnitude. Rows below the first bin are zeros and subnormals, rows above
/// the last NaN and infinities, which are counted apart.
fn side(rows: &mut [[u32; 4]], zeros: u64) -> Vec<(i16, u64)> {
    let mut bins = Vec::new();
    let mut subnormals = 0;
    for (first, octave) in (0..).step_by(OCTAVE).zip(rows.as_chunks_mut::<OCTAVE>().0) {
        // Most octaves are empty, and seen to be at once.
        if *octave.as_flattened() == [0; 4 * OCTAVE] {
            continue;
        }
        for (row, counters) in (first..).zip(octave) {
            let count: u64 = std::mem::take(counters).into_iter().map(u64::from).sum();
            match row {
                ..=bins::SUBNORMAL => subnormals += count,
                ..=bins::MAX_BIN if count > 0 => bins.push((row, count)),
                _ => {}
            }
        }
    }
    if subnormals > zeros {
        bins.insert(0, (bins::SUBNORMAL, subnormals - zeros));
    }
    bins
}

/// Counters that a zero raises, as do the smallest subnormals.
fn zero_counters(table: &Table) -> [[u32; 4]; 2] {
    [table[0], table[TABLE_LENGTH / 2]]
}

/// The same of values that were counted elsewhere: how many have each upper part of their bits, with so
/// many zeros of either sign among them.
pub fn bins_from_rows(rows: &[u64; TABLE_LENGTH], zeros: [u64; 2]) -> Vec<(i16, u64)> {
    let (positive, negative) = rows.split_at(TABLE_LENGTH / 2);
    let of = |rows: &[u64], zeros: u64, sign: i16| {
        let subnormals = rows[..=bins::SUBNORMAL as usize].iter().sum::<u64>() - zeros;
        let normal = (bins::SUBNORMAL + 1..=bins::MAX_BIN).map(|row| (row, rows[row as usize]));
        let all = std::iter::once((bins::SUBNORMAL, subnormals)).chain(normal);
        all.filter(|(_, count)| *count > 0).map(move |(row, count)| (sign * row, count)).collect::<Vec<_>>()
    };
    let mut bins = of(negative, zeros[1], -1);
    bins.reverse();
    bins.append(&mut of(positive, zeros[0], 1));
    bins
}

/// Adds up two ascending lists of (index, count).
pub fn merge_bins(a: &[(i16, u64)], b: &[(i16, u64)]) -> Vec<(i16, u64)> {
    let (mut a, mut b) = (a, b);
    let mut merged = Vec::with_capacity(a.len() + b.len());
    while let ([(i, n), a_rest @ ..], [(j, m), b_rest @ ..]) = (a, b) {
        merged.push(((*i).min(*j), if i <= j { *n } else { 0 } + if j <= i { *m } else { 0 }));
        a = if i <= j { a_rest } else { a };
        b = if j <= i { b_rest } else { b };
    }
    merged.extend_from_slice(a);
    merged.extend_from_slice(b);
    merged
}
