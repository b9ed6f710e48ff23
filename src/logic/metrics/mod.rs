//! What a trial reports: named values, the automatic keys around them, and their statistics.

mod named;
mod objective;
pub mod pareto;
mod report;
mod stats;
mod value;

pub(crate) use named::json_kind;
pub use named::{Metrics, MetricsError, Name};
pub use objective::{Mode, Objective};
pub use report::{AUTOMATIC_KEYS, Counters, Report};
pub use stats::{MetricStats, Scope, TrialStats};
pub use value::Value;
