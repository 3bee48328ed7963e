//! One operation of a network, as a plan holds it.

use std::fmt::Debug;

use tch::Tensor;

use super::shape::Shape;
use crate::record::Activation;
use crate::train::network::Pass;

/// One thing that a forward pass does.
pub trait Op: Debug + Send + Sync {
    /// Computes its output.
    fn forward(&self, x: Tensor, pass: &mut Pass) -> Tensor;

    /// The layers with parameters that it uses, by their number in the plan.
    fn layers(&self) -> &[usize] {
        &[]
    }

    /// How often it uses a parameter for one row, where this comes out.
    fn times(&self, output: Shape) -> u64 {
        output.positions()
    }

    /// How messages name what gives its output, where it has no layer.
    fn named(&self) -> Option<String> {
        None
    }

    /// Its row in the parameter table, where it has no layer: name and kind.
    fn row(&self) -> Option<(String, &'static str)> {
        None
    }

    /// The nonlinearity that it is, and the row of the parameter table that has it.
    fn activation(&self) -> Option<(&str, Activation)> {
        None
    }

    /// Whether it passes on the memory that it gets.
    fn is_view(&self) -> bool {
        false
    }

    /// Values that backward needs of it.
    fn kept(&self, output: Shape) -> u64 {
        if self.is_view() { 0 } else { output.values() }
    }
}
