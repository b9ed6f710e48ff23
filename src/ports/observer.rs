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

    /// Its name in messages.
    fn name(&self) -> &str {
        std::any::type_name::<Self>()
    }
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

    /// The observers that were disabled since the last call.
    fn take_faults(&mut self) -> Vec<ObserverFault>;
}
