//! Which worker had which trial when, and why it had none: lanes, each for one worker at a time.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::views::{Gap, Lane, Span};
use crate::logic::event::{EventKind, ExperimentEvent, Process, WorkerChange};
use crate::logic::ids::{TrialId, WorkerId};
use crate::logic::time::Moment;
use crate::logic::trial::Status;

/// So many spans and gaps are kept in all; then the older half of each lane goes.
const MOST: usize = 200_000;

/// What a lane is doing.
#[derive(Clone, Debug)]
enum Now {
    /// It has a trial.
    Works(u32),
    /// It has none, for this reason.
    Idle(Arc<str>),
    /// It has none, and why is about to be said.
    Unexplained,
}

#[derive(Clone, Debug)]
enum Part {
    Span(u32),
    Gap(Arc<str>),
}

#[derive(Clone, Debug)]
struct LaneState {
    begin: Moment,
    since: Moment,
    now: Now,
    /// Each with its end; it begins where the one before it ends.
    parts: Vec<(Part, Moment)>,
}

/// All lanes.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    lanes: Vec<LaneState>,
    workers: HashMap<WorkerId, usize>,
    trials: HashMap<u32, (usize, WorkerId)>,
    processes: HashMap<WorkerId, Arc<Process>>,
    free: BTreeSet<usize>,
    unexplained: Vec<usize>,
    count: usize,
    /// Parts before this have gone.
    from: Option<Moment>,
}

impl Timeline {
    pub(super) fn hear(&mut self, event: &ExperimentEvent) {
        let at = event.at;
        match &event.kind {
            EventKind::Worker { worker, change } => self.worker(*worker, change, at),
            EventKind::Launched { trial, worker, .. } => self.launched(*trial, *worker, at),
            EventKind::Ended { trial, .. }
            | EventKind::Failed { trial, .. }
            | EventKind::Status { trial, to: Status::Pending | Status::Paused, .. } => self.left(trial.number(), at),
            EventKind::Abandoned { worker, trial } => {
                trial.iter().for_each(|trial| self.left(trial.number(), at));
                self.gone(*worker, "its worker was left behind: it didn't stop within its grace", at);
            }
            EventKind::Finished { .. } => self.end(at),
            _ => {}
        }
    }

    /// A trial has a worker already.
    pub(super) fn found(&mut self, trial: TrialId, worker: WorkerId, at: Moment) {
        self.launched(trial, worker, at);
        self.from = Some(at);
    }

    /// A session begins: no worker of an earlier one is there any more.
    pub(super) fn session(&mut self, at: Moment) {
        self.end(at);
        for lane in &mut self.lanes {
            lane.now = Now::Idle("the run begins again, with new workers".into());
        }
    }

    fn end(&mut self, at: Moment) {
        (0..self.lanes.len()).for_each(|lane| self.turn(lane, Now::Idle("the run is over".into()), at));
        self.free = (0..self.lanes.len()).collect();
        self.unexplained.clear();
        (self.workers, self.trials, self.processes) = Default::default();
    }

    fn worker(&mut self, worker: WorkerId, change: &WorkerChange, at: Moment) {
        match change {
            WorkerChange::Spawned { .. } => {
                let lane = self.lane(worker, at);
                self.turn(lane, Now::Idle("the worker is being set up".into()), at);
            }
            WorkerChange::Placed { process } => drop(self.processes.insert(worker, process.clone())),
            WorkerChange::Stopping { why } => {
                if let Some(lane) = self.workers.get(&worker).copied()
                    && !matches!(self.lanes.get(lane), Some(LaneState { now: Now::Works(_), .. }))
                {
                    self.turn(lane, Now::Idle(format!("the worker is asked to stop: {why}").into()), at);
                }
            }
            WorkerChange::ResetFailed { .. } => {}
            WorkerChange::Killed => {}
            WorkerChange::Gone => self.gone(worker, "", at),
        }
    }

    fn launched(&mut self, trial: TrialId, worker: WorkerId, at: Moment) {
        let lane = self.lane(worker, at);
        self.turn(lane, Now::Works(trial.number()), at);
        self.trials.insert(trial.number(), (lane, worker));
    }

    /// A trial has left its worker, if it had one.
    fn left(&mut self, trial: u32, at: Moment) {
        if let Some((lane, _)) = self.trials.remove(&trial)
            && matches!(self.lanes.get(lane), Some(LaneState { now: Now::Works(other), .. }) if *other == trial)
        {
            self.turn(lane, Now::Unexplained, at);
        }
    }

