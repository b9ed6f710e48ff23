//! A scripted worker: a pure machine that answers orders with facts, and says how long each takes.

use std::sync::Arc;
use std::time::Duration;

use super::script::{Happening, Place, Saves, Script};
use crate::logic::checkpoint::{Checkpoint, CheckpointId};
use crate::logic::config::Config;
use crate::logic::failure::{FailureKind, Fault};
use crate::logic::metrics::{Counters, Report};
use crate::logic::trial::{Batch, BatchEnd, BatchLimits, FirstBatch, Over, TrialInfo, WorkerFact, WorkerOrder};

/// What an order leads to.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    /// A fact, after some time; more may follow at once.
    After(Duration, WorkerFact),
    /// A batch in the making: each report with the time from the order to it. It can be cut short.
    Working(Vec<(Duration, Report)>, WorkEnd),
    /// Nothing: the order needs no answer.
    Nothing,
    /// It ends.
    Gone,
}

/// How the work on a batch ends.
#[derive(Clone, Debug)]
pub(super) enum WorkEnd {
    Batch(BatchEnd),
    /// After so much time.
    Failed(Duration, Fault),
    /// After so much time.
    Lost(Duration),
    Never,
}

/// A worker that follows a script.
#[derive(Clone, Debug)]
pub(super) struct ScriptedWorker {
    script: Script,
    info: Option<TrialInfo>,
    config: Arc<Config>,
    counters: Counters,
    last: Option<Report>,
    used: bool,
}

impl ScriptedWorker {
    pub(super) fn new(script: Script) -> Self {
        let config = Arc::default();
        Self { script, info: None, config, counters: Counters::default(), last: None, used: false }
    }

    /// The order to train that came with the start, once it is ready.
    pub(super) fn first(order: &WorkerOrder) -> Option<FirstBatch> {
        match order {
            WorkerOrder::Start { first, .. } => *first,
            _ => None,
        }
    }

    pub(super) fn on(&mut self, order: WorkerOrder) -> Answer {
        match order {
            WorkerOrder::Start { info, config, .. } => self.start(info, config),
            WorkerOrder::Restore { checkpoint } => self.restore(&checkpoint),
            WorkerOrder::Train { limits, .. } => self.train(limits),
            WorkerOrder::Save { checkpoint, .. } => self.save(checkpoint),
            WorkerOrder::Yield => Answer::Nothing,
            WorkerOrder::Release => Answer::After(Duration::ZERO, WorkerFact::Released),
            WorkerOrder::Shutdown => Answer::Gone,
        }
    }

    fn place(&self, iteration: u64) -> Option<Place> {
        self.info.as_ref().map(|info| Place { trial: info.id, attempt: info.attempt, iteration })
    }

    fn fault(&self, what: Happening, iteration: u64) -> Option<Fault> {
        self.script.fault(what, self.place(iteration)?)
    }

    fn happens(&self, what: Happening, iteration: u64) -> bool {
        self.place(iteration).is_some_and(|place| self.script.happens(what, place))
    }

    fn broken(&self) -> Option<Fault> {
        let gpus = self.info.iter().flat_map(|info| &info.slot.gpus).flatten();
        let broken = gpus.into_iter().find(|gpu| self.script.broken_gpu == Some(**gpu))?;
        Some(Fault::new(FailureKind::UserError, format!("GPU {broken} fell off the bus")))
    }

    fn start(&mut self, info: TrialInfo, config: Arc<Config>) -> Answer {
        (self.info, self.config) = (Some(info), config);
        (self.counters, self.last) = (Counters::default(), None);
        if std::mem::replace(&mut self.used, true)
            && let Some(fault) = self.fault(Happening::Reset, 0)
        {
            return Answer::After(self.script.setup, WorkerFact::ResetFailed(fault));
        }
        match self.fault(Happening::Setup, 0) {
            Some(fault) => Answer::After(self.script.setup, WorkerFact::Failed(fault)),
            None => Answer::After(self.script.setup, WorkerFact::Ready),
        }
    }

