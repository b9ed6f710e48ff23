//! What the machine wants of a worker, said in frames.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::place::Home;
use super::super::program::gpus;
use super::super::shared::cannot;
use super::{Pending, ProcessSupervisor, Stopping, absolute, directory};
use crate::logic::checkpoint::{Checkpoint, CheckpointId};
use crate::logic::config::Config;
use crate::logic::failure::{FailureKind, Fault, error_chain};
use crate::logic::limit::OnLimit;
use crate::logic::trial::TrialInfo;
use crate::logic::wire::{Ability, About, Awaited, Begin, Order, StepOrder};
use crate::logic::worker::{Call, Room, WorkerInput};

impl ProcessSupervisor {
    pub(super) fn make(&mut self, call: Call) -> Result<(), Fault> {
        match call {
            Call::Begin { config, then } => return self.begin(&config, then),
            Call::Restore(checkpoint) => return self.restore(&checkpoint),
            Call::Work(room) => self.work(room),
            Call::Save { checkpoint, export } => return self.save(checkpoint, export),
            Call::Rest => self.rest(),
            Call::End => {
                self.stopping = Stopping::Yes;
                self.over();
                self.send(Order::Stop {});
            }
        }
        Ok(())
    }

    fn begin(&mut self, config: &Config, then: Option<Room>) -> Result<(), Fault> {
        if let Some(fault) = self.unborn.take() {
            return Err(fault);
        }
        let Some(info) = self.context.info().cloned() else { return Ok(()) };
        let home = self.body.shared.place()?.home(info.id, self.id);
        let home = home.map_err(|error| Fault::new(FailureKind::SetupFailed, error.to_string()))?;
        self.redirect(&home);
        self.protocol.begin(self.context.worker().lease());
        self.steps = 0;
        self.restored = None;
        let then = then.map(|room| self.step_order(room));
        let begin = Box::new(Begin {
            trial: About {
                id: info.id,
                number: info.id.number(),
                experiment: info.experiment.to_string(),
                attempt: info.attempt,
                seed: info.seed,
                iteration: info.iteration,
                restored: info.restored,
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
            self.protocol.ask(Awaited::Results { most: then.most });
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
    fn step_order(&self, Room { most, time }: Room) -> StepOrder {
        let limit = self.body.shared.settings.limits.step.filter(|limit| limit.then == OnLimit::Kill);
        let seen = limit.is_none() || self.protocol.can(Ability::Heartbeat);
        StepOrder { most: if seen { most } else { 1 }, seconds: time.as_ref().map(Duration::as_secs_f64) }
    }

    /// A first step goes with the start, and others past the supervisor: those are asked for already.
    fn work(&mut self, room: Room) {
        if !matches!(self.protocol.awaited(), Some(Awaited::Results { .. })) {
            let step = self.step_order(room);
            self.ask(Order::Step(step), Awaited::Results { most: step.most });
        }
        let limits = self.body.shared.settings.limits;
        self.body.clocks.works(&limits, Instant::now(), self.context.worker().worked());
    }

    fn restore(&mut self, checkpoint: &Checkpoint) -> Result<(), Fault> {
        let Some(mut reader) = self.context.open(checkpoint.id)? else {
            self.tell(WorkerInput::CheckpointGone);
            return Ok(());
        };
        let failed = |error| Fault::new(FailureKind::RestoreFailed, error_chain(&error));
        let dir = reader.directory().map_err(failed)?.to_owned();
        self.restored = Some(reader);
        self.ask(Order::Restore { dir, iteration: checkpoint.report.iteration() }, Awaited::Restored);
        Ok(())
    }

    fn save(&mut self, id: Option<CheckpointId>, export: Arc<[String]>) -> Result<(), Fault> {
        let Some(id) = id.filter(|_| self.protocol.can(Ability::Save)) else {
            return self.export_all(None, &export);
        };
        let mut writer = self.context.begin_checkpoint(id)?;
        let dir = directory(&mut writer)?;
        self.pending = Some(Pending::Save { writer, export });
        self.ask(Order::Save { dir }, Awaited::Saved);
        Ok(())
    }

    /// Begins the export in these formats.
    pub(super) fn export_all(&mut self, saved: Option<u64>, formats: &[String]) -> Result<(), Fault> {
        if let Some(format) = formats.first().filter(|_| !self.protocol.can(Ability::Export)) {
            let message = format!("`{format}` can't be exported: the trainable in the process has no `export`");
            return Err(Fault::new(FailureKind::ExportFailed, message));
        }
        self.export(saved, formats.iter().rev().cloned().collect())
    }

    /// Exports in the last of these formats.
    pub(super) fn export(&mut self, saved: Option<u64>, formats: Vec<String>) -> Result<(), Fault> {
        let trial = self.context.info().map(|info| info.id);
        let Some((trial, format)) = trial.zip(formats.last().cloned()) else {
            self.tell(WorkerInput::Saved(saved));
            return Ok(());
        };
        let dir = absolute(&self.context.export_directory(trial, &format)?);
        self.pending = Some(Pending::Export { saved, formats });
        self.ask(Order::Export { dir, format }, Awaited::Exported);
        Ok(())
    }

    /// The trial has left. Who says that it rests between two orders needn't be asked.
    fn rest(&mut self) {
        self.mail.fast_path.close();
        self.pending = None;
        self.restored = None;
        self.body.clocks.rest();
        if self.body.child.is_none() {
            // It has fallen, which its trial didn't mind: it goes with it.
            self.stopping = Stopping::Yes;
        } else if self.protocol.awaited().is_none() && self.protocol.can(Ability::Steps) {
            self.tell(WorkerInput::AtRest);
        } else {
            self.protocol.leave();
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
