//! All that is needed to build and run an experiment: `use tryout::prelude::*;`.

#[doc(inline)]
pub use crate::edge::backend::{AsyncSession, Session, async_function, async_stepwise, function, stepwise};
#[cfg(all(feature = "process", unix))]
#[doc(inline)]
pub use crate::edge::backend::{Environment, Limits, MetricsFrom, Output, command, process};
#[doc(inline)]
pub use crate::edge::host_budget::HostBudget;
#[doc(inline)]
pub use crate::edge::log::Damage;
#[cfg(feature = "console")]
#[doc(inline)]
pub use crate::edge::observe::Console;
#[doc(inline)]
pub use crate::edge::observe::{EventLog, EventStream, JsonLines, Seen};
#[doc(inline)]
pub use crate::error::{ControlError, RunError, SettingsError};
#[doc(inline)]
pub use crate::experiment::{Control, Existing, Experiment, ExperimentHandle, GivenCheckpoint};
#[doc(inline)]
pub use crate::logic::api::{PoolStatus, RunStatus, TrialStatus};
#[doc(inline)]
pub use crate::logic::checkpoint::Retention;
#[doc(inline)]
pub use crate::logic::config::{Config, ConfigError};
#[doc(inline)]
pub use crate::logic::engine::{
    AtEnd, Batching, FailFast, History, OnResume, OnSameError, Resume, SameError, TrialRecord, Waiting,
};
#[doc(inline)]
pub use crate::logic::event::{Ending, EventKind, Hold, Outcome, PausedBy, RunFailure};
#[doc(inline)]
pub use crate::logic::failure::{Backoff, Budget, FailureKind, RetryPolicy};
#[doc(inline)]
pub use crate::logic::ids::TrialId;
#[doc(inline)]
pub use crate::logic::limit::OnLimit;
#[doc(inline)]
pub use crate::logic::metrics::{Metrics, Mode, Objective, Report, ReportLimits, Scope, Value};
#[doc(inline)]
pub use crate::logic::names::TrialNames;
#[doc(inline)]
pub use crate::logic::objects::{ObjectName, object};
pub use crate::logic::pool::{AbandonPolicy, ResourceError, ResourceRequest, Resources, Reuse};
#[doc(inline)]
pub use crate::logic::schedule::{
    Asha, AshaForm, AtMaxT, Exploration, Fifo, Filling, HyperBand, MedianStopping, MoAsha, Patient, Pbt, Percentile,
    ResourceChanging, Rounds, Threshold, WhenBehind, Wilcoxon,
};
#[cfg(feature = "cma-es")]
#[doc(inline)]
pub use crate::logic::search::CmaEs;
#[cfg(feature = "gp")]
#[doc(inline)]
pub use crate::logic::search::GaussianProcess;
#[cfg(feature = "sobol")]
#[doc(inline)]
pub use crate::logic::search::QuasiRandom;
#[doc(inline)]
pub use crate::logic::search::{
    Auto, Capped, ConcurrencyLimiter, Distinct, Nsga2, Points, Repeater, Samples, Tpe, Variants, WarmStart, Within,
};
#[doc(inline)]
pub use crate::logic::settings::{Durability, Files};
#[doc(inline)]
pub use crate::logic::space::{
    Domain, Outside, Space, SpaceError, choice, depends, grid, int, list, log_int, log_uniform, normal, uniform,
};
#[doc(inline)]
pub use crate::logic::stop::{self, StopRule};
#[doc(inline)]
pub use crate::logic::trial::{Export, Status};
#[doc(inline)]
pub use crate::ports::error::{Stopped, TrialError};
#[doc(inline)]
pub use crate::ports::store::{CheckpointReader, CheckpointWriter};
#[doc(inline)]
pub use crate::ports::trainable::{AsyncTrainable, Step, Trainable, TrialInfo};
#[doc(inline)]
pub use crate::results::{Results, ResultsError, TrialResults};
