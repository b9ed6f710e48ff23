//! The engine: one pure machine that decides over all trials. A value comes in, values go out.
//!
//! | file | what it does |
//! |---|---|
//! | `facts` | takes what trials say: started, saved, failed, ended |
//! | `fold` | takes a batch of reports, one after another: stop rules, scheduler, searcher, observers |
//! | `gpus` | counts failures on GPUs, and withdraws those on which trial after trial fails |
//! | `hold` | counts errors, and launches nobody any more if the same one comes from everywhere |
//! | `launch` | asks the searcher, lets the scheduler choose, launches |
//! | `orders` | takes what clients ask for |
//! | `exploit` | makes a trial a copy of another, or gives it other resources |
//! | `limit` | ends the run when its time is over |
//! | `close` | ends the run, one way for all reasons |
//! | `recall` | takes the records of earlier sessions, before the run begins |
//! | `resume` | brings the trials of earlier sessions back |
//! | `ledger` | all trials, with the lines and counts that make every look-up constant |
//! | `entry` | what is known of one trial |
//! | `usage` | what the trials hold, times how long |
//! | `seat` | the searcher, which may be away to think |
//! | `guard` | calls the parts that users can write, and survives their panics |

mod close;
mod entry;
mod exploit;
mod facts;
mod fold;
mod gpus;
mod guard;
mod hold;
mod io;
mod launch;
mod ledger;
mod limit;
mod orders;
mod recall;
mod resume;
mod seat;
mod settings;
mod shelves;
mod usage;

use std::sync::Arc;

pub use entry::TrialRecord;
pub(crate) use guard::panic_message;
pub use hold::{OnSameError, SameError};
pub use io::{ClientOrder, EngineInput, EngineOutput, OrderError, Waiting};
pub use ledger::Ledger;
pub use recall::{RecallError, Recalled};
pub use resume::{OnResume, ParseResumeError, Resume};
pub use seat::Errand;
pub use settings::{AtEnd, Batching, EngineSettings, FailFast, History, RequestRule};

use super::event::{EventKind, ExperimentEvent, Hold, Outcome, Part};
use super::schedule::{Buffering, Scheduler};
use super::search::Searcher;
use super::stop::{Progress, StopRule};
use super::time::Moment;
use close::Phase;
use guard::Guarded;
use seat::Seat;

/// Whether anybody watches. Without observers no event is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Watched {
    /// Somebody does.
    #[default]
    Yes,
    /// Nobody does.
    No,
}

/// Numbers over the whole run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Reports that were taken.
    pub reports: u64,
    /// Reports of iterations that their trial had reported before, in an earlier attempt.
    pub repeats: u64,
    /// Reports that came after the one that stopped their trial, and were dropped.
    pub surplus: u64,
    /// Facts that were dropped because their lease was over.
    pub stale_facts: u64,
    /// Failures, those that were tried again included.
    pub failures: u64,
}

/// Decides over all trials of one run.
#[derive(Debug)]
pub struct Engine {
    settings: EngineSettings,
    searcher: Seat,
    scheduler: Guarded<dyn Scheduler>,
    stop: Guarded<dyn StopRule>,
    /// The metrics that every report must have, each once.
    required: Vec<String>,
    buffering: Buffering,
    ledger: Ledger,
    totals: Totals,
    phase: Phase,
    demand: Demand,
    /// What the pool was told last.
    demand_closed: bool,
    watched: Watched,
    warned_unsaved: bool,
    /// Why no trial is launched, until a client lets the run go on.
    hold: Option<Arc<Hold>>,
    errors: hold::Errors,
    gpus: gpus::Gpus,
    /// All checkpoints, if there is only so much room for them.
    shelves: Option<shelves::Shelves>,
    copies: exploit::Copies,
    usage: usage::Usage,
    recalled: Recalled,
    resume: Option<Resume>,
}

/// What the searcher has still to give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Demand {
    Open,
    /// The searcher had nothing when it was last asked; something must change first.
    Waits,
    /// The searcher is away, and comes back with a suggestion.
    Away,
    Exhausted,
}

impl Engine {
    /// An engine that waits for [`EngineInput::Begin`].
    pub fn new(
        settings: EngineSettings,
        searcher: Box<dyn Searcher>,
        scheduler: Box<dyn Scheduler>,
        stop: Box<dyn StopRule>,
    ) -> Self {
        let objectives = settings.objective.iter().chain(scheduler.objectives()).chain(searcher.objectives());
        let mut required: Vec<String> = objectives.map(|objective| objective.metric.clone()).collect();
        required.sort();
        required.dedup();
        Self {
            ledger: Ledger::new(&settings),
            buffering: scheduler.buffering(),
            settings,
            searcher: Seat::new(searcher),
            scheduler: Guarded::new(scheduler),
            stop: Guarded::new(stop),
            required,
            totals: Totals::default(),
            phase: Phase::Open,
            demand: Demand::Open,
            demand_closed: false,
            watched: Watched::Yes,
            warned_unsaved: false,
            hold: None,
            errors: hold::Errors::default(),
            gpus: gpus::Gpus::default(),
            shelves: None,
            copies: exploit::Copies::default(),
            usage: usage::Usage::default(),
            recalled: Recalled::default(),
            resume: None,
        }
    }

