//! Workers that join from elsewhere: their news go to the pool, what the pool says of them to whoever lets them join.

use std::sync::Arc;

use actix::{AsyncContext, Context};

use super::messages::{FromBackend, ToSupervisor};
use super::send::{send_to, tell_of_worker};
use super::supervisor::WorkerSupervisor;
use super::worker::WorkerActor;
use crate::logic::event::{StopCause, WorkerChange};
use crate::logic::failure::{FailureKind, Fault};
use crate::logic::ids::{JoinId, TrialId, WorkerId};
use crate::logic::pool::{Joined, PoolInput, Slot, WhyWaiting};
use crate::ports::backend::{FactSink, WorkerHandle, WorkerStart};
use crate::ports::elsewhere::{Elsewhere, JoinNews, JoinSink, Successor};

impl From<JoinNews> for PoolInput {
    fn from(news: JoinNews) -> Self {
        match news {
            JoinNews::Joined { join, shape, slot, stays, keeps } => {
                PoolInput::Joined { join, shape, slot, stays, keeps }
            }
            JoinNews::Never { shape, words } => PoolInput::Never { shape, words },
        }
    }
}

impl WorkerSupervisor {
    /// The same, which workers may join from elsewhere.
    pub(super) fn joined_from(mut self, elsewhere: Option<Box<dyn Elsewhere>>, ctx: &mut Context<Self>) -> Self {
        let address = ctx.address();
        self.elsewhere = elsewhere;
        if let Some(elsewhere) = &mut self.elsewhere {
            let news = JoinSink::new(move |news| send_to(&address, ToSupervisor::Elsewhere(news)));
            if let Err(fault) = elsewhere.open(news) {
                log::error!("nobody can join this run: {fault}");
            }
        }
        self
    }

    /// A worker that has joined is one of the run's.
    pub(super) fn admit(
        &mut self,
        worker: WorkerId,
        join: JoinId,
        slot: Arc<Slot>,
        ctx: &mut Context<Self>,
    ) -> Option<PoolInput> {
        let admitted = self.begin(worker, &slot, ctx, |supervisor, start| match &mut supervisor.elsewhere {
            Some(elsewhere) => elsewhere.admit(join, start),
            None => Err(Fault::new(FailureKind::WorkerLost, "nobody lets workers join")),
        });
        admitted.err().map(|fault| PoolInput::SpawnFailed(worker, fault))
    }

    /// Starts the actor of a worker, whoever makes the worker.
    pub(super) fn begin(
        &mut self,
        worker: WorkerId,
        slot: &Arc<Slot>,
        ctx: &mut Context<Self>,
        make: impl FnOnce(&mut Self, WorkerStart) -> Result<Box<dyn WorkerHandle>, Fault>,
    ) -> Result<(), Fault> {
        let context = Context::<WorkerActor>::new();
        let address = context.address();
        let facts = FactSink::new(move |said| send_to(&address, FromBackend(said)));
        let start = WorkerStart { worker, slot: slot.clone(), facts, store: self.store.clone() };
        let handle = make(self, start)?;
        let actor = context.run(WorkerActor {
            id: worker,
            handle,
            supervisor: ctx.address().recipient(),
            controller: self.controller.clone(),
            tenant: None,
            over: None,
        });
        self.workers.insert(worker, actor);
        tell_of_worker(&self.controller, worker, WorkerChange::Spawned { slot: slot.clone() });
        Ok(())
    }

    /// Before a worker is told to end.
    pub(super) fn say_who_follows(&mut self, worker: WorkerId, why: StopCause) {
        let next = match why {
            StopCause::Discarded | StopCause::NotReused => Successor::Fresh,
            StopCause::Evicted | StopCause::IdleTooLong | StopCause::Unneeded | StopCause::RunEnds => Successor::Nobody,
        };
        if let Some(elsewhere) = &mut self.elsewhere {
            elsewhere.ends(worker, next);
        }
    }

    /// Why a trial has no worker yet.
    pub(super) fn why_waiting(&self, trial: TrialId) -> Option<WhyWaiting> {
        let mut why = self.pool.why_waiting(trial)?;
        why.says = self.elsewhere.as_ref().and_then(|elsewhere| elsewhere.says(&why.needs));
        Some(why)
    }

    /// How workers from elsewhere stand, and what is heard of those to come.
    pub(super) fn joined(&self) -> Vec<Joined> {
        let mut joined = self.pool.joined();
        if let Some(elsewhere) = &self.elsewhere {
            joined.iter_mut().for_each(|joined| joined.says = elsewhere.says(&joined.shape));
        }
        joined
    }
}
