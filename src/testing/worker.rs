//! A scripted trainable around the worker's machine: it says what comes of each call, and how long that takes.

use std::sync::Arc;
use std::time::Duration;

use super::script::{Happening, Place, Saves, Script};
use crate::logic::config::Config;
use crate::logic::failure::{FailureKind, Fault};
use crate::logic::limit::OnLimit;
use crate::logic::time::Moment;
use crate::logic::trial::{Keep, Rests};
use crate::logic::worker::{Call, Limits, Wish, Worker, WorkerInput, WorkerOutput};

/// What a call leads to.
#[derive(Clone, Debug)]
pub(super) enum Made {
    /// An input for the machine.
    Done(WorkerInput),
    /// The worker's end, without a word.
    Lost,
    /// Nothing, ever.
    Never,
}

/// A worker that follows a script.
#[derive(Clone, Debug)]
pub(super) struct ScriptedWorker {
    worker: Worker,
    script: Script,
    config: Arc<Config>,
    used: bool,
}

impl ScriptedWorker {
    pub(super) fn new(script: Script) -> Self {
        let worker = Worker::new(Rests::AtOnce, 0.0).with_limits(limits(&script));
        Self { worker, script, config: Arc::default(), used: false }
    }

    pub(super) fn worker(&self) -> &Worker {
        &self.worker
    }

    /// From now on nothing goes wrong.
    pub(super) fn heal(&mut self) {
        self.script.heal();
    }

    pub(super) fn on(&mut self, input: WorkerInput, now: Moment) -> Vec<WorkerOutput> {
        let mut out = Vec::new();
        self.worker.on(input, now, &mut out);
        out
    }

    fn place(&self, iteration: u64) -> Option<Place> {
        let info = self.worker.info()?;
        Some(Place { trial: info.id, attempt: info.attempt, iteration })
    }

    fn fault(&self, what: Happening, iteration: u64) -> Option<Fault> {
        self.script.fault(what, self.place(iteration)?)
    }

    fn happens(&self, what: Happening, iteration: u64) -> bool {
        self.place(iteration).is_some_and(|place| self.script.happens(what, place))
    }

    fn broken(&self) -> Option<Fault> {
        let gpus = self.worker.info().into_iter().flat_map(|info| &info.slot.gpus).flatten();
        let broken = gpus.into_iter().find(|gpu| self.script.broken_gpu == Some(**gpu))?;
        Some(Fault::new(FailureKind::UserError, format!("GPU {broken} fell off the bus")))
    }

    /// Makes a call, but for the ways to rest and to the end: how long it takes, and what comes of it.
    pub(super) fn make(&mut self, call: Call) -> (Duration, Made) {
        match call {
            Call::Begin { config, .. } => (self.script.setup, self.begin(config)),
            Call::Restore(checkpoint) => {
                let fault = self.fault(Happening::Restore, checkpoint.report.iteration());
                (Duration::ZERO, Made::Done(fault.map_or(WorkerInput::Restored, WorkerInput::Failed)))
            }
            Call::Work(_) => (self.script.step, self.step(self.worker.iteration() + 1)),
            Call::Save { checkpoint, .. } => {
                let saved = checkpoint.filter(|_| self.script.saves == Saves::Supported).map(|_| 8);
                if self.happens(Happening::HangInSave, self.worker.iteration()) {
                    return (self.script.save, Made::Never);
                }
                let fault = self.fault(Happening::Save, self.worker.iteration());
                (self.script.save, Made::Done(fault.map_or(WorkerInput::Saved(saved), WorkerInput::Failed)))
            }
            Call::Rest | Call::End => (Duration::ZERO, Made::Done(WorkerInput::AtRest)),
        }
    }

    fn begin(&mut self, config: Arc<Config>) -> Made {
        self.config = config;
        let used = std::mem::replace(&mut self.used, true);
        let reset = self.fault(Happening::Reset, 0).filter(|_| used).map(WorkerInput::ResetFailed);
        let failed = || self.fault(Happening::Setup, 0).map(WorkerInput::Failed);
        Made::Done(reset.or_else(failed).unwrap_or(WorkerInput::Ready))
    }

    fn step(&self, iteration: u64) -> Made {
        let fault = self.fault(Happening::Error, iteration).or_else(|| self.fault(Happening::Panic, iteration));
        if let Some(fault) = fault.or_else(|| self.broken()) {
            return Made::Done(WorkerInput::Failed(fault));
        }
        if self.happens(Happening::Lost, iteration) {
            return Made::Lost;
        }
        if self.happens(Happening::Hang, iteration) {
            return Made::Never;
        }
        let wish = match () {
            () if self.script.done_at.is_some_and(|last| iteration >= last) => Wish::End,
            () if self.happens(Happening::Wish, iteration) => Wish::Save,
            () => Wish::GoOn,
        };
        let metrics = self.script.report(&self.config, iteration);
        Made::Done(WorkerInput::Reported { metrics, wish, took: Some(self.script.step) })
    }

    /// Whether it is gone after the batch that it just handed in.
    pub(super) fn vanishes(&self) -> bool {
        self.happens(Happening::Vanish, self.worker.iteration())
    }
}

/// The limit that the worker itself watches over is one on the time of work: that of so many steps.
fn limits(script: &Script) -> Limits {
    let Some((last, keep)) = script.over_at else { return Limits::new() };
    let then = if keep == Keep::Checkpoint { OnLimit::SaveThenStop } else { OnLimit::FinishStep };
    // Sums of floating-point seconds may be a little less.
    let most = script.step.mul_f64(last as f64).saturating_sub(Duration::from_micros(1));
    Limits::new().trial(most, then)
}
