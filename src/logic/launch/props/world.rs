//! The world around the machine: a launcher, its jobs, and whoever wants workers.

use proptest::prelude::*;

use super::super::*;
use super::Act;
use crate::logic::pool::Resources;

/// A job as the launcher has it.
#[derive(Clone, Debug)]
pub(super) struct Real {
    pub(super) number: u64,
    pub(super) shape: Arc<ResourceRequest>,
    pub(super) workers: u32,
    pub(super) joined: u32,
    pub(super) left: u32,
    pub(super) running: Option<Moment>,
    pub(super) cancelled: bool,
    pub(super) ended: bool,
    pub(super) foreign: bool,
}

/// The launcher, its jobs, and whoever wants workers.
pub(super) struct World {
    pub(super) launches: Launches,
    pub(super) settings: LaunchSettings,
    pub(super) now: Moment,
    pub(super) jobs: Vec<Real>,
    pub(super) submit: Option<(u64, Arc<ResourceRequest>, u32)>,
    /// The list in flight, as it was when it was asked for.
    pub(super) list: Option<Vec<LaunchListed>>,
    pub(super) wants: [u32; 2],
    pub(super) nevers: [bool; 2],
    /// It has never lied.
    pub(super) honest: bool,
    pub(super) closed: bool,
}

fn run() -> RunId {
    RunId::new(7)
}

pub(super) fn shape(number: usize) -> Arc<ResourceRequest> {
    Arc::new(ResourceRequest::single(Resources::cpus(number as u32 + 1)).expect("it asks for something"))
}

impl World {
    pub(super) fn new(settings: LaunchSettings) -> Self {
        Self {
            launches: Launches::new(run(), settings.clone()),
            settings,
            now: Moment::START,
            jobs: Vec::new(),
            submit: None,
            list: None,
            wants: [0; 2],
            nevers: [false; 2],
            honest: true,
            closed: false,
        }
    }

    pub(super) fn on(&mut self, input: LaunchInput) -> Result<(), TestCaseError> {
        let mut out = Vec::new();
        self.launches.on(input, self.now, &mut out);
        for output in out {
            prop_assert!(!self.closed, "something follows the last word: {output:?}");
            match output {
                LaunchOutput::Submit { job, shape, workers } => self.submits(job, shape, workers)?,
                LaunchOutput::Cancel(ids) => {
                    for job in self.jobs.iter_mut().enumerate().filter(|(at, _)| ids.contains(&at.to_string())) {
                        job.1.cancelled = true;
                    }
                }
                LaunchOutput::List => {
                    prop_assert!(self.list.is_none(), "two lists at a time");
                    self.list = Some(self.listed());
                }
                LaunchOutput::Never { shape: never, .. } => {
                    let at = usize::from(never == shape(1));
                    prop_assert!(self.wants[at] > 0, "never of what nobody wants");
                    self.nevers[at] = true;
                }
                LaunchOutput::Says { .. } | LaunchOutput::Ended { .. } => {}
                LaunchOutput::Closed => self.closed = true,
            }
        }
        Ok(())
    }

    fn submits(&mut self, job: u64, of: Arc<ResourceRequest>, workers: u32) -> Result<(), TestCaseError> {
        prop_assert!(self.submit.is_none(), "two submissions at a time");
        prop_assert!((1..=self.settings.per_job).contains(&workers));
        let at = usize::from(of == shape(1));
        prop_assert!(!self.nevers[at], "it was said that it can't be had");
        let live = |job: &&Real| !job.ended && !job.foreign;
        if self.honest {
            let there: u32 = self.jobs.iter().filter(live).map(|job| self.expected(job)).sum();
            prop_assert!(there + workers <= self.settings.most, "more than the most: {there} and {workers}");
            let of = |job: &&Real| job.shape == of && !job.cancelled;
            let there: u32 = self.jobs.iter().filter(live).filter(of).map(|job| self.expected(job)).sum();
            prop_assert!(there + workers <= self.wants[at], "more than wanted: {there} and {workers}");
        }
        let waiting = self.jobs.iter().filter(live).filter(|job| job.running.is_none() && !job.cancelled).count();
        prop_assert!(!self.honest || waiting < self.settings.backlog as usize, "the backlog is full");
        self.submit = Some((job, of, workers));
        Ok(())
    }

    /// So many workers are there, or may come.
    fn expected(&self, job: &Real) -> u32 {
        if self.may_join(job) { job.workers - job.left } else { job.joined }
    }

    pub(super) fn may_join(&self, job: &Real) -> bool {
        job.running.is_none_or(|since| self.now < since + self.settings.connect_for)
    }

    fn listed(&self) -> Vec<LaunchListed> {
        let state = |job: &Real| match (job.ended, job.running) {
            (true, _) => LaunchState::Ended,
            (false, Some(_)) => LaunchState::Running,
            (false, None) => LaunchState::Waiting,
        };
        let one = |(at, job): (usize, &Real)| LaunchListed {
            id: at.to_string(),
            name: job_name(run(), job.number),
            state: state(job),
            says: String::new(),
            ends_in: None,
        };
        // Some launchers forget what has ended.
        self.jobs.iter().enumerate().filter(|(at, job)| !job.ended || at % 2 == 0).map(one).collect()
    }

