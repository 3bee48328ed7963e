//! The parameter table of a model: what each layer puts out and how many parameters it has.

use serde::Serialize;

use super::plan::{Plan, Step};
use crate::record::settings::Named;

/// Bytes of a float32.
const BYTES: u64 = 4;

/// Every layer with its output and parameters, and the totals.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ParameterTable {
    /// Shape of one input.
    pub input: Vec<u64>,
    /// In forward order.
    pub layers: Vec<Row>,
    /// All parameters.
    pub parameters: u64,
    /// Those that the optimizer is to change.
    pub trainable: u64,
    /// Estimated memory.
    pub memory: Memory,
}

/// One layer of the table.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// Unique name.
    pub name: String,
    /// The kind of its computation.
    pub kind: &'static str,
    /// The nonlinearity that its output goes through, if any.
    pub activation: Option<&'static str>,
    /// Shape of what comes out, for one row.
    pub output: Vec<u64>,
    /// Its parameters.
    pub parameters: u64,
    /// Whether the optimizer is to change them; `None` where there are none.
    pub trainable: Option<bool>,
}

/// Bytes that training takes, in float32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Memory {
    /// Rows of the batch that this is for.
    pub rows: u64,
    /// The parameters.
    pub parameters_bytes: u64,
    /// An estimate: every intermediate result once forward, and its gradient.
    pub forward_backward_bytes: u64,
    /// The inputs of the batch.
    pub input_bytes: u64,
    /// The three together.
    pub total_bytes: u64,
}

impl ParameterTable {
    /// Of a plan, with the memory of a batch of this many rows.
    pub fn new(plan: &Plan, rows: u64) -> Self {
        let mut layers: Vec<Row> = Vec::new();
        for Step { op, shape } in &plan.ops {
            let free = |name: &str, kind: &'static str| Row {
                name: name.into(),
                kind,
                activation: None,
                output: shape.dimensions(),
                parameters: 0,
                trainable: None,
            };
            layers.extend(op.layers().iter().map(|l| &plan.layers[*l].layer).map(|layer| Row {
                parameters: layer.parameters,
                trainable: Some(layer.trainable),
                ..free(&layer.name, layer.kind.name())
            }));
            layers.extend(op.row().map(|(name, kind)| free(&name, kind)));
            let Some((name, kind)) = op.activation() else { continue };
            let kind = (kind.name() != "identity").then_some(kind.name());
            match layers.iter_mut().find(|row| row.name == name) {
                Some(row) => row.activation = kind,
                None => layers.push(Row { activation: kind, ..free(name, "activation") }),
            }
        }
        let all = plan.layers.iter().map(|l| &l.layer);
        let trainable = all.filter(|l| l.trainable).map(|l| l.parameters).sum();
        // Whatever only gives the inputs their shape.
        let input = match plan.ops.first() {
            Some(Step { op, shape }) if op.is_view() && op.row().is_none() => *shape,
            _ => plan.input,
        };
        Self {
            input: input.dimensions(),
            layers,
            parameters: plan.parameters(),
            trainable,
            memory: Memory::new(plan, rows),
        }
    }
}

impl Memory {
    fn new(plan: &Plan, rows: u64) -> Self {
        let kept = plan.ops.iter().map(|step| step.op.kept(step.shape));
        let results = kept.fold(0, u64::saturating_add);
        let bytes = |values: u64| values.saturating_mul(BYTES);
        let parameters_bytes = bytes(plan.parameters());
        let forward_backward_bytes = bytes(results.saturating_mul(2).saturating_mul(rows));
        let input_bytes = bytes(plan.input.values().saturating_mul(rows));
        let total_bytes = parameters_bytes.saturating_add(forward_backward_bytes).saturating_add(input_bytes);
        Self { rows, parameters_bytes, forward_backward_bytes, input_bytes, total_bytes }
    }
}
