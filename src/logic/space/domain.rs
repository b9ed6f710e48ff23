//! The kinds of values a search space can hold, and the functions that make them.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Space;
use super::function::{Function, Values};
use super::range::{FloatRange, IntRange, Normal, Scale};

/// What stands under one key of a [`Space`]. Made by the functions of this module, or from anything that is
/// `Into<serde_json::Value>`, which becomes a constant.
///
/// In JSON as in `{"choice": [{"constant": 1}, {"constant": 2}]}`, or in the short forms of files, as in
/// `{"log_uniform": [1e-5, 0.1]}`, `{"choice": [1, 2]}`, or a plain value for a constant.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Domain {
    /// Always this value.
    Constant(Value),
    /// Further names, each with its own domain.
    Map(Space),
    /// A list, each element with its own domain.
    List(Vec<Domain>),
    /// A number from a range.
    Float(FloatRange),
    /// A number from a normal distribution.
    Normal(Normal),
    /// An integer from a range.
    Int(IntRange),
    /// One of these, drawn at random. An option may itself be a domain; it is drawn once its option was.
    Choice(Arc<[Domain]>),
    /// Each of these in turn.
    Grid(Grid),
    /// A function of the other values.
    #[serde(skip)]
    Depends(Function),
}

/// Options that are all tried. One that holds grids itself stands for several points.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "Vec<Domain>", into = "Vec<Domain>")]
pub struct Grid {
    options: Arc<[Domain]>,
    /// Up to which point each option reaches; none if each stands for a single one, which is the usual case.
    ends: Option<Arc<[u64]>>,
}

impl From<Vec<Domain>> for Grid {
    fn from(options: Vec<Domain>) -> Self {
        Self::new(options)
    }
}

impl From<Grid> for Vec<Domain> {
    fn from(grid: Grid) -> Self {
        grid.options.to_vec()
    }
}

impl Grid {
    pub(super) fn new(options: Vec<Domain>) -> Self {
        let sizes = || options.iter().map(Domain::grid_size);
        let ends = sizes().any(|size| size != 1).then(|| {
            sizes()
                .scan(0_u64, |end, size| {
                    *end = end.saturating_add(size);
                    Some(*end)
                })
                .collect()
        });
        Self { options: options.into(), ends }
    }

    /// What it was made of.
    pub fn options(&self) -> &[Domain] {
        &self.options
    }

    /// How many points it stands for, those of grids inside its options included.
    pub fn size(&self) -> u64 {
        match &self.ends {
            Some(ends) => ends.last().copied().unwrap_or(0),
            None => self.options.len() as u64,
        }
    }

    /// The option in which `point` lies, its number, and the point's number within it.
    pub(super) fn locate(&self, point: u64) -> Option<(usize, &Domain, u64)> {
        let Some(ends) = &self.ends else {
            let index = usize::try_from(point).ok()?;
            return Some((index, self.options.get(index)?, 0));
        };
        let index = ends.partition_point(|&end| end <= point);
        let start = index.checked_sub(1).map_or(0, |before| ends[before]);
        Some((index, self.options.get(index)?, point - start))
    }
}

/// Constants. Non-finite numbers have no place in JSON and become null.
impl<T: Into<Value>> From<T> for Domain {
    fn from(value: T) -> Self {
        Domain::Constant(value.into())
    }
}

macro_rules! domain_from {
    ($($type:ident => $variant:ident),+) => {
        $(impl From<$type> for Domain {
            fn from(domain: $type) -> Self {
                Domain::$variant(domain)
            }
        })+
    };
}
domain_from!(Space => Map, FloatRange => Float, Normal => Normal, IntRange => Int, Grid => Grid, Function => Depends);

impl Domain {
    /// How many grid points there are in it: 1 if it holds no grid. Stays at `u64::MAX` when it would be more.
    pub(super) fn grid_size(&self) -> u64 {
        match self {
            Domain::Map(space) => space.grid_size(),
            Domain::List(items) => items.iter().fold(1, |size, item| item.grid_size().saturating_mul(size)),
            Domain::Grid(grid) => grid.size(),
            _ => 1,
        }
    }
}

