//! Tensors on another device, measured there, so that bins and norms travel and values do not; and those
//! on this one, measured here.

use tch::{Device, Kind, Tensor};

use super::memory;
use crate::stats::{self, Counted, DetailLevel, Distribution, EXACT_CAPACITY, Followed};
use crate::train::TrainError;

/// Values that are counted at a time: bounds what the intermediate results take there.
const PART: i64 = 1 << 24;
/// Bits of a float32 that its bin does without.
const SHIFT: i64 = 19;
const MAGNITUDE: i64 = 0x7fff_ffff;
const INFINITY: i64 = 0x7f80_0000;

/// Whether this tensor is measured where it is: float64 sums are needed, which Apple's devices do not
/// have.
pub fn is_measured_on_device(tensor: &Tensor) -> bool {
    matches!(tensor.device(), Device::Cuda(_))
}

/// Measures the distribution of a tensor, wherever it is.
pub fn distribution_of(tensor: &Tensor, threads: usize, keep: DetailLevel) -> Distribution {
    // One that is kept whole travels anyway.
    let there = is_measured_on_device(tensor) && tensor.numel() > EXACT_CAPACITY;
    there
        .then(|| counted_on_device(tensor, keep))
        .flatten()
        .unwrap_or_else(|| Distribution::with_detail(&memory::unordered(tensor), threads, keep))
}

/// L2 norm of a tensor, wherever it is.
pub fn l2(tensor: &Tensor) -> f64 {
    if is_measured_on_device(tensor) {
        norm(tensor).double_value(&[])
    } else {
        stats::l2(&memory::unordered(tensor))
    }
}

/// L2 norm, accumulated in float64.
fn norm(tensor: &Tensor) -> Tensor {
    tensor.detach().norm_scalaropt_dtype(2, Kind::Double)
}

/// Values of a tensor as they were, kept where it is.
pub enum SavedTensor {
    /// On this device.
    Cpu(Vec<f32>),
    /// On its own.
    Device(Tensor),
}

impl SavedTensor {
    /// A copy.
    ///
    /// # Errors
    /// [`TrainError::Memory`] where there is no room for it.
    pub fn new(tensor: &Tensor) -> Result<Self, TrainError> {
        if is_measured_on_device(tensor) {
            return Ok(Self::Device(tensor.detach().copy()));
        }
        let mut values = Vec::new();
        // An allocation that fails elsewhere ends the process without a word.
        let bytes = 4 * tensor.numel() as u64;
        values.try_reserve_exact(tensor.numel()).map_err(|_| TrainError::Memory { bytes })?;
        values.extend_from_slice(&memory::values(tensor));
        Ok(Self::Cpu(values))
    }

    /// Measures what changed since then; on this device computed into the scratch.
    pub fn change(&self, tensor: &Tensor, scratch: &mut Vec<f32>, keep: DetailLevel) -> Distribution {
        match self {
            Self::Cpu(before) => {
                scratch.clear();
                scratch.extend(memory::values(tensor).iter().zip(before).map(|(after, b)| after - b));
                Distribution::with_detail(scratch, 1, keep)
            }
            Self::Device(before) => distribution_of(&(tensor.detach() - before), 1, keep),
        }
    }

    /// Measures the values as they are now beside those that were kept, and keeps them.
    pub fn follow(&mut self, tensor: &Tensor) -> Followed {
        match self {
            Self::Cpu(before) => stats::follow(before, &memory::values(tensor)),
            Self::Device(before) => {
                let now = tensor.detach();
                let norms = Tensor::stack(&[norm(&(&now - &*before)), norm(&now)], 0).to_device(Device::Cpu);
                before.copy_(&now);
                Followed { change: norms.double_value(&[0]), l2: norms.double_value(&[1]) }
            }
        }
    }
}

/// The distribution of its values, counted where they are; `None` where too few of them are finite to be
/// binned.
fn counted_on_device(tensor: &Tensor, keep: DetailLevel) -> Option<Distribution> {
    let values = tensor.detach().to_kind(Kind::Float).reshape([-1]);
    let length = values.numel() as i64;
    let parts: Vec<Counted> = (0..length)
        .step_by(PART as usize)
        .map(|start| count(&values.narrow(0, start, PART.min(length - start))))
        .collect();
    Distribution::from_counts(&parts, keep, |places| {
        let places: Vec<i64> = places.iter().map(|p| *p as i64).collect();
        let places = Tensor::from_slice(&places).to_device(values.device());
        Vec::try_from(values.index_select(0, &places).to_device(Device::Cpu)).unwrap_or_default()
    })
}

