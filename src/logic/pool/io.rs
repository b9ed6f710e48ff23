//! All that a pool is told and says.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::elsewhere::Stays;
use super::request::ResourceRequest;
use super::resources::Resources;
use super::settings::Demand;
use super::shares::Cap;
use super::slot::Slot;
use super::units;
use crate::logic::failure::Fault;
use crate::logic::ids::{JoinId, LeaseId, TrialId, WorkerId};
use crate::logic::time::Moment;
use crate::logic::trial::{PoolFact, PoolOrder};

/// Something that reaches a pool.
///
/// The orders of one trial must arrive once and in their order. Facts about workers may be late, repeated or wrong.
#[derive(Clone, Debug, PartialEq)]
pub enum PoolInput {
    /// From a trial.
    Order(PoolOrder),
    /// This worker couldn't be spawned.
    SpawnFailed(WorkerId, Fault),
    /// This worker, which its trial left at work, has come to rest.
    Released(WorkerId),
    /// This worker has ended: asked, killed or by itself.
    Gone(WorkerId),
    /// This worker was to be killed, and can't be.
    Abandoned(WorkerId),
    /// Whether more requests may come.
    Demand(Demand),
    /// From now on nobody is granted a worker, but for a fresh one in the place of one that couldn't be reset.
    Hold,
    /// Whoever waits may be granted a worker again.
    Proceed,
    /// This GPU is granted to nobody any more; whoever has it keeps it. One that isn't there, or was withdrawn before, changes
    /// nothing.
    WithdrawGpu(u32),
    /// From now on there is this much in all. A part of a GPU is left out.
    Resize(Resources),
    /// The most that may be in use from now on, as long as others share the host; none: all there is. What is in use beyond it
    /// stays in use, and is granted to nobody else.
    Cap(Option<Arc<Cap>>),
    /// A worker from elsewhere would like to join. Answer: [`PoolOutput::Admit`] or [`PoolOutput::Reject`].
    Joined {
        /// Which.
        join: JoinId,
        /// The requests that it can meet: those that equal this one.
        shape: Arc<ResourceRequest>,
        /// Its resources.
        slot: Arc<Slot>,
        /// How long it stays.
        stays: Stays,
        /// The trial that it still has from before the engine was started anew.
        keeps: Option<TrialId>,
    },
    /// Workers from elsewhere had these trials when the engine was lost. Nobody else is granted a worker before they are back, or
    /// this moment has come.
    Expect {
        /// Which.
        trials: BTreeSet<TrialId>,
        /// Until when.
        until: Moment,
    },
    /// Nobody elsewhere can give workers of this shape.
    Never {
        /// Which.
        shape: Arc<ResourceRequest>,
        /// Why.
        words: String,
    },
    /// A deadline has passed.
    Tick,
    /// The end: whoever waits is forgotten without a word, and every worker is stopped as soon as its trial leaves it.
    Close,
    /// From now on nobody is waited for beyond this moment: grace periods end then at the latest.
    Limit(Moment),
}

/// Something that a pool says.
#[derive(Clone, Debug, PartialEq)]
pub enum PoolOutput {
    /// To the backend: start a worker. What its trial says to it queues behind that.
    Spawn {
        /// Its name.
        worker: WorkerId,
        /// Its resources.
        slot: Arc<Slot>,
    },
    /// To whoever let it join: this worker is one of the pool's from now on. Its orders follow.
    Admit {
        /// Its name.
        worker: WorkerId,
        /// Which it was.
        join: JoinId,
        /// Its resources.
        slot: Arc<Slot>,
    },
    /// To whoever let it join: nobody needs this worker.
    Reject(JoinId),
    /// To whoever can ask for workers elsewhere: so many of this shape are wanted in all, those that have joined and have a trial
    /// included. It replaces what was said of this shape before.
    Want {
        /// Which.
        shape: Arc<ResourceRequest>,
        /// How many.
        workers: usize,
    },
    /// To a trial.
    Tell(TrialId, PoolFact),
    /// To a worker: come to rest, your trial has left.
    Release {
        /// Which worker.
        worker: WorkerId,
        /// The lease that is over.
        lease: LeaseId,
    },
    /// To a worker: clean up and end.
    Shutdown(WorkerId),
    /// To the backend: end this worker. Answer: `Gone` or `Abandoned`.
    Kill(WorkerId),
    /// To whoever closed the pool, once: nobody is left.
    Closed,
}

