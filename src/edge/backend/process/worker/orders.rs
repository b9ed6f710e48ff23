//! What the engine wants of a worker, said in frames.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use super::super::place::Home;
use super::super::program::gpus;
use super::super::shared::cannot;
use super::{Attendant, Done, Errand, Stopping, Tenancy, absolute, directory};
use crate::logic::checkpoint::{Checkpoint, CheckpointId};
use crate::logic::config::Config;
use crate::logic::failure::{FailureKind, Fault, error_chain};
use crate::logic::ids::LeaseId;
use crate::logic::limit::OnLimit;
use crate::logic::trial::{FirstBatch, TrialInfo, WorkerFact, WorkerOrder};
use crate::logic::wire::{Ability, About, Awaited, Begin, Order, StepOrder};

impl Attendant {
    pub(super) fn order(&mut self, lease: LeaseId, order: WorkerOrder) {
        let done = match order {
            WorkerOrder::Start { info, config, first } => {
                self.lease = lease;
                self.tenancy = Tenancy::Trial;
                self.begin_trial(info, &config, first)
            }
            WorkerOrder::Release => {
                self.release(lease);
                Ok(())
            }
            WorkerOrder::Shutdown => {
                self.stopping = Stopping::Yes;
                self.over();
                self.send(Order::Stop {});
                Ok(())
            }
            _ if self.tenancy != Tenancy::Trial => Ok(()),
            WorkerOrder::Restore { checkpoint } => self.restore(checkpoint),
            WorkerOrder::Train { limits, spare } => {
                self.desk.begin_batch(limits, spare);
                let step = self.step_order();
                self.ask(Order::Step(step), Awaited::Results { most: step.most });
                self.works();
                Ok(())
            }
            WorkerOrder::Save { checkpoint, export } => self.save(checkpoint, export),
            WorkerOrder::Yield => {
                if matches!(self.talk.awaited(), Some(Awaited::Results { .. })) {
                    self.send(Order::Hurry {});
                }
                Ok(())
            }
        };
        if let Err(fault) = done {
            self.fail(fault);
        }
    }

    fn begin_trial(&mut self, info: TrialInfo, config: &Config, first: Option<FirstBatch>) -> Result<(), Fault> {
        if let Some(fault) = self.unborn.take() {
            return Err(fault);
        }
        let home = self.body.shared.place()?.home(info.id, self.worker);
        let home = home.map_err(|error| Fault::new(FailureKind::SetupFailed, error.to_string()))?;
        self.redirect(&home);
        self.talk.begin(self.lease);
        self.desk.begin_trial(info.clone());
        (self.steps, self.done) = (0, Done::No);
        self.restored = None;
        let then = first.map(|first| {
            self.desk.begin_batch(first.limits, first.spare);
            self.step_order()
        });
        let begin = Box::new(Begin {
            trial: About {
                id: info.id,
                number: info.id.number(),
                experiment: info.experiment.to_string(),
                attempt: info.attempt,
                seed: info.seed,
            },
            config: config.clone(),
            resources: totals(&info),
            gpus: gpus(&info.slot),
            dir: Some(home.work.clone()),
            then,
        });
        self.home = Some(home);
        self.limit_cpu()?;
        self.trials += 1;
        self.ask(if self.trials > 1 { Order::Reset(begin) } else { Order::Start(begin) }, Awaited::Ready);
        if let Some(then) = then {
            self.talk.ask(Awaited::Results { most: then.most });
        }
        Ok(())
    }

    /// What was printed until now is the last trial's, what comes from here on the next one's.
    fn redirect(&mut self, home: &Home) {
        if self.trials > 0 {
            self.body.read([true; 2], |_| {});
            self.body.last.clear();
        }
        let output = self.body.shared.settings.output;
        self.body.streams.iter_mut().for_each(|stream| stream.redirect(home.output.as_deref(), output));
    }

    fn limit_cpu(&mut self) -> Result<(), Fault> {
        let Some(child) = &self.body.child else { return Ok(()) };
        let Some(limit) = self.body.shared.settings.limits.cpu else { return Ok(()) };
        self.cpu_before = child.cpu().unwrap_or_default();
        if limit.then != OnLimit::Kill {
            return Ok(());
        }
        child.limit_cpu(limit.most).map_err(|error| cannot("limit the process's time", &error))
    }

    /// How far the worker may go by itself. One whose steps can't be seen goes step by step, if a step may be too long.
    fn step_order(&self) -> StepOrder {
        let seconds = self.desk.limits().time.map(|time| time.as_secs_f64());
        let limit = self.body.shared.settings.limits.step.filter(|limit| limit.then == OnLimit::Kill);
        let seen = limit.is_none() || self.talk.can(Ability::Heartbeat);
        StepOrder { most: if seen { self.desk.room() } else { 1 }, seconds }
    }

    pub(super) fn works(&mut self) {
        let limits = self.body.shared.settings.limits;
        self.body.clocks.works(&limits, Instant::now(), self.desk.worked());
    }

    fn restore(&mut self, checkpoint: Arc<Checkpoint>) -> Result<(), Fault> {
        let mut reader = self.desk.open(checkpoint.id)?;
        let failed = |error| Fault::new(FailureKind::RestoreFailed, error_chain(&error));
        let dir = reader.directory().map_err(failed)?.to_owned();
        let iteration = checkpoint.report.iteration();
        self.errand = Some(Errand::Restoring { checkpoint });
        self.restored = Some(reader);
        self.ask(Order::Restore { dir, iteration }, Awaited::Restored);
        Ok(())
    }

    pub(super) fn save(&mut self, id: Option<CheckpointId>, export: bool) -> Result<(), Fault> {
        let Some(id) = id.filter(|_| self.talk.can(Ability::Save)) else { return self.export(None, export) };
        let mut writer = self.desk.begin_checkpoint(id)?;
        let dir = directory(&mut writer)?;
        self.errand = Some(Errand::Saving { id, writer, export });
        self.ask(Order::Save { dir }, Awaited::Saved);
        Ok(())
    }

    pub(super) fn export(&mut self, saved: Option<Arc<Checkpoint>>, export: bool) -> Result<(), Fault> {
        let trial = self.desk.trial().filter(|_| export && self.talk.can(Ability::Export));
        let Some(trial) = trial else {
            self.desk.say(self.lease, WorkerFact::Saved(saved));
            return Ok(());
        };
        let dir = absolute(&self.desk.export_directory(trial)?);
        self.errand = Some(Errand::Exporting { saved });
        self.ask(Order::Export { dir }, Awaited::Exported);
        Ok(())
    }

    fn release(&mut self, lease: LeaseId) {
        self.lease = lease;
        let failed = std::mem::replace(&mut self.tenancy, Tenancy::Over) == Tenancy::Over;
        self.mail.express.close();
        self.errand = None;
        self.restored = None;
        self.body.clocks.rest();
        if self.fallen.is_some() {
            return;
        }
        let at_rest = self.talk.awaited().is_none() && self.talk.can(Ability::Steps);
        if failed || at_rest || self.body.child.is_none() {
            self.desk.say(lease, WorkerFact::Released);
        } else {
            self.talk.leave();
            self.send(Order::Drain {});
        }
    }
}

fn totals(info: &TrialInfo) -> BTreeMap<String, f64> {
    let mut totals = BTreeMap::new();
    for (name, amount) in info.slot.bundles.iter().flat_map(|bundle| bundle.iter()) {
        *totals.entry(name.to_owned()).or_insert(0.0) += amount.as_f64();
    }
    totals
}
