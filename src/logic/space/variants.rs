//! Makes configurations of a space: which grid point, which random values, which functions of them.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

use super::Space;
use super::domain::Domain;
use super::error::SpaceError;
use super::function::{Draft, join};
use crate::logic::config::Config;

/// Where the random values come from. Every value has its own place in the stream, found from its path, so that no value
/// depends on how many others are drawn before it.
pub(crate) struct Source {
    stream: ChaCha8Rng,
}

impl Source {
    pub(crate) fn new(seed: u64, number: u64) -> Self {
        let mut stream = ChaCha8Rng::seed_from_u64(seed);
        stream.set_stream(number);
        Self { stream }
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
    pub(crate) fn variant(&self, source: &Source, point: u64, whole: &Space) -> Result<Config, SpaceError> {
        let draft = self.draft(source, &Names { path: String::new(), draw: String::new() }, point)?;
        let mut config = Config::new();
        *config.as_map_mut() = draft.resolve(whole)?;
        Ok(config)
    }

    /// Grids are the digits of `point`, the one whose path comes first the fastest.
    fn draft(&self, source: &Source, names: &Names, mut point: u64) -> Result<Draft<'_>, SpaceError> {
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
struct Names {
    /// As the user sees it.
    path: String,
    /// As the random values are found by: with the numbers of the options taken on the way.
    draw: String,
}

impl Names {
    fn inner(&self, name: &dyn std::fmt::Display) -> Self {
        Self { path: join(&self.path, name), draw: join(&self.draw, name) }
    }

    fn option(&self, index: usize) -> Self {
        Self { path: self.path.clone(), draw: format!("{}#{index}", self.draw) }
    }
}

impl Domain {
    fn draft(&self, source: &Source, names: &Names, mut point: u64) -> Result<Draft<'_>, SpaceError> {
        self.check_alone(&names.path)?;
        let random = || source.at(&names.draw);
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
            Domain::Float(range) => Draft::Done(Value::from(range.draw(&mut random()))),
            Domain::Normal(normal) => Draft::Done(Value::from(normal.draw(&mut random()))),
            Domain::Int(range) => Draft::Done(Value::from(range.draw(&mut random()))),
            Domain::Choice(options) => {
                let index = rand::RngExt::random_range(&mut random(), 0..options.len());
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
