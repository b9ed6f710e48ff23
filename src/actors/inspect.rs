//! What a controller answers to those who ask how things stand.

use std::sync::Arc;

use actix::{Context, Handler, MessageResult, ResponseFuture};
use futures::channel::oneshot;

use super::controller::Controller;
use super::messages::{Inspect, InspectAll, InspectPool, InspectTrial, ListTrials, Sync};
use crate::logic::api::{PoolStatus, RunStatus, TrialStatus};
use crate::logic::ids::TrialId;
use crate::logic::schedule::Cohort;
use crate::logic::trial::Status;

impl Controller {
    fn status(&self, trial: TrialId) -> Option<TrialStatus> {
        let ledger = self.engine.ledger();
        let (record, waiting) = (ledger.get(trial)?.clone(), self.engine.waiting(trial));
        let plan = ledger.plan(trial);
        let mut runs_on = self.engine.runs_on(trial);
        if let Some(on) = &mut runs_on {
            on.process = on.process.take().or_else(|| self.here.clone());
        }
        let request = plan.map(|plan| plan.request.clone());
        Some(TrialStatus { record, waiting, request, priority: plan.map_or(0, |plan| plan.priority), runs_on })
    }
}

impl Handler<Inspect> for Controller {
    type Result = MessageResult<Inspect>;

    fn handle(&mut self, _: Inspect, _: &mut Context<Self>) -> Self::Result {
        let ledger = self.engine.ledger();
        MessageResult(RunStatus {
            now: self.clock.now(),
            counts: Status::ALL.map(|status| ledger.count(status)),
            total: self.engine.expected(),
            totals: self.engine.totals(),
            held: self.gate.held(),
            hold: self.engine.hold().cloned(),
            closing: self.engine.closing(),
            space: ledger.run().space.clone(),
            settings: ledger.run().settings.clone(),
            thinking: self.engine.searcher_away().map(Arc::from),
            scheduler: self.engine.scheduler_progress(),
            journal: self.backlog(),
        })
    }
}

impl Handler<Sync> for Controller {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: Sync, _: &mut Context<Self>) -> Self::Result {
        let (done, wait) = oneshot::channel();
        self.sync(move || {
            // Whoever asked may have gone.
            let _ = done.send(());
        });
        // A journal that was closed has said itself what it couldn't write.
        Box::pin(async move { wait.await.unwrap_or(()) })
    }
}

impl Handler<InspectTrial> for Controller {
    type Result = MessageResult<InspectTrial>;

    fn handle(&mut self, InspectTrial(trial): InspectTrial, _: &mut Context<Self>) -> Self::Result {
        MessageResult(self.status(trial))
    }
}

impl Handler<ListTrials> for Controller {
    type Result = MessageResult<ListTrials>;

    fn handle(&mut self, ListTrials { from, most }: ListTrials, _: &mut Context<Self>) -> Self::Result {
        let run = self.engine.settings().run;
        let numbers = (from..).take(most).take_while(|number| (*number as usize) < self.engine.ledger().len());
        MessageResult(numbers.filter_map(|number| self.status(TrialId::new(run, number))).collect())
    }
}

impl Handler<InspectPool> for Controller {
    type Result = ResponseFuture<PoolStatus>;

    fn handle(&mut self, question: InspectPool, _: &mut Context<Self>) -> Self::Result {
        let supervisor = self.supervisor.clone();
        Box::pin(async move { supervisor.send(question).await.unwrap_or_default() })
    }
}

impl Handler<InspectAll> for Controller {
    type Result = MessageResult<InspectAll>;

    fn handle(&mut self, _: InspectAll, _: &mut Context<Self>) -> Self::Result {
        MessageResult(self.engine.overview(self.clock.now()))
    }
}
