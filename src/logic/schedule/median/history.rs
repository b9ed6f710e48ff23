//! What one trial reported, boiled down to its running means.

use serde::{Deserialize, Serialize};

use crate::logic::ids::TrialId;
use crate::logic::state::float;

/// The running means of one trial, and its best score.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct History {
    /// Whose it is, unless that is forgotten.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) trial: Option<TrialId>,
    /// Time, and the mean of the scores from the grace period's end up to then; ascending.
    #[serde(with = "float")]
    pub(super) means: Vec<(f64, f64)>,
    /// How many scores the last mean is of.
    pub(super) count: u64,
    /// The best of all its scores; NaN as long as it had none.
    #[serde(with = "float")]
    pub(super) best: f64,
    /// The time up to which its reports are recorded.
    #[serde(with = "float")]
    pub(super) last: f64,
    /// When it was paused last to make room for others.
    #[serde(default, with = "float", skip_serializing_if = "Option::is_none")]
    pub(super) yielded: Option<f64>,
    /// It was paused because it was behind, and isn't judged again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) condemned: bool,
}

impl History {
    pub(super) fn new(trial: TrialId) -> Self {
        Self {
            trial: Some(trial),
            means: Vec::new(),
            count: 0,
            best: f64::NAN,
            last: f64::NEG_INFINITY,
            yielded: None,
            condemned: false,
        }
    }

    /// The mean of its scores up to `time`; NaN if there is none.
    pub(super) fn mean(&self, time: f64) -> f64 {
        let up_to = match self.means.last() {
            Some((last, _)) if *last <= time => self.means.len(),
            _ => self.means.partition_point(|(at, _)| *at <= time),
        };
        up_to.checked_sub(1).map_or(f64::NAN, |index| self.means[index].1)
    }

    /// Records a score at a time after the last one; `counts` says whether the grace period is over by then.
    pub(super) fn record(&mut self, time: f64, score: f64, counts: bool) {
        self.last = time;
        if counts {
            let mean = self.mean(time);
            self.count += 1;
            self.means.push((time, next_mean(mean, score, self.count)));
        }
    }

    /// Counts one more score at the last time, if its scores count by then.
    pub(super) fn count_again(&mut self, score: f64) {
        if let Some((time, mean)) = self.means.last_mut()
            && *time == self.last
        {
            self.count += 1;
            *mean = next_mean(*mean, score, self.count);
        }
    }
}

/// The mean of `count` scores, `mean` being that of all but the last. Of equal scores it is that score, to the last bit.
fn next_mean(mean: f64, score: f64, count: u64) -> f64 {
    if count == 1 { score } else { mean + (score - mean) / count as f64 }
}
