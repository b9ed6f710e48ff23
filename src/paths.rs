//! The public paths: one module for each idea. The folders behind them are layers, which say who may use whom and not what is
//! where.

/// What to try: spaces of configurations.
pub mod space {
    pub use crate::logic::space::*;
}

/// Who says what to try next.
pub mod search {
    pub use crate::logic::search::*;
}

/// Who decides over trials that run.
pub mod schedule {
    pub use crate::logic::decision::{Decision, Directive, Verdict};
    pub use crate::logic::schedule::*;
}

/// When a trial, or all of it, is over.
pub mod stop {
    pub use crate::logic::stop::*;
}

/// Who watches a run.
pub mod observe {
    pub use crate::edge::observe::*;
    pub use crate::ports::observer::{Observer, ObserverFault, Past};
}

/// Systems that are asked for workers: Slurm, and others.
#[cfg(all(feature = "remote", unix))]
pub mod launch {
    pub use crate::edge::launch::*;
}

/// Pictures of a run.
#[cfg(feature = "plot")]
pub mod plot {
    pub use crate::edge::plot::*;
}

/// The page: what a browser and other programs see of runs, and how they steer them.
#[cfg(feature = "web")]
pub mod web {
    pub use crate::edge::web::*;
}

/// Workers that join from other machines.
#[cfg(all(feature = "remote", unix))]
pub mod remote {
    pub use crate::edge::remote::*;
}

/// Files for others: rows, tables, TensorBoard, Optuna.
pub mod files {
    pub use crate::edge::files::*;
    pub use crate::edge::provenance::{FileSum, GitState, PipFreeze, Provenance};
}

/// Where checkpoints are kept.
pub mod store {
    #[cfg(feature = "cloud")]
    pub use crate::edge::cloud::{CloudError, CloudRun, CloudStatus};
    pub use crate::edge::store::*;
    pub use crate::experiment::Collected;
    pub use crate::logic::checkpoint::{Checkpoint, CheckpointId, Retention};
    pub use crate::ports::store::*;
}

/// Where trials run: threads, arbiters, processes.
pub mod backend {
    pub use crate::edge::ask_tell::{AskTellBackend, ask_tell};
    pub use crate::edge::backend::*;
    pub use crate::ports::backend::*;
}

/// What trials and machines have: cpus, GPUs, and whatever else is counted.
pub mod resources {
    pub use crate::edge::host_budget::HostBudget;
    pub use crate::logic::pool::shares::Cap;
    pub use crate::logic::pool::{AbandonPolicy, ResourceError, ResourceRequest, Resources, Reuse, Slot};
}

/// What trials report, and how they are compared.
pub mod metrics {
    pub use crate::logic::metrics::*;
}

/// How trials fail, and when they are tried again.
pub mod failure {
    pub use crate::logic::failure::*;
}

/// What happens in a run.
pub mod event {
    pub use crate::logic::event::*;
    pub use crate::logic::ids::{LeaseId, RunId, TrialId, WorkerId};
    pub use crate::logic::time::Moment;
    pub use crate::logic::trial::Status;
}

/// What can be asked of a run from outside, and what is answered.
pub mod api {
    pub use crate::edge::control::*;
    pub use crate::logic::api::*;
    pub use crate::logic::engine::ClientOrder;
    pub use crate::ports::control::Controlled;
}

/// All settings of an experiment, as data.
pub mod settings {
    pub use crate::logic::limit::TimeLimit;
    pub use crate::logic::names::*;
    pub use crate::logic::settings::*;
}

/// What a searcher, scheduler or stop rule of one's own needs to be saved and described.
pub mod state {
    pub use crate::logic::spec::*;
    pub use crate::logic::state::*;
}
