//! An engine that is lost at any moment: the next one is given just what follows the reports that it has.

use proptest::prelude::*;

use super::*;
use crate::logic::config::Config;
use crate::logic::worker::{Relay, Says};

/// A worker, what is remembered of it, and the engine.
struct Talk {
    worker: Worker,
    relay: Relay,
    lease: LeaseId,
    seconds: u64,
    /// What the engine has heard of the trial, in this session and those before.
    heard: Vec<Report>,
    /// Whether it waits for a batch.
    waits: bool,
    batch: u32,
    /// Whether the worker was told to make one.
    works: bool,
    refused: bool,
    saved: Vec<Option<u64>>,
    failed: bool,
}

impl Talk {
    fn begin(batch: u32) -> Self {
        let mut talk = Self {
            worker: Worker::new(Rests::AtOnce, 1000.0),
            relay: Relay::default(),
            lease: LeaseId::new(5),
            seconds: 0,
            heard: Vec::new(),
            waits: true,
            batch,
            works: false,
            refused: false,
            saved: Vec::new(),
            failed: false,
        };
        talk.order(start(first(batch)));
        talk
    }

    fn order(&mut self, order: WorkerOrder) {
        let mut out = Vec::new();
        self.relay.on_order(self.lease, order, &mut out);
        self.say(out);
    }

    fn say(&mut self, out: Vec<Says>) {
        for says in out {
            match says {
                Says::ToWorker(lease, order) => self.tell_worker(WorkerInput::Order(lease, order)),
                Says::ToEngine(lease, fact) => {
                    assert_eq!(lease, self.lease);
                    match fact {
                        WorkerFact::Reported(batch) => {
                            assert!(std::mem::take(&mut self.waits), "it didn't ask for a batch");
                            assert!(batch.reports.len() <= self.batch as usize);
                            self.heard.extend(batch.reports);
                        }
                        WorkerFact::Saved(checkpoint) => {
                            self.saved.push(checkpoint.map(|checkpoint| checkpoint.report.iteration()));
                        }
                        WorkerFact::ResetFailed(_) => self.refused = true,
                        WorkerFact::Failed(_) => self.failed = true,
                        _ => {}
                    }
                }
            }
        }
    }

    fn tell_worker(&mut self, input: WorkerInput) {
        self.seconds += 1;
        let mut out = Vec::new();
        self.worker.on(input, Moment::new(Duration::from_secs(self.seconds)), &mut out);
        for said in out {
            match said {
                WorkerOutput::Say(lease, fact) => {
                    let mut out = Vec::new();
                    self.relay.on_fact(lease, fact, &mut out);
                    self.say(out);
                }
                WorkerOutput::Call(Call::Begin { .. }) => self.tell_worker(WorkerInput::Ready),
                WorkerOutput::Call(Call::Save { .. }) => self.tell_worker(WorkerInput::Saved(Some(8))),
                WorkerOutput::Call(call) => self.works = matches!(call, Call::Work(_)),
                WorkerOutput::Hurry => {}
            }
        }
    }

    /// The trainable reports, if it was told to work.
    fn work(&mut self) {
        if std::mem::take(&mut self.works) {
            self.tell_worker(reported(Wish::GoOn));
        }
    }

    fn train(&mut self, batch: u32) {
        if !std::mem::replace(&mut self.waits, true) {
            self.batch = batch;
            self.order(train(batch));
        }
    }

    fn save(&mut self) {
        if self.waits || self.heard.is_empty() {
            return;
        }
        let before = self.saved.len();
        self.order(WorkerOrder::Save { checkpoint: Some(ID), export: Arc::default() });
        let at = self.saved[before];
        assert!(at.is_none_or(|at| at == self.heard.len() as u64), "a checkpoint of {at:?}");
    }

    /// The engine is lost with all but the first reports that it had heard, and the next one takes the trial over.
    fn lose(&mut self, durable: usize, lease: u64, batch: u32) {
        self.heard.truncate(durable);
        assert_eq!(self.relay.lose_engine(), Some(ID.trial));
        // The worker ends its batch meanwhile, or not.
        if lease.is_multiple_of(2) {
            self.work();
        }
        (self.lease, self.batch, self.waits) = (LeaseId::new(lease), batch, true);
        let info = TrialInfo::new(ID.trial, "tests", 1);
        let last = self.heard.last().cloned().map(Arc::new);
        let first = FirstBatch { limits: limits(batch), spare: ID };
        self.order(WorkerOrder::GoOn { info, config: Arc::default(), first, last });
        assert!(!self.refused);
    }
}

