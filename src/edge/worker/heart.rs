//! Signs of life, and the end of the engine, from a thread that no step holds up.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::WorkerError;
use super::line::Mouth;
use crate::edge::deadline;
use crate::edge::system::Hangup;
use crate::logic::wire::Fact;

/// What the heart tells of the work.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    pub(super) lease: AtomicU64,
    pub(super) steps: AtomicU64,
}

/// Starts the heart. It ends the process if the engine is gone, whatever the trainable does at that moment.
pub(super) fn start(
    engine: OwnedFd,
    mouth: Mouth,
    pulse: Arc<Pulse>,
    every: Option<Duration>,
) -> Result<(), WorkerError> {
    let failed = |source| WorkerError::Line { action: "no thread could be had for signs of life", source };
    let engine = Hangup::of(engine);
    let beats = move || beat(&engine, &mouth, &pulse, every);
    std::thread::Builder::new().name("tryout-heart".to_owned()).spawn(beats).map(drop).map_err(failed)
}

fn beat(engine: &Hangup, mouth: &Mouth, pulse: &Pulse, every: Option<Duration>) {
    let mut next = every.map(|every| deadline::after(Instant::now(), every));
    loop {
        let wait = next.map(|next| next.saturating_duration_since(Instant::now()));
        let gone = engine.wait(wait);
        let (lease, steps) = (pulse.lease.load(Ordering::Relaxed), pulse.steps.load(Ordering::Relaxed));
        let due = next.is_some_and(|next| Instant::now() >= next);
        if gone || (due && mouth.say(lease, Fact::Heartbeat { steps }).is_err()) {
            // Nobody is there any more who could want an answer, or ask for an orderly end.
            std::process::exit(1);
        }
        if due {
            next = every.map(|every| deadline::after(Instant::now(), every));
        }
    }
}
