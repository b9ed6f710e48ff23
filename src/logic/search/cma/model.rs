//! Numbers and choices together: where points are drawn from, and what is learnt of a generation.

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::distribution::{Distribution, DistributionState, orthogonal};
use super::margin::Cells;
use super::options::Options;
use crate::logic::search::study::{Outcome, Point};
use crate::logic::space::{AxisKind, Frame, Shift};
use crate::logic::state::float;

/// Best values that differ by less than this part of them are the same.
const SAME: f64 = 1e-12;

/// A normal distribution of the numbers, and independent choices.
#[derive(Clone, Debug)]
pub(super) struct Model {
    /// How many outcomes make a generation.
    population: usize,
    sigma: f64,
    /// The axes that are numbers, and those that are choices.
    numbers: Vec<usize>,
    choices: Vec<usize>,
    distribution: Distribution,
    options: Options,
    /// The best values of the last generations.
    bests: Vec<f64>,
    drawn: Drawn,
}

/// How many directions were drawn that are at right angles to one another, and how many such sets there were before.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Drawn {
    sets: u64,
    of_this: usize,
}

/// What of it is kept between sessions.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ModelState {
    population: usize,
    drawn: Drawn,
    distribution: DistributionState,
    options: Options,
    #[serde(with = "float")]
    bests: Vec<f64>,
}

/// The axes that are choices, or the others.
fn axes(frame: &Frame, choices: bool) -> Vec<usize> {
    let axes = frame.axes().iter().enumerate();
    axes.filter(|(_, axis)| matches!(axis.kind(), AxisKind::Options(_)) == choices).map(|(number, _)| number).collect()
}

fn count(frame: &Frame, choice: usize) -> usize {
    match frame.axes().get(choice).map(|axis| axis.kind()) {
        Some(AxisKind::Options(count)) => count.max(1),
        _ => 1,
    }
}

fn option(part: f64, count: usize) -> usize {
    ((part * count as f64) as usize).min(count.saturating_sub(1))
}

/// With what probability a whole number is other than that at the mean, at least: Hamano et al. 2022.
fn margin(axes: usize, population: usize) -> f64 {
    1.0 / (axes.max(1) * population.max(2)) as f64
}

fn cells(frame: &Frame) -> Vec<Cells> {
    axes(frame, false).into_iter().map(|axis| Cells::new(frame, axis)).collect()
}

impl Model {
    /// In the middle, with a first step of `sigma`; by default as large a generation as for so many axes is customary.
    pub(super) fn new(frame: &Frame, sigma: f64, population: Option<usize>) -> Self {
        let (numbers, choices) = (axes(frame, false), axes(frame, true));
        let all = frame.axes().len();
        let population = population.unwrap_or(4 + (3.0 * (all.max(1) as f64).ln()) as usize);
        let middle = vec![0.5; numbers.len()];
        let distribution = Distribution::new(middle, sigma, cells(frame), margin(all, population));
        let counts: Vec<usize> = choices.iter().map(|choice| count(frame, *choice)).collect();
        let (options, bests, drawn) = (Options::new(&counts), Vec::new(), Drawn::default());
        Self { population, sigma, numbers, choices, distribution, options, bests, drawn }
    }

    pub(super) fn population(&self) -> usize {
        self.population
    }

    /// One that begins anew at a random place, with twice the population: Auger and Hansen 2005.
    pub(super) fn anew(&self, frame: &Frame, random: &mut impl Rng) -> Self {
        let population = self.population.saturating_mul(2);
        let place = self.numbers.iter().map(|_| random.random()).collect();
        let margin = margin(frame.axes().len(), population);
        let distribution = Distribution::new(place, self.sigma, cells(frame), margin);
        Self { distribution, drawn: self.drawn, ..Self::new(frame, self.sigma, Some(population)) }
    }

    /// The next set of directions begins.
    fn turn(&mut self) {
        self.drawn = Drawn { sets: self.drawn.sets + 1, of_this: 0 };
    }

    /// A coordinate for each axis. What the points of a set have in common follows from `seed`.
    pub(super) fn draw(&mut self, seed: u64, random: &mut impl Rng) -> Vec<f64> {
        if self.drawn.of_this >= self.numbers.len() {
            self.turn();
        }
        let mut common = ChaCha8Rng::seed_from_u64(seed);
        // The streams from 0 on are the suggestions'.
        common.set_stream(!self.drawn.sets);
        let standard = orthogonal(self.drawn.of_this, self.numbers.len(), &mut common);
        self.drawn.of_this += 1;
        let mut point = vec![0.5; self.numbers.len() + self.choices.len()];
        for (axis, part) in self.numbers.iter().zip(self.distribution.draw(standard, random)) {
            point[*axis] = part;
        }
        let counts = self.options.counts();
        for ((axis, taken), count) in self.choices.iter().zip(self.options.draw(random)).zip(counts) {
            point[*axis] = (taken as f64 + 0.5) / count as f64;
        }
        point
    }

