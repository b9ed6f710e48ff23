//! The engine: one pure machine that decides over all trials. A value comes in, values go out.
//!
//! | file | what it does |
//! |---|---|
//! | `facts` | takes what trials say: started, saved, failed, ended |
//! | `fold` | takes a batch of reports, one after another: stop rules, scheduler, searcher, observers |
//! | `gpus` | counts failures on GPUs, and withdraws those on which trial after trial fails |
//! | `hold` | counts errors, and launches nobody any more if the same one comes from everywhere |
//! | `live` | changes settings while the run goes on |
//! | `launch` | asks the searcher, lets the scheduler choose, launches |
//! | `orders` | takes what clients ask for |
//! | `awaited` | says when an order that takes time has had its effect |
//! | `exploit` | makes a trial a copy of another, or gives it other resources |
//! | `limit` | ends the run when its time is over |
//! | `close` | ends the run, one way for all reasons |
//! | `replay` | takes the records of earlier sessions, before the run begins |
//! | `onlooker` | the ledger alone, as records tell it: for views |
//! | `resume` | brings the trials of earlier sessions back |
//! | `ledger` | all that is known of trials and run; an event alone changes it |
//! | `retention` | which checkpoints are kept |
//! | `space` | changes what is searched |
//! | `usage` | what the trials hold, times how long |
//! | `slow` | warns of parts that hold the run up |
//! | `searcher_slot` | the searcher, which may be away to think |
//! | `guard` | calls the parts that users can write, and survives their panics |

mod awaited;
mod close;
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
mod live;
mod onlooker;
mod orders;
mod replay;
mod resume;
mod retention;
mod scale;
mod searcher_slot;
mod settings;
mod slow;
mod space;
mod usage;
mod workers;

use std::collections::BTreeSet;
use std::sync::Arc;

pub use awaited::{Awaited, Effect, WaitFor};
pub(crate) use guard::{guarded, panic_message};
pub use hold::{OnSameError, SameError};
pub use io::{ClientOrder, EngineInput, EngineOutput, OrderError, Waiting};
pub(crate) use ledger::Entry;
pub use ledger::{Ledger, Ordered, Place, Plan, RunRecord, SpaceChange, StoredTrial, TrialRecord};
pub use onlooker::{Onlooker, Overview};
pub use replay::{ReplayError, Replayed};
pub use resume::{OnResume, ParseResumeError, Resume};
pub use searcher_slot::SuggestTask;
pub use settings::{AtEnd, Batching, EngineSettings, FailFast, History, RequestRule, TotalRule};
pub use slow::CallClock;
pub use workers::RunsOn;

use serde::{Deserialize, Serialize};

use super::checkpoint::Checkpoint;
use super::config::Config;
use super::event::{EventKind, ExperimentEvent, Outcome, Part, RunInfo};
use super::ids::{LeaseId, TrialId};
use super::names::Namer;
use super::schedule::{Buffering, Scheduler};
use super::search::{Samples, Searcher};
use super::stop::{Progress, RunRules, StopReason, StopRule};
use super::time::Moment;
use close::RunPhase;
use guard::Guarded;
use searcher_slot::SearcherSlot;

/// Whether anybody watches. If not, nobody is handed the events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Watched {
    /// Somebody does.
    #[default]
    Yes,
    /// Nobody does.
    No,
}

