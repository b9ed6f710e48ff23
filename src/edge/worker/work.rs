//! The engine's orders and the worker's facts as frames, around the same shell that a trainable has on a thread.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::WorkerError;
use super::folder::FolderStore;
use super::heart::{self, Pulse};
use super::line::{Line, Mouth};
use crate::edge::backend::{Leases, Orders, Stepwise, Told, WorkerContext};
use crate::edge::{host, system};
use crate::logic::checkpoint::{Checkpoint, CheckpointId};
use crate::logic::failure::{FailureKind, Fault};
use crate::logic::ids::{LeaseId, RunId, TrialId};
use crate::logic::metrics::Report;
use crate::logic::objects::Objects;
use crate::logic::pool::{Resources, Slot};
use crate::logic::trial::{Batch, BatchEnd, BatchLimits, FirstBatch, Rests, TrialInfo, WorkerFact, WorkerOrder};
use crate::logic::wire::{
    Ability, Begin, Fact, FaultKind, Hello, Order, PROTOCOL, ResultsEnd, Row, StepOrder, ToWorker, Welcome,
};
use crate::ports::backend::{FactSink, Said};
use crate::ports::trainable::Trainable;

/// How often it is looked, within a batch of short steps, whether the engine has said something.
const LOOK_EVERY: Duration = Duration::from_micros(200);

/// Runs trials of `T` until the engine says stop, or is gone.
pub(super) fn run<T: Trainable>(line: Line) -> Result<(), WorkerError> {
    system::die_with_parent();
    let abilities = vec![Ability::Save, Ability::Reset, Ability::Export, Ability::Heartbeat, Ability::Steps];
    let name = concat!("tryout ", env!("CARGO_PKG_VERSION")).to_owned();
    let hello = Hello {
        protocol: PROTOCOL,
        name,
        pid: std::process::id(),
        host: host::name().map(|name| name.to_string()),
        abilities,
    };
    line.say(0, Fact::Hello(hello))?;
    let exchange = Arc::new(Exchange { mouth: line.mouth(), state: Mutex::default() });
    let says = exchange.clone();
    let facts = FactSink::new(move |said| says.say(said));
    let context = WorkerContext::new(Rests::AtOnce, facts, Arc::new(FolderStore(exchange.clone())), Leases::default());
    let orders = Frames {
        line,
        exchange: exchange.clone(),
        pulse: Arc::default(),
        trial: TrialId::new(RunId::new(0), 0),
        looked: Instant::now(),
    };
    Stepwise::<T, _>::new(context, orders, None).run();
    exchange.state().broken.take().map_or(Ok(()), Err)
}

/// What orders say that isn't the machine's concern, and what facts need of it.
#[derive(Debug)]
pub(super) struct Exchange {
    mouth: Mouth,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The directory that the order under way names.
    dir: PathBuf,
    /// What is answered to a save: whether it was an export.
    exports: bool,
    /// Why the conversation can't go on.
    broken: Option<WorkerError>,
}

impl Exchange {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn dir(&self) -> PathBuf {
        self.state().dir.clone()
    }

    fn break_off(&self, error: WorkerError) {
        self.state().broken.get_or_insert(error);
    }

    fn say(&self, said: Said) {
        let Said::Fact(lease, fact) = said else { return };
        let fact = match fact {
            WorkerFact::Ready => Fact::Ready {},
            WorkerFact::Restored => Fact::Restored {},
            WorkerFact::Reported(batch) => results(batch),
            WorkerFact::Saved(_) if self.state().exports => Fact::Exported {},
            WorkerFact::Saved(saved) => Fact::Saved { kept: saved.is_some() },
            WorkerFact::ResetFailed(Fault { message, .. }) => {
                Fact::Failed { kind: FaultKind::Reset, message, place: None, trace: None }
            }
            WorkerFact::CheckpointGone => {
                failed(Fault::new(FailureKind::RestoreFailed, "the checkpoint isn't where it should be"))
            }
            WorkerFact::Failed(fault) => {
                flush();
                failed(fault)
            }
            WorkerFact::Released => {
                flush();
                Fact::Drained {}
            }
            WorkerFact::Gone => return,
        };
        if let Err(error) = self.mouth.say(lease.number(), fact) {
            self.break_off(error);
        }
    }
}

/// The engine's frames as orders.
#[derive(Debug)]
struct Frames {
    line: Line,
    exchange: Arc<Exchange>,
    pulse: Arc<Pulse>,
    trial: TrialId,
    looked: Instant,
}

impl Orders for Frames {
    fn next(&mut self) -> Option<Told> {
        loop {
            if self.exchange.state().broken.is_some() {
                return None;
            }
            let heard = self.line.next();
            let told = heard.and_then(|frame| frame.map(|frame| self.order(frame)).transpose());
            match told {
                Ok(Some(Some(told))) => return Some(told),
                Ok(Some(None)) => {}
                Ok(None) => return None,
                Err(error) => self.exchange.break_off(error),
            }
        }
    }

    fn poll(&mut self) -> Option<Told> {
        if self.line.known().is_none() {
            let now = Instant::now();
            if now.saturating_duration_since(self.looked) < LOOK_EVERY {
                return None;
            }
            self.looked = now;
            // What goes wrong here goes wrong when the next is waited for.
            let _ = self.line.peek();
        }
        while self.line.known().is_some() {
            if let Ok(Some(frame)) = self.line.next() {
                match self.order(frame) {
                    Ok(None) => {}
                    Ok(told) => return told,
                    Err(error) => self.exchange.break_off(error),
                }
            }
        }
        None
    }

