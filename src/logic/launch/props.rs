//! The machine under launchers that are slow, refuse, lose, preempt and lie; in the end they heal, and every want must be met.

use proptest::prelude::*;

use super::*;
use crate::logic::pool::Resources;

/// What the world does.
#[derive(Clone, Copy, Debug)]
#[rustfmt::skip]
enum Act {
    Want { shape: usize, workers: u32 },
    /// The submission in flight is answered.
    Submitted,
    Refused,
    Down,
    /// The launcher says that it is down, and has the job.
    GotIn,
    /// The list in flight is answered: as it is, or as it was when it was asked for.
    Listed { late: bool },
    NotListed,
    /// It doesn't show what it should, or shows what is gone.
    Lies(usize),
    /// Of the jobs that could, the one of this number.
    Starts(usize),
    Joins(usize),
    Leaves(usize),
    Ends(usize),
    /// A job of an earlier session.
    LeftOver {
        running: bool,
    },
    Passes(u16),
    Alarm,
}

fn act() -> impl Strategy<Value = Act> {
    let some = || 0_usize..8;
    prop_oneof![
        4 => (0_usize..2, 0_u32..6).prop_map(|(shape, workers)| Act::Want { shape, workers }),
        8 => Just(Act::Submitted),
        1 => Just(Act::Refused),
        1 => Just(Act::Down),
        1 => Just(Act::GotIn),
        6 => any::<bool>().prop_map(|late| Act::Listed { late }),
        1 => Just(Act::NotListed),
        1 => some().prop_map(Act::Lies),
        6 => some().prop_map(Act::Starts),
        6 => some().prop_map(Act::Joins),
        2 => some().prop_map(Act::Leaves),
        2 => some().prop_map(Act::Ends),
        1 => any::<bool>().prop_map(|running| Act::LeftOver { running }),
        2 => (0_u16..200).prop_map(Act::Passes),
        8 => Just(Act::Alarm),
    ]
}

/// A job as the launcher has it.
#[derive(Clone, Debug)]
struct Real {
    number: u64,
    shape: Arc<ResourceRequest>,
    workers: u32,
    joined: u32,
    left: u32,
    running: Option<Moment>,
    cancelled: bool,
    ended: bool,
    foreign: bool,
}

/// The launcher, its jobs, and whoever wants workers.
struct World {
    launches: Launches,
    settings: LaunchSettings,
    now: Moment,
    jobs: Vec<Real>,
    submit: Option<(u64, Arc<ResourceRequest>, u32)>,
    /// The list in flight, as it was when it was asked for.
    list: Option<Vec<LaunchListed>>,
    wants: [u32; 2],
    nevers: [bool; 2],
    /// It has never lied.
    honest: bool,
    closed: bool,
}

fn run() -> RunId {
    RunId::new(7)
}

fn shape(number: usize) -> Arc<ResourceRequest> {
    Arc::new(ResourceRequest::single(Resources::cpus(number as u32 + 1)).expect("it asks for something"))
}

