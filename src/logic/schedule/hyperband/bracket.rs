//! One bracket: trials that run to a milestone, are compared there, and of which the better part runs on to the next.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::plan::{Plan, Start};
use crate::logic::ids::TrialId;
use crate::logic::schedule::AtMaxT;
use crate::logic::state::float;

/// A trial in a bracket.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Member {
    pub(super) trial: TrialId,
    /// The time of its last report, 0 before the first.
    #[serde(with = "float")]
    pub(super) time: f64,
    /// Its last score, of which more is better.
    #[serde(with = "float")]
    pub(super) score: f64,
}

/// A trial that leaves its bracket.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Leaver {
    pub(super) seat: u64,
    pub(super) member: Member,
    pub(super) why: Why,
}

/// Why a trial leaves its bracket.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Why {
    /// It wasn't among the best `kept` of `of` at `milestone`, the worst of which has `least`.
    Behind {
        milestone: u64,
        kept: u64,
        of: usize,
        #[serde(with = "float")]
        least: f64,
    },
    /// The bracket is over.
    Over { milestone: u64 },
}

/// A bracket; its seats are numbered in the order in which trials took them.
#[derive(Clone, Debug)]
pub(super) struct Bracket {
    places: u64,
    milestone: u64,
    pub(super) halvings: u32,
    pub(super) members: BTreeMap<u64, Member>,
    /// How many members haven't reached the milestone.
    behind: usize,
    /// Members that may be launched: those that never were, those that are tried again, and those that got over a
    /// milestone while they were paused.
    pub(super) waiting: BTreeSet<u64>,
    pub(super) next_seat: u64,
    pub(super) work_done: f64,
    work_planned: f64,
    /// The milestone after the last halving.
    last: u64,
}

/// How far a bracket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    /// The time up to which its trials run now.
    pub(super) milestone: u64,
    pub(super) members: usize,
    /// How many of its members haven't got there.
    pub(super) behind: usize,
    /// How many more it takes.
    pub(super) missing: u64,
}

impl Bracket {
    pub(super) fn new(plan: Plan, start: Start) -> Self {
        let work = plan.work(start);
        Self {
            places: start.places,
            milestone: start.milestone,
            halvings: start.halvings,
            members: BTreeMap::new(),
            behind: 0,
            waiting: BTreeSet::new(),
            next_seat: 0,
            work_done: 0.0,
            work_planned: work,
            last: plan.last(start),
        }
    }

    /// The same after so many halvings, with these members.
    pub(super) fn halved(mut self, plan: Plan, halvings: u32, members: BTreeMap<u64, Member>) -> Self {
        for _ in 0..halvings.min(self.halvings) {
            self.fewer(plan);
        }
        self.behind = members.values().filter(|member| member.time < self.milestone as f64).count();
        self.members = members;
        self
    }

    fn fewer(&mut self, plan: Plan) {
        self.halvings -= 1;
        self.places = plan.fewer(self.places);
        self.milestone = plan.later(self.milestone);
    }

    /// All members with their seats.
    pub(super) fn members(&self) -> impl Iterator<Item = (u64, TrialId)> {
        self.members.iter().map(|(seat, member)| (*seat, member.trial))
    }

    /// Whether it takes no more trials for now.
    pub(super) fn is_full(&self) -> bool {
        self.members.len() as u64 >= self.places
    }

    /// A trial takes the next seat.
    pub(super) fn join(&mut self, trial: TrialId) -> u64 {
        let seat = self.next_seat;
        self.next_seat += 1;
        self.members.insert(seat, Member { trial, time: 0.0, score: f64::NAN });
        self.behind += 1; // milestones are 1 at least
        self.waiting.insert(seat);
        seat
    }

    /// The trial of a seat leaves, whatever the reason.
    pub(super) fn leave(&mut self, seat: u64) {
        self.waiting.remove(&seat);
        if let Some(member) = self.members.remove(&seat)
            && member.time < self.milestone as f64
        {
            self.behind -= 1;
        }
    }

    /// The trial of a seat reported: it was launched, and stands here now.
    pub(super) fn reached(&mut self, seat: u64, time: f64, score: f64) {
        self.waiting.remove(&seat);
        let milestone = self.milestone as f64;
        let Some(member) = self.members.get_mut(&seat) else { return };
        self.work_done += time - member.time;
        self.behind -= usize::from(member.time < milestone);
        self.behind += usize::from(time < milestone);
        (member.time, member.score) = (time, score);
    }

