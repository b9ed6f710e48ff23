//! All that is needed to write a part of one's own: `use tryout::extend::*;`.

pub use crate::logic::checkpoint::{Checkpoint, CheckpointId};
pub use crate::logic::config::{Config, ConfigError};
pub use crate::logic::decision::{Decision, Directive, Verdict};
pub use crate::logic::event::{AddedBy, Closing, Ending, EventKind, ExperimentEvent, Hold, Outcome, PausedBy, Revival};
pub use crate::logic::failure::{Failure, FailureKind, Fault};
pub use crate::logic::ids::{LeaseId, RunId, TrialId, WorkerId};
pub use crate::logic::metrics::{Counters, Metrics, Mode, Objective, Report, Value};
pub use crate::logic::pool::{ResourceRequest, Resources, Slot};
pub use crate::logic::schedule::{Buffering, Cohort, ScheduleError, Scheduler};
pub use crate::logic::search::{Effort, SearchError, Searcher, Suggestion};
pub use crate::logic::space::{Axis, AxisKind, Frame, Space};
pub use crate::logic::spec::{PartSpec, SpecError};
pub use crate::logic::state::{Float, PartState, StateError};
pub use crate::logic::stop::{Progress, StopError, StopReason, StopRule};
pub use crate::logic::time::Moment;
pub use crate::logic::trial::{
    Batch, BatchEnd, BatchLimits, FirstBatch, Keep, Over, Rests, Status, WorkerFact, WorkerOrder,
};
pub use crate::ports::backend::{Backend, FactSink, Killed, ResourceRule, Said, WorkerHandle, WorkerStart};
pub use crate::ports::error::{ObserverError, Stopped, TrialError, Unsupported};
pub use crate::ports::observer::{Observer, Past};
pub use crate::ports::store::{CheckpointReader, CheckpointWriter, Draft, Store, StoreError, Stored, Sum, Swept};
pub use crate::ports::trainable::{AsyncTrainable, Step, Trainable, TrialInfo};
