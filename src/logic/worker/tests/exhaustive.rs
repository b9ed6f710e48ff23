//! The worker's rules, over every pair of a reachable state and an input. What is owed is counted here, beside the machine.

use std::collections::{BTreeSet, VecDeque};

use super::super::{Call, Wish, Worker, WorkerInput, WorkerOutput};
use super::{fault, first, reported, restore, save, start, train};
use crate::logic::failure::Fault;
use crate::logic::ids::LeaseId;
use crate::logic::metrics::Metrics;
use crate::logic::time::Moment;
use crate::logic::trial::{BatchEnd, Rests, WorkerFact, WorkerOrder};
use crate::logic::wire::Row;

fn results(handed_in: Option<Result<u64, Fault>>) -> WorkerInput {
    let row = Row { metrics: Metrics::new(), seconds: 1.0, at: 1.0 };
    WorkerInput::Results { rows: vec![row], end: None, handed_in }
}

/// All there is, whether it makes sense or not.
fn inputs() -> Vec<WorkerInput> {
    let leases = [1, 2].map(LeaseId::new);
    let orders = [
        start(None),
        start(first(2)),
        restore(),
        train(2),
        save(),
        WorkerOrder::Yield,
        WorkerOrder::Release,
        WorkerOrder::Shutdown,
    ];
    let mut all: Vec<WorkerInput> = leases
        .into_iter()
        .flat_map(|lease| orders.iter().map(move |order| WorkerInput::Order(lease, order.clone())))
        .collect();
    all.extend([Wish::GoOn, Wish::Save, Wish::HandIn, Wish::End].map(reported));
    all.extend([
        WorkerInput::Ready,
        WorkerInput::ResetFailed(fault()),
        WorkerInput::Restored,
        WorkerInput::CheckpointGone,
        WorkerInput::HandedIn(8),
        results(None),
        results(Some(Ok(8))),
        results(Some(Err(fault()))),
        WorkerInput::Ended,
        WorkerInput::Saved(Some(8)),
        WorkerInput::Saved(None),
        WorkerInput::Failed(fault()),
        WorkerInput::AtRest,
        WorkerInput::Tick,
    ]);
    all
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Begin,
    Restore,
    Work,
    Save,
    Rest,
    End,
}

fn kind(call: &Call) -> Kind {
    match call {
        Call::Begin { .. } => Kind::Begin,
        Call::Restore(_) => Kind::Restore,
        Call::Work(_) => Kind::Work,
        Call::Save { .. } => Kind::Save,
        Call::Rest => Kind::Rest,
        Call::End => Kind::End,
    }
}

/// What the other end of the machine knows of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Ledger {
    call: Option<Kind>,
    lease: u64,
    over: u64,
    /// Answers that are due, in their order, with their leases.
    owed: VecDeque<(u64, Kind)>,
    /// Reports that were made and not handed in.
    unsaid: usize,
    released: bool,
    failed: bool,
    ended: bool,
}

impl Ledger {
    fn ordered(&mut self, lease: u64, order: &WorkerOrder) {
        let dead = self.ended || lease <= self.over;
        match order {
            WorkerOrder::Shutdown => {
                self.owed.clear();
                (self.ended, self.unsaid) = (true, 0);
            }
            _ if dead => {}
            WorkerOrder::Release => {
                self.owed.retain(|(owed, _)| *owed > lease);
                if lease < self.lease {
                    // Another trial has the worker already.
                    self.over = lease;
                    return;
                }
                (self.over, self.lease, self.released, self.failed, self.unsaid) = (lease, lease, false, false, 0);
            }
            WorkerOrder::Yield => {}
            WorkerOrder::GoOn { .. } => unreachable!("it never reaches a worker"),
            WorkerOrder::Start { first, .. } => {
                self.owed.push_back((lease, Kind::Begin));
                self.owed.extend(first.map(|_| (lease, Kind::Work)));
            }
            WorkerOrder::Restore { .. } => self.owed.push_back((lease, Kind::Restore)),
            WorkerOrder::Train { .. } => self.owed.push_back((lease, Kind::Work)),
            WorkerOrder::Save { .. } => self.owed.push_back((lease, Kind::Save)),
        }
    }

