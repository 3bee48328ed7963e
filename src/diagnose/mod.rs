//! Record → findings: the rules (one file a rule), root cause, remedies, and the texts of
//! `gradscope explain`.
//!
//! [`diagnose`] computes the quantities (`quantities`, `series`) once, hands them to every rule of the
//! registry (`rules`), tells cause from consequence (`causes`), and puts the result into words (`verdict`,
//! `remedy`). It is pure: the same record and settings give the same diagnosis.
//!
//! A new rule is one file in `rules`, which holds all that there is to it, and one line in the registry. Only
//! a fault that others cause, or that causes others, needs a kind of its own (`fault`) and a row in the table
//! of `causes`.

mod causes;
mod evaluate;
mod explain;
mod fail_on;
mod fault;
mod finding;
mod param;
mod quantities;
mod remedy;
mod rule;
mod rules;
mod series;
mod settings;
#[cfg(test)]
mod test_support;
#[cfg(test)]
mod tests;
mod text;
mod verdict;

pub use evaluate::diagnose;
pub use explain::explain;
pub use fail_on::FailOn;
pub use finding::{Diagnosis, Finding, NotMeasured, Severity, Verdict};
pub use param::{Param, Source};
pub use remedy::{Change, Remedy};
pub use rule::{Rule, Scope};
pub use rules::rules;
pub use settings::{Near, Settings, SettingsError};
