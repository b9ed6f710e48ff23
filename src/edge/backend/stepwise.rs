//! The loop of a worker whose trainable goes step by step.

use std::sync::Arc;

use super::desk::Desk;
use super::seat::{Seat, Started};
use super::thread::{Orders, ThreadBackend, leaves};
use crate::logic::checkpoint::{Checkpoint, CheckpointId};
use crate::logic::config::Config;
use crate::logic::failure::Fault;
use crate::logic::ids::LeaseId;
use crate::logic::trial::{BatchEnd, BatchLimits, Rests, TrialInfo, WorkerFact, WorkerOrder};
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
    ThreadBackend::new(
        std::any::type_name::<T>(),
        Rests::AtOnce,
        Arc::new(|desk, orders| Stepwise::<T> { desk, orders, seat: Seat::empty(), fault: None }.run()),
        Arc::new(|config| config.parse().ok().and_then(|config| T::default_resources(&config))),
    )
    .reporting(T::METRICS)
}

struct Stepwise<T> {
    desk: Desk,
    orders: Orders,
    seat: Seat<T>,
    /// A failure that is said when the trial asks for more.
    fault: Option<Fault>,
}

impl<T: Trainable> Stepwise<T> {
    fn run(mut self) {
        while let Some((lease, order)) = self.orders.next() {
            let fact = match order {
                WorkerOrder::Start { info, config, first } => {
                    let started = self.start(info, &config);
                    if matches!(started, Ok(WorkerFact::Ready)) {
                        self.orders.go_on(lease, first);
                    }
                    started
                }
                WorkerOrder::Restore { checkpoint } => self.restore(&checkpoint).map(|()| WorkerFact::Restored),
                WorkerOrder::Train { limits, spare } => match self.train(limits, spare) {
                    Ok(Some(fact)) => Ok(fact),
                    Ok(None) => continue,
                    Err(fault) => Err(fault),
                },
                WorkerOrder::Save { checkpoint, export } => self.save(checkpoint, export).map(WorkerFact::Saved),
                WorkerOrder::Yield => continue,
                WorkerOrder::Release => Ok(WorkerFact::Released),
                WorkerOrder::Shutdown => break,
            };
            self.answer(lease, fact);
        }
        self.seat.clean_up();
    }

    fn answer(&mut self, lease: LeaseId, fact: Result<WorkerFact, Fault>) {
        self.desk.say(lease, fact.unwrap_or_else(WorkerFact::Failed));
    }

    fn start(&mut self, info: TrialInfo, config: &Config) -> Result<WorkerFact, Fault> {
        self.desk.begin_trial(info.clone());
        self.fault = None;
        Ok(match self.seat.start(&info, config)? {
            Started::Ready => WorkerFact::Ready,
            Started::ResetFailed(fault) => WorkerFact::ResetFailed(fault),
        })
    }

    fn restore(&mut self, checkpoint: &Checkpoint) -> Result<(), Fault> {
        let mut reader = self.desk.open(checkpoint.id)?;
        self.seat.restore(&mut reader)?;
        self.desk.continue_from(checkpoint);
        Ok(())
    }

    /// Steps until the batch ends. Nothing is answered if the trial has left in the meantime.
    fn train(&mut self, limits: BatchLimits, spare: CheckpointId) -> Result<Option<WorkerFact>, Fault> {
        self.fault.take().map_or(Ok(()), Err)?;
        self.desk.begin_batch(limits, spare);
        loop {
            let step = match self.seat.step() {
                Ok(step) => step,
                // What was reported before is handed in first.
                Err(fault) if self.desk.has_reports() => {
                    self.fault = Some(fault);
                    return Ok(Some(self.desk.end_batch(BatchEnd::Limit, None)));
                }
                Err(fault) => return Err(fault),
            };
            let mut end = self.desk.take(step.metrics, step.wish);
            if let Some((_, order)) = self.orders.peek() {
                if leaves(order) {
                    return Ok(None);
                }
                end = end.or(Some(BatchEnd::Limit));
            }
            if let Some(end) = end {
                return Ok(Some(self.desk.end_batch(end, None)));
            }
        }
    }

    fn save(&mut self, id: Option<CheckpointId>, export: bool) -> Result<Option<Arc<Checkpoint>>, Fault> {
        self.fault.take().map_or(Ok(()), Err)?;
        let mut saved = None;
        if let Some(id) = id {
            let mut writer = self.desk.begin_checkpoint(id)?;
            if self.seat.save(&mut writer)? {
                saved = Some(self.desk.complete(id, writer)?);
            }
        }
        if let (true, Some(trial)) = (export, self.desk.trial()) {
            let directory = self.desk.export_directory(trial)?;
            self.seat.export(&directory)?;
            self.desk.exported(trial)?;
        }
        Ok(saved)
    }
}
