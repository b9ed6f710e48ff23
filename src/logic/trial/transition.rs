//! The trial's state machine: one pure function, total over every pair of state and event.

use super::event::{Effect, Event, Keep, Origin, Verdict};
use super::state::{Phase, State};
use crate::logic::decision::Decision;

/// An event that can't happen in this state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a trial in state {state} can't take {event}")]
pub struct IllegalTransition {
    /// Where the trial stood.
    pub state: State,
    /// What came.
    pub event: Event,
}

/// What an event leads to: the next state, and at most one thing to do.
pub type Step = (State, Option<Effect>);

/// Moves a trial.
///
/// An event that comes too late to matter, such as a stop of a trial that has ended, leads to the same state with
/// nothing to do.
///
/// # Errors
/// If the event can't happen in this state; it names both.
pub fn transition(state: State, event: Event) -> Result<Step, IllegalTransition> {
    use State::{Paused, Queued, Starting, Terminated};
    let running = State::running;
    let refused = Err(IllegalTransition { state, event });

    match (state, event) {
        (Queued | Paused, Event::Launch) => Ok((Starting, Some(Effect::Acquire))),
        (Queued, Event::Pause) => Ok((Paused, None)),
        (Queued | Paused, Event::Stop) => Ok((Terminated, None)),

        (Starting, Event::Ready(Origin::Fresh | Origin::Kept)) => {
            Ok((running(Phase::Training, Decision::Continue), Some(Effect::Train)))
        }
        (Starting, Event::Ready(Origin::Checkpoint)) => {
            Ok((running(Phase::Restoring, Decision::Continue), Some(Effect::Restore)))
        }
        (Starting, Event::Pause) => Ok((Paused, Some(Effect::Release))),
        (Starting, Event::Stop) => Ok((Terminated, Some(Effect::Release))),
        (Starting, Event::Failed(verdict)) => Ok(failed(verdict, Queued)),

        (State::Running { phase, order }, event) => {
            in_worker(phase, order, event).ok_or(IllegalTransition { state, event })
        }

        (Paused | Terminated | State::Error, Event::Pause) => Ok((state, None)),
        (Terminated | State::Error, Event::Stop) => Ok((state, None)),
        _ => refused,
    }
}

fn in_worker(phase: Phase, order: Decision, event: Event) -> Option<Step> {
    use State::{Paused, Queued, Terminated};
    let running = State::running;
    Some(match (phase, event) {
        (Phase::Restoring, Event::Restored) => (running(Phase::Training, order), Some(Effect::Train)),
        (Phase::Restoring, Event::Pause) => (Paused, Some(Effect::Release)),

        (Phase::Training, Event::Reported) => (running(Phase::Deciding, order), Some(Effect::Submit)),
        (Phase::Deciding, Event::Decide(decision, Keep::Checkpoint)) => {
            (running(Phase::Saving, order.max(decision)), Some(Effect::Save))
        }
        (Phase::Deciding, Event::Decide(decision, Keep::Nothing)) => carry_out(order.max(decision)),
        (Phase::Saving, Event::Saved) => carry_out(order),

        (Phase::Training | Phase::Deciding | Phase::Saving, Event::Pause) => {
            (running(phase, order.max(Decision::Pause)), None)
        }
        // The checkpoint is not lost: a stop during a save waits for it.
        (Phase::Saving, Event::Stop) => (running(phase, Decision::Stop), None),
        (_, Event::Stop) => (Terminated, Some(Effect::Release)),

        (_, Event::Failed(verdict)) => failed(
            verdict,
            match order {
                Decision::Continue => Queued,
                Decision::Pause => Paused,
                Decision::Stop => Terminated,
            },
        ),
        _ => return None,
    })
}

fn carry_out(order: Decision) -> Step {
    match order {
        Decision::Continue => (State::running(Phase::Training, order), Some(Effect::Train)),
        Decision::Pause => (State::Paused, Some(Effect::Release)),
        Decision::Stop => (State::Terminated, Some(Effect::Release)),
    }
}

/// A worker that failed is never reused, whatever becomes of the trial.
fn failed(verdict: Verdict, otherwise: State) -> Step {
    let next = match verdict {
        Verdict::Retry => otherwise,
        Verdict::GiveUp => State::Error,
    };
    (next, Some(Effect::Discard))
}