/// Counts a part; two small tensors travel at the end.
fn count(values: &Tensor) -> Counted {
    let double = |t: Tensor| t.to_kind(Kind::Double);
    let number = |bits: &Tensor, equal: i64| double(bits.eq(equal).sum(Kind::Int64));
    let bits = values.view_dtype(Kind::Int);
    let upper = bits.bitwise_right_shift_tensor_scalar(SHIFT).bitwise_and(Counted::ROWS as i64 - 1);
    let rows = upper.bincount::<Tensor>(None, Counted::ROWS as i64);
    let magnitude = bits.bitwise_and(MAGNITUDE);
    let negative_zero = i64::from(i32::MIN);
    let negative_infinity = i64::from((INFINITY as u32 | 1 << 31) as i32);
    let is_finite = magnitude.lt(INFINITY);
    let finite = values.where_self(&is_finite, &values.zeros_like());
    let n = double(is_finite.sum(Kind::Int64));
    let mean = finite.sum(Kind::Double) / &n;
    let centred = (finite.to_kind(Kind::Double) - &mean) * &is_finite;
    let highest = Tensor::full_like(values, f64::INFINITY);
    let numbers = Tensor::stack(
        &[
            number(&bits, 0),
            number(&bits, negative_zero),
            double(magnitude.gt(INFINITY).sum(Kind::Int64)),
            number(&bits, INFINITY),
            number(&bits, negative_infinity),
            mean,
            centred.square().sum(Kind::Double),
            finite.abs().sum(Kind::Double),
            finite.to_kind(Kind::Double).square().sum(Kind::Double),
            double(values.where_self(&is_finite, &highest).min()),
            double(values.where_self(&is_finite, &-&highest).max()),
        ],
        0,
    );
    let numbers = numbers.to_device(Device::Cpu);
    let at = |i: i64| numbers.double_value(&[i]);
    let rows = rows.to_device(Device::Cpu);
    let mut counts = vec![0i64; Counted::ROWS];
    rows.copy_data(&mut counts, Counted::ROWS);
    let mut boxed = Box::new([0; Counted::ROWS]);
    boxed.iter_mut().zip(counts).for_each(|(row, count)| *row = count as u64);
    Counted {
        rows: boxed,
        zeros: [at(0) as u64, at(1) as u64],
        nan: at(2) as u64,
        infinities: [at(3) as u64, at(4) as u64],
        sums: [at(5), at(6), at(7), at(8)],
        // Adding zero turns -0.0 into 0.0.
        range: [at(9) + 0.0, at(10) + 0.0],
    }
}

#[cfg(test)]
mod tests {
    use tch::kind;

    use super::*;

    /// Counted as on another device, and as on this one.
    fn both(values: &[f32], keep: DetailLevel) -> (Distribution, Distribution) {
        let there = counted_on_device(&Tensor::from_slice(values), keep).unwrap();
        (there, Distribution::with_detail(values, 1, keep))
    }

    #[test]
    fn what_is_counted_there_is_what_is_counted_here() {
        tch::manual_seed(5);
        let normal = Tensor::randn([70_000], kind::FLOAT_CPU) * 1e-3;
        let mut values: Vec<f32> = Vec::try_from(normal).unwrap();
        let odd = [0.0, -0.0, f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e-42, -1e-42, f32::MAX];
        for spoilt in [false, true] {
            if spoilt {
                values.iter_mut().step_by(7).zip(odd.iter().cycle()).for_each(|(v, odd)| *v = *odd);
                values[3] = f32::from_bits(0x7f80_0001);
            }
            let (there, here) = both(&values, DetailLevel::Full);
            assert_eq!((there.count(), there.finite()), (here.count(), here.finite()));
            assert_eq!(
                (there.zeros(), there.nan(), there.infinities()),
                (here.zeros(), here.nan(), here.infinities())
            );
            assert_eq!((there.min(), there.max()), (here.min(), here.max()));
            let close = |a: f64, b: f64| (a - b).abs() <= 1e-12 * b.abs();
            assert!(close(there.l1(), here.l1()) && close(there.std().unwrap(), here.std().unwrap()));
            assert!(there.l2().is_nan() == here.l2().is_nan());
            for q in [0.0, 0.01, 0.2, 0.5, 0.77, 1.0] {
                assert_eq!(there.quantile(q), here.quantile(q), "{q}");
            }
            let (there, here) = both(&values, DetailLevel::Moments);
            assert!(close(there.mean().unwrap(), here.mean().unwrap()) && there.quantile(0.5).is_none());
        }
    }

    #[test]
    fn what_an_update_changed_is_the_same_there_and_here() {
        tch::manual_seed(6);
        let before = Tensor::randn([50, 60], kind::FLOAT_CPU);
        let after = &before + Tensor::randn([50, 60], kind::FLOAT_CPU) * 1e-3;
        let (mut here, mut there) = (SavedTensor::new(&before).unwrap(), SavedTensor::Device(before.copy()));
        let change = |kept: &SavedTensor| kept.change(&after, &mut Vec::new(), DetailLevel::Moments);
        assert_eq!(change(&here), change(&there));
        let (a, b) = (here.follow(&after), there.follow(&after));
        assert!((a.change / b.change - 1.0).abs() < 1e-6 && (a.l2 / b.l2 - 1.0).abs() < 1e-12, "{a:?} {b:?}");
        assert_eq!(there.follow(&after).change, 0.0);
        assert!((norm(&after).double_value(&[]) / l2(&after) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_narrow_spread_keeps_its_sample_and_few_finite_values_are_left_to_others() {
        let narrow: Vec<f32> = (0..40_000).map(|i| 1.0 + (i % 997) as f32 * 1e-5).collect();
        let (there, here) = both(&narrow, DetailLevel::Full);
        assert_eq!(there.sample().len(), here.sample().len());
        let middle = |d: &Distribution| f64::from(d.sample()[d.sample().len() / 2]);
        assert!((middle(&there) - middle(&here)).abs() < 1e-3);
        let few = [[f32::NAN; 4_000].as_slice(), &[0.5; 9]].concat();
        assert!(counted_on_device(&Tensor::from_slice(&few), DetailLevel::Full).is_none());
    }
}
