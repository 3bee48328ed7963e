//! The flags about findings, resolved.

use crate::cli::args::FindingArgs;
use crate::cli::output::exit;
use crate::diagnose::{Diagnosis, FailOn, Finding, Settings, SettingsError, rules};

/// How to diagnose, and on what to fail.
pub struct Findings {
    /// Rules and thresholds.
    pub settings: Settings,
    fail_on: FailOn,
}

impl Findings {
    /// Resolves the flags.
    ///
    /// # Errors
    /// Where a rule, parameter or value is none.
    pub fn new(args: &FindingArgs) -> Result<Self, SettingsError> {
        let mut settings = Settings::default();
        for rule in &args.off {
            settings.off(rule.trim())?;
        }
        for assignment in &args.set {
            settings.set(assignment)?;
        }
        let fail_on = args.fail_on.as_deref().map_or(Ok(FailOn::default()), FailOn::parse)?;
        for &name in fail_on.names() {
            let mut meant = rules().filter(|r| r.name == name || r.family == name);
            if meant.all(|rule| !settings.is_on(rule.name)) {
                return Err(SettingsError::FailsOnWhatIsOff { name });
            }
        }
        Ok(Self { settings, fail_on })
    }

    /// The exit status that a diagnosis means.
    pub fn status(&self, diagnosis: &Diagnosis) -> u8 {
        self.status_of(&diagnosis.findings)
    }

    /// The exit status that these findings mean.
    pub fn status_of(&self, findings: &[Finding]) -> u8 {
        if self.fails(findings) { exit::FINDING } else { exit::DONE }
    }

    /// Whether one of them is to fail on.
    pub fn fails(&self, findings: &[Finding]) -> bool {
        findings.iter().any(|f| self.fail_on.matches(f))
    }
}
