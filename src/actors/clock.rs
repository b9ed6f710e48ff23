//! The run's clock: the one place where the actors read the time.

use std::time::Duration;

use actix::{Actor, AsyncContext, Context, SpawnHandle};
use tokio::time::Instant;

use crate::logic::time::Moment;

/// Counts from the run's start, the time between its sessions left out. Tests can pause it with tokio's own clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    began: Instant,
    /// Where an earlier session left it.
    at: Moment,
}

impl Clock {
    /// A clock that goes on from a moment.
    pub(super) fn start(at: Moment) -> Self {
        Self { began: Instant::now(), at }
    }

    pub(super) fn now(self) -> Moment {
        self.at + self.began.elapsed()
    }
}

/// An actor's one alarm: however many deadlines its machine has, only the next is set.
#[derive(Debug, Default)]
pub(super) struct Alarm(Option<(Moment, SpawnHandle)>);

impl Alarm {
    /// Sets the alarm to `deadline`, unless it is set to that already.
    pub(super) fn set<A: Actor<Context = Context<A>>>(
        &mut self,
        deadline: Option<Moment>,
        now: Moment,
        ctx: &mut Context<A>,
        ring: impl FnOnce(&mut A, &mut Context<A>) + 'static,
    ) {
        if self.0.map(|(at, _)| at) == deadline {
            return;
        }
        if let Some((_, timer)) = self.0.take() {
            ctx.cancel_future(timer);
        }
        // The timer counts in milliseconds: without the one more it could ring too early.
        self.0 = deadline.map(|at| (at, ctx.run_later(at.since(now).saturating_add(Duration::from_millis(1)), ring)));
    }

    /// The alarm rang.
    pub(super) fn rang(&mut self) {
        self.0 = None;
    }
}
