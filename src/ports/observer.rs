//! The socket for whoever watches: consoles, files, dashboards.

use std::sync::Arc;

use super::error::ObserverError;
use crate::logic::event::ExperimentEvent;

/// Watches a run. It is handed every event, in order, on a thread of its own behind a bounded queue, and changes nothing.
///
/// An observer that fails or panics is disabled and reported. One that is too slow misses events, is told how many,
/// and holds nobody up.
///
/// ```
/// use tryout::extend::*;
///
/// /// Counts what failed.
/// #[derive(Debug, Default)]
/// struct Failures(u64);
///
/// impl Observer for Failures {
///     fn on_event(&mut self, event: &ExperimentEvent) -> Result<(), ObserverError> {
///         self.0 += u64::from(matches!(event.kind, EventKind::Failed { .. }));
///         Ok(())
///     }
/// }
/// ```
pub trait Observer: Send {
    /// Something happened.
    ///
    /// # Errors
    /// Any error disables this observer for the rest of the run.
    fn on_event(&mut self, event: &ExperimentEvent) -> Result<(), ObserverError>;

    /// It was too slow and missed so many events since the last one it saw.
    ///
    /// # Errors
    /// Any error disables this observer for the rest of the run.
    fn on_missed(&mut self, _events: u64) -> Result<(), ObserverError> {
        Ok(())
    }

    /// Nothing has come for a tenth of a second after something did: what it has buffered may go out, so that whoever looks
    /// at its output sees all of it. Told once for each such pause.
    ///
    /// # Errors
    /// Any error disables this observer for the rest of the run.
    fn on_quiet(&mut self) -> Result<(), ObserverError> {
        Ok(())
    }

    /// What it wants to find again when the run is resumed. When it answers, everything that it was told before counts as
    /// done, so what it has buffered must be flushed. None (the default): it has nothing to keep.
    fn save(&mut self) -> Option<serde_json::Value> {
        None
    }

    /// Takes up what [`save`](Observer::save) gave in an earlier session, before it is told anything.
    ///
    /// # Errors
    /// Any error disables this observer for the rest of the run.
    fn restore(&mut self, _state: serde_json::Value) -> Result<(), ObserverError> {
        Ok(())
    }

    /// Something happened in an earlier session, after its last saved state (at any time, if it has none): told in order,
    /// before anything new, when a run is resumed; first of all the run's start, as it is now. What the journal doesn't keep
    /// for ever isn't told again: of an ended trial that it is there, its reports and its end.
    ///
    /// # Errors
    /// Any error disables this observer for the rest of the run.
    fn on_past(&mut self, _event: &ExperimentEvent) -> Result<(), ObserverError> {
        Ok(())
    }

    /// Whether it wants to be told of earlier sessions at all.
    fn wants_past(&self) -> Past {
        Past::Unwanted
    }

    /// For how many events there is room before it; what the hub gives to all, if it doesn't say.
    fn room(&self) -> Option<usize> {
        None
    }

    /// Its name in messages, and under which its state is kept: no two observers of an experiment may have the same.
    fn name(&self) -> &str {
        std::any::type_name::<Self>()
    }
}

/// Whether an observer wants to be told of earlier sessions when a run is resumed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Past {
    /// It doesn't.
    #[default]
    Unwanted,
    /// It does: see [`Observer::on_past`].
    Wanted,
}

/// An observer that was disabled, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("observer `{name}` is disabled: {message}")]
pub struct ObserverFault {
    /// Which.
    pub name: String,
    /// What it said, or what it panicked with.
    pub message: String,
}

/// All observers together, as the engine sees them: it hands events over and never waits.
pub trait Audience: Send {
    /// Whether nobody watches, so that events needn't even be made.
    fn is_empty(&self) -> bool;

    /// Hands events over.
    fn publish(&mut self, events: Arc<[ExperimentEvent]>);

    /// Asks those who have a state for it, at this mark: after all that was handed over before.
    fn save(&mut self, mark: u64);

    /// The observers that were disabled since the last call.
    fn take_faults(&mut self) -> Vec<ObserverFault>;

    /// What else a person should know since the last call: who was slow.
    fn take_warnings(&mut self) -> Vec<String>;
}
