//! What is remembered of a worker's trial beside the worker, so that an engine which was lost and started anew can go on with it.
//!
//! It stands between the engine and the worker. As long as the engine lives, what they say goes through unchanged, and the reports
//! are remembered. When the engine is lost, the worker finishes the batch that it was told to make, and waits. The next engine
//! says which report of the trial it has last; it is given those that follow, in batches as it orders them, and then the worker
//! works on. Until it has caught up, the worker is ahead of what the engine knows, so there is no checkpoint to be had of it.
//!
//! Leases are numbered anew by an engine that was lost before it had written the last ones down. The worker goes on under the one
//! that it has; the difference is added on the way.

mod had;

use std::sync::Arc;

use self::had::{Had, Stands};
use crate::logic::config::Config;
use crate::logic::failure::{FailureKind, Fault};
use crate::logic::ids::{LeaseId, TrialId};
use crate::logic::metrics::Report;
use crate::logic::trial::{Batch, BatchLimits, FirstBatch, TrialInfo, WorkerFact, WorkerOrder};

/// What is to be said.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Says {
    /// To the worker, under its lease.
    ToWorker(LeaseId, WorkerOrder),
    /// To the engine, under the lease that it knows.
    ToEngine(LeaseId, WorkerFact),
}

/// Whether the engine knows that the worker has the trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Engine {
    /// It gave the order.
    Knows,
    /// It was lost. The batch that the worker was told to make may still be in the making.
    Lost,
    /// Another one has taken the trial over, and that batch is still in the making.
    CatchesUp,
}

/// See the module's description.
#[derive(Clone, Debug)]
pub(crate) struct Relay {
    had: Option<Had>,
    engine: Engine,
    /// The batch that the engine waits for.
    owed: Option<BatchLimits>,
    /// What the worker has said after reports that the engine hasn't been given yet.
    unsaid: Option<WorkerFact>,
    /// What is to be exported at the trial's end, as soon as the worker rests.
    export: Option<Arc<[String]>>,
    /// The engine's number of a lease is the worker's and this.
    shift: i64,
}

impl Default for Relay {
    fn default() -> Self {
        Self { had: None, engine: Engine::Knows, owed: None, unsaid: None, export: None, shift: 0 }
    }
}

impl Relay {
    /// The engine's number of a lease of the worker.
    pub(crate) fn to_engine(&self, lease: LeaseId) -> LeaseId {
        LeaseId::new(lease.number().wrapping_add_signed(self.shift))
    }

    fn to_worker(&self, lease: LeaseId) -> LeaseId {
        LeaseId::new(lease.number().wrapping_add_signed(-self.shift))
    }

    /// The engine is lost. Answers the trial that another one can go on with, if there is one.
    pub(crate) fn lose_engine(&mut self) -> Option<TrialId> {
        let had = self.had.as_ref()?;
        if !matches!(had.stands, Stands::Working | Stands::AtRest) {
            return None;
        }
        (self.engine, self.owed) = (Engine::Lost, None);
        Some(had.id)
    }

    /// Whether the trial is one that no engine has taken over yet.
    #[cfg(feature = "remote")]
    pub(crate) fn is_lost(&self) -> bool {
        self.engine == Engine::Lost
    }

    /// The engine orders something.
    pub(crate) fn on_order(&mut self, lease: LeaseId, order: WorkerOrder, out: &mut Vec<Says>) {
        match order {
            WorkerOrder::GoOn { info, config, first, last } => self.go_on(lease, &info, &config, first, last, out),
            WorkerOrder::Start { .. } if self.engine == Engine::Lost => {
                let why = "it still has a trial of the session before";
                out.push(Says::ToEngine(lease, reset_failed(why)));
            }
            WorkerOrder::Train { limits, .. } if self.is_ahead() => self.train(lease, limits, out),
            // There is no checkpoint to be had of a moment that has passed.
            WorkerOrder::Save { export, .. } if self.is_ahead() && export.is_empty() => {
                out.push(Says::ToEngine(lease, WorkerFact::Saved(None)));
            }
            WorkerOrder::Save { export, .. } if self.is_ahead() => match self.unsaid.take() {
                Some(failed) => out.push(Says::ToEngine(lease, failed)),
                None => {
                    self.export = Some(export);
                    self.export_if_at_rest(out);
                }
            },
            order => {
                if self.engine == Engine::Lost && order == WorkerOrder::Release {
                    self.rename_lease(lease);
                }
                let lease = self.to_worker(lease);
                self.note(lease, &order);
                out.push(Says::ToWorker(lease, order));
            }
        }
    }

    /// The worker says something.
    pub(crate) fn on_fact(&mut self, lease: LeaseId, fact: WorkerFact, out: &mut Vec<Says>) {
        let to = self.to_engine(lease);
        let Some(had) = self.had.as_mut().filter(|had| had.lease == lease) else {
            // Of a trial that has left, nobody wants to hear more.
            return if fact == WorkerFact::Released {
                out.push(Says::ToEngine(to, fact))
            };
        };
        had.stands = match &fact {
            WorkerFact::Ready if had.stands == (Stands::Beginning { works_then: true }) => Stands::Working,
            // It isn't where the trial stands before it has loaded the checkpoint.
            WorkerFact::Ready => had.stands.clone(),
            WorkerFact::Restored => {
                if let Stands::Restoring(report) = &had.stands {
                    had.before = Some(report.clone());
                }
                Stands::AtRest
            }
            WorkerFact::CheckpointGone => {
                had.before = None;
                Stands::AtRest
            }
            WorkerFact::Saved(_) | WorkerFact::Reported(_) => Stands::AtRest,
            WorkerFact::ResetFailed(_) | WorkerFact::Failed(_) | WorkerFact::Released | WorkerFact::Gone => {
                Stands::Failed
            }
        };
        match fact {
            WorkerFact::Reported(batch) => self.reported(to, batch, out),
            WorkerFact::Saved(_) if self.engine != Engine::Lost => out.push(Says::ToEngine(to, fact)),
            WorkerFact::Failed(_) if self.export.take().is_some() => out.push(Says::ToEngine(to, fact)),
            fact if self.engine == Engine::Lost || self.has_more() => self.unsaid = Some(fact),
            fact => out.push(Says::ToEngine(to, fact)),
        }
    }

