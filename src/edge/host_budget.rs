//! What several runs of a process share, so that they don't book the same cores and GPUs twice.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::gpus::VisibleGpus;
use crate::logic::pool::shares::{Allowed, Alone, Claim, MemberId, Shares};
use crate::logic::pool::{PoolError, Resources};
use crate::ports::host::{Hear, HostMember, SharedHost};

/// Cores, GPUs and whatever else there is of a host, shared out among runs that go on at the same time.
///
/// A run that isn't told what there is to run on takes part in that of its process: see
/// [`of_process`](Self::of_process). One of one's own is given to several experiments with
/// [`Experiment::host_budget`](crate::Experiment::host_budget). A clone is the same budget.
///
/// ```
/// use tryout::prelude::*;
///
/// let half = HostBudget::new(Resources::cpus(4).with_gpus([0]))?;
/// let experiment = |name: &str| {
///     let trainable = function(name, |_: Config, _| Ok(()));
///     Experiment::new(name, trainable).points([Config::new()]).host_budget(&half)
/// };
/// let (one, other) = (experiment("one").start()?, experiment("other").start()?);
/// one.wait_blocking()?;
/// other.wait_blocking()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct HostBudget {
    inner: Arc<Inner>,
}

struct Inner {
    host: Resources,
    state: Mutex<State>,
}

/// Who shares, and how each is told.
struct State {
    shares: Shares,
    hear: BTreeMap<MemberId, Hear>,
}

impl fmt::Debug for HostBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostBudget").field("resources", &self.inner.host).finish_non_exhaustive()
    }
}

impl HostBudget {
    /// A budget of so much. GPUs are counted as this process sees them, from 0.
    ///
    /// # Errors
    /// If nothing can be run on that, or this process doesn't see one of the GPUs.
    pub fn new(resources: Resources) -> Result<Self, PoolError> {
        resources.check_pool()?;
        VisibleGpus::inherited().check(&resources)?;
        Ok(Self::of(resources))
    }

    fn of(host: Resources) -> Self {
        let shares = Shares::new(host.clone(), Alone::HasAll);
        let state = Mutex::new(State { shares, hear: BTreeMap::new() });
        Self { inner: Arc::new(Inner { host, state }) }
    }

    /// The one of this process: all cores and GPUs that it may use. Runs share it unless they say something else.
    pub fn of_process() -> Self {
        static OF_PROCESS: OnceLock<HostBudget> = OnceLock::new();
        OF_PROCESS.get_or_init(|| Self::of(detected())).clone()
    }

    /// What there is in all.
    pub fn resources(&self) -> &Resources {
        &self.inner.host
    }

    /// How many runs share it now.
    pub fn runs(&self) -> usize {
        self.inner.state().shares.len()
    }

    /// Whether a run that has so much to run on can share it.
    pub(crate) fn check(&self, total: &Resources) -> Result<(), PoolError> {
        let host = self.resources();
        let gpus = host.gpus();
        let more = |(name, amount)| host.get(name) < amount && host.iter().any(|(known, _)| known == name);
        if total.iter().any(more) || (!gpus.is_empty() && total.gpus().iter().any(|gpu| !gpus.contains(gpu))) {
            return Err(PoolError::BeyondBudget { asked: Box::new(total.clone()), budget: Box::new(host.clone()) });
        }
        Ok(())
    }
}

/// The cores and GPUs that this process may use.
pub(crate) fn detected() -> Resources {
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u32);
    Resources::cpus(cores).with_gpus(0..VisibleGpus::inherited().count())
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn tell(&self, told: Vec<(MemberId, Allowed)>) {
        for (member, allowed) in told {
            if let Some(hear) = self.hear.get(&member) {
                hear(allowed);
            }
        }
    }
}

impl SharedHost for HostBudget {
    fn join(&self, hear: Hear) -> (Box<dyn HostMember>, Option<Allowed>) {
        let mut state = self.inner.state();
        let mut told = Vec::new();
        let id = state.shares.join(&mut told);
        // What is said to the newcomer now, it hears at once: only the last word counts.
        let first = told.iter().rev().find(|(member, _)| *member == id).map(|(_, allowed)| allowed.clone());
        state.tell(told);
        state.hear.insert(id, hear);
        (Box::new(Member { inner: self.inner.clone(), id }), first)
    }
}

/// A run that shares.
struct Member {
    inner: Arc<Inner>,
    id: MemberId,
}

impl HostMember for Member {
    fn claim(&mut self, claim: Claim, seen: u64) {
        let mut state = self.inner.state();
        let mut told = Vec::new();
        state.shares.claim(self.id, claim, seen, &mut told);
        state.tell(told);
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let mut state = self.inner.state();
        let mut told = Vec::new();
        let hear = state.hear.remove(&self.id);
        state.shares.leave(self.id, &mut told);
        state.tell(told);
        drop(state);
        // It may be the last that holds something of a run: nobody else waits for that.
        drop(hear);
    }
}
