//! Who is to have how much: dominant resource fairness, one request after the other.
//!
//! A run's share is the largest part that it has of anything. The next request served is always one of the run with the smallest
//! share. Equal shares: a run none of whose trials has anything comes first, then the one that was granted something least
//! recently. A run that has got nothing, and whose request doesn't fit in what is left, has what is left kept for it: so what
//! ends goes to it until it fits.
//!
//! It is done twice. From scratch, it says what each should have: whoever has more gives way as its trials end. From how things
//! stand, where what trials have can't be had, it says who is next to get what is there. A run is to have the smaller of both.

use std::cmp::Ordering;
use std::sync::Arc;

use super::claim::{Claim, InUse, Wanted};
use crate::logic::pool::gpus::pieces;
use crate::logic::pool::request::ResourceRequest;
use crate::logic::pool::resources::{Amount, Resources};

const WHOLE: u64 = Amount::whole(1).parts();

/// What a run is to have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Portion {
    pub(super) amounts: Resources,
    pub(super) gpus: usize,
    /// The cores among them that trials have which can always run.
    pub(super) lent: Amount,
}

/// Who takes part.
pub(super) struct Part<'a> {
    pub(super) claim: &'a Claim,
    /// When it was granted something last.
    pub(super) since: u64,
}

impl Part<'_> {
    /// What its trials have.
    fn busy(&self) -> Portion {
        let gpus = self.claim.gpus.values().filter(|how| **how == InUse::Busy).count();
        Portion { amounts: self.claim.busy.clone(), gpus, lent: Amount::ZERO }
    }

    /// The same with a trial less.
    fn less_one(&self) -> Portion {
        let mut left = self.busy();
        if let Some(one) = self.claim.wants.iter().find(|wanted| wanted.running > 0) {
            for (name, amount) in one.request.total().iter().filter(|(name, _)| *name != "gpu") {
                left.amounts.set(name, less(left.amounts.get(name), amount));
            }
            let gpus: u64 = parts_of(&one.request).map(|parts| parts.div_ceil(WHOLE)).sum();
            left.gpus = left.gpus.saturating_sub(gpus as usize);
        }
        left
    }
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

/// Where to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum From {
    Scratch,
    Now,
}

