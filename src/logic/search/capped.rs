//! The first so many suggestions of another searcher.

use serde::{Deserialize, Serialize};

use super::{Samples, SearchError, Searcher, Suggestion};
use crate::logic::config::Config;
use crate::logic::event::Ending;
use crate::logic::ids::TrialId;
use crate::logic::metrics::Report;
use crate::logic::spec::PartSpec;
use crate::logic::state::{PartState, StateError, StateForm};

const PART: &str = "Capped";

/// Takes at most so many suggestions of a searcher.
///
/// When to use it: inside of another wrapper. Around all of them `.samples(n)` of an experiment means the same.
///
/// ```
/// use tryout::prelude::*;
/// use tryout::search::{Capped, Points, Searcher};
///
/// let points = Points::new((0..5).map(|x| Config::new().with("x", x)));
/// assert_eq!(Capped::new(Box::new(points), 3).total(), Some(3));
/// ```
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Capped {
    most: u64,
    inner: Box<dyn Searcher>,
    #[serde(skip)]
    state: State,
    /// How many there are to be by a client's word.
    #[serde(skip)]
    samples: Option<Samples>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct State {
    given: u64,
    /// So many of them were withdrawn before they began: others take their places.
    #[serde(default, skip_serializing_if = "is_zero")]
    withdrawn: u64,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Capped {
    /// At most `most` suggestions of `searcher`.
    pub fn new(searcher: Box<dyn Searcher>, most: u64) -> Self {
        Self { inner: searcher, most, state: State::default(), samples: None }
    }

    /// How many suggestions are taken, with those that were withdrawn.
    fn most(&self) -> u64 {
        let most = match self.samples {
            None => self.most,
            Some(Samples::Finite(samples)) => samples,
            Some(Samples::Infinite) => u64::MAX,
        };
        most.saturating_add(self.state.withdrawn)
    }
}

impl Searcher for Capped {
    fn suggest(&mut self, trial: TrialId) -> Result<Suggestion, SearchError> {
        if self.state.given >= self.most() {
            return Ok(Suggestion::Exhausted);
        }
        let suggestion = self.inner.suggest(trial)?;
        self.state.given += u64::from(matches!(suggestion, Suggestion::Next(_)));
        Ok(suggestion)
    }

    fn inner(&self) -> Option<&dyn Searcher> {
        Some(&self.inner)
    }

    fn inner_mut(&mut self) -> Option<&mut dyn Searcher> {
        Some(&mut self.inner)
    }

    fn on_end(&mut self, trial: TrialId, ending: Ending, last: Option<&Report>) {
        self.state.withdrawn += u64::from(ending == Ending::Withdrawn);
        self.inner.on_end(trial, ending, last);
    }

    fn set_samples(&mut self, samples: Option<Samples>) {
        self.samples = samples;
    }

    fn total(&self) -> Option<u64> {
        let most = Some(self.most()).filter(|_| self.samples != Some(Samples::Infinite));
        self.inner.total().into_iter().chain(most).min()
    }

    fn is_endless(&self) -> bool {
        false
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

    fn replay(&mut self, trial: TrialId, config: &Config) -> Result<(), SearchError> {
        self.state.given += 1;
        self.inner.replay(trial, config)
    }

    fn spec(&self) -> Option<PartSpec> {
        PartSpec::new(PART, self)
    }
}
