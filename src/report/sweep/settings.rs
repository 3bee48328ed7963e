//! The settings that tell runs apart: the flags whose values differ between their command lines.
//!
//! Nothing but the commands is asked, so that a sweep and a directory of runs that something else
//! started (GNU parallel, a queue) come out the same.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::grid::Axis;

/// A flag and its value, if it takes one.
type Setting<'a> = (&'a str, Option<String>);

/// Says what to make of findings, and changes nothing about a run.
const NEVER: [&str; 1] = ["fail-on"];
/// Rarely means anything: it counts only where nothing else tells two runs apart.
const SELDOM: [&str; 2] = ["fail-on", "threads"];

/// Flags and values of `gradscope run …`, in order; what is given several times is one setting.
fn settings(command: &[String]) -> Vec<Setting<'_>> {
    let mut all: Vec<Setting> = Vec::new();
    let mut words = command.iter().skip(2).peekable();
    while let Some(word) = words.next() {
        let Some(flag) = word.strip_prefix("--") else { continue };
        // A negative number begins with a single dash.
        let (flag, value) = match flag.split_once('=') {
            Some((flag, value)) => (flag, Some(value.to_owned())),
            None => (flag, words.next_if(|w| !w.starts_with("--")).cloned()),
        };
        match all.iter_mut().find(|(known, _)| *known == flag) {
            Some((_, Some(known))) => *known = format!("{known} {}", value.unwrap_or_default()),
            Some(_) => {}
            None => all.push((flag, value)),
        }
    }
    all
}

/// Whether two commands train the same: in whatever order the flags stand, on however many threads.
pub fn same_run(a: &[String], b: &[String]) -> bool {
    let [a, b] = [a, b].map(|command| -> BTreeSet<Setting> {
        settings(command).into_iter().filter(|(flag, _)| !SELDOM.contains(flag)).collect()
    });
    a == b
}

/// The flags that differ between commands, each with its values; and of every command, its values.
pub fn varied(commands: &[&[String]]) -> (Vec<Axis>, Vec<BTreeMap<String, String>>) {
    let (axes, values) = varied_but(commands, &SELDOM);
    let mut seen = HashSet::new();
    if values.iter().all(|v| seen.insert(v)) { (axes, values) } else { varied_but(commands, &NEVER) }
}

fn varied_but(commands: &[&[String]], ignored: &[&str]) -> (Vec<Axis>, Vec<BTreeMap<String, String>>) {
    let all: Vec<Vec<Setting>> = commands.iter().map(|c| settings(c)).collect();
    // The longest command has them all, in the order in which they were given.
    let mut longest_first: Vec<&Vec<Setting>> = all.iter().collect();
    longest_first.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    let mut flags: Vec<&str> = Vec::new();
    for (flag, _) in longest_first.into_iter().flatten() {
        if !flags.contains(flag) && !ignored.contains(flag) {
            flags.push(flag);
        }
    }
    let axis = |flag: &&str| {
        let takes_value = all.iter().flatten().any(|(f, v)| f == flag && v.is_some());
        let column: Vec<String> = all.iter().map(|one| shown(one, flag, takes_value)).collect();
        let mut values: Vec<String> = column.iter().cloned().collect::<BTreeSet<_>>().into_iter().collect();
        values.sort_by(|a, b| natural(a, b));
        (values.len() > 1).then(|| (Axis { flag: (*flag).into(), values }, column))
    };
    let columns: Vec<(Axis, Vec<String>)> = flags.iter().filter_map(axis).collect();
    let rows = (0..all.len())
        .map(|i| columns.iter().map(|(axis, column)| (axis.flag.clone(), column[i].clone())).collect())
        .collect();
    (columns.into_iter().map(|(axis, _)| axis).collect(), rows)
}

/// A flag's value, as a table names it.
fn shown(settings: &[Setting], flag: &str, takes_value: bool) -> String {
    let found = settings.iter().find(|(f, _)| *f == flag);
    match (found, takes_value) {
        (Some((_, Some(value))), _) => value.clone(),
        (Some(_), _) => "on".into(),
        (None, true) => "default".into(),
        (None, false) => "off".into(),
    }
}

