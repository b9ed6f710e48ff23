//! What a trial reports: named values, the automatic keys around them, and their statistics.

pub mod importance;
mod limits;
mod named;
mod objective;
pub mod pareto;
mod places;
mod report;
mod stats;
mod value;

pub use limits::ReportLimits;
pub(crate) use named::json_kind;
pub use named::{Metrics, MetricsError, Name};
pub use objective::{Mode, Objective};
pub use report::{AUTOMATIC_KEYS, Counters, Report};
pub use stats::{MetricStats, Scope, TrialStats};
pub use value::Value;
