//! What all workers of one backend have in common.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use super::guard::Guard;
use super::output::Output;
use super::place::Place;
use super::program::{GpusCounted, Program};
use crate::edge::system::can_limit;
use crate::logic::failure::{FailureKind, Fault};
use crate::logic::pool::{Amount, Resources};
use crate::logic::worker::Limits;

/// Settings of a backend that runs processes.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) program: Program,
    pub(super) limits: Limits,
    pub(super) output: Output,
    /// Between SIGTERM and SIGKILL.
    pub(super) after_term: Duration,
    pub(super) heartbeat: Option<Heartbeat>,
    /// How long a worker may take to introduce itself.
    pub(super) start_up: Duration,
    pub(super) max_frame: usize,
}

/// Signs of life.
#[derive(Clone, Copy, Debug)]
pub(super) struct Heartbeat {
    pub(super) every: Duration,
    pub(super) lost_after: Duration,
}

impl Settings {
    pub(super) fn new(program: Program) -> Self {
        Self {
            program,
            limits: Limits::default(),
            output: Output::default(),
            after_term: Duration::from_secs(5),
            heartbeat: Some(Heartbeat { every: Duration::from_secs(5), lost_after: Duration::from_secs(120) }),
            start_up: Duration::from_secs(300),
            max_frame: crate::logic::wire::MAX_FRAME,
        }
    }

    /// What is wrong with the limits, if anything is: as such, or on this system.
    pub(super) fn check_limits(&self) -> Result<(), String> {
        self.limits.check()?;
        if self.limits.needs_system() { can_limit() } else { Ok(()) }
    }

    /// How often a worker is to give a sign of life: so that a step's limit is noticed within a quarter of it.
    pub(super) fn sign_every(&self) -> Option<Duration> {
        let beat = self.heartbeat.map(|heartbeat| heartbeat.every);
        let step = self.limits.step.map(|limit| limit.most / 4);
        beat.into_iter().chain(step).min()
    }
}

/// What the workers of a backend share; its end is the end of the last of them.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) settings: Settings,
    place: RwLock<Option<Arc<Place>>>,
    guard: OnceLock<Arc<Guard>>,
    counts_gpus: AtomicBool,
}

impl Shared {
    pub(super) fn new(settings: Settings) -> Self {
        Self { settings, place: RwLock::default(), guard: OnceLock::new(), counts_gpus: AtomicBool::new(false) }
    }

    /// What there is to run on.
    pub(super) fn set_resources(&self, total: &Resources) {
        self.counts_gpus.store(total.get("gpu") > Amount::ZERO, Ordering::Relaxed);
    }

    pub(super) fn gpus_counted(&self) -> GpusCounted {
        if self.counts_gpus.load(Ordering::Relaxed) { GpusCounted::Yes } else { GpusCounted::No }
    }

    pub(super) fn set_place(&self, place: Place) {
        *self.place.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(place));
    }

    /// Where trials work: in a temporary directory, if nobody said where.
    pub(super) fn place(&self) -> Result<Arc<Place>, Fault> {
        let known = self.place.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(place) = known {
            return Ok(place);
        }
        let mut place = self.place.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = &*place {
            return Ok(place.clone());
        }
        let made = Place::temporary().map_err(|error| cannot("make a directory for the trials", &error))?;
        self.guard()?.clear(made.root());
        Ok(place.insert(Arc::new(made)).clone())
    }

    pub(super) fn guard(&self) -> Result<Arc<Guard>, Fault> {
        if let Some(guard) = self.guard.get() {
            return Ok(guard.clone());
        }
        let started =
            Guard::start().map_err(|error| cannot("start `/bin/sh`, which guards worker processes", &error))?;
        // Of two that were started at once, the one that came too late ends here.
        Ok(self.guard.get_or_init(|| Arc::new(started)).clone())
    }
}

/// Something that a worker needs before it can begin couldn't be done.
pub(super) fn cannot(what: &str, error: &std::io::Error) -> Fault {
    Fault::new(FailureKind::SetupFailed, format!("can't {what}: {error}"))
}
