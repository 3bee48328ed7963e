//! The inner loops, which see every value once: bins and sums of a block, sums of squares.
//!
//! Each loop is written once, over lanes of a fixed number, and compiled twice: for every processor of
//! the target (SSE2 on x86-64) and for AVX2. Lane k adds up values k, k + 4, k + 8 …, whatever the
//! width of the registers, so that the result is the same to the last bit on every machine; nothing is
//! fused or reordered. The lanes are what the compiler turns into vectors: `make bench-guard` counts the
//! instructions a value takes and fails where it no longer does.

// Loops over an index are the form that becomes vectors.
#![allow(clippy::needless_range_loop)]

use super::element::Wide;

/// Lanes of the sums: enough to hide an addition's latency behind the counting of bins, few enough for
/// the sixteen registers of SSE2.
const LANES: usize = 4;
/// Values a turn of the loop.
const STEP: usize = 8;
/// Lanes of sums of squares alone, where nothing else hides the latency.
const NORM_LANES: usize = 16;

/// Lanes of two sums of squares at once.
const FOLLOWING_LANES: usize = 8;

/// Counts by the upper 13 bits of a float32: sign, exponent and four bits of the mantissa. Four counters
/// a bin, as neighbouring values often share one and a counter cannot be raised twice at once.
pub type Table = [[u32; LANES]; TABLE_LENGTH];
/// Length of a [`Table`].
pub const TABLE_LENGTH: usize = 1 << (32 - super::bins::SHIFT);

/// The instructions that the inner loops are run with. Results do not depend on them: the choice is for
/// tests and benches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instructions(Set);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Set {
    Baseline,
    #[cfg(target_arch = "x86_64")]
    Avx2,
}

impl Instructions {
    /// Those that every processor of the target has: SSE2 on x86-64.
    pub fn baseline() -> Self {
        Self(Set::Baseline)
    }

    /// The widest that this processor has.
    pub fn widest() -> Self {
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx2") {
            return Self(Set::Avx2);
        }
        Self::baseline()
    }

    /// Returns their name.
    pub fn name(self) -> &'static str {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => "AVX2",
            Set::Baseline if cfg!(target_arch = "x86_64") => "SSE2",
            Set::Baseline => "baseline",
        }
    }
}

