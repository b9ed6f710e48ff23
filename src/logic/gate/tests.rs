//! The gate by itself: what waits, for what, and what is said of it.

use std::time::Duration;

use super::*;
use crate::logic::event::Outcome;
use crate::logic::ids::RunId;
use crate::logic::trial::{State, TrialNews};

pub(super) fn trial(number: u32) -> TrialId {
    TrialId::new(RunId::new(1), number)
}

pub(super) fn fact() -> TrialFact {
    TrialFact { state: State::Queued, news: TrialNews::Moved }
}

fn event(number: usize) -> ExperimentEvent {
    ExperimentEvent { at: Moment::START, kind: EventKind::Warning { message: number.to_string() } }
}

fn finished() -> ExperimentEvent {
    ExperimentEvent { at: Moment::START, kind: EventKind::Finished { outcome: Outcome::Completed } }
}

/// The step of a number: so many events, and one order.
pub(super) fn step(number: u32, events: usize) -> StepOutput {
    StepOutput { events: (0..events).map(event).collect(), orders: vec![EngineOutput::Retire(trial(number))] }
}

pub(super) fn seconds(seconds: u64) -> Moment {
    Moment::new(Duration::from_secs(seconds))
}

pub(super) fn stalled() -> GateInput {
    GateInput::Journal(JournalNotice::Stalled("disk full".to_owned()))
}

/// A gate with what it said.
pub(super) struct Rig {
    pub(super) gate: JournalGate,
    pub(super) now: Moment,
    pub(super) backlog: Backlog,
}

impl Rig {
    pub(super) fn new(ahead: Ahead, most_unwritten: u64) -> Self {
        let gate = JournalGate::new(Some(GateSettings { ahead, most_unwritten }), 0);
        Self { gate, now: Moment::START, backlog: Backlog::default() }
    }

    pub(super) fn on(&mut self, input: GateInput) -> Vec<GateOutput> {
        let mut out = Vec::new();
        self.gate.on(input, self.backlog, self.now, &mut out);
        out
    }
}

/// The numbers of the steps that are carried out.
pub(super) fn carried_out(out: &[GateOutput]) -> Vec<u32> {
    let orders = out.iter().filter_map(|output| match output {
        GateOutput::CarryOut(orders) => Some(orders),
        _ => None,
    });
    let number = |order: &EngineOutput| match order {
        EngineOutput::Retire(trial) => trial.number(),
        other => panic!("nobody ordered {other:?}"),
    };
    orders.flatten().map(number).collect()
}

pub(super) fn warnings(out: &[GateOutput]) -> Vec<&str> {
    let text = |output: &GateOutput| matches!(output, GateOutput::Warn(_));
    let last = out.iter().position(text);
    assert!(last.is_none_or(|last| last == out.len() - 1), "a warning is the last output: {out:?}");
    out.iter()
        .filter_map(|output| if let GateOutput::Warn(text) = output { Some(text.as_str()) } else { None })
        .collect()
}

#[test]
fn without_a_journal_nothing_is_written_and_nothing_waits() {
    let mut rig = Rig { gate: JournalGate::new(None, 0), ..Rig::new(Ahead::Allowed, 0) };
    let out = rig.on(GateInput::Step(step(0, 2)));
    assert!(matches!(out[..], [GateOutput::Publish(_), GateOutput::CarryOut(_)]), "{out:?}");
    let last = StepOutput { events: vec![finished()], orders: Vec::new() };
    assert!(!rig.on(GateInput::Step(last)).iter().any(|output| matches!(output, GateOutput::Write(_))));
}

#[test]
fn a_step_is_written_and_goes_out_at_once_if_the_engine_may_be_ahead() {
    let mut rig = Rig::new(Ahead::Allowed, 10);
    let out = rig.on(GateInput::Step(step(0, 2)));
    assert!(matches!(out[..], [GateOutput::Write(_), GateOutput::Publish(_), GateOutput::CarryOut(_)]), "{out:?}");
    let out = rig.on(GateInput::Step(step(1, 0)));
    assert!(matches!(out[..], [GateOutput::CarryOut(_)]), "{out:?}");
}

