//! `gradscope summary` and `gradscope models`: what models are made of, before any training.

use std::fmt::Write;
use std::ops::Range;

use gradscope::record::Loss;
use gradscope::text::{count, number};
use gradscope::train::{Model, ParameterTable, Plan, Sizes, TrainError, choose_device, zoo};
use serde::Serialize;

use super::args::{DataArgs, SummaryArgs};
use super::{exit, output, resolve};

/// Bytes of a megabyte and of a kilobyte.
const MEGABYTE: f64 = 1e6;
const KILOBYTE: f64 = 1e3;
/// Megabytes below which a size is written in kilobytes.
const LEAST_MEGABYTES: f64 = 0.1;

/// What `summary --json` prints.
#[derive(Serialize)]
struct Printed<'a> {
    model: &'a str,
    about: &'a str,
    outputs: u64,
    #[serde(flatten)]
    table: &'a ParameterTable,
}

/// `gradscope summary`
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
    let dimensions = |shape: &[u64]| shape.iter().map(u64::to_string).collect::<Vec<_>>().join(" × ");
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
    let size = |bytes: u64| match bytes as f64 {
        b if b < LEAST_MEGABYTES * MEGABYTE => format!("{} kB", number(b / KILOBYTE)),
        b => format!("{} MB", number(b / MEGABYTE)),
    };
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

/// Columns beside each other; those in `right` hold numbers, which end at the right. All rows are as long
/// as the first.
pub fn aligned<R: AsRef<[String]>>(rows: &[R], right: Range<usize>) -> String {
    let length = rows.first().map_or(0, |row| row.as_ref().len());
    let wide = |row: &R, i: usize| row.as_ref().get(i).map_or(0, |cell| cell.chars().count());
    let widths: Vec<usize> =
        (0..length).map(|i| rows.iter().map(|row| wide(row, i)).max().unwrap_or(0)).collect();
    let line = |row: &R| {
        let cells = row.as_ref().iter().zip(&widths).enumerate().map(|(i, (cell, width))| {
            if right.contains(&i) { format!("{cell:>width$}") } else { format!("{cell:width$}") }
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}

/// A model of the zoo, for `--json`.
#[derive(Serialize)]
struct Listed {
    name: String,
    about: String,
    parameters: u64,
    data: Option<String>,
    loss: Option<Loss>,
    optimizer: String,
    lr: f64,
    batch_size: String,
    epochs: u64,
    init: String,
    bias: String,
}

/// `gradscope models`
pub fn models(json: bool) -> anyhow::Result<u8> {
    let mut listed = Vec::new();
    for model in zoo()? {
        // Each of them states its sizes.
        let plan = model.stated_sizes().map(|sizes| Plan::new(&model, sizes)).transpose()?;
        let parameters = plan.map_or(0, |plan| plan.parameters());
        let d = model.defaults;
        let (data, loss, optimizer, batch_size) = (d.data, d.loss, d.optimizer, d.batch_size);
        let (lr, epochs, init, bias) = (d.lr, d.epochs, d.init, d.bias);
        let (name, about) = (model.name, model.about);
        listed.push(Listed {
            name,
            about,
            parameters,
            data,
            loss,
            optimizer,
            lr,
            batch_size,
            epochs,
            init,
            bias,
        });
    }
    if json {
        output::print(&(serde_json::to_string_pretty(&listed)? + "\n"))?;
        return Ok(exit::DONE);
    }
    let mut text = String::new();
    for m in &listed {
        writeln!(text, "{:10}{}", m.name, m.about)?;
        let data = m.data.as_deref().unwrap_or("DATA");
        let loss = m.loss.map_or(String::new(), |loss| format!(" --loss {}", loss.name()));
        writeln!(
            text,
            "{:10}{} parameters; --data {data}{loss} --optimizer {} --lr {} --batch-size {} --epochs {} --init {} --bias {}",
            "",
            count(m.parameters),
            m.optimizer,
            m.lr,
            m.batch_size,
            m.epochs,
            m.init,
            m.bias
        )?;
    }
    output::print(&text)?;
    Ok(exit::DONE)
}