proptest! {
    #[test]
    fn the_next_engine_is_given_just_what_follows(
        first in 1..4_u32,
        script in prop::collection::vec((0..8_u8, 0..9_u64, 1..4_u32), 0..60),
    ) {
        let mut talk = Talk::begin(first);
        for (what, number, batch) in script {
            match what {
                0..=3 => talk.work(),
                4 | 5 => talk.train(batch),
                6 => talk.save(),
                _ => talk.lose(talk.heard.len().saturating_sub(number as usize), number, batch),
            }
            let iterations: Vec<u64> = talk.heard.iter().map(Report::iteration).collect();
            let expected: Vec<u64> = (1..=iterations.len() as u64).collect();
            prop_assert_eq!(iterations, expected);
        }
        // Whoever asks is answered.
        for _ in 0..200 {
            talk.train(1);
            talk.work();
        }
        prop_assert!(talk.heard.len() > 50, "{} reports", talk.heard.len());
    }
}

#[test]
fn another_trial_another_configuration_and_another_past_are_refused() {
    let info = |number| TrialInfo::new(TrialId::new(RunId::new(1), number), "tests", 1);
    let first = FirstBatch { limits: limits(1), spare: ID };
    let other = |last: Report| Some(Arc::new(Report { timestamp: 7.0, ..last }));
    for (number, config, last) in [
        (1, Config::new(), None),
        (0, Config::new().with("x", 1), None),
        (0, Config::new(), other(Report::empty(ID.trial))),
    ] {
        let mut talk = Talk::begin(1);
        talk.relay.lose_engine();
        let config = Arc::new(config);
        talk.order(WorkerOrder::GoOn { info: info(number), config, first, last });
        assert!(talk.refused);
    }
    let mut talk = Talk::begin(1);
    talk.relay.lose_engine();
    talk.order(start(None));
    assert!(talk.refused, "no trial begins on a worker that has another");
}

#[test]
fn a_failure_is_said_after_the_reports_before_it() {
    let mut talk = Talk::begin(1);
    talk.work();
    talk.train(1);
    talk.relay.lose_engine();
    talk.heard.clear();
    talk.tell_worker(WorkerInput::Failed(fault()));
    (talk.lease, talk.waits) = (LeaseId::new(9), true);
    let info = TrialInfo::new(ID.trial, "tests", 1);
    let first = FirstBatch { limits: limits(1), spare: ID };
    talk.order(WorkerOrder::GoOn { info, config: Arc::default(), first, last: None });
    assert_eq!((talk.heard.len(), talk.failed), (1, false));
    let mut ends = Talk { relay: talk.relay.clone(), ..Talk::begin(1) };
    ends.lease = talk.lease;
    ends.order(save());
    assert!(ends.failed, "there is nothing to export any more");
    talk.train(1);
    assert!(talk.failed);
}

#[test]
fn nobody_goes_on_with_a_trial_that_saves_or_begins() {
    let mut relay = Relay::default();
    let mut out = Vec::new();
    assert_eq!(relay.lose_engine(), None);
    relay.on_order(LeaseId::new(1), start(None), &mut out);
    assert_eq!(relay.lose_engine(), None);
    relay.on_fact(LeaseId::new(1), WorkerFact::Ready, &mut out);
    assert_eq!(relay.lose_engine(), None, "its checkpoint isn't loaded yet");
    relay.on_order(LeaseId::new(1), restore(), &mut out);
    assert_eq!(relay.lose_engine(), None);
    relay.on_fact(LeaseId::new(1), WorkerFact::Restored, &mut out);
    relay.on_order(LeaseId::new(1), save(), &mut out);
    assert_eq!(relay.lose_engine(), None);
}

#[test]
fn a_trial_that_leaves_before_it_is_taken_over_leaves_its_worker_free() {
    let mut talk = Talk::begin(1);
    talk.relay.lose_engine();
    talk.lease = LeaseId::new(3);
    let mut out = Vec::new();
    talk.relay.on_order(talk.lease, WorkerOrder::Release, &mut out);
    assert_eq!(out, [Says::ToWorker(LeaseId::new(5), WorkerOrder::Release)], "under the lease that it knows");
    out.clear();
    talk.relay.on_fact(LeaseId::new(5), WorkerFact::Released, &mut out);
    assert_eq!(out, [Says::ToEngine(talk.lease, WorkerFact::Released)]);
    out.clear();
    talk.relay.on_order(LeaseId::new(4), start(None), &mut out);
    assert!(matches!(out[..], [Says::ToWorker(..)]), "{out:?}");
    out.clear();
    talk.relay.on_fact(LeaseId::new(5), WorkerFact::Failed(fault()), &mut out);
    assert!(out.is_empty(), "what is said of a trial that has left: {out:?}");
}

#[test]
fn a_trial_that_ends_while_its_worker_is_ahead_is_exported() {
    let mut talk = Talk::begin(1);
    talk.work();
    talk.train(1);
    talk.relay.lose_engine();
    (talk.lease, talk.waits) = (LeaseId::new(9), true);
    talk.heard.clear();
    let info = TrialInfo::new(ID.trial, "tests", 1);
    let first = FirstBatch { limits: limits(1), spare: ID };
    talk.order(WorkerOrder::GoOn { info, config: Arc::default(), first, last: None });
    talk.order(save());
    assert!(talk.saved.is_empty(), "it still works");
    talk.work();
    assert_eq!(talk.saved, [None]);
}
