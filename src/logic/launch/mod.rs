//! The machine of launches: it asks an existing system for workers of a shape, and forgets no job.
//!
//! | what happens | what follows |
//! |---|---|
//! | more workers are wanted | jobs of at most `per_job` workers, one at a time, within `most` and `backlog` |
//! | fewer are wanted | jobs that still wait are cancelled, the newest first; workers that have joined are let go by the pool |
//! | a job ends before any of its workers has joined | it is submitted anew after a while, so many times in a row; then it can't be had |
//! | a job has its resources, and its workers don't join | the same, after `connect_for` |
//! | the launcher refuses, or says that a job will never have its resources | it can't be had |
//! | the launcher doesn't answer | it is asked again and again, ever more rarely |
//! | a job is listed that this session didn't submit | if it waits it is cancelled, if it runs its workers have `connect_for` to join |
//!
//! The first order is a list: what an earlier session left is found before anything is submitted. There is one list and one
//! submission at a time, and lists only while there is something to wait for.

mod allocation;
mod io;
mod job;
mod listed;
#[cfg(test)]
mod props;
mod serve;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

pub use allocation::Allocation;
pub use io::{LaunchError, LaunchInput, LaunchListed, LaunchOutput, LaunchSettings, LaunchState, job_name, job_number};
use job::{Backoff, Cancel, Group, Job, LeftOver, Phase, doubled};

use super::ids::RunId;
use super::pool::ResourceRequest;
use super::time::Moment;

/// After something has changed, the first list comes so soon; each that follows takes twice as long.
const FIRST_LIST: Duration = Duration::from_secs(1);

/// What is known of the launcher's lists.
#[derive(Debug)]
struct Lists {
    /// So many were asked for.
    asked: u64,
    in_flight: bool,
    /// At least one has come.
    ever: bool,
    next: Option<Moment>,
    step: Duration,
    trouble: Backoff,
    /// A job may have got in although the launcher didn't say so: a list after that of this number shows it.
    unsure: Option<u64>,
}

/// All jobs of one launcher.
#[derive(Debug)]
pub struct Launches {
    run: RunId,
    settings: LaunchSettings,
    groups: BTreeMap<Arc<ResourceRequest>, Group>,
    jobs: BTreeMap<u64, Job>,
    /// By their ids.
    left_over: BTreeMap<String, LeftOver>,
    next_job: u64,
    submitting: Option<u64>,
    next_submit: Moment,
    trouble: Backoff,
    lists: Lists,
    /// It is closing, and over by then.
    closing: Option<Moment>,
    closed: bool,
    deadline: Option<Moment>,
}

impl Launches {
    /// The launches of a run. The first [`LaunchInput::Tick`] may come at once.
    pub fn new(run: RunId, settings: LaunchSettings) -> Self {
        let lists = Lists {
            asked: 0,
            in_flight: false,
            ever: false,
            next: Some(Moment::START),
            step: FIRST_LIST,
            trouble: Backoff::default(),
            unsure: None,
        };
        Self {
            run,
            next_job: settings.first_job,
            settings,
            groups: BTreeMap::new(),
            jobs: BTreeMap::new(),
            left_over: BTreeMap::new(),
            submitting: None,
            next_submit: Moment::START,
            trouble: Backoff::default(),
            lists,
            closing: None,
            closed: false,
            deadline: None,
        }
    }

    /// The next moment at which [`LaunchInput::Tick`] is wanted.
    pub fn deadline(&self) -> Option<Moment> {
        self.deadline
    }

    /// So many workers of this shape are there, or are to come.
    pub fn workers(&self, shape: &ResourceRequest) -> u32 {
        self.jobs.values().filter(|job| *job.shape == *shape).map(Job::counts).sum()
    }

    /// Takes one input, and appends to `out` what is to be done.
    pub fn on(&mut self, input: LaunchInput, now: Moment, out: &mut Vec<LaunchOutput>) {
        if self.closed {
            return;
        }
        match input {
            LaunchInput::Want { shape, workers } => self.want(shape, workers),
            LaunchInput::Submitted { job, id } => self.submitted(job, id),
            LaunchInput::NotSubmitted { job, error } => self.not_submitted(job, error, now, out),
            LaunchInput::Listed(listed) => self.listed(listed, now, out),
            LaunchInput::NotListed(words) => {
                self.lists.in_flight = false;
                let LaunchSettings { backoff, most_backoff, .. } = self.settings;
                self.lists.trouble.fail(words, backoff, most_backoff, now);
            }
            LaunchInput::Joined { job, shape } => self.joined(job, shape, now),
            LaunchInput::Left { job } => self.left(job, now),
            LaunchInput::Tick => {}
            LaunchInput::Close => self.close(now),
        }
        self.serve(now, out);
    }

