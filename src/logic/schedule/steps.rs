//! What schedulers that judge a trial at its reports have in common: which reports they judge, and how they read one.

use crate::logic::metrics::{Objective, Report};
use crate::logic::spec::{Check, Refused};

/// Which of a trial's reports are judged: none before `warm_up`, and from then on the first in each interval.
#[derive(Clone, Copy, Debug)]
pub(super) struct Steps {
    pub(super) warm_up: f64,
    pub(super) interval: f64,
}

impl Steps {
    /// Whether a report at `time` is judged, the one before it being at `previous`, or at minus infinity if there is none.
    pub(super) fn judges(self, previous: f64, time: f64) -> bool {
        let begun = ((time - self.warm_up) / self.interval).floor() * self.interval + self.warm_up;
        time >= self.warm_up && previous < begun
    }

    /// # Errors
    /// If one of them can't be.
    pub(super) fn check(self, check: Check) -> Result<(), Refused> {
        check.not_negative("warm_up", self.warm_up)?;
        let holds = self.interval.is_finite() && self.interval > 0.0;
        check.require(holds, "interval", self.interval, "a finite number above 0")
    }
}

/// The time in `report`, if it has one. -0.0 and 0.0 are the same time.
pub(super) fn time(time_attr: &str, report: &Report) -> Option<f64> {
    Some(report.number(time_attr).filter(|time| time.is_finite())? + 0.0)
}

/// The time and the score (more is better) in `report`, if it has both.
pub(super) fn read(time_attr: &str, objective: Option<&Objective>, report: &Report) -> Option<(f64, f64)> {
    let objective = objective?;
    Some((time(time_attr, report)?, objective.score(report.number(&objective.metric)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(warm_up: f64, interval: f64, times: &[f64]) -> Vec<f64> {
        let previous = std::iter::once(f64::NEG_INFINITY).chain(times.iter().copied());
        let steps = Steps { warm_up, interval };
        previous
            .zip(times.iter().copied())
            .filter(|(previous, time)| steps.judges(*previous, *time))
            .map(|p| p.1)
            .collect()
    }

    #[test]
    fn the_first_report_in_each_interval_is_judged() {
        let each = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0];
        assert_eq!(judged(0.0, 1.0, &each), each);
        assert_eq!(judged(2.0, 3.0, &each), [2.0, 5.0]);
        assert_eq!(judged(2.0, 3.0, &[1.0, 3.0, 4.0, 9.0, 10.0, 11.0]), [3.0, 9.0, 11.0]);
    }
}
