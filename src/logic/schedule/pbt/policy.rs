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
use crate::logic::spec::PartSpec;
use crate::logic::state::{PartState, StateError, common_run, pack, unpack};

const NAME: &str = "Replay";

/// A schedule of configurations: what a trial and those whose copy it was went through, from the beginning on.
///
/// In JSON: `{"start": {"lr": 0.1}, "steps": [{"iteration": 5, "config": {"lr": 0.08}}]}`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// The configuration to begin with.
    pub start: Config,
    /// Its changes, in their order.
    pub steps: Vec<PolicyStep>,
}

/// A change of the configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
/// use tryout::logic::schedule::{Policy, Replay};
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
#[serde(deny_unknown_fields)]
pub struct Replay {
    policy: Policy,
    /// The next step of each trial.
    #[serde(skip)]
    next: BTreeMap<TrialId, usize>,
}

#[derive(Serialize, Deserialize)]
struct Saved {
    run: crate::logic::ids::RunId,
    next: Vec<(u32, usize)>,
}

impl Replay {
    /// Of this policy.
    pub fn new(policy: Policy) -> Self {
        Self { policy, next: BTreeMap::new() }
    }
}

impl Scheduler for Replay {
    fn on_report(&mut self, trial: TrialId, report: &Report, _: &dyn Cohort) -> Verdict {
        let next = self.next.entry(trial).or_default();
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
        self.next.remove(&trial);
        Vec::new()
    }

    /// Checks the policy.
    fn prepare(&mut self, _: Option<&crate::logic::metrics::Objective>) -> Result<(), ScheduleError> {
        let steps = &self.policy.steps;
        match steps.windows(2).find(|pair| pair[0].iteration > pair[1].iteration) {
            None => Ok(()),
            Some(pair) => Err(ScheduleError::Setting {
                scheduler: NAME,
                setting: "policy",
                value: format!("one with iteration {} before {}", pair[0].iteration, pair[1].iteration),
                expected: "one whose steps are in their order",
            }),
        }
    }

    fn buffering(&self) -> Buffering {
        Buffering::Refused
    }

    fn save(&self) -> Option<PartState> {
        let run = common_run(self.next.keys().copied())?;
        pack(NAME, &Saved { run, next: self.next.iter().map(|(trial, next)| (trial.number(), *next)).collect() })
    }

    fn restore(&mut self, state: PartState) -> Result<(), StateError> {
        let saved: Saved = unpack(NAME, state)?;
        self.next = saved.next.into_iter().map(|(number, next)| (TrialId::new(saved.run, number), next)).collect();
        Ok(())
    }

    fn spec(&self) -> Option<PartSpec> {
        PartSpec::new(NAME, self)
    }

    fn name(&self) -> &str {
        NAME
    }
}
