//! The state of a run in the promotion form: the rungs, who waits at them, and who goes on next.

use std::collections::HashMap;

use super::gate::{AtRest, Gate, Rank, Standing};
use super::run::Run;
use crate::logic::ids::TrialId;
use crate::logic::schedule::Cohort;
use crate::logic::trial::Status;

/// What is known once the settings are fixed.
#[derive(Clone, Debug)]
pub(super) struct Promotion {
    pub(super) run: Run<Vec<Gate>>,
    pub(super) held: HashMap<TrialId, Held>,
    /// The run has come to rest: at the next report those that have no prospects end.
    pub(super) closing: bool,
}

/// Where a trial waits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    pub(super) bracket: usize,
    pub(super) gate: usize,
    pub(super) rank: Rank,
}

/// What a report comes to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Answer {
    GoOn,
    Wait(Standing),
}

/// A trial that ends because nobody else comes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dismissal {
    pub(super) trial: TrialId,
    pub(super) score: f64,
    pub(super) standing: Standing,
}

impl Promotion {
    pub(super) fn new(run: Run<Vec<Gate>>) -> Self {
        Self { run, held: HashMap::new(), closing: false }
    }

    /// A trial reported. At a rung that is new to it, it is recorded and waits, unless it is among the best at once; so
    /// it does if it was launched again without having been promoted.
    pub(super) fn report(&mut self, trial: TrialId, time: f64, score: f64) -> Answer {
        if let Some(rank) = self.record(trial, time, score) {
            return self.hold_or_not(trial, rank);
        }
        let Some(held) = self.held.get(&trial).copied() else { return Answer::GoOn };
        let gate = &self.run.brackets[held.bracket][held.gate];
        if time < gate.milestone() { Answer::GoOn } else { self.hold_or_not(trial, held) }
    }

    fn hold_or_not(&mut self, trial: TrialId, held: Held) -> Answer {
        let gate = &mut self.run.brackets[held.bracket][held.gate];
        if gate.is_among_best(held.rank) {
            self.let_go(trial);
            return Answer::GoOn;
        }
        gate.hold(held.rank, trial);
        self.held.insert(trial, held);
        Answer::Wait(gate.standing(AtRest::No))
    }

    /// Records a score at the highest rung that `time` has reached, if that is new to the trial.
    fn record(&mut self, trial: TrialId, time: f64, score: f64) -> Option<Held> {
        let mut member = self.run.join(trial);
        let bracket = member.bracket as usize;
        let reached = self.run.brackets[bracket].partition_point(|gate| gate.milestone() <= time);
        let gate = reached.checked_sub(1).filter(|gate| *gate >= member.passed as usize)?;
        self.let_go(trial);
        member.passed = reached as u32;
        self.run.members.insert(trial, member);
        Some(Held { bracket, gate, rank: self.run.brackets[bracket][gate].record(score) })
    }

    /// A trial that had ended goes on after that time.
    pub(super) fn rejoin(&mut self, trial: TrialId, time: f64) {
        self.run.rejoin(trial, |gates| gates.partition_point(|gate| gate.milestone() <= time));
    }

    /// A trial ended after a last report that may be new.
    pub(super) fn end(&mut self, trial: TrialId, last: Option<(f64, f64)>) {
        if let Some((time, score)) = last {
            self.record(trial, time, score);
        }
        self.let_go(trial);
        self.run.forget(trial);
    }

    /// A trial waits no more, if it did.
    pub(super) fn let_go(&mut self, trial: TrialId) {
        if let Some(held) = self.held.remove(&trial) {
            self.run.brackets[held.bracket][held.gate].let_go(held.rank);
        }
    }

    /// Who runs next: of the highest rung at which somebody can be promoted the best one, else the first pending trial.
    /// If nothing runs and nobody is to come, it is somebody who waits all the same.
    pub(super) fn choose(&mut self, cohort: &dyn Cohort) -> Option<TrialId> {
        if let Some(trial) = self.highest(|gate| gate.promotable(cohort)) {
            self.let_go(trial);
            return Some(trial);
        }
        if let Some(trial) = cohort.first_pending() {
            return Some(trial);
        }
        let rests = cohort.count(Status::Running) == 0 && cohort.count(Status::Pending) == 0;
        let mut next = None;
        if rests || self.closing {
            next = self.highest(|gate| gate.promotable_at_rest(cohort));
        }
        if rests {
            next = next.or_else(|| self.highest(|gate| gate.first_waiting(cohort))).or_else(|| cohort.first_paused());
        }
        let trial = next?;
        self.let_go(trial);
        self.closing = true;
        Some(trial)
    }

    fn highest(&self, find: impl Fn(&Gate) -> Option<TrialId>) -> Option<TrialId> {
        let mut highest: Option<(f64, TrialId)> = None;
        for gate in self.run.brackets.iter().flatten() {
            if highest.is_none_or(|(milestone, _)| milestone < gate.milestone())
                && let Some(trial) = find(gate)
            {
                highest = Some((gate.milestone(), trial));
            }
        }
        highest.map(|(_, trial)| trial)
    }

    /// After the run came to rest: those who can't go on any more, unless others have come by now.
    pub(super) fn dismiss(&mut self, reporter: TrialId, cohort: &dyn Cohort) -> Vec<Dismissal> {
        if !std::mem::take(&mut self.closing) {
            return Vec::new();
        }
        let own = usize::from(cohort.status(reporter) == Some(Status::Running));
        if cohort.count(Status::Pending) > 0 || cohort.count(Status::Running) > own {
            return Vec::new();
        }
        let mut dismissals = Vec::new();
        for gate in self.run.brackets.iter_mut().flatten() {
            let standing = gate.standing(AtRest::Yes);
            for (rank, trial) in gate.hopeless(cohort) {
                gate.let_go(rank);
                self.held.remove(&trial);
                dismissals.push(Dismissal { trial, score: rank.score(), standing });
            }
        }
        dismissals
    }
}
