//! The one warning of a rule when a report doesn't have the metric that it looks at.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::logic::metrics::{Metrics, Report};

/// Whether a person knows that the metric is missing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Missing {
    #[default]
    Never,
    ToTell(String),
    Told,
}

impl Missing {
    /// The value of the metric `name` in `report`. `rule` names the asking rule in the warning.
    pub(super) fn number(&mut self, name: &str, report: &Report, rule: &str) -> Option<f64> {
        let number = report.number(name);
        if number.is_none() && *self == Missing::Never {
            *self = Missing::ToTell(complaint(name, report, rule));
        }
        number
    }

    /// The warning, once.
    pub(super) fn warning(&mut self) -> Option<String> {
        // Looked at first: this is called for each report.
        if !matches!(self, Missing::ToTell(_)) {
            return None;
        }
        match std::mem::replace(self, Missing::Told) {
            Missing::ToTell(text) => Some(text),
            Missing::Never | Missing::Told => None,
        }
    }
}

fn complaint(name: &str, report: &Report, rule: &str) -> String {
    let trial = report.trial;
    if report.value(name).is_some() {
        return format!("stop rule `{rule}`: `{name}` isn't a number in a report of trial {trial}");
    }
    let known = numbers(&report.metrics);
    let known = if known.is_empty() { "nothing".to_owned() } else { known };
    format!("stop rule `{rule}`: a report of trial {trial} has no `{name}`; its numbers are {known}")
}

/// The names of all numbers, sorted.
fn numbers(metrics: &Metrics) -> String {
    let names: BTreeSet<String> =
        metrics.iter().filter(|(_, value)| value.as_f64().is_some()).map(|(name, _)| format!("`{name}`")).collect();
    names.into_iter().collect::<Vec<_>>().join(", ")
}