    fn restore(&mut self, checkpoint: &Checkpoint) -> Answer {
        if let Some(fault) = self.fault(Happening::Restore, checkpoint.report.iteration()) {
            return Answer::After(Duration::ZERO, WorkerFact::Failed(fault));
        }
        self.counters = checkpoint.report.counters.restored();
        self.last = Some(checkpoint.report.clone());
        Answer::After(Duration::ZERO, WorkerFact::Restored)
    }

    fn save(&mut self, id: Option<CheckpointId>) -> Answer {
        let iteration = self.counters.training_iteration;
        if let Some(fault) = self.fault(Happening::Save, iteration) {
            return Answer::After(self.script.save, WorkerFact::Failed(fault));
        }
        let id = id.filter(|_| self.script.saves == Saves::Supported);
        let checkpoint = id.map(|id| {
            let report = self.last.clone().unwrap_or_else(|| Report::empty(id.trial));
            Arc::new(Checkpoint { id, report, bytes: 8 })
        });
        Answer::After(self.script.save, WorkerFact::Saved(checkpoint))
    }

    /// Steps until the batch ends, or something goes wrong.
    fn train(&mut self, limits: BatchLimits) -> Answer {
        let Some(trial) = self.info.as_ref().map(|info| info.id) else {
            let fault = Fault::new(FailureKind::WorkerLost, "the worker has no trial");
            return Answer::After(Duration::ZERO, WorkerFact::Failed(fault));
        };
        let (mut reports, mut elapsed, step) = (Vec::new(), Duration::ZERO, self.script.step);
        loop {
            let iteration = self.counters.training_iteration + 1;
            elapsed += step;
            let fault = self.fault(Happening::Error, iteration).or_else(|| self.fault(Happening::Panic, iteration));
            let fault = fault.or_else(|| self.broken());
            if let Some(fault) = fault {
                // What was reported before is handed in first; the same step fails again when it is asked for.
                return match reports.last() {
                    Some(_) => Answer::Working(reports, WorkEnd::Batch(BatchEnd::Limit)),
                    None => Answer::Working(reports, WorkEnd::Failed(elapsed, fault)),
                };
            }
            if self.happens(Happening::Lost, iteration) {
                return Answer::Working(reports, WorkEnd::Lost(elapsed));
            }
            if self.happens(Happening::Hang, iteration) {
                return Answer::Working(reports, WorkEnd::Never);
            }
            let metrics = self.script.report(&self.config, iteration);
            let report = self.counters.stamp(trial, metrics, step, 0.0);
            self.last = Some(report.clone());
            reports.push((elapsed, report));
            let due = limits.checkpoint_due(iteration) || self.happens(Happening::Wish, iteration);
            let full =
                reports.len() >= limits.reports.get() as usize || limits.time.is_some_and(|most| elapsed >= most);
            let end = match () {
                () if self.script.done_at.is_some_and(|last| iteration >= last) => BatchEnd::Done,
                () if self.script.over_at.is_some_and(|(last, _)| iteration >= last) => BatchEnd::Over,
                () if due => BatchEnd::CheckpointDue,
                () if full => BatchEnd::Limit,
                () => continue,
            };
            return Answer::Working(reports, WorkEnd::Batch(end));
        }
    }

    /// Whether it is gone after the batch that it just handed in.
    pub(super) fn vanishes(&self) -> bool {
        self.happens(Happening::Vanish, self.counters.training_iteration)
    }

    /// The work was cut short after this report: what came later hasn't happened.
    pub(super) fn back_to(&mut self, last: &Report) {
        self.counters = last.counters;
        self.last = Some(last.clone());
    }

    /// The batch of these reports.
    pub(super) fn batch(&self, reports: Vec<(Duration, Report)>, end: BatchEnd) -> WorkerFact {
        let reports = reports.into_iter().map(|(_, report)| report).collect();
        let over = self.script.over_at.filter(|_| end == BatchEnd::Over);
        let over = over.map(|(last, keep)| Over { reason: format!("scripted limit of {last} steps").into(), keep });
        WorkerFact::Reported(Batch { reports, end, handed_in: None, over })
    }
}
