//! All messages between the actors, and from clients to the controller. Orders are imperatives, facts past participles.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use actix::{Message, Recipient};

use crate::logic::engine::{ClientOrder, Errand, OrderError, Totals, TrialRecord, Waiting};
use crate::logic::event::{EventKind, Hold};
use crate::logic::ids::{LeaseId, TrialId, WorkerId};
use crate::logic::pool::{Demand, PoolCounts, Resources, WhyWaiting};
use crate::logic::time::Moment;
use crate::logic::trial::{PoolFact, PoolOrder, TrialFact, TrialOrder, WorkerFact, WorkerOrder};
use crate::ports::backend::Said;
use crate::ports::journal::{Backlog, JournalNotice};

// ---- from clients to the controller --------------------------------------------------------------------------------

/// Carry this out. Answers the trial that it made, if it made one.
#[derive(Clone, Debug, Message)]
#[rtype(result = "Result<Option<TrialId>, OrderError>")]
pub struct Order(pub ClientOrder);

/// Save and pause all running trials within this time, then end the run.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Result<(), OrderError>")]
pub struct Drain(pub Duration);

/// How does the run stand?
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "RunStatus")]
pub struct Inspect;

/// Make everything so far durable; the answer comes when it is. At once if the run has no journal.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct Sync;

/// How does a trial stand?
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Option<TrialStatus>")]
pub struct InspectTrial(pub TrialId);

/// How do these trials stand? At most `most` of them, from number `from` on, in the order of their creation.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Vec<TrialStatus>")]
pub struct ListTrials {
    /// The first one's number.
    pub from: u32,
    /// How many at most.
    pub most: usize,
}

/// A run at a moment.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct RunStatus {
    /// Since its start.
    pub now: Moment,
    /// How many trials have each status, in the order of [`Status::ALL`](crate::logic::trial::Status::ALL).
    pub counts: [usize; 5],
    /// How many trials there will be, if that is known.
    pub total: Option<u64>,
    /// Numbers over the whole run.
    pub totals: Totals,
    /// Why no results are processed at the moment, if none are: the journal can't be written, or is far behind.
    pub held: Option<Arc<str>>,
    /// Why no trial is launched until a client says [`proceed`](crate::prelude::Control::proceed), if that is so.
    pub hold: Option<Arc<Hold>>,
    /// The searcher that makes its next suggestion beside the run, if one does.
    pub thinking: Option<Arc<str>>,
    /// How far the journal is behind; none if there is none.
    pub journal: Option<Backlog>,
}

/// A trial at a moment.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TrialStatus {
    /// All that is known of it.
    pub record: TrialRecord,
    /// Why it isn't running.
    pub waiting: Waiting,
}

/// How does the pool stand?
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "PoolStatus")]
pub struct InspectPool {
    /// Also say why this trial waits.
    pub trial: Option<TrialId>,
}

/// A pool at a moment.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct PoolStatus {
    /// All there is that can be granted.
    pub total: Resources,
    /// The indices of the GPUs that were withdrawn, because trial after trial failed on them.
    pub withdrawn_gpus: BTreeSet<u32>,
    /// What no worker holds.
    pub free: Resources,
    /// How many workers are what.
    pub counts: PoolCounts,
    /// Why the trial that was asked about has no worker.
    pub why: Option<WhyWaiting>,
}

// ---- between the actors --------------------------------------------------------------------------------------------

/// From the controller to a trial.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub(super) enum ToTrial {
    /// An order.
    Order(TrialOrder),
    /// It has ended, and everybody knows: the actor ends too.
    Retire,
}

/// To the controller, from trials, workers and the supervisor.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub(super) enum ToController {
    /// The run begins.
    Begin,
    /// A trial's fact.
    Trial(TrialId, TrialFact),
    /// The searcher is back, with its suggestion.
    Suggested(Errand),
    /// A fact was dropped because its lease was over.
    Dropped,
    /// Something that observers should hear of.
    Noticed(EventKind),
    /// All workers are gone.
    PoolClosed,
    /// The first of the steps that wait for it is durable.
    Acknowledged,
    /// Something about the journal.
    Journal(JournalNotice),
}

/// From a trial to the supervisor.
#[derive(Clone, Message)]
#[rtype(result = "()")]
pub(super) struct ToPool {
    /// The order.
    pub(super) order: PoolOrder,
    /// Where the answer goes; only with an order that has one.
    pub(super) reply: Option<Recipient<PoolSaid>>,
}

/// From the controller to the supervisor.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub(super) enum ToSupervisor {
    /// Whether more trials may come.
    Demand(Demand),
    /// This GPU is to be granted to nobody any more.
    WithdrawGpu(u32),
    /// No trial is to be granted a worker.
    Hold,
    /// Trials may be granted workers again.
    Proceed,
    /// All workers can go; those that don't by then, the hard way.
    Close {
        /// By when.
        by: Option<Moment>,
    },
}

/// From the supervisor to a trial.
#[derive(Clone, Message)]
#[rtype(result = "()")]
pub(super) struct PoolSaid {
    /// The fact.
    pub(super) fact: PoolFact,
    /// The worker's address, with a grant.
    pub(super) worker: Option<Recipient<ToWorker>>,
}

/// To a worker, from its trial or the supervisor.
#[derive(Clone, Message)]
#[rtype(result = "()")]
pub(super) enum ToWorker {
    /// A new trial begins under this lease.
    Lease {
        /// The lease.
        lease: LeaseId,
        /// The trial.
        trial: TrialId,
        /// Where facts under this lease go.
        reply: Recipient<WorkerSaid>,
    },
    /// An order of the trial.
    Order(LeaseId, WorkerOrder),
    /// From the supervisor: the trial has left, come to rest.
    Release(LeaseId),
    /// From the supervisor: clean up and end.
    Shutdown,
    /// From the supervisor: its time is over.
    Kill,
}

/// From a worker to its trial.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub(super) struct WorkerSaid {
    /// Under which lease.
    pub(super) lease: LeaseId,
    /// The fact.
    pub(super) fact: WorkerFact,
}

/// From a worker to the supervisor.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub(super) enum WorkerNews {
    /// It has come to rest.
    Released(WorkerId),
    /// It has ended.
    Gone(WorkerId),
    /// It couldn't be killed, and was left behind.
    Abandoned(WorkerId),
}

/// From a backend to the actor of its worker.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub(super) struct Heard(pub(super) Said);