    /// Whether an input answers the call under way.
    fn answers(&self, input: &WorkerInput) -> bool {
        match (self.call, input) {
            (Some(Kind::Begin), WorkerInput::Ready)
            | (Some(Kind::Restore), WorkerInput::Restored | WorkerInput::CheckpointGone)
            | (Some(Kind::Work), WorkerInput::Reported { .. } | WorkerInput::Results { .. })
            | (Some(Kind::Work), WorkerInput::HandedIn(_) | WorkerInput::Ended)
            | (Some(Kind::Save), WorkerInput::Saved(_))
            | (Some(Kind::Rest), WorkerInput::AtRest) => true,
            (Some(call), WorkerInput::Failed(_) | WorkerInput::ResetFailed(_)) => {
                !matches!(call, Kind::Rest | Kind::End)
            }
            _ => false,
        }
    }

    fn said(&mut self, lease: u64, fact: &WorkerFact) {
        let answer = match fact {
            WorkerFact::Released => {
                assert!(lease == self.over && !self.released, "released once, under the lease that is over");
                self.released = true;
                return;
            }
            WorkerFact::Ready | WorkerFact::ResetFailed(_) => Kind::Begin,
            WorkerFact::Restored | WorkerFact::CheckpointGone => Kind::Restore,
            WorkerFact::Reported(batch) => {
                assert_eq!(batch.reports.len(), std::mem::take(&mut self.unsaid), "all reports are handed in");
                assert!(!batch.reports.is_empty() || batch.end == BatchEnd::Done || batch.handed_in.is_some());
                Kind::Work
            }
            WorkerFact::Saved(_) => Kind::Save,
            WorkerFact::Failed(_) => {
                assert_eq!(self.unsaid, 0, "reports come before the fault");
                if let Some((owed, _)) = self.owed.front().filter(|(owed, _)| *owed != self.lease && *owed == lease) {
                    assert_eq!(*owed, lease);
                    self.owed.pop_front();
                    return;
                }
                self.owed.retain(|(owed, _)| *owed != lease);
                self.failed = true;
                return;
            }
            WorkerFact::Gone => panic!("that is for the shell to say"),
        };
        assert!(lease > self.over, "nothing is said of a trial that has left");
        assert_eq!(self.owed.pop_front(), Some((lease, answer)), "facts answer orders, in their order");
        if matches!(fact, WorkerFact::ResetFailed(_)) {
            self.owed.retain(|(owed, _)| *owed != lease);
            self.failed = true;
        }
    }

    /// What the machine did, held against what it may do.
    fn heed(&mut self, input: &WorkerInput, out: &[WorkerOutput]) {
        let answered = self.answers(input);
        match input {
            WorkerInput::Order(lease, order) => self.ordered(lease.number(), order),
            WorkerInput::Reported { .. } | WorkerInput::Results { .. } if answered => self.unsaid += 1,
            _ => {}
        }
        // A report with a checkpoint to come is half an answer.
        let half = matches!(input, WorkerInput::Reported { wish: Wish::HandIn, .. });
        if answered && !half {
            self.call = None;
        }
        for (at, output) in out.iter().enumerate() {
            match output {
                WorkerOutput::Hurry => assert_eq!(self.call, Some(Kind::Work), "there is a batch to hurry"),
                WorkerOutput::Say(lease, fact) => {
                    if matches!(fact, WorkerFact::Reported(_)) {
                        self.call = self.call.filter(|call| *call != Kind::Work);
                    }
                    self.said(lease.number(), fact);
                }
                WorkerOutput::Call(call) => {
                    assert_eq!(at + 1, out.len(), "a call comes last: {out:?}");
                    let call = kind(call);
                    assert!(
                        self.call.is_none() || matches!(call, Kind::Rest | Kind::End),
                        "one call at a time: {out:?}"
                    );
                    if call == Kind::Begin
                        && let Some((lease, _)) = self.owed.front()
                    {
                        (self.lease, self.failed) = (*lease, false);
                    }
                    self.call = Some(call);
                }
            }
        }
        if self.ended && !matches!(input, WorkerInput::Order(_, WorkerOrder::Shutdown)) {
            assert_eq!(out, [], "nothing comes after the end");
        }
        if self.call.is_none() && !self.ended {
            let waits: Vec<_> = self.owed.iter().filter(|(lease, _)| !self.failed || *lease != self.lease).collect();
            assert!(waits.is_empty(), "{waits:?} are owed, and nothing is under way");
            assert!(
                self.released || self.over == 0 || self.lease > self.over,
                "the worker is at rest, and hasn't said so"
            );
        }
        if self.failed {
            // What is ordered after a failure is dropped.
            let lease = self.lease;
            self.owed.retain(|(owed, _)| *owed != lease);
        }
    }
}

