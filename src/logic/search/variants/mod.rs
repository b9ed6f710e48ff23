//! Grid search and random search together: every grid point, with the other values drawn anew for each.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use self::laps::{Combination, Laps, StoredLaps};
use super::{SearchError, Searcher, Suggestion};
use crate::logic::config::Config;
use crate::logic::event::Ending;
use crate::logic::ids::TrialId;
use crate::logic::metrics::Report;
use crate::logic::space::{Outside, Source, Space, SpaceError};
use crate::logic::spec::{PartSpec, SpecError};
use crate::logic::state::{PartState, StateError, StateForm};

mod laps;

const PART: &str = "Variants";
/// What is drawn for a combination that is tried in place of a trial that was withdrawn has numbers of its own, from here on.
const AGAIN: u64 = 1 << 63;

/// How many trials there are to be, or passes over a space.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Samples {
    /// This many.
    Finite(u64),
    /// No end: the run ends by other means.
    Infinite,
}

impl From<u64> for Samples {
    fn from(count: u64) -> Self {
        Samples::Finite(count)
    }
}

/// When random values are drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Redraw {
    /// Anew for every grid point.
    #[default]
    PerVariant,
    /// Once for each pass: its grid points differ in the grid's values only.
    #[serde(alias = "per_sample")]
    PerPass,
}

/// A value of a preset point that isn't in its domain. It is used all the same.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("preset point {point}: {outside}")]
pub struct PresetWarning {
    /// Which point, from 0.
    pub point: usize,
    /// Which value, and what it should be.
    pub outside: Outside,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct State {
    /// The number of the variant that comes next.
    next: u64,
    /// What live trials try; none of a combination that isn't in the space any more.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    trying: BTreeMap<TrialId, Option<Combination>>,
    /// To be tried in the places of trials that were withdrawn; how many were by now; and how many trials were withdrawn whose
    /// combinations have gone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    again: Vec<Combination>,
    #[serde(default, skip_serializing_if = "is_zero")]
    redrawn: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    gone: u64,
    /// What is left of passes that had begun when the space was changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    laps: Option<StoredLaps>,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    space: Space,
    #[serde(default)]
    seed: u64,
    /// Once, or as often as the samples ask for, if nobody says.
    #[serde(default, alias = "samples")]
    passes: Option<Samples>,
    #[serde(default)]
    trials: Option<Samples>,
    #[serde(default)]
    redraw: Redraw,
    #[serde(default)]
    points: Vec<Config>,
}

/// Goes through the grid of a space, and draws the values that aren't on it: grid search, random search, or both.
///
/// The grid's variables are sorted by path, and the first varies fastest. A pass goes through the whole grid once. Preset points
/// come first; each takes the place of one pass, and all of them are tried, even if they are more than what was asked for. No
/// grid is ever expanded: a variant is found from its number.
///
/// In a space that is changed while the run goes on, it goes on with what is left. Grid points that are new come next, for each pass that
/// has begun, and none is tried twice in a pass; an option that had gone and comes back is new. Preset points that weren't tried and aren't in the space any more are passed over.
///
/// When to use it: to know every corner of a small space (grid), and as what other searchers have to beat (random). `.space(..)`
/// of an experiment without a searcher means this.
///
/// ```
/// use tryout::prelude::*;
/// use tryout::search::Variants;
///
/// let space = Space::new().with("batch", grid([32, 64])).with("lr", log_uniform(1e-4, 1e-1));
/// let variants = Variants::new(space, 7)?.passes(10);
/// assert_eq!(variants.count(), Some(20));
/// assert_eq!(variants.config(3)?.and_then(|config| config.number("batch")), Some(64.0));
/// # Ok::<(), SpaceError>(())
/// ```
#[derive(Debug)]
pub struct Variants {
    settings: Settings,
    /// The space as it is now, and what was changed of the one that it was made with.
    space: Space,
    changes: Space,
    laps: Laps,
    /// How many variants there are to be by a client's word.
    samples: Option<Samples>,
    /// How many variants the preset points have in the space that it was made with.
    preset_variants: u64,
    warnings: Vec<PresetWarning>,
    state: State,
}

impl Variants {
    /// One pass over `space`, random values drawn from `seed`.
    ///
    /// # Errors
    /// If [`Space::check`] finds a problem.
    pub fn new(space: Space, seed: u64) -> Result<Self, SpaceError> {
        space.check()?;
        let (redraw, points) = (Redraw::default(), Vec::new());
        let settings = Settings { space: space.clone(), seed, passes: None, trials: None, redraw, points };
        let (changes, laps, state) = (Space::new(), Laps::default(), State::default());
        Ok(Self { settings, space, changes, laps, samples: None, preset_variants: 0, warnings: Vec::new(), state })
    }

