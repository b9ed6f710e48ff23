//! A trainable in its place: every call is contained, so that a panic is a fault like others.

use std::path::Path;

use super::contain::{contain, supported};
use crate::logic::config::Config;
use crate::logic::failure::{FailureKind, Fault};
use crate::logic::one_line::OneLine;
use crate::ports::error::TrialError;
use crate::ports::store::{CheckpointReader, CheckpointWriter};
use crate::ports::trainable::{Step, Trainable, TrialInfo};

/// Where a worker keeps its trainable, from trial to trial.
#[derive(Debug)]
pub(super) struct TrainableCell<T>(Option<T>);

/// What became of a start.
#[derive(Debug)]
pub(super) enum Started {
    /// The trainable is there.
    Ready,
    /// The one that is there can't become another trial.
    ResetFailed(Fault),
}

impl<T: Trainable> TrainableCell<T> {
    pub(super) fn empty() -> Self {
        Self(None)
    }

    /// Resets the trainable that is there, else sets up a new one.
    pub(super) fn start(&mut self, info: &TrialInfo, config: &Config) -> Result<Started, Fault> {
        if let Some(trainable) = &mut self.0 {
            let reset = contain(FailureKind::SetupFailed, || supported(trainable.reset(config.parse()?, info)));
            match reset {
                Ok(true) => return Ok(Started::Ready),
                Ok(false) => self.clean_up(),
                Err(fault) => {
                    if fault.kind == FailureKind::Panic {
                        self.vacate();
                    }
                    return Ok(Started::ResetFailed(fault));
                }
            }
        }
        self.0 = Some(contain(FailureKind::SetupFailed, || T::setup(config.parse()?, info))?);
        Ok(Started::Ready)
    }

    /// Calls the trainable. What panicked may be in any state: it is not called again, only dropped.
    fn call<R>(&mut self, kind: FailureKind, call: impl FnOnce(&mut T) -> Result<R, TrialError>) -> Result<R, Fault> {
        let lost = || Fault::new(FailureKind::WorkerLost, "the worker has no trainable");
        let trainable = self.0.as_mut().ok_or_else(lost)?;
        let answer = contain(kind, || call(trainable));
        if answer.as_ref().is_err_and(|fault| fault.kind == FailureKind::Panic) {
            self.vacate();
        }
        answer
    }

    pub(super) fn step(&mut self) -> Result<Step, Fault> {
        self.call(FailureKind::UserError, T::step)
    }

    pub(super) fn restore(&mut self, reader: &mut CheckpointReader) -> Result<(), Fault> {
        self.call(FailureKind::RestoreFailed, |trainable| trainable.restore(reader))
    }

    /// Whether there was anything to save.
    pub(super) fn save(&mut self, writer: &mut CheckpointWriter) -> Result<bool, Fault> {
        self.call(FailureKind::SaveFailed, |trainable| supported(trainable.save(writer)))
    }

    pub(super) fn export(&mut self, format: &str, directory: &Path) -> Result<(), Fault> {
        self.call(FailureKind::ExportFailed, |trainable| trainable.export(format, directory))
    }

    /// The trainable's last call, and its end.
    pub(super) fn clean_up(&mut self) {
        if let Some(trainable) = &mut self.0 {
            let stopped = contain(FailureKind::UserError, || {
                trainable.stop();
                Ok(())
            });
            if let Err(fault) = stopped {
                log::warn!("a trainable's clean-up failed: {}", OneLine(&fault));
            }
        }
        self.vacate();
    }

    fn vacate(&mut self) {
        let trainable = self.0.take();
        let dropped = contain(FailureKind::UserError, || {
            drop(trainable);
            Ok(())
        });
        if let Err(fault) = dropped {
            log::warn!("a trainable couldn't be dropped: {}", OneLine(&fault));
        }
    }
}