    fn want(&mut self, shape: Arc<ResourceRequest>, workers: u32) {
        let group = self.groups.entry(shape).or_default();
        group.wanted = if self.closing.is_some() { 0 } else { workers };
        if workers == 0 {
            (group.failures, group.retry, group.never) = (0, None, false);
        }
    }

    fn submitted(&mut self, job: u64, id: String) {
        if self.submitting != Some(job) {
            return;
        }
        self.submitting = None;
        self.trouble.heal();
        // It can be in a list that is on its way already.
        self.left_over.remove(&id);
        if let Some(job) = self.jobs.get_mut(&job) {
            job.id = Some(id);
            job.before_list = self.lists.asked;
            if job.phase == Phase::Submitting {
                job.phase = Phase::Asked;
            }
        }
    }

    fn not_submitted(&mut self, number: u64, error: LaunchError, now: Moment, out: &mut Vec<LaunchOutput>) {
        if self.submitting != Some(number) {
            return;
        }
        self.submitting = None;
        // Its workers can be here although the launcher said no: then it is known by them.
        let unknown = self.jobs.get(&number).is_some_and(|job| job.arrived() == 0);
        let shape = self.jobs.get(&number).map(|job| job.shape.clone());
        if unknown {
            self.jobs.remove(&number);
        } else if let Some(job) = self.jobs.get_mut(&number) {
            job.phase = Phase::Asked;
        }
        match error {
            LaunchError::Refused(words) => {
                self.trouble.heal();
                shape.into_iter().for_each(|shape| self.never(shape, words.clone(), out));
            }
            LaunchError::Unavailable(words) => {
                let LaunchSettings { backoff, most_backoff, .. } = self.settings;
                self.trouble.fail(words, backoff, most_backoff, now);
                self.lists.unsure = Some(self.lists.asked);
            }
        }
    }

    fn joined(&mut self, number: u64, shape: Arc<ResourceRequest>, now: Moment) {
        let known =
            self.left_over.iter().find(|(_, left)| left.job == number).map(|(id, left)| (id.clone(), left.cancel));
        let lists = self.lists.asked;
        let job = self.jobs.entry(number).or_insert_with(|| Job::new(shape, 0, Phase::Asked, lists));
        if job.id.is_none()
            && let Some((id, cancel)) = known
        {
            self.left_over.remove(&id);
            (job.id, job.cancel) = (Some(id), cancel);
        }
        job.joined += 1;
        job.workers = job.workers.max(job.arrived());
        job.running.get_or_insert(now);
        job.deserted = None;
        job.says.clear();
        self.next_job = self.next_job.max(number.saturating_add(1));
        if let Some(group) = self.groups.get_mut(&job.shape) {
            (group.failures, group.retry) = (0, None);
        }
    }

    fn left(&mut self, number: u64, now: Moment) {
        let Some(job) = self.jobs.get_mut(&number).filter(|job| job.joined > 0) else { return };
        job.joined -= 1;
        job.left += 1;
        if job.joined > 0 {
            return;
        }
        // What is known by its workers alone, no list will tell of.
        if job.phase == Phase::Ended {
            self.jobs.remove(&number);
        } else {
            job.deserted = Some(now);
        }
    }

    fn close(&mut self, now: Moment) {
        if self.closing.is_none() {
            self.closing = Some(now + self.settings.close_for);
            self.groups.values_mut().for_each(|group| group.wanted = 0);
            self.lists.trouble.heal();
            // The last look around.
            self.lists.unsure = Some(self.lists.asked);
            if !self.jobs.values().any(Job::is_live) {
                self.lists.next = Some(now);
            }
        }
    }

    /// A job failed before any of its workers had joined.
    fn failed(&mut self, shape: &Arc<ResourceRequest>, words: String, now: Moment, out: &mut Vec<LaunchOutput>) {
        let LaunchSettings { backoff, most_backoff, failures, .. } = self.settings;
        let Some(group) = self.groups.get_mut(shape) else { return };
        group.retry = Some(now + doubled(backoff, group.failures, most_backoff));
        group.failures = group.failures.saturating_add(1);
        if group.failures >= failures.max(1) {
            let words = format!("{} jobs in a row failed; the last: {words}", group.failures);
            self.never(shape.clone(), words, out);
        } else {
            group.failed = words;
        }
    }

    fn never(&mut self, shape: Arc<ResourceRequest>, words: String, out: &mut Vec<LaunchOutput>) {
        if let Some(group) = self.groups.get_mut(&shape)
            && group.wanted > 0
            && !group.never
        {
            group.never = true;
            out.push(LaunchOutput::Never { shape, words });
        }
    }
}
