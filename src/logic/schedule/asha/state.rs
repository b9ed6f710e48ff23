//! What is kept of a run between sessions: the scores at the rungs, and where the trials stand that haven't ended.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::bracket::Rung;
use super::gate::{Gate, Rank};
use super::promotion::{Held, Promotion};
use super::run::{Member, Run};
use super::{Asha, Going};
use crate::logic::ids::TrialId;
use crate::logic::schedule::scored;
use crate::logic::state::{PartState, StateError, StateForm, float};

#[derive(Debug, Serialize, Deserialize)]
struct State {
    max_t: u64,
    /// How far the generator of the draws of brackets is, in its own words.
    drawn: u64,
    /// For each bracket the scores at its rungs; in the promotion form the best first.
    #[serde(with = "float")]
    rungs: Vec<Vec<Vec<f64>>>,
    members: BTreeMap<TrialId, Member>,
    /// The trials that wait.
    #[serde(default)]
    held: BTreeMap<TrialId, Place>,
    #[serde(default)]
    closing: bool,
}

/// Where a trial waits.
#[derive(Debug, Serialize, Deserialize)]
struct Place {
    bracket: usize,
    rung: usize,
    /// Which of the rung's scores is the trial's.
    score: usize,
}

fn held(promotion: &Promotion) -> BTreeMap<TrialId, Place> {
    let mut all = BTreeMap::new();
    for (bracket, gates) in promotion.run.brackets.iter().enumerate() {
        for (rung, gate) in gates.iter().enumerate() {
            let ranks = gate.ranks();
            let place = |rank: &Rank| {
                let score = ranks.binary_search_by(|other| rank.cmp(other)).unwrap_or_default();
                Place { bracket, rung, score }
            };
            all.extend(gate.waiting().map(|(rank, trial)| (*trial, place(rank))));
        }
    }
    all
}

impl Asha {
    fn state_form(&self) -> StateForm {
        scored("Asha", &self.time_attr, self.objective.as_ref())
            .under("grace_period", self.grace_period)
            .under("reduction_factor", self.reduction_factor)
            .under("brackets", self.brackets)
            .under("form", self.form)
    }

    /// What both forms keep.
    fn common<B>(&self, run: &Run<B>, rungs: Vec<Vec<Vec<f64>>>) -> Option<State> {
        let drawn = u64::try_from(run.random.get_word_pos()).ok()?;
        let members = run.members.iter().map(|(trial, member)| (*trial, *member)).collect();
        Some(State { max_t: self.max_t, drawn, rungs, members, held: BTreeMap::new(), closing: false })
    }

    pub(super) fn state(&self) -> Option<PartState> {
        let scores = |rung: &Rung| rung.scores.scores();
        let gate = |gate: &Gate| gate.ranks().into_iter().map(Rank::score).collect();
        let state = match self.run.as_ref()? {
            Going::Stopping(run) => {
                let rungs = run.brackets.iter().map(|bracket| bracket.rungs.iter().map(scores).collect());
                self.common(run, rungs.collect())?
            }
            Going::Promotion(promotion) => {
                let rungs = promotion.run.brackets.iter().map(|gates| gates.iter().map(gate).collect());
                let common = self.common(&promotion.run, rungs.collect())?;
                State { held: held(promotion), closing: promotion.closing, ..common }
            }
        };
        self.state_form().pack(&state)
    }

    /// Another `max_t` moves the end of the ladders: the rungs that stand in both keep their scores.
    pub(super) fn load_state(&mut self, state: PartState) -> Result<(), StateError> {
        let form = self.state_form();
        let state: State = form.unpack(state)?;
        let mut going = self.begin();
        let brackets = match &going {
            Going::Stopping(run) => run.brackets.len(),
            Going::Promotion(promotion) => promotion.run.brackets.len(),
        };
        if brackets < state.rungs.len() {
            return Err(form.other_setting("max_t", state.max_t, self.max_t));
        }
        if let Some(member) = state.members.values().find(|member| member.bracket as usize >= brackets) {
            let expected = format_args!("less than {brackets}");
            return Err(form.wrong("the bracket of a member", member.bracket, expected));
        }
        match &mut going {
            Going::Stopping(run) => {
                for (bracket, rungs) in run.brackets.iter_mut().zip(&state.rungs) {
                    for (rung, scores) in bracket.rungs.iter_mut().zip(rungs) {
                        scores.iter().for_each(|score| rung.scores.record(*score));
                    }
                }
                load_members(run, state);
            }
            Going::Promotion(promotion) => {
                load_gates(promotion, &state);
                promotion.closing = state.closing;
                load_members(&mut promotion.run, state);
            }
        }
        self.run = Some(going);
        Ok(())
    }
}

/// Who waited at a rung that isn't there any more waits for no place: it goes on when there is room and nobody else.
fn load_gates(promotion: &mut Promotion, state: &State) {
    for (bracket, (gates, all)) in promotion.run.brackets.iter_mut().zip(&state.rungs).enumerate() {
        for (rung, (gate, scores)) in gates.iter_mut().zip(all).enumerate() {
            let ranks: Vec<_> = scores.iter().map(|score| gate.record(*score)).collect();
            let here = state.held.iter().filter(|(_, place)| (place.bracket, place.rung) == (bracket, rung));
            for (trial, place) in here {
                let Some(rank) = ranks.get(place.score).copied() else { continue };
                gate.hold(rank, *trial);
                promotion.held.insert(*trial, Held { bracket, gate: rung, rank });
            }
        }
    }
}

fn load_members<B>(run: &mut Run<B>, state: State) {
    run.members = state.members.into_iter().collect();
    run.random.set_word_pos(u128::from(state.drawn));
}
