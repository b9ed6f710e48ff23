//! The search space: names and what each may be. Numbers from ranges, choices, grids, functions of other values, nested.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

mod change;
mod check;
mod dimension;
mod domain;
mod error;
mod fix;
mod form;
mod frame;
mod function;
mod inside;
mod range;
mod shift;
mod spread;
mod tag;
mod variants;

#[cfg(test)]
mod tests;

pub use check::Variable;
pub use dimension::{Dimension, Dimensions, Extent};
pub use domain::{Domain, Grid, choice, depends, grid, int, list, log_int, log_uniform, normal, uniform};
pub use error::{Outside, SpaceError};
pub use frame::{Axis, AxisKind, Frame};
pub use function::{Function, Values};
pub use range::{FloatRange, IntRange, Normal, Scale};
pub use tag::{leaves, tag};

#[cfg(feature = "cli")]
pub(crate) use form::is_domain;

pub(crate) use shift::Shift;
pub(crate) use variants::Source;

use function::step;

/// A search space: what each value of a trial's configuration may be.
///
/// ```
/// use tryout::prelude::*;
///
/// let space = Space::new()
///     .with("lr", log_uniform(1e-4, 1e-1))
///     .with("hidden", choice([16, 32, 64]))
///     .with("net", Space::new().with("depth", int(1, 5)))
///     .with("batch", grid([32, 64]))
///     .with("wd", 0.1)
///     .with("warmup", depends(|values| values.number("lr").map(|lr| lr * 10.0)));
/// space.check()?;
///
/// let config = space.sample(7, 0)?;
/// assert_eq!(config, space.sample(7, 0)?);
/// assert!((1.0..5.0).contains(&config.number("net/depth").unwrap_or(0.0)));
/// # Ok::<(), SpaceError>(())
/// ```
///
/// Values are drawn with a seed and a number, usually the trial's: the same two give the same values, in whatever order
/// one asks, and a value doesn't change when other names come and go.
///
/// In JSON it is a map of names to domains, each with its kind: `{"lr": {"float": {"low": 1e-4, "high": 0.1, "scale":
/// "log"}}, "batch": {"grid": [{"constant": 32}, {"constant": 64}]}}`. One with functions can't be written.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Space {
    entries: BTreeMap<String, Domain>,
}

impl Space {
    /// A space without names: all its configurations are empty.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same space with `name` drawn from `domain`: a range, a choice, a grid, another space, or a constant. What stood
    /// under that name before is replaced.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, domain: impl Into<Domain>) -> Self {
        self.entries.insert(name.into(), domain.into());
        self
    }

    /// The names at its top, sorted.
    pub fn keys(&self) -> impl Iterator<Item = &str> + Clone {
        self.entries.keys().map(String::as_str)
    }

    /// The names at its top with their domains, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Domain)> {
        self.entries.iter().map(|(name, domain)| (name.as_str(), domain))
    }

    /// The domain under a name at its top.
    pub fn get(&self, name: &str) -> Option<&Domain> {
        self.entries.get(name)
    }

    /// Whether it has no names.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many points its grids have together: 1 without a grid. Stays at `u64::MAX` when it would be more, which
    /// [`check`](Space::check) reports.
    pub fn grid_size(&self) -> u64 {
        self.entries.values().fold(1, |size, domain| size.saturating_mul(domain.grid_size()))
    }

    /// Whether some configuration of the space may have a value at `path`, its levels joined with `/`.
    pub fn may_have(&self, path: &str) -> bool {
        let parts: Vec<&str> = path.split('/').collect();
        self.has_parts(&parts)
    }

    fn has_parts(&self, parts: &[&str]) -> bool {
        match parts {
            [] => true,
            [first, rest @ ..] => self.entries.get(*first).is_some_and(|domain| domain.has_parts(rest)),
        }
    }
}

impl Domain {
    fn has_parts(&self, parts: &[&str]) -> bool {
        let [first, rest @ ..] = parts else { return true };
        match self {
            Domain::Map(space) => space.has_parts(parts),
            Domain::List(items) => {
                first.parse::<usize>().ok().and_then(|index| items.get(index)).is_some_and(|item| item.has_parts(rest))
            }
            Domain::Choice(options) => options.iter().any(|option| option.has_parts(parts)),
            Domain::Grid(grid) => grid.options().iter().any(|option| option.has_parts(parts)),
            Domain::Constant(value) => parts.iter().try_fold(value, |value: &Value, part| step(value, part)).is_some(),
            Domain::Depends(_) => true,
            Domain::Float(_) | Domain::Normal(_) | Domain::Int(_) => false,
        }
    }
}
