//! What follows from each trial's record at once: when it last changed, its value, and its place among the others.

use std::collections::BTreeSet;

use super::views::Best;
use crate::logic::engine::{Ledger, TrialRecord};
use crate::logic::metrics::{Objective, Scope};

/// A trial.
#[derive(Clone, Copy, Debug)]
struct Row {
    /// The position at which it last changed.
    stamp: u64,
    iteration: u64,
    /// The objective's value in its last report, if that is finite.
    value: Option<f64>,
}

/// All trials, in the order of their creation.
#[derive(Debug, Default)]
pub(super) struct Rows {
    rows: Vec<Row>,
    objective: Option<Objective>,
    /// The trials with a value, the best first, of equals the first.
    ranking: BTreeSet<(u64, u32)>,
    iterations: u64,
}

impl Rows {
    /// What counts from here on.
    pub(super) fn judge_by(&mut self, objective: Option<Objective>, ledger: &Ledger) {
        if self.objective == objective {
            return;
        }
        self.objective = objective;
        self.ranking.clear();
        self.rows.iter_mut().for_each(|row| row.value = None);
        let stamps: Vec<u64> = self.rows.iter().map(|row| row.stamp).collect();
        for (record, stamp) in ledger.iter().zip(stamps) {
            self.touch(record, stamp);
        }
    }

    /// Something has changed of a trial.
    pub(super) fn touch(&mut self, record: &TrialRecord, stamp: u64) {
        let (number, iteration) = (record.id.number(), record.last.as_ref().map_or(0, |last| last.iteration()));
        let value = self.value(record);
        let new = Row { stamp, iteration, value };
        let place = number as usize;
        if place == self.rows.len() {
            self.rows.push(Row { stamp, iteration: 0, value: None });
        }
        let Some(row) = self.rows.get_mut(place) else { return };
        let before = std::mem::replace(row, new);
        self.iterations = (self.iterations + iteration).saturating_sub(before.iteration);
        if before.value != value
            && let Some(objective) = &self.objective
        {
            let key = |value: f64| (rank(objective.score(value)), number);
            before.value.map(|value| self.ranking.remove(&key(value)));
            value.map(|value| self.ranking.insert(key(value)));
        }
    }

    fn value(&self, record: &TrialRecord) -> Option<f64> {
        let objective = self.objective.as_ref()?;
        let value = record.stats.value(&objective.metric, Scope::Last, objective.mode, record.last.as_deref());
        value.filter(|value| value.is_finite())
    }

    /// The sum of all trials' iterations.
    pub(super) fn iterations(&self) -> u64 {
        self.iterations
    }

    /// The best trial.
    pub(super) fn best(&self) -> Option<Best> {
        let (_, number) = self.ranking.first()?;
        let value = self.rows.get(*number as usize)?.value?;
        Some(Best { number: *number, value })
    }

    /// The objective's value in a trial's last report, if it is finite.
    pub(super) fn value_of(&self, number: u32) -> Option<f64> {
        self.rows.get(number as usize)?.value
    }

    /// The trials with a value, the best first.
    pub(super) fn ranked(&self) -> impl ExactSizeIterator<Item = u32> {
        self.ranking.iter().map(|(_, number)| *number)
    }

    /// Those that have changed since a position.
    pub(super) fn since(&self, position: u64) -> impl Iterator<Item = u32> {
        let changed = self.rows.iter().enumerate().filter(move |(_, row)| row.stamp > position);
        changed.filter_map(|(number, _)| u32::try_from(number).ok())
    }
}

/// Orders scores, the best first.
fn rank(score: f64) -> u64 {
    // Both zeros are the same.
    let bits = (score + 0.0).to_bits();
    let ascending = if bits >> 63 == 1 { !bits } else { bits | 1 << 63 };
    !ascending
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_ordered_from_the_best() {
        let mut scores = [f64::NEG_INFINITY, -3.0, -0.5, -0.0, 0.0, 1e-300, 2.0, f64::INFINITY];
        scores.sort_by_key(|score| rank(*score));
        assert_eq!(scores[0], f64::INFINITY);
        assert!(scores.windows(2).all(|pair| pair[0] >= pair[1]), "{scores:?}");
        assert_eq!(rank(0.0), rank(-0.0));
    }
}