    /// Learns from a generation.
    pub(super) fn learn(&mut self, mut generation: Vec<Outcome>) {
        generation.sort_by(Outcome::compare);
        let part = |point: &Point, axis: usize| point.get(axis).copied().flatten();
        let (mut numbers, mut taken) = (Vec::new(), Vec::new());
        let counts = self.options.counts();
        for Outcome { point, .. } in &generation {
            numbers.push(self.numbers.iter().map(|axis| part(point, *axis)).collect::<Vec<_>>());
            let choices = self.choices.iter().zip(&counts);
            taken.push(choices.map(|(axis, count)| Some(option(part(point, *axis)?, *count))).collect::<Vec<_>>());
        }
        if !self.numbers.is_empty() {
            self.distribution.learn(&numbers);
        }
        if !self.choices.is_empty() {
            self.options.learn(&taken, self.choices.len() + self.distribution.discrete());
        }
        self.turn();
        self.bests.extend(generation.first().map(|best| best.value));
        let most = self.patience();
        if self.bests.len() > most {
            self.bests.drain(..self.bests.len() - most);
        }
    }

    /// After so many generations without a change nothing more is expected: Auger and Hansen 2005.
    fn patience(&self) -> usize {
        10 + (30 * (self.numbers.len() + self.choices.len())).div_ceil(self.population)
    }

    /// Whether nothing more is expected of it: its steps are too small to matter, or the best of its generations are all the same.
    pub(super) fn is_at_rest(&self) -> bool {
        let (low, high) = self
            .bests
            .iter()
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), best| (low.min(*best), high.max(*best)));
        let same = low == high || high - low <= SAME * low.abs().max(high.abs());
        self.distribution.is_at_rest() || self.bests.len() >= self.patience() && same
    }

    /// The same in another space. A number's mean that isn't in its new range is taken to the bound.
    pub(super) fn moved(&self, frame: &Frame, shift: &Shift) -> Self {
        let (numbers, choices) = (axes(frame, false), axes(frame, true));
        let was = |axis: usize, all: &[usize]| all.iter().position(|old| Some(*old) == shift.was(axis));
        let places: Vec<(usize, Option<usize>)> =
            numbers.iter().map(|axis| (*axis, was(*axis, &self.numbers))).collect();
        let margin = margin(frame.axes().len(), self.population);
        let part = |axis: usize, part: f64| shift.part(axis, part);
        let distribution = self.distribution.moved(&places, (self.sigma, cells(frame), margin), &part);
        let old = self.options.counts();
        let options = |axis: &usize| {
            let new = count(frame, *axis);
            let mut options = vec![None; new];
            let Some(choice) = was(*axis, &self.choices) else { return options };
            for number in 0..old[choice] {
                let place = shift.part(*axis, (number as f64 + 0.5) / old[choice] as f64);
                if let Some(slot) = place.and_then(|place| options.get_mut(option(place, new))) {
                    *slot = Some((choice, number));
                }
            }
            options
        };
        let was: Vec<Vec<Option<(usize, usize)>>> = choices.iter().map(options).collect();
        let options = self.options.moved(&was, choices.len() + distribution.discrete());
        let Self { population, sigma, drawn, .. } = *self;
        let mut moved =
            Self { population, sigma, numbers, choices, distribution, options, bests: self.bests.clone(), drawn };
        if moved.numbers.len() != self.numbers.len() {
            moved.turn();
        }
        moved
    }

    pub(super) fn state(&self) -> ModelState {
        let Self { population, options, bests, drawn, .. } = self.clone();
        ModelState { population, drawn, distribution: self.distribution.state(), options, bests }
    }

    /// This one as it was then; none if that is one of another space.
    pub(super) fn with_state(&self, frame: &Frame, state: ModelState) -> Option<Self> {
        let ModelState { population, drawn, distribution, options, bests } = state;
        let population = population.max(2);
        let margin = margin(frame.axes().len(), population);
        let distribution = Distribution::of_state(distribution, cells(frame), margin)?;
        let options = Some(options).filter(|options| options.fits(&self.options.counts()))?;
        Some(Self { population, drawn, distribution, options, bests, ..self.clone() })
    }
}
