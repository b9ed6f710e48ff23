//! Carries the engine's orders out, one after another.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::process::{Signal, set_parent_process_death_signal};

use super::WorkerError;
use super::folder::Folder;
use super::heart::{self, Pulse};
use super::line::Line;
use crate::edge::backend::{Seat, Started};
use crate::logic::failure::{FailureKind, Fault};
use crate::logic::objects::Objects;
use crate::logic::pool::{Resources, Slot};
use crate::logic::trial::TrialInfo;
use crate::logic::wire::{
    Ability, Begin, Fact, FaultKind, Hello, Order, PROTOCOL, ResultsEnd, Row, StepOrder, ToWorker, Welcome,
};
use crate::ports::store::{CheckpointReader, CheckpointWriter};
use crate::ports::trainable::{Trainable, Wish};

/// How often it is looked, within a batch of short steps, whether the engine has said something.
const LOOK_EVERY: Duration = Duration::from_micros(200);

pub(super) struct Work<T> {
    line: Line,
    seat: Seat<T>,
    pulse: Arc<Pulse>,
    /// A failure that is said when the trial asks for more.
    fault: Option<Fault>,
    lease: u64,
    rows: Vec<Row>,
    looked: Instant,
}

/// Whether the engine wants more.
enum Goes {
    On,
    Away,
}

impl<T: Trainable> Work<T> {
    pub(super) fn new(line: Line) -> Self {
        let (pulse, looked) = (Arc::default(), Instant::now());
        Self { line, seat: Seat::empty(), pulse, fault: None, lease: 0, rows: Vec::new(), looked }
    }

    pub(super) fn run(mut self) -> Result<(), WorkerError> {
        // Where there is no such signal, the heart notices the engine's end.
        let _ = set_parent_process_death_signal(Some(Signal::KILL));
        let abilities = vec![Ability::Save, Ability::Reset, Ability::Export, Ability::Heartbeat, Ability::Steps];
        let name = concat!("tryout ", env!("CARGO_PKG_VERSION")).to_owned();
        let hello = Hello { protocol: PROTOCOL, name, pid: std::process::id(), abilities };
        self.line.say(0, Fact::Hello(hello))?;
        while let Some(ToWorker { lease, order }) = self.line.next()? {
            match self.order(lease, order)? {
                Goes::On => {}
                Goes::Away => break,
            }
        }
        self.seat.clean_up();
        Ok(())
    }

    fn order(&mut self, lease: u64, order: Order) -> Result<Goes, WorkerError> {
        let fact = match order {
            Order::Welcome(welcome) => return self.welcomed(&welcome).map(|()| Goes::On),
            Order::Start(begin) | Order::Reset(begin) => return self.start(lease, *begin).map(|()| Goes::On),
            Order::Step(step) => return self.step(step).map(|()| Goes::On),
            Order::Restore { dir, .. } => {
                let mut reader = CheckpointReader::new(Box::new(Folder(dir)));
                self.seat.restore(&mut reader).map(|()| Fact::Restored {})
            }
            Order::Save { dir } => self.save(dir),
            Order::Export { dir } => {
                let told = self.fault.take().map_or(Ok(()), Err);
                told.and_then(|()| self.seat.export(&dir)).map(|()| Fact::Exported {})
            }
            Order::Drain {} => {
                flush();
                Ok(Fact::Drained {})
            }
            Order::Stop {} => return Ok(Goes::Away),
            Order::Hurry {} | Order::Credit { .. } => return Ok(Goes::On),
        };
        self.answer(fact)?;
        Ok(Goes::On)
    }

