//! Quasi-random points: spread more evenly than random ones, whatever their number.

use serde::{Deserialize, Serialize};

use super::setting::SearchSettingError;
use super::{SearchError, Searcher, Suggestion};
use crate::logic::config::Config;
use crate::logic::ids::TrialId;
use crate::logic::metrics::Objective;
use crate::logic::space::{Frame, Space, SpaceError};
use crate::logic::spec::{PartSpec, SpecError};
use crate::logic::state::{PartState, StateError, pack, unpack};

const PART: &str = "QuasiRandom";
/// A sequence has so many points; the next one is scrambled differently.
const POINTS: u64 = 1 << 16;
/// As many as each of the trials that may be ahead.
const LOOKAHEAD: usize = 64;

/// The points of a Sobol sequence, scrambled: random search without its gaps and clusters.
///
/// When to use it: in the place of random search whenever the space has no grid, for as many points as you like: the first
/// n are spread evenly for any n, best for powers of two. Nothing is learnt from results, so no worker waits.
///
/// - Every choice is one more dimension, conditional values too; at most 256 dimensions in all.
/// - After 65,536 points it goes on with another scrambling.
///
/// ```
/// use tryout::prelude::*;
/// use tryout::logic::search::QuasiRandom;
///
/// let space = Space::new().with("x", uniform(0.0, 1.0)).with("y", log_uniform(1e-3, 1.0));
/// # let trainable = function("t", |config: Config, trial| { trial.report([("loss", config.number("x").unwrap_or(0.0))])?; Ok(()) });
/// let experiment = Experiment::new("spread", trainable).searcher(QuasiRandom::new(space, 7)?).samples(16);
/// # assert_eq!(experiment.run()?.trials().len(), 16);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Source: Sobol 1967, "On the distribution of points in a cube and the approximate evaluation of integrals"; Owen 1998 for
/// the scrambling, as Burley 2020, "Practical Hash-based Owen Scrambling", does it in the crate `sobol_burley`.
#[derive(Clone, Debug)]
pub struct QuasiRandom {
    settings: Settings,
    frame: Frame,
    next: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    space: Space,
    #[serde(default)]
    seed: u64,
}

#[derive(Serialize, Deserialize)]
struct Saved {
    next: u64,
    dimensions: usize,
}

impl QuasiRandom {
    /// The points of `space`, scrambled by `seed`.
    ///
    /// # Errors
    /// If [`Space::check`] finds a problem, or the space has a grid.
    pub fn new(space: Space, seed: u64) -> Result<Self, SpaceError> {
        Self::from_settings(Settings { space, seed })
    }

    fn from_settings(settings: Settings) -> Result<Self, SpaceError> {
        Ok(Self { frame: Frame::new(settings.space.clone())?, settings, next: 0 })
    }

    pub(super) fn from_spec(spec: &PartSpec) -> Result<Self, SpecError> {
        Self::from_settings(spec.read()?).map_err(|error| spec.refuse(error))
    }

    /// A scrambling for each sequence.
    fn scrambling(&self) -> u32 {
        let mixed = (self.settings.seed ^ (self.next / POINTS)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> 32) as u32
    }
}

impl Searcher for QuasiRandom {
    fn suggest(&mut self, _: TrialId) -> Result<Suggestion, SearchError> {
        let (index, scrambling) = ((self.next % POINTS) as u32, self.scrambling());
        let dimensions = 0..self.frame.axes().len() as u32;
        let point: Vec<f64> =
            dimensions.map(|dimension| sobol_burley::sample(index, dimension, scrambling).into()).collect();
        let config = self.frame.config(&point, self.settings.seed, self.next).map_err(SearchError::new)?;
        self.next += 1;
        Ok(Suggestion::Next(config))
    }

    fn prepare(&mut self, _: Option<&Objective>) -> Result<(), SearchError> {
        let dimensions = self.frame.axes().len();
        if dimensions <= sobol_burley::NUM_DIMENSIONS as usize {
            return Ok(());
        }
        let value = format!("one with {dimensions} variables");
        Err(SearchSettingError { searcher: PART, setting: "space", value, expected: "one with at most 256" }.into())
    }

    fn lookahead(&self) -> usize {
        LOOKAHEAD
    }

    fn save(&self) -> Option<PartState> {
        pack(PART, &Saved { next: self.next, dimensions: self.frame.axes().len() })
    }

    fn restore(&mut self, state: PartState) -> Result<(), StateError> {
        let saved: Saved = unpack(PART, state)?;
        crate::logic::state::same(PART, "number of variables", &saved.dimensions, &self.frame.axes().len())?;
        self.next = saved.next;
        Ok(())
    }

    /// None is computed anew.
    fn replay(&mut self, _: TrialId, _: &Config) -> Result<(), SearchError> {
        self.next = self.next.saturating_add(1);
        Ok(())
    }

    fn spec(&self) -> Option<PartSpec> {
        PartSpec::new(PART, &self.settings)
    }

    fn name(&self) -> &str {
        PART
    }
}
