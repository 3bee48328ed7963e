//! A table with a header line: one column is the target, the others are inputs.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tch::Tensor;

use super::dataset::Table;
use super::kind::{DataKind, DataOptions, Source};
use crate::record::Task;
use crate::train::TrainError;

/// A numeric target with at most this many different whole numbers is taken for classes, where
/// `--task` does not say.
const MAX_GUESSED_CLASSES: usize = 20;
/// More classes than this are a mistake: a number or an identifier taken for a class.
const MAX_CLASSES: usize = 1_000;

pub(super) static KIND: DataKind = DataKind {
    name: "csv",
    form: "csv:FILE",
    about: "a table with a header line; --target names the column to predict, else the last",
    samples: None,
    noise: None,
    split: [0.7, 0.15, 0.15],
    flags: &["--target", "--task", "--no-shuffle-split"],
    parse: |argument| Ok(Arc::new(Csv(super::kind::path(argument)?))),
};

#[derive(Debug)]
struct Csv(PathBuf);

impl Source for Csv {
    fn load(&self, options: &DataOptions, _: i64) -> Result<Table, TrainError> {
        read(&self.0, options)
    }
}

/// Reads the whole file; every complaint names line and column.
fn read(path: &Path, options: &DataOptions) -> Result<Table, TrainError> {
    let file = std::fs::File::open(path)
        .and_then(
            |f| if f.metadata()?.is_dir() { Err(std::io::ErrorKind::IsADirectory.into()) } else { Ok(f) },
        )
        .map_err(|source| TrainError::ReadData { path: path.into(), source })?;
    let mut reader =
        csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(Lines { file, length: 0, held: false });
    let fault = |place: String, reason: String| TrainError::DataPlace { path: path.into(), place, reason };
    let names = reader.headers().map_err(|e| csv_fault(path, &e))?.clone();
    let target =
        header(&names, options.target.as_deref()).map_err(|reason| fault("line 1".into(), reason))?;
    let mut inputs = Vec::new();
    let mut labels = Vec::new();
    for row in reader.records() {
        let row = row.map_err(|e| csv_fault(path, &e))?;
        let line = row.position().map_or(0, csv::Position::line);
        for (column, field) in row.iter().enumerate() {
            if column == target {
                labels.push((line, field.to_owned()));
            } else {
                let value = number(field)
                    .map_err(|reason| fault(format!("line {line}, column {:?}", &names[column]), reason))?;
                inputs.push(value);
            }
        }
    }
    if labels.is_empty() {
        return Err(fault("line 2".into(), "no rows follow the names of the columns".into()));
    }
    let at_target =
        |line: u64, reason: String| fault(format!("line {line}, column {:?}", &names[target]), reason);
    if let Some((line, _)) = labels.iter().find(|(_, l)| l.is_empty()) {
        return Err(at_target(*line, "it is empty; every row needs a target".into()));
    }
    let (classes, y) = match options.task.unwrap_or_else(|| guess(&labels)) {
        Task::Regression => {
            let values: Vec<f32> = labels
                .iter()
                .map(|(line, label)| number(label).map_err(|reason| at_target(*line, reason)))
                .collect::<Result<_, _>>()?;
            (Vec::new(), Tensor::from_slice(&values).view([-1, 1]))
        }
        Task::Classification => {
            let (classes, indices) =
                classes(&labels, &names[target]).map_err(|(line, reason)| at_target(line, reason))?;
            (classes, Tensor::from_slice(&indices))
        }
    };
    let x = Tensor::from_slice(&inputs).view([labels.len() as i64, names.len() as i64 - 1]);
    let columns = names.iter().enumerate().filter(|(i, _)| *i != target).map(|(_, name)| name.to_owned());
    Ok(Table { x, y, columns: columns.collect(), classes, image: None, own_test: 0, shuffled: false })
}

/// Checks the names of the columns; which one is the target.
fn header(names: &csv::StringRecord, target: Option<&str>) -> Result<usize, String> {
    if names.is_empty() {
        return Err("the file is empty; line 1 should name the columns".into());
    }
    if names.iter().all(str::is_empty) {
        return Err("it names no column; line 1 should name them all".into());
    }
    if names.iter().all(|name| name.parse::<f64>().is_ok()) {
        return Err("it holds numbers; line 1 should name the columns".into());
    }
    if let Some((i, name)) =
        names.iter().enumerate().find(|(i, name)| names.iter().take(*i).any(|n| n == *name))
    {
        return Err(format!("column {} is called {name:?} like one before it", i + 1));
    }
    if names.len() < 2 {
        let separated = names.iter().any(|name| name.contains([';', '\t']));
        let hint = if separated { " (columns should be separated by commas)" } else { "" };
        return Err(format!("it has one column; a table needs inputs beside the target{hint}"));
    }
    let Some(target) = target else { return Ok(names.len() - 1) };
    names.iter().position(|name| name == target).ok_or_else(|| {
        format!("no column is called {target:?}; there are {}", names.iter().collect::<Vec<_>>().join(", "))
    })
}

/// Longest line of a table, in bytes.
const LONGEST_LINE: usize = 16 << 20;

/// A file that fails where a line is too long: the parser would take memory for it without limit. Line
/// breaks of two characters become one: the parser counts lines by them, and would be one behind.
struct Lines<R> {
    file: R,
    /// Bytes since the last line break.
    length: usize,
    /// A carriage return whose next character has not been read.
    held: bool,
}

