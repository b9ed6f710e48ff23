//! Trainables that go step by step and await, on arbiters.

use std::sync::Arc;

use tokio::sync::mpsc::UnboundedReceiver;

use super::arbiter::ArbiterBackend;
use super::contain::{contain, contain_async, contain_fault, present, supported};
use super::context::WorkerContext;
use super::own_request::OwnRequest;
use super::thread::Told;
use crate::logic::checkpoint::CheckpointId;
use crate::logic::config::Config;
use crate::logic::failure::{FailureKind, Fault};
use crate::logic::one_line::OneLine;
use crate::logic::trial::Rests;
use crate::logic::worker::{Call, WorkerInput};
use crate::ports::trainable::AsyncTrainable;

/// Runs an [`AsyncTrainable`]: the async twin of [`stepwise`](super::stepwise). Many such trials share one arbiter.
pub fn async_stepwise<T: AsyncTrainable>() -> ArbiterBackend {
    let own = OwnRequest::new(T::default_resources);
    ArbiterBackend::new(
        std::any::type_name::<T>(),
        Rests::AtOnce,
        {
            let own = own.clone();
            Arc::new(move |context, orders| {
                Box::pin(AsyncStepwise::<T> { context, orders, trainable: None, own: own.clone() }.run())
            })
        },
        own.rule(),
    )
    .reporting(T::METRICS)
    .exporting(T::EXPORTS.iter().copied())
}

/// The shell of a worker that awaits: the async twin of [`Stepwise`](super::stepwise::Stepwise).
struct AsyncStepwise<T: AsyncTrainable> {
    context: WorkerContext,
    orders: UnboundedReceiver<Told>,
    trainable: Option<T>,
    own: OwnRequest<T::Config>,
}

impl<T: AsyncTrainable> AsyncStepwise<T> {
    async fn run(mut self) {
        loop {
            match self.context.take_call() {
                Some(Call::End) => break,
                Some(call) => {
                    let done = self.make(call).await.unwrap_or_else(|fault| self.failed(fault));
                    while let Ok(told) = self.orders.try_recv() {
                        self.context.order(told);
                    }
                    self.context.on(done);
                }
                None => match self.orders.recv().await {
                    Some(told) => self.context.order(told),
                    None => break,
                },
            }
        }
        self.clean_up().await;
    }

    /// What panicked may be in any state: it is not called again, only dropped.
    fn failed(&mut self, fault: Fault) -> WorkerInput {
        if fault.kind == FailureKind::Panic {
            self.drop_trainable();
        }
        WorkerInput::Failed(fault)
    }

    async fn make(&mut self, call: Call) -> Result<WorkerInput, Fault> {
        match call {
            Call::Work(_) => {
                let step = present(&mut self.trainable)?.step();
                contain_async(FailureKind::UserError, step).await.map(WorkerInput::from)
            }
            Call::Begin { config, .. } => self.begin(&config).await,
            Call::Restore(checkpoint) => {
                let opened = contain_fault(|| self.context.open(checkpoint.id))?;
                let Some(mut reader) = opened else { return Ok(WorkerInput::CheckpointGone) };
                let restore = present(&mut self.trainable)?.restore(&mut reader);
                contain_async(FailureKind::RestoreFailed, restore).await?;
                Ok(WorkerInput::Restored)
            }
            Call::Save { checkpoint, export } => self.save(checkpoint, &export).await.map(WorkerInput::Saved),
            Call::Rest | Call::End => Ok(WorkerInput::AtRest),
        }
    }

    async fn begin(&mut self, config: &Config) -> Result<WorkerInput, Fault> {
        let Some(info) = self.context.info().cloned() else { return Ok(WorkerInput::AtRest) };
        self.own.check(config)?;
        if let Some(trainable) = &mut self.trainable {
            let reset = async { supported(trainable.reset(config.parse()?, &info).await) };
            match contain_async(FailureKind::SetupFailed, reset).await {
                Ok(true) => return Ok(WorkerInput::Ready),
                Ok(false) => self.clean_up().await,
                Err(fault) => {
                    if fault.kind == FailureKind::Panic {
                        self.drop_trainable();
                    }
                    return Ok(WorkerInput::ResetFailed(fault));
                }
            }
        }
        let setup = async { T::setup(config.parse()?, &info).await };
        self.trainable = Some(contain_async(FailureKind::SetupFailed, setup).await?);
        Ok(WorkerInput::Ready)
    }

    async fn save(&mut self, id: Option<CheckpointId>, export: &[String]) -> Result<Option<u64>, Fault> {
        let trainable = present(&mut self.trainable)?;
        let mut saved = None;
        if let Some(id) = id {
            let mut writer = contain_fault(|| self.context.begin_checkpoint(id))?;
            let save = async { supported(trainable.save(&mut writer).await) };
            if contain_async(FailureKind::SaveFailed, save).await? {
                saved = Some(contain_fault(|| self.context.complete(writer))?);
            }
        }
        let trial = self.context.info().map(|info| info.id);
        for (format, trial) in export.iter().zip(trial.into_iter().cycle()) {
            let directory = contain_fault(|| self.context.export_directory(trial, format))?;
            contain_async(FailureKind::ExportFailed, trainable.export(format, &directory)).await?;
            contain_fault(|| self.context.exported(trial, format))?;
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
            log::warn!("a trainable's clean-up failed: {}", OneLine(&fault));
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
            log::warn!("a trainable couldn't be dropped: {}", OneLine(&fault));
        }
    }
}
