//! A small neural network that learns by minibatch gradient descent and can be frozen to bytes after any epoch.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use crate::data::{CLASSES, PIXELS, Sample};

/// How to descend.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Descent {
    pub(crate) lr: f32,
    pub(crate) momentum: f32,
    pub(crate) weight_decay: f32,
    pub(crate) batch_size: usize,
}

/// How well a network does on a set of images.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Score {
    /// Mean cross-entropy.
    pub(crate) loss: f64,
    /// The share of images that are recognised.
    pub(crate) accuracy: f64,
}

/// Pixels, a hidden layer of rectified linear units, and a score for each digit.
///
/// All weights lie in one vector, so that an update, a save and a restore each are one pass over it. Its parts are
/// pixel-to-hidden, hidden-to-digit, and the biases of both layers. Rows are laid out so that every inner loop runs
/// over neighbours without adding them up, which the compiler can vectorise without changing a single bit.
#[derive(Clone, Debug)]
pub(crate) struct Network {
    hidden: usize,
    weights: Vec<f32>,
    velocity: Vec<f32>,
    seed: u64,
    epoch: u64,
}

/// Bytes that aren't a network of this size.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a network with {hidden} hidden units takes {expected} bytes, found {found}")]
pub(crate) struct WrongSize {
    hidden: usize,
    expected: usize,
    found: usize,
}

/// The parts of a vector that is laid out like the weights.
struct Parts<'a> {
    first: &'a [f32],
    second: &'a [[f32; CLASSES]],
    first_bias: &'a [f32],
    second_bias: &'a [f32; CLASSES],
}

struct PartsMut<'a> {
    first: &'a mut [f32],
    second: &'a mut [[f32; CLASSES]],
    first_bias: &'a mut [f32],
    second_bias: &'a mut [[f32; CLASSES]],
}

const HEADER: usize = 2 * size_of::<u64>();

impl Network {
    /// Random weights with He's variance, zero biases.
    pub(crate) fn new(hidden: usize, seed: u64) -> Self {
        let decayed = hidden * (PIXELS + CLASSES);
        let mut weights = vec![0.0; decayed + hidden + CLASSES];
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (first, rest) = weights.split_at_mut(hidden * PIXELS);
        for (part, inputs) in [(first, PIXELS), (&mut rest[..hidden * CLASSES], hidden)] {
            let deviation = (2.0 / inputs as f32).sqrt();
            part.fill_with(|| {
                let normal: f32 = StandardNormal.sample(&mut rng);
                deviation * normal
            });
        }
        Self { hidden, velocity: vec![0.0; weights.len()], weights, seed, epoch: 0 }
    }

    /// Goes through all samples once, in a new order. Answers the mean loss on the way.
    pub(crate) fn train_epoch(&mut self, samples: &[Sample], descent: &Descent) -> f64 {
        self.epoch += 1;
        // Each epoch draws its order from a stream of its own: the seed and the epoch are all there is to save.
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(self.epoch);
        let mut order: Vec<u32> = (0..samples.len() as u32).collect();
        order.shuffle(&mut rng);

        let mut gradient = vec![0.0; self.weights.len()];
        let mut units = vec![0.0; self.hidden];
        let mut units_gradient = vec![0.0; self.hidden];
        let mut loss = 0.0;
        for batch in order.chunks(descent.batch_size) {
            gradient.fill(0.0);
            for &index in batch {
                let sample = &samples[index as usize];
                let weights = parts(&self.weights, self.hidden);
                let scores = forward(&weights, &sample.image, &mut units);
                let (error, sample_loss) = cross_entropy(scores, sample.digit);
                loss += f64::from(sample_loss);
                let into = parts_mut(&mut gradient, self.hidden);
                backward(&weights, sample, &units, &error, &mut units_gradient, into);
            }
            self.descend(&gradient, batch.len(), descent);
        }
        loss / samples.len() as f64
    }

    /// How well it does on samples it doesn't learn from.
    pub(crate) fn evaluate(&self, samples: &[Sample]) -> Score {
        let weights = parts(&self.weights, self.hidden);
        let mut units = vec![0.0; self.hidden];
        let (mut loss, mut right) = (0.0, 0_usize);
        for sample in samples {
            let scores = forward(&weights, &sample.image, &mut units);
            let own = scores[usize::from(sample.digit)];
            loss += f64::from(cross_entropy(scores, sample.digit).1);
            // With weights that went to infinity no score is a number, and the answer must not count as right.
            right += usize::from(scores.iter().filter(|&&other| own > other).count() == CLASSES - 1);
        }
        Score { loss: loss / samples.len() as f64, accuracy: right as f64 / samples.len() as f64 }
    }

    /// One step with momentum against the mean gradient of a batch. Biases don't decay.
    fn descend(&mut self, gradient: &[f32], batch: usize, descent: &Descent) {
        let biases = self.hidden * (PIXELS + CLASSES);
        let (lr, momentum, scale) = (descent.lr, descent.momentum, 1.0 / batch as f32);
        for (range, decay) in [(0..biases, descent.weight_decay), (biases..self.weights.len(), 0.0)] {
            let weights = self.weights[range.clone()].iter_mut().zip(&mut self.velocity[range.clone()]);
            for ((weight, velocity), slope) in weights.zip(&gradient[range]) {
                *velocity = momentum * *velocity - lr * (slope * scale + decay * *weight);
                *weight += *velocity;
            }
        }
    }