    setters! {
        /// How often to go through the grid. Default: once, or as often as [`samples`](Self::samples) asks for.
        passes(passes: impl Into<Samples>) => settings.passes = Some(passes.into());

        /// How many variants there are at most. Default: as many as the passes have.
        samples(samples: impl Into<Samples>) => settings.trials = Some(samples.into());

        /// When random values are drawn. Default [`Redraw::PerVariant`].
        redraw(redraw: Redraw) => settings.redraw = redraw;
    }

    /// Adds points to begin with. Each fixes some values, by name or by path (`net/depth`), and leaves the rest to the space;
    /// a grid variable that it fixes is no grid for that pass. A value outside its domain, or other than a constant of the
    /// space, is used all the same, with a [warning](Variants::warnings).
    ///
    /// # Errors
    /// If the space doesn't have one of the keys.
    pub fn points(mut self, points: impl IntoIterator<Item = Config>) -> Result<Self, SpaceError> {
        for point in points {
            let number = self.settings.points.len();
            let fixed = self.settings.space.fix(&point);
            let (space, outside) = fixed.map_err(|source| SpaceError::Point { number, source: Box::new(source) })?;
            self.preset_variants = self.preset_variants.saturating_add(space.grid_size());
            self.laps.preset(space);
            self.settings.points.push(point);
            self.warnings.extend(outside.into_iter().map(|outside| PresetWarning { point: number, outside }));
        }
        Ok(self)
    }

    setters! {
        /// Goes on with variant `number` instead of 0: for a resumed run.
        starting_at(number: u64) => state.next = number;
    }

    /// The number of the variant that is suggested next; all before it were.
    pub fn position(&self) -> u64 {
        self.state.next
    }

    /// What is odd about the preset points.
    pub fn warnings(&self) -> &[PresetWarning] {
        &self.warnings
    }

    /// The space.
    pub fn space(&self) -> &Space {
        &self.space
    }

    /// How many variants there are in all; nothing if there is no end to them.
    pub fn count(&self) -> Option<u64> {
        let trials = self.samples.or(self.settings.trials);
        let of_passes = match (self.settings.passes, trials) {
            (Some(Samples::Infinite), _) | (None, Some(_)) => None,
            (Some(Samples::Finite(passes)), _) => Some(passes),
            (None, None) => Some(1),
        };
        let of_passes = of_passes.and_then(|passes| {
            let left = passes.saturating_sub(self.laps.plain());
            left.checked_mul(self.space.grid_size())?.checked_add(self.laps.end())
        });
        match trials {
            Some(Samples::Finite(trials)) => {
                let presets = self.laps.end_of(self.settings.points.len() as u64);
                let most = trials.saturating_add(self.state.gone).max(presets);
                Some(of_passes.map_or(most, |count| count.min(most)))
            }
            _ => of_passes,
        }
    }

    /// Variant `number`, from 0; nothing if there are fewer. The same settings and number always give the same. After the space was
    /// changed those that came before are nothing.
    ///
    /// # Errors
    /// If a function of the space asks for a value that can't be had.
    pub fn config(&self, number: u64) -> Result<Option<Config>, SpaceError> {
        if self.count().is_some_and(|count| number >= count) {
            return Ok(None);
        }
        let Some(combination) = self.laps.locate(number, self.space.grid_size()) else { return Ok(None) };
        self.draw(combination, number).map(Some)
    }

    fn draw(&self, (pass, point): Combination, number: u64) -> Result<Config, SpaceError> {
        let stream = match self.settings.redraw {
            Redraw::PerVariant => number,
            Redraw::PerPass => pass,
        };
        let source = Source::new(self.settings.seed, stream);
        match self.fixed(&self.space, pass) {
            Some(preset) => preset.variant(&source, point, &self.space),
            None => self.space.variant(&source, point, &self.space),
        }
    }

    /// `space` with the values of the preset point that has this pass, if one has.
    fn fixed(&self, space: &Space, pass: u64) -> Option<Space> {
        let point = self.settings.points.get(usize::try_from(pass).ok()?)?;
        space.fix(point).ok().map(|(fixed, _)| fixed)
    }

    /// A trial is to try what comes next. Answers what that is, and the number of its draws.
    fn take(&mut self, trial: TrialId) -> Option<(Combination, u64)> {
        let (combination, number) = if self.state.again.is_empty() {
            let number = self.state.next;
            if self.count().is_some_and(|count| number >= count) {
                return None;
            }
            self.state.next += 1;
            (self.laps.locate(number, self.space.grid_size())?, number)
        } else {
            self.state.redrawn += 1;
            (self.state.again.remove(0), AGAIN + self.state.redrawn)
        };
        self.state.trying.insert(trial, Some(combination));
        Some((combination, number))
    }

