//! What is kept of a run between sessions: how far each bracket is, and its members; the rest follows from the plan.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::bracket::{Bracket, Leaver, Member, Why};
use super::run::Run;
use super::{Filling, HyperBand};
use crate::logic::ids::{RunId, TrialId};
use crate::logic::schedule::saved::Measure;
use crate::logic::state::{Float, PartState, StateError, common_run, pack, same, unpack};

const PART: &str = "HyperBand";

#[derive(Debug, Serialize, Deserialize)]
struct Saved {
    measure: Measure,
    max_t: u64,
    reduction_factor: Float,
    run: RunId,
    #[serde(default)]
    filling: Filling,
    brackets: Vec<SavedBracket>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    dismissed: Vec<SavedLeaver>,
}

/// Seat, trial, time, score; the milestone, and how many of how many were better there and the worst score of those,
/// unless the bracket is over.
type SavedLeaver = ((u64, u32, Float, Float), u64, Option<(u64, usize, Float)>);

fn saved_leaver(leaver: &Leaver) -> SavedLeaver {
    let Leaver { seat, member, why } = leaver;
    let member = (*seat, member.trial.number(), Float(member.time), Float(member.score));
    match *why {
        Why::Behind { milestone, kept, of, least } => (member, milestone, Some((kept, of, Float(least)))),
        Why::Over { milestone } => (member, milestone, None),
    }
}

fn restored_leaver(id: RunId, saved: SavedLeaver) -> Leaver {
    let ((seat, number, time, score), milestone, better) = saved;
    let why = match better {
        Some((kept, of, least)) => Why::Behind { milestone, kept, of, least: least.0 },
        None => Why::Over { milestone },
    };
    Leaver { seat, member: Member { trial: TrialId::new(id, number), time: time.0, score: score.0 }, why }
}

/// How many halvings are left, the next seat, the work that is done; the members: seat, trial, time, score; the seats of
/// those that wait to be launched.
type SavedBracket = (u32, u64, Float, Vec<(u64, u32, Float, Float)>, Vec<u64>);

fn saved(bracket: &Bracket) -> SavedBracket {
    let member =
        |(seat, member): (&u64, &Member)| (*seat, member.trial.number(), Float(member.time), Float(member.score));
    let members = bracket.members.iter().map(member).collect();
    let waiting = bracket.waiting.iter().copied().collect();
    (bracket.halvings, bracket.next_seat, Float(bracket.work_done), members, waiting)
}

/// The bracket behind those that `run` has.
fn restored(run: &Run, id: RunId, saved: SavedBracket) -> Result<Bracket, StateError> {
    let (halvings, next_seat, Float(work_done), members, waiting) = saved;
    let wrong = |at, found: u64, most: u64| {
        let (found, expected) = (found.to_string(), format!("{most} at most"));
        Err(StateError::Value { part: PART, at, found, expected })
    };
    let Some(start) = run.band.get(run.brackets.len() % run.band.len().max(1)) else {
        return wrong("the number of brackets", run.brackets.len() as u64 + 1, 0);
    };
    let Some(halved) = start.halvings.checked_sub(halvings) else {
        return wrong("the halvings of a bracket", halvings.into(), start.halvings.into());
    };
    if let Some((seat, ..)) = members.iter().find(|(seat, ..)| *seat >= next_seat) {
        return wrong("the seat of a member", *seat, next_seat.saturating_sub(1));
    }
    let member = |(seat, number, time, score): (u64, u32, Float, Float)| {
        (seat, Member { trial: TrialId::new(id, number), time: time.0, score: score.0 })
    };
    let members: BTreeMap<u64, Member> = members.into_iter().map(member).collect();
    let mut bracket = Bracket::new(run.plan, *start);
    bracket.next_seat = next_seat;
    bracket.work_done = work_done;
    bracket.waiting = waiting.into_iter().filter(|seat| members.contains_key(seat)).collect();
    Ok(bracket.halved(run.plan, halved, members))
}

impl HyperBand {
    pub(super) fn saved(&self) -> Option<PartState> {
        let run = self.run.as_ref()?;
        let members = run.brackets.iter().flat_map(Bracket::members).map(|(_, trial)| trial);
        let trials = members.chain(run.dismissed.iter().map(|leaver| leaver.member.trial));
        let state = Saved {
            measure: Measure::new(&self.time_attr, self.objective.as_ref())?,
            max_t: self.max_t,
            reduction_factor: Float(self.reduction_factor),
            run: common_run(trials)?,
            filling: self.filling,
            brackets: run.brackets.iter().map(saved).collect(),
            dismissed: run.dismissed.iter().map(saved_leaver).collect(),
        };
        pack(PART, &state)
    }

    /// Another plan has other brackets, in which nobody would have a place.
    pub(super) fn take_up(&mut self, state: PartState) -> Result<(), StateError> {
        let saved: Saved = unpack(PART, state)?;
        saved.measure.same(PART, &self.time_attr, self.objective.as_ref())?;
        same(PART, "max_t", &saved.max_t, &self.max_t)?;
        same(PART, "reduction_factor", &saved.reduction_factor.0, &self.reduction_factor)?;
        same(PART, "filling", &saved.filling, &self.filling)?;
        let mut run = Run::new(self.plan(), self.at_max_t, self.filling);
        for bracket in saved.brackets {
            let bracket = restored(&run, saved.run, bracket)?;
            run.push(bracket);
        }
        run.dismissed = saved.dismissed.into_iter().map(|leaver| restored_leaver(saved.run, leaver)).collect();
        self.run = Some(run);
        Ok(())
    }
}