    fn answer(&mut self, gets_in: bool, input: impl FnOnce(u64, String) -> LaunchInput) -> Result<(), TestCaseError> {
        let Some((number, shape, workers)) = self.submit.take() else { return Ok(()) };
        let id = self.jobs.len().to_string();
        if gets_in {
            self.add(number, shape, workers, false);
        }
        self.on(input(number, id))
    }

    fn add(&mut self, number: u64, shape: Arc<ResourceRequest>, workers: u32, foreign: bool) {
        let (running, cancelled, ended) = (None, false, false);
        self.jobs.push(Real { number, shape, workers, joined: 0, left: 0, running, cancelled, ended, foreign });
    }

    /// The job of this number among those for which `may` holds.
    pub(super) fn pick(&self, number: usize, may: impl Fn(&Real) -> bool) -> Option<usize> {
        let all: Vec<usize> = (0..self.jobs.len()).filter(|&at| !self.jobs[at].ended && may(&self.jobs[at])).collect();
        all.get(number % all.len().max(1)).copied()
    }

    pub(super) fn act(&mut self, act: Act) -> Result<(), TestCaseError> {
        let not_now = |job| LaunchInput::NotSubmitted { job, error: LaunchError::Unavailable("down".to_owned()) };
        match act {
            Act::Want { shape: at, workers } => self.want(at, workers),
            Act::Submitted => self.answer(true, |job, id| LaunchInput::Submitted { job, id }),
            Act::Refused => {
                let error = LaunchError::Refused("no".to_owned());
                self.answer(false, |job, _| LaunchInput::NotSubmitted { job, error })
            }
            Act::Down => self.answer(false, |job, _| not_now(job)),
            Act::GotIn => {
                self.honest &= self.submit.is_none();
                self.answer(true, |job, _| not_now(job))
            }
            Act::Listed { late } => match self.list.take() {
                Some(then) => self.on(LaunchInput::Listed(if late { then } else { self.listed() })),
                None => Ok(()),
            },
            Act::NotListed => match self.list.take() {
                Some(_) => self.on(LaunchInput::NotListed("down".to_owned())),
                None => Ok(()),
            },
            Act::Lies(number) => match self.list.take() {
                Some(mut list) => {
                    self.honest = false;
                    if let Some(one) = list.get_mut(number) {
                        one.state = if number % 2 == 0 { LaunchState::Ended } else { LaunchState::Waiting };
                    }
                    list.truncate(number);
                    self.on(LaunchInput::Listed(list))
                }
                None => Ok(()),
            },
            Act::Starts(number) => {
                let job = self.pick(number, |job| job.running.is_none());
                job.into_iter().for_each(|at| self.jobs[at].running = Some(self.now));
                Ok(())
            }
            Act::Joins(number) => self.joins(number),
            Act::Leaves(number) => self.leaves(number),
            Act::Ends(number) => self.ends(number, |_| true),
            Act::LeftOver { running } => {
                if self.now == Moment::START && self.jobs.is_empty() && self.submit.is_none() {
                    self.add(1, shape(0), 1, true);
                    self.jobs[0].running = running.then_some(self.now);
                    self.list = self.list.take().map(|_| self.listed());
                }
                Ok(())
            }
            Act::Passes(seconds) => {
                self.now = self.now + Duration::from_secs(u64::from(seconds));
                self.on(LaunchInput::Tick)
            }
            Act::Alarm => self.alarm(),
        }
    }

    pub(super) fn want(&mut self, at: usize, workers: u32) -> Result<(), TestCaseError> {
        self.wants[at] = workers;
        self.nevers[at] &= workers > 0;
        self.on(LaunchInput::Want { shape: shape(at), workers })
    }

    pub(super) fn alarm(&mut self) -> Result<(), TestCaseError> {
        match self.launches.deadline() {
            Some(at) => {
                self.now = self.now.max(at);
                self.on(LaunchInput::Tick)
            }
            None => Ok(()),
        }
    }

    pub(super) fn joins(&mut self, number: usize) -> Result<(), TestCaseError> {
        let may = |job: &Real| job.running.is_some() && job.joined + job.left < job.workers && self.may_join(job);
        let Some(at) = self.pick(number, may) else { return Ok(()) };
        self.jobs[at].joined += 1;
        // It wasn't wanted, but it is there.
        self.honest &= !self.jobs[at].foreign && !self.jobs[at].cancelled;
        let Real { number: job, ref shape, .. } = self.jobs[at];
        let shape = shape.clone();
        self.on(LaunchInput::Joined { job, shape })
    }

    fn leaves(&mut self, number: usize) -> Result<(), TestCaseError> {
        let Some(at) = self.pick(number, |job| job.joined > 0) else { return Ok(()) };
        let job = &mut self.jobs[at];
        (job.joined, job.left) = (job.joined - 1, job.left + 1);
        let job = job.number;
        self.on(LaunchInput::Left { job })
    }

    /// A job ends: it is preempted, its time is over, it was cancelled.
    pub(super) fn ends(&mut self, number: usize, may: impl Fn(&Real) -> bool) -> Result<(), TestCaseError> {
        let Some(at) = self.pick(number, may) else { return Ok(()) };
        self.jobs[at].ended = true;
        let (job, joined) = (self.jobs[at].number, std::mem::take(&mut self.jobs[at].joined));
        self.jobs[at].left += joined;
        for _ in 0..joined {
            self.on(LaunchInput::Left { job })?;
        }
        Ok(())
    }
}
