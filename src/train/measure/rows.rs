//! How alike the rows of a matrix are, and how much units vary from sample to sample.

use tch::Tensor;

use super::memory;

/// Additions that do not wait for each other.
const LANES: usize = 8;

/// The largest distance of a row from the mean row, over the norm of the mean row; `None` for vectors
/// and single rows. Rows of a convolution are its output channels.
pub fn row_deviation(matrix: &Tensor) -> Option<f64> {
    let size = matrix.size();
    let (rows, columns) = match size.as_slice() {
        [rows, rest @ ..] if *rows >= 2 && !rest.is_empty() => {
            (*rows as usize, rest.iter().product::<i64>() as usize)
        }
        _ => return None,
    };
    let (mut mean, mut distances) = (vec![0.0; columns], vec![0.0; rows]);
    if memory::is_transposed(matrix) {
        for (mean, column) in mean.iter_mut().zip(memory::unordered(matrix).chunks_exact(rows)) {
            *mean = sum(column) / rows as f64;
            add_squares(&mut distances, column.iter().map(|v| f64::from(*v) - *mean));
        }
    } else {
        let values = memory::values(matrix);
        for row in values.chunks_exact(columns) {
            mean.iter_mut().zip(row).for_each(|(m, v)| *m += f64::from(*v));
        }
        mean.iter_mut().for_each(|m| *m /= rows as f64);
        for (distance, row) in distances.iter_mut().zip(values.chunks_exact(columns)) {
            let apart = row.iter().zip(&mean).map(|(v, m)| f64::from(*v) - m);
            *distance = apart.map(|d| d * d).sum::<f64>();
        }
    }
    let largest = distances.iter().copied().fold(0.0, f64::max).sqrt();
    let norm = mean.iter().map(|m| m * m).sum::<f64>().sqrt();
    // `f64::max` drops a NaN, which must stay visible.
    Some(if !norm.is_finite() {
        f64::NAN
    } else if largest == 0.0 {
        0.0
    } else {
        largest / norm
    })
}

/// Variance of each unit over the samples, of `[n, units]`; of an image every position is a sample of its
/// channel. NaN where there is a single sample, which tells nothing.
pub fn unit_variances(values: &Tensor) -> Vec<f64> {
    let size = values.size();
    let (units, positions) = (size[1] as usize, size[2..].iter().product::<i64>() as usize);
    let samples = (size[0] as usize * positions) as f64;
    if samples < 2.0 {
        return vec![f64::NAN; units];
    }
    let values = memory::values(values);
    let (mut mean, mut variance) = (vec![0.0; units], vec![0.0; units]);
    if positions == 1 {
        for row in values.chunks_exact(units) {
            mean.iter_mut().zip(row).for_each(|(m, v)| *m += f64::from(*v));
        }
        mean.iter_mut().for_each(|m| *m /= samples);
        for row in values.chunks_exact(units) {
            add_squares(&mut variance, row.iter().zip(&mean).map(|(v, m)| f64::from(*v) - m));
        }
    } else {
        let channels = || values.chunks_exact(positions.max(1)).enumerate().map(|(k, c)| (k % units, c));
        channels().for_each(|(unit, channel)| mean[unit] += sum(channel));
        mean.iter_mut().for_each(|m| *m /= samples);
        for (unit, channel) in channels() {
            variance[unit] += channel.iter().map(|v| (f64::from(*v) - mean[unit]).powi(2)).sum::<f64>();
        }
    }
    variance.iter_mut().for_each(|v| *v /= samples);
    variance
}

/// Standard deviation, root mean square over units.
pub fn over_units(variances: &[f64]) -> f64 {
    (variances.iter().sum::<f64>() / variances.len() as f64).sqrt()
}

fn add_squares(sums: &mut [f64], values: impl Iterator<Item = f64>) {
    sums.iter_mut().zip(values).for_each(|(sum, v)| *sum += v * v);
}

fn sum(values: &[f32]) -> f64 {
    let (turns, rest) = values.as_chunks::<LANES>();
    let mut lanes = [0.0; LANES];
    for turn in turns {
        lanes.iter_mut().zip(turn).for_each(|(lane, v)| *lane += f64::from(*v));
    }
    lanes.iter().sum::<f64>() + rest.iter().map(|v| f64::from(*v)).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;

    #[test]
    fn rows_are_compared_whichever_way_they_lie() {
        tch::manual_seed(3);
        let matrix = Tensor::randn([19, 13], (Kind::Float, Device::Cpu)) + 0.5;
        let wide = matrix.to_kind(Kind::Double);
        let mean = wide.mean_dim([0i64].as_slice(), true, Kind::Double);
        let apart = (&wide - &mean).square().sum_dim_intlist([1i64].as_slice(), false, Kind::Double);
        let expected = apart.max().sqrt().double_value(&[]) / mean.norm().double_value(&[]);
        let transposed = matrix.tr().contiguous().tr();
        for matrix in [matrix, transposed] {
            assert!((row_deviation(&matrix).unwrap() / expected - 1.0).abs() < 1e-12);
        }
        assert_eq!(row_deviation(&Tensor::ones([3, 4], (Kind::Float, Device::Cpu))), Some(0.0));
        assert_eq!(row_deviation(&Tensor::ones([4], (Kind::Float, Device::Cpu))), None);
    }

    #[test]
    fn variances_are_those_of_each_unit_or_channel() {
        tch::manual_seed(4);
        for size in [[40, 6, 1, 1].as_slice(), &[40, 6], &[9, 5, 3, 4]] {
            let values = Tensor::randn(size, (Kind::Float, Device::Cpu)) * 3.0 - 100.0;
            let rows = values.flatten(1, -1).reshape([size[0], size[1], -1]).transpose(1, 2);
            let rows = rows.reshape([-1, size[1]]).to_kind(Kind::Double);
            let expected = rows.var_dim(Some([0i64].as_slice()), false, false);
            for (unit, variance) in unit_variances(&values).into_iter().enumerate() {
                assert!((variance / expected.double_value(&[unit as i64]) - 1.0).abs() < 1e-9);
            }
        }
        assert!((over_units(&[1.0, 7.0]) - 2.0).abs() < 1e-15);
        let alone = unit_variances(&Tensor::ones([1, 3], (Kind::Float, Device::Cpu)));
        assert!(alone.len() == 3 && alone.iter().all(|v| v.is_nan()));
    }
}
