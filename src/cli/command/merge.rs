//! `gradscope merge`: the records of several ranks, as one.

use anyhow::{Context, bail, ensure};

use crate::cli::args::MergeArgs;
use crate::cli::output;
use crate::cli::output::exit;
use crate::record::{Compression, Line, Record, Writer};

/// Writes one record of those of all ranks.
pub fn run(args: &MergeArgs) -> anyhow::Result<u8> {
    let out = &args.out;
    ensure!(
        Compression::from_path(out) != Compression::Gzip,
        "{}: records are not written as gzip; use .zst",
        out.display()
    );
    let there = out.canonicalize().ok();
    if let Some(source) =
        args.records.iter().find(|path| there.is_some() && path.canonicalize().ok() == there)
    {
        bail!("{} is one of the records to be merged; give another name with --out", source.display());
    }
    ensure!(args.force || !out.exists(), "{} exists; --force writes over it", out.display());
    let mut records = Vec::with_capacity(args.records.len());
    for path in &args.records {
        let (record, warnings) = Record::read(path)?;
        for warning in warnings {
            output::note(&format!("{}: {warning}", path.display()));
        }
        records.push(record);
    }
    let names: Vec<String> = args.records.iter().map(|p| p.display().to_string()).collect();
    let (mut merged, lost) = Record::merge(records).with_context(|| names.join(", "))?;
    if lost > 0 {
        output::note(&format!(
            "the last {lost} steps of the longest record are missing in another, and left out"
        ));
    }
    let mut writer = Writer::create(out, &merged.header)?;
    for step in merged.steps.drain(..) {
        writer.write(&Line::Step(step))?;
    }
    for epoch in merged.epochs.drain(..) {
        writer.write(&Line::Epoch(epoch))?;
    }
    if let Some(end) = merged.end.take() {
        writer.write(&Line::End(end))?;
    }
    output::print(&format!("{}\n", out.display()))?;
    Ok(exit::DONE)
}
