//! What is kept of a run between sessions: the running means. Everything else is found from them when it is asked for.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::MedianStopping;
use super::history::History;
use super::run::Run;
use crate::logic::ids::{RunId, TrialId};
use crate::logic::schedule::saved::Measure;
use crate::logic::state::{Float, PartState, StateError, common_run, pack, same, unpack};

const PART: &str = "MedianStopping";

#[derive(Debug, Serialize, Deserialize)]
struct Saved {
    measure: Measure,
    grace_period: Float,
    run: RunId,
    histories: Vec<SavedHistory>,
    /// The places of those that are paused.
    paused: BTreeSet<usize>,
}

/// The trial, unless it is forgotten; times and means; how many scores the last mean is of; the best score; the last time;
/// when it made room last, if it ever did; whether it isn't judged again.
type SavedHistory = (Option<u32>, Vec<(Float, Float)>, u64, Float, Float, Option<Float>, bool);

fn saved(history: &History) -> SavedHistory {
    (
        history.trial.map(TrialId::number),
        history.means.iter().map(|(time, mean)| (Float(*time), Float(*mean))).collect(),
        history.count,
        Float(history.best),
        Float(history.last),
        Some(Float(history.yielded)).filter(|time| time.0.is_finite()),
        history.condemned,
    )
}

fn restored(run: RunId, saved: SavedHistory) -> History {
    let (number, means, count, best, last, yielded, condemned) = saved;
    History {
        trial: number.map(|number| TrialId::new(run, number)),
        means: means.into_iter().map(|(time, mean)| (time.0, mean.0)).collect(),
        count,
        best: best.0,
        last: last.0,
        yielded: yielded.map_or(f64::NEG_INFINITY, |time| time.0),
        condemned,
    }
}

impl MedianStopping {
    pub(super) fn saved(&self) -> Option<PartState> {
        let run = self.run.as_ref()?;
        let state = Saved {
            measure: Measure::new(&self.time_attr, self.objective.as_ref())?,
            grace_period: Float(self.grace_period),
            run: common_run(run.histories.iter().filter_map(|history| history.trial))?,
            histories: run.histories.iter().map(saved).collect(),
            paused: run.paused.clone(),
        };
        pack(PART, &state)
    }

    /// The means begin where the grace period ended when they were made.
    pub(super) fn take_up(&mut self, state: PartState) -> Result<(), StateError> {
        let saved: Saved = unpack(PART, state)?;
        saved.measure.same(PART, &self.time_attr, self.objective.as_ref())?;
        same(PART, "grace_period", &saved.grace_period.0, &self.grace_period)?;
        if let Some(place) = saved.paused.last().filter(|place| **place >= saved.histories.len()) {
            let (at, expected) = ("the last of `paused`", format!("less than {}", saved.histories.len()));
            return Err(StateError::Value { part: PART, at, found: place.to_string(), expected });
        }
        let histories = saved.histories.into_iter().map(|history| restored(saved.run, history)).collect();
        self.run = Some(Run::new(self.grace_period).since(histories, saved.paused));
        Ok(())
    }
}
