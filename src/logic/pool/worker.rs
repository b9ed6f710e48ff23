//! The worker's own state machine, as its pool sees it: one pure function over every pair of state and event.
//!
//! There is no state for a worker that is still being spawned: its slot is held from the order to spawn it, and what its
//! trial says to it queues behind that. Every pair that isn't in the table is a fact that comes too late, and is refused.
//!
//! | state | leaves by |
//! |---|---|
//! | Leased | its trial leaving at rest: Idle; at work: Settling \[Release\]; discarding it: Stopping \[Shutdown\] |
//! | Settling | coming to rest: Idle; being overdue: Killed \[Kill\] |
//! | Idle | being granted: Leased; being retired or overdue: Stopping \[Shutdown\] |
//! | Stopping | being overdue: Killed \[Kill\] |
//! | Killed | being abandoned: Gone \[Free\] if its slot is given back, else Abandoned |
//! | each of these, and Abandoned | being gone: Gone \[Free\] |

use super::settings::AbandonPolicy;

/// Where a worker stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WorkerState {
    /// A trial has it.
    Leased,
    /// Its trial has left, and it has to come to rest.
    Settling,
    /// It can be handed on.
    Idle,
    /// It was asked to end.
    Stopping,
    /// Its grace is over.
    Killed,
    /// It couldn't be killed, and keeps its slot.
    Abandoned,
    /// It has ended, or its slot was given back without that.
    Gone,
}

impl WorkerState {
    /// All of them, in order.
    pub const ALL: [WorkerState; 7] = [
        WorkerState::Leased,
        WorkerState::Settling,
        WorkerState::Idle,
        WorkerState::Stopping,
        WorkerState::Killed,
        WorkerState::Abandoned,
        WorkerState::Gone,
    ];

    /// Whether it holds its slot.
    pub const fn holds_slot(self) -> bool {
        !matches!(self, WorkerState::Gone)
    }

    /// Whether anybody waits for its end: not for one that is gone or given up.
    pub const fn is_living(self) -> bool {
        !matches!(self, WorkerState::Gone | WorkerState::Abandoned)
    }
}

/// What happens to a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WorkerEvent {
    /// It is handed to a trial.
    Granted,
    /// Its trial left it waiting for orders.
    LeftAtRest,
    /// Its trial left it at work.
    LeftAtWork,
    /// Its trial left it, and nobody is to use it again.
    Discarded,
    /// It has come to rest.
    Rested,
    /// Nobody needs it, or somebody needs its resources.
    Retired,
    /// Its deadline has passed.
    Overdue,
    /// It has ended, asked or not.
    Gone,
    /// It can't be killed.
    Abandoned(AbandonPolicy),
}

/// What a step of a worker asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WorkerEffect {
    /// Tell it to come to rest.
    Release,
    /// Tell it to end.
    Shutdown,
    /// End it.
    Kill,
    /// Give its slot back.
    Free,
}

/// An event that can't happen to a worker in this state: it came too late.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a worker in state {state:?} can't take {event:?}")]
pub struct LateWorkerEvent {
    /// Where the worker stood.
    pub state: WorkerState,
    /// What came.
    pub event: WorkerEvent,
}

