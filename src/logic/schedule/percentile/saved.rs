//! What is kept of a run between sessions: the scores of completed trials at each step, and the reports of the others.

use serde::{Deserialize, Serialize};

use super::{History, PART, Percentile, Run};
use crate::logic::ids::{RunId, TrialId};
use crate::logic::schedule::number::Ordered;
use crate::logic::schedule::quantile::Quantile;
use crate::logic::schedule::saved::Measure;
use crate::logic::state::{Float, PartState, StateError, common_run, pack, same, unpack};

#[derive(Debug, Serialize, Deserialize)]
struct Saved {
    measure: Measure,
    percentile: Float,
    run: RunId,
    completed: u32,
    steps: Vec<(Float, Vec<Float>)>,
    /// Trial, best score, last time, and all times and scores.
    live: Vec<(u32, Float, Float, Vec<(Float, Float)>)>,
}

impl Percentile {
    pub(super) fn saved(&self) -> Option<PartState> {
        let run = self.run.as_ref()?;
        let pairs = |scores: &[(f64, f64)]| scores.iter().map(|(time, score)| (Float(*time), Float(*score))).collect();
        let live = run.live.iter();
        let mut live: Vec<_> =
            live.map(|(trial, own)| (trial.number(), Float(own.best), Float(own.last), pairs(&own.scores))).collect();
        live.sort_unstable_by_key(|(number, ..)| *number);
        let column = |scores: &Quantile| scores.scores().into_iter().map(Float).collect();
        let saved = Saved {
            measure: Measure::new(&self.time_attr, self.objective.as_ref())?,
            percentile: Float(self.percentile),
            run: common_run(run.live.keys().copied())?,
            completed: run.completed,
            steps: run.steps.iter().map(|(Ordered(time), scores)| (Float(*time), column(scores))).collect(),
            live,
        };
        pack(PART, &saved)
    }

    pub(super) fn take_up(&mut self, state: PartState) -> Result<(), StateError> {
        let saved: Saved = unpack(PART, state)?;
        saved.measure.same(PART, &self.time_attr, self.objective.as_ref())?;
        same(PART, "percentile", &saved.percentile.0, &self.percentile)?;
        let mut run = Run { completed: saved.completed, ..Run::default() };
        for (Float(time), scores) in saved.steps {
            let column = run.steps.entry(Ordered(time)).or_insert_with(|| Quantile::new(self.below()));
            scores.into_iter().for_each(|Float(score)| column.record(score));
        }
        for (number, Float(best), Float(last), scores) in saved.live {
            let scores = scores.into_iter().map(|(time, score)| (time.0, score.0)).collect();
            run.live.insert(TrialId::new(saved.run, number), History { best, last, scores });
        }
        self.run = Some(run);
        Ok(())
    }
}
