//! Signs of life, and the end of the engine, from a thread that no step holds up.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::WorkerError;
use super::line::Mouth;
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
    let beats = move || beat(&engine, &mouth, &pulse, every);
    std::thread::Builder::new().name("tryout-heart".to_owned()).spawn(beats).map(drop).map_err(failed)
}

fn beat(engine: &OwnedFd, mouth: &Mouth, pulse: &Pulse, every: Option<Duration>) {
    let mut next = every.map(|every| Instant::now() + every);
    loop {
        let wait = next.map(|next| next.saturating_duration_since(Instant::now()));
        let wait = wait.and_then(|wait| Timespec::try_from(wait).ok());
        let mut polled = [PollFd::new(engine, PollFlags::RDHUP)];
        let _ = poll(&mut polled, wait.as_ref());
        let gone = polled[0].revents().intersects(PollFlags::RDHUP | PollFlags::HUP | PollFlags::ERR);
        let (lease, steps) = (pulse.lease.load(Ordering::Relaxed), pulse.steps.load(Ordering::Relaxed));
        let due = next.is_some_and(|next| Instant::now() >= next);
        if gone || (due && mouth.say(lease, Fact::Heartbeat { steps }).is_err()) {
            // Nobody is there any more who could want an answer, or ask for an orderly end.
            std::process::exit(1);
        }
        if due {
            next = every.map(|every| Instant::now() + every);
        }
    }
}