/// Moves a worker.
///
/// # Errors
/// If the event comes too late for this state; it names both.
pub fn transition(
    state: WorkerState,
    event: WorkerEvent,
) -> Result<(WorkerState, Option<WorkerEffect>), LateWorkerEvent> {
    use {WorkerEffect as Do, WorkerEvent as On, WorkerState as Is};
    match (state, event) {
        (Is::Leased, On::LeftAtRest) | (Is::Settling, On::Rested) => Ok((Is::Idle, None)),
        (Is::Leased, On::LeftAtWork) => Ok((Is::Settling, Some(Do::Release))),
        (Is::Leased, On::Discarded) | (Is::Idle, On::Retired | On::Overdue) => Ok((Is::Stopping, Some(Do::Shutdown))),
        (Is::Idle, On::Granted) => Ok((Is::Leased, None)),
        (Is::Settling | Is::Stopping, On::Overdue) => Ok((Is::Killed, Some(Do::Kill))),
        (Is::Killed, On::Abandoned(AbandonPolicy::Hold)) => Ok((Is::Abandoned, None)),
        (Is::Killed, On::Abandoned(AbandonPolicy::GiveBack)) => Ok((Is::Gone, Some(Do::Free))),
        (state, On::Gone) if state.holds_slot() => Ok((Is::Gone, Some(Do::Free))),
        _ => Err(LateWorkerEvent { state, event }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENTS: [WorkerEvent; 10] = [
        WorkerEvent::Granted,
        WorkerEvent::LeftAtRest,
        WorkerEvent::LeftAtWork,
        WorkerEvent::Discarded,
        WorkerEvent::Rested,
        WorkerEvent::Retired,
        WorkerEvent::Overdue,
        WorkerEvent::Gone,
        WorkerEvent::Abandoned(AbandonPolicy::GiveBack),
        WorkerEvent::Abandoned(AbandonPolicy::Hold),
    ];

    fn pairs() -> impl Iterator<Item = (WorkerState, WorkerEvent)> {
        WorkerState::ALL.into_iter().flat_map(|state| EVENTS.into_iter().map(move |event| (state, event)))
    }

    #[test]
    fn the_table_is_as_large_as_documented() {
        let steps = pairs().filter(|&(state, event)| transition(state, event).is_ok()).count();
        assert_eq!((steps, pairs().count()), (17, 70));
    }

    #[test]
    fn each_event_leads_where_it_means_to_and_is_too_late_everywhere_else() {
        use {WorkerEvent as On, WorkerState as Is};
        for (state, event) in pairs() {
            let next = match (event, state) {
                (On::Granted, Is::Idle) => Some(Is::Leased),
                (On::LeftAtRest, Is::Leased) | (On::Rested, Is::Settling) => Some(Is::Idle),
                (On::LeftAtWork, Is::Leased) => Some(Is::Settling),
                (On::Discarded, Is::Leased) | (On::Retired | On::Overdue, Is::Idle) => Some(Is::Stopping),
                (On::Overdue, Is::Settling | Is::Stopping) => Some(Is::Killed),
                (On::Abandoned(AbandonPolicy::Hold), Is::Killed) => Some(Is::Abandoned),
                (On::Abandoned(AbandonPolicy::GiveBack), Is::Killed) => Some(Is::Gone),
                (On::Gone, state) if state != Is::Gone => Some(Is::Gone),
                _ => None,
            };
            assert_eq!(transition(state, event).ok().map(|(next, _)| next), next, "{state:?} {event:?}");
        }
    }

    #[test]
    fn a_slot_is_freed_exactly_on_the_step_to_gone_and_gone_absorbs() {
        for (state, event) in pairs() {
            match transition(state, event) {
                Ok((next, effect)) => {
                    assert!(state.holds_slot(), "{state:?} moved by {event:?}");
                    assert_eq!(effect == Some(WorkerEffect::Free), !next.holds_slot(), "{state:?} {event:?}");
                }
                Err(late) => assert_eq!(late, LateWorkerEvent { state, event }),
            }
        }
    }

    #[test]
    fn each_way_down_is_asked_for_once() {
        for (state, event) in pairs() {
            let Ok((next, effect)) = transition(state, event) else { continue };
            let asked = match next {
                WorkerState::Settling => Some(WorkerEffect::Release),
                WorkerState::Stopping => Some(WorkerEffect::Shutdown),
                WorkerState::Killed => Some(WorkerEffect::Kill),
                WorkerState::Gone => Some(WorkerEffect::Free),
                WorkerState::Leased | WorkerState::Idle | WorkerState::Abandoned => None,
            };
            assert_eq!(effect, asked, "{state:?} {event:?}");
            assert_ne!(state, next, "a step always moves");
        }
    }

    #[test]
    fn a_worker_that_is_on_its_way_down_is_never_handed_on() {
        let down = [WorkerState::Stopping, WorkerState::Killed, WorkerState::Abandoned, WorkerState::Gone];
        for (state, event) in pairs().filter(|(state, _)| down.contains(state)) {
            if let Ok((next, _)) = transition(state, event) {
                assert!(down.contains(&next), "{state:?} {event:?} led to {next:?}");
            }
        }
    }

    #[test]
    fn all_are_waited_for_but_those_that_are_gone_or_given_up() {
        use WorkerState::{Idle, Killed, Leased, Settling, Stopping};
        let living: Vec<WorkerState> = WorkerState::ALL.into_iter().filter(|state| state.is_living()).collect();
        assert_eq!(living, [Leased, Settling, Idle, Stopping, Killed]);
    }

    #[test]
    fn whatever_holds_a_slot_can_end() {
        for state in WorkerState::ALL {
            assert_eq!(transition(state, WorkerEvent::Gone).is_ok(), state.holds_slot(), "{state:?}");
        }
    }
}
