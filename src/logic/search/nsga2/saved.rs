//! What is kept of an evolution between sessions: parents, who has ended since, and the genes of live trials.

use serde::{Deserialize, Serialize};

use super::population::{Individual, ranked};
use super::{Nsga2, PART};
use crate::logic::ids::{RunId, TrialId};
use crate::logic::metrics::Mode;
use crate::logic::state::{Float, PartState, StateError, common_run, pack, same, unpack};

/// Genes and scores.
type Kept = (Vec<Float>, Vec<Float>);

#[derive(Serialize, Deserialize)]
struct Saved {
    /// The variables of the space, by their paths, in the order of the genes.
    axes: Vec<String>,
    objectives: Vec<String>,
    drawn: u64,
    parents: Vec<Kept>,
    gathered: Vec<Kept>,
    run: RunId,
    live: Vec<(u32, Vec<Float>)>,
}

fn floats(numbers: &[f64]) -> Vec<Float> {
    numbers.iter().copied().map(Float).collect()
}

fn numbers(floats: Vec<Float>) -> Vec<f64> {
    floats.into_iter().map(|float| float.0).collect()
}

fn kept(individual: &Individual) -> Kept {
    (floats(&individual.genes), floats(&individual.scores))
}

/// One number for each of those it must have.
fn whole(at: &'static str, floats: Vec<Float>, expected: usize) -> Result<Vec<f64>, StateError> {
    if floats.len() == expected {
        return Ok(numbers(floats));
    }
    let (found, expected) = (format!("{} numbers", floats.len()), format!("{expected} of them"));
    Err(StateError::Value { part: PART, at, found, expected })
}

impl Nsga2 {
    fn axis_names(&self) -> Vec<String> {
        // A variable with the same name in two options is told apart by the options.
        let name = |axis: &crate::logic::space::Axis| {
            axis.when().iter().fold(axis.path().to_owned(), |name, (_, option)| format!("{name}@{option}"))
        };
        self.frame.axes().iter().map(name).collect()
    }

    fn objective_names(&self) -> Vec<String> {
        let name = |mode| if mode == Mode::Min { "min" } else { "max" };
        self.objectives.iter().map(|objective| format!("{} {}", name(objective.mode), objective.metric)).collect()
    }

    pub(super) fn saved(&self) -> Option<PartState> {
        let saved = Saved {
            axes: self.axis_names(),
            objectives: self.objective_names(),
            drawn: self.drawn,
            parents: self.parents.iter().map(|member| kept(&member.individual)).collect(),
            gathered: self.gathered.iter().map(kept).collect(),
            run: common_run(self.live.keys().copied())?,
            live: self.live.iter().map(|(trial, genes)| (trial.number(), floats(genes))).collect(),
        };
        pack(PART, &saved)
    }

    /// Another space with the same variables is fine: their coordinates are, too. Another size goes for the next generation.
    pub(super) fn take_up(&mut self, state: PartState) -> Result<(), StateError> {
        let saved: Saved = unpack(PART, state)?;
        same(PART, "the space's variables", &saved.axes.join(", "), &self.axis_names().join(", "))?;
        same(PART, "the objectives", &saved.objectives.join(", "), &self.objective_names().join(", "))?;
        let (axes, objectives) = (self.frame.axes().len(), self.objectives.len());
        let individual = |(genes, scores)| -> Result<Individual, StateError> {
            Ok(Individual { genes: whole("genes", genes, axes)?, scores: whole("scores", scores, objectives)? })
        };
        let parents = saved.parents.into_iter().map(individual).collect::<Result<Vec<_>, _>>()?;
        let gathered = saved.gathered.into_iter().map(individual).collect::<Result<Vec<_>, _>>()?;
        let live = saved.live.into_iter();
        let genes = live.map(|(number, genes)| Ok((TrialId::new(saved.run, number), whole("live", genes, axes)?)));
        self.live = genes.collect::<Result<_, StateError>>()?;
        self.parents = ranked(parents);
        (self.gathered, self.drawn) = (gathered, saved.drawn);
        Ok(())
    }
}