/// Numbers over the whole run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
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
    searcher: SearcherSlot,
    scheduler: Guarded<dyn Scheduler>,
    stop: Guarded<RunRules>,
    /// The metrics that every report must have, each once.
    required: Vec<String>,
    buffering: Buffering,
    /// The iteration beyond which no trial makes a step.
    last_iteration: Option<u64>,
    ledger: Ledger,
    totals: Totals,
    phase: RunPhase,
    demand: Demand,
    /// What the pool was told last.
    demand_closed: bool,
    watched: Watched,
    warned_unsaved: bool,
    /// What the scheduler counts time by, until a trial has reported it or a person was told that none does.
    unseen_time: Option<String>,
    errors: hold::Errors,
    gpus: gpus::Gpus,
    workers: workers::Workers,
    /// A request that could be met, when it was asked last.
    fits: Option<Arc<crate::logic::pool::ResourceRequest>>,
    retained: retention::RetainedCheckpoints,
    copies: exploit::WaitingCopies,
    /// Trials of a new run that begin from checkpoints, in their order.
    first: Vec<(Config, Arc<Checkpoint>)>,
    /// Trials that workers from elsewhere may bring along, until they are given one.
    returning: BTreeSet<TrialId>,
    /// What the stop rules said between two inputs.
    over: Option<StopReason>,
    /// Trials that are to end and save under that lease, and until when they may.
    ending_by: BTreeSet<(Moment, TrialId, LeaseId)>,
    usage: usage::Usage,
    slow: slow::SlowParts,
    names: Namer,
    replayed: Replayed,
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
        let last_iteration = guarded(|| stop.last_iteration()).ok().flatten();
        let unseen_time = guarded(|| scheduler.time_attr().map(str::to_owned)).ok().flatten();
        let names = Namer::new(settings.names.clone());
        Self {
            ledger: Ledger::new(&settings),
            buffering: scheduler.buffering(),
            last_iteration,
            settings,
            searcher: SearcherSlot::new(searcher),
            scheduler: Guarded::new(scheduler),
            stop: Guarded::new(Box::new(RunRules::new(stop))),
            required,
            totals: Totals::default(),
            phase: RunPhase::Open,
            demand: Demand::Open,
            demand_closed: false,
            watched: Watched::Yes,
            warned_unsaved: false,
            unseen_time,
            errors: hold::Errors::default(),
            gpus: gpus::Gpus::default(),
            workers: workers::Workers::default(),
            fits: None,
            retained: retention::RetainedCheckpoints::default(),
            copies: exploit::WaitingCopies::default(),
            first: Vec::new(),
            returning: BTreeSet::new(),
            over: None,
            ending_by: BTreeSet::new(),
            usage: usage::Usage::default(),
            slow: slow::SlowParts::default(),
            names,
            replayed: Replayed::default(),
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
        let run = self.ledger.run();
        Totals { reports: run.reports, failures: run.failures, ..self.totals }
    }

    /// The settings.
    pub fn settings(&self) -> &EngineSettings {
        &self.settings
    }

    /// Takes the ledger out, when the run is over.
    pub fn take_ledger(&mut self) -> Ledger {
        self.ledger.take(&self.settings)
    }

    /// The searcher's name, if it is away to think about its next suggestion.
    pub fn searcher_away(&self) -> Option<&str> {
        self.searcher.is_away().then(|| self.searcher.name())
    }

    /// How the scheduler stands, in one line, if it says.
    pub fn scheduler_progress(&self) -> Option<String> {
        self.scheduler.ask(|scheduler| scheduler.progress()).flatten()
    }

    /// How many trials there will be, as far as the searcher knows.
    pub fn expected(&self) -> Option<u64> {
        let (total, run) = (self.searcher.total(), self.ledger.run());
        match run.samples() {
            Some(Samples::Finite(samples)) => {
                let most = samples.max(run.suggested).saturating_add(run.withdrawn);
                Some(total.map_or(most, |total| total.min(most)))
            }
            _ => total,
        }
    }

    /// The next moment at which [`EngineInput::Tick`] is wanted.
    pub fn deadline(&self) -> Option<Moment> {
        let ending = self.ending_by.first().map(|(by, ..)| *by);
        [self.goes_on_at(), self.time_is_over_at(), self.phase.deadline(), ending].into_iter().flatten().min()
    }

    /// The next moment at which an open run goes on by itself.
    fn goes_on_at(&self) -> Option<Moment> {
        let open = matches!(self.phase, RunPhase::Open);
        let stop = open.then(|| self.stop.ask(|rule| rule.deadline())).flatten().flatten();
        let retry = open.then(|| self.ledger.next_retry()).flatten();
        stop.into_iter().chain(retry).min()
    }

    /// Takes one input, and appends to `out` what is to be said.
    pub fn on(&mut self, input: EngineInput, now: Moment, out: &mut Vec<EngineOutput>) {
        let trial = match &input {
            EngineInput::Trial(trial, _) => Some(*trial),
            _ => None,
        };
        match input {
            EngineInput::Begin => self.begin(now, out),
            EngineInput::Trial(trial, fact) => self.on_fact(trial, fact, now, out),
            EngineInput::StaleFact => self.totals.stale_facts += 1,
            EngineInput::Notice(kind) => {
                self.workers.note(&kind);
                self.commit(now, out, kind);
            }
            EngineInput::Tick => self.on_tick(now, out),
            EngineInput::Returned(task) => self.searcher_back(&task, now, out),
            EngineInput::PoolClosed => self.finish(now, out),
        }
        self.settle(now, out);
        self.warn_of_slow_parts(trial, now, out);
    }

    /// After every input: end what is to end, launch what can be launched.
    fn settle(&mut self, now: Moment, out: &mut Vec<EngineOutput>) {
        self.end_if_failed(now, out);
        self.check_time(now, out);
        if let Some(reason) = self.over.take().filter(|_| self.is_open()) {
            self.close(Outcome::Stopped(reason), now, out);
        }
        if matches!(self.phase, RunPhase::Open) {
            self.launch(now, out);
            self.say_demand(out);
        }
        self.close_if_empty(out);
    }

    fn begin(&mut self, now: Moment, out: &mut Vec<EngineOutput>) {
        self.replayed.held.drain().for_each(|(_, held)| self.usage.give_back(held, now));
        self.ledger.open();
        let started = self.started();
        self.commit(now, out, started);
        self.warn_of_batching(now, out);
        self.pin_known();
        self.ledger.iter().filter_map(|trial| trial.name.as_ref()).for_each(|name| self.names.take(name));
        self.bring_back(now, out);
        self.expect_back(out);
        self.add_first(now, out);
        self.begin_budget();
        self.make_room(now, out);
    }

    /// What is said when this session begins.
    pub(crate) fn started(&self) -> EventKind {
        let settings = &self.settings;
        let (seed, samples) = (settings.seed.unwrap_or_default(), settings.samples);
        let session = self.replayed.opened.as_ref().map_or(1, |last| last.session + 1);
        let (searcher, scheduler) = (self.searcher.name().to_owned(), self.scheduler.name().to_owned());
        let resources = self.total().iter().map(|(name, amount)| (name.to_owned(), amount.as_f64())).collect();
        let info = RunInfo { session, seed, samples, searcher, scheduler, resources, ..settings.info.clone() };
        let (run, name, objective) = (settings.run, settings.name.clone(), settings.objective.clone());
        EventKind::Started { run, name, total: self.expected(), objective, info: Arc::new(info) }
    }

    fn on_tick(&mut self, now: Moment, out: &mut Vec<EngineOutput>) {
        self.queue_due(now, out);
        if matches!(self.phase, RunPhase::Open) {
            self.check_experiment(now, out);
        }
        self.drain_deadline(now, out);
        self.wind_down_deadline(now, out);
        self.end_overdue(now, out);
    }

    fn progress(&self, now: Moment) -> Progress {
        let trials = self.ledger.len() as u64;
        let ((held, used), reports) = (self.usage.at(now), self.ledger.run().reports);
        let ended = trials - self.ledger.open_count() as u64;
        let (cpu_seconds, gpu_seconds, cpus, gpus) = (used.cpus, used.gpus, held.cpus, held.gpus);
        Progress { now, trials, ended, reports, cpu_seconds, gpu_seconds, cpus, gpus }
    }

    fn check_experiment(&mut self, now: Moment, out: &mut Vec<EngineOutput>) {
        let progress = self.progress(now);
        let over = self.stop.call(|rule| rule.check_experiment(&progress)).flatten();
        if let Some(reason) = over {
            self.close(Outcome::Stopped(reason), now, out);
        }
    }

    /// Something has happened: what is known changes, and then whoever watches hears of it. Nothing else changes what is known.
    fn commit(&mut self, at: Moment, out: &mut Vec<EngineOutput>, kind: EventKind) {
        let event = ExperimentEvent { at, kind };
        self.ledger.apply(&event);
        if self.watched == Watched::Yes {
            out.push(EngineOutput::Event(event));
        }
    }

    fn warn(&mut self, at: Moment, out: &mut Vec<EngineOutput>, message: impl Into<String>) {
        self.commit(at, out, EventKind::Warning { message: message.into() });
    }

    /// Ends the run if one of its parts has failed.
    fn end_if_failed(&mut self, now: Moment, out: &mut Vec<EngineOutput>) {
        let failure = (self.searcher.failure())
            .or_else(|| self.scheduler.failure(Part::Scheduler))
            .or_else(|| self.stop.failure(Part::StopRule));
        if let Some(failure) = failure {
            self.close(Outcome::Failed(failure), now, out);
        }
    }
}

/// The request rule that gives every trial the same.
pub fn same_for_all(request: Arc<super::pool::ResourceRequest>) -> RequestRule {
    Arc::new(move |_| Ok(request.clone()))
}
