//! The worker's rules, one by one.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use super::{Call, Limits, Room, Wish, Worker, WorkerInput, WorkerOutput};
use crate::logic::checkpoint::{Checkpoint, CheckpointId};
use crate::logic::failure::{FailureKind, Fault};
use crate::logic::ids::{LeaseId, RunId, TrialId};
use crate::logic::limit::OnLimit;
use crate::logic::metrics::{Metrics, Report};
use crate::logic::time::Moment;
use crate::logic::trial::{BatchEnd, BatchLimits, FirstBatch, Rests, TrialInfo, WorkerFact, WorkerOrder};
use crate::logic::wire::{ResultsEnd, Row};

mod exhaustive;
mod relay;

const ID: CheckpointId = CheckpointId { trial: TrialId::new(RunId::new(1), 0), index: 0 };

fn limits(reports: u32) -> BatchLimits {
    BatchLimits { reports: NonZeroU32::new(reports).unwrap(), time: None, checkpoint_every: None, last_iteration: None }
}

fn start(first: Option<FirstBatch>) -> WorkerOrder {
    let info = TrialInfo::new(ID.trial, "tests", 1);
    WorkerOrder::Start { info, config: Arc::default(), first, last: None }
}

fn train(reports: u32) -> WorkerOrder {
    WorkerOrder::Train { limits: limits(reports), spare: ID }
}

fn first(reports: u32) -> Option<FirstBatch> {
    Some(FirstBatch { limits: limits(reports), spare: ID })
}

fn restore() -> WorkerOrder {
    let mut report = Report::empty(ID.trial);
    report.counters.training_iteration = 5;
    WorkerOrder::Restore { checkpoint: Arc::new(Checkpoint { id: ID, report, bytes: 8 }) }
}

fn save() -> WorkerOrder {
    WorkerOrder::Save { checkpoint: Some(ID), export: Arc::new(["model".to_owned()]) }
}

fn reported(wish: Wish) -> WorkerInput {
    WorkerInput::Reported { metrics: Metrics::new(), wish, took: None }
}

fn fault() -> Fault {
    Fault::new(FailureKind::UserError, "broken")
}

/// Tells a worker one thing after another; what it says of each.
fn told(worker: &mut Worker, inputs: impl IntoIterator<Item = (u64, WorkerInput)>) -> Vec<WorkerOutput> {
    let mut out = Vec::new();
    for (second, input) in inputs {
        out.clear();
        worker.on(input, Moment::new(Duration::from_secs(second)), &mut out);
    }
    out
}

fn order(order: WorkerOrder) -> WorkerInput {
    WorkerInput::Order(LeaseId::new(1), order)
}

fn at_work(reports: u32) -> Worker {
    let mut worker = Worker::new(Rests::AtOnce, 1000.0);
    told(&mut worker, [(0, order(start(first(reports)))), (1, WorkerInput::Ready)]);
    worker
}

fn batch(out: &[WorkerOutput]) -> &crate::logic::trial::Batch {
    let [WorkerOutput::Say(lease, WorkerFact::Reported(batch))] = out else { panic!("{out:?}") };
    assert_eq!(*lease, LeaseId::new(1));
    batch
}

#[test]
fn reports_are_handed_in_before_the_fault_which_is_said_when_more_is_asked_for() {
    for more in [train(1), save()] {
        let mut worker = at_work(9);
        let out = told(&mut worker, [(2, reported(Wish::GoOn)), (3, WorkerInput::Failed(fault()))]);
        assert_eq!((batch(&out).reports.len(), batch(&out).end), (1, BatchEnd::Limit));
        let out = told(&mut worker, [(4, order(more))]);
        assert_eq!(out, [WorkerOutput::Say(LeaseId::new(1), WorkerFact::Failed(fault()))]);
    }
}

