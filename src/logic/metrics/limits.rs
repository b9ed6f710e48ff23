//! How much the reports of a trial may hold.

use serde::{Deserialize, Serialize};

use super::named::Metrics;
use super::report::Report;
use super::stats::TrialStats;
use super::value::Value;

/// How much the reports of a trial may hold: `report_limits`. A report that holds more is its trial's error.
///
/// Every name is looked at with every report, and has statistics for the trial's whole life; a report is written to the
/// journal and to files. Long lists belong into files or checkpoints, or into a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct ReportLimits {
    /// How many names one report may have; at least 1. Default: 4,096.
    pub names: u32,
    /// How many names of numbers all reports of a trial may have together; at least 1. Default: 16,384.
    pub names_of_trial: u32,
    /// How many bytes the names and texts of one report may have together; at least 1. Default: 1 MiB.
    pub bytes: u64,
}

impl Default for ReportLimits {
    fn default() -> Self {
        Self { names: 4_096, names_of_trial: 16_384, bytes: 1 << 20 }
    }
}

impl ReportLimits {
    /// Whether a trial with these statistics may make this report.
    ///
    /// # Errors
    /// If it may not: what there is of it, the limit, and the setting.
    pub fn check(&self, report: &Report, stats: &TrialStats) -> Result<(), String> {
        let (metrics, iteration) = (&report.metrics, report.iteration());
        if metrics.len() > self.names as usize {
            return Err(format!(
                "the report of iteration {iteration} has {} names, but `report_limits.names` allows {} in a report",
                metrics.len(),
                self.names
            ));
        }
        let bytes = bytes(metrics);
        if bytes > self.bytes {
            return Err(format!(
                "the names and texts of the report of iteration {iteration} have {bytes} bytes, but `report_limits.bytes` \
                 allows {}",
                self.bytes
            ));
        }
        // Only who is near the limit is counted.
        if stats.len() + metrics.len() > self.names_of_trial as usize {
            let new = metrics.iter().filter(|(name, value)| value.as_f64().is_some() && stats.get(name).is_none());
            let names = stats.len() + new.count();
            if names > self.names_of_trial as usize {
                return Err(format!(
                    "with the report of iteration {iteration}, the trial has reported numbers of {names} names, but \
                     `report_limits.names_of_trial` allows {}",
                    self.names_of_trial
                ));
            }
        }
        Ok(())
    }
}

fn bytes(metrics: &Metrics) -> u64 {
    let of = |value: &Value| if let Value::Text(text) = value { text.len() } else { 0 };
    metrics.iter().map(|(name, value)| (name.len() + of(value)) as u64).sum()
}