    /// Says whether anybody watches.
    pub fn watched(&mut self, watched: Watched) {
        self.watched = watched;
    }

    /// What is known of the trials.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Numbers over the whole run.
    pub fn totals(&self) -> Totals {
        self.totals
    }

    /// The settings.
    pub fn settings(&self) -> &EngineSettings {
        &self.settings
    }

    /// Takes the ledger out, when the run is over.
    pub fn take_ledger(&mut self) -> Ledger {
        std::mem::replace(&mut self.ledger, Ledger::new(&self.settings))
    }

    /// The searcher's name, if it is away to think about its next suggestion.
    pub fn searcher_away(&self) -> Option<&str> {
        self.searcher.is_away().then(|| self.searcher.name())
    }

    /// How many trials there will be, as far as the searcher knows.
    pub fn expected(&self) -> Option<u64> {
        self.searcher.total()
    }

    /// The next moment at which [`EngineInput::Tick`] is wanted.
    pub fn deadline(&self) -> Option<Moment> {
        [self.goes_on_at(), self.time_is_over_at(), self.phase.deadline()].into_iter().flatten().min()
    }

    /// The next moment at which an open run goes on by itself.
    fn goes_on_at(&self) -> Option<Moment> {
        let open = matches!(self.phase, Phase::Open);
        let stop = open.then(|| self.stop.part.deadline()).flatten();
        let retry = open.then(|| self.ledger.next_retry()).flatten();
        stop.into_iter().chain(retry).min()
    }

    /// Takes one input, and appends to `out` what is to be said.
    pub fn on(&mut self, input: EngineInput, now: Moment, out: &mut Vec<EngineOutput>) {
        match input {
            EngineInput::Begin => self.begin(now, out),
            EngineInput::Trial(trial, fact) => self.on_fact(trial, fact, now, out),
            EngineInput::StaleFact => self.totals.stale_facts += 1,
            EngineInput::Notice(kind) => self.tell(now, out, || kind),
            EngineInput::Tick => self.on_tick(now, out),
            EngineInput::Returned(errand) => self.searcher_back(&errand, now, out),
            EngineInput::PoolClosed => self.finish(now, out),
        }
        self.settle(now, out);
    }

    /// After every input: end what is to end, launch what can be launched.
    fn settle(&mut self, now: Moment, out: &mut Vec<EngineOutput>) {
        self.end_if_failed(out);
        self.check_time(now, out);
        if matches!(self.phase, Phase::Open) {
            self.launch(now, out);
            self.say_demand(out);
        }
        self.close_if_empty(out);
    }

    fn begin(&mut self, now: Moment, out: &mut Vec<EngineOutput>) {
        let (run, name) = (self.settings.run, self.settings.name.clone());
        let (total, objective) = (self.expected(), self.settings.objective.clone());
        self.tell(now, out, || EventKind::Started { run, name, total, objective });
        self.stock_shelves();
        self.pin_inherited();
        self.bring_back(now, out);
        self.make_room(now, out);
    }

    fn on_tick(&mut self, now: Moment, out: &mut Vec<EngineOutput>) {
        while let Some(trial) = self.ledger.due_retry(now) {
            self.ledger.enqueue(trial);
        }
        if matches!(self.phase, Phase::Open) {
            self.check_experiment(now, out);
        }
        self.drain_deadline(now, out);
        self.wind_down_deadline(now, out);
    }

    fn progress(&self, now: Moment) -> Progress {
        let trials = self.ledger.len() as u64;
        let ((held, used), reports) = (self.usage.at(now), self.totals.reports);
        let ended = trials - self.ledger.live_count() as u64;
        let (cpu_seconds, gpu_seconds, cpus, gpus) = (used.cpus, used.gpus, held.cpus, held.gpus);
        Progress { now, trials, ended, reports, cpu_seconds, gpu_seconds, cpus, gpus }
    }

    fn check_experiment(&mut self, now: Moment, out: &mut Vec<EngineOutput>) {
        let progress = self.progress(now);
        let over = self.stop.call(|rule| rule.check_experiment(&progress)).flatten();
        if let Some(reason) = over {
            self.close(Outcome::Stopped(reason), out);
        }
    }

    fn tell(&self, at: Moment, out: &mut Vec<EngineOutput>, kind: impl FnOnce() -> EventKind) {
        if self.watched == Watched::Yes {
            out.push(EngineOutput::Event(ExperimentEvent { at, kind: kind() }));
        }
    }

    fn warn(&self, at: Moment, out: &mut Vec<EngineOutput>, message: impl FnOnce() -> String) {
        self.tell(at, out, || EventKind::Warning { message: message() });
    }

    /// Ends the run if one of its parts has failed.
    fn end_if_failed(&mut self, out: &mut Vec<EngineOutput>) {
        let failure = (self.searcher.failure())
            .or_else(|| self.scheduler.failure(Part::Scheduler))
            .or_else(|| self.stop.failure(Part::StopRule));
        if let Some(failure) = failure {
            self.close(Outcome::Failed(failure), out);
        }
    }
}

/// The request rule that gives every trial the same.
pub fn same_for_all(request: Arc<super::pool::ResourceRequest>) -> RequestRule {
    Arc::new(move |_| Ok(request.clone()))
}
