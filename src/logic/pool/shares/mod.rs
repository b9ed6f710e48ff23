//! Several runs on one host: how much of it each may hold at a time.
//!
//! **What is promised.** A run is told a *cap*. What is *counted* for a run is all that it may have by any cap that it may
//! still go by, and all that it holds. The counted parts of all runs never exceed the host, and no GPU is counted for two
//! (the exception: what runs hold beyond their caps by the rule of the pool that one trial that needs only cores can
//! always run; such cores are lent to a run that has nothing and lacks nothing else, or they would never be free). A cap that goes down counts as it was until the run has said that it knows the new one; only then others get what is free. Who is
//! to have how much is said in `fill`: what a run doesn't want is for the others, and nobody starves.
//!
//! A run that is alone has no cap and is asked nothing.

mod claim;
mod fill;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub use claim::{Allowed, Cap, Claim, InUse, Wanted};
use fill::{Part, Portion, fill, less};

use super::resources::{Amount, Resources};

/// A run among those that share a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberId(u64);

/// One run.
#[derive(Debug)]
struct Member {
    /// What it said last; none as long as it is alone, and has all.
    claim: Option<Claim>,
    /// All that it may have or has.
    counted: Cap,
    /// What it was told last.
    told: Option<Arc<Cap>>,
    version: u64,
    /// When it was granted something last.
    since: u64,
}

/// Whether a run that is the only one is told caps too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alone {
    /// It has all, and is asked nothing.
    HasAll,
    /// It is: others that aren't seen here share the host as well.
    IsTold,
}

/// The runs that share a host.
#[derive(Debug)]
pub struct Shares {
    /// What there is in all.
    host: Resources,
    /// What of it all these may have together.
    most: Resources,
    /// What of it is there to be given.
    there: Cap,
    alone: Alone,
    members: BTreeMap<MemberId, Member>,
    joined: u64,
    turn: u64,
}

impl Shares {
    /// Nobody on this host yet.
    pub fn new(host: Resources, alone: Alone) -> Self {
        let there = match alone {
            Alone::HasAll => Cap::all(&host),
            Alone::IsTold => Cap::nothing(&host),
        };
        let most = host.clone();
        Self { host, most, there, alone, members: BTreeMap::new(), joined: 0, turn: 0 }
    }

    /// What there is in all.
    pub fn host(&self) -> &Resources {
        &self.host
    }

    /// The GPUs that some run may use.
    pub fn usable_gpus(&self) -> BTreeSet<u32> {
        let claims = self.members.values().filter_map(|member| member.claim.as_ref());
        claims.flat_map(|claim| claim.may_use.iter().copied()).collect()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there is nobody.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// All that is counted for somebody.
    pub fn counted(&self) -> Cap {
        let mut sum = Cap::nothing(&self.host);
        for member in self.members.values() {
            sum.amounts.add(&member.counted.amounts);
            if let (Some(gpus), Some(own)) = (&mut sum.gpus, &member.counted.gpus) {
                gpus.extend(own);
            }
        }
        sum
    }

    /// What is counted for one.
    pub fn counted_for(&self, member: MemberId) -> Option<&Cap> {
        self.members.get(&member).map(|member| &member.counted)
    }

    /// One more. What each is told is added to `out`: the newcomer too, unless it is alone and has all.
    pub fn join(&mut self, out: &mut Vec<(MemberId, Allowed)>) -> MemberId {
        let id = MemberId(self.joined);
        self.joined += 1;
        let alone = self.members.is_empty() && self.alone == Alone::HasAll;
        let (claim, counted) = match alone {
            true => (None, Cap::all(&self.host)),
            false => (Some(Claim::default()), Cap::nothing(&self.host)),
        };
        self.members.insert(id, Member { claim, counted, told: None, version: 0, since: 0 });
        if !alone {
            let all = Arc::new(Cap::all(&self.host));
            for (&other, member) in self.members.iter_mut().filter(|(_, member)| member.claim.is_none()) {
                member.tell(other, Some(all.clone()), out);
            }
            let nothing = Arc::new(Cap::nothing(&self.host));
            if let Some(member) = self.members.get_mut(&id) {
                member.tell(id, Some(nothing), out);
            }
            self.share_out(out);
        }
        id
    }

    /// One says how it stands, and the number of the last word that it knows.
    pub fn claim(&mut self, id: MemberId, claim: Claim, seen: u64, out: &mut Vec<(MemberId, Allowed)>) {
        let contended = self.members.iter().any(|(&other, member)| other != id && member.starves());
        let Some(member) = self.members.get_mut(&id) else { return };
        let Some(told) = &member.told else { return };
        let held = Cap {
            amounts: claim.held.clone(),
            names: told.names.clone(),
            gpus: told.gpus.as_ref().map(|_| claim.gpus.keys().copied().collect()),
        };
        let known = if seen == member.version { Cap::clone(told) } else { member.counted.clone() };
        member.counted = known.or(&held);
        let before = member.claim.as_ref();
        let more = before.is_none_or(|before| running(&claim) > running(before));
        if more || (contended && before.is_none_or(|before| claim.grants > before.grants)) {
            self.turn += 1;
            member.since = self.turn;
        }
        member.claim = Some(claim);
        self.share_out(out);
    }

    /// One has gone, with all that it held.
    pub fn leave(&mut self, id: MemberId, out: &mut Vec<(MemberId, Allowed)>) {
        self.members.remove(&id);
        if self.alone == Alone::HasAll
            && self.members.len() == 1
            && let Some((&last, member)) = self.members.iter_mut().next()
        {
            member.claim = None;
            member.counted = Cap::all(&self.host);
            return member.tell(last, None, out);
        }
        self.share_out(out);
    }

    /// So much is there to be given from now on.
    pub fn set_there(&mut self, there: Cap, out: &mut Vec<(MemberId, Allowed)>) {
        self.there = there;
        self.share_out(out);
    }

    /// So much may all these have together from now on.
    pub fn set_most(&mut self, most: Resources, out: &mut Vec<(MemberId, Allowed)>) {
        self.most = most;
        self.share_out(out);
    }

    /// What all these are to have within `most`: what is worth having at hand, and GPUs by number.
    pub fn wanted_of(&self, most: &Resources) -> (Resources, usize) {
        let (_, portions) = self.portions(most);
        let mut sum = Resources::new();
        portions.iter().for_each(|portion| sum.add(&portion.amounts));
        (sum, portions.iter().map(|portion| portion.gpus).sum())
    }

    fn portions(&self, most: &Resources) -> (Vec<MemberId>, Vec<Portion>) {
        let claimed = self.members.iter().filter_map(|(&id, member)| Some((id, member.claim.as_ref()?, member.since)));
        let (ids, parts): (Vec<_>, Vec<_>) = claimed.map(|(id, claim, since)| (id, Part { claim, since })).unzip();
        let portions = fill(most, &parts);
        (ids, portions)
    }

    /// Tells everybody whose cap changes.
    fn share_out(&mut self, out: &mut Vec<(MemberId, Allowed)>) {
        let (ids, portions) = self.portions(&self.most);
        let counted = self.counted();
        let mut free = Resources::new();
        for name in &self.there.names {
            free.set(name, less(self.there.amounts.get(name), counted.amounts.get(name)));
        }
        let taken = counted.gpus.unwrap_or_default();
        let mut gpus: BTreeSet<u32> =
            self.there.gpus.iter().flatten().copied().filter(|gpu| !taken.contains(gpu)).collect();
        let mut order: Vec<(MemberId, Portion)> = ids.into_iter().zip(portions).collect();
        // Whoever was granted something least recently is given first what has become free.
        order.sort_by_key(|(id, _)| self.members.get(id).map(|member| (!member.starves(), member.since)));
        for (id, portion) in order {
            let Some(member) = self.members.get_mut(&id) else { continue };
            let more = less(portion.amounts.get("cpu"), member.counted.amounts.get("cpu"));
            let lent = less(more, free.get("cpu")).min(portion.lent);
            free.set("cpu", Amount::from_parts(free.get("cpu").parts() + lent.parts()));
            let cap = member.cap(&portion, &mut free, &mut gpus);
            if member.told.as_deref() != Some(&cap) {
                member.tell(id, Some(Arc::new(cap)), out);
            }
        }
    }
}

fn running(claim: &Claim) -> usize {
    claim.wants.iter().map(|wanted| wanted.running).sum()
}

impl Member {
    fn starves(&self) -> bool {
        self.claim.as_ref().is_some_and(Claim::starves)
    }

