//! Stop rules: when a trial, or the whole experiment, is over. One rule a file.

use std::borrow::Cow;

use super::ids::TrialId;
use super::metrics::Report;
use super::time::Moment;

/// Why something is stopped, in words a person can read.
pub type StopReason = Cow<'static, str>;

/// How far the experiment is, for rules about the whole of it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Progress {
    /// Now.
    pub now: Moment,
    /// Trials added so far.
    pub trials: u64,
    /// Trials ended so far.
    pub ended: u64,
    /// Reports of all trials so far.
    pub reports: u64,
}

/// Says when a trial, or all of it, is over.
pub trait StopRule: Send {
    /// Is `trial` over with this report? It sees every report once, in order, up to the one that ends the trial.
    fn check(&mut self, trial: TrialId, report: &Report) -> Option<StopReason>;

    /// Is the whole experiment over? Asked after each report, each end of a trial, and at [`deadline`](StopRule::deadline).
    fn check_experiment(&mut self, _progress: &Progress) -> Option<StopReason> {
        None
    }

    /// The next moment at which [`check_experiment`](StopRule::check_experiment) wants to be asked without a report.
    fn deadline(&self) -> Option<Moment> {
        None
    }

    /// `trial` is over: what is kept of it can go.
    fn forget(&mut self, _trial: TrialId) {}
}
