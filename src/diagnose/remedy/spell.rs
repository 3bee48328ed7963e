//! Changes as flags of `gradscope run`, written and read back: the one place that knows their spelling.

use std::fmt::Display;

use super::change::Change;
use crate::record::settings::Named;

const STANDARDIZE: &str = "--standardize";

/// The flags of these changes, to be pasted after the command.
pub(super) fn spell(changes: &[Change]) -> String {
    changes.iter().map(spell_one).collect::<Vec<_>>().join(" ")
}

fn spell_one(change: &Change) -> String {
    let (flag, value): (&str, &dyn Display) = match change {
        Change::Standardize => return STANDARDIZE.into(),
        Change::Other(words) => return words.clone(),
        Change::Activation(act) => ("--act", &act.name()),
        Change::LeakySlope(slope) => ("--lrelu-slope", slope),
        Change::Norm(norm) => ("--norm", &norm.name()),
        Change::Dropout(share) => ("--dropout", share),
        Change::Cell(cell) => ("--cell", &cell.name()),
        Change::Init(scheme) => ("--init", scheme),
        Change::Bias(value) => ("--bias", value),
        Change::Optimizer(kind) => ("--optimizer", &kind.name()),
        Change::LearningRate(rate) => ("--lr", rate),
        Change::LearningRateDecay(schedule) => ("--lr-decay", schedule),
        Change::WeightDecay(decay) => ("--weight-decay", decay),
        Change::ClipNorm(norm) => ("--clip-norm", norm),
        Change::ClipValue(value) => ("--clip-value", value),
        Change::BatchSize(samples) => ("--batch-size", samples),
    };
    format!("{flag} {value}")
}

/// The changes that a summary spells so. Words that would not be spelled the same again are kept as they are.
pub(super) fn read(text: &str) -> Vec<Change> {
    read_flags(text)
        .filter(|changes| spell(changes) == text)
        .unwrap_or_else(|| vec![Change::Other(text.into())])
}

fn read_flags(text: &str) -> Option<Vec<Change>> {
    let mut changes = Vec::new();
    let mut words = text.split_whitespace();
    while let Some(flag) = words.next() {
        changes.push(match flag {
            STANDARDIZE => Change::Standardize,
            _ => read_one(flag, words.next()?)?,
        });
    }
    Some(changes)
}

fn read_one(flag: &str, value: &str) -> Option<Change> {
    Some(match flag {
        "--act" => Change::Activation(Named::from_name(value)?),
        "--lrelu-slope" => Change::LeakySlope(value.parse().ok()?),
        "--norm" => Change::Norm(Named::from_name(value)?),
        "--dropout" => Change::Dropout(value.parse().ok()?),
        "--cell" => Change::Cell(Named::from_name(value)?),
        "--init" => Change::Init(value.into()),
        "--bias" => Change::Bias(value.parse().ok()?),
        "--optimizer" => Change::Optimizer(Named::from_name(value)?),
        "--lr" => Change::LearningRate(value.parse().ok()?),
        "--lr-decay" => Change::LearningRateDecay(value.into()),
        "--weight-decay" => Change::WeightDecay(value.parse().ok()?),
        "--clip-norm" => Change::ClipNorm(value.parse().ok()?),
        "--clip-value" => Change::ClipValue(value.parse().ok()?),
        "--batch-size" => Change::BatchSize(value.parse().ok()?),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_change_is_read_as_it_was_spelled() {
        let text = "--standardize --act lrelu --lrelu-slope 0.2 --norm batch-pre --dropout 0.2 --cell gru --init \
                    kaiming-normal --bias 0 --optimizer adam --lr 0.00012 --lr-decay cosine --weight-decay 0.01 \
                    --clip-norm 1 --clip-value 1000 --batch-size 32";
        let changes = read(text);
        assert_eq!(changes.len(), 15);
        assert!(!changes.iter().any(|change| matches!(change, Change::Other(_))));
        assert_eq!(spell(&changes), text);
    }

    #[test]
    fn words_of_another_version_are_kept() {
        for text in
            ["remove the softmax", "--lr 1e-3", "--norm group", "--bias none", "--act", "--act  tanh", ""]
        {
            let changes = read(text);
            assert_eq!(spell(&changes), text);
            assert!(text.is_empty() || changes == [Change::Other(text.into())], "{changes:?}");
        }
    }
}
