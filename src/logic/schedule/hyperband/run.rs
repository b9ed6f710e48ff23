//! The state of a run: all brackets of all bands, and which of them each trial is in.

use std::collections::{BTreeSet, HashMap};

use super::bracket::{Bracket, Leaver, Standing};
use super::plan::{Plan, Start};
use super::settings::Filling;
use crate::logic::ids::TrialId;
use crate::logic::schedule::{AtMaxT, Cohort};
use crate::logic::trial::Status;

/// What is known once the settings are fixed.
#[derive(Clone, Debug)]
pub(super) struct Run {
    pub(super) plan: Plan,
    at_max_t: AtMaxT,
    filling: Filling,
    pub(super) band: Vec<Start>,
    /// The brackets of the first band, then those of the second, and so on. The last one is being filled.
    pub(super) brackets: Vec<Bracket>,
    seats: HashMap<TrialId, Seat>,
    /// The brackets in which somebody waits to be launched.
    waiting: BTreeSet<usize>,
    /// Those who lost when the run was at rest: nobody can be told before the next report.
    pub(super) dismissed: Vec<Leaver>,
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
    /// It waits at the milestone.
    Wait(Standing),
    /// It leaves.
    Leave(Leaver),
}

impl Run {
    pub(super) fn new(plan: Plan, at_max_t: AtMaxT, filling: Filling) -> Self {
        let (band, seats, waiting) = (plan.band(filling), HashMap::new(), BTreeSet::new());
        Self { plan, at_max_t, filling, band, brackets: Vec::new(), seats, waiting, dismissed: Vec::new() }
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
        let mut others = std::mem::take(&mut self.dismissed);
        if let Some(own) = others.iter().position(|leaver| leaver.member.trial == trial) {
            return (Answer::Leave(others.remove(own)), others);
        }
        let (answer, leavers) = self.place(trial, time, score);
        others.extend(leavers);
        (answer, others)
    }

    fn place(&mut self, trial: TrialId, time: f64, score: f64) -> (Answer, Vec<Leaver>) {
        self.join(trial);
        let Some(seat) = self.seats.get(&trial).copied() else { return (Answer::GoOn, Vec::new()) };
        let bracket = &mut self.brackets[seat.bracket];
        bracket.reached(seat.number, time, score);
        if bracket.goes_on(seat.number, self.at_max_t) {
            self.note_waiting(seat.bracket);
            return (Answer::GoOn, Vec::new());
        }
        let alone = (self.filling, self.at_max_t) == (Filling::LargestFirst, AtMaxT::Stop);
        if let Some(own) = bracket.finisher(seat.number).filter(|_| alone) {
            return (Answer::Leave(own), self.leave(trial));
        }
        let mut leavers = self.settle(seat.bracket, Some(seat.number));
        if let Some(own) = leavers.iter().position(|leaver| leaver.seat == seat.number) {
            return (Answer::Leave(leavers.remove(own)), leavers);
        }
        let bracket = &self.brackets[seat.bracket];
        if bracket.goes_on(seat.number, self.at_max_t) {
            return (Answer::GoOn, leavers);
        }
        (Answer::Wait(bracket.standing()), leavers)
    }

    /// A trial ended. If the others of its bracket waited for it alone, they are compared now.
    pub(super) fn end(&mut self, trial: TrialId) -> Vec<Leaver> {
        let mut leavers = std::mem::take(&mut self.dismissed);
        leavers.retain(|leaver| leaver.member.trial != trial);
        leavers.extend(self.leave(trial));
        leavers
    }

    fn leave(&mut self, trial: TrialId) -> Vec<Leaver> {
        let Some(seat) = self.seats.remove(&trial) else { return Vec::new() };
        self.brackets[seat.bracket].leave(seat.number);
        self.settle(seat.bracket, None)
    }

    /// A trial stands in the line once more.
    pub(super) fn retry(&mut self, trial: TrialId) -> Vec<Leaver> {
        if let Some(seat) = self.seats.get(&trial).copied() {
            self.brackets[seat.bracket].wait(seat.number);
            self.waiting.insert(seat.bracket);
        }
        std::mem::take(&mut self.dismissed)
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

    /// If nothing runs and nobody is to come, the bracket that waits to be full is halved as it is. Who lost is told with
    /// the next report; if nobody else can be launched, one of them is, to end by it.
    pub(super) fn choose_at_rest(&mut self, cohort: &dyn Cohort) -> Option<TrialId> {
        let rests = cohort.count(Status::Running) == 0 && cohort.count(Status::Pending) == 0;
        if self.filling != Filling::LargestFirst || !rests || cohort.first_paused().is_none() {
            return None;
        }
        let last = self.brackets.len().checked_sub(1)?;
        let losers = self.halve(last, None);
        self.dismissed.extend(losers);
        let loser = |run: &Self| {
            let mut trials = run.dismissed.iter().map(|leaver| leaver.member.trial);
            trials.find(|trial| cohort.can_launch(*trial))
        };
        self.choose(cohort).or_else(|| loser(self))
    }

    fn settle(&mut self, index: usize, reporter: Option<u64>) -> Vec<Leaver> {
        if self.may_halve(index) {
            return self.halve(index, reporter);
        }
        self.note_waiting(index);
        Vec::new()
    }

    /// Whether a bracket has all the trials it waits for: it is full, was full when the next one was opened, or was
    /// halved.
    fn may_halve(&self, index: usize) -> bool {
        let bracket = &self.brackets[index];
        let begun = self.band[index % self.band.len()].halvings > bracket.halvings;
        self.filling == Filling::SmallestFirst || begun || bracket.is_full() || index + 1 < self.brackets.len()
    }

    fn halve(&mut self, index: usize, reporter: Option<u64>) -> Vec<Leaver> {
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
