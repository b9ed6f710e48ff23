//! The state of a run: what every trial reported, and the means at the times at which trials are compared.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::Bound::{Excluded, Included};

use serde::{Deserialize, Serialize};

use super::history::History;
use super::middle::{Middle, median_of};
use crate::logic::ids::TrialId;
use crate::logic::schedule::Cohort;
use crate::logic::schedule::number::Ordered;

/// What is known once the settings are fixed. What trials reported is kept between sessions; all else follows from that.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Run {
    #[serde(skip)]
    grace_period: f64,
    #[serde(skip)]
    places: HashMap<TrialId, usize>,
    /// One a trial, in the order in which they came.
    pub(super) histories: Vec<History>,
    /// At times that were asked for more than once: the mean up to then of every trial that got there.
    #[serde(skip)]
    columns: BTreeMap<Ordered, Middle>,
    /// The times that were asked for, by their bits.
    #[serde(skip)]
    asked: HashSet<u64>,
    /// The latest time of any trial.
    #[serde(skip)]
    front: f64,
    /// Trials that were paused.
    pub(super) paused: BTreeSet<usize>,
}

/// The trials that a trial is compared with: the median of their means, and how many they are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Others {
    pub(super) median: Option<f64>,
    pub(super) count: usize,
}

impl Run {
    pub(super) fn new(grace_period: f64) -> Self {
        Self { grace_period, front: f64::NEG_INFINITY, ..Self::default() }
    }

    /// Goes on with what trials have reported in an earlier session, and with those of them that were paused.
    pub(super) fn since(self, before: Self) -> Self {
        let Self { histories, paused, .. } = before;
        let whose = |(place, history): (usize, &History)| Some((history.trial?, place));
        let places = histories.iter().enumerate().filter_map(whose).collect();
        let front = histories.iter().map(|history| history.last).fold(self.front, f64::max);
        Self { places, histories, front, paused, ..self }
    }

    /// The place of a trial; a new one gets the next.
    pub(super) fn join(&mut self, trial: TrialId) -> usize {
        let next = self.histories.len();
        let place = *self.places.entry(trial).or_insert(next);
        if place == next {
            self.histories.push(History::new(trial));
        }
        place
    }

    /// What the trial at `place` reported.
    pub(super) fn history(&mut self, place: usize) -> &mut History {
        &mut self.histories[place]
    }

    /// Records a score. At a time that the trial had reached before, only its best is affected: what it reported then
    /// stays.
    pub(super) fn record(&mut self, place: usize, time: f64, score: f64) {
        let history = &mut self.histories[place];
        history.best = history.best.max(score); // NaN only if both are
        let from = history.last;
        if time <= from {
            return;
        }
        let before = history.mean(from);
        history.record(time, score, time >= self.grace_period);
        let now = history.mean(time);
        for (Ordered(at), column) in self.columns.range_mut((Excluded(Ordered(from)), Included(Ordered(time)))) {
            column.insert(if *at < time { before } else { now }, place);
        }
        self.front = self.front.max(time);
    }

    /// Counts a score at the trial's last time once more.
    pub(super) fn count_again(&mut self, place: usize, score: f64) {
        let history = &mut self.histories[place];
        let before = history.mean(history.last);
        history.count_again(score);
        let (last, now) = (history.last, history.mean(history.last));
        if let Some(column) = self.columns.get_mut(&Ordered(last)) {
            column.remove(before, place);
            column.insert(now, place);
        }
    }

    /// The other trials that got to `time`.
    pub(super) fn others(&mut self, place: usize, time: f64) -> Others {
        let own = &self.histories[place];
        let own = if own.last >= time { own.mean(time) } else { f64::NAN };
        let key = Ordered(time);
        if !self.columns.contains_key(&key) {
            if self.asked.insert(time.to_bits()) {
                return self.look_once(place, time);
            }
            let mut column = Middle::default();
            for (other, history) in self.histories.iter().enumerate().filter(|(_, history)| history.last >= time) {
                column.insert(history.mean(time), other);
            }
            self.columns.insert(key, column);
        }
        let column = self.columns.entry(key).or_default();
        column.remove(own, place);
        let others = Others { median: column.median(), count: column.len() };
        column.insert(own, place);
        others
    }

    fn look_once(&self, place: usize, time: f64) -> Others {
        if time > self.front {
            return Others { median: None, count: 0 };
        }
        let there = self.histories.iter().enumerate();
        let there = there.filter(|(other, history)| *other != place && history.last >= time);
        let (median, count) = median_of(there.map(|(_, history)| history.mean(time)));
        Others { median, count }
    }

    /// The trial at `place` was told to pause.
    pub(super) fn pause(&mut self, place: usize) {
        self.paused.insert(place);
    }

    /// The trial at `place` runs, or has ended.
    pub(super) fn unpause(&mut self, place: usize) {
        self.paused.remove(&place);
    }

    /// The first of the paused trials, in the order in which they came, that can be launched.
    pub(super) fn first_paused(&self, cohort: &dyn Cohort) -> Option<TrialId> {
        self.paused.iter().filter_map(|place| self.histories[*place].trial).find(|trial| cohort.can_launch(*trial))
    }

    /// Forgets whose history it is; the history stays.
    pub(super) fn forget(&mut self, trial: TrialId) {
        if let Some(place) = self.places.remove(&trial) {
            self.histories[place].trial = None;
        }
    }
}
