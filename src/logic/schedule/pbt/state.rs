//! What is kept of a population between sessions.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::population::{Member, Population};
use super::{NAME, Pbt};
use crate::logic::ids::TrialId;
use crate::logic::schedule::scored;
use crate::logic::state::{PartState, StateError, StateForm, float};

#[derive(Debug, Serialize, Deserialize)]
struct State {
    members: BTreeMap<TrialId, Member>,
    /// Those that wait for their turn, in the order in which they came.
    waiting: Vec<TrialId>,
    /// Those of the better part, in the order in which they are drawn from.
    upper: Vec<TrialId>,
    #[serde(with = "float")]
    round: f64,
    copies: u64,
    #[cfg(feature = "gp")]
    #[serde(default)]
    bandit: super::bandit::Bandit,
}

impl Pbt {
    fn state_form(&self) -> StateForm {
        scored(NAME, &self.time_attr, self.objective.as_ref())
    }

    pub(super) fn state(&self) -> Option<PartState> {
        let run = self.run.as_ref()?;
        let population = &run.population;
        self.state_form().pack(&State {
            members: population.members().map(|(trial, member)| (trial, member.clone())).collect(),
            waiting: population.arrivals(),
            upper: population.upper().to_vec(),
            round: run.round,
            copies: run.copies,
            #[cfg(feature = "gp")]
            bandit: run.bandit.clone(),
        })
    }

    /// With another fraction the better part is another one.
    pub(super) fn load_state(&mut self, state: PartState) -> Result<(), StateError> {
        let state: State = self.state_form().unpack(state)?;
        let Some(run) = &mut self.run else { return Err(StateError::Unsupported { part: NAME.to_owned() }) };
        let mut population = Population::new(self.quantile_fraction);
        for (trial, member) in state.members {
            let score = member.score.filter(|score| !score.is_nan());
            population.change(trial, Member { score, ..member });
        }
        state.waiting.into_iter().for_each(|trial| population.wait(trial));
        population.reorder(state.upper);
        (run.population, run.round, run.copies) = (population, state.round, state.copies);
        #[cfg(feature = "gp")]
        {
            run.bandit = state.bandit;
        }
        Ok(())
    }
}