#[test]
fn a_batch_ends_for_a_reason() {
    let every = BatchLimits { checkpoint_every: NonZeroU32::new(2), ..limits(9) };
    let late = BatchLimits { time: Some(Duration::from_secs(5)), ..limits(9) };
    let cases = [
        (limits(2), Wish::GoOn, 2, BatchEnd::Limit),
        (every, Wish::GoOn, 2, BatchEnd::CheckpointDue),
        (limits(9), Wish::Save, 1, BatchEnd::CheckpointDue),
        (limits(9), Wish::End, 1, BatchEnd::Done),
        (late, Wish::GoOn, 3, BatchEnd::Limit),
    ];
    for (limits, wish, reports, end) in cases {
        let mut worker = Worker::new(Rests::AtOnce, 1000.0);
        let first = Some(FirstBatch { limits, spare: ID });
        told(&mut worker, [(0, order(start(first))), (1, WorkerInput::Ready)]);
        let made = (1..=reports).map(|nth| (1 + 2 * nth, reported(wish)));
        let out = told(&mut worker, made);
        assert_eq!((batch(&out).reports.len(), batch(&out).end), (reports as usize, end), "{limits:?} {wish:?}");
        let last = batch(&out).reports.last().unwrap();
        assert_eq!(
            (last.time_this_iter_s, last.timestamp, last.iteration()),
            (2.0, 1001.0 + 2.0 * reports as f64, reports)
        );
    }
}

#[test]
fn an_order_that_waits_ends_the_batch_with_its_next_report() {
    let mut worker = at_work(9);
    assert_eq!(told(&mut worker, [(2, order(WorkerOrder::Yield))]), [WorkerOutput::Hurry]);
    assert_eq!(told(&mut worker, [(2, order(WorkerOrder::Yield))]), [], "once is enough");
    assert_eq!(batch(&told(&mut worker, [(3, reported(Wish::GoOn))])).end, BatchEnd::Limit);
    // It is forgotten with the batch.
    let out = told(&mut worker, [(4, order(train(9))), (5, reported(Wish::GoOn))]);
    assert!(matches!(out[..], [WorkerOutput::Call(Call::Work(_))]), "{out:?}");
}

#[test]
fn what_waits_for_its_next_report_is_handed_in_when_its_time_is_over() {
    let mut worker = Worker::new(Rests::WhenReleased, 0.0);
    let first = Some(FirstBatch { limits: BatchLimits { time: Some(Duration::from_secs(9)), ..limits(9) }, spare: ID });
    told(&mut worker, [(0, order(start(first))), (1, WorkerInput::Ready)]);
    assert_eq!(told(&mut worker, [(20, WorkerInput::Tick)]), [], "there is nothing to hand in");
    assert_eq!(told(&mut worker, [(2, reported(Wish::GoOn)), (9, WorkerInput::Tick)]), []);
    assert_eq!(batch(&told(&mut worker, [(10, WorkerInput::Tick)])).reports.len(), 1);
}

#[test]
fn a_checkpoint_that_is_handed_in_belongs_to_its_report() {
    let mut worker = at_work(9);
    assert_eq!(told(&mut worker, [(2, reported(Wish::GoOn)), (3, reported(Wish::HandIn))]), []);
    let out = told(&mut worker, [(4, WorkerInput::HandedIn(7))]);
    let handed_in = batch(&out).handed_in.as_deref().unwrap();
    assert_eq!((handed_in.id, handed_in.bytes, handed_in.report.iteration()), (ID, 7, 2));
    let out = told(&mut worker, [(5, order(save())), (6, WorkerInput::Saved(Some(9)))]);
    let [WorkerOutput::Say(_, WorkerFact::Saved(Some(saved)))] = &out[..] else { panic!("{out:?}") };
    assert_eq!((saved.bytes, saved.report.iteration()), (9, 2), "one between two batches belongs to the last");
}

