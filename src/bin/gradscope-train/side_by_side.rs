//! Runs that were trained to be seen side by side: one report of all, and a table for the terminal.

use gradscope::cli::args::{OutputArgs, reproducible};
use gradscope::cli::output;
use gradscope::cli::output::Colors;
use gradscope::cli::output::table::aligned;
use gradscope::cli::output::verdict;
use gradscope::plot::{self, Compared};
use gradscope::report::OutputDir;
use gradscope::report::compare::{self, Comparison, Prescription, Variant};
use gradscope::text::number;

use crate::input::config_file;
use crate::session::Trained;

/// Where the variants' own reports lie, relative to that of all.
pub const VARIANTS: &str = "variants";

/// A run among others.
pub struct TrainedVariant {
    /// The label that people gave it.
    pub label: String,
    /// The same as a name of files.
    pub file_name: String,
    /// The result of its run.
    pub trained: Trained,
}

/// Writes the report of all of them; `missing`: the labels of those that have not been trained.
pub fn write(
    sides: &[TrainedVariant],
    missing: &[&str],
    prescription: Option<Prescription>,
    first_batches: Option<u64>,
    directory: &OutputDir,
) -> anyhow::Result<Comparison> {
    let places: Vec<String> = sides.iter().map(|side| format!("{VARIANTS}/{}", side.file_name)).collect();
    let flagged: Vec<_> = sides.iter().map(|side| side.trained.diagnosis.flagged_layers()).collect();
    let compared = sides.iter().zip(&flagged).map(|(side, flagged)| Compared {
        label: &side.label,
        file_name: &side.file_name,
        record: &side.trained.record,
        flagged,
    });
    let compared: Vec<Compared> = compared.collect();
    let variants = sides.iter().zip(&places).map(|(side, place)| Variant {
        label: &side.label,
        directory: place,
        record: &side.trained.record,
        diagnosis: &side.trained.diagnosis,
    });
    let variants: Vec<Variant> = variants.collect();
    let mut comparison = Comparison::new(&variants, &reproducible(config_file::words()));
    comparison.missing = missing.iter().map(|label| (*label).to_owned()).collect();
    if let Some(prescription) = prescription {
        comparison.prescribe(prescription);
    }
    let figures = plot::comparison(&compared, first_batches);
    compare::write(directory, &comparison, &variants, &figures)?;
    Ok(comparison)
}

/// Prints what came of it.
pub fn show(
    comparison: &Comparison,
    directory: &OutputDir,
    args: &OutputArgs,
    colors: Colors,
) -> anyhow::Result<()> {
    if args.json {
        output::print(&comparison.to_json()?)?;
        return Ok(());
    }
    let mut text = shown(comparison, colors);
    if !args.quiet {
        text += &format!("\nreport: {}\n", directory.path().join("report.html").display());
    }
    output::print(&text)?;
    Ok(())
}

/// The sentence, the table, and the command that is prescribed.
fn shown(comparison: &Comparison, colors: Colors) -> String {
    let (splits, score) = (comparison.splits(), &comparison.score);
    let mut rows = vec![vec!["variant".to_owned(), "verdict".into()]];
    rows[0].extend(splits.iter().map(|split| format!("{} {score}", split.name())));
    rows[0].extend(["train loss", "findings"].map(String::from));
    for v in &comparison.variants {
        let mut row = vec![v.label.clone(), verdict::word(v.verdict).into()];
        row.extend(splits.iter().map(|split| or_dash(v.score_on(*split))));
        row.extend([or_dash(v.train_loss), v.findings()]);
        rows.push(row);
    }
    let numbers = 2..3 + splits.len();
    let command = comparison.prescription.as_ref().and_then(|p| p.command.as_ref());
    let command = command.map_or(String::new(), |c| format!("\n  {}\n", gradscope::report::command::line(c)));
    format!("{}{command}\n{}", verdict::bold(&comparison.sentence, colors), aligned(&rows, numbers))
}

fn or_dash(value: Option<f64>) -> String {
    value.map_or_else(|| "-".into(), number)
}