/// What a value must be, as in `a number from 0.1 to 1`.
impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Domain::Constant(value) => write!(f, "{value}"),
            Domain::Map(space) => write!(f, "a map of {}", super::error::Listed(space.keys())),
            Domain::List(items) => write!(f, "a list of {} elements", items.len()),
            Domain::Float(range) => range.fmt(f),
            Domain::Normal(normal) => normal.fmt(f),
            Domain::Int(range) => range.fmt(f),
            Domain::Choice(options) => write!(f, "one of: {}", super::error::Listed(options.iter())),
            Domain::Grid(grid) => write!(f, "one of: {}", super::error::Listed(grid.options().iter())),
            Domain::Depends(_) => f.write_str("a function of other values"),
        }
    }
}

/// A number from `low` to `high`, all equally likely.
///
/// ```
/// use tryout::prelude::*;
///
/// let space = Space::new().with("dropout", uniform(0.0, 0.5)).with("momentum", uniform(0.0, 1.0).quantized(0.1));
/// assert!(space.check().is_ok());
/// ```
pub fn uniform(low: f64, high: f64) -> FloatRange {
    FloatRange { low, high, scale: Scale::Linear, quantum: None }
}

/// A number from `low` to `high`, all orders of magnitude equally likely; `low` must be above 0.
pub fn log_uniform(low: f64, high: f64) -> FloatRange {
    FloatRange { low, high, scale: Scale::Log, quantum: None }
}

/// A number from the normal distribution with this mean and standard deviation. It has no bounds.
pub fn normal(mean: f64, deviation: f64) -> Normal {
    Normal { mean, deviation, quantum: None }
}

/// An integer from `low` up to, but without, `end`, all equally likely.
pub fn int(low: i64, end: i64) -> IntRange {
    IntRange { low, end, scale: Scale::Linear, quantum: None }
}

/// An integer from `low` up to, but without, `end`, all orders of magnitude equally likely; `low` must be above 0.
pub fn log_int(low: i64, end: i64) -> IntRange {
    IntRange { low, end, scale: Scale::Log, quantum: None }
}

/// One of `options`, all equally likely. They can be plain values or domains, such as nested spaces:
///
/// ```
/// use tryout::prelude::*;
///
/// let sgd = Space::new().with("name", "sgd").with("momentum", uniform(0.0, 1.0));
/// let adam = Space::new().with("name", "adam");
/// let space = Space::new().with("optimizer", choice([sgd, adam])).with("hidden", choice([16, 32, 64]));
/// assert!(space.check().is_ok());
/// ```
pub fn choice<I>(options: I) -> Domain
where
    I: IntoIterator,
    I::Item: Into<Domain>,
{
    Domain::Choice(options.into_iter().map(Into::into).collect())
}

/// Each of `options` in turn, combined with each of every other grid. They can be plain values or domains.
pub fn grid<I>(options: I) -> Domain
where
    I: IntoIterator,
    I::Item: Into<Domain>,
{
    Domain::Grid(Grid::new(options.into_iter().map(Into::into).collect()))
}

/// A list, each element with a domain of its own.
///
/// ```
/// use tryout::prelude::*;
///
/// let space = Space::new().with("layers", list([grid([16, 32]), 8.into()]));
/// let config = space.sample(7, 0)?;
/// assert_eq!(config.number("layers/0"), Some(16.0));
/// # Ok::<(), SpaceError>(())
/// ```
pub fn list<I>(items: I) -> Domain
where
    I: IntoIterator,
    I::Item: Into<Domain>,
{
    Domain::List(items.into_iter().map(Into::into).collect())
}

/// A value that `function` makes of the others. It may ask for values that are functions themselves: they come first.
/// Ask [`Values`] for a value by its path; what isn't known yet is `None`, and the function is called again later, so it
/// should do nothing but compute. It stands in the place of the reference's `sample_from` and `{"eval": text}`.
///
/// ```
/// use tryout::prelude::*;
///
/// let space = Space::new()
///     .with("lr", log_uniform(1e-4, 1e-1))
///     .with("warmup", depends(|values| values.number("lr").map(|lr| lr * 10.0)));
/// let config = space.sample(7, 0)?;
/// assert_eq!(config.number("warmup"), config.number("lr").map(|lr| lr * 10.0));
/// # Ok::<(), SpaceError>(())
/// ```
pub fn depends<F, R>(function: F) -> Domain
where
    F: Fn(&Values<'_>) -> R + Send + Sync + 'static,
    R: Into<Value>,
{
    Domain::Depends(Function::new(function))
}
