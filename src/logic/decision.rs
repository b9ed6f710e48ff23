//! What a scheduler, a stop rule or a client wants of a trial, and the one rule that joins such wishes.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::ids::TrialId;

/// What is to become of a running trial. Two decisions are joined with `max`: a stop is never weakened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Decision {
    /// Go on training.
    #[default]
    Continue,
    /// Leave the worker, keep the trial for later.
    Pause,
    /// End the trial.
    Stop,
}

/// What a scheduler wants of a trial other than the one that reported.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Directive {
    /// End it, whatever its state.
    Stop(TrialId),
    /// End it, whatever its state, and say why.
    StopBecause(TrialId, Cow<'static, str>),
    /// Pause it; a pending one is taken out of the line.
    Pause(TrialId),
    /// Make a trial that the scheduler paused eligible again.
    Resume(TrialId),
}

/// A scheduler's answer to a report: a decision for the trial that reported, and directives for others.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verdict {
    /// For the trial that reported.
    pub decision: Decision,
    /// For other trials.
    pub directives: Vec<Directive>,
    /// Why, in words a person can read: `rung 9: 0.41 is in the worse two thirds (cut-off 0.37)`.
    pub reason: Option<Cow<'static, str>>,
}

impl Verdict {
    /// Go on, without a word.
    pub const CONTINUE: Verdict = Verdict { decision: Decision::Continue, directives: Vec::new(), reason: None };

    /// Pause the reporting trial.
    pub fn pause(reason: impl Into<Cow<'static, str>>) -> Self {
        Self { decision: Decision::Pause, directives: Vec::new(), reason: Some(reason.into()) }
    }

    /// Stop the reporting trial.
    pub fn stop(reason: impl Into<Cow<'static, str>>) -> Self {
        Self { decision: Decision::Stop, directives: Vec::new(), reason: Some(reason.into()) }
    }

    /// The same verdict with one more directive.
    #[must_use]
    pub fn with(mut self, directive: Directive) -> Self {
        self.directives.push(directive);
        self
    }
}
