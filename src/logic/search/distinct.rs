//! No configuration twice.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Effort, SearchError, Searcher, Suggestion};
use crate::logic::config::Config;
use crate::logic::event::Ending;
use crate::logic::ids::TrialId;
use crate::logic::spec::PartSpec;
use crate::logic::state::{PartState, StateError, StateForm};

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
/// use tryout::search::{Distinct, Variants};
///
/// let coins = Variants::new(Space::new().with("side", choice(["heads", "tails"])), 7)?.samples(1000);
/// # let trainable = function("t", |_: Config, trial| { trial.report([("loss", 1.0)])?; Ok(()) });
/// let results = Experiment::new("coins", trainable).searcher(Distinct::new(coins)).run()?;
/// assert_eq!(results.trials().len(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Distinct {
    inner: Box<dyn Searcher>,
    #[serde(skip)]
    state: State,
    /// Whether the searcher inside has answered a replay otherwise than in the past.
    #[serde(skip)]
    astray: bool,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct State {
    /// The JSON of all that was suggested.
    seen: BTreeSet<String>,
}

impl Distinct {
    /// Around `inner`.
    pub fn new(inner: impl Searcher + 'static) -> Self {
        Self { inner: Box::new(inner), state: State::default(), astray: false }
    }

    /// Asks the searcher inside until it suggests `config`, as it did in the past. Answers whether it does: it may be set
    /// otherwise now, and then what it suggests is tried by nobody.
    fn retrace(&mut self, trial: TrialId, config: &str) -> bool {
        for _ in 0..PATIENCE {
            let Ok(Suggestion::Next(found)) = self.inner.suggest(trial) else { return false };
            let found = found.to_string();
            if found == config {
                return true;
            }
            let repeats = self.state.seen.contains(&found);
            self.inner.on_end(trial, if repeats { Ending::Error } else { Ending::Client }, None);
            if !repeats {
                return false;
            }
        }
        false
    }
}

impl Searcher for Distinct {
    fn suggest(&mut self, trial: TrialId) -> Result<Suggestion, SearchError> {
        for _ in 0..PATIENCE {
            match self.inner.suggest(trial)? {
                Suggestion::Next(config) if !self.state.seen.insert(config.to_string()) => {
                    self.inner.on_end(trial, Ending::Error, None);
                }
                other => return Ok(other),
            }
        }
        Ok(Suggestion::Exhausted)
    }

    fn inner(&self) -> Option<&dyn Searcher> {
        Some(&self.inner)
    }

    fn inner_mut(&mut self) -> Option<&mut dyn Searcher> {
        Some(&mut self.inner)
    }

    /// How many are distinct isn't known before they are all there.
    fn total(&self) -> Option<u64> {
        None
    }

    fn save(&self) -> Option<PartState> {
        StateForm::new(PART).pack_around(&self.state, self.inner.save()?)
    }

    fn restore(&mut self, state: PartState) -> Result<(), StateError> {
        let (state, inner) = StateForm::new(PART).unpack_around(state)?;
        self.inner.restore(inner)?;
        self.state = state;
        Ok(())
    }

    /// The repetitions that were passed over aren't in the past, so the searcher inside is asked for them again: where it stands
    /// depends on them. One that thinks for long isn't: it is told what was tried, as is one that goes another way now.
    fn replay(&mut self, trial: TrialId, config: &Config) -> Result<(), SearchError> {
        let text = config.to_string();
        let retraced = !self.astray && self.inner.effort() == Effort::Light && self.retrace(trial, &text);
        self.astray |= !retraced && self.inner.effort() == Effort::Light;
        self.state.seen.insert(text);
        if retraced { Ok(()) } else { self.inner.replay(trial, config) }
    }

    fn spec(&self) -> Option<PartSpec> {
        PartSpec::new(PART, self)
    }
}
