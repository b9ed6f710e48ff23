//! Who is to have how much: dominant resource fairness, one request after the other.
//!
//! A run's share is the largest part that it has of anything. The next request served is always one of the run with the smallest
//! share. Equal shares: a run none of whose trials has anything comes first, then the one that was granted something least
//! recently. A run that has got nothing, and whose request doesn't fit in what is left, has what is left kept for it: so what
//! ends goes to it until it fits.

use std::cmp::Ordering;
use std::sync::Arc;

use super::claim::{Claim, Wanted};
use crate::logic::pool::gpus::pieces;
use crate::logic::pool::request::ResourceRequest;
use crate::logic::pool::resources::{Amount, Resources};

const WHOLE: u64 = Amount::whole(1).parts();

/// What a run is to have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Portion {
    pub(super) amounts: Resources,
    pub(super) gpus: usize,
}

/// Who takes part.
pub(super) struct Part<'a> {
    pub(super) claim: &'a Claim,
    /// When it was granted something last.
    pub(super) since: u64,
}

/// A run that is being served.
struct Served<'a> {
    part: &'a Part<'a>,
    starves: bool,
    portion: Portion,
    /// What is free on the GPUs that it is to have.
    free: Vec<u64>,
    most_gpus: usize,
    /// What is still to be served, the next one last.
    open: Vec<(Arc<ResourceRequest>, usize)>,
}

/// What each is to have, in the order of `parts`.
pub(super) fn fill(host: &Resources, parts: &[Part<'_>]) -> Vec<Portion> {
    let mut left = host.amounts();
    let mut gpus = host.gpus().len();
    left.set("gpu", Amount::ZERO);
    let all = Portion { amounts: left.clone(), gpus };
    let mut served: Vec<Served<'_>> = parts.iter().map(|part| Served::new(part, host)).collect();
    loop {
        let open = served.iter_mut().filter(|one| !one.open.is_empty());
        let Some(next) = open.min_by(|one, other| one.order(other, &all)) else { break };
        next.serve(&mut left, &mut gpus, &all.amounts);
    }
    keep_idle(&mut served, &mut left, &mut gpus);
    served.into_iter().map(|one| one.portion).collect()
}

/// Whoever has idle workers keeps them as long as nobody needs what they hold.
fn keep_idle(served: &mut [Served<'_>], left: &mut Resources, gpus: &mut usize) {
    for one in served {
        let claim = one.part.claim;
        for (name, held) in claim.held.iter() {
            let has = one.portion.amounts.get(name);
            let more = less(held, has).min(left.get(name)).min(claim.idle.get(name));
            one.portion.amounts.set(name, Amount::from_parts(has.parts() + more.parts()));
            left.set(name, less(left.get(name), more));
        }
        let more = claim.gpus.len().saturating_sub(one.portion.gpus).min(*gpus);
        one.portion.gpus += more;
        *gpus -= more;
    }
}

pub(super) fn less(amount: Amount, other: Amount) -> Amount {
    Amount::from_parts(amount.parts().saturating_sub(other.parts()))
}

/// The parts of GPUs that a request asks for, in the order in which they are placed.
fn parts_of(request: &ResourceRequest) -> impl Iterator<Item = u64> {
    pieces(request).into_iter().map(|piece| piece.amount().parts())
}

impl<'a> Served<'a> {
    fn new(part: &'a Part<'a>, host: &Resources) -> Self {
        let wants = &part.claim.wants;
        let count = |count: fn(&Wanted) -> usize| {
            wants.iter().map(move |wanted| (wanted.request.clone(), count(wanted))).filter(|(_, count)| *count > 0)
        };
        let mut open: Vec<_> = count(|wanted| wanted.running).chain(count(|wanted| wanted.waiting)).collect();
        open.reverse();
        let most_gpus = host.gpus().iter().filter(|gpu| part.claim.may_use.contains(gpu)).count();
        let starves = part.claim.starves();
        Self { part, starves, portion: Portion::default(), free: Vec::new(), most_gpus, open }
    }

    /// Who is served first.
    fn order(&self, other: &Self, all: &Portion) -> Ordering {
        let shares = self.share(all).total_cmp(&other.share(all));
        shares.then(other.starves.cmp(&self.starves)).then(self.part.since.cmp(&other.part.since))
    }

    /// The largest part of anything.
    fn share(&self, all: &Portion) -> f64 {
        let of = |(name, amount): (&str, Amount)| amount.parts() as f64 / all.amounts.get(name).parts().max(1) as f64;
        let gpus = self.portion.gpus as f64 / all.gpus.max(1) as f64;
        self.portion.amounts.iter().map(of).fold(gpus, f64::max)
    }

    /// Serves its next request, or has what is left kept for it.
    fn serve(&mut self, left: &mut Resources, gpus: &mut usize, all: &Resources) {
        let Some((request, count)) = self.open.pop() else { return };
        let shared = |name: &str| all.get(name) > Amount::ZERO;
        let fits = |(name, amount): (&str, Amount)| !shared(name) || left.get(name) >= amount;
        let (free, more) = self.placed(&request);
        if request.total().iter().filter(|(name, _)| *name != "gpu").all(fits)
            && more <= *gpus
            && self.portion.gpus + more <= self.most_gpus
        {
            self.take(&request, more, left, gpus);
            self.free = free;
            if count > 1 {
                self.open.push((request, count - 1));
            }
            return;
        }
        if self.portion == Portion::default() {
            self.take(&request, more.min(*gpus).min(self.most_gpus), left, gpus);
        }
        // Whoever can't go on leaves the rest to others.
        self.open.clear();
    }

    fn take(&mut self, request: &ResourceRequest, more: usize, left: &mut Resources, gpus: &mut usize) {
        for (name, amount) in request.total().iter().filter(|(name, _)| *name != "gpu") {
            let taken = left.get(name).min(amount);
            left.set(name, less(left.get(name), taken));
            let has = self.portion.amounts.get(name);
            self.portion.amounts.set(name, Amount::from_parts(has.parts() + taken.parts()));
        }
        self.portion.gpus += more;
        *gpus -= more;
    }

    /// What would be free on its GPUs with one more such request, and how many more GPUs it would take.
    fn placed(&self, request: &ResourceRequest) -> (Vec<u64>, usize) {
        let (mut free, mut more) = (self.free.clone(), 0);
        for parts in parts_of(request) {
            if parts >= WHOLE {
                more += (parts / WHOLE) as usize;
                continue;
            }
            match free.iter_mut().filter(|free| **free >= parts).min() {
                Some(room) => *room -= parts,
                None => {
                    free.push(WHOLE - parts);
                    more += 1;
                }
            }
        }
        (free, more)
    }
}
