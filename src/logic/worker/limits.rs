//! How long, and with how much, a trial may work.

use std::borrow::Cow;
use std::time::Duration;

use crate::logic::limit::OnLimit;
use crate::logic::metrics::Report;
use crate::logic::trial::Over;

/// A limit on time, and what to do when it is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimeLimit {
    pub(crate) most: Duration,
    pub(crate) then: OnLimit,
}

impl TimeLimit {
    /// When it is reached, if a process is killed then.
    pub(crate) fn kills_at(limit: Option<Self>) -> Option<Duration> {
        limit.filter(|limit| limit.then == OnLimit::Kill).map(|limit| limit.most)
    }
}

/// Limits of each trial. There are none unless they are said. [`cpu_time`](Limits::cpu_time) and [`memory`](Limits::memory)
/// need Linux: elsewhere an experiment that has them is refused before it runs.
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
    pub(crate) step: Option<TimeLimit>,
    pub(crate) trial: Option<TimeLimit>,
    pub(crate) cpu: Option<TimeLimit>,
    pub(crate) memory: Option<u64>,
    pub(crate) answer: Option<Duration>,
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
    pub(crate) fn check(&self) -> Result<(), String> {
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

    /// Whether they take what only Linux has.
    #[cfg(feature = "process")]
    pub(crate) fn needs_system(&self) -> bool {
        self.cpu.is_some() || self.memory.is_some()
    }

    /// Whether somebody has to say how much processor time a trial has used, before its reports are taken.
    pub(crate) fn counts_cpu(&self) -> bool {
        self.cpu.is_some_and(|limit| limit.then != OnLimit::Kill)
    }

    /// Whether a trial is over with this report, after so much processor time in this attempt.
    pub(crate) fn over(&self, report: &Report, cpu: Option<Duration>) -> Option<Over> {
        let step = passed(self.step, "a step took", || Some(report.time_this_iter_s));
        let trial = || passed(self.trial, "it has worked for", || Some(report.counters.time_total_s));
        let cpu = || passed(self.cpu, "it has used processor time of", || cpu.map(|cpu| cpu.as_secs_f64()));
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
