//! What would run: everything is checked as before a run, and nothing is touched.

use std::sync::Arc;

use super::super::builder::Experiment;
use super::super::given::RunParts;
use super::super::guard;
use super::super::what_to_try;
use crate::error::SettingsError;
use crate::logic::config::Config;
use crate::logic::ids::TrialId;
use crate::logic::metrics::Objective;
use crate::logic::pool::{ResourceRequest, Resources};
use crate::logic::search::Suggestion;

/// What an experiment would do first.
#[derive(Debug)]
pub struct Preview {
    /// How many trials there will be, if that is known.
    pub trials: Option<u64>,
    /// What counts.
    pub objective: Option<Objective>,
    /// What there is to run on.
    pub machine: Resources,
    /// The first trials.
    pub first: Vec<Previewed>,
}

/// One of the first trials.
#[derive(Debug)]
pub struct Previewed {
    /// Its configuration.
    pub config: Config,
    /// What it needs; or why it could never run.
    pub request: Result<Arc<ResourceRequest>, String>,
}

impl Experiment {
    /// What would run first: at most `most` trials, as many as the searcher can say without results.
    ///
    /// # Errors
    /// As [`start`](Self::start), but for what only the world can say.
    pub fn preview(mut self, most: usize) -> Result<Preview, SettingsError> {
        self.ask_parts()?;
        self.describe()?;
        self.settings.check()?;
        let seed = self.settle_seed();
        let experiment = Arc::new(std::mem::take(&mut self.settings));
        let RunParts { space, searcher, mut scheduler, stop } = self.given.take_parts(&experiment)?;
        guard::ask("the scheduler", "take_seed", || scheduler.take_seed(seed))?;
        guard::ask("the scheduler", "prepare", || scheduler.prepare(experiment.objective.as_ref()))??;
        let objective = experiment.objective.clone().or_else(|| scheduler.objectives().first().cloned());
        what_to_try::check_places(&experiment, space.as_ref(), &*self.backend)?;
        for rule in &stop {
            guard::ask("a stop rule", "validate", || rule.validate())??;
        }
        let timed = experiment.time_limit.is_some() || stop.iter().any(|rule| rule.deadline().is_some());
        let mut searcher = what_to_try::searcher(&experiment, searcher, space, (timed, false))?;
        guard::ask("the searcher", "prepare", || searcher.prepare(objective.as_ref()))??;
        let settings = self.engine_settings(experiment, objective.clone())?;
        let mut first = Vec::new();
        for number in 0..u32::try_from(most).unwrap_or(u32::MAX) {
            let trial = TrialId::new(settings.run, number);
            let Suggestion::Next(config) = guard::ask("the searcher", "suggest", || searcher.suggest(trial))?? else {
                break;
            };
            let request = (settings.request)(&config);
            first.push(Previewed { config, request });
        }
        Ok(Preview { trials: searcher.total(), objective, machine: settings.total.clone(), first })
    }
}
