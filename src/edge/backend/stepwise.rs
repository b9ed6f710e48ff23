//! Trainables that go step by step, on threads.

use std::sync::Arc;

use super::cell::{Started, TrainableCell};
use super::contain::contain_fault;
use super::context::WorkerContext;
use super::own_request::OwnRequest;
use super::thread::{Orders, ThreadBackend};
use crate::logic::checkpoint::CheckpointId;
use crate::logic::config::Config;
use crate::logic::failure::Fault;
use crate::logic::trial::Rests;
use crate::logic::worker::{Call, WorkerInput};
use crate::ports::trainable::Trainable;

/// Runs a [`Trainable`], each on a thread of its own.
///
/// ```
/// use tryout::prelude::*;
/// # struct Net;
/// # impl Trainable for Net {
/// #     type Config = Config;
/// #     fn setup(_: Config, _: &TrialInfo) -> Result<Self, TrialError> { Ok(Net) }
/// #     fn step(&mut self) -> Result<Step, TrialError> { Ok(Step::done([("loss", 0.5)])) }
/// # }
/// let results = Experiment::new("nets", stepwise::<Net>())
///     .space(Space::new().with("lr", log_uniform(1e-4, 1e-1)))
///     .samples(3)
///     .run()?;
/// assert_eq!(results.trials().len(), 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn stepwise<T: Trainable>() -> ThreadBackend {
    let own = OwnRequest::new(T::default_resources);
    ThreadBackend::new(
        std::any::type_name::<T>(),
        Rests::AtOnce,
        {
            let own = own.clone();
            Arc::new(move |context, orders| Stepwise::<T, _>::new(context, orders, Some(own.clone())).run())
        },
        own.rule(),
    )
    .reporting(T::METRICS)
    .exporting(T::EXPORTS.iter().copied())
}

/// The shell of a worker on a thread: it makes the calls, one after another.
pub(in crate::edge) struct Stepwise<T: Trainable, O> {
    context: WorkerContext,
    orders: O,
    cell: TrainableCell<T>,
    /// What it asks for, if somebody in this process has asked it.
    own: Option<OwnRequest<T::Config>>,
}

impl<T: Trainable, O: Orders> Stepwise<T, O> {
    pub(in crate::edge) fn new(context: WorkerContext, orders: O, own: Option<OwnRequest<T::Config>>) -> Self {
        Self { context, orders, cell: TrainableCell::empty(), own }
    }

    /// From the first order to the last.
    pub(in crate::edge) fn run(&mut self) {
        loop {
            match self.context.take_call() {
                Some(Call::End) => break,
                Some(call) => {
                    let done = self.make(call);
                    // What was ordered in the meantime goes first: it may make void what was done.
                    while let Some(told) = self.orders.poll() {
                        self.context.order(told);
                    }
                    self.context.on(done);
                }
                None => match self.orders.next() {
                    Some(told) => self.context.order(told),
                    None => break,
                },
            }
        }
        self.cell.clean_up();
    }

    fn make(&mut self, call: Call) -> WorkerInput {
        let done = match call {
            Call::Work(_) => {
                let step = self.cell.step();
                self.orders.stepped();
                step.map(WorkerInput::from)
            }
            Call::Begin { config, .. } => Ok(self.begin(&config)),
            // The store may be a user's.
            Call::Restore(checkpoint) => contain_fault(|| self.restore(checkpoint.id)),
            Call::Save { checkpoint, export } => {
                contain_fault(|| self.save(checkpoint, &export)).map(WorkerInput::Saved)
            }
            Call::Rest | Call::End => Ok(WorkerInput::AtRest),
        };
        done.unwrap_or_else(WorkerInput::Failed)
    }

    fn begin(&mut self, config: &Config) -> WorkerInput {
        let Some(info) = self.context.info() else { return WorkerInput::AtRest };
        if let Some(Err(fault)) = self.own.as_ref().map(|own| own.check(config)) {
            return WorkerInput::Failed(fault);
        }
        match self.cell.start(info, config) {
            Ok(Started::Ready) => WorkerInput::Ready,
            Ok(Started::ResetFailed(fault)) => WorkerInput::ResetFailed(fault),
            Err(fault) => WorkerInput::Failed(fault),
        }
    }

    fn restore(&mut self, id: CheckpointId) -> Result<WorkerInput, Fault> {
        let Some(mut reader) = self.context.open(id)? else { return Ok(WorkerInput::CheckpointGone) };
        self.cell.restore(&mut reader)?;
        Ok(WorkerInput::Restored)
    }

    fn save(&mut self, id: Option<CheckpointId>, export: &[String]) -> Result<Option<u64>, Fault> {
        let mut saved = None;
        if let Some(id) = id {
            let mut writer = self.context.begin_checkpoint(id)?;
            if self.cell.save(&mut writer)? {
                saved = Some(self.context.complete(writer)?);
            }
        }
        let trial = self.context.info().map(|info| info.id);
        for (format, trial) in export.iter().zip(trial.into_iter().cycle()) {
            let directory = self.context.export_directory(trial, format)?;
            self.cell.export(format, &directory)?;
            self.context.exported(trial, format)?;
        }
        Ok(saved)
    }
}
