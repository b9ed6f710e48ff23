//! What is kept of a run between sessions: the points at the rungs, and where the trials stand that haven't ended.

use serde::{Deserialize, Serialize};

use super::rung::Rung;
use super::{MoAsha, PART};
use crate::logic::ids::{RunId, TrialId};
use crate::logic::schedule::in_words;
use crate::logic::state::{Float, PartState, StateError, common_run, pack, same, unpack};

#[derive(Debug, Serialize, Deserialize)]
struct Saved {
    time_attr: String,
    objectives: String,
    grace_period: u64,
    reduction_factor: Float,
    run: RunId,
    /// For each rung how many were there, and the points of the last of them.
    rungs: Vec<(u64, Vec<Vec<Float>>)>,
    /// Trial, and how many rungs it has behind it.
    passed: Vec<(u32, u32)>,
}

impl MoAsha {
    fn objectives_in_words(&self) -> String {
        self.objectives.iter().map(in_words).collect::<Vec<_>>().join(", ")
    }

    pub(super) fn saved(&self) -> Option<PartState> {
        let point = |point: &Vec<f64>| point.iter().copied().map(Float).collect();
        let rung = |rung: &Rung| (rung.seen, rung.recent.iter().map(point).collect());
        let mut passed: Vec<(u32, u32)> = self.passed.iter().map(|(trial, passed)| (trial.number(), *passed)).collect();
        passed.sort_unstable();
        let saved = Saved {
            time_attr: self.time_attr.clone(),
            objectives: self.objectives_in_words(),
            grace_period: self.grace_period,
            reduction_factor: Float(self.reduction_factor),
            run: common_run(self.passed.keys().copied())?,
            rungs: self.rungs.iter().map(rung).collect(),
            passed,
        };
        pack(PART, &saved)
    }

    /// Another `max_t` moves the end of the ladder: the rungs that stand in both keep their points. With a smaller memory the
    /// latest are kept.
    pub(super) fn take_up(&mut self, state: PartState) -> Result<(), StateError> {
        let saved: Saved = unpack(PART, state)?;
        same(PART, "time_attr", &saved.time_attr, &self.time_attr)?;
        same(PART, "objectives", &saved.objectives, &self.objectives_in_words())?;
        same(PART, "grace_period", &saved.grace_period, &self.grace_period)?;
        same(PART, "reduction_factor", &saved.reduction_factor.0, &self.reduction_factor)?;
        let mut rungs = self.begin();
        for (rung, (seen, points)) in rungs.iter_mut().zip(saved.rungs) {
            for point in points {
                if point.len() != self.objectives.len() {
                    let (found, expected) = (format!("{} scores", point.len()), self.objectives.len().to_string());
                    return Err(StateError::Value { part: PART, at: "a point at a rung", found, expected });
                }
                rung.record(point.into_iter().map(|score| score.0).collect(), self.memory as usize);
            }
            rung.seen = seen;
        }
        self.rungs = rungs;
        let passed = saved.passed.into_iter();
        self.passed = passed.map(|(number, passed)| (TrialId::new(saved.run, number), passed)).collect();
        Ok(())
    }
}
