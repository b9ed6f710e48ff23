//! The points of a space among those of the space that takes its place: for searchers that model it.

use super::Space;
use super::change::matched;
use super::domain::Domain;
use super::frame::Frame;
use super::spread::{cell, middle};
use super::variants::Names;

/// Where the points of one frame are in another, which has other ranges and options.
#[derive(Debug)]
pub(crate) struct Shift {
    /// For each new axis the old one that it is, and where its coordinates are.
    axes: Vec<Option<(usize, Move)>>,
}

#[derive(Debug)]
enum Move {
    /// From one range to another.
    Number(Domain, Domain),
    /// The new number of each option; none of those that have gone.
    Options(Vec<Option<usize>>, usize),
}

impl Shift {
    pub(crate) fn between(old: &Frame, new: &Frame) -> Self {
        let mut walk = Walk { old, new, axes: new.axes().iter().map(|_| None).collect() };
        walk.space((old.space(), &Names::TOP), (new.space(), &Names::TOP));
        Self { axes: walk.axes }
    }

    /// Which axis the new axis `axis` was.
    pub(crate) fn was(&self, axis: usize) -> Option<usize> {
        self.axes.get(axis)?.as_ref().map(|(old, _)| *old)
    }

    /// Where a coordinate of the axis that the new axis `axis` was is now, below 0 or above 1 if that isn't in its range. None for an
    /// option that has gone, and for a new axis.
    pub(crate) fn part(&self, axis: usize, part: f64) -> Option<f64> {
        match self.axes.get(axis)?.as_ref().map(|(_, moves)| moves)? {
            Move::Number(old, new) => new.moved(old, part),
            Move::Options(places, count) => {
                let place = (*places.get(cell(part, places.len() as u64) as usize)?)?;
                Some(middle(place as f64, Some(*count as u64)))
            }
        }
    }

    /// A point of the old frame in the new one.
    pub(crate) fn point(&self, point: &[Option<f64>]) -> Vec<Option<f64>> {
        let old = |axis: usize| point.get(self.was(axis)?).copied().flatten();
        (0..self.axes.len()).map(|axis| self.part(axis, old(axis)?)).collect()
    }
}

/// The way through both spaces at once.
struct Walk<'a> {
    old: &'a Frame,
    new: &'a Frame,
    axes: Vec<Option<(usize, Move)>>,
}

type At<'a, T> = (&'a T, &'a Names);

impl Walk<'_> {
    fn space(&mut self, (old, old_names): At<'_, Space>, (new, new_names): At<'_, Space>) {
        for (name, new) in new.iter() {
            if let Some(old) = old.get(name) {
                self.domain((old, &old_names.inner(&name)), (new, &new_names.inner(&name)));
            }
        }
    }

    fn domain(&mut self, (old, old_names): At<'_, Domain>, (new, new_names): At<'_, Domain>) {
        let moves = match (old, new) {
            (Domain::Map(old), Domain::Map(new)) => return self.space((old, old_names), (new, new_names)),
            (Domain::List(old), Domain::List(new)) => {
                for (index, (old, new)) in old.iter().zip(new).enumerate() {
                    self.domain((old, &old_names.inner(&index)), (new, &new_names.inner(&index)));
                }
                return;
            }
            (Domain::Choice(old), Domain::Choice(new)) => {
                let mut places = vec![None; old.len()];
                for (index, was) in matched(old, new).into_iter().enumerate() {
                    let Some(was) = was else { continue };
                    if let Some(place) = places.get_mut(was) {
                        *place = Some(index);
                    }
                    if let (Some(old), Some(new)) = (old.get(was), new.get(index)) {
                        self.domain((old, &old_names.option(was)), (new, &new_names.option(index)));
                    }
                }
                Move::Options(places, new.len())
            }
            (
                Domain::Float(_) | Domain::Normal(_) | Domain::Int(_),
                Domain::Float(_) | Domain::Normal(_) | Domain::Int(_),
            ) => Move::Number(old.clone(), new.clone()),
            _ => return,
        };
        if let (Some(old), Some(new)) = (self.old.number(old_names), self.new.number(new_names))
            && let Some(axis) = self.axes.get_mut(new)
        {
            *axis = Some((old, moves));
        }
    }
}
