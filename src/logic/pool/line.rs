//! The line of waiting requests: first come, first served, with a bound on overtaking.
//!
//! **The rule.** Requests are numbered as they arrive. Equal requests are served in that order. A request may be served
//! before an earlier one of another kind that can't be served yet, because it is smaller or because a worker of its kind
//! has become free: it overtakes it. Each waiting request counts how often it was overtaken. One that was overtaken as
//! often as the settings allow is a *barrier*: nothing that came later is served before it. So is one that already had a
//! worker, which it couldn't use, and that could not simply be given that worker's place.
//!
//! **Nobody starves.** Let a feasible request arrive when `L` leases are running and `E` requests wait. While it waits, at
//! most `E` grants go to earlier requests and at most `overtaking` to later ones. So at most `L + E + overtaking` leases
//! exist while it waits. When the last of these has ended, and its worker with it, only idle workers hold anything, those
//! are stopped for whoever is first in line, and the first in line fits an empty machine, as every feasible request does.
//! Hence it is granted after at most `L + E + overtaking` ends of leases. (Resources that an abandoned worker holds for
//! ever are the exception: they make a machine smaller without saying so.)
//!
//! **The cost.** Only the first of each kind can be served, so only those are looked at. It suffices to count for these:
//! whoever overtakes a later one of a kind overtakes the first of it too, and the numbers of the overtakers, of which there
//! are never more than `overtaking`, tell how many of them overtook the next one when it becomes first.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use super::kinds::KindId;
use crate::logic::ids::TrialId;

/// Which workers will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wants {
    /// A fresh one or a used one.
    Any,
    /// A fresh one: a used one couldn't be reset.
    Fresh,
}

/// A waiting request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Waiter {
    pub(super) trial: TrialId,
    pub(super) ticket: u32,
    /// Its number in the order of arrival.
    pub(super) number: u64,
    pub(super) wants: Wants,
}

/// The waiting requests of one kind.
#[derive(Debug, Default)]
struct Queue {
    waiters: BTreeMap<u64, Waiter>,
    first: Option<u64>,
    /// The numbers of those that overtook the first one.
    overtakers: Vec<u64>,
    /// Only workers from elsewhere can serve it: it is in nobody's way.
    aside: bool,
}

/// All waiting requests.
#[derive(Debug)]
pub(super) struct Line {
    /// By kind.
    queues: Vec<Queue>,
    /// The first of each kind.
    firsts: BTreeMap<u64, KindId>,
    /// Those of them that nobody may overtake any more.
    barriers: BTreeSet<u64>,
    overtaking: usize,
    arrivals: u64,
    len: usize,
}

impl Line {
    pub(super) fn new(overtaking: u32) -> Self {
        Self {
            queues: Vec::new(),
            firsts: BTreeMap::new(),
            barriers: BTreeSet::new(),
            overtaking: overtaking as usize,
            arrivals: 0,
            len: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// A number for a new arrival.
    pub(super) fn arrive(&mut self) -> u64 {
        self.arrivals += 1;
        self.arrivals
    }

    /// How many requests of a kind wait.
    pub(super) fn waiting(&self, kind: KindId) -> usize {
        self.queues.get(kind.index()).map_or(0, |queue| queue.waiters.len())
    }

    /// Whether the requests of this kind stand aside: nobody here can serve them, and they are in nobody's way.
    pub(super) fn set_aside(&mut self, kind: KindId, aside: bool) {
        if self.queues.len() <= kind.index() {
            self.queues.resize_with(kind.index() + 1, Queue::default);
        }
        let queue = &mut self.queues[kind.index()];
        if queue.aside != aside {
            queue.aside = aside;
            if let Some(number) = queue.first.take() {
                self.firsts.remove(&number);
                self.barriers.remove(&number);
            }
            self.update_first(kind);
        }
    }

    /// A request, whoever may serve it, to be taken out.
    pub(super) fn any(&self) -> Option<(u64, KindId)> {
        let aside = |(index, queue): (usize, &Queue)| Some((*queue.waiters.keys().next()?, KindId::new(index)));
        self.next_after(0).or_else(|| self.queues.iter().enumerate().find_map(aside))
    }

    /// Lines up a request, at the place that its number gives it.
    pub(super) fn push(&mut self, kind: KindId, waiter: Waiter) {
        if self.queues.len() <= kind.index() {
            self.queues.resize_with(kind.index() + 1, Queue::default);
        }
        self.queues[kind.index()].waiters.insert(waiter.number, waiter);
        self.len += 1;
        self.update_first(kind);
    }

    /// The first request of a kind.
    pub(super) fn first(&self, kind: KindId) -> Option<Waiter> {
        let queue = self.queues.get(kind.index())?;
        queue.first.and_then(|number| queue.waiters.get(&number).copied())
    }

    /// All requests of a kind, in order.
    pub(super) fn of_kind(&self, kind: KindId) -> impl Iterator<Item = Waiter> {
        self.queues.get(kind.index()).into_iter().flat_map(|queue| queue.waiters.values().copied())
    }

    /// The kind whose first request is the next one after `number`.
    pub(super) fn next_after(&self, number: u64) -> Option<(u64, KindId)> {
        self.firsts.range((Bound::Excluded(number), Bound::Unbounded)).next().map(|(&number, &kind)| (number, kind))
    }

    /// Whether nobody may overtake this one.
    pub(super) fn is_barrier(&self, number: u64) -> bool {
        self.barriers.contains(&number)
    }

    /// Whether no barrier stands before this number.
    pub(super) fn may_go(&self, number: u64) -> bool {
        self.barriers.first().is_none_or(|&barrier| barrier >= number)
    }

    /// This number is served: it overtakes all that wait before it.
    pub(super) fn pass(&mut self, number: u64) {
        for (&first, &kind) in self.firsts.range(..number) {
            let overtakers = &mut self.queues[kind.index()].overtakers;
            overtakers.push(number);
            if overtakers.len() >= self.overtaking {
                self.barriers.insert(first);
            }
        }
    }

    /// Takes a request out, served or not.
    pub(super) fn remove(&mut self, kind: KindId, number: u64) -> Option<Waiter> {
        let waiter = self.queues.get_mut(kind.index())?.waiters.remove(&number)?;
        self.len -= 1;
        self.update_first(kind);
        Some(waiter)
    }

    fn update_first(&mut self, kind: KindId) {
        let queue = &mut self.queues[kind.index()];
        let first = queue.waiters.keys().next().copied();
        if first == queue.first {
            return;
        }
        if let Some(before) = queue.first {
            self.firsts.remove(&before);
            self.barriers.remove(&before);
        }
        queue.first = first;
        let Some(number) = first else {
            queue.overtakers.clear();
            return;
        };
        if queue.aside {
            return queue.overtakers.clear();
        }
        queue.overtakers.retain(|&overtaker| overtaker > number);
        self.firsts.insert(number, kind);
        let returned = queue.waiters.get(&number).is_some_and(|waiter| waiter.wants == Wants::Fresh);
        if returned || queue.overtakers.len() >= self.overtaking {
            self.barriers.insert(number);
        }
    }
}
