//! A run in this process without a directory: what is known when its model is made, and the events from then on.

use std::sync::{Arc, Weak};
use std::time::Instant;

use futures::executor::block_on_stream;

use super::bell::Bell;
use super::follow::PACE;
use super::state::{Origin, State};
use super::{RunModel, Shared};
use crate::edge::observe::{EventStream, Seen};
use crate::logic::engine::Overview;
use crate::logic::event::ExperimentEvent;
use crate::logic::failure::error_chain;
use crate::logic::journal::Record;
use crate::logic::time::Moment;

impl RunModel {
    /// The model of a run in this process, from a moment on; `began` is when the run began, in seconds since 1970. Of `events` those count
    /// that come after that moment.
    pub fn mounted(overview: Overview, began: f64, events: EventStream) -> Self {
        let now = overview.now;
        let shared = Arc::new(Shared::new(None, Ok(Box::new(State::mounted(overview, began)))));
        {
            let mut inner = shared.write();
            (inner.standing.attended, inner.standing.heard) = (true, Some(Instant::now()));
        }
        let bell = Arc::new(Bell::default());
        let (hears, tells) = (bell.clone(), bell);
        let (heard, told) = (Arc::downgrade(&shared), Arc::downgrade(&shared));
        let named = |name: &str| std::thread::Builder::new().name(name.to_owned());
        let started = named("tryout-view").spawn(move || hear(&heard, &hears, events, now));
        if let Err(why) = started.and_then(|_| named("tryout-bell").spawn(move || tell(&told, &tells))) {
            shared.write().known = Err(format!("the run can't be followed: {why}"));
        }
        shared.notify();
        Self { shared }
    }
}

/// Takes each event as it comes.
fn hear(shared: &Weak<Shared>, bell: &Bell, events: EventStream, after: Moment) {
    for seen in block_on_stream(events) {
        let Some(known) = shared.upgrade() else { break };
        take(&known, seen, after);
        bell.ring();
    }
    if let Some(known) = shared.upgrade() {
        known.write().standing.attended = false;
    }
    bell.end();
}

fn take(known: &Shared, seen: Seen, after: Moment) {
    let mut inner = known.write();
    inner.standing.heard = Some(Instant::now());
    let Ok(state) = &mut inner.known else { return };
    let heard = match seen {
        Seen::Missed(events) => {
            state.miss(events);
            Ok(())
        }
        Seen::Event(event) if event.at <= after => Ok(()),
        Seen::Event(event) => {
            let position = state.position + 1;
            state.hear(Record::Step(vec![ExperimentEvent::clone(&event)]), position, Origin::Lines)
        }
    };
    if let Err(why) = heard {
        inner.known = Err(error_chain(&why));
    }
}

/// Tells whoever waits, not too often.
fn tell(shared: &Weak<Shared>, bell: &Bell) {
    loop {
        let goes_on = bell.wait();
        let Some(known) = shared.upgrade() else { return };
        known.notify();
        drop(known);
        if !goes_on {
            return;
        }
        bell.rest(PACE);
    }
}