    fn stepped(&mut self) {
        self.pulse.steps.fetch_add(1, Ordering::Relaxed);
    }
}

impl Frames {
    /// A frame as an order, unless it is none of the trial's.
    fn order(&mut self, ToWorker { lease, order }: ToWorker) -> Result<Option<Told>, WorkerError> {
        let named = CheckpointId { trial: self.trial, index: 0 };
        let order = match order {
            Order::Welcome(welcome) => return self.welcomed(&welcome).map(|()| None),
            Order::Credit { .. } => return Ok(None),
            Order::Start(begin) | Order::Reset(begin) => return self.start(lease, *begin),
            Order::Step(step) => FirstBatch { limits: limits(step), spare: named }.into(),
            Order::Restore { dir, iteration } => {
                self.exchange.state().dir = dir;
                let mut report = Report::empty(self.trial);
                report.counters.training_iteration = iteration;
                WorkerOrder::Restore { checkpoint: Arc::new(Checkpoint { id: named, report, bytes: 0 }) }
            }
            Order::Save { dir } => {
                let mut state = self.exchange.state();
                (state.dir, state.exports) = (dir, false);
                WorkerOrder::Save { checkpoint: Some(named), export: Arc::default() }
            }
            Order::Export { dir, format } => {
                let mut state = self.exchange.state();
                (state.dir, state.exports) = (dir, true);
                WorkerOrder::Save { checkpoint: None, export: Arc::new([format]) }
            }
            Order::Drain {} => WorkerOrder::Release,
            Order::Stop {} => WorkerOrder::Shutdown,
            Order::Hurry {} => WorkerOrder::Yield,
        };
        Ok(Some((LeaseId::new(lease), order)))
    }

    fn welcomed(&mut self, welcome: &Welcome) -> Result<(), WorkerError> {
        if welcome.protocol != PROTOCOL {
            let found = welcome.protocol;
            return Err(WorkerError::Protocol(format!("it speaks version {found}, this worker version {PROTOCOL}")));
        }
        self.line.max_frame(welcome.max_frame);
        let every = welcome.heartbeat.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        heart::start(self.line.watch()?, self.line.mouth(), self.pulse.clone(), every)
    }

    /// A trial begins: in its own directory.
    fn start(&mut self, lease: u64, begin: Begin) -> Result<Option<Told>, WorkerError> {
        self.trial = begin.trial.id;
        self.pulse.lease.store(lease, Ordering::Relaxed);
        self.pulse.steps.store(0, Ordering::Relaxed);
        if let Some(dir) = &begin.dir
            && let Err(error) = std::env::set_current_dir(dir)
        {
            let message = format!("can't work in `{}`: {error}", dir.display());
            self.line.say(lease, failed(Fault::new(FailureKind::SetupFailed, message)))?;
            return Ok(None);
        }
        let spare = CheckpointId { trial: self.trial, index: 0 };
        let first = begin.then.map(|step| FirstBatch { limits: limits(step), spare });
        let order = WorkerOrder::Start { info: info(&begin), config: Arc::new(begin.config), first, last: None };
        Ok(Some((LeaseId::new(lease), order)))
    }
}

fn limits(StepOrder { most, seconds }: StepOrder) -> BatchLimits {
    BatchLimits {
        reports: NonZeroU32::new(most).unwrap_or(NonZeroU32::MIN),
        time: seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
        checkpoint_every: None,
        last_iteration: None,
    }
}

fn results(Batch { reports, end, .. }: Batch) -> Fact {
    let row = |report: Report| Row { metrics: report.metrics, seconds: report.time_this_iter_s, at: report.timestamp };
    let end = match end {
        BatchEnd::Done => Some(ResultsEnd::Done),
        BatchEnd::CheckpointDue => Some(ResultsEnd::Save),
        BatchEnd::Limit | BatchEnd::Over => None,
    };
    Fact::Results { list: reports.into_iter().map(row).collect(), end, checkpoint: None }
}

/// What was printed belongs to this trial.
fn flush() {
    use std::io::Write;
    // Where nobody reads it, there is nothing to be lost.
    let _ = std::io::stdout().flush();
}

fn info(begin: &Begin) -> TrialInfo {
    let mut bundle = Resources::new();
    for (name, amount) in &begin.resources {
        bundle = bundle.with(name.clone(), *amount);
    }
    let about = &begin.trial;
    TrialInfo {
        id: about.id,
        experiment: about.experiment.as_str().into(),
        attempt: about.attempt,
        seed: about.seed,
        slot: Arc::new(Slot { bundles: vec![bundle], gpus: vec![begin.gpus.clone()] }),
        objects: Objects::default(),
        iteration: about.iteration,
        restored: about.restored,
        directory: begin.dir.clone(),
    }
}

fn failed(Fault { kind, message, place, .. }: Fault) -> Fact {
    let kind = match kind {
        FailureKind::Panic => FaultKind::Panic,
        FailureKind::SetupFailed => FaultKind::Setup,
        FailureKind::RestoreFailed => FaultKind::Restore,
        FailureKind::SaveFailed => FaultKind::Save,
        FailureKind::ExportFailed => FaultKind::Export,
        FailureKind::OutOfMemory => FaultKind::OutOfMemory,
        _ => FaultKind::Error,
    };
    Fact::Failed { kind, message, place, trace: None }
}
