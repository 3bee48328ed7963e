//! Ranks of a distributed run that no longer train the same model.

use std::collections::BTreeMap;

use crate::diagnose::fault::{Kind, RuleMatch};
use crate::diagnose::finding::Severity;
use crate::diagnose::param::Param;
use crate::diagnose::rule::{Evaluation, OnPrograms, Rule, RuleContext, Scope, Unmeasured};
use crate::diagnose::text;
use crate::record::RankDifference;
use crate::text::number;

const LIMIT: Param = Param::limit(
    "limit",
    1e-5,
    "of a norm; replicas that are kept in step agree to the last bit, and float32 resolves 1e-7 where \
     gradients are added up in another order on each",
)
.guessed();

/// The order in which differences arise: weights that differ make gradients differ.
const ORDER: [&str; 3] = ["weight", "gradient", "update"];

pub static RULE: Rule = Rule {
    name: "ranks-differ",
    family: "ranks",
    summary: "Ranks of a distributed run hold different weights, or make different updates",
    scope: Scope::Layer,
    params: &[LIMIT],
    measures: "What every rank should hold a copy of (weights, gradients after their reduction, updates), \
               compared by gradscope merge: the largest difference of a norm, mean or extreme between a rank \
               and rank 0, over the norm on rank 0.",
    fires: "Error where any is above {limit}. Records of one process have nothing to compare.",
    false_alarms: "Parameters that are meant to differ from rank to rank (sharded or expert weights), and \
                   gradients that are captured before they are reduced (no_sync).",
    trials: "Begin with the same weights on all ranks (DistributedDataParallel does), change weights on all \
             or on none, and keep every parameter in the reduction. It is in the script, not in a flag.",
    needs: &[],
    evaluate,
    on_weights: None,
    on_programs: OnPrograms::Same,
    remedies: None,
};

fn evaluate(cx: &RuleContext) -> Evaluation {
    let header = &cx.q.record.header;
    let Some(ranks) = &header.ranks else { return Ok(Vec::new()) };
    if ranks.rank.is_some() {
        return Err(Unmeasured(
            "this is the record of one rank: gradscope merge compares it with the others",
        ));
    }
    let limit = cx.get(&LIMIT);
    let off: Vec<&RankDifference> = ranks.differences.iter().filter(|d| d.value > limit).collect();
    // The difference that is there first explains the others.
    let Some(first) = off.iter().min_by_key(|d| (d.step, place(d), layer_of(cx, d))) else {
        return Ok(Vec::new());
    };
    let mut layers: Vec<usize> = off.iter().filter_map(|d| layer_of(cx, d)).collect();
    layers.sort_unstable();
    layers.dedup();
    let worst = off.iter().filter(|d| d.quantity == first.quantity).map(|d| d.value).fold(0.0, f64::max);
    let differing = ORDER.into_iter().filter(|q| off.iter().any(|d| d.quantity == *q));
    let what: Vec<String> = differing.map(|q| format!("{q}s")).collect();
    let message = format!(
        "rank {} does not hold what rank 0 does: {} of {} differ since step {} (epoch {}), the {} by {} of \
         its norm (limit {}). Each rank then trains a model of its own, and what is averaged between \
         them suits none.",
        first.rank,
        what.join(" and "),
        cx.names(&layers),
        first.step,
        first.epoch,
        first.quantity,
        number(worst),
        number(limit),
    );
    Ok(vec![RuleMatch {
        kind: Kind::RanksDiffer,
        severity: Severity::Error,
        layers,
        first_epoch: first.epoch,
        last_epoch: cx.q.captures.last().map_or(first.epoch, |c| c.epoch.max(first.epoch)),
        first_step: Some(first.step),
        value: worst,
        threshold: limit,
        quantity: "difference between a rank and rank 0, over the norm on rank 0",
        message,
        evidence: BTreeMap::from([
            ("rank".to_owned(), first.rank.into()),
            ("ranks".to_owned(), ranks.of.into()),
            ("differing".to_owned(), text::count(off.len() as u64, "quantity").into()),
        ]),
    }])
}

fn place(difference: &RankDifference) -> usize {
    ORDER.iter().position(|q| *q == difference.quantity).unwrap_or(ORDER.len())
}

fn layer_of(cx: &RuleContext, difference: &RankDifference) -> Option<usize> {
    cx.q.record.header.layers.iter().position(|l| l.name == difference.layer)
}

#[cfg(test)]
mod tests {
    use crate::diagnose::test_support::Fake;
    use crate::record::{RankDifference, Ranks};

    fn with(values: &[(&str, &str, u64, f64)]) -> Fake {
        let mut fake = Fake::healthy(6);
        let differences = values.iter().map(|(layer, quantity, step, value)| RankDifference {
            layer: (*layer).into(),
            quantity: (*quantity).into(),
            rank: 1,
            epoch: step / 10,
            step: *step,
            value: *value,
        });
        let ranks = Ranks { of: 2, rank: None, differences: differences.collect() };
        fake.record.header.ranks = Some(ranks);
        fake
    }

    #[test]
    fn the_first_difference_is_named_and_rounding_is_none() {
        let fake =
            with(&[("fc1", "gradient", 30, 0.5), ("fc2", "weight", 30, 2e-5), ("fc3", "update", 40, 1.0)]);
        let f = fake.finding("ranks-differ").unwrap();
        assert_eq!((f.first_step, f.first_epoch, f.root, f.value), (Some(30), 3, true, 2e-5));
        assert_eq!(f.layers, ["fc1", "fc2", "fc3"]);
        assert!(
            f.message.starts_with("Rank 1 does not hold what rank 0 does: weights and gradients and updates")
        );
        assert_eq!(with(&[("fc1", "weight", 0, 0.9e-5)]).finding("ranks-differ"), None);
    }

    #[test]
    fn the_record_of_one_rank_cannot_tell() {
        let mut fake = with(&[]);
        if let Some(ranks) = &mut fake.record.header.ranks {
            ranks.rank = Some(0);
        }
        assert!(fake.diagnose().not_measured.iter().any(|n| n.rule == "ranks-differ"));
        assert!(!Fake::healthy(6).diagnose().not_measured.iter().any(|n| n.rule == "ranks-differ"));
    }
}
