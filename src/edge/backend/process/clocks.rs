//! The clocks that run while a trial's process works.

use std::time::{Duration, Instant};

use crate::edge::deadline;
use crate::logic::worker::{Limits, TimeLimit};

/// The clocks that run while a trial's process works, and what they say when they are over.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Clocks {
    step: Option<Instant>,
    trial: Option<Instant>,
    answer: Option<Instant>,
}

impl Clocks {
    /// It is asked for something that isn't a step.
    pub(super) fn asked(&mut self, limits: &Limits, now: Instant) {
        *self = Self { answer: limits.answer.map(|most| deadline::after(now, most)), ..Self::default() };
    }

    /// It works on, having worked for so many seconds before.
    pub(super) fn works(&mut self, limits: &Limits, now: Instant, worked: f64) {
        let left = |most: Duration| most.saturating_sub(Duration::try_from_secs_f64(worked).unwrap_or_default());
        self.answer = None;
        self.step = TimeLimit::kills_at(limits.step).map(|most| deadline::after(now, most));
        self.trial = TimeLimit::kills_at(limits.trial).map(|most| deadline::after(now, left(most)));
    }

    /// A new step has begun.
    pub(super) fn stepped(&mut self, limits: &Limits, now: Instant) {
        if self.step.is_some() {
            self.step = TimeLimit::kills_at(limits.step).map(|most| deadline::after(now, most));
        }
    }

    /// Nothing is asked of it.
    pub(super) fn rest(&mut self) {
        *self = Self::default();
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        [self.step, self.trial, self.answer].into_iter().flatten().min()
    }

    /// What is over, in words.
    pub(super) fn over(&self, limits: &Limits, now: Instant) -> Option<String> {
        let over = |at: Option<Instant>| at.is_some_and(|at| now >= at);
        let most = |limit: Option<TimeLimit>| limit.map_or(0.0, |limit| limit.most.as_secs_f64());
        if over(self.step) {
            Some(format!("a step took longer than the {} s that it may take", most(limits.step)))
        } else if over(self.trial) {
            Some(format!("the trial worked longer than the {} s that it may work", most(limits.trial)))
        } else if over(self.answer) {
            let most = limits.answer.unwrap_or_default().as_secs_f64();
            Some(format!("setting up, restoring, saving or exporting took longer than the {most} s that it may take"))
        } else {
            None
        }
    }
}
