//! A density over all axes at once: a mixture of kernels, each the product of one distribution an axis.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::width::{self, Role};
use crate::logic::normal::mass;
use crate::logic::search::study::Point;
use crate::logic::space::{AxisKind, Frame};

/// The width of the prior kernel, which stands in the middle of each range.
const PRIOR_WIDTH: f64 = 1.0;
/// The least mass of a cell, so that it has a logarithm.
const LEAST: f64 = 1e-300;

/// What values an axis has.
pub(super) enum Shape {
    /// All from 0 to 1.
    Range,
    /// Few, in their order: the bounds of their cells.
    Cells(Vec<f64>),
    /// So many, without an order.
    Options(usize),
}

impl Shape {
    /// Those of all axes of a frame.
    pub(super) fn of(frame: &Frame) -> Vec<Self> {
        let axes = frame.axes().iter().enumerate();
        axes.map(|(number, axis)| match axis.kind() {
            AxisKind::Options(count) => Self::Options(count),
            _ => frame.cells(number).map_or(Self::Range, |bounds| Self::Cells(bounds.to_vec())),
        })
        .collect()
    }

    /// Which of the values a coordinate is, if they are few.
    pub(super) fn place(&self, part: f64) -> usize {
        match self {
            Self::Range => 0,
            Self::Cells(bounds) => {
                bounds.partition_point(|bound| *bound <= part).clamp(1, bounds.len().saturating_sub(1).max(1)) - 1
            }
            Self::Options(count) => ((part * *count as f64) as usize).min(count.saturating_sub(1)),
        }
    }
}

/// What a density is made of.
#[derive(Default)]
pub(super) struct Observations<'a> {
    pub(super) points: Vec<&'a Point>,
    pub(super) weights: Vec<f64>,
}

impl<'a> Observations<'a> {
    pub(super) fn push(&mut self, point: &'a Point, weight: f64) {
        self.points.push(point);
        self.weights.push(weight);
    }
}

/// The distributions of all kernels on one axis. The last kernel is the prior.
enum Column {
    /// Normal distributions, cut off at 0 and 1.
    Numbers { means: Vec<f64>, widths: Vec<f64>, heights: Vec<f64> },
    /// For each kernel its row in a table of the logarithm of each value's probability; with the middle of each value.
    Table { rows: Vec<usize>, table: Vec<Vec<f64>>, middles: Vec<f64> },
}

/// A density.
pub(super) struct Mixture {
    /// The share of each kernel, and its logarithm.
    shares: Vec<f64>,
    logs: Vec<f64>,
    columns: Vec<Column>,
}

impl Mixture {
    /// A kernel at each of the points, and a prior with the weight 1. An axis that doesn't count at a point, or on which it isn't in
    /// the range, is as the prior has it.
    pub(super) fn new(shapes: &[Shape], known: &Observations<'_>, role: Role) -> Self {
        let sum: f64 = known.weights.iter().sum::<f64>() + 1.0;
        let shares: Vec<f64> = known.weights.iter().chain(&[1.0]).map(|weight| weight / sum).collect();
        let column = |(axis, shape): (usize, &Shape)| {
            let part = |point: &&Point| point.get(axis).copied().flatten().filter(|part| (0.0..=1.0).contains(part));
            let parts: Vec<Option<f64>> = known.points.iter().map(part).collect();
            match shape {
                Shape::Range => numbers(&parts, &shares, shapes.len(), role),
                Shape::Cells(bounds) => {
                    let steps = bounds.len().saturating_sub(1);
                    let width = width::on_cells(&parts, &shares, shapes.len(), steps, role);
                    cells(shape, bounds, &parts, width)
                }
                Shape::Options(count) => options(shape, *count, &parts, role),
            }
        };
        let columns = shapes.iter().enumerate().map(column).collect();
        let logs = shares.iter().map(|share| share.ln()).collect();
        Self { shares, logs, columns }
    }

    /// A point: a coordinate for each axis.
    pub(super) fn draw(&self, random: &mut ChaCha8Rng) -> Vec<f64> {
        let kernel = drawn(self.shares.iter().copied(), random);
        let part = |column: &Column| match column {
            Column::Numbers { means, widths, .. } => cut_off(means[kernel], widths[kernel], random),
            Column::Table { rows, table, middles } => {
                let row = &table[rows[kernel]];
                middles[drawn(row.iter().map(|log| log.exp()), random)]
            }
        };
        self.columns.iter().map(part).collect()
    }

    /// The logarithm of the density at a point, which has a coordinate for each axis. `logs` is room to work in.
    pub(super) fn log_density(&self, point: &[f64], places: &[usize], logs: &mut Vec<f64>) -> f64 {
        logs.clear();
        logs.extend_from_slice(&self.logs);
        for ((column, part), place) in self.columns.iter().zip(point).zip(places) {
            match column {
                Column::Numbers { means, widths, heights } => {
                    for (((log, mean), width), height) in logs.iter_mut().zip(means).zip(widths).zip(heights) {
                        let away = (part - mean) / width;
                        *log += height - 0.5 * away * away;
                    }
                }
                Column::Table { rows, table, .. } => {
                    let at: Vec<f64> = table.iter().map(|row| row[*place]).collect();
                    logs.iter_mut().zip(rows).for_each(|(log, row)| *log += at[*row]);
                }
            }
        }
        let top = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        top + logs.iter().map(|log| (log - top).exp()).sum::<f64>().ln()
    }
}

