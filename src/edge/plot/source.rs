//! What is drawn: the trials of a run and their values of one metric, so many that a picture stays small.

use super::scale::{Scale, WIDE, thousands};
use crate::edge::observe::words::number;
use crate::logic::engine::TrialRecord;
use crate::logic::event::Ending;
use crate::logic::metrics::importance::{ImportanceError, Importances};
use crate::logic::metrics::{Mode, Objective, Scope};
use crate::logic::space::Space;
use crate::logic::trial::Status;

/// So many of the best are drawn, and so many of the others.
const MOST_BEST: usize = 2_000;
const MOST_OTHERS: usize = 3_000;

/// A run, as pictures need it.
pub(crate) struct Source<'a> {
    pub(crate) name: &'a str,
    pub(crate) trials: &'a [TrialRecord],
    pub(crate) space: Option<&'a Space>,
    pub(crate) objective: &'a Objective,
    /// What mattered; only asked for when it is drawn.
    pub(crate) importance: &'a dyn Fn() -> Result<Importances, ImportanceError>,
}

/// A trial that has a value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Valued<'a> {
    pub(super) trial: &'a TrialRecord,
    pub(super) value: f64,
}

impl Valued<'_> {
    pub(super) fn words(&self, metric: &str) -> String {
        format!("trial {}: {metric} {}", self.trial.id.number(), number(self.value))
    }
}

/// The trials with a value, those that are drawn in their order.
pub(super) struct Shown<'a> {
    pub(super) trials: Vec<Valued<'a>>,
    /// The best of them.
    pub(super) best: Valued<'a>,
    /// The worst value that is among the best tenth.
    pub(super) tenth: f64,
    /// The values of all that have one, drawn or not, in their order, each with the number of its trial.
    pub(super) all: Vec<(u32, f64)>,
}

impl<'a> Source<'a> {
    /// `digits: loss by trial`, with the direction and the number of trials.
    pub(super) fn title(&self, what: &str) -> String {
        let way = match self.objective.mode {
            Mode::Min => "lower is better",
            Mode::Max => "higher is better",
        };
        let trials = self.trials.len();
        let noun = if trials == 1 { "trial" } else { "trials" };
        format!("{}: {what} ({way}), {} {noun}", self.name, thousands(&trials.to_string()))
    }

    pub(super) fn metric(&self) -> &str {
        &self.objective.metric
    }

    /// What a trial's last report has, if it is a number.
    fn value(&self, trial: &TrialRecord) -> Option<f64> {
        let value = trial.stats.value(self.metric(), Scope::Last, self.objective.mode, trial.last.as_deref());
        value.filter(|value| value.is_finite())
    }

    /// Of all trials with a value those that are drawn; words if there are none.
    pub(super) fn shown(&self) -> Result<Shown<'a>, String> {
        let valued = |trial: &'a TrialRecord| Some(Valued { trial, value: self.value(trial)? });
        let mut valued: Vec<Valued<'a>> = self.trials.iter().filter_map(valued).collect();
        let all: Vec<(u32, f64)> = valued.iter().map(|valued| (valued.trial.id.number(), valued.value)).collect();
        // Stable: of equals the first is the best.
        valued.sort_by(|a, b| self.objective.compare(b.value, a.value));
        let (Some(best), count) = (valued.first().copied(), all.len()) else { return Err(self.nothing()) };
        let tenth = valued.get(count.div_ceil(10) - 1).map_or(best.value, |last| last.value);
        let mut trials = valued;
        if count > MOST_BEST + MOST_OTHERS {
            let others = trials.split_off(MOST_BEST);
            let every = (0..MOST_OTHERS).map(|index| index * others.len() / MOST_OTHERS);
            trials.extend(every.filter_map(|place| others.get(place)));
        }
        trials.sort_by_key(|valued| valued.trial.id);
        Ok(Shown { trials, best, tenth, all })
    }

    /// Why there is nothing to draw.
    fn nothing(&self) -> String {
        if self.trials.is_empty() {
            return "there are no trials yet".to_owned();
        }
        let mut known: Vec<&str> = Vec::new();
        for (name, _) in self.trials.iter().flat_map(|trial| trial.stats.iter()) {
            if !known.contains(&name) && known.len() < 12 {
                known.push(name);
            }
        }
        let known = if known.is_empty() { String::new() } else { format!("; reported were {}", known.join(", ")) };
        let failed = match self.trials.iter().filter(|trial| trial.status == Status::Error).count() {
            0 => String::new(),
            failed => format!("; {} failed", thousands(&failed.to_string())),
        };
        format!("no trial has reported a finite {} yet{known}{failed}", self.metric())
    }

    /// The line below the title: the best, and what isn't drawn.
    pub(super) fn below(&self, shown: &Shown<'_>) -> String {
        let text = |count: usize| thousands(&count.to_string());
        let mut parts = vec![format!("best {} by trial {}", number(shown.best.value), shown.best.trial.id.number())];
        let failed = self.trials.iter().filter(|trial| trial.status == Status::Error).count();
        let without = self.trials.len() - shown.all.len();
        if without > 0 {
            parts.push(format!("{} without a value", text(without)));
        }
        if failed > 0 {
            parts.push(format!("{} failed", text(failed)));
        }
        if shown.trials.len() < shown.all.len() {
            parts.push(format!("drawn are the best {} and {} others", text(MOST_BEST), text(MOST_OTHERS)));
        }
        parts.join("; ")
    }

    /// The furthest iteration of all trials.
    pub(super) fn furthest(&self) -> u64 {
        crate::logic::rungs::furthest(self.trials.iter())
    }

    /// Whether a value is at least as good as another.
    pub(super) fn is_within(&self, value: f64, limit: f64) -> bool {
        self.objective.score(value) >= self.objective.score(limit)
    }

    /// The scale of the metric's values, on a log scale if they are far apart. Few that are far worse than all others don't
    /// squeeze these: they lie at the end.
    pub(super) fn scale(&self, values: impl Iterator<Item = f64>) -> Scale {
        let mut sorted: Vec<f64> = values.filter(|value| value.is_finite()).collect();
        sorted.sort_by(|a, b| self.objective.compare(*b, *a));
        let at = |place: usize| sorted.get(place.min(sorted.len().saturating_sub(1))).copied().unwrap_or(0.0);
        let (best, mut worst) = (at(0), at(usize::MAX));
        let log = |one: f64, other: f64| one.min(other) > 0.0 && one.max(other) / one.min(other) >= WIDE;
        let most = at(sorted.len() * 19 / 20);
        if !log(best, worst) && (worst - best).abs() > 8.0 * (most - best).abs() && most != best {
            worst = best + 2.0 * (most - best);
        }
        Scale::new(best.min(worst), best.max(worst), log(best, worst)).padded(0.04)
    }
}

/// Whether somebody ended the trial before it came as far as others: to `furthest`.
pub(super) fn is_cut(trial: &TrialRecord, furthest: u64) -> bool {
    let ended =
        matches!(trial.ending, Some(Ending::Scheduler | Ending::StopRule | Ending::Client | Ending::Experiment));
    ended && trial.last.as_ref().is_some_and(|last| last.iteration() < furthest)
}
