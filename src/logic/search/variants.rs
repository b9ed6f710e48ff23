//! Grid search and random search together: every grid point, with the other values drawn anew for each.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{SearchError, Searcher, Suggestion};
use crate::logic::config::Config;
use crate::logic::ids::TrialId;
use crate::logic::space::{Outside, Source, Space, SpaceError};
use crate::logic::spec::{PartSpec, SpecError};
use crate::logic::state::{PartState, StateError, pack, same, unpack};

const PART: &str = "Variants";

/// How many samples to take of a space. Each goes through the whole grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Samples {
    /// This many.
    Finite(u64),
    /// No end: the run ends by other means.
    Infinite,
}

impl Default for Samples {
    fn default() -> Self {
        Samples::Finite(1)
    }
}

impl From<u64> for Samples {
    fn from(count: u64) -> Self {
        Samples::Finite(count)
    }
}

/// When random values are drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Redraw {
    /// Anew for every grid point.
    #[default]
    PerVariant,
    /// Once for each sample: its grid points differ in the grid's values only.
    PerSample,
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

/// A preset point: the space with the point's values fixed.
#[derive(Debug)]
struct Preset {
    point: Config,
    space: Space,
    /// The number of the first variant after it.
    end: u64,
}

#[derive(Serialize, Deserialize)]
struct Saved {
    next: u64,
    /// How many points the grid has.
    grid: u64,
    /// How many variants the preset points take.
    presets: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings<'a> {
    space: Cow<'a, Space>,
    #[serde(default)]
    seed: u64,
    #[serde(default)]
    samples: Samples,
    #[serde(default)]
    redraw: Redraw,
    #[serde(default)]
    points: Vec<Config>,
}

/// Goes through the grid of a space, and draws the values that aren't on it: grid search, random search, or both.
///
/// The grid's variables are sorted by path, and the first varies fastest. `samples` repeats the whole grid. Preset points
/// come first; each takes the place of one sample, and all of them are tried, even if they are more than the samples. No
/// grid is ever expanded: a variant is found from its number.
///
/// When to use it: to know every corner of a small space (grid), and as what other searchers have to beat (random). `.space(..)`
/// of an experiment without a searcher means this.
///
/// ```
/// use tryout::prelude::*;
/// use tryout::logic::search::Variants;
///
/// let space = Space::new().with("batch", grid([32, 64])).with("lr", log_uniform(1e-4, 1e-1));
/// let variants = Variants::new(space, 7)?.samples(10);
/// assert_eq!(variants.count(), Some(20));
/// assert_eq!(variants.config(3)?.and_then(|config| config.number("batch")), Some(64.0));
/// # Ok::<(), SpaceError>(())
/// ```
#[derive(Debug)]
pub struct Variants {
    space: Space,
    seed: u64,
    samples: Samples,
    redraw: Redraw,
    presets: Vec<Preset>,
    warnings: Vec<PresetWarning>,
    next: u64,
}

impl Variants {
    /// One sample of `space`, random values drawn from `seed`.
    ///
    /// # Errors
    /// If [`Space::check`] finds a problem.
    pub fn new(space: Space, seed: u64) -> Result<Self, SpaceError> {
        space.check()?;
        let (samples, redraw) = (Samples::default(), Redraw::default());
        Ok(Self { space, seed, samples, redraw, presets: Vec::new(), warnings: Vec::new(), next: 0 })
    }

    /// How many samples to take; 1 if not said.
    #[must_use]
    pub fn samples(mut self, samples: impl Into<Samples>) -> Self {
        self.samples = samples.into();
        self
    }

    /// When random values are drawn; for every grid point if not said.
    #[must_use]
    pub fn redraw(mut self, redraw: Redraw) -> Self {
        self.redraw = redraw;
        self
    }

    /// Adds points to begin with. Each fixes some values, by name or by path (`net/depth`), and leaves the rest to the space;
    /// a grid variable that it fixes is no grid for that sample. A value outside its domain, or other than a constant of the
    /// space, is used all the same, with a [warning](Variants::warnings).
    ///
    /// # Errors
    /// If the space doesn't have one of the keys.
    pub fn points(mut self, points: impl IntoIterator<Item = Config>) -> Result<Self, SpaceError> {
        for point in points {
            let number = self.presets.len();
            let fixed = self.space.fix(&point);
            let (space, outside) = fixed.map_err(|source| SpaceError::Point { number, source: Box::new(source) })?;
            let end = self.preset_end().saturating_add(space.grid_size());
            self.presets.push(Preset { point, space, end });
            self.warnings.extend(outside.into_iter().map(|outside| PresetWarning { point: number, outside }));
        }
        Ok(self)
    }

