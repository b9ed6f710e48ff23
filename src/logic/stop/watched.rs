//! A metric that a rule looks at, and the one warning when a report doesn't have it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::logic::metrics::{Metrics, Name, Report};

/// Whether a person knows that the metric is missing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Missing {
    Never,
    ToTell(String),
    Told,
}

/// A metric by name. The first report without a number under it leaves one warning.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Watched {
    name: Name,
    pub(super) missing: Missing,
}

impl Watched {
    pub(super) fn new(name: Name) -> Self {
        Self { name, missing: Missing::Never }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Its value in `report`. `rule` names the asking rule in the warning.
    pub(super) fn number(&mut self, report: &Report, rule: &str) -> Option<f64> {
        let number = report.number(&self.name);
        if number.is_none() && self.missing == Missing::Never {
            self.missing = Missing::ToTell(self.complaint(report, rule));
        }
        number
    }

    fn complaint(&self, report: &Report, rule: &str) -> String {
        let (name, trial) = (self.name(), report.trial);
        if report.value(name).is_some() {
            return format!("stop rule `{rule}`: `{name}` isn't a number in a report of trial {trial}");
        }
        let known = numbers(&report.metrics);
        let known = if known.is_empty() { "nothing".to_owned() } else { known };
        format!("stop rule `{rule}`: a report of trial {trial} has no `{name}`; its numbers are {known}")
    }

    /// The warning, once.
    pub(super) fn warning(&mut self) -> Option<String> {
        // Looked at first: this is called for each report.
        if !matches!(self.missing, Missing::ToTell(_)) {
            return None;
        }
        match std::mem::replace(&mut self.missing, Missing::Told) {
            Missing::ToTell(text) => Some(text),
            Missing::Never | Missing::Told => None,
        }
    }
}

/// The names of all numbers, sorted.
fn numbers(metrics: &Metrics) -> String {
    let names: BTreeSet<String> =
        metrics.iter().filter(|(_, value)| value.as_f64().is_some()).map(|(name, _)| format!("`{name}`")).collect();
    names.into_iter().collect::<Vec<_>>().join(", ")
}
