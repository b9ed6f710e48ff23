//! What a trial reports: named values, the automatic keys around them, and their statistics.

mod objective;
mod report;
mod stats;
mod value;

pub use objective::{Mode, Objective};
pub use report::{AUTOMATIC_KEYS, Counters, Report};
pub use stats::{MetricStats, Scope, TrialStats};
pub(crate) use value::json_kind;
pub use value::{Metrics, MetricsError, Name, Value};