    /// Goes on with variant `number` instead of 0: for a resumed run.
    #[must_use]
    pub fn starting_at(mut self, number: u64) -> Self {
        self.next = number;
        self
    }

    /// The number of the variant that is suggested next; all before it were.
    pub fn position(&self) -> u64 {
        self.next
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
        let Samples::Finite(samples) = self.samples else { return None };
        let left = samples.saturating_sub(self.presets.len() as u64);
        left.checked_mul(self.space.grid_size())?.checked_add(self.preset_end())
    }

    /// Variant `number`, from 0; nothing if there are fewer. The same settings and number always give the same.
    ///
    /// # Errors
    /// If a function of the space asks for a value that can't be had.
    pub fn config(&self, number: u64) -> Result<Option<Config>, SpaceError> {
        if self.count().is_some_and(|count| number >= count) {
            return Ok(None);
        }
        let (sample, point, space) = self.locate(number);
        let stream = match self.redraw {
            Redraw::PerVariant => number,
            Redraw::PerSample => sample,
        };
        space.variant(&Source::new(self.seed, stream), point, &self.space).map(Some)
    }

    pub(super) fn from_spec(spec: &PartSpec) -> Result<Self, SpecError> {
        let Settings { space, seed, samples, redraw, points } = spec.read()?;
        let variants = Self::new(space.into_owned(), seed).and_then(|variants| variants.points(points));
        Ok(variants.map_err(|error| spec.refuse(error))?.samples(samples).redraw(redraw))
    }

    /// Sample, grid point and space of a variant.
    fn locate(&self, number: u64) -> (u64, u64, &Space) {
        let preset = self.presets.partition_point(|preset| preset.end <= number);
        let start = preset.checked_sub(1).map_or(0, |before| self.presets[before].end);
        let rest = number - start;
        match self.presets.get(preset) {
            Some(found) => (preset as u64, rest, &found.space),
            None => {
                let size = self.space.grid_size().max(1);
                (preset as u64 + rest / size, rest % size, &self.space)
            }
        }
    }

    fn preset_end(&self) -> u64 {
        self.presets.last().map_or(0, |preset| preset.end)
    }
}

impl Searcher for Variants {
    fn suggest(&mut self, _trial: TrialId) -> Result<Suggestion, SearchError> {
        let Some(config) = self.config(self.next).map_err(SearchError::new)? else { return Ok(Suggestion::Exhausted) };
        self.next += 1;
        Ok(Suggestion::Next(config))
    }

    fn total(&self) -> Option<u64> {
        self.count()
    }

    fn lookahead(&self) -> usize {
        LOOKAHEAD
    }

    fn save(&self) -> Option<PartState> {
        pack(PART, &Saved { next: self.next, grid: self.space.grid_size(), presets: self.preset_end() })
    }

    /// Where it was in the grid means nothing in another one.
    fn restore(&mut self, state: PartState) -> Result<(), StateError> {
        let saved: Saved = unpack(PART, state)?;
        same(PART, "size of the grid", &saved.grid, &self.space.grid_size())?;
        same(PART, "number of variants of preset points", &saved.presets, &self.preset_end())?;
        self.next = saved.next;
        Ok(())
    }

    /// None is computed anew.
    fn replay(&mut self, _trial: TrialId, _config: &Config) -> Result<(), SearchError> {
        self.next = self.next.saturating_add(1);
        Ok(())
    }

    fn spec(&self) -> Option<PartSpec> {
        let points = self.presets.iter().map(|preset| preset.point.clone()).collect();
        let (seed, samples, redraw) = (self.seed, self.samples, self.redraw);
        PartSpec::new(PART, &Settings { space: Cow::Borrowed(&self.space), seed, samples, redraw, points })
    }

    fn name(&self) -> &str {
        PART
    }
}

/// Its suggestions don't depend on results, so workers needn't wait for them.
pub(super) const LOOKAHEAD: usize = 64;
