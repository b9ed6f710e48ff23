//! What is kept of a run between sessions: how far each bracket is, and its members; the rest follows from the plan.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::HyperBand;
use super::bracket::{Bracket, Leaver, Member};
use super::run::Run;
use crate::logic::schedule::scored;
use crate::logic::state::{PartState, StateError, StateForm, float};

#[derive(Debug, Serialize, Deserialize)]
struct State {
    brackets: Vec<BracketState>,
    #[serde(default)]
    dismissed: Vec<Leaver>,
}

#[derive(Debug, Serialize, Deserialize)]
struct BracketState {
    /// How many are left.
    halvings: u32,
    next_seat: u64,
    #[serde(with = "float")]
    work_done: f64,
    members: BTreeMap<u64, Member>,
    /// The seats of those that wait to be launched.
    waiting: BTreeSet<u64>,
}

impl BracketState {
    fn of(bracket: &Bracket) -> Self {
        let Bracket { halvings, next_seat, work_done, members, waiting, .. } = bracket.clone();
        Self { halvings, next_seat, work_done, members, waiting }
    }

    /// The bracket behind those that `run` has.
    fn bracket(self, run: &Run, form: &StateForm) -> Result<Bracket, StateError> {
        let wrong = |at, found: u64, most: u64| Err(form.wrong(at, found, format_args!("{most} at most")));
        let Some(start) = run.band.get(run.brackets.len() % run.band.len().max(1)) else {
            return wrong("the number of brackets", run.brackets.len() as u64 + 1, 0);
        };
        let Some(halved) = start.halvings.checked_sub(self.halvings) else {
            return wrong("the halvings of a bracket", self.halvings.into(), start.halvings.into());
        };
        if let Some((seat, _)) = self.members.last_key_value().filter(|(seat, _)| **seat >= self.next_seat) {
            return wrong("the seat of a member", *seat, self.next_seat.saturating_sub(1));
        }
        let mut bracket = Bracket::new(run.plan, *start);
        bracket.next_seat = self.next_seat;
        bracket.work_done = self.work_done;
        bracket.waiting = self.waiting.into_iter().filter(|seat| self.members.contains_key(seat)).collect();
        Ok(bracket.halved(run.plan, halved, self.members))
    }
}

impl HyperBand {
    /// Another plan has other brackets, in which nobody would have a place.
    fn state_form(&self) -> StateForm {
        scored("HyperBand", &self.time_attr, self.objective.as_ref())
            .under("max_t", self.max_t)
            .under("reduction_factor", self.reduction_factor)
            .under("filling", self.filling)
    }

    pub(super) fn state(&self) -> Option<PartState> {
        let run = self.run.as_ref()?;
        let brackets = run.brackets.iter().map(BracketState::of).collect();
        self.state_form().pack(&State { brackets, dismissed: run.dismissed.clone() })
    }

    pub(super) fn load_state(&mut self, state: PartState) -> Result<(), StateError> {
        let form = self.state_form();
        let State { brackets, dismissed } = form.unpack(state)?;
        let mut run = Run::new(self.plan(), self.at_max_t, self.filling);
        for bracket in brackets {
            let bracket = bracket.bracket(&run, &form)?;
            run.push(bracket);
        }
        run.dismissed = dismissed;
        self.run = Some(run);
        Ok(())
    }
}