struct Reached {
    worker: Worker,
    ledger: Ledger,
    way: Vec<WorkerInput>,
}

fn reached(rests: Rests, depth: usize) -> Vec<Reached> {
    let inputs = inputs();
    let mut all = vec![Reached { worker: Worker::new(rests, 0.0), ledger: Ledger::default(), way: Vec::new() }];
    let mut known = BTreeSet::new();
    let mut next = 0;
    while let Some(from) = all.get(next) {
        next += 1;
        if from.way.len() == depth {
            continue;
        }
        let (worker, ledger, way) = (from.worker.clone(), from.ledger.clone(), from.way.clone());
        for input in &inputs {
            let (mut worker, mut ledger, mut out) = (worker.clone(), ledger.clone(), Vec::new());
            worker.on(input.clone(), Moment::START, &mut out);
            let mut way = way.clone();
            way.push(input.clone());
            let held = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| ledger.heed(input, &out)));
            assert!(held.is_ok(), "{way:#?} led to {out:#?}");
            if known.insert(format!("{worker:?}")) {
                all.push(Reached { worker, ledger, way });
            }
        }
    }
    all
}

/// The answer that a sound trainable gives.
fn answer(call: Kind) -> WorkerInput {
    match call {
        Kind::Begin => WorkerInput::Ready,
        Kind::Restore => WorkerInput::Restored,
        Kind::Work => reported(Wish::GoOn),
        Kind::Save => WorkerInput::Saved(Some(8)),
        Kind::Rest => WorkerInput::AtRest,
        Kind::End => panic!("there is none"),
    }
}

#[test]
fn every_input_is_answered_in_every_state_and_all_that_is_owed_is_paid() {
    for rests in [Rests::AtOnce, Rests::WhenReleased] {
        let all = reached(rests, 4);
        assert!(all.len() > 500, "{} states", all.len());
        for Reached { mut worker, mut ledger, way } in all {
            let mut steps = 0;
            while let Some(call) = ledger.call.filter(|call| *call != Kind::End) {
                let (input, mut out) = (answer(call), Vec::new());
                worker.on(input.clone(), Moment::START, &mut out);
                ledger.heed(&input, &out);
                steps += 1;
                assert!(steps < 20, "after {way:#?} it works for ever");
            }
            assert!(ledger.ended || ledger.owed.is_empty(), "after {way:#?} {ledger:?}");
        }
    }
}

/// Long walks, which reach what no short one does: orders by chance, answers mostly as a sound trainable gives them.
#[test]
fn long_walks_break_no_rule() {
    let (inputs, mut noise) = (inputs(), 1_u64);
    let mut next = |below: usize| {
        noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (noise >> 33) as usize % below
    };
    for walk in 0..400 {
        let rests = if walk % 2 == 0 { Rests::AtOnce } else { Rests::WhenReleased };
        let (mut worker, mut ledger, mut lease) = (Worker::new(rests, 0.0), Ledger::default(), 1_u64);
        let mut way = Vec::new();
        for step in 0..200 {
            let input = match ledger.call.filter(|call| *call != Kind::End && next(4) > 0) {
                Some(call) => answer(call),
                None => inputs[next(inputs.len())].clone(),
            };
            // Leases grow, and a walk has no end but its last step.
            let input = match input {
                WorkerInput::Order(_, WorkerOrder::Shutdown) if step < 190 => continue,
                // A worker has no other tenant before the last one has left it.
                WorkerInput::Order(_, WorkerOrder::Start { .. }) if lease > 1 && ledger.over < lease => continue,
                WorkerInput::Order(_, order @ WorkerOrder::Start { .. }) => {
                    lease += 1;
                    WorkerInput::Order(LeaseId::new(lease), order)
                }
                WorkerInput::Order(back, order) => {
                    WorkerInput::Order(LeaseId::new((lease + 1).saturating_sub(back.number()).max(1)), order)
                }
                input => input,
            };
            let mut out = Vec::new();
            worker.on(input.clone(), Moment::START, &mut out);
            way.push(input);
            let held =
                std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| ledger.heed(&way[way.len() - 1], &out)));
            let last = way.get(way.len().saturating_sub(12)..).unwrap_or_default();
            assert!(held.is_ok(), "after {last:?} {ledger:?} {out:?}");
        }
    }
}
