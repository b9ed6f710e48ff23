//! What can be wrong with a search space or with values meant for it.

use std::fmt;

/// A search space that can't be used, or values that don't belong to it. The caller can mend it.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SpaceError {
    /// A bound, quantum or deviation is out of its range.
    #[error("`{key}`: the {setting} is {value}, but must be {expected}")]
    Setting {
        /// The path of the value.
        key: String,
        /// Which setting.
        setting: &'static str,
        /// What it is.
        value: String,
        /// What it must be.
        expected: String,
    },
    /// A choice or grid without options.
    #[error("`{key}`: a {what} needs at least one option, but has none")]
    Empty {
        /// The path of the value.
        key: String,
        /// A choice or a grid.
        what: &'static str,
    },
    /// A name that couldn't be told apart in a path.
    #[error("`{key}`: the name \"{name}\" is not possible: a name must not be empty and must not contain `/`")]
    Name {
        /// The path of the value.
        key: String,
        /// The name.
        name: String,
    },
    /// A grid inside an option of a choice.
    #[error(
        "`{key}` is a grid inside a choice, so the number of trials would depend on chance: \
         make the choice a grid, or the grid a choice"
    )]
    GridInChoice {
        /// The path of the grid.
        key: String,
    },
    /// A grid, where only what can be modelled has a place.
    #[error("`{key}` is a grid, which is tried in full: for a searcher that learns, make it a choice or a range")]
    Grid {
        /// The path of the grid.
        key: String,
    },
    /// More grid points than can be counted.
    #[error("the grids have more than {} points together", u64::MAX)]
    TooManyPoints,
    /// A value that, directly or through others, depends on itself.
    #[error("`{key}` depends on itself: {}", chain(.cycle))]
    Cycle {
        /// The path of the value.
        key: String,
        /// The path of each value on the way round, the first one again at the end.
        cycle: Vec<String>,
    },
    /// A function asked for a value that the space can't have.
    #[error("the function of `{key}` asks for `{asked}`, which is not in the space; there are {}", Listed(.known.iter()))]
    UnknownDependency {
        /// The path of the function's value.
        key: String,
        /// The path it asked for.
        asked: String,
        /// The names at the top of the space.
        known: Vec<String>,
    },
    /// A value was given for a key that the space doesn't have.
    #[error("`{key}` is not in the space; there are {}", Listed(.known.iter()))]
    UnknownKey {
        /// The path of the value.
        key: String,
        /// The names there are at this level.
        known: Vec<String>,
    },
    /// A value would become one of another kind.
    #[error(
        "`{key}` is {is} and can't become {wanted}: while a run goes on a number can get other bounds, another scale and another \
         quantum, and a choice or grid other options"
    )]
    Kind {
        /// The path of the value.
        key: String,
        /// What it is.
        is: String,
        /// What it was to become.
        wanted: String,
    },
    /// A preset point doesn't belong to the space.
    #[error("preset point {number}: {source}")]
    Point {
        /// Which, from 0.
        number: usize,
        /// What is wrong with it.
        source: Box<SpaceError>,
    },
}

crate::logic::failure::debug_as_chain!(SpaceError);

/// A value outside its domain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{key}` is {found}, but must be {expected}")]
pub struct Outside {
    /// The path of the value.
    pub key: String,
    /// What stood there, as JSON; `missing` if nothing did.
    pub found: String,
    /// What must stand there.
    pub expected: String,
}

fn chain(cycle: &[String]) -> String {
    cycle.join(" -> ")
}

/// The first few of many, for a message: nobody reads a thousand options.
pub(super) struct Listed<I>(pub(super) I);

impl<I> fmt::Display for Listed<I>
where
    I: Iterator + Clone,
    I::Item: fmt::Display,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 8;
        let mut items = self.0.clone();
        for (index, item) in items.by_ref().take(SHOWN).enumerate() {
            write!(f, "{}{item}", if index == 0 { "" } else { ", " })?;
        }
        match items.count() {
            0 if self.0.clone().next().is_none() => f.write_str("nothing"),
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}
