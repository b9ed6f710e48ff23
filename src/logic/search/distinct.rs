//! No configuration twice.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::{Effort, Limiting, SearchError, Searcher, Suggestion};
use crate::logic::config::Config;
use crate::logic::event::Ending;
use crate::logic::ids::TrialId;
use crate::logic::metrics::{Metrics, Objective, Report};
use crate::logic::spec::PartSpec;
use crate::logic::state::{PartState, StateError, pack, unpack};

const PART: &str = "Distinct";
/// So many repetitions in a row mean that there is nothing else.
const PATIENCE: u32 = 100;

/// Another searcher without the suggestions that it has made before: in a small space of choices and whole numbers most
/// searchers come back to the same place.
///
/// A repetition is passed over, and the searcher is asked again; it hears that the trial failed, so that one that learns
/// turns elsewhere. After a hundred repetitions in a row nothing more is expected of it: it is exhausted.
///
/// ```
/// use tryout::prelude::*;
/// use tryout::logic::search::{Distinct, Variants};
///
/// let coins = Variants::new(Space::new().with("side", choice(["heads", "tails"])), 7)?.samples(1000);
/// # let trainable = function("t", |_: Config, trial| { trial.report([("loss", 1.0)])?; Ok(()) });
/// let results = Experiment::new("coins", trainable).searcher(Distinct::new(coins)).run()?;
/// assert_eq!(results.trials().len(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Distinct<S = Box<dyn Searcher>> {
    inner: S,
    /// The JSON of all that was suggested.
    seen: HashSet<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    pub(super) inner: PartSpec,
}

#[derive(Serialize, Deserialize)]
struct Saved {
    seen: Vec<String>,
    inner: PartState,
}

impl<S: Searcher> std::fmt::Debug for Distinct<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct(PART).field("inner", &self.inner.name()).field("seen", &self.seen.len()).finish_non_exhaustive()
    }
}

impl<S: Searcher> Distinct<S> {
    /// Around `inner`.
    pub fn new(inner: S) -> Self {
        Self { inner, seen: HashSet::new() }
    }
}

impl<S: Searcher> Searcher for Distinct<S> {
    fn suggest(&mut self, trial: TrialId) -> Result<Suggestion, SearchError> {
        for _ in 0..PATIENCE {
            match self.inner.suggest(trial)? {
                Suggestion::Next(config) if !self.seen.insert(config.to_string()) => {
                    self.inner.on_end(trial, Ending::Error, None);
                }
                other => return Ok(other),
            }
        }
        Ok(Suggestion::Exhausted)
    }

    fn on_report(&mut self, trial: TrialId, report: &Report) {
        self.inner.on_report(trial, report);
    }

    fn on_pause(&mut self, trial: TrialId, last: Option<&Report>) {
        self.inner.on_pause(trial, last);
    }

    fn on_end(&mut self, trial: TrialId, ending: Ending, last: Option<&Report>) {
        self.inner.on_end(trial, ending, last);
    }

    fn observe(&mut self, config: &Config, metrics: &Metrics) -> Result<(), SearchError> {
        self.inner.observe(config, metrics)
    }

    fn prepare(&mut self, objective: Option<&Objective>) -> Result<(), SearchError> {
        self.inner.prepare(objective)
    }

    fn objectives(&self) -> &[Objective] {
        self.inner.objectives()
    }

    fn effort(&self) -> Effort {
        self.inner.effort()
    }

    /// How many are distinct isn't known before they are all there.
    fn total(&self) -> Option<u64> {
        None
    }

    fn lookahead(&self) -> usize {
        self.inner.lookahead()
    }

    fn limit(&mut self, live: usize) -> Limiting {
        self.inner.limit(live)
    }

    fn save(&self) -> Option<PartState> {
        let mut seen: Vec<String> = self.seen.iter().cloned().collect();
        seen.sort_unstable();
        pack(PART, &Saved { seen, inner: self.inner.save()? })
    }

    fn restore(&mut self, state: PartState) -> Result<(), StateError> {
        let saved: Saved = unpack(PART, state)?;
        self.inner.restore(saved.inner)?;
        self.seen = saved.seen.into_iter().collect();
        Ok(())
    }

    fn replay(&mut self, trial: TrialId, config: &Config) -> Result<(), SearchError> {
        self.seen.insert(config.to_string());
        self.inner.replay(trial, config)
    }

    fn spec(&self) -> Option<PartSpec> {
        PartSpec::new(PART, &Settings { inner: self.inner.spec()? })
    }

    fn name(&self) -> &str {
        self.inner.name()
    }
}
