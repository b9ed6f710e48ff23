//! What is kept of a population between sessions.

use serde::{Deserialize, Serialize};

use super::population::{Member, Population};
use super::{NAME, Pbt};
use crate::logic::ids::{RunId, TrialId};
use crate::logic::schedule::saved::Measure;
use crate::logic::state::{Float, PartState, StateError, common_run, pack, unpack};

#[derive(Debug, Serialize, Deserialize)]
struct Saved {
    measure: Measure,
    run: RunId,
    members: Vec<SavedMember>,
    /// Those that wait for their turn, in the order in which they came.
    waiting: Vec<u32>,
    /// Those of the better part, in the order in which they are drawn from.
    upper: Vec<u32>,
    round: Float,
    copies: u64,
    #[cfg(feature = "gp")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bandit: Option<super::bandit::SavedBandit>,
}

/// The trial, its score, and its times.
type SavedMember = (u32, Option<Float>, Float, Float);

impl Pbt {
    pub(super) fn saved(&self) -> Option<PartState> {
        let run = self.run.as_ref()?;
        let population = &run.population;
        let member = |(trial, member): (TrialId, &Member)| {
            let (trained, perturbed) = (Float(member.trained), Float(member.perturbed));
            (trial.number(), member.score.map(Float), trained, perturbed)
        };
        let state = Saved {
            measure: Measure::new(&self.time_attr, self.objective.as_ref())?,
            run: common_run(population.members().map(|(trial, _)| trial))?,
            members: population.members().map(member).collect(),
            waiting: population.arrivals().into_iter().map(TrialId::number).collect(),
            upper: population.upper().iter().map(|trial| trial.number()).collect(),
            round: Float(run.round),
            copies: run.copies,
            #[cfg(feature = "gp")]
            bandit: (self.exploration == super::Exploration::Bandit).then(|| run.bandit.saved()),
        };
        pack(NAME, &state)
    }

    /// With another fraction the better part is another one.
    pub(super) fn take_up(&mut self, state: PartState) -> Result<(), StateError> {
        let saved: Saved = unpack(NAME, state)?;
        saved.measure.same(NAME, &self.time_attr, self.objective.as_ref())?;
        let Some(run) = &mut self.run else { return Err(StateError::Unsupported { part: NAME.to_owned() }) };
        let mut population = Population::new(self.quantile_fraction);
        for (number, score, trained, perturbed) in saved.members {
            let trial = TrialId::new(saved.run, number);
            let score = score.map(|score| score.0).filter(|score| !score.is_nan());
            population.change(trial, Member { score, trained: trained.0, perturbed: perturbed.0 });
        }
        saved.waiting.into_iter().for_each(|number| population.wait(TrialId::new(saved.run, number)));
        population.reorder(saved.upper.into_iter().map(|number| TrialId::new(saved.run, number)).collect());
        (run.population, run.round, run.copies) = (population, saved.round.0, saved.copies);
        #[cfg(feature = "gp")]
        {
            let bandit = saved.bandit.map(|bandit| super::bandit::Bandit::of(bandit, saved.run));
            run.bandit = bandit.unwrap_or_default();
        }
        Ok(())
    }
}
