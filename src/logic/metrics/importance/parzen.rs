//! How values are spread over a grid: Parzen estimators whose width follows Scott's rule, with a prior of the weight of one trial.

use crate::logic::normal::mass;
use crate::logic::space::{Extent, Scale};

/// So many places a range is parted into at most.
const MOST: f64 = 50.0;
/// So narrow that nine tenths of it fit into one place.
const NARROWEST: f64 = 0.5 / 1.64;
/// What is added to each density: none is zero.
const LEAST: f64 = 1e-12;

/// The places into which one dimension is parted.
#[derive(Debug)]
pub(super) struct Grid<'a> {
    extent: &'a Extent,
    places: usize,
}

impl<'a> Grid<'a> {
    /// None if there is a single place.
    pub(super) fn new(extent: &'a Extent) -> Option<Self> {
        let places = match extent {
            Extent::Options(options) => options.len(),
            Extent::Normal(_) => MOST as usize,
            Extent::Number { low, high, scale, step, whole } => {
                let values = match (scale, step) {
                    (Scale::Log, _) if *whole => (high - low + 1.0).log2().ceil() + 1.0,
                    (_, Some(step)) => ((high - low) / step).round() + 1.0,
                    _ => MOST,
                };
                if high > low { values.min(MOST) as usize } else { 1 }
            }
        };
        (places > 1).then_some(Self { extent, places })
    }

    pub(super) fn empty(&self) -> Vec<u32> {
        vec![0; self.places]
    }

    /// Counts a value where it lies; halfway it is the lower place, and beyond an end that end.
    pub(super) fn count(&self, value: f64, counts: &mut [u32]) {
        let place = match self.extent {
            Extent::Options(_) => value,
            Extent::Normal(normal) => self.place(normal.part(value), 0.0, 1.0),
            Extent::Number { low, high, scale: Scale::Linear, .. } => self.place(value, *low, *high),
            Extent::Number { low, high, scale: Scale::Log, .. } => self.place(value.ln(), low.ln(), high.ln()),
        };
        if let Some(count) = counts.get_mut(place as usize) {
            *count += 1;
        }
    }

    fn place(&self, value: f64, low: f64, high: f64) -> f64 {
        let last = (self.places - 1) as f64;
        ((value - low) / ((high - low) / last) - 0.5).ceil().clamp(0.0, last)
    }

    /// The Pearson divergence of one spread from another.
    pub(super) fn divergence(&self, of_best: &[u32], of_all: &[u32]) -> f64 {
        let density = |counts: &[u32]| match self.extent {
            Extent::Options(_) => of_options(counts),
            Extent::Normal(_) | Extent::Number { .. } => of_numbers(counts),
        };
        let each = density(of_best).into_iter().zip(density(of_all));
        let terms = each.map(|(best, all)| (best + LEAST, all + LEAST));
        terms.map(|(best, all)| all * (best / all - 1.0) * (best / all - 1.0)).sum()
    }
}

/// The places that have a count, and the sum of all.
fn kernels(counts: &[u32]) -> (Vec<(f64, f64)>, f64) {
    let taken = counts.iter().enumerate().filter(|(_, count)| **count > 0);
    let kernels: Vec<(f64, f64)> = taken.map(|(place, count)| (place as f64, f64::from(*count))).collect();
    let sum = kernels.iter().map(|(_, count)| count).sum();
    (kernels, sum)
}

/// Each option that was taken has a kernel, which leaves a little to the others; the prior is even.
fn of_options(counts: &[u32]) -> Vec<f64> {
    let (kernels, sum) = kernels(counts);
    let options = counts.len() as f64;
    let floor = 1.0 / (kernels.len() as f64 + 1.0);
    let row = floor * options + 1.0;
    let even = (sum * floor / row + 1.0 / options) / (sum + 1.0);
    counts.iter().map(|count| even + f64::from(*count) / row / (sum + 1.0)).collect()
}

/// Each place that was taken has a normal kernel, cut off at the ends; the prior is as wide as the grid.
fn of_numbers(counts: &[u32]) -> Vec<f64> {
    let (kernels, sum) = kernels(counts);
    let last = (counts.len() - 1) as f64;
    let width = width(&kernels, sum);
    let prior = (last / 2.0, last + 1.0, 1.0 / (sum + 1.0));
    let each = kernels.iter().map(|(place, count)| (*place, width, count / (sum + 1.0))).chain([prior]);
    let each: Vec<(f64, f64, f64)> =
        each.map(|(mean, width, weight)| (mean, width, weight / mass(-0.5, last + 0.5, mean, width))).collect();
    let at = |place: f64| {
        each.iter().map(|(mean, width, scale)| scale * mass(place - 0.5, place + 0.5, *mean, *width)).sum()
    };
    (0..counts.len()).map(|place| at(place as f64)).collect()
}

/// Scott's rule: by the standard deviation, or by the quartiles if they are closer together.
fn width(kernels: &[(f64, f64)], sum: f64) -> f64 {
    let mean = kernels.iter().map(|(place, count)| place * count).sum::<f64>() / sum;
    let squares: f64 = kernels.iter().map(|(place, count)| (place - mean) * (place - mean) * count).sum();
    let deviation = (squares / (sum - 1.0).max(1.0)).sqrt();
    let (first, third) = ((sum / 4.0).floor(), (sum * 3.0 / 4.0).floor());
    let mut reached = 0.0;
    let (mut low, mut high) = (None, None);
    for (place, count) in kernels {
        reached += count;
        low = low.or((reached >= first).then_some(*place));
        high = high.or((reached > third).then_some(*place));
    }
    let farthest = kernels.last().map_or(0.0, |(place, _)| *place);
    let quartiles = high.unwrap_or(farthest) - low.unwrap_or(farthest);
    (1.059 * (quartiles / 1.34).min(deviation) * sum.powf(-0.2)).max(NARROWEST)
}
