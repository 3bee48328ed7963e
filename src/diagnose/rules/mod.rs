//! The catalogue: one file a family.

mod brakes;
mod dead_relu;
mod dormant;
mod expected_zero;
mod exploding;
mod frozen;
mod init;
mod loss;
mod non_finite;
mod output;
mod output_activation;
mod ranks;
mod recurrent;
mod saturation;
mod scale;
mod slow;
mod stalled;
mod symmetry;
pub mod torchscript;
mod update;
mod vanishing;
pub mod weights;

use super::rule::Rule;

/// Every rule, in the order of the catalogue.
pub static RULES: &[&Rule] = &[
    &non_finite::NON_FINITE,
    &vanishing::DEPTH,
    &vanishing::ALL,
    &recurrent::VANISHING_TIME,
    &exploding::DEPTH,
    &exploding::TIME,
    &dead_relu::DEAD_LAYER,
    &dead_relu::DEAD_UNITS,
    &dormant::DORMANT_UNITS,
    &saturation::SATURATED,
    &saturation::OUTPUT_SATURATED,
    &symmetry::SYMMETRIC,
    &init::INIT_SCALE,
    &scale::INPUT_SCALE,
    &scale::TARGET_SCALE,
    &output_activation::OUTPUT_ACTIVATION,
    &output::CONSTANT,
    &update::UPDATE_HIGH,
    &stalled::STALLED,
    &frozen::LAYER_FROZEN,
    &slow::SLOW,
    &brakes::CLIP_DOMINATED,
    &brakes::DECAY_DOMINATED,
    &loss::PLATEAU,
    &loss::OVERFIT,
    &ranks::RANKS_DIFFER,
    &expected_zero::EXPECTED_ZERO,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_every_rule_is_described() {
        let mut names: Vec<_> = RULES.iter().map(|r| r.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), RULES.len());
        for rule in RULES {
            let texts = [rule.summary, rule.measures, rule.fires, rule.false_alarms, rule.remedies];
            assert!(texts.iter().all(|t| !t.is_empty()), "{}", rule.name);
            assert!(rule.params.iter().all(|p| !p.why.is_empty()), "{}", rule.name);
        }
    }
}