#[test]
fn a_trial_that_leaves_hears_nothing_more_but_that_the_worker_rests() {
    let mut worker = at_work(9);
    told(&mut worker, [(2, reported(Wish::GoOn))]);
    assert_eq!(told(&mut worker, [(3, order(WorkerOrder::Release))]), [WorkerOutput::Call(Call::Rest)]);
    assert_eq!(told(&mut worker, [(3, reported(Wish::End))]), []);
    let at_rest = told(&mut worker, [(4, WorkerInput::AtRest)]);
    assert_eq!(at_rest, [WorkerOutput::Say(LeaseId::new(1), WorkerFact::Released)]);
    assert_eq!(told(&mut worker, [(5, order(train(1)))]), [], "the lease is over");
    let next = WorkerInput::Order(LeaseId::new(2), start(first(1)));
    let out = told(&mut worker, [(6, next), (7, WorkerInput::Ready), (8, reported(Wish::GoOn))]);
    let [WorkerOutput::Say(_, WorkerFact::Reported(batch))] = &out[..] else { panic!("{out:?}") };
    assert_eq!(batch.reports[0].iteration(), 1, "the next trial counts anew");
}

#[test]
fn who_is_done_and_falls_is_nobodys_failure_unless_more_is_asked_for() {
    let mut worker = at_work(1);
    told(&mut worker, [(2, reported(Wish::End))]);
    assert_eq!(told(&mut worker, [(3, WorkerInput::Failed(fault()))]), []);
    let out = told(&mut worker, [(4, order(save()))]);
    assert_eq!(out, [WorkerOutput::Say(LeaseId::new(1), WorkerFact::Failed(fault()))]);
    let mut worker = at_work(1);
    told(&mut worker, [(2, reported(Wish::GoOn))]);
    let out = told(&mut worker, [(3, WorkerInput::Failed(fault()))]);
    assert_eq!(
        out,
        [WorkerOutput::Say(LeaseId::new(1), WorkerFact::Failed(fault()))],
        "a trial that goes on hears of it"
    );
}

#[test]
fn a_trainable_that_goes_on_by_itself_comes_to_rest_first() {
    let mut worker = Worker::new(Rests::WhenReleased, 0.0);
    told(&mut worker, [(0, order(start(first(1)))), (1, WorkerInput::Ready), (2, reported(Wish::GoOn))]);
    assert_eq!(told(&mut worker, [(3, order(WorkerOrder::Release))]), [WorkerOutput::Call(Call::Rest)]);
    let mut worker = at_work(1);
    told(&mut worker, [(2, reported(Wish::GoOn))]);
    let out = told(&mut worker, [(3, order(WorkerOrder::Release))]);
    assert_eq!(
        out,
        [WorkerOutput::Say(LeaseId::new(1), WorkerFact::Released)],
        "one that goes step by step rests already"
    );
}

#[test]
fn a_new_trial_knows_nothing_of_the_one_before() {
    let next = |order| WorkerInput::Order(LeaseId::new(2), order);
    let said = |fact| [WorkerOutput::Say(LeaseId::new(2), fact)];
    // A failure that the one before hasn't heard of.
    let mut worker = at_work(9);
    told(&mut worker, [(2, reported(Wish::GoOn)), (3, WorkerInput::Failed(fault())), (4, next(start(None)))]);
    assert_eq!(told(&mut worker, [(5, WorkerInput::Ready)]), said(WorkerFact::Ready));
    let out = told(&mut worker, [(6, next(train(9)))]);
    assert!(matches!(out[..], [WorkerOutput::Call(Call::Work(_))]), "{out:?}");
    // An end that the one before had come to.
    let mut worker = at_work(1);
    told(&mut worker, [(2, reported(Wish::End)), (3, next(start(None))), (4, WorkerInput::Ready)]);
    assert_eq!(told(&mut worker, [(5, WorkerInput::Failed(fault()))]), said(WorkerFact::Failed(fault())));
}