    /// Whether the trial of a seat may go on without being compared first.
    pub(super) fn goes_on(&self, seat: u64, at_max_t: AtMaxT) -> bool {
        let below = self.members.get(&seat).is_none_or(|member| member.time < self.milestone as f64);
        below || (at_max_t == AtMaxT::RunOn && self.halvings == 0)
    }

    /// Halves as long as everybody is at the milestone; answers who leaves. `reporter` has a worker: if it goes on, it
    /// doesn't wait for one.
    ///
    /// A halving that leaves only trials beyond the next milestone is followed by the next halving at once.
    pub(super) fn settle(&mut self, plan: Plan, at_max_t: AtMaxT, reporter: Option<u64>) -> Vec<Leaver> {
        let mut leavers = Vec::new();
        while self.behind == 0 && !self.members.is_empty() {
            if self.halvings > 0 {
                self.halve(plan, at_max_t, reporter, &mut leavers);
            } else if at_max_t == AtMaxT::Stop {
                let why = Why::Over { milestone: self.milestone };
                let members = std::mem::take(&mut self.members);
                leavers.extend(members.into_iter().map(|(seat, member)| Leaver { seat, member, why }));
                self.waiting.clear();
            } else {
                break;
            }
        }
        leavers
    }

    fn halve(&mut self, plan: Plan, at_max_t: AtMaxT, reporter: Option<u64>, leavers: &mut Vec<Leaver>) {
        let (at, of) = (self.milestone, self.members.len());
        self.fewer(plan);

        let mut ranked: Vec<(u64, Member)> = self.members.iter().map(|(seat, member)| (*seat, *member)).collect();
        // From worse to better, and the later seat before the earlier one in a tie, as in the reference. NaN is worst.
        ranked.sort_by(|(_, a), (_, b)| {
            let by_score = a.score.partial_cmp(&b.score).unwrap_or(Ordering::Equal);
            b.score.is_nan().cmp(&a.score.is_nan()).then(by_score)
        });
        let losers = of.saturating_sub(usize::try_from(self.places).unwrap_or(usize::MAX));
        let least = ranked.get(losers).map_or(f64::NAN, |(_, member)| member.score);
        let why = Why::Behind { milestone: at, kept: self.places, of, least };
        for (seat, member) in ranked.drain(..losers) {
            self.members.remove(&seat);
            self.waiting.remove(&seat);
            leavers.push(Leaver { seat, member, why });
        }
        self.behind = ranked.iter().filter(|(_, member)| member.time < self.milestone as f64).count();
        for (seat, _) in ranked {
            if self.goes_on(seat, at_max_t) && reporter != Some(seat) {
                self.waiting.insert(seat);
            }
        }
    }

    /// The trial of a seat is pending once more.
    pub(super) fn wait(&mut self, seat: u64) {
        if self.members.contains_key(&seat) {
            self.waiting.insert(seat);
        }
    }

    /// The trials that wait to be launched, in the order of their seats.
    pub(super) fn waiting(&self) -> impl Iterator<Item = (u64, TrialId)> {
        self.waiting.iter().filter_map(|seat| Some((*seat, self.members.get(seat)?.trial)))
    }

    /// Whether anybody waits.
    pub(super) fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// The trial of a seat was launched.
    pub(super) fn launched(&mut self, seat: u64) {
        self.waiting.remove(&seat);
    }

    /// How much of the planned work is done, up to 1.
    pub(super) fn progress(&self) -> f64 {
        (self.work_done / self.work_planned).clamp(0.0, 1.0)
    }

    /// How far it is.
    pub(super) fn standing(&self) -> Standing {
        let members = self.members.len();
        let missing = self.places.saturating_sub(members as u64);
        Standing { milestone: self.milestone, members, behind: self.behind, missing }
    }

    /// The trial of a seat as one that leaves, if it has reached the last milestone.
    pub(super) fn finisher(&self, seat: u64) -> Option<Leaver> {
        let member = *self.members.get(&seat).filter(|member| member.time >= self.last as f64)?;
        Some(Leaver { seat, member, why: Why::Over { milestone: self.last } })
    }
}
