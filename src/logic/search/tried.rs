//! Which places of a finite space were tried.

use std::collections::BTreeMap;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::study::Point;
use crate::logic::space::{AxisKind, Frame};

/// No more places than this are looked at in search of one that wasn't tried.
const MOST: u64 = 10_000;
/// So many points are drawn at random in search of one, before all are gone through.
const TRIES: usize = 20;

/// The places of a space of choices and few numbers that were tried: to try one again teaches nothing. In a space with a number that may
/// be any, nothing was tried.
#[derive(Debug)]
pub(super) struct Tried {
    /// How many values each axis has; empty if there are too many.
    sizes: Vec<u64>,
    /// Where in the order in which they were told.
    seen: BTreeMap<Vec<Option<u64>>, usize>,
}

impl Tried {
    pub(super) fn new<'a>(frame: &Frame, points: impl Iterator<Item = &'a Point>) -> Self {
        let sizes: Option<Vec<u64>> = (0..frame.axes().len()).map(|axis| size(frame, axis)).collect();
        let mut tried = Self { sizes: sizes.unwrap_or_default(), seen: BTreeMap::new() };
        if !tried.sizes.is_empty() {
            let numbered = points.enumerate();
            tried.seen = numbered.map(|(number, point)| (tried.key(frame, point), number)).collect();
        }
        tried
    }

    #[cfg(feature = "cma-es")]
    /// Whether the places of a space can be told from one another.
    pub(super) fn can_be_told(frame: &Frame) -> bool {
        !frame.axes().is_empty() && (0..frame.axes().len()).all(|axis| size(frame, axis).is_some())
    }

    /// Whether a draft, whose coordinates that don't count may be anything, was tried.
    pub(super) fn has(&self, frame: &Frame, draft: &[f64]) -> bool {
        self.place_of(frame, draft).is_some()
    }

    /// Which of the points that were told it is, the last one if it is several.
    pub(super) fn place_of(&self, frame: &Frame, draft: &[f64]) -> Option<usize> {
        if self.seen.is_empty() {
            return None;
        }
        let shown = draft.iter().enumerate().map(|(axis, part)| frame.counts(axis, draft).then_some(*part));
        self.seen.get(&self.key(frame, &shown.collect())).copied()
    }

    /// A place that wasn't tried, the first from `start` on, a number from 0 to 1; none if all were, or there are too many to look
    /// at.
    fn left(&self, frame: &Frame, start: f64) -> Option<Vec<f64>> {
        let all = self.sizes.iter().try_fold(1_u64, |all, size| all.checked_mul(*size).filter(|all| *all <= MOST))?;
        let first = (start * all as f64) as u64;
        let mut places = (0..all).map(|number| self.place(frame, (first + number) % all.max(1)));
        places.find(|draft| !self.has(frame, draft)).filter(|_| !self.sizes.is_empty())
    }

    /// A random point: a coordinate for each axis. One that wasn't tried, if there is one and the space is finite.
    pub(super) fn anywhere(&self, frame: &Frame, random: &mut ChaCha8Rng) -> Vec<f64> {
        let mut draw = || -> Vec<f64> { frame.axes().iter().map(|_| random.random()).collect() };
        let first = draw();
        if !self.has(frame, &first) {
            return first;
        }
        let found = (0..TRIES).map(|_| draw()).find(|draft| !self.has(frame, draft));
        found.or_else(|| self.left(frame, random.random())).unwrap_or(first)
    }

    fn place(&self, frame: &Frame, mut number: u64) -> Vec<f64> {
        let sizes = self.sizes.iter().enumerate();
        sizes
            .map(|(axis, size)| {
                let value = number % size;
                number /= size;
                middle(frame, axis, value, *size)
            })
            .collect()
    }

    fn key(&self, frame: &Frame, point: &Point) -> Vec<Option<u64>> {
        let parts = point.iter().zip(&self.sizes).enumerate();
        parts.map(|(axis, (part, size))| part.map(|part| value(frame, axis, part, *size))).collect()
    }
}

/// How many values an axis has, if they can be counted.
fn size(frame: &Frame, axis: usize) -> Option<u64> {
    match frame.axes().get(axis)?.kind() {
        AxisKind::Options(count) => Some(count as u64),
        AxisKind::Steps(count) => Some(count),
        AxisKind::Number => Some(frame.cells(axis)?.len() as u64 - 1),
    }
}

fn value(frame: &Frame, axis: usize, part: f64, size: u64) -> u64 {
    match frame.cells(axis) {
        Some(bounds) => (bounds.partition_point(|bound| *bound <= part) as u64).clamp(1, size.max(1)) - 1,
        None => ((part * size as f64) as u64).min(size.saturating_sub(1)),
    }
}

fn middle(frame: &Frame, axis: usize, value: u64, size: u64) -> f64 {
    let pair = frame.cells(axis).and_then(|bounds| bounds.get(value as usize..value as usize + 2));
    match pair {
        Some([from, to]) => (from + to) / 2.0,
        _ => (value as f64 + 0.5) / size as f64,
    }
}