#[test]
fn who_falls_without_a_trial_or_a_second_time_says_nothing() {
    let mut worker = at_work(1);
    told(&mut worker, [(2, reported(Wish::GoOn)), (3, order(WorkerOrder::Release))]);
    assert_eq!(told(&mut worker, [(4, WorkerInput::Failed(fault()))]), []);
    let mut worker = at_work(9);
    told(&mut worker, [(2, reported(Wish::GoOn)), (3, WorkerInput::Failed(fault()))]);
    let second = Fault::new(FailureKind::Exited, "it is gone");
    assert_eq!(told(&mut worker, [(4, WorkerInput::Failed(second))]), []);
    let out = told(&mut worker, [(5, order(train(1)))]);
    assert_eq!(out, [WorkerOutput::Say(LeaseId::new(1), WorkerFact::Failed(fault()))], "the first is the reason");
}

#[test]
fn a_report_that_a_checkpoint_follows_waits_for_it_whoever_is_in_a_hurry() {
    let mut worker = at_work(9);
    told(&mut worker, [(2, order(WorkerOrder::Yield))]);
    assert_eq!(told(&mut worker, [(3, reported(Wish::HandIn))]), []);
    assert_eq!(batch(&told(&mut worker, [(4, WorkerInput::HandedIn(1))])).end, BatchEnd::CheckpointDue);
}

#[test]
fn a_trial_goes_on_where_its_checkpoint_was_taken() {
    let mut worker = Worker::new(Rests::AtOnce, 0.0);
    told(&mut worker, [(0, order(start(None))), (1, WorkerInput::Ready), (2, order(restore()))]);
    told(&mut worker, [(3, WorkerInput::Restored), (4, order(train(1)))]);
    assert_eq!(batch(&told(&mut worker, [(5, reported(Wish::GoOn))])).reports[0].iteration(), 6);
}

#[test]
fn a_batch_made_elsewhere_ends_for_the_same_reasons_and_where_a_limit_is_reached() {
    let every = BatchLimits { checkpoint_every: NonZeroU32::new(3), ..limits(9) };
    let rows = |count| vec![Row { metrics: Metrics::new(), seconds: 2.0, at: 7.0 }; count];
    let results = |count, end| WorkerInput::Results { rows: rows(count), end, handed_in: None };
    let limited = Limits::new().trial(Duration::from_secs(4), OnLimit::SaveThenStop);
    let cases = [
        (Limits::new(), results(2, None), 2, BatchEnd::Limit),
        (Limits::new(), results(3, None), 3, BatchEnd::CheckpointDue),
        (Limits::new(), results(1, Some(ResultsEnd::Save)), 1, BatchEnd::CheckpointDue),
        (Limits::new(), results(0, Some(ResultsEnd::Done)), 0, BatchEnd::Done),
        (limited, results(3, None), 2, BatchEnd::Over),
        (limited, results(3, Some(ResultsEnd::Done)), 2, BatchEnd::Done),
    ];
    for (limits, input, reports, end) in cases {
        let mut worker = Worker::new(Rests::WhenReleased, 0.0).with_limits(limits);
        let first = Some(FirstBatch { limits: every, spare: ID });
        let out = told(&mut worker, [(0, order(start(first))), (1, WorkerInput::Ready)]);
        let room = Room { most: 3, time: None };
        assert_eq!(out[1], WorkerOutput::Call(Call::Work(room)), "it ends where a checkpoint is due");
        let out = told(&mut worker, [(2, input)]);
        assert_eq!((batch(&out).reports.len(), batch(&out).end), (reports, end));
        assert_eq!(batch(&out).over.is_some(), end == BatchEnd::Over);
        if reports == 2 && end == BatchEnd::Limit {
            let out = told(&mut worker, [(3, order(WorkerOrder::Train { limits: every, spare: ID }))]);
            assert_eq!(out, [WorkerOutput::Call(Call::Work(Room { most: 1, time: None }))]);
        }
    }
    let mut worker = Worker::new(Rests::AtOnce, 0.0).with_limits(limited);
    told(&mut worker, [(0, order(start(first(9)))), (1, WorkerInput::Ready)]);
    let out = told(&mut worker, [(2, reported(Wish::GoOn)), (5, reported(Wish::GoOn))]);
    assert_eq!((batch(&out).end, batch(&out).over.is_some()), (BatchEnd::Over, true));
}