/// The number of one of these, each with its own probability.
fn drawn(shares: impl Iterator<Item = f64>, random: &mut ChaCha8Rng) -> usize {
    let mut left: f64 = random.random();
    let mut last = 0;
    for (number, share) in shares.enumerate() {
        if left < share {
            return number;
        }
        left -= share;
        last = number;
    }
    last
}

/// A value from 0 to 1 of a normal distribution. Its mean lies there too and its width is 1 at most, so that a third of all tries
/// succeed at least.
fn cut_off(mean: f64, width: f64, random: &mut ChaCha8Rng) -> f64 {
    loop {
        let step: f64 = StandardNormal.sample(random);
        let part = mean + width * step;
        if (0.0..=1.0).contains(&part) {
            return part;
        }
    }
}

fn numbers(parts: &[Option<f64>], shares: &[f64], axes: usize, role: Role) -> Column {
    let widths: Vec<f64> = match role {
        Role::Good => width::by_neighbours(parts, axes),
        Role::Bad => vec![width::even(parts, shares, axes); parts.len()],
    };
    let widths: Vec<f64> = parts.iter().zip(widths).map(|(part, width)| part.map_or(PRIOR_WIDTH, |_| width)).collect();
    let widths = [widths, vec![PRIOR_WIDTH]].concat();
    let means: Vec<f64> = parts.iter().map(|part| part.unwrap_or(0.5)).chain([0.5]).collect();
    // What all have in common cancels out.
    let height = |(mean, width): (&f64, &f64)| -(width * mass(0.0, 1.0, *mean, *width)).ln();
    let heights = means.iter().zip(&widths).map(height).collect();
    Column::Numbers { means, widths, heights }
}

/// One row for a kernel in the middle of each cell, and one for the prior.
fn cells(shape: &Shape, bounds: &[f64], parts: &[Option<f64>], width: f64) -> Column {
    let pairs = || bounds.iter().zip(bounds.iter().skip(1));
    let middles: Vec<f64> = pairs().map(|(from, to)| (from + to) / 2.0).collect();
    let row = |mean: f64, width: f64| -> Vec<f64> {
        let whole = mass(0.0, 1.0, mean, width);
        pairs().map(|(from, to)| (mass(*from, *to, mean, width) / whole).max(LEAST).ln()).collect()
    };
    let mut table: Vec<Vec<f64>> = middles.iter().map(|middle| row(*middle, width)).collect();
    table.push(row(0.5, PRIOR_WIDTH));
    Column::Table { rows: rows(shape, parts, middles.len()), table, middles }
}

/// One row for a kernel at each option, and one for the prior, to which all are alike.
fn options(shape: &Shape, count: usize, parts: &[Option<f64>], role: Role) -> Column {
    let smooth = width::smoothing(parts, role);
    let whole = 1.0 + count as f64 * smooth;
    let row = |taken: usize| -> Vec<f64> {
        (0..count).map(|other| ((smooth + f64::from(u8::from(other == taken))) / whole).ln()).collect()
    };
    let mut table: Vec<Vec<f64>> = (0..count).map(row).collect();
    table.push(vec![-(count as f64).ln(); count]);
    let middles = (0..count).map(|option| (option as f64 + 0.5) / count as f64).collect();
    Column::Table { rows: rows(shape, parts, count), table, middles }
}

fn rows(shape: &Shape, parts: &[Option<f64>], prior: usize) -> Vec<usize> {
    parts.iter().map(|part| part.map_or(prior, |part| shape.place(part))).chain([prior]).collect()
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    fn mixture(role: Role) -> (Vec<Shape>, Mixture) {
        let shapes = vec![Shape::Range, Shape::Cells(vec![0.0, 0.5, 0.8, 1.0]), Shape::Options(3)];
        let points: Vec<Point> = vec![
            vec![Some(0.1), Some(0.25), Some(0.5)],
            vec![Some(0.12), Some(0.9), None],
            vec![None, None, Some(0.9)],
        ];
        let mut known = Observations::default();
        points.iter().for_each(|point| known.push(point, 1.0));
        let mixture = Mixture::new(&shapes, &known, role);
        (shapes, mixture)
    }

    #[test]
    fn a_density_is_one_in_all() {
        for role in [Role::Good, Role::Bad] {
            let (shapes, mixture) = mixture(role);
            let mut sum = 0.0;
            let steps = 400;
            for step in 0..steps {
                for cell in [0.2, 0.6, 0.95] {
                    for option in [0.1, 0.5, 0.9] {
                        let point = [(f64::from(step) + 0.5) / f64::from(steps), cell, option];
                        let places: Vec<usize> =
                            shapes.iter().zip(point).map(|(shape, part)| shape.place(part)).collect();
                        sum += mixture.log_density(&point, &places, &mut Vec::new()).exp() / f64::from(steps);
                    }
                }
            }
            // The constant of the normal distribution is left out.
            let sum = sum / (2.0 * std::f64::consts::PI).sqrt();
            assert!((sum - 1.0).abs() < 1e-3, "{role:?}: {sum}");
        }
    }

    #[test]
    fn what_is_drawn_is_dense() {
        let (shapes, mixture) = mixture(Role::Good);
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let drawn: Vec<Vec<f64>> = (0..2_000).map(|_| mixture.draw(&mut random)).collect();
        assert!(drawn.iter().flatten().all(|part| (0.0..=1.0).contains(part)));
        let first = drawn.iter().filter(|point| shapes[1].place(point[1]) == 0).count();
        let low = drawn.iter().filter(|point| point[0] < 0.5).count();
        assert!((600..1_400).contains(&first) && low > 1_000, "{first} {low}");
    }
}