/// What a waiting request waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum WaitsFor {
    /// There isn't enough free.
    Resources,
    /// There is enough, but other runs of this process, or of this user, have it.
    OtherRuns,
    /// Earlier requests come first: equal ones, or one that was overtaken too often.
    EarlierRequests,
    /// The worker that it could not use has to end.
    OldWorker,
    /// There can't be enough here: a worker from elsewhere has to join.
    Elsewhere,
    /// Nobody is granted a worker at the moment.
    Proceed,
    /// Workers that had trials when the engine was lost may come back with them, and are waited for.
    Returning,
}

/// Why a trial has no worker yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub struct WhyWaiting {
    /// What it needs.
    #[serde(with = "units")]
    #[cfg_attr(feature = "cli", schemars(with = "units::RequestForm"))]
    pub needs: Arc<ResourceRequest>,
    /// What is free.
    #[serde(with = "units")]
    #[cfg_attr(feature = "cli", schemars(with = "std::collections::BTreeMap<String, units::Written<f64>>"))]
    pub has: Resources,
    /// What it waits for.
    pub waits_for: WaitsFor,
    /// What is heard of workers that were asked for elsewhere, in the words of whoever was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub says: Option<Arc<str>>,
}

impl fmt::Display for WhyWaiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { needs, has, waits_for, says } = self;
        match waits_for {
            WaitsFor::Elsewhere => {
                write!(f, "it needs {needs}, and waits for a worker from elsewhere: ")?;
                f.write_str(says.as_deref().unwrap_or("nobody has said yet when one will come"))
            }
            WaitsFor::Resources => {
                write!(f, "it needs {needs}, and {has} is free")?;
                says.as_ref().map_or(Ok(()), |says| write!(f, "; elsewhere: {says}"))
            }
            WaitsFor::OtherRuns => {
                write!(
                    f,
                    "it needs {needs}, which other runs of this process or user have at the moment: they share the host"
                )
            }
            WaitsFor::EarlierRequests => write!(f, "it needs {needs}, and others that came earlier are served first"),
            WaitsFor::OldWorker => write!(f, "it needs {needs}, and a worker that it can't use has to end first"),
            WaitsFor::Returning => write!(
                f,
                "it needs {needs}, and workers that had trials when the engine was lost are waited for: they may come back with them"
            ),
            WaitsFor::Proceed => f.write_str("no trial is launched until a client lets the run go on"),
        }
    }
}

/// How many of what there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub struct PoolCounts {
    /// Requests without a worker.
    pub waiting: usize,
    /// Workers that a trial has.
    pub leased: usize,
    /// Workers that have to come to rest.
    pub settling: usize,
    /// Workers that can be handed on.
    pub idle: usize,
    /// Workers that were asked to end, or killed.
    pub stopping: usize,
    /// Workers that couldn't be killed, and hold their resources.
    pub abandoned: usize,
}

/// What became of workers since the session's start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub struct WorkerTotals {
    /// Started.
    pub spawned: u64,
    /// Joined from elsewhere.
    #[serde(default)]
    pub joined: u64,
    /// Handed on from one trial to another.
    pub reused: u64,
    /// Found unable to become another trial, and replaced.
    pub resets_failed: u64,
    /// Asked to stop because their resources were needed; part of `asked_to_stop`.
    pub evicted: u64,
    /// Asked to stop.
    pub asked_to_stop: u64,
    /// Killed, since they didn't stop within their grace period.
    pub killed: u64,
}
