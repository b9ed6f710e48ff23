//! The socket to what several runs share: the host.

use crate::logic::pool::shares::{Allowed, Claim};

/// How a run hears of its cap. It is called on any thread, must not wait, and keeps the order of what it is told.
pub type Hear = Box<dyn Fn(Allowed) + Send>;

/// A host that several runs share.
pub trait SharedHost: Send + Sync {
    /// One more run. The answer has what holds for it from the start; whatever changes later is told to `hear`.
    fn join(&self, hear: Hear) -> (Box<dyn HostMember>, Option<Allowed>);
}

/// A run's part in it. When it is dropped, the run has left, and holds nothing any more.
pub trait HostMember: Send {
    /// This is what the run holds and could use, now that it goes by the word of this number.
    fn claim(&mut self, claim: Claim, seen: u64);
}