impl World {
    fn new(settings: LaunchSettings) -> Self {
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

    fn on(&mut self, input: LaunchInput) -> Result<(), TestCaseError> {
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

    fn may_join(&self, job: &Real) -> bool {
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
    fn pick(&self, number: usize, may: impl Fn(&Real) -> bool) -> Option<usize> {
        let all: Vec<usize> = (0..self.jobs.len()).filter(|&at| !self.jobs[at].ended && may(&self.jobs[at])).collect();
        all.get(number % all.len().max(1)).copied()
    }

    fn act(&mut self, act: Act) -> Result<(), TestCaseError> {
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

    fn want(&mut self, at: usize, workers: u32) -> Result<(), TestCaseError> {
        self.wants[at] = workers;
        self.nevers[at] &= workers > 0;
        self.on(LaunchInput::Want { shape: shape(at), workers })
    }

    fn alarm(&mut self) -> Result<(), TestCaseError> {
        match self.launches.deadline() {
            Some(at) => {
                self.now = self.now.max(at);
                self.on(LaunchInput::Tick)
            }
            None => Ok(()),
        }
    }

    fn joins(&mut self, number: usize) -> Result<(), TestCaseError> {
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
    fn ends(&mut self, number: usize, may: impl Fn(&Real) -> bool) -> Result<(), TestCaseError> {
        let Some(at) = self.pick(number, may) else { return Ok(()) };
        self.jobs[at].ended = true;
        let (job, joined) = (self.jobs[at].number, std::mem::take(&mut self.jobs[at].joined));
        self.jobs[at].left += joined;
        for _ in 0..joined {
            self.on(LaunchInput::Left { job })?;
        }
        Ok(())
    }

    /// From now on everything works, and nothing is slow.
    fn healed(&mut self) -> Result<(), TestCaseError> {
        self.act(Act::Submitted)?;
        self.act(Act::Listed { late: false })?;
        while self.pick(0, |job| job.cancelled).is_some() {
            self.ends(0, |job| job.cancelled)?;
        }
        while self.pick(0, |job| job.running.is_none()).is_some() {
            self.act(Act::Starts(0))?;
        }
        // What is too late to join has lost its way: its job ends.
        let lost = |job: &Real, world: &Self| job.running.is_some() && job.joined == 0 && !world.may_join(job);
        while let Some(at) = (0..self.jobs.len()).find(|&at| !self.jobs[at].ended && lost(&self.jobs[at], self)) {
            self.jobs[at].ended = true;
        }
        let may = |job: &Real, world: &Self| job.joined + job.left < job.workers && world.may_join(job);
        while self.pick(0, |job| may(job, self)).is_some() {
            self.joins(0)?;
        }
        self.alarm()
    }

    fn joined(&self, of: usize) -> u32 {
        self.jobs.iter().filter(|job| !job.ended && job.shape == shape(of)).map(|job| job.joined).sum()
    }

    fn every_want_is_met(&mut self) -> Result<(), TestCaseError> {
        for at in 0..2 {
            if self.nevers[at] {
                self.want(at, 0)?;
                self.want(at, 2)?;
            }
        }
        let met = |world: &Self| (0..2).all(|at| world.joined(at) >= world.wants[at] || world.nevers[at]);
        for _ in 0..200 {
            self.healed()?;
            if met(self) {
                break;
            }
        }
        let most: u32 = (0..2).map(|at| self.joined(at)).sum();
        prop_assert!(met(self) || most >= self.settings.most, "a want is stuck: {:?} {:?}", self.wants, self.launches);
        Ok(())
    }

    fn all_ends(&mut self) -> Result<(), TestCaseError> {
        self.wants = [0; 2];
        self.on(LaunchInput::Close)?;
        for _ in 0..200 {
            if self.closed {
                break;
            }
            self.healed()?;
        }
        prop_assert!(self.closed, "it never closes: {:?}", self.launches);
        let forgotten = self.jobs.iter().find(|job| !job.ended && !job.cancelled);
        prop_assert!(forgotten.is_none(), "a job was forgotten: {forgotten:?}");
        Ok(())
    }
}

fn settings() -> impl Strategy<Value = LaunchSettings> {
    (1_u32..10, 1_u32..4, 1_u32..5, 0_u64..3).prop_map(|(most, per_job, backlog, pause)| LaunchSettings {
        most,
        per_job,
        backlog,
        pause: Duration::from_secs(pause),
        // The jobs of the session before have lower numbers.
        first_job: 100,
        ..LaunchSettings::default()
    })
}

proptest! {
    #[test]
    fn every_want_is_met_and_no_job_is_forgotten(
        settings in settings(),
        acts in prop::collection::vec(act(), 0..120),
        close_early in any::<bool>(),
    ) {
        let mut world = World::new(settings);
        world.on(LaunchInput::Tick)?;
        for act in acts {
            world.act(act)?;
        }
        if !close_early {
            world.every_want_is_met()?;
        }
        world.all_ends()?;
    }
}
