//! A judgement as readers see it.

use crate::diagnose::{Severity, Verdict};

/// A judgement as a glyph, a word and a colour, so that none of the three is needed alone.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    pub glyph: &'static str,
    pub word: String,
    /// Class of the style sheet.
    pub class: &'static str,
}

impl Mark {
    /// The mark of a finding as severe as this.
    pub fn new(severity: Severity, word: impl Into<String>) -> Self {
        let (glyph, class) = match severity {
            Severity::Error => ("✕", "error"),
            Severity::Warning => ("▲", "warning"),
            Severity::Info => ("●", "info"),
        };
        Self { glyph, word: word.into(), class }
    }

    /// The mark of what is well.
    pub fn good(word: impl Into<String>) -> Self {
        Self { glyph: "✓", word: word.into(), class: "good" }
    }

    /// The mark of a run.
    pub fn verdict(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Healthy => Self::good("Healthy"),
            Verdict::Warning => Self::new(Severity::Warning, "Warning"),
            Verdict::Unhealthy => Self::new(Severity::Error, "Unhealthy"),
        }
    }
}