    /// Everything it takes to go on from here as if nothing had happened.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let header = [self.seed, self.epoch].into_iter().flat_map(u64::to_le_bytes);
        let numbers = self.weights.iter().chain(&self.velocity).flat_map(|number| number.to_le_bytes());
        header.chain(numbers).collect()
    }

    /// The network with `hidden` units in `bytes`.
    pub(crate) fn from_bytes(hidden: usize, bytes: &[u8]) -> Result<Self, WrongSize> {
        let count = hidden * (PIXELS + CLASSES + 1) + CLASSES;
        let expected = HEADER + 2 * count * size_of::<f32>();
        let wrong = WrongSize { hidden, expected, found: bytes.len() };
        if wrong.found != wrong.expected {
            return Err(wrong);
        }
        let (header, numbers) = bytes.split_at(HEADER);
        let (header, numbers) = (header.as_chunks().0, numbers.as_chunks().0);
        let (weights, velocity) = numbers.split_at(count);
        let floats = |numbers: &[[u8; 4]]| numbers.iter().copied().map(f32::from_le_bytes).collect();
        Ok(Self {
            hidden,
            weights: floats(weights),
            velocity: floats(velocity),
            seed: u64::from_le_bytes(header[0]),
            epoch: u64::from_le_bytes(header[1]),
        })
    }
}

fn parts(vector: &[f32], hidden: usize) -> Parts<'_> {
    let (first, rest) = vector.split_at(hidden * PIXELS);
    let (second, rest) = rest.split_at(hidden * CLASSES);
    let (first_bias, second_bias) = rest.split_at(hidden);
    Parts { first, second: second.as_chunks().0, first_bias, second_bias: &second_bias.as_chunks().0[0] }
}

fn parts_mut(vector: &mut [f32], hidden: usize) -> PartsMut<'_> {
    let (first, rest) = vector.split_at_mut(hidden * PIXELS);
    let (second, rest) = rest.split_at_mut(hidden * CLASSES);
    let (first_bias, second_bias) = rest.split_at_mut(hidden);
    PartsMut { first, second: second.as_chunks_mut().0, first_bias, second_bias: second_bias.as_chunks_mut().0 }
}

/// Adds `factor` times `row` to `sum`.
fn add_scaled(sum: &mut [f32], factor: f32, row: &[f32]) {
    for (sum, value) in sum.iter_mut().zip(row) {
        *sum += factor * value;
    }
}

/// Fills the hidden units and answers the scores. Half of all pixels are black and half of all units are off: both
/// are skipped.
fn forward(weights: &Parts<'_>, image: &[f32; PIXELS], units: &mut [f32]) -> [f32; CLASSES] {
    units.copy_from_slice(weights.first_bias);
    for (&pixel, row) in image.iter().zip(weights.first.chunks_exact(units.len())) {
        if pixel != 0.0 {
            add_scaled(units, pixel, row);
        }
    }
    let mut scores = *weights.second_bias;
    for (unit, row) in units.iter_mut().zip(weights.second) {
        *unit = unit.max(0.0);
        if *unit != 0.0 {
            add_scaled(&mut scores, *unit, row);
        }
    }
    scores
}

/// The loss, and its slope along the scores: what softmax says, less what is right.
fn cross_entropy(scores: [f32; CLASSES], digit: u8) -> ([f32; CLASSES], f32) {
    let digit = usize::from(digit);
    let top = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut error = scores.map(|score| (score - top).exp());
    let sum: f32 = error.iter().sum();
    error = error.map(|share| share / sum);
    error[digit] -= 1.0;
    (error, sum.ln() + top - scores[digit])
}

/// Adds one sample's gradient to `into`.
fn backward(
    weights: &Parts<'_>,
    sample: &Sample,
    units: &[f32],
    error: &[f32; CLASSES],
    units_gradient: &mut [f32],
    into: PartsMut<'_>,
) {
    add_scaled(&mut into.second_bias[0], 1.0, error);
    let rows = weights.second.iter().zip(into.second);
    for ((&unit, slope), (row, into)) in units.iter().zip(&mut *units_gradient).zip(rows) {
        // A unit that is off passes nothing back.
        *slope = 0.0;
        if unit > 0.0 {
            add_scaled(into, unit, error);
            *slope = row.iter().zip(error).map(|(weight, error)| weight * error).sum();
        }
    }
    add_scaled(into.first_bias, 1.0, units_gradient);
    for (&pixel, into) in sample.image.iter().zip(into.first.chunks_exact_mut(units.len())) {
        if pixel != 0.0 {
            add_scaled(into, pixel, units_gradient);
        }
    }
}

#[cfg(test)]
#[path = "network/tests.rs"]
mod tests;
