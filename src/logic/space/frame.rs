//! A space as coordinates from 0 to 1, one for each of its variables: for searchers that model it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::domain::Domain;
use super::error::{Outside, SpaceError};
use super::spread::middle;
use super::variants::{Names, Source};
use super::{Space, inside};
use crate::logic::config::Config;

/// So many values of a number are few.
const FEW: u64 = 32;

/// A space, and the coordinates of its points: one number from 0 to 1 for each variable that isn't a function of others.
///
/// Equal distances are equal steps of the variable's own scale: the logarithm of one on a log scale, the quantiles of a
/// normal one. Whole numbers, and those with a quantum, each take an equal part of the way. So does every option of a
/// choice, in its order; what is nested in an option has axes of its own, which count only where that option is taken.
///
/// ```
/// use tryout::prelude::*;
/// use tryout::space::Frame;
///
/// let space = Space::new().with("lr", log_uniform(1e-4, 1e-2)).with("kind", choice(["a", "b"]));
/// let frame = Frame::new(space)?;
/// let names: Vec<&str> = frame.axes().iter().map(|axis| axis.path()).collect();
/// assert_eq!(names, ["kind", "lr"]);
///
/// let config = frame.config(&[0.9, 0.5], 7, 0)?;
/// assert_eq!(config.value("kind").and_then(|kind| kind.as_str()), Some("b"));
/// let point = frame.point(&config)?;
/// assert!(point[0] == Some(0.75) && point[1].is_some_and(|lr| (lr - 0.5).abs() < 1e-9));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Frame {
    space: Space,
    axes: Vec<Axis>,
    /// The number of each axis by its draw name.
    numbers: BTreeMap<String, usize>,
    /// For each axis the bounds of the parts of the way that its values take, if it is a number with few of them.
    cells: Vec<Option<Vec<f64>>>,
}

/// One variable of a [`Frame`].
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    path: String,
    kind: AxisKind,
    when: Vec<(usize, usize)>,
}

/// What the coordinate of an [`Axis`] stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AxisKind {
    /// A number, any in its range.
    Number,
    /// So many numbers in their order, each with an equal part of the way.
    Steps(u64),
    /// So many options without an order, each with an equal part of the way.
    Options(usize),
}

impl Axis {
    /// The path of the variable, levels joined with `/`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What it stands for.
    pub fn kind(&self) -> AxisKind {
        self.kind
    }

    /// It exists only where each of these axes, given by its number, takes the option of that number.
    pub fn when(&self) -> &[(usize, usize)] {
        &self.when
    }
}

impl Frame {
    /// The frame of `space`.
    ///
    /// # Errors
    /// If [`Space::check`] finds a problem, or the space has a grid: that is tried in full, not modelled.
    pub fn new(space: Space) -> Result<Self, SpaceError> {
        space.check()?;
        let mut walk = Walk::default();
        space.measure(&Names::TOP, &mut walk)?;
        Ok(Self { space, axes: walk.axes, numbers: walk.numbers, cells: walk.cells })
    }

    /// The space.
    pub fn space(&self) -> &Space {
        &self.space
    }

    /// The space alone.
    pub(crate) fn into_space(self) -> Space {
        self.space
    }

    /// The variables, those inside an option after its choice.
    pub fn axes(&self) -> &[Axis] {
        &self.axes
    }

    /// Whether an axis counts at `point`: every choice on the way to it takes the option that it is in.
    pub fn counts(&self, axis: usize, point: &[f64]) -> bool {
        self.axes.get(axis).is_some_and(|axis| {
            axis.when.iter().all(|&(choice, option)| match (self.axes.get(choice), point.get(choice)) {
                (Some(Axis { kind: AxisKind::Options(count), .. }), Some(part)) => {
                    super::spread::cell(*part, *count as u64) == option as u64
                }
                _ => false,
            })
        })
    }

    /// Whether a point has a coordinate for each axis that counts there, and all of them lie within the space: one that comes from
    /// another space, of which this one is a change, may not.
    pub(crate) fn holds(&self, point: &[Option<f64>]) -> bool {
        let whole: Vec<f64> = point.iter().map(|part| part.unwrap_or(f64::NAN)).collect();
        let inside = |part: &Option<f64>| part.is_some_and(|part| (0.0..=1.0).contains(&part));
        (0..self.axes.len()).all(|axis| !self.may_count(axis, &whole) || point.get(axis).is_some_and(inside))
    }

    /// As [`counts`](Frame::counts); of a choice of which nothing is known, no option is taken.
    fn may_count(&self, axis: usize, point: &[f64]) -> bool {
        let known = |(choice, _): &(usize, usize)| point.get(*choice).is_some_and(|part| !part.is_nan());
        self.axes.get(axis).is_some_and(|axis| axis.when.iter().all(known)) && self.counts(axis, point)
    }

    /// The bounds of the parts of the way that the values of an axis take, from 0 to 1, if it is a number with at most
    /// [`FEW`] values.
    pub(crate) fn cells(&self, axis: usize) -> Option<&[f64]> {
        self.cells.get(axis)?.as_deref()
    }