#[test]
fn a_step_waits_until_it_is_durable_if_the_engine_may_not_be_ahead() {
    let mut rig = Rig::new(Ahead::Forbidden, 10);
    let out = rig.on(GateInput::Step(step(0, 1)));
    assert!(matches!(out[..], [GateOutput::Write(_), GateOutput::Sync(1)]), "{out:?}");
    // Without events there is nothing to wait for but those before.
    assert_eq!(rig.on(GateInput::Step(step(1, 0))), []);
    assert!(matches!(rig.on(GateInput::Step(step(2, 1)))[..], [GateOutput::Write(_), GateOutput::Sync(2)]));
    assert_eq!(carried_out(&rig.on(GateInput::Durable(1))), [0, 1]);
    assert_eq!(carried_out(&rig.on(GateInput::Durable(1))), [0; 0], "an answer counts once");
    assert_eq!(carried_out(&rig.on(GateInput::Durable(2))), [2]);
    assert_eq!(carried_out(&rig.on(GateInput::Step(step(3, 0)))), [3]);
}

#[test]
fn a_stalled_journal_holds_facts_and_says_why_until_it_recovers() {
    let mut rig = Rig::new(Ahead::Allowed, 10);
    assert!(rig.gate.admit(trial(0), fact()).is_some());
    assert_eq!(warnings(&rig.on(stalled())), ["the journal can't be written, so no results are processed: disk full"]);
    assert_eq!(rig.gate.held().as_deref(), Some("the journal can't be written: disk full"));
    assert_eq!(rig.on(stalled()), [], "what is known isn't said again");
    assert!(rig.gate.admit(trial(1), fact()).is_none());
    assert!(rig.gate.admit(trial(2), fact()).is_none());
    assert!(rig.gate.next_fact().is_none());
    let out = rig.on(GateInput::Journal(JournalNotice::Recovered));
    assert_eq!(warnings(&out), ["the journal can be written again, and the run goes on"]);
    assert_eq!(rig.gate.held(), None);
    assert!(rig.gate.admit(trial(3), fact()).is_none(), "who comes later stands behind those who wait");
    let facts: Vec<u32> = std::iter::from_fn(|| rig.gate.next_fact()).map(|(trial, _)| trial.number()).collect();
    assert_eq!(facts, [1, 2, 3]);
    assert!(rig.gate.admit(trial(4), fact()).is_some());
    assert_eq!(rig.on(GateInput::Journal(JournalNotice::Recovered)), []);
}

#[test]
fn a_journal_that_is_far_behind_holds_facts_until_it_has_caught_up() {
    let mut rig = Rig::new(Ahead::Allowed, 10);
    rig.backlog = Backlog { handed: 20, written: 12, ..Backlog::default() };
    assert!(!rig.on(GateInput::Step(step(0, 2))).contains(&GateOutput::Sync(1)));
    assert_eq!(rig.gate.held(), None);
    let out = rig.on(GateInput::Step(step(1, 3)));
    assert!(out.contains(&GateOutput::Sync(2)) && carried_out(&out) == [1], "{out:?}");
    assert_eq!(rig.gate.held().as_deref(), Some("the journal is more than 10 events behind"));
    assert!(rig.gate.admit(trial(0), fact()).is_none());
    rig.on(GateInput::Durable(1));
    assert!(rig.gate.next_fact().is_none());
    rig.on(GateInput::Durable(2));
    assert!(rig.gate.next_fact().is_some());
}

#[test]
fn that_it_stalls_while_it_is_behind_holds_until_it_recovers() {
    let mut rig = Rig::new(Ahead::Allowed, 0);
    rig.on(GateInput::Step(step(0, 1)));
    rig.on(stalled());
    rig.on(GateInput::Durable(1));
    assert!(rig.gate.held().is_some());
    rig.on(GateInput::Journal(JournalNotice::Recovered));
    assert!(rig.gate.held().is_none());
}

