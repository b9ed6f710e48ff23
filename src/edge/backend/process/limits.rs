//! How long, and with how much, a trial's process may work.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use crate::logic::limit::OnLimit;
use crate::logic::metrics::Report;
use crate::logic::trial::Over;

/// A limit on time, and what to do when it is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TimeLimit {
    pub(super) most: Duration,
    pub(super) then: OnLimit,
}

impl TimeLimit {
    fn kills_at(limit: Option<Self>) -> Option<Duration> {
        limit.filter(|limit| limit.then == OnLimit::Kill).map(|limit| limit.most)
    }
}

/// Limits of each trial. There are none unless they are said.
///
/// [`OnLimit::FinishStep`] and [`OnLimit::SaveThenStop`] end the trial well, at the end of the step in which the limit was
/// reached. [`OnLimit::Kill`] ends its process, hang as it may: that is a failure of kind
/// [`Timeout`](crate::logic::failure::FailureKind::Timeout), which the experiment's retry policy deals with.
///
/// ```
/// use std::time::Duration;
/// use tryout::prelude::*;
///
/// let limits = Limits::new()
///     .step(Duration::from_secs(60), OnLimit::Kill)
///     .trial(Duration::from_secs(3600), OnLimit::SaveThenStop)
///     .memory(4 << 30);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    pub(super) step: Option<TimeLimit>,
    pub(super) trial: Option<TimeLimit>,
    pub(super) cpu: Option<TimeLimit>,
    pub(super) memory: Option<u64>,
    pub(super) answer: Option<Duration>,
}

impl Limits {
    /// No limits.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How long a step may take, on the clock; more than zero.
    #[must_use]
    pub fn step(mut self, most: Duration, then: OnLimit) -> Self {
        self.step = Some(TimeLimit { most, then });
        self
    }

    /// How long a trial may work, on the clock, over all its attempts and sessions as far as its checkpoints know of them;
    /// more than zero. Waiting and pauses aren't work.
    #[must_use]
    pub fn trial(mut self, most: Duration, then: OnLimit) -> Self {
        self.trial = Some(TimeLimit { most, then });
        self
    }

    /// How much processor time a trial may use in one attempt, in all threads of its process together, without the processes
    /// that it starts; more than zero. [`OnLimit::Kill`] has whole seconds (RLIMIT_CPU), rounded up.
    #[must_use]
    pub fn cpu_time(mut self, most: Duration, then: OnLimit) -> Self {
        self.cpu = Some(TimeLimit { most, then });
        self
    }

    /// How many bytes of address space a trial's process, and each process that it starts, may have (RLIMIT_AS). An
    /// allocation beyond it fails: most programs end then, and the trial's failure is of kind
    /// [`OutOfMemory`](crate::logic::failure::FailureKind::OutOfMemory). Programs that reserve much more than they use,
    /// those with CUDA among them, can't be limited like this.
    #[must_use]
    pub fn memory(mut self, bytes: u64) -> Self {
        self.memory = Some(bytes);
        self
    }

    /// How long setting up, resetting, restoring, saving and exporting may take, each; more than zero. Who takes longer is
    /// killed.
    #[must_use]
    pub fn answer(mut self, most: Duration) -> Self {
        self.answer = Some(most);
        self
    }

    /// What is wrong with them, if anything is.
    pub(super) fn check(&self) -> Result<(), String> {
        let times = [("step", self.step), ("trial", self.trial), ("cpu_time", self.cpu)];
        let times = times.into_iter().filter_map(|(name, limit)| Some((name, limit?.most)));
        let zero = times.chain(self.answer.map(|most| ("answer", most))).find(|(_, most)| most.is_zero());
        match (zero, self.memory) {
            (Some((name, _)), _) => {
                Err(format!("the limit `{name}` is 0 s: a trial needs more than that to do anything"))
            }
            (None, Some(0)) => Err("the limit `memory` is 0 bytes: a process needs more than that to start".to_owned()),
            _ => Ok(()),
        }
    }

    /// Whether a trial is over with this report, after so much processor time in this attempt.
    pub(super) fn over(&self, report: &Report, cpu: impl FnOnce() -> Option<Duration>) -> Option<Over> {
        let step = passed(self.step, "a step took", || Some(report.time_this_iter_s));
        let trial = || passed(self.trial, "it has worked for", || Some(report.counters.time_total_s));
        let cpu = || passed(self.cpu, "it has used processor time of", || cpu().map(|cpu| cpu.as_secs_f64()));
        step.or_else(trial).or_else(cpu)
    }
}

fn passed(limit: Option<TimeLimit>, what: &str, used: impl FnOnce() -> Option<f64>) -> Option<Over> {
    let TimeLimit { most, then } = limit?;
    if then == OnLimit::Kill {
        return None;
    }
    let (used, most) = (used()?, most.as_secs_f64());
    let reason = || Cow::Owned(format!("{what} {used:.1} s, of {most:.1} s at most"));
    (used >= most).then(|| Over { reason: reason(), keep: then.keep() })
}

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
        *self = Self { answer: limits.answer.map(|most| now + most), ..Self::default() };
    }

    /// It works on, having worked for so many seconds before.
    pub(super) fn works(&mut self, limits: &Limits, now: Instant, worked: f64) {
        let left = |most: Duration| most.saturating_sub(Duration::try_from_secs_f64(worked).unwrap_or_default());
        self.answer = None;
        self.step = TimeLimit::kills_at(limits.step).map(|most| now + most);
        self.trial = TimeLimit::kills_at(limits.trial).map(|most| now + left(most));
    }

    /// A new step has begun.
    pub(super) fn stepped(&mut self, limits: &Limits, now: Instant) {
        if self.step.is_some() {
            self.step = TimeLimit::kills_at(limits.step).map(|most| now + most);
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