/// What each is to have, in the order of `parts`.
pub(super) fn fill(host: &Resources, parts: &[Part<'_>]) -> Vec<Portion> {
    let (fair, now) = (fill_from(From::Scratch, host, parts), fill_from(From::Now, host, parts));
    let give_way = who_gives_way(host, parts, &fair);
    let all = fair.iter().zip(&now).zip(parts).zip(give_way);
    all.map(|(((fair, now), part), give_way)| {
        let portion = fair.and(now);
        if give_way { portion.and(&part.less_one()) } else { portion }
    })
    .collect()
}

/// Those whose trials have as much as those of one that has more than it should: whoever's trial ends first gives way.
fn who_gives_way(host: &Resources, parts: &[Part<'_>], fair: &[Portion]) -> Vec<bool> {
    let all = Portion { amounts: host.amounts(), gpus: host.gpus().len(), lent: Amount::ZERO };
    let shares: Vec<f64> = parts.iter().map(|part| part.busy().share(&all)).collect();
    let over = parts.iter().zip(fair).zip(&shares).filter(|((part, fair), _)| !fair.covers(&part.busy(), &all));
    let least = over.map(|(_, share)| *share).fold(f64::INFINITY, f64::min);
    shares.into_iter().map(|share| share > 0.0 && share >= least).collect()
}

fn fill_from(from: From, host: &Resources, parts: &[Part<'_>]) -> Vec<Portion> {
    let mut left = host.amounts();
    let mut gpus = host.gpus().len();
    left.set("gpu", Amount::ZERO);
    let all = Portion { amounts: left.clone(), gpus, lent: Amount::ZERO };
    let mut to_lend = Amount::ZERO;
    let mut served: Vec<Served<'_>> = parts.iter().map(|part| Served::new(part, host)).collect();
    if from == From::Now {
        served.iter_mut().for_each(|one| one.keep_busy(&mut left, &mut gpus, &all.amounts));
        to_lend = Amount::from_parts(parts.iter().map(|part| part.claim.always_runs().parts()).sum());
    }
    loop {
        let open = served.iter_mut().filter(|one| !one.open.is_empty());
        let Some(next) = open.min_by(|one, other| one.order(other, &all)) else { break };
        next.borrow(&mut left, gpus, &mut to_lend, &all.amounts);
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
            let more = less(held, has).min(left.get(name));
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

/// Requests with how many there are of each, the first one last.
fn open(claim: &Claim, count: fn(&Wanted) -> usize) -> Vec<(Arc<ResourceRequest>, usize)> {
    let counted = claim.wants.iter().rev().map(|wanted| (wanted.request.clone(), count(wanted)));
    counted.filter(|(_, count)| *count > 0).collect()
}

impl Portion {
    /// Whether it has all of another, as far as that is shared.
    fn covers(&self, other: &Self, all: &Self) -> bool {
        let has =
            |(name, amount): (&str, Amount)| all.amounts.get(name) == Amount::ZERO || self.amounts.get(name) >= amount;
        other.amounts.iter().all(has) && self.gpus >= other.gpus
    }

    /// The largest part of anything.
    fn share(&self, all: &Self) -> f64 {
        let of = |(name, amount): (&str, Amount)| match all.amounts.get(name).parts() {
            0 => 0.0,
            most => amount.parts() as f64 / most as f64,
        };
        self.amounts.iter().map(of).fold(self.gpus as f64 / all.gpus.max(1) as f64, f64::max)
    }

    /// The smaller of both, in everything.
    fn and(&self, other: &Self) -> Self {
        let mut amounts = Resources::new();
        for (name, amount) in self.amounts.iter() {
            amounts.set(name, amount.min(other.amounts.get(name)));
        }
        Self { amounts, gpus: self.gpus.min(other.gpus), lent: self.lent.max(other.lent) }
    }
}

impl<'a> Served<'a> {
    fn new(part: &'a Part<'a>, host: &Resources) -> Self {
        let mut all = open(part.claim, |wanted| wanted.waiting);
        all.extend(open(part.claim, |wanted| wanted.running));
        let most_gpus = host.gpus().iter().filter(|gpu| part.claim.may_use.contains(gpu)).count();
        let starves = part.claim.starves();
        Self { part, starves, portion: Portion::default(), free: Vec::new(), most_gpus, open: all }
    }

    /// Who is served first.
    fn order(&self, other: &Self, all: &Portion) -> Ordering {
        let shares = self.portion.share(all).total_cmp(&other.portion.share(all));
        shares.then(other.starves.cmp(&self.starves)).then(self.part.since.cmp(&other.part.since))
    }

    /// A run that starves, and lacks nothing but cores, has those that trials have which can always run: they are had beyond all
    /// caps, again and again, and would else never be free.
    fn borrow(&mut self, left: &mut Resources, gpus: usize, to_lend: &mut Amount, all: &Resources) {
        let Some((request, _)) = self.open.last().filter(|_| self.starves && self.portion == Portion::default()) else {
            return;
        };
        let total = request.total();
        let lacks = |(name, amount): (&str, Amount)| all.get(name) > Amount::ZERO && left.get(name) < amount;
        let (_, more) = self.placed(request);
        let short = less(total.get("cpu"), left.get("cpu"));
        if total.iter().filter(|(name, _)| !["cpu", "gpu"].contains(name)).any(lacks)
            || more > gpus.min(self.most_gpus)
            || short > *to_lend
        {
            return;
        }
        left.set("cpu", Amount::from_parts(left.get("cpu").parts() + short.parts()));
        *to_lend = less(*to_lend, short);
        self.portion.lent = short;
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

    /// Begins with what its trials have.
    fn keep_busy(&mut self, left: &mut Resources, gpus: &mut usize, all: &Resources) {
        let claim = self.part.claim;
        for wanted in &claim.wants {
            for _ in 0..wanted.running {
                (self.free, _) = self.placed(&wanted.request);
            }
        }
        self.open = open(claim, |wanted| wanted.waiting);
        for (name, busy) in claim.busy.iter().filter(|(name, _)| all.get(name) > Amount::ZERO) {
            self.portion.amounts.set(name, busy);
            left.set(name, less(left.get(name), busy));
        }
        self.portion.gpus = self.part.busy().gpus;
        *gpus = gpus.saturating_sub(self.portion.gpus);
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
