//! Why a trial was stopped or paused at a rung, in words a person can read.

use std::borrow::Cow;

use super::gate::Standing;
use super::promotion::Dismissal;
use super::{Asha, Going};
use crate::logic::decision::{Directive, Verdict};
use crate::logic::ids::TrialId;
use crate::logic::schedule::Cohort;
use crate::logic::schedule::number::{short, told_apart};

impl Asha {
    /// The values of which these are the scores: scoring is its own inverse.
    pub(super) fn values(&self, score: f64, other: f64) -> (f64, f64) {
        self.objective.as_ref().map_or((score, other), |objective| (objective.score(score), objective.score(other)))
    }

    pub(super) fn waits(&self, standing: Standing, score: f64) -> Verdict {
        let (value, least) = self.values(score, standing.least.unwrap_or(f64::NAN));
        Verdict::pause(waits(standing, value, least))
    }

    /// After the run came to rest: those who have no place end.
    pub(super) fn dismiss(&mut self, reporter: TrialId, cohort: &dyn Cohort) -> Vec<Directive> {
        let Some(Going::Promotion(promotion)) = &mut self.run else { return Vec::new() };
        let dismissals = promotion.dismiss(reporter, cohort);
        let directive = |Dismissal { trial, score, standing }: Dismissal| {
            let (value, least) = self.values(score, standing.least.unwrap_or(f64::NAN));
            Directive::StopBecause(trial, dismissed(standing, value, least).into())
        };
        dismissals.into_iter().map(directive).collect()
    }
}

/// `reached 1: 27, 3: 9, 9: 3`; with several brackets `bracket 0 reached 1: 27, 3: 9; bracket 1 reached 3: 5`.
pub(super) fn reached(brackets: &[Vec<(f64, usize)>]) -> Option<String> {
    let one = |rungs: &[(f64, usize)]| {
        let rungs: Vec<String> = rungs.iter().map(|(time, seen)| format!("{}: {seen}", short(*time))).collect();
        format!("reached {}", rungs.join(", "))
    };
    let begun = brackets.iter().enumerate().filter(|(_, rungs)| !rungs.is_empty());
    let words: Vec<String> = match brackets {
        [only] => begun.map(|_| one(only)).collect(),
        _ => begun.map(|(number, rungs)| format!("bracket {number} {}", one(rungs))).collect(),
    };
    (!words.is_empty()).then(|| words.join("; "))
}

/// `rung 9: 0.41 is in the worse two thirds (cut-off 0.37, 27 seen)`.
pub(super) fn behind(milestone: f64, (value, cut_off): (f64, f64), factor: f64, seen: usize) -> String {
    let (shown, cut) = told_apart(value, cut_off);
    format!("rung {}: {shown} is in the worse {} (cut-off {cut}, {seen} seen)", short(milestone), share(factor))
}

/// `rung 9: 0.41 isn't among the best 9 of 27 yet (the last of them has 0.37)`.
pub(super) fn waits(standing: Standing, value: f64, least: f64) -> String {
    let Standing { milestone, places, seen, needed, .. } = standing;
    if places == 0 {
        let milestone = short(milestone);
        return format!("rung {milestone}: {} waits for others ({seen} of {needed} were there)", short(value));
    }
    let (shown, least) = told_apart(value, least);
    let milestone = short(milestone);
    format!("rung {milestone}: {shown} isn't among the best {places} of {seen} yet (the last of them has {least})")
}

/// `rung 9: 0.41 isn't among the best 9 of 27 (the last of them has 0.37), and no others are to come`.
pub(super) fn dismissed(standing: Standing, value: f64, least: f64) -> String {
    let Standing { milestone, places, seen, .. } = standing;
    let (shown, least) = told_apart(value, least);
    format!(
        "rung {}: {shown} isn't among the best {places} of {seen} (the last of them has {least}), and no others are to \
         come",
        short(milestone)
    )
}

/// The part of the trials that a rung stops.
pub(in crate::logic::schedule) fn share(factor: f64) -> Cow<'static, str> {
    if factor == 2.0 {
        "half".into()
    } else if factor == 3.0 {
        "two thirds".into()
    } else if factor == 4.0 {
        "three quarters".into()
    } else {
        format!("{} %", short((1.0 - 1.0 / factor) * 100.0)).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_as_a_sentence() {
        assert_eq!(
            behind(9.0, (0.41, 0.370_000_000_1), 3.0, 27),
            "rung 9: 0.41 is in the worse two thirds (cut-off 0.37, 27 seen)"
        );
        assert_eq!(
            behind(2.25, (-1.25e-9, 12.0), 1.25, 1),
            "rung 2.25: -1.25e-9 is in the worse 20 % (cut-off 12, 1 seen)"
        );
        assert_eq!(behind(4.0, (f64::INFINITY, 0.5), 2.0, 3), "rung 4: inf is in the worse half (cut-off 0.5, 3 seen)");
    }

    #[test]
    fn tells_close_values_apart() {
        let text = behind(1.0, (0.300_000_000_2, 0.300_000_000_1), 4.0, 2);
        assert_eq!(text, "rung 1: 0.3000000002 is in the worse three quarters (cut-off 0.3000000001, 2 seen)");
    }
}
