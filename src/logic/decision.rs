//! What a scheduler, a stop rule or a client wants of a trial, and the one rule that joins such wishes.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::config::Config;
use super::ids::TrialId;
use super::pool::ResourceRequest;

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
    /// Launch it before trials with a lower priority from now on; all have 0 at first. It only matters to a trial that waits.
    Prioritise(TrialId, i32),
    /// Write a checkpoint, at the report that is being decided on or at its next one.
    Save(TrialId),
    /// Become a copy of another trial: pause, take over that one's newest checkpoint, and go on from there with another
    /// configuration when the trial is chosen next. Nothing waits for it: if the donor is just being saved, the trial
    /// stays paused until it is, and the run goes on. Without any checkpoint of the donor the trial goes on as it was.
    Exploit {
        /// Who becomes a copy.
        trial: TrialId,
        /// Of whom; the trial itself to go on from its own newest checkpoint.
        donor: TrialId,
        /// Its configuration from then on.
        config: Config,
        /// Why, in words a person can read.
        reason: Option<Cow<'static, str>>,
    },
    /// Give a trial other resources: it pauses, and asks for these when it is chosen next.
    Resize {
        /// Who.
        trial: TrialId,
        /// What it needs from then on.
        request: Arc<ResourceRequest>,
        /// Why, in words a person can read.
        reason: Option<Cow<'static, str>>,
    },
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

    /// Pause the reporting trial, and have it go on as a copy of `donor` with `config`; see [`Directive::Exploit`].
    pub fn exploit(trial: TrialId, donor: TrialId, config: Config, reason: impl Into<Cow<'static, str>>) -> Self {
        let reason = reason.into();
        let exploit = Directive::Exploit { trial, donor, config, reason: Some(reason.clone()) };
        Self::pause(reason).with(exploit)
    }

    /// The same verdict with one more directive.
    #[must_use]
    pub fn with(mut self, directive: Directive) -> Self {
        self.directives.push(directive);
        self
    }
}
