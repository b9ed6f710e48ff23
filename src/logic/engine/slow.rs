//! Parts that hold the run up: the engine's one thread waits while a scheduler, searcher or stop rule is asked.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use super::{Engine, EngineOutput};
use crate::logic::event::Part;
use crate::logic::ids::TrialId;
use crate::logic::once_in_a_while::OnceInAWhile;
use crate::logic::time::Moment;

/// Tells the time since some moment. The engine has no clock of its own: whoever runs it in real time gives it one.
pub type CallClock = Arc<dyn Fn() -> Duration + Send + Sync>;

/// How long a part was at work since it was last asked. Without a clock no time passes.
#[derive(Clone, Default)]
pub(super) struct Stopwatch {
    clock: Option<CallClock>,
    spent: Cell<Duration>,
}

impl std::fmt::Debug for Stopwatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stopwatch").field("spent", &self.spent).finish_non_exhaustive()
    }
}

impl Stopwatch {
    pub(super) fn by(clock: CallClock) -> Self {
        Self { clock: Some(clock), spent: Cell::default() }
    }

    pub(super) fn time<R>(&self, call: impl FnOnce() -> R) -> R {
        let Some(clock) = &self.clock else { return call() };
        let began = clock();
        let answer = call();
        self.spent.set(self.spent.get().saturating_add(clock().saturating_sub(began)));
        answer
    }

    /// What has passed since this was last asked.
    pub(super) fn take(&self) -> Duration {
        self.spent.take()
    }
}

/// What was said of each of them.
#[derive(Debug, Default)]
pub(super) struct SlowParts {
    searcher: OnceInAWhile,
    scheduler: OnceInAWhile,
    stop: OnceInAWhile,
}

impl SlowParts {
    fn of(&mut self, part: Part) -> &mut OnceInAWhile {
        match part {
            Part::Searcher => &mut self.searcher,
            Part::Scheduler => &mut self.scheduler,
            Part::StopRule => &mut self.stop,
        }
    }
}

impl Engine {
    /// Has the calls of the parts timed by this clock from now on, so that those that hold the run up for longer than
    /// [`Settings::slow_after`](crate::logic::settings::Settings::slow_after) are warned of. Nothing is decided by it.
    pub fn time_calls(&mut self, clock: &CallClock) {
        self.searcher.time_by(Stopwatch::by(clock.clone()));
        self.scheduler.time_by(Stopwatch::by(clock.clone()));
        self.stop.time_by(Stopwatch::by(clock.clone()));
    }

    /// Names the parts in which an input was held up; `trial` is the one that it was about.
    pub(super) fn warn_of_slow_parts(&mut self, trial: Option<TrialId>, now: Moment, out: &mut Vec<EngineOutput>) {
        let spent = [
            (Part::Searcher, self.searcher.take_spent()),
            (Part::Scheduler, self.scheduler.take_spent()),
            (Part::StopRule, self.stop.take_spent()),
        ];
        let Some(limit) = self.settings.slow_after.filter(|_| self.is_open()) else { return };
        for (part, spent) in spent {
            if spent <= limit {
                continue;
            }
            let Some(again) = self.slow.of(part).pass(now) else { continue };
            let name = match part {
                Part::Searcher => self.searcher.name(),
                Part::Scheduler => self.scheduler.name(),
                Part::StopRule => self.stop.name(),
            };
            let over = trial.map_or_else(String::new, |trial| format!(" over trial {trial}"));
            let advice = match part {
                Part::Searcher => ". A searcher whose `effort` is `Heavy` thinks beside the run",
                Part::Scheduler | Part::StopRule => "",
            };
            let seconds = spent.as_secs_f64();
            self.warn(
                now,
                out,
                format!("the {part} {name} held the whole run up for {seconds:.2} s{over}{again}{advice}"),
            );
        }
    }
}
