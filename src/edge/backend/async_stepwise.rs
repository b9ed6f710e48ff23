//! The loop of a worker whose trainable goes step by step and awaits.

use std::sync::Arc;

use super::arbiter::{ArbiterBackend, Inbox};
use super::contain::{contain, contain_async, present, supported};
use super::desk::Desk;
use super::thread::leaves;
use crate::logic::checkpoint::{Checkpoint, CheckpointId};
use crate::logic::config::Config;
use crate::logic::failure::{FailureKind, Fault};
use crate::logic::ids::LeaseId;
use crate::logic::trial::{BatchEnd, BatchLimits, Rests, TrialInfo, WorkerFact, WorkerOrder};
use crate::ports::trainable::AsyncTrainable;

/// Runs an [`AsyncTrainable`]: the async twin of [`stepwise`](super::stepwise). Many such trials share one arbiter.
pub fn async_stepwise<T: AsyncTrainable>() -> ArbiterBackend {
    ArbiterBackend::new(
        std::any::type_name::<T>(),
        Rests::AtOnce,
        Arc::new(|desk, orders| Box::pin(AsyncStepwise::<T> { desk, orders, trainable: None, fault: None }.run())),
        Arc::new(|config| config.parse().ok().and_then(|config| T::default_resources(&config))),
    )
    .reporting(T::METRICS)
}

struct AsyncStepwise<T> {
    desk: Desk,
    orders: Inbox,
    trainable: Option<T>,
    /// A failure that is said when the trial asks for more.
    fault: Option<Fault>,
}

impl<T: AsyncTrainable> AsyncStepwise<T> {
    async fn run(mut self) {
        while let Some((lease, order)) = self.orders.next().await {
            let fact = match order {
                WorkerOrder::Start { info, config, first } => {
                    let started = self.start(info, &config).await;
                    if matches!(started, Ok(WorkerFact::Ready)) {
                        self.orders.go_on(lease, first);
                    }
                    started
                }
                WorkerOrder::Restore { checkpoint } => self.restore(&checkpoint).await.map(|()| WorkerFact::Restored),
                WorkerOrder::Train { limits, spare } => match self.train(limits, spare).await {
                    Ok(Some(fact)) => Ok(fact),
                    Ok(None) => continue,
                    Err(fault) => Err(fault),
                },
                WorkerOrder::Save { checkpoint, export } => self.save(checkpoint, export).await.map(WorkerFact::Saved),
                WorkerOrder::Yield => continue,
                WorkerOrder::Release => Ok(WorkerFact::Released),
                WorkerOrder::Shutdown => break,
            };
            self.answer(lease, fact);
        }
        self.clean_up().await;
    }

    fn answer(&mut self, lease: LeaseId, fact: Result<WorkerFact, Fault>) {
        let fact = fact.unwrap_or_else(|fault| {
            // What panicked may be in any state: it is not called again, only dropped.
            if fault.kind == FailureKind::Panic {
                self.drop_trainable();
            }
            WorkerFact::Failed(fault)
        });
        self.desk.say(lease, fact);
    }

    async fn start(&mut self, info: TrialInfo, config: &Config) -> Result<WorkerFact, Fault> {
        self.desk.begin_trial(info.clone());
        self.fault = None;
        if let Some(trainable) = &mut self.trainable {
            let reset = async { supported(trainable.reset(config.parse()?, &info).await) };
            match contain_async(FailureKind::SetupFailed, reset).await {
                Ok(true) => return Ok(WorkerFact::Ready),
                Ok(false) => self.clean_up().await,
                Err(fault) => return Ok(WorkerFact::ResetFailed(fault)),
            }
        }
        let setup = async { T::setup(config.parse()?, &info).await };
        self.trainable = Some(contain_async(FailureKind::SetupFailed, setup).await?);
        Ok(WorkerFact::Ready)
    }

    async fn restore(&mut self, checkpoint: &Checkpoint) -> Result<(), Fault> {
        let mut reader = self.desk.open(checkpoint.id)?;
        let trainable = present(&mut self.trainable)?;
        contain_async(FailureKind::RestoreFailed, trainable.restore(&mut reader)).await?;
        self.desk.continue_from(checkpoint);
        Ok(())
    }

    async fn train(&mut self, limits: BatchLimits, spare: CheckpointId) -> Result<Option<WorkerFact>, Fault> {
        self.fault.take().map_or(Ok(()), Err)?;
        self.desk.begin_batch(limits, spare);
        let trainable = present(&mut self.trainable)?;
        loop {
            let step = match contain_async(FailureKind::UserError, trainable.step()).await {
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

    async fn save(&mut self, id: Option<CheckpointId>, export: bool) -> Result<Option<Arc<Checkpoint>>, Fault> {
        self.fault.take().map_or(Ok(()), Err)?;
        let trainable = present(&mut self.trainable)?;
        let mut saved = None;
        if let Some(id) = id {
            let mut writer = self.desk.begin_checkpoint(id)?;
            let save = async { supported(trainable.save(&mut writer).await) };
            if contain_async(FailureKind::SaveFailed, save).await? {
                saved = Some(self.desk.complete(id, writer)?);
            }
        }
        if let (true, Some(trial)) = (export, self.desk.trial()) {
            let directory = self.desk.export_directory(trial)?;
            contain_async(FailureKind::ExportFailed, trainable.export(&directory)).await?;
            self.desk.exported(trial)?;
        }
        Ok(saved)
    }

    async fn clean_up(&mut self) {
        let Some(trainable) = &mut self.trainable else { return };
        let stop = async {
            trainable.stop().await;
            Ok(())
        };
        if let Err(fault) = contain_async(FailureKind::UserError, stop).await {
            log::warn!("a trainable's clean-up failed: {fault}");
        }
        self.drop_trainable();
    }

    fn drop_trainable(&mut self) {
        let trainable = self.trainable.take();
        let dropped = contain(FailureKind::UserError, || {
            drop(trainable);
            Ok(())
        });
        if let Err(fault) = dropped {
            log::warn!("a trainable couldn't be dropped: {fault}");
        }
    }
}