    /// A worker has ended. Without a reason, that is the one for which a trial that waits has none.
    fn gone(&mut self, worker: WorkerId, why: &str, at: Moment) {
        self.processes.remove(&worker);
        let Some(lane) = self.workers.remove(&worker) else { return };
        let now = if why.is_empty() { Now::Unexplained } else { Now::Idle(why.into()) };
        self.turn(lane, now, at);
        self.free.insert(lane);
    }

    /// The lane of a worker: a free one, or a new one.
    fn lane(&mut self, worker: WorkerId, at: Moment) -> usize {
        if let Some(lane) = self.workers.get(&worker) {
            return *lane;
        }
        let lane = self.free.pop_first().unwrap_or_else(|| {
            self.lanes.push(LaneState { begin: at, since: at, now: Now::Unexplained, parts: Vec::new() });
            self.lanes.len() - 1
        });
        self.workers.insert(worker, lane);
        lane
    }

    /// What a lane was doing ends, and something else begins.
    fn turn(&mut self, lane: usize, next: Now, at: Moment) {
        if matches!(next, Now::Unexplained) {
            self.unexplained.push(lane);
        }
        let Some(lane) = self.lanes.get_mut(lane) else { return };
        let before = std::mem::replace(&mut lane.now, next);
        let begin = lane.since;
        lane.since = at.max(begin);
        if at <= begin {
            return;
        }
        let part = match before {
            Now::Works(trial) => Part::Span(trial),
            Now::Idle(why) => Part::Gap(why),
            Now::Unexplained => Part::Gap("between two trials".into()),
        };
        match (lane.parts.last_mut(), &part) {
            (Some((Part::Gap(last), end)), Part::Gap(why)) if last == why => *end = at,
            _ => {
                lane.parts.push((part, at));
                self.count += 1;
            }
        }
        if self.count > MOST {
            self.let_go();
        }
    }

    /// The older half of each lane goes.
    fn let_go(&mut self) {
        for lane in &mut self.lanes {
            let old = lane.parts.len() / 2;
            if let Some((_, end)) = lane.parts.drain(..old).next_back() {
                lane.begin = end;
                self.from = self.from.max(Some(end));
            }
            self.count -= old;
        }
    }

    /// Whether lanes have nothing to do since the last explanation.
    pub(super) fn has_new_gaps(&self) -> bool {
        !self.unexplained.is_empty()
    }

    /// Why the lanes that have nothing to do have nothing to do.
    pub(super) fn explain(&mut self, why: &str) {
        let why: Arc<str> = why.into();
        for lane in self.unexplained.drain(..) {
            if let Some(lane) = self.lanes.get_mut(lane).filter(|lane| matches!(lane.now, Now::Unexplained)) {
                lane.now = Now::Idle(why.clone());
            }
        }
    }

    /// Whether a trial has a worker.
    pub(super) fn has_worker(&self, trial: u32) -> bool {
        self.trials.contains_key(&trial)
    }

    /// The worker that a trial has, in words.
    pub(super) fn worker_of(&self, trial: u32) -> Option<String> {
        let (_, worker) = self.trials.get(&trial)?;
        let process = self.processes.get(worker).map(|process| format!(", {process}")).unwrap_or_default();
        Some(format!("worker {worker}{process}"))
    }

    /// From when on all is here, if that isn't the beginning.
    pub(super) fn from(&self) -> Option<Moment> {
        self.from
    }

    /// The lanes; what goes on ends at `end`, if that is given.
    pub(super) fn lanes(&self, end: Option<Moment>) -> Vec<Lane> {
        let seconds = |moment: Moment| moment.since_start().as_secs_f64();
        let view = |(worker, state): (usize, &LaneState)| {
            let mut lane = Lane { worker: u32::try_from(worker).unwrap_or(u32::MAX), ..Lane::default() };
            let mut from = seconds(state.begin);
            let mut put = |part: &Part, to: Option<f64>| {
                match part {
                    Part::Span(number) => lane.spans.push(Span { from, to, number: *number }),
                    Part::Gap(why) => lane.gaps.push(Gap { from, to, why: why.to_string() }),
                }
                from = to.unwrap_or(from);
            };
            state.parts.iter().for_each(|(part, end)| put(part, Some(seconds(*end))));
            let last = match &state.now {
                Now::Works(trial) => Part::Span(*trial),
                Now::Idle(why) => Part::Gap(why.clone()),
                Now::Unexplained => Part::Gap("between two trials".into()),
            };
            if end.is_none_or(|end| end > state.since) {
                put(&last, end.map(seconds));
            }
            lane
        };
        self.lanes.iter().enumerate().map(view).collect()
    }
}
