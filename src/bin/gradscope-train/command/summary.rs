//! `gradscope summary`: the layers of a model and its parameters, before any training.

use std::fmt::Write;

use gradscope::cli::args::{DataArgs, SummaryArgs};
use gradscope::cli::output;
use gradscope::cli::output::exit;
use gradscope::cli::output::table::aligned;
use gradscope::text::{count, number};
use gradscope::train::{Model, ParameterTable, Plan, Sizes, TrainError, choose_device};
use serde::Serialize;

use crate::input::resolve;

/// Bytes of a megabyte and of a kilobyte.
const MEGABYTE: f64 = 1e6;
const KILOBYTE: f64 = 1e3;
/// Megabytes below which a size is written in kilobytes.
const MIN_MEGABYTES: f64 = 0.1;

/// The output of `summary --json`.
#[derive(Serialize)]
struct Printed<'a> {
    model: &'a str,
    about: &'a str,
    outputs: u64,
    #[serde(flatten)]
    table: &'a ParameterTable,
}

/// Prints the parameter table of a model.
pub fn summary(args: &SummaryArgs) -> anyhow::Result<u8> {
    let model = resolve::model(&args.model, &args.network)?;
    let (model, sizes) = sizes(model, &args.data)?;
    let plan = Plan::new(&model, sizes)?;
    let rows = args.batch_size.or_else(|| model.defaults.batch_size.parse().ok()).unwrap_or(1);
    let table = ParameterTable::new(&plan, rows);
    if args.json {
        let (name, about, outputs) = (&model.name, &model.about, sizes.outputs);
        let printed = Printed { model: name, about, outputs, table: &table };
        output::print(&(serde_json::to_string_pretty(&printed)? + "\n"))?;
    } else {
        output::print(&shown(&model, &table)?)?;
    }
    Ok(exit::DONE)
}

/// The model as this data needs it and the sizes of the data: what the description states, unless
/// there is data to ask.
fn sizes(model: Model, data: &DataArgs) -> Result<(Model, Sizes), TrainError> {
    if let (None, Some(stated)) = (&data.data, model.stated_sizes()) {
        return Ok((model, stated));
    }
    let options = resolve::data_options(data)?;
    let source = resolve::source(data, &model.clone().into())?;
    let dataset = source.dataset(&options, model.defaults.loss, 0, choose_device("cpu")?)?;
    let sizes = model.sizes_for(&dataset);
    Ok((model.for_loss(dataset.loss), sizes))
}

fn shown(model: &Model, table: &ParameterTable) -> Result<String, std::fmt::Error> {
    let mut cells =
        vec![["layer", "kind", "activation", "output", "parameters", "trainable"].map(String::from)];
    for row in &table.layers {
        cells.push([
            row.name.clone(),
            row.kind.into(),
            row.activation.unwrap_or("").into(),
            dimensions(&row.output),
            count(row.parameters),
            row.trainable.map_or("", |t| if t { "yes" } else { "no" }).into(),
        ]);
    }
    let total = ["total", "", "", "", &count(table.parameters), ""].map(String::from);
    cells.push(total);
    let mut text = match model.about.as_str() {
        "" => format!("{}\n", model.name),
        about => format!("{}: {about}\n", model.name),
    };
    writeln!(text, "input {}\n", dimensions(&table.input))?;
    text += &aligned(&cells, 4..5);
    let memory = &table.memory;
    let rows = if memory.rows == 1 { "1 row".into() } else { format!("{} rows", count(memory.rows)) };
    writeln!(
        text,
        "\n{} trainable, {} not\nparameters {}; for a batch of {rows}: inputs {}, forward and backward about {}; in all {}",
        count(table.trainable),
        count(table.parameters - table.trainable),
        size(memory.parameters_bytes),
        size(memory.input_bytes),
        size(memory.forward_backward_bytes),
        size(memory.total_bytes),
    )?;
    Ok(text)
}

/// Returns a shape as people write it: `1 × 28 × 28`.
fn dimensions(shape: &[u64]) -> String {
    shape.iter().map(u64::to_string).collect::<Vec<_>>().join(" × ")
}

/// Returns a size in kilobytes or megabytes.
fn size(bytes: u64) -> String {
    match bytes as f64 {
        b if b < MIN_MEGABYTES * MEGABYTE => format!("{} kB", number(b / KILOBYTE)),
        b => format!("{} MB", number(b / MEGABYTE)),
    }
}
