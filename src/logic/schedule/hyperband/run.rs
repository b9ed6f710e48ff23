//! The state of a run: all brackets of all bands, and which of them each trial is in.

use std::collections::{BTreeSet, HashMap};

use super::bracket::{Bracket, Leaver};
use super::plan::{Plan, Start};
use crate::logic::ids::TrialId;
use crate::logic::schedule::{AtMaxT, Cohort};

/// What is known once the settings are fixed.
#[derive(Clone, Debug)]
pub(super) struct Run {
    pub(super) plan: Plan,
    at_max_t: AtMaxT,
    pub(super) band: Vec<Start>,
    /// The brackets of the first band, then those of the second, and so on. The last one is being filled.
    pub(super) brackets: Vec<Bracket>,
    seats: HashMap<TrialId, Seat>,
    /// The brackets in which somebody waits to be launched.
    waiting: BTreeSet<usize>,
}

/// A trial's place.
#[derive(Clone, Copy, Debug)]
struct Seat {
    bracket: usize,
    number: u64,
}

/// What a report comes to.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    /// The trial goes on.
    GoOn,
    /// It waits at the milestone for so many of the others.
    Wait { milestone: u64, members: usize, behind: usize },
    /// It leaves.
    Leave(Leaver),
}

impl Run {
    pub(super) fn new(plan: Plan, at_max_t: AtMaxT) -> Self {
        let (band, seats) = (plan.band(), HashMap::new());
        Self { plan, at_max_t, band, brackets: Vec::new(), seats, waiting: BTreeSet::new() }
    }

    /// Puts a bracket of an earlier session behind those that are there.
    pub(super) fn push(&mut self, bracket: Bracket) {
        let index = self.brackets.len();
        for (number, trial) in bracket.members() {
            self.seats.insert(trial, Seat { bracket: index, number });
        }
        self.brackets.push(bracket);
        self.note_waiting(index);
    }

    /// The bracket of a trial that joined and hasn't left, counted over all bands.
    pub(super) fn bracket_of(&self, trial: TrialId) -> Option<usize> {
        Some(self.seats.get(&trial)?.bracket)
    }

    /// A trial takes a seat in the bracket that is being filled, unless it has one.
    pub(super) fn join(&mut self, trial: TrialId) {
        if self.seats.contains_key(&trial) || self.band.is_empty() {
            return;
        }
        if self.brackets.last().is_none_or(Bracket::is_full) {
            let start = self.band[self.brackets.len() % self.band.len()];
            self.brackets.push(Bracket::new(self.plan, start));
        }
        let bracket = self.brackets.len() - 1;
        let number = self.brackets[bracket].join(trial);
        self.seats.insert(trial, Seat { bracket, number });
        self.waiting.insert(bracket);
    }

    /// A trial reported: what becomes of it, and which others leave.
    pub(super) fn report(&mut self, trial: TrialId, time: f64, score: f64) -> (Answer, Vec<Leaver>) {
        self.join(trial);
        let Some(seat) = self.seats.get(&trial).copied() else { return (Answer::GoOn, Vec::new()) };
        let bracket = &mut self.brackets[seat.bracket];
        bracket.reached(seat.number, time, score);
        if bracket.goes_on(seat.number, self.at_max_t) {
            self.note_waiting(seat.bracket);
            return (Answer::GoOn, Vec::new());
        }
        let mut leavers = self.settle(seat.bracket, Some(seat.number));
        if let Some(own) = leavers.iter().position(|leaver| leaver.seat == seat.number) {
            return (Answer::Leave(leavers.remove(own)), leavers);
        }
        let bracket = &self.brackets[seat.bracket];
        if bracket.goes_on(seat.number, self.at_max_t) {
            return (Answer::GoOn, leavers);
        }
        let (milestone, members, behind) = bracket.standing();
        (Answer::Wait { milestone, members, behind }, leavers)
    }

    /// A trial ended. If the others of its bracket waited for it alone, they are compared now.
    pub(super) fn end(&mut self, trial: TrialId) -> Vec<Leaver> {
        let Some(seat) = self.seats.remove(&trial) else { return Vec::new() };
        self.brackets[seat.bracket].leave(seat.number);
        self.settle(seat.bracket, None)
    }

    /// A trial stands in the line once more.
    pub(super) fn retry(&mut self, trial: TrialId) {
        if let Some(seat) = self.seats.get(&trial).copied() {
            self.brackets[seat.bracket].wait(seat.number);
            self.waiting.insert(seat.bracket);
        }
    }

    /// The next trial to launch: of the first band in which one can be, of its bracket with the least progress.
    pub(super) fn choose(&mut self, cohort: &dyn Cohort) -> Option<TrialId> {
        let size = self.band.len().max(1);
        let mut best: Option<(usize, u64, TrialId)> = None;
        for &index in &self.waiting {
            if best.is_some_and(|(other, ..)| other / size < index / size) {
                break;
            }
            let bracket = &self.brackets[index];
            if best.is_some_and(|(other, ..)| self.brackets[other].progress() <= bracket.progress()) {
                continue;
            }
            let first = bracket.waiting().find(|(_, trial)| cohort.can_launch(*trial));
            best = first.map(|(seat, trial)| (index, seat, trial)).or(best);
        }
        let (index, seat, trial) = best?;
        self.brackets[index].launched(seat);
        self.note_waiting(index);
        Some(trial)
    }

    fn settle(&mut self, index: usize, reporter: Option<u64>) -> Vec<Leaver> {
        let leavers = self.brackets[index].settle(self.plan, self.at_max_t, reporter);
        for leaver in &leavers {
            self.seats.remove(&leaver.member.trial);
        }
        self.note_waiting(index);
        leavers
    }

    fn note_waiting(&mut self, index: usize) {
        if self.brackets[index].has_waiting() {
            self.waiting.insert(index);
        } else {
            self.waiting.remove(&index);
        }
    }
}
