//! What is kept of a run between sessions: the scores at the rungs, and where the trials stand that haven't ended.

use serde::{Deserialize, Serialize};

use super::Asha;
use super::run::Member;
use super::rung::Rung;
use crate::logic::ids::{RunId, TrialId};
use crate::logic::schedule::saved::Measure;
use crate::logic::state::{Float, PartState, StateError, common_run, pack, same, unpack};

const PART: &str = "Asha";

#[derive(Debug, Serialize, Deserialize)]
struct Saved {
    measure: Measure,
    max_t: u64,
    grace_period: u64,
    reduction_factor: Float,
    brackets: u32,
    run: RunId,
    /// How far the generator of the draws of brackets is, in its own words.
    drawn: u64,
    /// For each bracket the scores at its rungs.
    rungs: Vec<Vec<Vec<Float>>>,
    /// Trial, bracket, and how many of its rungs the trial has behind it.
    members: Vec<(u32, u32, u32)>,
}

impl Asha {
    pub(super) fn saved(&self) -> Option<PartState> {
        let run = self.run.as_ref()?;
        let mut members: Vec<(u32, u32, u32)> =
            run.members.iter().map(|(trial, member)| (trial.number(), member.bracket, member.passed)).collect();
        members.sort_unstable();
        let scores = |rung: &Rung| rung.scores().into_iter().map(Float).collect();
        let rungs = run.brackets.iter().map(|bracket| bracket.rungs.iter().map(scores).collect());
        let saved = Saved {
            measure: Measure::new(&self.time_attr, self.objective.as_ref())?,
            max_t: self.max_t,
            grace_period: self.grace_period,
            reduction_factor: Float(self.reduction_factor),
            brackets: self.brackets,
            run: common_run(run.members.keys().copied())?,
            drawn: u64::try_from(run.random.get_word_pos()).ok()?,
            rungs: rungs.collect(),
            members,
        };
        pack(PART, &saved)
    }

    /// Another `max_t` moves the end of the ladders: the rungs that stand in both keep their scores.
    pub(super) fn take_up(&mut self, state: PartState) -> Result<(), StateError> {
        let saved: Saved = unpack(PART, state)?;
        saved.measure.same(PART, &self.time_attr, self.objective.as_ref())?;
        same(PART, "grace_period", &saved.grace_period, &self.grace_period)?;
        same(PART, "reduction_factor", &saved.reduction_factor.0, &self.reduction_factor)?;
        same(PART, "brackets", &saved.brackets, &self.brackets)?;
        let mut run = self.begin();
        if run.brackets.len() < saved.rungs.len() {
            same(PART, "max_t", &saved.max_t, &self.max_t)?;
        }
        for (bracket, rungs) in run.brackets.iter_mut().zip(saved.rungs) {
            for (rung, scores) in bracket.rungs.iter_mut().zip(rungs) {
                scores.into_iter().for_each(|Float(score)| rung.record(score));
            }
        }
        for (number, bracket, passed) in saved.members {
            if bracket as usize >= run.brackets.len() {
                let expected = format!("less than {}", run.brackets.len());
                let found = bracket.to_string();
                return Err(StateError::Value { part: PART, at: "the bracket of a member", found, expected });
            }
            run.members.insert(TrialId::new(saved.run, number), Member { bracket, passed });
        }
        run.random.set_word_pos(u128::from(saved.drawn));
        self.run = Some(run);
        Ok(())
    }
}
