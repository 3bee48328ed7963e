//! Step curves: the points of a record as numbers that rules use, and medians over them.

use crate::record::{Envelope, Record};

/// One step, or the envelope of several.
pub struct Point {
    pub epoch: u64,
    pub step: u64,
    pub steps: u64,
    pub loss: Envelope,
    /// ‖g‖ of all parameters.
    pub grad: Envelope,
    /// The update over the weight, median over the matrices: smallest and largest in the envelope.
    pub update: Option<(f64, f64)>,
}

impl Point {
    /// Steps of this point, at least, whose update reaches the limit.
    pub fn updates_from(&self, limit: f64) -> u64 {
        match self.update {
            Some((min, _)) if min >= limit => self.steps,
            Some((_, max)) if max >= limit => 1,
            _ => 0,
        }
    }

    /// Number of its last step.
    pub fn last_step(&self) -> u64 {
        self.step + self.steps - 1
    }
}

/// The points of a record.
pub fn points(record: &Record, matrices: &[usize]) -> Vec<Point> {
    let (mut low, mut high) = (Vec::new(), Vec::new());
    record
        .steps
        .iter()
        .map(|s| {
            low.clear();
            high.clear();
            for &i in matrices {
                let (Some(layer), Some(norms)) = (record.header.layers.get(i), s.layer(i)) else { continue };
                let floor = layer.min_weight_norm();
                let (w, u) = (&norms.weight_l2, &norms.update_l2);
                low.push(u.min / w.max.max(floor));
                high.push(u.max / w.min.max(floor));
            }
            let update = median(&mut low).zip(median(&mut high));
            Point { epoch: s.epoch, step: s.step, steps: s.steps, loss: s.loss, grad: s.grad_l2, update }
        })
        .collect()
}

/// The median of what is not NaN; the mean of the middle two. `None` of nothing.
pub fn median(values: &mut Vec<f64>) -> Option<f64> {
    values.retain(|v| !v.is_nan());
    values.sort_unstable_by(f64::total_cmp);
    middle(values)
}

fn middle(sorted: &[f64]) -> Option<f64> {
    let n = sorted.len();
    let upper = *sorted.get(n / 2)?;
    if n % 2 == 1 {
        return Some(upper);
    }
    let lower = sorted[n / 2 - 1];
    Some(if upper.is_finite() { f64::midpoint(lower, upper) } else { upper })
}

/// The median of the last so many values: kept in order, so that a value costs no sorting.
pub struct RunningMedian {
    length: usize,
    recent: std::collections::VecDeque<f64>,
    sorted: Vec<f64>,
}

impl RunningMedian {
    /// Of the last `length` values.
    pub fn new(length: usize) -> Self {
        Self { length, recent: Default::default(), sorted: Vec::new() }
    }

    /// Takes the next value; one that is not finite leaves no trace.
    pub fn push(&mut self, value: f64) {
        if !value.is_finite() {
            return;
        }
        let place = |sorted: &[f64], v: f64| sorted.partition_point(|x| x.total_cmp(&v).is_lt());
        let full = self.recent.len() >= self.length;
        if let Some(old) = full.then(|| self.recent.pop_front()).flatten() {
            self.sorted.remove(place(&self.sorted, old));
        }
        self.recent.push_back(value);
        self.sorted.insert(place(&self.sorted, value), value);
    }

    /// The median, where at least `least` values are there.
    pub fn get(&self, least: usize) -> Option<f64> {
        if self.sorted.len() < least.max(1) { None } else { middle(&self.sorted) }
    }
}

/// For every point, the median of its loss and the following ones', `length` in all; `None` where
/// fewer follow or where one of them is not finite and the median is neither.
pub fn rolling_loss(points: &[Point], length: usize) -> Vec<Option<f64>> {
    let mut window = Vec::with_capacity(length);
    (0..points.len())
        .map(|i| {
            window.clear();
            window.extend(points.get(i..i + length)?.iter().map(|p| p.loss.last));
            median(&mut window)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_ignores_nan_and_keeps_infinity() {
        assert_eq!(median(&mut vec![3.0, f64::NAN, 1.0]), Some(2.0));
        assert_eq!(median(&mut vec![1.0, f64::INFINITY]), Some(f64::INFINITY));
        assert_eq!(median(&mut vec![f64::NAN]), None);
    }

    #[test]
    fn a_running_median_is_the_median_of_the_last() {
        let values = [5.0, 1.0, 4.0, f64::NAN, 1.0, 9.0, -2.0, 4.0, 0.5];
        let mut running = RunningMedian::new(3);
        let mut seen = Vec::new();
        for v in values {
            running.push(v);
            if v.is_finite() {
                seen.push(v);
            }
            let mut last: Vec<f64> = seen.iter().rev().take(3).copied().collect();
            assert_eq!(running.get(1), median(&mut last));
        }
        assert_eq!(running.get(4), None);
    }
}
