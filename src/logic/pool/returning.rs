//! Workers from elsewhere that outlive an engine: they come back to the next one, with the trials that they had.

use std::collections::BTreeSet;

use super::fleet::{Origin, Worker};
use super::io::PoolOutput;
use super::kinds::KindId;
use super::line::{Waiter, Wants};
use super::machine::Pool;
use super::worker::WorkerState;
use crate::logic::ids::{TrialId, WorkerId};
use crate::logic::time::Moment;
use crate::logic::trial::Arrival;

impl Pool {
    /// Whether nobody is granted a worker but the one that has brought it along.
    pub(super) fn is_held(&self) -> bool {
        self.on_hold || self.expects_until().is_some()
    }

    /// Until when workers may come back that are waited for, if there are any.
    pub(super) fn expects_until(&self) -> Option<Moment> {
        self.elsewhere.as_ref()?.expected.as_ref().map(|(_, until)| *until)
    }

    /// Workers that had these trials may come back.
    pub(super) fn expect_back(&mut self, mut trials: BTreeSet<TrialId>, until: Moment) {
        if let Some(elsewhere) = &mut self.elsewhere {
            elsewhere.returning = Some(trials.clone());
            trials.retain(|trial| !elsewhere.returned.contains_key(trial));
            elsewhere.expected = Some((trials, until));
        }
    }

    /// Whether a worker may bring this trial along.
    pub(super) fn returns(&self, trial: TrialId) -> bool {
        let returning = self.elsewhere.as_ref().and_then(|elsewhere| elsewhere.returning.as_ref());
        returning.is_none_or(|returning| returning.contains(&trial))
    }

    /// A worker has brought this trial along.
    pub(super) fn came_back(&mut self, trial: TrialId, worker: WorkerId) {
        if let Some(elsewhere) = &mut self.elsewhere {
            elsewhere.returned.insert(trial, worker);
        }
        self.expect_no_more(trial);
    }

    /// The trial is given this worker: where that comes from. Whoever brings the trial along from now on comes too late.
    pub(super) fn arrival(&mut self, worker: WorkerId, trial: TrialId) -> Arrival {
        let Some(elsewhere) = &mut self.elsewhere else { return Arrival::Spawned };
        elsewhere.returning.iter_mut().for_each(|returning| {
            returning.remove(&trial);
        });
        elsewhere.returned.remove(&trial);
        match self.fleet.get_mut(worker) {
            Some(worker) if worker.origin == Origin::Elsewhere => match worker.keeps.take() {
                Some(kept) if kept == trial => Arrival::CameBack,
                _ => Arrival::Joined,
            },
            _ => Arrival::Spawned,
        }
    }

    /// The worker that this trial had is back, or isn't waited for any more.
    pub(super) fn expect_no_more(&mut self, trial: TrialId) {
        if let Some((trials, _)) = self.elsewhere.as_mut().and_then(|elsewhere| elsewhere.expected.as_mut()) {
            trials.remove(&trial);
        }
    }

    /// Nobody is waited for any more.
    pub(super) fn expect_nobody(&mut self) {
        if let Some((trials, _)) = self.elsewhere.as_mut().and_then(|elsewhere| elsewhere.expected.as_mut()) {
            trials.clear();
        }
    }

    /// Those who haven't come by now are waited for no more.
    pub(super) fn stop_expecting(&mut self, now: Moment) {
        if self.expects_until().is_some_and(|until| until <= now) {
            self.expect_nobody();
        }
    }

    /// All are back that are waited for: everybody else may be served.
    pub(super) fn end_expectation(&mut self, now: Moment, out: &mut Vec<PoolOutput>) {
        let Some(elsewhere) = &mut self.elsewhere else { return };
        if elsewhere.expected.take_if(|(trials, _)| trials.is_empty()).is_some() {
            self.serve(now, out);
        }
    }

    /// Grants a trial the worker that has brought it along, if that is idle.
    pub(super) fn give_back(&mut self, kind: KindId, waiter: Waiter, now: Moment, out: &mut Vec<PoolOutput>) -> bool {
        let Some(elsewhere) = self.elsewhere.as_ref().filter(|_| !self.on_hold) else { return false };
        let Some(&id) = elsewhere.returned.get(&waiter.trial) else { return false };
        let idle = |worker: &Worker| worker.kind == kind && worker.state == WorkerState::Idle;
        if waiter.wants == Wants::Fresh || !self.fleet.get(id).is_some_and(idle) {
            return false;
        }
        self.uncache_guest(id);
        self.give_guest(id, kind, waiter, now, out);
        true
    }
}
