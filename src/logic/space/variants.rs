//! Makes configurations of a space: which grid point, which random values, which functions of them.

use std::collections::BTreeMap;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

use super::Space;
use super::domain::Domain;
use super::error::SpaceError;
use super::function::{Draft, join};
use super::spread::cell;
use crate::logic::config::Config;

/// Where the values come from that aren't fixed. Every random value has its own place in the stream, found from its path,
/// so that no value depends on how many others are drawn before it.
pub(crate) struct Source<'p> {
    stream: ChaCha8Rng,
    point: Option<Point<'p>>,
}

/// Values that aren't drawn but given: the coordinates, and which belongs to what name.
struct Point<'p> {
    numbers: &'p BTreeMap<String, usize>,
    parts: &'p [f64],
}

impl<'p> Source<'p> {
    pub(crate) fn new(seed: u64, number: u64) -> Self {
        let mut stream = ChaCha8Rng::seed_from_u64(seed);
        stream.set_stream(number);
        Self { stream, point: None }
    }

    /// The same, but the values with these names are at a point instead.
    pub(super) fn at_point(self, numbers: &'p BTreeMap<String, usize>, parts: &'p [f64]) -> Self {
        Self { point: Some(Point { numbers, parts }), ..self }
    }

    /// How far through its domain the value with this name lies, if that is given.
    fn part(&self, key: &str) -> Option<f64> {
        let point = self.point.as_ref()?;
        let part = point.parts.get(*point.numbers.get(key)?).copied().unwrap_or(f64::NAN);
        Some(if part.is_nan() { 0.5 } else { part.clamp(0.0, 1.0) })
    }

    fn at(&self, key: &str) -> ChaCha8Rng {
        const WORDS_IN_BLOCK: u32 = 16;
        let mut random = self.stream.clone();
        random.set_word_pos(u128::from(fnv1a(key)) * u128::from(WORDS_IN_BLOCK));
        random
    }
}

/// The hash of Fowler, Noll and Vo, 64 bits: the same on every machine and in every version, unlike the standard hasher.
fn fnv1a(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

impl Space {
    /// The configuration with this number. Its random values are a function of `seed` and `number` alone; of the grids
    /// it has the point `number`, beginning again after the last.
    ///
    /// # Errors
    /// What [`check`](Space::check) would find in the parts that are needed for it, or values that depend on each other
    /// in a circle.
    pub fn sample(&self, seed: u64, number: u64) -> Result<Config, SpaceError> {
        let point = number % self.grid_size().max(1);
        self.variant(&Source::new(seed, number), point, self)
    }

    /// The configuration of one grid point. Functions may ask for whatever `whole` may have: the space before values of
    /// it were fixed.
    pub(crate) fn variant(&self, source: &Source<'_>, point: u64, whole: &Space) -> Result<Config, SpaceError> {
        let draft = self.draft(source, &Names::TOP, point)?;
        let mut config = Config::new();
        *config.as_map_mut() = draft.resolve(whole)?;
        Ok(config)
    }

    /// Grids are the digits of `point`, the one whose path comes first the fastest.
    fn draft(&self, source: &Source<'_>, names: &Names, mut point: u64) -> Result<Draft<'_>, SpaceError> {
        let mut entries = Vec::with_capacity(self.entries.len());
        for (name, domain) in self.iter() {
            let size = domain.grid_size().max(1);
            entries.push((name, domain.draft(source, &names.inner(&name), point % size)?));
            point /= size;
        }
        Ok(Draft::Map(entries))
    }
}

/// The two names of a place.
pub(super) struct Names {
    /// As the user sees it.
    pub(super) path: String,
    /// As the random values are found by: with the numbers of the options taken on the way.
    pub(super) draw: String,
}

impl Names {
    pub(super) const TOP: Names = Names { path: String::new(), draw: String::new() };

    pub(super) fn inner(&self, name: &dyn std::fmt::Display) -> Self {
        Self { path: join(&self.path, name), draw: join(&self.draw, name) }
    }

    pub(super) fn option(&self, index: usize) -> Self {
        Self { path: self.path.clone(), draw: format!("{}#{index}", self.draw) }
    }
}

impl Domain {
    fn draft(&self, source: &Source<'_>, names: &Names, mut point: u64) -> Result<Draft<'_>, SpaceError> {
        self.check_alone(&names.path)?;
        let random = || source.at(&names.draw);
        let part = source.part(&names.draw);
        Ok(match self {
            Domain::Constant(value) => Draft::Done(value.clone()),
            Domain::Map(space) => return space.draft(source, names, point),
            Domain::List(items) => {
                let mut drafts = Vec::with_capacity(items.len());
                for (index, item) in items.iter().enumerate() {
                    let size = item.grid_size().max(1);
                    drafts.push(item.draft(source, &names.inner(&index), point % size)?);
                    point /= size;
                }
                Draft::List(drafts)
            }
            Domain::Float(range) => {
                Draft::Done(Value::from(part.map_or_else(|| range.draw(&mut random()), |part| range.at(part))))
            }
            Domain::Normal(normal) => {
                Draft::Done(Value::from(part.map_or_else(|| normal.draw(&mut random()), |part| normal.at(part))))
            }
            Domain::Int(range) => {
                Draft::Done(Value::from(part.map_or_else(|| range.draw(&mut random()), |part| range.at(part))))
            }
            Domain::Choice(options) => {
                let index = match part {
                    Some(part) => cell(part, options.len() as u64) as usize,
                    None => rand::RngExt::random_range(&mut random(), 0..options.len()),
                };
                return options[index].draft(source, &names.option(index), 0);
            }
            Domain::Grid(grid) => {
                let (index, option, inner) =
                    grid.locate(point).ok_or_else(|| SpaceError::Empty { key: names.path.clone(), what: "grid" })?;
                return option.draft(source, &names.option(index), inner);
            }
            Domain::Depends(function) => Draft::Open(function),
        })
    }
}
