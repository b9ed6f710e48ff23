//! The next point.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::mixture::{Mixture, Observations, Shape};
use super::width::Role;
use crate::logic::search::tried::Tried;
use crate::logic::space::Frame;

/// So many points are drawn at random in search of one that wasn't tried, before all are gone through.
const TRIES: usize = 20;

/// A random point: a coordinate for each axis. One that wasn't tried, if there is one and the space is finite.
pub(super) fn anywhere(frame: &Frame, tried: &Tried, random: &mut ChaCha8Rng) -> Vec<f64> {
    let mut draw = || -> Vec<f64> { frame.axes().iter().map(|_| random.random()).collect() };
    let first = draw();
    if !tried.has(frame, &first) {
        return first;
    }
    for _ in 0..TRIES {
        let draft = draw();
        if !tried.has(frame, &draft) {
            return draft;
        }
    }
    tried.left(frame, random.random()).unwrap_or(first)
}

/// Of some candidates from the density of the good ones the one that is likeliest to be good, and wasn't tried.
pub(super) fn likeliest(
    frame: &Frame,
    (good, bad): (&Observations<'_>, &Observations<'_>),
    candidates: u32,
    tried: &Tried,
    random: &mut ChaCha8Rng,
) -> Vec<f64> {
    let shapes = Shape::of(frame);
    let (good, bad) = (Mixture::new(&shapes, good, Role::Good), Mixture::new(&shapes, bad, Role::Bad));
    let (mut best, mut room) = (None, Vec::new());
    for _ in 0..candidates {
        let draft = good.draw(random);
        if tried.has(frame, &draft) {
            continue;
        }
        let places: Vec<usize> = shapes.iter().zip(&draft).map(|(shape, part)| shape.place(*part)).collect();
        let worth = good.log_density(&draft, &places, &mut room) - bad.log_density(&draft, &places, &mut room);
        if best.as_ref().is_none_or(|(most, _)| worth > *most) {
            best = Some((worth, draft));
        }
    }
    best.map_or_else(|| anywhere(frame, tried, random), |(_, draft)| draft)
}