    pub(super) fn from_spec(spec: &PartSpec) -> Result<Self, SpecError> {
        let Settings { space, seed, passes, trials, redraw, points } = spec.read()?;
        let variants = Self::new(space, seed).and_then(|variants| variants.points(points));
        let mut variants = variants.map_err(|error| spec.refuse(error))?.redraw(redraw);
        (variants.settings.passes, variants.settings.trials) = (passes, trials);
        Ok(variants)
    }

    fn state_form(&self) -> StateForm {
        let form = StateForm::new(PART).under("size of the grid", self.space.grid_size());
        form.under("number of variants of preset points", self.preset_variants)
    }

    /// `space` with the values of the preset point that has this pass; none if the changes leave no room for them.
    fn fixed_if_inside(&self, space: &Space, changes: &Space, pass: u64) -> Option<Space> {
        let point = self.settings.points.get(usize::try_from(pass).ok()?)?;
        let (fixed, outside) = space.fix(point).ok()?;
        (!outside.iter().any(|outside| changes.may_have(&outside.key))).then_some(fixed)
    }

    /// Where a combination is in another space; none if it isn't there.
    fn moved(&self, (pass, point): Combination, space: &Space, changes: &Space) -> Option<Combination> {
        let point = match self.fixed(&self.space, pass) {
            Some(old) => old.point_in(point, &self.fixed_if_inside(space, changes, pass)?)?,
            None => self.space.point_in(point, space)?,
        };
        Some((pass, point))
    }
}

impl Searcher for Variants {
    fn suggest(&mut self, trial: TrialId) -> Result<Suggestion, SearchError> {
        let Some((combination, number)) = self.take(trial) else { return Ok(Suggestion::Exhausted) };
        Ok(Suggestion::Next(self.draw(combination, number)?))
    }

    fn on_end(&mut self, trial: TrialId, ending: Ending, _: Option<&Report>) {
        match self.state.trying.remove(&trial).filter(|_| ending == Ending::Withdrawn) {
            Some(Some(combination)) => self.state.again.push(combination),
            Some(None) => self.state.gone += 1,
            None => {}
        }
    }

    fn space_with(&self, changes: &Space) -> Result<Space, SearchError> {
        Ok(self.settings.space.changed(changes)?)
    }

    fn set_space(&mut self, changes: &Space) {
        let Ok(space) = self.settings.space.changed(changes) else { return };
        let presets = self.settings.points.len() as u64;
        let fixed = |pass: u64| (pass < presets).then(|| self.fixed_if_inside(&space, changes, pass));
        let laps = self.laps.changed(self.state.next, (&self.space, &space), &fixed);
        let moved = |combination: Combination| self.moved(combination, &space, changes);
        let trying = self.state.trying.iter().map(|(trial, tries)| (*trial, tries.and_then(moved))).collect();
        let again: Vec<Combination> = self.state.again.iter().copied().filter_map(moved).collect();
        self.state.gone += (self.state.again.len() - again.len()) as u64;
        (self.state.trying, self.state.again) = (trying, again);
        (self.laps, self.space, self.changes) = (laps, space, changes.clone());
    }

    fn set_samples(&mut self, samples: Option<Samples>) {
        self.samples = samples;
    }

    /// Those that are tried in place of others are more.
    fn total(&self) -> Option<u64> {
        Some(self.count()?.saturating_add(self.state.redrawn).saturating_add(self.state.again.len() as u64))
    }

    fn is_endless(&self) -> bool {
        self.count().is_none()
    }

    fn lookahead(&self) -> usize {
        LOOKAHEAD
    }

    fn save(&self) -> Option<PartState> {
        self.state_form().pack(&State { laps: self.laps.stored(), ..self.state.clone() })
    }

    /// Where it was in the grid means nothing in another one.
    fn restore(&mut self, state: PartState) -> Result<(), StateError> {
        let mut state: State = self.state_form().unpack(state)?;
        if let Some(stored) = state.laps.take() {
            let presets = self.settings.points.len() as u64;
            let fixed = |pass| (pass < presets).then(|| self.fixed_if_inside(&self.space, &self.changes, pass));
            self.laps = Laps::of_stored(stored, &self.space, &fixed);
        }
        self.state = state;
        Ok(())
    }

    /// None is computed anew.
    fn replay(&mut self, trial: TrialId, _config: &Config) -> Result<(), SearchError> {
        if self.take(trial).is_none() {
            self.state.next = self.state.next.saturating_add(1);
        }
        Ok(())
    }

    fn spec(&self) -> Option<PartSpec> {
        PartSpec::new(PART, &self.settings)
    }

    fn name(&self) -> &str {
        PART
    }
}

/// Its suggestions don't depend on results, so workers needn't wait for them: as many as the experiment makes ahead.
pub(super) const LOOKAHEAD: usize = usize::MAX;
