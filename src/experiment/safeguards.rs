//! The settings that spare time and machines: when a run is held or ended by itself.

use std::time::Duration;

use super::builder::Experiment;
use crate::error::SettingsError;
use crate::logic::engine::{OnSameError, SameError};
use crate::logic::limit::{OnLimit, TimeLimit};
use crate::logic::metrics::ReportLimits;
use crate::logic::settings::WrongSetting;

impl Experiment {
    /// What is done when the same error has ended attempts on so many workers, at least 2, with nothing in between that went
    /// well. Default: nothing. [`SameError`] says what is the same and what is counted. A run that is held waits
    /// for [`Control::proceed`](crate::prelude::Control::proceed), so [`run`](Experiment::run), which gives nobody control,
    /// takes [`OnSameError::End`] only.
    #[must_use]
    pub fn same_error(mut self, workers: u32, then: OnSameError) -> Self {
        self.settings.same_error = Some(SameError { workers, then });
        self
    }

    /// How long the run may take: the active time of all its sessions, not counting what is between them. When it is reached,
    /// nobody new starts, and trials that run end as `then` says; the outcome is [`Outcome::Stopped`](crate::logic::event::Outcome::Stopped), with a reason that names
    /// the limit. A step or a checkpoint that takes longer than the [`grace`](Experiment::grace) from then on is waited for no
    /// more: its worker is ended, or left behind if it is a thread.
    ///
    /// [`stop::experiment_time`](crate::logic::stop::experiment_time) is the rule that waits for nobody's step, and gives workers
    /// their grace. A run that has reached its limit goes further if it is resumed with a later one, and `.extend(..)`.
    #[must_use]
    pub fn time_limit(mut self, limit: Duration, then: OnLimit) -> Self {
        self.settings.time_limit = Some(TimeLimit { after: limit, then });
        self
    }

    /// After so many different trials, at least 2, that failed one after another on the same GPU, that GPU is granted to nobody
    /// any more. Default: never. Whoever has it goes on, and it comes back with the next session. Observers hear of
    /// it ([`EventKind::Withdrawn`](crate::logic::event::EventKind::Withdrawn)), the pool's status names it, and requests that
    /// can't be met without it are refused.
    ///
    /// What goes well on a GPU ends its row of failures: a trial that leaves it without having failed and reported there (or
    /// was done), or a report of an iteration beyond the furthest that the failed trials had reached. Preemptions don't
    /// count. A trial that has several GPUs tells of each of them. What fails everywhere is no GPU's fault, but would be
    /// blamed on all of them: [`same_error`](Experiment::same_error) with no larger number catches that first.
    #[must_use]
    pub fn withdraw_gpus_after(mut self, trials: u32) -> Self {
        self.settings.withdraw_gpus_after = Some(trials);
        self
    }

    /// How much the reports of a trial may hold. Default: 4,096 names and 1 MiB in each report, 16,384 names of numbers in all
    /// reports of a trial. A trial that reports more fails, with what it reported and the limit.
    #[must_use]
    pub fn report_limits(mut self, limits: ReportLimits) -> Self {
        self.settings.report_limits = limits;
        self
    }

    /// Whether nothing in them needs a client: [`run`](Experiment::run) gives nobody control.
    pub(super) fn check_uncontrolled(&self) -> Result<(), SettingsError> {
        match self.settings.same_error {
            Some(SameError { then: OnSameError::Hold, .. }) => {
                let expected =
                    "`OnSameError::End` with `run()`, since nobody could let it go on; `start()` gives control";
                Err(WrongSetting::new("same_error", "`OnSameError::Hold`", expected).into())
            }
            _ => Ok(()),
        }
    }
}
