//! What is kept of a run between sessions: the scores at the rungs, and where the trials stand that haven't ended.

use serde::{Deserialize, Serialize};

use super::gate::{Gate, Rank};
use super::promotion::{Held, Promotion};
use super::run::{Member, Run};
use super::rung::Rung;
use super::{Asha, AshaForm, Going};
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
    #[serde(default)]
    form: AshaForm,
    run: RunId,
    /// How far the generator of the draws of brackets is, in its own words.
    drawn: u64,
    /// For each bracket the scores at its rungs; in the promotion form the best first.
    rungs: Vec<Vec<Vec<Float>>>,
    /// Trial, bracket, and how many of its rungs the trial has behind it.
    members: Vec<(u32, u32, u32)>,
    /// Of the trials that wait: trial, bracket, rung, and which of the rung's scores is its.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    held: Vec<(u32, usize, usize, usize)>,
    #[serde(default)]
    closing: bool,
}

/// What both forms keep: members, words drawn, run.
fn common<B>(run: &Run<B>) -> Option<(Vec<(u32, u32, u32)>, u64, RunId)> {
    let mut members: Vec<(u32, u32, u32)> =
        run.members.iter().map(|(trial, member)| (trial.number(), member.bracket, member.passed)).collect();
    members.sort_unstable();
    let drawn = u64::try_from(run.random.get_word_pos()).ok()?;
    Some((members, drawn, common_run(run.members.keys().copied())?))
}

fn held(promotion: &Promotion) -> Vec<(u32, usize, usize, usize)> {
    let mut all = Vec::new();
    for (bracket, gates) in promotion.run.brackets.iter().enumerate() {
        for (index, gate) in gates.iter().enumerate() {
            let ranks = gate.ranks();
            let place = |rank: &Rank| ranks.binary_search_by(|other| rank.cmp(other)).unwrap_or_default();
            all.extend(gate.waiting().map(|(rank, trial)| (trial.number(), bracket, index, place(rank))));
        }
    }
    all.sort_unstable();
    all
}

impl Asha {
    pub(super) fn saved(&self) -> Option<PartState> {
        let rung = |rung: &Rung| rung.scores().into_iter().map(Float).collect();
        let gate = |gate: &Gate| gate.ranks().into_iter().map(|rank| Float(rank.score())).collect();
        let (common, rungs, held, closing) = match self.run.as_ref()? {
            Going::Stopping(run) => {
                let rungs = run.brackets.iter().map(|bracket| bracket.rungs.iter().map(rung).collect());
                (common(run)?, rungs.collect(), Vec::new(), false)
            }
            Going::Promotion(promotion) => {
                let rungs = promotion.run.brackets.iter().map(|gates| gates.iter().map(gate).collect());
                (common(&promotion.run)?, rungs.collect(), held(promotion), promotion.closing)
            }
        };
        let (members, drawn, run) = common;
        let saved = Saved {
            measure: Measure::new(&self.time_attr, self.objective.as_ref())?,
            max_t: self.max_t,
            grace_period: self.grace_period,
            reduction_factor: Float(self.reduction_factor),
            brackets: self.brackets,
            form: self.form,
            run,
            drawn,
            rungs,
            members,
            held,
            closing,
        };
        pack(PART, &saved)
    }

    /// Another `max_t` moves the end of the ladders: the rungs that stand in both keep their scores.
    pub(super) fn take_up(&mut self, state: PartState) -> Result<(), StateError> {
        let mut saved: Saved = unpack(PART, state)?;
        saved.measure.same(PART, &self.time_attr, self.objective.as_ref())?;
        same(PART, "grace_period", &saved.grace_period, &self.grace_period)?;
        same(PART, "reduction_factor", &saved.reduction_factor.0, &self.reduction_factor)?;
        same(PART, "brackets", &saved.brackets, &self.brackets)?;
        same(PART, "form", &saved.form, &self.form)?;
        let mut going = self.begin();
        match &mut going {
            Going::Stopping(run) => {
                self.same_brackets(&saved, run.brackets.len())?;
                for (bracket, rungs) in run.brackets.iter_mut().zip(std::mem::take(&mut saved.rungs)) {
                    for (rung, scores) in bracket.rungs.iter_mut().zip(rungs) {
                        scores.into_iter().for_each(|Float(score)| rung.record(score));
                    }
                }
                take_members(run, &saved)?;
            }
            Going::Promotion(promotion) => {
                self.same_brackets(&saved, promotion.run.brackets.len())?;
                take_gates(promotion, &saved);
                take_members(&mut promotion.run, &saved)?;
                promotion.closing = saved.closing;
            }
        }
        self.run = Some(going);
        Ok(())
    }

    fn same_brackets(&self, saved: &Saved, brackets: usize) -> Result<(), StateError> {
        if brackets < saved.rungs.len() { same(PART, "max_t", &saved.max_t, &self.max_t) } else { Ok(()) }
    }
}

/// Who waited at a rung that isn't there any more waits for no place: it goes on when there is room and nobody else.
fn take_gates(promotion: &mut Promotion, saved: &Saved) {
    for (bracket, (gates, all)) in promotion.run.brackets.iter_mut().zip(&saved.rungs).enumerate() {
        for (index, (gate, scores)) in gates.iter_mut().zip(all).enumerate() {
            let ranks: Vec<_> = scores.iter().map(|Float(score)| gate.record(*score)).collect();
            let here = saved.held.iter().filter(|(_, at, rung, _)| (*at, *rung) == (bracket, index));
            for (number, .., place) in here {
                let Some(rank) = ranks.get(*place).copied() else { continue };
                let trial = TrialId::new(saved.run, *number);
                gate.hold(rank, trial);
                promotion.held.insert(trial, Held { bracket, gate: index, rank });
            }
        }
    }
}

fn take_members<B>(run: &mut Run<B>, saved: &Saved) -> Result<(), StateError> {
    for (number, bracket, passed) in saved.members.iter().copied() {
        if bracket as usize >= run.brackets.len() {
            let expected = format!("less than {}", run.brackets.len());
            let found = bracket.to_string();
            return Err(StateError::Value { part: PART, at: "the bracket of a member", found, expected });
        }
        run.members.insert(TrialId::new(saved.run, number), Member { bracket, passed });
    }
    run.random.set_word_pos(u128::from(saved.drawn));
    Ok(())
}
