//! All that is needed to build and run an experiment: `use tryout::prelude::*;`.

pub use crate::actors::messages::{RunStatus, TrialStatus};
pub use crate::edge::backend::{AsyncSession, Session, async_function, async_stepwise, function, stepwise};
#[cfg(all(feature = "process", target_os = "linux"))]
pub use crate::edge::backend::{Environment, Limits, MetricsFrom, Output, command, process};
pub use crate::edge::files::Files;
pub use crate::edge::log::{Damage, Durability};
#[cfg(feature = "console")]
pub use crate::edge::observe::Console;
pub use crate::edge::observe::{EventLog, EventStream, JsonLines, Seen};
pub use crate::error::{ControlError, RunError, SettingsError};
pub use crate::experiment::{Control, Existing, Experiment, ExperimentHandle};
pub use crate::logic::checkpoint::Retention;
pub use crate::logic::config::{Config, ConfigError};
pub use crate::logic::engine::{
    AtEnd, Batching, FailFast, History, OnResume, OnSameError, Resume, SameError, TrialRecord, Waiting,
};
pub use crate::logic::event::{Ending, EventKind, Hold, Outcome, PausedBy, RunFailure};
pub use crate::logic::failure::{Backoff, Budget, FailureKind, RetryPolicy};
pub use crate::logic::ids::TrialId;
pub use crate::logic::limit::OnLimit;
pub use crate::logic::metrics::{Metrics, Mode, Objective, Report, Scope, Value};
pub use crate::logic::objects::{ObjectName, object};
pub use crate::logic::pool::{AbandonPolicy, ResourceError, ResourceRequest, Resources, Reuse};
pub use crate::logic::schedule::{
    Asha, AshaForm, AtMaxT, Exploration, Fifo, Filling, HyperBand, MedianStopping, MoAsha, Patient, Pbt, Percentile,
    ResourceChanging, Rounds, Threshold, WhenBehind, Wilcoxon,
};
pub use crate::logic::search::Samples;
pub use crate::logic::space::{
    Domain, Outside, Space, SpaceError, choice, depends, grid, int, list, log_int, log_uniform, normal, uniform,
};
pub use crate::logic::stop::{self, StopRule};
pub use crate::logic::trial::{Export, Status};
pub use crate::ports::error::{Stopped, TrialError};
pub use crate::ports::store::{CheckpointReader, CheckpointWriter};
pub use crate::ports::trainable::{AsyncTrainable, Step, Trainable, TrialInfo};
pub use crate::results::{Results, ResultsError};
