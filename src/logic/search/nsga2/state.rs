//! What is kept of an evolution between sessions: parents, who has ended since, and the genes of live trials.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::population::{Individual, ranked};
use super::{Nsga2, PART};
use crate::logic::ids::TrialId;
use crate::logic::metrics::Mode;
use crate::logic::state::{PartState, StateError, StateForm, float};

#[derive(Serialize, Deserialize)]
struct State {
    drawn: u64,
    parents: Vec<Individual>,
    gathered: Vec<Individual>,
    #[serde(with = "float")]
    live: BTreeMap<TrialId, Vec<f64>>,
}

impl Nsga2 {
    /// Another space with the same variables is fine: their coordinates are, too.
    fn state_form(&self) -> StateForm {
        // A variable with the same name in two options is told apart by the options.
        let axis = |axis: &crate::logic::space::Axis| {
            axis.when().iter().fold(axis.path().to_owned(), |name, (_, option)| format!("{name}@{option}"))
        };
        let axes: Vec<String> = self.frame.axes().iter().map(axis).collect();
        let name = |mode| if mode == Mode::Min { "min" } else { "max" };
        let objectives =
            self.settings.objectives.iter().map(|objective| format!("{} {}", name(objective.mode), objective.metric));
        StateForm::new(PART)
            .under("the space's variables", axes.join(", "))
            .under("the objectives", objectives.collect::<Vec<_>>().join(", "))
    }

    pub(super) fn state(&self) -> Option<PartState> {
        self.state_form().pack(&State {
            drawn: self.drawn,
            parents: self.parents.iter().map(|member| member.individual.clone()).collect(),
            gathered: self.gathered.clone(),
            live: self.live.clone(),
        })
    }

    /// Another size goes for the next generation.
    pub(super) fn load_state(&mut self, state: PartState) -> Result<(), StateError> {
        let form = self.state_form();
        let State { drawn, parents, gathered, live } = form.unpack(state)?;
        // One number for each of those there must be.
        let whole = |at, numbers: &[f64], expected: usize| {
            let found = format_args!("{} numbers", numbers.len());
            let wrong = || form.wrong(at, found, format_args!("{expected} of them"));
            if numbers.len() == expected { Ok(()) } else { Err(wrong()) }
        };
        let (axes, objectives) = (self.frame.axes().len(), self.settings.objectives.len());
        for individual in parents.iter().chain(&gathered) {
            whole("genes", &individual.genes, axes)?;
            whole("scores", &individual.scores, objectives)?;
        }
        live.values().try_for_each(|genes| whole("live", genes, axes))?;
        (self.parents, self.gathered, self.live, self.drawn) = (ranked(parents), gathered, live, drawn);
        Ok(())
    }
}
