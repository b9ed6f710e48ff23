//! What Optuna is to be told of one trial.

use serde::{Deserialize, Serialize};

use crate::logic::event::Ending;
use crate::logic::ids::TrialId;
use crate::logic::metrics::{Objective, Report, Value};
use crate::logic::trial::Status;

/// So many intermediate values are kept of a trial.
const STEPS: usize = 16_384;

/// Optuna's states, by the numbers that it writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Stand {
    Running = 0,
    Complete = 1,
    Pruned = 2,
    Fail = 3,
    Waiting = 4,
}

/// One trial. It can be kept in a file as JSON.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct TrialEntry {
    pub(super) trial: TrialId,
    pub(super) stand: Stand,
    pub(super) value: Option<Value>,
    /// In seconds since 1970.
    pub(super) start: Option<f64>,
    pub(super) complete: Option<f64>,
    pub(super) params: Vec<(String, Value)>,
    pub(super) steps: Vec<(u64, Value)>,
    pub(super) attributes: Vec<(String, Value)>,
    seen: u64,
    stride: u64,
}

impl TrialEntry {
    pub(super) fn new(trial: TrialId) -> Self {
        Self {
            trial,
            stand: Stand::Waiting,
            value: None,
            start: None,
            complete: None,
            params: Vec::new(),
            steps: Vec::new(),
            attributes: Vec::new(),
            seen: 0,
            stride: 1,
        }
    }

    /// A result came, with this value of the objective.
    pub(super) fn report(&mut self, report: &Report, value: Option<f64>) {
        self.stand = Stand::Running;
        self.start.get_or_insert(report.timestamp - report.time_this_iter_s);
        let Some(value) = value else { return };
        if self.seen.is_multiple_of(self.stride) {
            self.steps.push((report.iteration(), Value::Float(value)));
        }
        self.seen += 1;
        if self.steps.len() >= STEPS {
            let mut index = 0;
            self.steps.retain(|_| {
                index += 1;
                index % 2 == 1
            });
            self.stride *= 2;
        }
    }

    /// It ended.
    pub(super) fn end(
        &mut self,
        status: Status,
        ending: Ending,
        reason: Option<&str>,
        last: &Report,
        objective: Option<&Objective>,
    ) {
        let value = objective.and_then(|objective| last.number(&objective.metric)).filter(|value| value.is_finite());
        self.stand = match (status, ending) {
            (Status::Error, _) => Stand::Fail,
            (_, Ending::Scheduler) => Stand::Pruned,
            _ if value.is_none() && objective.is_some() => Stand::Fail,
            _ => Stand::Complete,
        };
        self.value = value.filter(|_| self.stand != Stand::Fail).map(Value::Float);
        self.note("ending", serde_json::to_value(ending).ok().and_then(|word| word.as_str().map(Value::from)));
        self.note("reason", reason.map(Value::from));
        for (name, value) in last.metrics.iter() {
            self.note(name, value.clone());
        }
    }

    /// Drops the intermediate values after this iteration.
    pub(super) fn forget_after(&mut self, iteration: u64) {
        self.steps.retain(|(step, _)| *step <= iteration);
    }

    /// It goes on after its end.
    pub(super) fn go_on(&mut self) {
        (self.stand, self.value, self.complete) = (Stand::Running, None, None);
    }

    /// Sets an attribute, if there is something to say.
    pub(super) fn note(&mut self, name: &str, value: impl Into<Option<Value>>) {
        self.attributes.retain(|(known, _)| known != name);
        if let Some(value) = value.into() {
            self.attributes.push((name.to_owned(), value));
        }
    }
}