    fn tell(&mut self, id: MemberId, cap: Option<Arc<Cap>>, out: &mut Vec<(MemberId, Allowed)>) {
        self.version += 1;
        if let Some(cap) = &cap {
            self.counted = self.counted.or(cap);
        }
        self.told.clone_from(&cap);
        out.push((id, Allowed { version: self.version, cap }));
    }

    /// The cap that comes next to a portion: what is more than is counted for it is taken from what is free.
    fn cap(&self, portion: &Portion, free: &mut Resources, gpus: &mut BTreeSet<u32>) -> Cap {
        let mut cap = Cap { amounts: Resources::new(), names: self.counted.names.clone(), gpus: None };
        for name in &cap.names {
            let (most, counted) = (portion.amounts.get(name), self.counted.amounts.get(name));
            let more = less(most, counted).min(free.get(name));
            free.set(name, less(free.get(name), more));
            cap.amounts.set(name, Amount::from_parts(most.min(counted).parts() + more.parts()));
        }
        cap.gpus = self.counted.gpus.as_ref().map(|counted| self.choose(counted, portion.gpus, gpus));
        cap
    }

    /// So many GPUs: those that trials have, those of idle workers, others that count for it, and free ones.
    fn choose(&self, counted: &BTreeSet<u32>, most: usize, free: &mut BTreeSet<u32>) -> BTreeSet<u32> {
        let none = Claim::default();
        let claim = self.claim.as_ref().unwrap_or(&none);
        let mut own: Vec<u32> = counted.iter().copied().filter(|gpu| claim.may_use.contains(gpu)).collect();
        own.sort_by_key(|gpu| (std::cmp::Reverse(claim.gpus.get(gpu).copied()), *gpu));
        own.truncate(most);
        let new: Vec<u32> =
            free.iter().copied().filter(|gpu| claim.may_use.contains(gpu)).take(most - own.len()).collect();
        free.retain(|gpu| !new.contains(gpu));
        own.into_iter().chain(new).collect()
    }
}

impl Cap {
    /// The larger of both, in everything.
    fn or(&self, other: &Self) -> Self {
        let mut amounts = Resources::new();
        for name in &self.names {
            amounts.set(name, self.amounts.get(name).max(other.amounts.get(name)));
        }
        let gpus = self.gpus.as_ref().map(|gpus| gpus.iter().chain(other.gpus.iter().flatten()).copied().collect());
        Self { amounts, names: self.names.clone(), gpus }
    }
}