#[test]
fn a_run_that_is_ending_gives_up_on_a_journal_that_cant_be_written() {
    // Whichever comes first.
    for stalls_first in [true, false] {
        let mut rig = Rig::new(Ahead::Forbidden, 10);
        rig.on(GateInput::Step(step(0, 1)));
        rig.on(GateInput::Step(step(1, 1)));
        let [first, second] =
            if stalls_first { [stalled(), GateInput::Ending] } else { [GateInput::Ending, stalled()] };
        assert_eq!(carried_out(&rig.on(first)), [0; 0]);
        assert!(rig.gate.admit(trial(0), fact()).is_some() != stalls_first);
        let out = rig.on(second);
        assert_eq!((carried_out(&out), warnings(&out).len()), (vec![0, 1], usize::from(!stalls_first)));
        assert_eq!((rig.gate.held(), rig.gate.next_fact().is_some()), (None, stalls_first));
        // And nothing waits any more.
        assert_eq!(carried_out(&rig.on(GateInput::Step(step(2, 1)))), [2]);
        assert_eq!(rig.on(stalled()), []);
        assert_eq!(rig.gate.held(), None);
        assert_eq!(carried_out(&rig.on(GateInput::Durable(2))), [0; 0]);
    }
}

#[test]
fn a_run_that_is_ending_still_waits_for_a_journal_that_can_be_written() {
    let mut rig = Rig::new(Ahead::Forbidden, 10);
    rig.on(GateInput::Ending);
    assert_eq!(carried_out(&rig.on(GateInput::Step(step(0, 1)))), [0; 0]);
    assert_eq!(carried_out(&rig.on(GateInput::Durable(1))), [0]);
}

#[test]
fn the_last_event_is_followed_by_a_mark_or_a_snapshot_and_then_the_end() {
    for (segments, compacts) in [(WORTH_COMPACTING, false), (WORTH_COMPACTING + 1, true)] {
        let mut rig = Rig::new(Ahead::Allowed, 10);
        rig.backlog.segments = segments;
        let mut last = step(0, 1);
        last.events.push(finished());
        let out = rig.on(GateInput::Step(last));
        let mark = if compacts { GateOutput::Snapshot(1) } else { GateOutput::Mark(1) };
        assert!(
            matches!(&out[..], [GateOutput::Write(_), GateOutput::Publish(_), said, GateOutput::CarryOut(_)] if *said == mark)
        );
        assert_eq!(rig.on(stalled()), [], "nothing is said after the end");
        assert_eq!(rig.on(GateInput::Journal(JournalNotice::Grown)), []);
    }
}

#[test]
fn snapshots_take_a_twentieth_of_the_time() {
    let mut rig = Rig::new(Ahead::Allowed, 10);
    let grown = || GateInput::Journal(JournalNotice::Grown);
    assert_eq!(rig.on(grown()), [GateOutput::Snapshot(1)]);
    rig.on(GateInput::SnapshotBegun { took: Duration::from_secs(3) });
    rig.now = seconds(40);
    assert_eq!(rig.on(grown()), []);
    assert_eq!(rig.gate.deadline(), Some(seconds(60)));
    rig.now = seconds(59);
    assert_eq!(rig.on(GateInput::Tick), []);
    rig.now = seconds(60);
    assert_eq!(rig.on(GateInput::Tick), [GateOutput::Snapshot(2)]);
    assert_eq!((rig.on(GateInput::Tick), rig.gate.deadline()), (Vec::new(), None));
}

#[test]
fn what_else_the_journal_says_is_passed_on() {
    let mut rig = Rig::new(Ahead::Allowed, 10);
    let out = rig.on(GateInput::Journal(JournalNotice::NotCompacted("no room".to_owned())));
    assert_eq!(warnings(&out), ["there is no new snapshot of the journal: no room"]);
    let broken = rig.on(GateInput::Journal(JournalNotice::Broken("a bug".to_owned())));
    assert_eq!(broken, [GateOutput::BreakOff("a bug".to_owned())]);
}
