//! What several runs of a process share, so that they don't book the same cores and GPUs twice.

use std::collections::BTreeMap;
#[cfg(all(feature = "process", target_os = "linux", not(tryout_portable)))]
use std::collections::BTreeSet;
use std::fmt;
#[cfg(all(feature = "process", target_os = "linux", not(tryout_portable)))]
use std::sync::Weak;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::gpus::VisibleGpus;
#[cfg(all(feature = "process", target_os = "linux", not(tryout_portable)))]
use super::shared_host::{HostLocks, Interest, Others, What, watch};
#[cfg(all(feature = "process", target_os = "linux", not(tryout_portable)))]
use crate::logic::pool::Amount;
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
    /// What of the host this process holds, if others of the user share it.
    #[cfg(all(feature = "process", target_os = "linux", not(tryout_portable)))]
    locks: Option<HostLocks>,
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
        let state = State::new(Shares::new(host.clone(), Alone::HasAll));
        Self { inner: Arc::new(Inner { host, state: Mutex::new(state) }) }
    }

    /// Of all that this process may use, for those who only ask how much that is.
    #[cfg(all(feature = "process", target_os = "linux", not(tryout_portable)))]
    pub(crate) fn unlocked() -> Self {
        Self::of(detected())
    }

    /// The one of all processes of this user on this host that ask for it: all cores and GPUs that this process may use, as far as
    /// the others leave them. It is there as long as somebody in this process has it.
    ///
    /// # Errors
    /// If the directory of the locks can't be used.
    #[cfg(all(feature = "process", target_os = "linux", not(tryout_portable)))]
    pub(crate) fn of_user() -> std::io::Result<Self> {
        static OF_USER: Mutex<Weak<Inner>> = Mutex::new(Weak::new());
        let mut known = OF_USER.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(inner) = known.upgrade() {
            return Ok(Self { inner });
        }
        let host = detected();
        let locks = HostLocks::enter(&host)?;
        let state = State::new(Shares::new(host.clone(), Alone::IsTold));
        let inner = Arc::new(Inner { host, state: Mutex::new(state) });
        let weak = Arc::downgrade(&inner);
        let changed = move || weak.upgrade().map_or(Interest::Lost, |inner| inner.state().others_changed());
        if let Err(error) = watch(&locks, changed) {
            log::warn!("what other processes give back isn't noticed: {error}");
        }
        inner.state().locks = Some(locks);
        *known = Arc::downgrade(&inner);
        Ok(Self { inner })
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
    fn new(shares: Shares) -> Self {
        Self {
            shares,
            #[cfg(all(feature = "process", target_os = "linux", not(tryout_portable)))]
            locks: None,
            hear: BTreeMap::new(),
        }
    }

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
        state.settle(&mut told);
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
        state.settle(&mut told);
        state.tell(told);
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let mut state = self.inner.state();
        let mut told = Vec::new();
        let hear = state.hear.remove(&self.id);
        state.shares.leave(self.id, &mut told);
        state.settle(&mut told);
        state.tell(told);
        drop(state);
        // It may be the last that holds something of a run: nobody else waits for that.
        drop(hear);
    }
}

#[cfg(not(all(feature = "process", target_os = "linux", not(tryout_portable))))]
impl State {
    #[expect(clippy::unused_self, clippy::needless_pass_by_ref_mut, reason = "elsewhere there are no locks")]
    fn settle(&mut self, _told: &mut Vec<(MemberId, Allowed)>) {}
}

#[cfg(all(feature = "process", target_os = "linux", not(tryout_portable)))]
impl State {
    /// Another process has come, gone, released something or begun to wait.
    fn others_changed(&mut self) -> Interest {
        let mut told = Vec::new();
        self.settle(&mut told);
        self.tell(told);
        Interest::Kept
    }

    /// Takes the locks that the runs of this process want and may have, and releases those that they don't use.
    fn settle(&mut self, told: &mut Vec<(MemberId, Allowed)>) {
        let Some(locks) = &mut self.locks else { return };
        let host = self.shares.host().clone();
        let usable = self.shares.usable_gpus();
        let most = part(&host, &usable, locks.others());
        self.shares.set_most(most.clone(), told);
        let (amounts, gpus) = self.shares.wanted_of(&most);
        let tried = locks.take(cores(&amounts), gpus, &usable);
        self.shares.set_there(locks.there(), told);
        let counted = self.shares.counted();
        locks.keep(cores(&amounts).max(cores(&counted.amounts)), gpus, &counted.gpus.unwrap_or_default(), &usable);
        self.shares.set_there(locks.there(), told);
        let (wanted, wanted_gpus) = self.shares.wanted_of(&host);
        let there = locks.there();
        let more = cores(&wanted) > cores(&there.amounts);
        let more_gpus = wanted_gpus > there.gpus.map_or(0, |gpus| gpus.len());
        let waits = tried
            .and_then(|()| locks.wait_for_more(What::Cores, more))
            .and_then(|()| locks.wait_for_more(What::Gpus, more_gpus));
        if let Err(error) = waits {
            log::warn!("the locks of this host can't be used: {error}");
        }
    }
}

/// The part of one process: all of it, unless others wait.
#[cfg(all(feature = "process", target_os = "linux", not(tryout_portable)))]
fn part(host: &Resources, usable: &BTreeSet<u32>, others: Others) -> Resources {
    let processes = others.count + 1;
    let all = (cores(host), host.gpus());
    let most = if others.want_cores { (all.0 / processes).max(1) } else { all.0 };
    let gpus = if others.want_gpus { (all.1.len() / processes as usize).max(1) } else { all.1.len() };
    // Those that nobody here may use come last.
    let (first, rest): (Vec<u32>, Vec<u32>) = all.1.into_iter().partition(|gpu| usable.contains(gpu));
    Resources::cpus(most).with_gpus(first.into_iter().chain(rest).take(gpus))
}

#[cfg(all(feature = "process", target_os = "linux", not(tryout_portable)))]
fn cores(amounts: &Resources) -> u32 {
    let parts = amounts.get("cpu").parts().div_ceil(Amount::whole(1).parts());
    u32::try_from(parts).unwrap_or(u32::MAX)
}