/// The settings of a run in one line: `hidden=5,3 lr=1`.
pub fn label(axes: &[Axis], settings: &BTreeMap<String, String>) -> String {
    let pairs = axes.iter().filter_map(|a| Some(format!("{}={}", a.flag, settings.get(&a.flag)?)));
    pairs.collect::<Vec<_>>().join(" ")
}

/// The combinations of values that no run has.
pub fn absent(axes: &[Axis], rows: &[&BTreeMap<String, String>]) -> Vec<String> {
    /// Beyond, the runs are no grid, and a list of what is not there says nothing.
    const MOST: usize = 10_000;
    let size = axes.iter().map(|a| a.values.len()).try_fold(1usize, usize::checked_mul);
    if axes.is_empty() || size.is_none_or(|n| n > MOST) {
        return Vec::new();
    }
    let mut all = vec![BTreeMap::new()];
    for axis in axes {
        let with = |row: &BTreeMap<String, String>, value: &String| {
            let mut row = row.clone();
            row.insert(axis.flag.clone(), value.clone());
            row
        };
        all = all.iter().flat_map(|row| axis.values.iter().map(|v| with(row, v))).collect();
    }
    let rows: HashSet<_> = rows.iter().copied().collect();
    all.iter().filter(|row| !rows.contains(row)).map(|row| label(axes, row)).collect()
}

/// Numbers by their size, lists of numbers by length and then by their numbers, words by the alphabet.
pub fn natural(a: &str, b: &str) -> Ordering {
    match (numbers(a), numbers(b)) {
        (Some(x), Some(y)) => {
            let by_number = x.iter().zip(&y).map(|(p, q)| p.total_cmp(q)).find(|o| o.is_ne());
            x.len().cmp(&y.len()).then(by_number.unwrap_or(Ordering::Equal)).then_with(|| a.cmp(b))
        }
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => a.cmp(b),
    }
}

/// The numbers of a list; `None` where it is none of numbers.
fn numbers(text: &str) -> Option<Vec<f64>> {
    text.split(',').map(|n| n.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    fn labels(commands: &[&str]) -> Vec<String> {
        let commands: Vec<Vec<String>> = commands.iter().map(|c| words(c)).collect();
        let commands: Vec<&[String]> = commands.iter().map(Vec::as_slice).collect();
        let (axes, rows) = varied(&commands);
        rows.iter().map(|row| label(&axes, row)).collect()
    }

    #[test]
    fn what_differs_is_what_was_varied_in_the_order_given() {
        let found = labels(&[
            "gradscope run --model mlp --lr 1 --epochs 3 --bias -8",
            "gradscope run --model mlp --lr=0.1 --standardize --epochs 3 --bias -8 --fail-on error",
            "gradscope run --model mlp --standardize --epochs 3 --bias -8 --threads 2",
        ]);
        assert_eq!(found, ["lr=1 standardize=off", "lr=0.1 standardize=on", "lr=default standardize=on"]);
    }

    #[test]
    fn threads_count_only_where_nothing_else_tells_runs_apart() {
        let found = labels(&["gradscope run --lr 1 --threads 1", "gradscope run --lr 1 --threads 2"]);
        assert_eq!(found, ["threads=1", "threads=2"]);
        let (a, b) =
            (words("g run --lr 1 --off x --off y"), words("g run --off x --threads 4 --off y --lr=1"));
        assert!(same_run(&a, &b) && !same_run(&a, &words("g run --lr 1 --off x")));
    }

    #[test]
    fn values_are_in_the_order_that_people_expect() {
        let mut values = ["relu", "10", "5,5,5", "9", "5,3", "-1", "1e-3", "elu"];
        values.sort_by(|a, b| natural(a, b));
        assert_eq!(values, ["-1", "1e-3", "9", "10", "5,3", "5,5,5", "elu", "relu"]);
    }

    #[test]
    fn combinations_that_are_not_there_are_named() {
        let commands = ["g run --a 1 --b 1", "g run --a 1 --b 2", "g run --a 2 --b 2"].map(words);
        let commands: Vec<&[String]> = commands.iter().map(Vec::as_slice).collect();
        let (axes, rows) = varied(&commands);
        assert_eq!(absent(&axes, &rows.iter().collect::<Vec<_>>()), ["a=2 b=1"]);
        assert!(absent(&[], &[]).is_empty());
    }
}
