//! The page of a comparison: which variant learned best, the table, curves, norms, violins side by side.

use askama::Template;

use super::figures::{self, Group};
use super::mark::Mark;
use super::text::{clean, optional, score};
use crate::plot::{Figure, Section};
use crate::report::compare::{Comparison, Variant, VariantSummary};
use crate::report::{ReportError, command};
use crate::text::{count, counted};

#[derive(Template)]
#[template(path = "compare.html")]
struct Page<'a> {
    comparison: &'a Comparison,
    sentence: String,
    /// The runs that were asked for and are not there.
    notice: Option<String>,
    /// The command line that cures, where the variants are remedies.
    prescribed: Option<String>,
    /// The settings that the variants have in common.
    context: Vec<String>,
    /// Headings of the table beside the variant's name and verdict.
    columns: Vec<String>,
    rows: Vec<Row>,
    groups: Vec<Group<'a>>,
}

/// A variant in the table.
struct Row {
    label: String,
    best: bool,
    link: String,
    verdict: Mark,
    headline: String,
    cells: Vec<String>,
    findings: String,
    command: String,
}

/// The whole page.
pub fn page(
    comparison: &Comparison,
    variants: &[Variant],
    figures: &[Figure],
) -> Result<String, ReportError> {
    let mut groups = figures::groups(figures);
    // What came of it stands before what explains it.
    groups.sort_by_key(|g| g.title != Section::Curves.title());
    let columns = columns(comparison);
    let rows = comparison.variants.iter().zip(variants).map(|(summary, v)| row(comparison, summary, v));
    let page = Page {
        sentence: clean(&comparison.sentence),
        notice: comparison.notice().map(|text| clean(&text)),
        prescribed: comparison
            .prescription
            .as_ref()
            .and_then(|p| Some(clean(&command::line(p.command.as_ref()?)))),
        context: context(variants),
        rows: rows.collect(),
        columns,
        groups,
        comparison,
    };
    page.render().map_err(ReportError::Template)
}

fn columns(comparison: &Comparison) -> Vec<String> {
    let mut columns: Vec<String> =
        comparison.splits().iter().map(|split| format!("{} {}", split.name(), comparison.score)).collect();
    columns.extend(["last training loss".into(), "epochs".into()]);
    columns
}

fn row(comparison: &Comparison, summary: &VariantSummary, variant: &Variant) -> Row {
    let task = variant.record.header.data.task;
    let scores = comparison.splits().into_iter().map(|split| summary.score_on(split));
    let mut cells: Vec<String> = scores.map(|s| s.map_or_else(|| "–".into(), |s| score(task, s))).collect();
    cells.push(optional(summary.train_loss));
    cells.push(count(summary.epochs_done));
    Row {
        label: clean(&summary.label),
        best: comparison.best.as_ref() == Some(&summary.label),
        link: format!("{}/{}", summary.directory, super::FILE_NAME),
        verdict: Mark::verdict(summary.verdict),
        headline: clean(&summary.headline),
        cells,
        findings: clean(&summary.findings()),
        command: clean(&command::line(&summary.command)),
    }
}

fn context(variants: &[Variant]) -> Vec<String> {
    let mut context = vec!["gradscope compare".to_owned(), counted(variants.len() as u64, "variant")];
    if let Some(first) = variants.first() {
        let header = &first.record.header;
        let mut models: Vec<&str> = variants.iter().map(|v| v.record.header.run.model.as_str()).collect();
        models.dedup();
        context.push(models.join(", "));
        context.push(header.data.name.clone());
        context.push(format!("seed {}", header.run.training.seed));
    }
    context.iter().map(|text| clean(text)).collect()
}