impl<R: Read> Lines<R> {
    /// Reads into the buffer, of two bytes or more, what lacks a line break's first character.
    fn read_plain(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        loop {
            let held = std::mem::take(&mut self.held);
            let at = usize::from(held);
            let read = self.file.read(&mut buffer[at..])?;
            if held {
                buffer[0] = b'\r';
            }
            let mut end = at + read;
            if read > 0 && buffer[end - 1] == b'\r' {
                (self.held, end) = (true, end - 1);
            }
            let mut kept = 0;
            for i in 0..end {
                if buffer[i] != b'\r' || buffer.get(i + 1).filter(|_| i + 1 < end) != Some(&b'\n') {
                    buffer[kept] = buffer[i];
                    kept += 1;
                }
            }
            if kept > 0 || read == 0 {
                return Ok(kept);
            }
        }
    }
}

impl<R: Read> Read for Lines<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if buffer.len() < 2 {
            return Err(std::io::Error::other("a buffer of two bytes is needed"));
        }
        let read = self.read_plain(buffer)?;
        let last = buffer[..read].iter().rposition(|b| matches!(b, b'\n' | b'\r'));
        self.length = last.map_or(self.length + read, |at| read - at - 1);
        if self.length > LONGEST_LINE {
            return Err(std::io::Error::other(format!("a line is longer than {} MiB", LONGEST_LINE >> 20)));
        }
        Ok(read)
    }
}

fn number(field: &str) -> Result<f32, String> {
    match field.parse::<f32>() {
        Ok(v) if v.is_finite() => Ok(v),
        Ok(_) => Err(format!("{field:?} is not finite; it should be a finite number")),
        Err(_) if field.is_empty() => Err("it is empty; it should be a finite number".into()),
        Err(_) => Err(format!("{field:?} is no number; it should be one")),
    }
}

/// Words, or few different whole numbers, are classes.
fn guess(labels: &[(u64, String)]) -> Task {
    let numbers: Option<Vec<f64>> = labels.iter().map(|(_, l)| l.parse().ok()).collect();
    let Some(mut numbers) = numbers else { return Task::Classification };
    if numbers.iter().any(|v| v.fract() != 0.0) {
        return Task::Regression;
    }
    numbers.sort_by(f64::total_cmp);
    numbers.dedup();
    if numbers.len() <= MAX_GUESSED_CLASSES { Task::Classification } else { Task::Regression }
}

/// The classes' names in their order (as numbers where all are, else as words), and each row's index
/// among them; or the line of a complaint.
fn classes(labels: &[(u64, String)], column: &str) -> Result<(Vec<String>, Vec<i64>), (u64, String)> {
    for (line, label) in labels {
        if label.parse::<f64>().is_ok_and(|v| !v.is_finite()) {
            return Err((*line, format!("{label:?} is no class; every row needs a target")));
        }
    }
    // 1 and 1.0 are one class, where all are numbers.
    let numbers: Option<Vec<f64>> = labels.iter().map(|(_, label)| label.parse().ok()).collect();
    let spelled: Vec<String> = match numbers {
        Some(numbers) => numbers.iter().map(|n| (n + 0.0).to_string()).collect(),
        None => labels.iter().map(|(_, label)| label.clone()).collect(),
    };
    let mut names = spelled.clone();
    let as_number = |label: &String| label.parse::<f64>().unwrap_or(f64::INFINITY);
    names.sort_by(|a, b| as_number(a).total_cmp(&as_number(b)).then_with(|| a.cmp(b)));
    names.dedup();
    match names.len() {
        1 => Err((
            labels[0].0,
            format!(
                "every row has the same class ({:?}); {column:?} should tell at least two apart",
                names[0]
            ),
        )),
        n if n > MAX_CLASSES => Err((
            labels[0].0,
            format!("{n} different classes; use --task regression if {column:?} is a quantity"),
        )),
        _ => {
            let index: std::collections::HashMap<&String, i64> = names.iter().zip(0..).collect();
            let indices = labels.iter().map(|(_, label)| index[label]).collect();
            Ok((names, indices))
        }
    }
}

fn csv_fault(path: &Path, error: &csv::Error) -> TrainError {
    let place = |position: &Option<csv::Position>| {
        position.as_ref().map_or("somewhere".into(), |p| format!("line {}", p.line()))
    };
    let (place, reason) = match error.kind() {
        csv::ErrorKind::Io(source) => {
            let source = std::io::Error::new(source.kind(), source.to_string());
            return TrainError::ReadData { path: path.into(), source };
        }
        csv::ErrorKind::UnequalLengths { pos, expected_len, len } => {
            (place(pos), format!("{len} fields, where line 1 names {expected_len} columns"))
        }
        csv::ErrorKind::Utf8 { pos, .. } => (place(pos), "it is not UTF-8 text".into()),
        other => ("somewhere".into(), format!("{other:?}")),
    };
    TrainError::DataPlace { path: path.into(), place, reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives so many bytes at a time.
    struct Drops<'a>(&'a [u8], usize);

    impl Read for Drops<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let length = self.0.len().min(self.1).min(buffer.len());
            buffer[..length].copy_from_slice(&self.0[..length]);
            self.0 = &self.0[length..];
            Ok(length)
        }
    }

    #[test]
    fn line_breaks_of_two_characters_become_one_wherever_they_are_cut() {
        for size in 1..8 {
            let file = Drops(b"a,b\r\n1,2\r\n\r\n3\r4\n\r", size);
            let mut lines = Lines { file, length: 0, held: false };
            let (mut text, mut buffer) = (Vec::new(), [0; 64]);
            loop {
                match lines.read(&mut buffer).unwrap() {
                    0 => break,
                    n => text.extend_from_slice(&buffer[..n]),
                }
            }
            assert_eq!(text, b"a,b\n1,2\n\n3\r4\n\r", "{size}");
        }
    }
}
