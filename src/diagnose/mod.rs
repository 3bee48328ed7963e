//! Record → findings: the rules (one file a family), root cause, remedies, and the texts of
//! `gradscope explain`.

mod finding;

pub use finding::{Diagnosis, Finding, NotMeasured, Remedy, Severity, Verdict};