    fn reported(&mut self, to: LeaseId, batch: Batch, out: &mut Vec<Says>) {
        let Some(had) = &mut self.had else { return };
        had.remember(&batch);
        match self.engine {
            Engine::Knows => {
                had.gave_all();
                out.push(Says::ToEngine(to, WorkerFact::Reported(batch)));
            }
            Engine::Lost => {}
            Engine::CatchesUp => {
                if let Some(limits) = self.owed.take() {
                    self.give(limits, out);
                }
                self.export_if_at_rest(out);
            }
        }
    }

    /// The engine would like to have the next batch, which the worker was told to make before, or has made.
    fn train(&mut self, lease: LeaseId, limits: BatchLimits, out: &mut Vec<Says>) {
        if self.has_more() {
            self.give(limits, out);
        } else if let Some(fact) = self.unsaid.take() {
            out.push(Says::ToEngine(lease, fact));
        } else {
            self.owed = Some(limits);
        }
    }

    /// The trial ends, and the worker exports what it has.
    fn export_if_at_rest(&mut self, out: &mut Vec<Says>) {
        if let Some(had) = self.had.as_mut().filter(|had| had.stands == Stands::AtRest)
            && let Some(export) = self.export.take()
        {
            had.stands = Stands::Saving;
            out.push(Says::ToWorker(had.lease, WorkerOrder::Save { checkpoint: None, export }));
        }
    }

    /// Whether the worker is further than the engine knows.
    pub(crate) fn is_ahead(&self) -> bool {
        let working = || self.had.as_ref().is_some_and(|had| had.stands == Stands::Working);
        self.engine == Engine::CatchesUp && (self.has_more() || self.unsaid.is_some() || working())
    }

    /// Whether the engine hasn't been given all that the worker has reported.
    fn has_more(&self) -> bool {
        self.had.as_ref().is_some_and(Had::has_more)
    }

    /// Takes note of an order that goes on to the worker.
    fn note(&mut self, lease: LeaseId, order: &WorkerOrder) {
        let stands = match order {
            WorkerOrder::Start { info, config, first, last } => {
                let stands = Stands::Beginning { works_then: first.is_some() };
                self.had = Some(Had::new(info.id, config.clone(), lease, stands, last.as_deref().cloned()));
                (self.engine, self.unsaid) = (Engine::Knows, None);
                return;
            }
            WorkerOrder::Release | WorkerOrder::Shutdown => {
                (self.had, self.engine, self.unsaid, self.owed) = (None, Engine::Knows, None, None);
                return;
            }
            WorkerOrder::Restore { checkpoint } => {
                let trial = self.had.as_ref().map_or(checkpoint.report.trial, |had| had.id);
                Stands::Restoring(Report { trial, ..checkpoint.report.clone() })
            }
            WorkerOrder::Train { .. } => Stands::Working,
            WorkerOrder::Save { .. } => Stands::Saving,
            WorkerOrder::Yield | WorkerOrder::GoOn { .. } => return,
        };
        if let Some(had) = &mut self.had {
            had.stands = stands;
            self.engine = Engine::Knows;
        }
    }

    /// Another engine would like to go on with the trial.
    fn go_on(
        &mut self,
        lease: LeaseId,
        info: &TrialInfo,
        config: &Arc<Config>,
        first: FirstBatch,
        last: Option<Arc<Report>>,
        out: &mut Vec<Says>,
    ) {
        let refused = match &mut self.had {
            _ if self.engine != Engine::Lost => Some("it has no trial of the session before"),
            Some(had) if had.id != info.id => Some("it has another trial"),
            Some(had) if had.config != *config => Some("the trial's configuration has changed since"),
            Some(had) => {
                let known = had.go_on_after(last.as_deref());
                (!known).then_some("it doesn't remember the report that the engine has last")
            }
            None => Some("it has no trial"),
        };
        if let Some(why) = refused {
            return out.push(Says::ToEngine(lease, reset_failed(why)));
        }
        self.rename_lease(lease);
        self.engine = Engine::CatchesUp;
        out.push(Says::ToEngine(lease, WorkerFact::Ready));
        self.on_order(lease, first.into(), out);
    }

    /// The engine calls the worker's lease so from now on.
    fn rename_lease(&mut self, lease: LeaseId) {
        let own = self.had.as_ref().map_or(lease, |had| had.lease);
        self.shift = lease.number().wrapping_sub(own.number()) as i64;
    }

    /// Gives the engine the next batch of what it hasn't been given.
    fn give(&mut self, limits: BatchLimits, out: &mut Vec<Says>) {
        let Some(had) = &mut self.had else { return };
        let lease = had.lease;
        let batch = had.next_batch(limits);
        out.push(Says::ToEngine(self.to_engine(lease), WorkerFact::Reported(batch)));
    }
}

fn reset_failed(why: &'static str) -> WorkerFact {
    WorkerFact::ResetFailed(Fault::new(FailureKind::WorkerLost, format!("the worker can't go on: {why}")))
}
