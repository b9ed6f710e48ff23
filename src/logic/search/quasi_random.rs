//! Quasi-random points: spread more evenly than random ones, whatever their number.

use serde::{Deserialize, Serialize};

use super::{SearchError, Searcher, Suggestion};
use crate::logic::config::Config;
use crate::logic::ids::TrialId;
use crate::logic::metrics::Objective;
use crate::logic::space::{Frame, Space, SpaceError};
use crate::logic::spec::{Check, PartSpec, Refused, SpecError};
use crate::logic::state::{PartState, StateError, StateForm};

const PART: &str = "QuasiRandom";
/// A sequence has so many points; the next one is scrambled differently.
const POINTS: u64 = 1 << 16;

/// The points of a Sobol sequence, scrambled: random search without its gaps and clusters.
///
/// When to use it: in the place of random search whenever the space has no grid, for as many points as you like: the first
/// n are spread evenly for any n, best for powers of two. Nothing is learnt from results, so no worker waits.
///
/// - Every choice is one more dimension, conditional values too; at most 256 dimensions in all.
/// - In a space that is changed while the run goes on, the sequence goes on with its next point.
/// - After 65,536 points it goes on with another scrambling.
///
/// ```
/// use tryout::prelude::*;
/// use tryout::search::QuasiRandom;
///
/// let space = Space::new().with("x", uniform(0.0, 1.0)).with("y", log_uniform(1e-3, 1.0));
/// # let trainable = function("t", |config: Config, trial| { trial.report([("loss", config.get::<f64>("x")?)])?; Ok(()) });
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
    state: State,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct State {
    /// The number of the point that comes next.
    next: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    space: Space,
    #[serde(default)]
    seed: u64,
}

impl QuasiRandom {
    /// The points of `space`, scrambled by `seed`.
    ///
    /// # Errors
    /// If [`Space::check`] finds a problem, or the space has a grid.
    pub fn new(space: Space, seed: u64) -> Result<Self, SpaceError> {
        Self::from_settings(Settings { space, seed })
    }

    /// Whether a sequence has so many dimensions.
    fn check(frame: &Frame) -> Result<(), Refused> {
        let dimensions = frame.axes().len();
        let few = dimensions <= sobol_burley::NUM_DIMENSIONS as usize;
        let value = format_args!("one with {dimensions} variables");
        Check(PART).require(few, "space", value, "one with at most 256")
    }

    fn from_settings(settings: Settings) -> Result<Self, SpaceError> {
        Ok(Self { frame: Frame::new(settings.space.clone())?, settings, state: State::default() })
    }

    pub(super) fn from_spec(spec: &PartSpec) -> Result<Self, SpecError> {
        Self::from_settings(spec.read()?).map_err(|error| spec.refuse(error))
    }

    fn state_form(&self) -> StateForm {
        StateForm::new(PART).under("number of variables", self.frame.axes().len())
    }

    /// A scrambling for each sequence.
    fn scrambling(&self) -> u32 {
        let mixed = (self.settings.seed ^ (self.state.next / POINTS)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> 32) as u32
    }
}

impl Searcher for QuasiRandom {
    fn suggest(&mut self, _: TrialId) -> Result<Suggestion, SearchError> {
        let (index, scrambling) = ((self.state.next % POINTS) as u32, self.scrambling());
        let dimensions = 0..self.frame.axes().len() as u32;
        let point: Vec<f64> =
            dimensions.map(|dimension| sobol_burley::sample(index, dimension, scrambling).into()).collect();
        let config = self.frame.config(&point, self.settings.seed, self.state.next).map_err(SearchError::new)?;
        self.state.next += 1;
        Ok(Suggestion::Next(config))
    }

    fn prepare(&mut self, _: Option<&Objective>) -> Result<(), SearchError> {
        Ok(Self::check(&self.frame)?)
    }

    fn space_with(&self, changes: &Space) -> Result<Space, SearchError> {
        let frame = Frame::new(self.settings.space.changed(changes)?)?;
        Self::check(&frame)?;
        Ok(frame.into_space())
    }

    /// The sequence goes on with its next point.
    fn set_space(&mut self, changes: &Space) {
        if let Ok(frame) = self.settings.space.changed(changes).and_then(Frame::new) {
            self.frame = frame;
        }
    }

    fn lookahead(&self) -> usize {
        super::variants::LOOKAHEAD
    }

    fn is_endless(&self) -> bool {
        true
    }

    fn save(&self) -> Option<PartState> {
        self.state_form().pack(&self.state)
    }

    fn restore(&mut self, state: PartState) -> Result<(), StateError> {
        self.state = self.state_form().unpack(state)?;
        Ok(())
    }

    /// None is computed anew.
    fn replay(&mut self, _: TrialId, _: &Config) -> Result<(), SearchError> {
        self.state.next = self.state.next.saturating_add(1);
        Ok(())
    }

    fn spec(&self) -> Option<PartSpec> {
        PartSpec::new(PART, &self.settings)
    }

    fn name(&self) -> &str {
        PART
    }
}
