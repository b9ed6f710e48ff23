//! The next point.

use rand_chacha::ChaCha8Rng;

use super::mixture::{Mixture, Observations, Shape};
use super::width::Role;
use crate::logic::search::tried::Tried;
use crate::logic::space::Frame;

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
    best.map_or_else(|| tried.anywhere(frame, random), |(_, draft)| draft)
}