    fn answer(&mut self, fact: Result<Fact, Fault>) -> Result<(), WorkerError> {
        let fact = fact.unwrap_or_else(|fault| {
            flush();
            failed(fault)
        });
        self.line.say(self.lease, fact)
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

    fn start(&mut self, lease: u64, begin: Begin) -> Result<(), WorkerError> {
        self.lease = lease;
        self.pulse.lease.store(lease, Ordering::Relaxed);
        self.pulse.steps.store(0, Ordering::Relaxed);
        self.fault = None;
        let entered = begin.dir.as_ref().map_or(Ok(()), std::env::set_current_dir);
        let entered = entered.map_err(|error| {
            let dir = begin.dir.as_deref().unwrap_or(std::path::Path::new(".")).display();
            Fault::new(FailureKind::SetupFailed, format!("can't work in `{dir}`: {error}"))
        });
        let started = entered.and_then(|()| self.seat.start(&info(&begin), &begin.config));
        match started {
            Ok(Started::Ready) => {
                self.line.say(lease, Fact::Ready {})?;
                begin.then.map_or(Ok(()), |step| self.step(step))
            }
            Ok(Started::ResetFailed(Fault { message, .. })) => {
                self.line.say(lease, Fact::Failed { kind: FaultKind::Reset, message, place: None, trace: None })
            }
            Err(fault) => self.answer(Err(fault)),
        }
    }

    /// Steps until the batch ends. Nothing is answered if the trial has left in the meantime.
    fn step(&mut self, limits: StepOrder) -> Result<(), WorkerError> {
        if let Some(fault) = self.fault.take() {
            return self.answer(Err(fault));
        }
        let limit = limits.seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        let began = Instant::now();
        let mut before = began;
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
        loop {
            if self.trial_left() {
                self.rows.clear();
                return Ok(());
            }
            let step = match self.seat.step() {
                Ok(step) => step,
                // What was reported before is handed in first.
                Err(fault) if !self.rows.is_empty() => {
                    self.fault = Some(fault);
                    return self.hand_in(None);
                }
                Err(fault) => return self.answer(Err(fault)),
            };
            self.pulse.steps.fetch_add(1, Ordering::Relaxed);
            let now = Instant::now();
            let (seconds, at) = ((now - before).as_secs_f64(), wall + (now - began).as_secs_f64());
            before = now;
            self.rows.push(Row { metrics: step.metrics, seconds, at });
            let end = match step.wish {
                Wish::GoOn => None,
                Wish::Save => Some(ResultsEnd::Save),
                Wish::End => Some(ResultsEnd::Done),
            };
            let full = self.rows.len() >= limits.most as usize || limit.is_some_and(|limit| now - began >= limit);
            if end.is_some() || full || self.is_hurried(now)? {
                if self.trial_left() {
                    self.rows.clear();
                    return Ok(());
                }
                return self.hand_in(end);
            }
        }
    }

    /// Whether the engine has said something that the batch is to end for.
    fn is_hurried(&mut self, now: Instant) -> Result<bool, WorkerError> {
        if now.saturating_duration_since(self.looked) < LOOK_EVERY {
            return Ok(false);
        }
        self.looked = now;
        Ok(self.line.peek()?.is_some())
    }

    /// Whether the next order, if it is there already, means that nobody waits for results.
    fn trial_left(&self) -> bool {
        matches!(self.line.known(), Some(Order::Drain {} | Order::Stop {}))
    }

    fn hand_in(&mut self, end: Option<ResultsEnd>) -> Result<(), WorkerError> {
        let list = std::mem::take(&mut self.rows);
        self.line.say(self.lease, Fact::Results { list, end, checkpoint: None })
    }

    fn save(&mut self, dir: PathBuf) -> Result<Fact, Fault> {
        self.fault.take().map_or(Ok(()), Err)?;
        let mut writer = CheckpointWriter::new(Box::new(Folder(dir)));
        let kept = self.seat.save(&mut writer)?;
        let failed = |error| Fault::new(FailureKind::SaveFailed, crate::logic::failure::error_chain(&error));
        writer.commit().map_err(failed)?;
        Ok(Fact::Saved { kept })
    }
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
        bundle = bundle.clone().with(name.clone(), *amount).unwrap_or(bundle);
    }
    let about = &begin.trial;
    TrialInfo {
        id: about.id,
        experiment: about.experiment.as_str().into(),
        attempt: about.attempt,
        seed: about.seed,
        slot: Arc::new(Slot { bundles: vec![bundle], gpus: vec![begin.gpus.clone()] }),
        objects: Objects::default(),
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
