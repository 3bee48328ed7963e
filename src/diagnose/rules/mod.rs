//! The catalogue: one file a rule, and one line here.

mod shared;

use super::rule::Rule;

/// Declares the modules of rules, and lists the rules in the same order.
macro_rules! catalogue {
    ($($rule:ident,)*) => {
        $(mod $rule;)*

        /// Every rule with the name of its file, in the order of the catalogue.
        pub(super) static RULES: &[(&str, &Rule)] = &[$((stringify!($rule), &$rule::RULE)),*];

        /// Every rule there is, in the order of the catalogue.
        pub fn rules() -> impl Iterator<Item = &'static Rule> {
            RULES.iter().map(|(_, rule)| *rule)
        }
    };
}

catalogue! {
    non_finite,
    vanishing_depth,
    vanishing_all,
    vanishing_time,
    exploding_depth,
    exploding_time,
    dead_layer,
    dead_units,
    dormant_units,
    saturated,
    output_saturated,
    symmetric,
    init_scale,
    input_scale,
    target_scale,
    output_activation,
    constant_output,
    update_high,
    stalled,
    layer_frozen,
    slow,
    clip_dominated,
    decay_dominated,
    plateau,
    overfit,
    ranks_differ,
    expected_zero,
}
