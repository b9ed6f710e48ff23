//! All messages between the actors, and from clients to the controller. Orders are imperatives, facts past participles.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use actix::{Message, Recipient};

use super::defect::Defect;
use crate::logic::api::{PoolStatus, RunStatus, TrialStatus};
use crate::logic::engine::{ClientOrder, Effect, OrderError, Overview, SuggestTask, WaitFor};
use crate::logic::event::EventKind;
use crate::logic::gate::JournalNotice;
use crate::logic::ids::{LeaseId, TrialId, WorkerId};
use crate::logic::pool::shares::Allowed;
use crate::logic::pool::{Demand, Resources};
use crate::logic::time::Moment;
use crate::logic::trial::{PoolFact, PoolOrder, TrialFact, TrialOrder, WorkerFact, WorkerOrder};
use crate::ports::backend::Said;
use crate::ports::elsewhere::JoinNews;

/// What each message is answered with.
macro_rules! answers {
    ($($(#[$when:meta])* $message:ty => $answer:ty;)*) => {
        $($(#[$when])* impl Message for $message {
            type Result = $answer;
        })*
    };
}

answers! {
    Order => Result<Option<TrialId>, OrderError>;
    OrderAndWait => Effect;
    Drain => Result<(), OrderError>;
    Inspect => RunStatus;
    Sync => ();
    InspectTrial => Option<TrialStatus>;
    ListTrials => Vec<TrialStatus>;
    #[cfg(feature = "testing")]
    Panic => ();
    InspectPool => PoolStatus;
    InspectAll => Overview;
    ToTrial => ();
    ToController => ();
    ToPool => ();
    ToSupervisor => ();
    FromPool => ();
    ToWorker => ();
    FromWorker => ();
    WorkerNews => ();
    FromBackend => ();
}

// ---- from clients to the controller --------------------------------------------------------------------------------

/// Carry this out. Answers the trial that it made, if it made one.
#[derive(Clone, Debug)]
pub struct Order(pub ClientOrder);

/// Save or pause this trial. The answer comes when that has happened: the checkpoint that it has then.
#[derive(Clone, Copy, Debug)]
pub struct OrderAndWait(pub WaitFor, pub TrialId);

/// Save and pause all running trials within this time, then end the run.
#[derive(Clone, Copy, Debug)]
pub struct Drain(pub Duration);

/// An order of somebody who is known.
#[derive(Clone, Debug)]
pub struct By<M> {
    /// Who asks; none: nobody said.
    pub by: Option<Arc<str>>,
    /// For what.
    pub order: M,
}

impl<M: Message> Message for By<M> {
    type Result = M::Result;
}

/// How does the run stand?
#[derive(Clone, Copy, Debug)]
pub struct Inspect;

/// Make everything so far durable; the answer comes when it is. At once if the run has no journal.
#[derive(Clone, Copy, Debug)]
pub struct Sync;

/// How does a trial stand?
#[derive(Clone, Copy, Debug)]
pub struct InspectTrial(pub TrialId);

/// How do these trials stand? At most `most` of them, from number `from` on, in the order of their creation.
#[derive(Clone, Copy, Debug)]
pub struct ListTrials {
    /// The first one's number.
    pub from: u32,
    /// How many at most.
    pub most: usize,
}

/// Panic: for tests of what follows from a defect of ours.
#[cfg(feature = "testing")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Panic {
    /// In the controller itself.
    Controller,
    /// In the supervisor of the workers.
    Supervisor,
    /// In the actor of this trial.
    Trial(TrialId),
    /// In the actor of the worker that this trial has.
    Worker(TrialId),
}

/// How does the pool stand?
#[derive(Clone, Copy, Debug)]
pub struct InspectPool {
    /// Also say why this trial waits.
    pub trial: Option<TrialId>,
}

/// What is all that is known? For a view that begins now.
#[derive(Clone, Copy, Debug)]
pub struct InspectAll;

// ---- between the actors --------------------------------------------------------------------------------------------

/// From the controller to a trial.
#[derive(Clone, Debug)]
pub(super) enum ToTrial {
    /// An order.
    Order(TrialOrder),
    /// It has ended, and everybody knows: the actor ends too.
    Retire,
    /// See [`Panic`].
    #[cfg(feature = "testing")]
    Panic(Panic),
}

/// To the controller, from trials, workers and the supervisor.
#[derive(Clone, Debug)]
pub(super) enum ToController {
    /// The run begins.
    Begin,
    /// A trial's fact.
    Trial(TrialId, TrialFact),
    /// The searcher is back, with its suggestion.
    Suggested(SuggestTask),
    /// A fact was dropped because its lease was over.
    Dropped,
    /// Something that observers should hear of.
    Noticed(EventKind),
    /// All workers are gone.
    PoolClosed,
    /// Everything through this step is durable.
    Durable(u64),
    /// Something about the journal.
    Journal(JournalNotice),
    /// One of the others panicked.
    Defect(Defect),
}

/// From a trial to the supervisor.
#[derive(Clone)]
pub(super) struct ToPool {
    /// The order.
    pub(super) order: PoolOrder,
    /// Where the answer goes; only with an order that has one.
    pub(super) reply: Option<Recipient<FromPool>>,
}

/// From the controller to the supervisor.
#[derive(Clone, Debug)]
pub(super) enum ToSupervisor {
    /// Whether more trials may come.
    Demand(Demand),
    /// This GPU is to be granted to nobody any more.
    WithdrawGpu(u32),
    /// From now on there is this much in all.
    Resize(Resources),
    /// From the host that the run shares with others: the most that it may hold.
    Allowed(Allowed),
    /// From whoever lets workers join from elsewhere.
    Elsewhere(JoinNews),
    /// Workers from elsewhere had these trials when the engine was lost.
    ExpectBack(BTreeSet<TrialId>),
    /// No trial is to be granted a worker.
    Hold,
    /// Trials may be granted workers again.
    Proceed,
    /// All workers can go; those that don't by then, the hard way.
    Close {
        /// By when.
        by: Option<Moment>,
    },
    /// The run has come to a bad end: all workers are to end, whatever the pool says.
    EndWorkers,
    /// See [`Panic`].
    #[cfg(feature = "testing")]
    Panic,
}

/// From the supervisor to a trial.
#[derive(Clone)]
pub(super) struct FromPool {
    /// The fact.
    pub(super) fact: PoolFact,
    /// The worker's address, with a grant.
    pub(super) worker: Option<Recipient<ToWorker>>,
}

/// To a worker, from its trial or the supervisor.
#[derive(Clone)]
pub(super) enum ToWorker {
    /// A new trial begins under this lease.
    Lease {
        /// The lease.
        lease: LeaseId,
        /// The trial.
        trial: TrialId,
        /// Where facts under this lease go.
        reply: Recipient<FromWorker>,
    },
    /// An order of the trial.
    Order(LeaseId, WorkerOrder),
    /// From the supervisor: the trial has left, come to rest.
    Release(LeaseId),
    /// From the supervisor: clean up and end.
    Shutdown,
    /// From the supervisor: its time is over.
    Kill,
    /// See [`Panic`].
    #[cfg(feature = "testing")]
    Panic,
}

/// From a worker to its trial.
#[derive(Clone, Debug)]
pub(super) struct FromWorker {
    /// Under which lease.
    pub(super) lease: LeaseId,
    /// The fact.
    pub(super) fact: WorkerFact,
}

/// From a worker to the supervisor.
#[derive(Clone, Copy, Debug)]
pub(super) enum WorkerNews {
    /// It has come to rest.
    Released(WorkerId),
    /// It has ended.
    Gone(WorkerId),
    /// It couldn't be killed, and was left behind.
    Abandoned(WorkerId),
}

/// From a backend to the actor of its worker.
#[derive(Clone, Debug)]
pub(super) struct FromBackend(pub(super) Said);