/// Compiles a loop for every set of instructions and calls the one that is asked for. A loop returns
/// its lanes and is never inlined where they are added up: the compiler would order the lanes for that
/// one addition and shuffle them in every turn of the loop (half as slow again).
macro_rules! dispatched {
    ($(#[$doc:meta])* $name:ident<$($generic:ident: $bound:path),*>($($arg:ident: $type:ty),*) -> $out:ty, $body:path) => {
        $(#[$doc])*
        #[allow(unsafe_code)]
        fn $name<$($generic: $bound),*>(instructions: Instructions, $($arg: $type),*) -> $out {
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2")]
            #[inline(never)]
            fn avx2<$($generic: $bound),*>($($arg: $type),*) -> $out {
                $body($($arg),*)
            }
            #[inline(never)]
            fn baseline<$($generic: $bound),*>($($arg: $type),*) -> $out {
                $body($($arg),*)
            }
            match instructions.0 {
                // SAFETY: the function is safe but for its need of AVX2, and `Set::Avx2` is private to
                // this module and made in one place alone: where the processor was asked and has it.
                #[cfg(target_arch = "x86_64")]
                Set::Avx2 => unsafe { avx2($($arg),*) },
                Set::Baseline => baseline($($arg),*),
            }
        }
    };
}

dispatched! {
    binned_lanes<T: Wide>(values: &[T], table: &mut Table) -> Lanes<T>, binned_loop
}
dispatched! {
    lanes<T: Wide>(values: &[T]) -> Lanes<T>, lanes_loop
}
dispatched! {
    deviation_lanes<T: Wide>(values: &[T], pivot: f64) -> [[f64; STEP]; 2], deviations_loop
}
dispatched! {
    zero_counts<T: Wide>(values: &[T]) -> [u64; 2], zeros_loop
}
dispatched! {
    square_lanes<>(values: &[f32]) -> [f64; NORM_LANES], squares_loop
}
dispatched! {
    following_lanes<>(kept: &mut [f32], values: &[f32]) -> [[f64; FOLLOWING_LANES]; 2], following_loop
}

/// Sums of the values, which are also counted in the table.
pub fn binned_sums<T: Wide>(instructions: Instructions, values: &[T], table: &mut Table) -> Sums<T> {
    let rest = rest::<_, STEP>(values);
    rest.iter().for_each(|value| table[row(*value)][0] += 1);
    binned_lanes(instructions, values, table).total(rest)
}

/// Sums of the values.
pub fn sums<T: Wide>(instructions: Instructions, values: &[T]) -> Sums<T> {
    lanes(instructions, values).total(rest::<_, STEP>(values))
}

/// Sum of the deviations from a pivot, and of their squares.
pub fn deviations<T: Wide>(instructions: Instructions, values: &[T], pivot: f64) -> (f64, f64) {
    let [sums, squares] = deviation_lanes(instructions, values, pivot);
    let rest = || rest::<_, STEP>(values).iter().map(|v| v.widen() - pivot);
    (total(&sums, rest()), total(&squares, rest().map(|d| d * d)))
}

/// How many zeros there are, positive and negative.
pub fn zeros<T: Wide>(instructions: Instructions, values: &[T]) -> [u64; 2] {
    zero_counts(instructions, values)
}

/// Sum of the squares of all values.
pub fn squares(instructions: Instructions, values: &[f32]) -> f64 {
    let rest = rest::<_, NORM_LANES>(values).iter().map(|v| f64::from(*v));
    total(&square_lanes(instructions, values), rest.map(|v| v * v))
}

/// Sum of the squared differences of two equally long slices and of the squares of the second, which
/// then is what the first holds.
pub fn follow(instructions: Instructions, kept: &mut [f32], values: &[f32]) -> [f64; 2] {
    let turns = values.len() - rest::<_, FOLLOWING_LANES>(values).len();
    let (kept, kept_rest) = kept.split_at_mut(turns);
    let (values, rest) = values.split_at(turns);
    let [differences, squares] = following_lanes(instructions, kept, values);
    let wide = |v: &f32| f64::from(*v);
    let apart = rest.iter().zip(&*kept_rest).map(|(v, k)| wide(v) - wide(k));
    let sums =
        [total(&differences, apart.map(|d| d * d)), total(&squares, rest.iter().map(wide).map(|v| v * v))];
    kept_rest.copy_from_slice(rest);
    sums
}

/// The rest that does not fill a turn of the loop.
fn rest<T, const N: usize>(values: &[T]) -> &[T] {
    values.as_chunks::<N>().1
}

/// The sum of lanes and of what did not fill them.
fn total(lanes: &[f64], rest: impl Iterator<Item = f64>) -> f64 {
    lanes.iter().copied().chain(rest).sum()
}

/// The sums of a block of values. A value that is not finite leaves an `l1` that is not.
pub struct Sums<T> {
    pub sum: f64,
    pub l1: f64,
    pub squares: f64,
    pub min: T,
    pub max: T,
}

/// Sums under way, a number a lane.
struct Lanes<T> {
    sum: [f64; LANES],
    l1: [f64; LANES],
    squares: [f64; LANES],
    min: [T; STEP],
    max: [T; STEP],
}

impl<T: Wide> Lanes<T> {
    #[inline(always)]
    fn new() -> Self {
        let zero = [0.0; LANES];
        Self { sum: zero, l1: zero, squares: zero, min: [T::HIGHEST; STEP], max: [T::LOWEST; STEP] }
    }

    /// One loop a quantity, each of which becomes vectors.
    #[inline(always)]
    fn add(&mut self, values: &[T; STEP]) {
        let wide = values.map(T::widen);
        for half in wide.as_chunks::<LANES>().0 {
            for k in 0..LANES {
                self.sum[k] += half[k];
            }
            for k in 0..LANES {
                self.l1[k] += half[k].abs();
            }
            for k in 0..LANES {
                self.squares[k] += half[k] * half[k];
            }
        }
        for k in 0..STEP {
            self.min[k] = if values[k] < self.min[k] { values[k] } else { self.min[k] };
        }
        for k in 0..STEP {
            self.max[k] = if values[k] > self.max[k] { values[k] } else { self.max[k] };
        }
    }

    /// The sums of the lanes and of what did not fill them.
    fn total(self, rest: &[T]) -> Sums<T> {
        let lower = |a: T, b: T| if b < a { b } else { a };
        let higher = |a: T, b: T| if b > a { b } else { a };
        let wide = |f: fn(f64) -> f64| rest.iter().map(move |v| f(v.widen()));
        Sums {
            sum: total(&self.sum, wide(|v| v)),
            l1: total(&self.l1, wide(f64::abs)),
            squares: total(&self.squares, wide(|v| v * v)),
            min: self.min.iter().chain(rest).copied().fold(T::HIGHEST, lower),
            max: self.max.iter().chain(rest).copied().fold(T::LOWEST, higher),
        }
    }
}

#[inline(always)]
fn row<T: Wide>(value: T) -> usize {
    (value.place().to_bits() >> super::bins::SHIFT) as usize
}

#[inline(always)]
fn binned_loop<T: Wide>(values: &[T], table: &mut Table) -> Lanes<T> {
    let mut lanes = Lanes::new();
    for turn in values.as_chunks::<STEP>().0 {
        for k in 0..STEP {
            table[row(turn[k])][k % LANES] += 1;
        }
        lanes.add(turn);
    }
    lanes
}

#[inline(always)]
fn lanes_loop<T: Wide>(values: &[T]) -> Lanes<T> {
    let mut lanes = Lanes::new();
    values.as_chunks::<STEP>().0.iter().for_each(|turn| lanes.add(turn));
    lanes
}

/// Values that the bits tell from zero: arithmetic may be set to take subnormals for zeros.
#[inline(always)]
fn zeros_loop<T: Wide>(values: &[T]) -> [u64; 2] {
    let (mut positive, mut negative) = (0, 0);
    for value in values {
        let bits = value.place().to_bits();
        positive += u32::from(bits == 0);
        negative += u32::from(bits == 1 << 31);
    }
    [positive.into(), negative.into()]
}

#[inline(always)]
fn deviations_loop<T: Wide>(values: &[T], pivot: f64) -> [[f64; STEP]; 2] {
    let [mut sums, mut squares] = [[0.0; STEP]; 2];
    for turn in values.as_chunks::<STEP>().0 {
        let deviation = turn.map(|v| v.widen() - pivot);
        for k in 0..STEP {
            sums[k] += deviation[k];
        }
        for k in 0..STEP {
            squares[k] += deviation[k] * deviation[k];
        }
    }
    [sums, squares]
}

#[inline(always)]
fn squares_loop(values: &[f32]) -> [f64; NORM_LANES] {
    let mut lanes = [0.0; NORM_LANES];
    for turn in values.as_chunks::<NORM_LANES>().0 {
        // Widened one by one: an array of wide values is built in memory, which costs five times as much.
        for k in 0..NORM_LANES {
            let wide = f64::from(turn[k]);
            lanes[k] += wide * wide;
        }
    }
    lanes
}

#[inline(always)]
fn following_loop(kept: &mut [f32], values: &[f32]) -> [[f64; FOLLOWING_LANES]; 2] {
    let [mut differences, mut squares] = [[0.0; FOLLOWING_LANES]; 2];
    let kept = kept.as_chunks_mut::<FOLLOWING_LANES>().0;
    for (kept, values) in kept.iter_mut().zip(values.as_chunks::<FOLLOWING_LANES>().0) {
        for k in 0..FOLLOWING_LANES {
            let wide = f64::from(values[k]);
            let difference = wide - f64::from(kept[k]);
            differences[k] += difference * difference;
            squares[k] += wide * wide;
        }
        *kept = *values;
    }
    [differences, squares]
}