    /// The number of the axis with these names.
    pub(super) fn number(&self, names: &Names) -> Option<usize> {
        self.numbers.get(&names.draw).copied()
    }

    /// The configuration at `point`, which has a coordinate for each axis; those that don't count there may be anything.
    /// Coordinates outside of 0 to 1 stand for the nearer end, missing ones and NaN for the middle. Constants and
    /// functions come from the space; `seed` and `number` are as in [`Space::sample`].
    ///
    /// # Errors
    /// If a function of the space asks for a value that can't be had.
    pub fn config(&self, point: &[f64], seed: u64, number: u64) -> Result<Config, SpaceError> {
        let source = Source::new(seed, number).at_point(&self.numbers, point);
        self.space.variant(&source, 0, &self.space)
    }

    /// The coordinates of `config`: none where an axis doesn't count. Of several options that hold a value, it is the
    /// first.
    ///
    /// # Errors
    /// If the configuration isn't one of this space; the error names the value and what it must be.
    pub fn point(&self, config: &Config) -> Result<Vec<Option<f64>>, Outside> {
        self.space.contains(config)?;
        let mut point = vec![None; self.axes.len()];
        self.space.locate(config.as_map(), &Names::TOP, &mut |draw, part| {
            if let Some(slot) = self.numbers.get(draw).and_then(|&number| point.get_mut(number)) {
                *slot = Some(part);
            }
        });
        Ok(point)
    }
}

/// The axes found so far, on the way through a space.
#[derive(Default)]
struct Walk {
    axes: Vec<Axis>,
    numbers: BTreeMap<String, usize>,
    cells: Vec<Option<Vec<f64>>>,
    /// The options that the walk is in.
    when: Vec<(usize, usize)>,
}

impl Walk {
    /// Answers the new axis's number.
    fn add(&mut self, names: &Names, kind: AxisKind, cells: Option<Vec<f64>>) -> usize {
        let number = self.axes.len();
        self.cells.push(cells);
        self.axes.push(Axis { path: names.path.clone(), kind, when: self.when.clone() });
        self.numbers.insert(names.draw.clone(), number);
        number
    }
}

impl Space {
    fn measure(&self, names: &Names, walk: &mut Walk) -> Result<(), SpaceError> {
        self.iter().try_for_each(|(name, domain)| domain.measure(&names.inner(&name), walk))
    }

    fn locate(&self, map: &serde_json::Map<String, Value>, names: &Names, found: &mut dyn FnMut(&str, f64)) {
        for (name, domain) in self.iter() {
            if let Some(value) = map.get(name) {
                domain.locate(value, &names.inner(&name), found);
            }
        }
    }
}

impl Domain {
    fn measure(&self, names: &Names, walk: &mut Walk) -> Result<(), SpaceError> {
        let kind = match self {
            Domain::Constant(_) | Domain::Depends(_) => return Ok(()),
            Domain::Map(space) => return space.measure(names, walk),
            Domain::List(items) => {
                let mut numbered = items.iter().enumerate();
                return numbered.try_for_each(|(index, item)| item.measure(&names.inner(&index), walk));
            }
            Domain::Grid(_) => return Err(SpaceError::Grid { key: names.path.clone() }),
            Domain::Float(range) => match (range.scale, range.steps()) {
                (super::Scale::Linear, Some(steps)) => AxisKind::Steps(steps),
                _ => AxisKind::Number,
            },
            Domain::Normal(_) => AxisKind::Number,
            Domain::Int(range) => match range.scale {
                super::Scale::Linear => AxisKind::Steps(range.steps()),
                super::Scale::Log => AxisKind::Number,
            },
            Domain::Choice(options) => AxisKind::Options(options.len()),
        };
        let cells = match self {
            Domain::Int(range) => range.cells(FEW),
            Domain::Float(range) => range.cells(FEW),
            _ => None,
        };
        let number = walk.add(names, kind, cells);
        let Domain::Choice(options) = self else { return Ok(()) };
        for (index, option) in options.iter().enumerate() {
            walk.when.push((number, index));
            option.measure(&names.option(index), walk)?;
            walk.when.pop();
        }
        Ok(())
    }

    fn locate(&self, value: &Value, names: &Names, found: &mut dyn FnMut(&str, f64)) {
        let part = match (self, value) {
            (Domain::Map(space), Value::Object(map)) => return space.locate(map, names, found),
            (Domain::List(items), Value::Array(values)) => {
                for (index, (item, value)) in items.iter().zip(values).enumerate() {
                    item.locate(value, &names.inner(&index), found);
                }
                return;
            }
            (Domain::Float(range), value) => value.as_f64().map(|value| range.part(value)),
            (Domain::Normal(normal), value) => value.as_f64().map(|value| normal.part(value)),
            (Domain::Int(range), value) => value.as_i64().map(|value| range.part(value)),
            (Domain::Choice(options), value) => {
                let taken = inside::first(options, value);
                if let Some((index, option)) = taken {
                    option.locate(value, &names.option(index), found);
                }
                taken.map(|(index, _)| middle(index as f64, Some(options.len() as u64)))
            }
            _ => None,
        };
        if let Some(part) = part {
            found(&names.draw, part);
        }
    }
}
