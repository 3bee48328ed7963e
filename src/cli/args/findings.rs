//! The flags about findings.

use clap::Args;

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Findings")]
pub struct FindingArgs {
    /// End with status 1 on these findings: rules, families, warning, error, any
    #[arg(long, value_name = "WHAT,…")]
    pub fail_on: Option<String>,
    /// Rules not to evaluate
    #[arg(long, value_name = "RULE,…", value_delimiter = ',')]
    pub off: Vec<String>,
    /// Change a threshold: RULE.PARAM=VALUE (`gradscope explain RULE` names them)
    #[arg(long, value_name = "RULE.PARAM=VALUE")]
    pub set: Vec<String>,
}

impl FindingArgs {
    /// Takes over what was left out.
    pub fn fall_back_to(&mut self, earlier: &FindingArgs) {
        self.fail_on = self.fail_on.take().or_else(|| earlier.fail_on.clone());
        for (own, earlier) in [(&mut self.off, &earlier.off), (&mut self.set, &earlier.set)] {
            if own.is_empty() {
                own.clone_from(earlier);
            }
        }
    }
}
