//! What one member of a population went through, and its replay by a trial of its own.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::logic::config::Config;
use crate::logic::decision::{Directive, Verdict};
use crate::logic::event::{Ending, Exploit};
use crate::logic::ids::TrialId;
use crate::logic::metrics::Report;
use crate::logic::schedule::{Buffering, Cohort, ScheduleError, Scheduler};
use crate::logic::space::Space;
use crate::logic::spec::{Check, PartSpec};
use crate::logic::state::{PartState, StateError, StateForm};

const NAME: &str = "Replay";

/// A schedule of configurations: what a trial and those whose copy it was went through, from the beginning on.
///
/// In JSON: `{"start": {"lr": 0.1}, "steps": [{"iteration": 5, "config": {"lr": 0.08}}]}`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// The configuration to begin with.
    pub start: Config,
    /// Its changes, in their order.
    pub steps: Vec<PolicyStep>,
}

/// A change of the configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PolicyStep {
    /// After so many iterations.
    pub iteration: u64,
    /// The configuration from then on.
    pub config: Config,
}

impl Policy {
    /// The way to where `trial` is, from what `known` says of each trial: its exploits so far, and its configuration. None if
    /// something of it isn't known.
    pub(crate) fn of<'r>(
        trial: TrialId,
        known: impl Fn(TrialId) -> Option<(&'r [Arc<Exploit>], &'r Arc<Config>)>,
    ) -> Option<Self> {
        let (mut trial, mut generation) = (trial, known(trial)?.0.len());
        let mut steps = Vec::new();
        loop {
            let (lineage, config) = known(trial)?;
            let Some(last) = generation.checked_sub(1) else {
                let start = lineage.first().map_or(config, |first| &first.before);
                steps.reverse();
                return Some(Self { start: Config::clone(start), steps });
            };
            let exploit = lineage.get(last)?;
            let iteration = exploit.checkpoint.report.iteration();
            steps.push(PolicyStep { iteration, config: Config::clone(&exploit.config) });
            (trial, generation) = (exploit.checkpoint.id.trial, exploit.generation);
        }
    }
}

/// Replays a [`Policy`]: each trial begins with its first configuration, and after each of its steps goes on from its own
/// checkpoint with the next one.
///
/// When to use it: to train once more, from the beginning and alone, with the schedule that a population found. Get the
/// policy of the best trial by [`Results::policy`](crate::Results::policy).
///
/// ```
/// use tryout::prelude::*;
/// use tryout::schedule::{Policy, Replay};
///
/// let text = r#"{"start": {"lr": 0.1}, "steps": [{"iteration": 5, "config": {"lr": 0.08}}]}"#;
/// let policy: Policy = serde_json::from_str(text)?;
/// # let trainable = function("t", |_: Config, trial| { for _ in 0..9 { trial.report_with([("loss", 1.0)], |_| Ok(()))?; } Ok(()) });
/// let results = Experiment::new("again", trainable).points([policy.start.clone()]).scheduler(Replay::new(policy)).run()?;
/// assert_eq!(results.trials()[0].config.number("lr"), Some(0.08));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Source: Ray Tune's `PopulationBasedTrainingReplay`. Unlike there, several trials can replay a policy side by side.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Replay {
    policy: Policy,
    #[serde(skip)]
    state: State,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct State {
    /// The next step of each trial.
    next: BTreeMap<TrialId, usize>,
}

impl Replay {
    /// Of this policy.
    pub fn new(policy: Policy) -> Self {
        Self { policy, state: State::default() }
    }
}

impl Scheduler for Replay {
    fn on_report(&mut self, trial: TrialId, report: &Report, _: &dyn Cohort) -> Verdict {
        let next = self.state.next.entry(trial).or_default();
        let due = self.policy.steps.iter().skip(*next).take_while(|step| step.iteration <= report.iteration());
        let Some(step) = due.clone().last() else { return Verdict::CONTINUE };
        *next += due.count();
        let (number, all) = (*next, self.policy.steps.len());
        let reason = format!("iteration {}: step {number} of the {all} of its policy", report.iteration());
        Verdict::exploit(trial, trial, step.config.clone(), reason)
    }

    /// Whatever was suggested, a trial begins as the policy says.
    fn complete(&mut self, _: TrialId, config: &mut Config) {
        *config = self.policy.start.clone();
    }

    fn on_end(&mut self, trial: TrialId, _: Ending, _: Option<&Report>, _: &dyn Cohort) -> Vec<Directive> {
        self.state.next.remove(&trial);
        Vec::new()
    }

    /// Checks the policy.
    fn prepare(&mut self, _: Option<&crate::logic::metrics::Objective>) -> Result<(), ScheduleError> {
        let steps = &self.policy.steps;
        let turned = steps.windows(2).find(|pair| pair[0].iteration > pair[1].iteration);
        let value = turned.map(|pair| format!("one with iteration {} before {}", pair[0].iteration, pair[1].iteration));
        let expected = "one whose steps are in their order";
        Ok(Check(NAME).require(value.is_none(), "policy", value.unwrap_or_default(), expected)?)
    }

    /// What is searched is of no account: every trial begins as the policy says.
    fn space_with(&self, _: &Space) -> Result<Option<Space>, ScheduleError> {
        let why = "it gives every trial the configurations of its policy, so no other space can be searched".to_owned();
        Err(ScheduleError::Space { scheduler: NAME.to_owned(), why })
    }

    fn buffering(&self) -> Buffering {
        Buffering::Refused
    }

    fn save(&self) -> Option<PartState> {
        StateForm::new(NAME).pack(&self.state)
    }

    fn restore(&mut self, state: PartState) -> Result<(), StateError> {
        self.state = StateForm::new(NAME).unpack(state)?;
        Ok(())
    }

    fn spec(&self) -> Option<PartSpec> {
        PartSpec::new(NAME, self)
    }

    fn name(&self) -> &str {
        NAME
    }
}
