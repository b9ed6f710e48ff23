//! Cases B8 of CASES.md: which trials come back, how, and in which order. At the engine, without actors: the past is told
//! to it record by record, and what it says then is looked at.

use std::sync::Arc;

use tryout::extend::*;
use tryout::logic::engine::{Batching, Engine, EngineInput, EngineOutput, EngineSettings, History, OnResume, Resume};
use tryout::logic::journal::{Compactor, Opened, PartStates, Reader, Record};
use tryout::logic::metrics::Counters;
use tryout::logic::schedule::Fifo;
use tryout::logic::search::Points;
use tryout::logic::settings::Settings;
use tryout::logic::stop;
use tryout::logic::trial::{Launch, TrialOrder, TrialPast};

const RUN: RunId = RunId::new(3);

fn trial(number: u32) -> TrialId {
    TrialId::new(RUN, number)
}

fn engine() -> Engine {
    engine_until(Box::new(stop::any(Vec::<Box<dyn StopRule>>::new())))
}

fn engine_until(rule: Box<dyn StopRule>) -> Engine {
    let experiment =
        Settings { staged: u32::MAX, batching: Batching::Single, history: History::None, ..Settings::new("cases") };
    let settings =
        EngineSettings { experiment: Arc::new(experiment), ..EngineSettings::new(RUN, "cases", Resources::cpus(8)) };
    Engine::new(settings, Box::new(Points::new(Vec::new())), Box::new(Fifo), rule)
}

/// A past in which these things happened, each in a step of its own.
fn past(kinds: impl IntoIterator<Item = EventKind>) -> Vec<Record> {
    let step = |kind| Record::Step(vec![ExperimentEvent { at: Moment::from_secs_f64(1.0), kind }]);
    let opened = Record::Opened(Opened::new(Settings::new("cases"), RUN, "none"));
    std::iter::once(opened).chain(kinds.into_iter().map(step)).collect()
}

fn added(number: u32) -> EventKind {
    let config = Arc::new(Config::new().with("n", number));
    EventKind::Added {
        trial: trial(number),
        config,
        request: Arc::default(),
        by: AddedBy::Client,
        from: None,
        rank: None,
        name: None,
    }
}

fn status(number: u32, from: Status, to: Status) -> EventKind {
    EventKind::Status { trial: trial(number), from, to }
}

fn report(number: u32, iteration: u64, timestamp: f64) -> Report {
    let counters = Counters { training_iteration: iteration, ..Counters::default() };
    Report { counters, timestamp, metrics: Metrics::from([("score", 1.0)]), ..Report::empty(trial(number)) }
}

fn reported(number: u32, iteration: u64, timestamp: f64) -> EventKind {
    EventKind::Reported { report: Arc::new(report(number, iteration, timestamp)) }
}

fn saved(number: u32, index: u32, iteration: u64) -> EventKind {
    let id = CheckpointId { trial: trial(number), index };
    EventKind::Saved { checkpoint: Arc::new(Checkpoint { id, report: report(number, iteration, 1.0), bytes: 1 }) }
}

fn ended(number: u32, status: Status, ending: Ending) -> EventKind {
    let last = Arc::new(Report { done: true, ..report(number, 2, 1.0) });
    EventKind::Ended { trial: trial(number), status, ending, reason: None, last }
}

fn failed(number: u32) -> EventKind {
    let fault = Fault::new(FailureKind::UserError, "broken");
    let failure = Failure { fault, attempt: 1, iteration: 2, worker: None, at: Moment::START };
    EventKind::Failed { trial: trial(number), failure: Arc::new(failure), retry_at: None }
}

/// What becomes of a past.
fn resumed(kinds: impl IntoIterator<Item = EventKind>, how: Resume) -> (Engine, Vec<EngineOutput>) {
    let mut engine = engine();
    for record in past(kinds) {
        engine.replay(record).expect("it can have happened");
    }
    engine.resume(how);
    let mut out = Vec::new();
    engine.on(EngineInput::Begin, Moment::from_secs_f64(1.0), &mut out);
    (engine, out)
}

/// Who is launched, in this order.
fn launched(out: &[EngineOutput]) -> Vec<u32> {
    let launch = |said: &EngineOutput| match said {
        EngineOutput::Trial(trial, TrialOrder::Launch(_)) => Some(trial.number()),
        _ => None,
    };
    out.iter().filter_map(launch).collect()
}

/// What a trial is launched with.
fn launched_with(out: &[EngineOutput], number: u32) -> Option<Launch> {
    out.iter().find_map(|said| match said {
        EngineOutput::Trial(launched, TrialOrder::Launch(launch)) if *launched == trial(number) => Some(launch.clone()),
        _ => None,
    })
}

/// The past with which a trial's machine is made.
fn made(out: &[EngineOutput], number: u32) -> Option<TrialPast> {
    out.iter().find_map(|said| match said {
        EngineOutput::Create { trial: made, past, .. } if *made == trial(number) => past.as_deref().cloned(),
        _ => None,
    })
}

/// Trials in each status, by number: pending, running, paused by a client, terminated, failed. All but the first have
/// reported twice and have a checkpoint of their first report.
fn one_of_each() -> Vec<EventKind> {
    use Status::{Error, Paused, Pending, Running, Terminated};
    let mut kinds: Vec<EventKind> = (0..5).map(added).collect();
    for number in 1..5 {
        kinds.extend([status(number, Pending, Running), reported(number, 1, 1.0), saved(number, 0, 1)]);
        kinds.push(reported(number, 2, 2.0));
    }
    kinds.push(EventKind::Paused { trial: trial(2), by: PausedBy::Client, reason: None });
    kinds.push(status(2, Running, Paused));
    kinds.extend([status(3, Running, Terminated), ended(3, Terminated, Ending::Done)]);
    kinds.extend([failed(4), status(4, Running, Error), ended(4, Error, Ending::Error)]);
    kinds
}

/// by default the unfinished go on, from their checkpoint if there is one, and the others stay as they are.
#[test]
fn x_09_and_x_11_by_default_the_unfinished_go_on() {
    let (engine, out) = resumed(one_of_each(), Resume::new());
    let statuses: Vec<Status> = engine.ledger().iter().map(|record| record.status).collect();
    use Status::{Error, Paused, Pending, Terminated};
    assert_eq!(statuses, [Pending, Pending, Paused, Terminated, Error]);
    assert_eq!(launched(&out), [1, 0], "a client's pause is a client's to end");
    let running = made(&out, 1).expect("it goes on");
    assert_eq!((running.attempt, running.iteration), (1, 2));
    let launch = launched_with(&out, 1).expect("it is launched");
    assert_eq!(launch.from.map(|from| from.id.index), Some(0), "from its checkpoint");
    assert_eq!(launch.index, 2, "an index that its last worker was given is spent");
    assert_eq!(engine.ledger().get(trial(1)).map(|record| record.reported), Some(2), "it has reported");
    assert!(made(&out, 3).is_none() && made(&out, 4).is_none());
}

/// X-14, skip: what is unfinished is TERMINATED, what failed stays in ERROR with its failure.
#[test]
fn x_14_skipped() {
    let skip = Resume::new().unfinished(OnResume::Skip);
    let (engine, out) = resumed(one_of_each(), skip);
    let statuses: Vec<Status> = engine.ledger().iter().map(|record| record.status).collect();
    use Status::{Error, Terminated};
    assert_eq!(statuses, [Terminated, Terminated, Terminated, Terminated, Error]);
    assert!(launched(&out).is_empty());
    assert!(engine.ledger().get(trial(4)).and_then(|record| record.error()).is_some());
    let told = out
        .iter()
        .filter(|said| matches!(said, EngineOutput::Event(ExperimentEvent { kind: EventKind::Ended { .. }, .. })));
    assert_eq!(told.count(), 3, "those that ended now, and nobody twice");
}

/// X-14, resume: the same id, checkpoint and history; the failure is no error any more, but it is still counted.
#[test]
fn x_14_resumed() {
    let all = Resume::new().finished(OnResume::Resume).errored(OnResume::Resume);
    let (engine, out) = resumed(one_of_each(), all);
    let mut order = launched(&out);
    order.sort_unstable();
    assert_eq!(order, [0, 1, 3, 4]);
    for number in [3, 4] {
        let record = engine.ledger().get(trial(number)).expect("it is there");
        assert_eq!((record.status, record.reported, record.checkpoints.len()), (Status::Pending, 2, 1));
        assert!(record.error().is_none() && record.ending.is_none() && record.ended.is_none());
        assert_eq!((record.attempts, record.failures.len()), (2, usize::from(number == 4)));
        let past = made(&out, number).expect("it goes on");
        assert_eq!((past.attempt, past.failures.len()), (2, usize::from(number == 4)));
    }
}

/// X-14, restart: a new trial with the configuration and nothing else.
#[test]
fn x_14_restarted() {
    use OnResume::Restart;
    let all = Resume::new().unfinished(Restart).finished(Restart).errored(Restart);
    let (engine, out) = resumed(one_of_each(), all);
    assert_eq!(engine.ledger().len(), 10);
    for number in 0..5 {
        let record = engine.ledger().get(trial(number)).expect("it is there");
        assert_eq!((record.status, record.ending), (Status::Terminated, Some(Ending::Restarted)), "{number}");
        assert!(made(&out, number).is_none());
    }
    let mut restarted = Vec::new();
    for number in 5..10 {
        let record = engine.ledger().get(trial(number)).expect("it is there");
        assert_eq!((record.status, record.reported, record.attempts), (Status::Pending, 0, 1));
        assert!(record.last.is_none() && record.checkpoints.is_empty() && record.failures.is_empty());
        assert!(made(&out, number).is_none(), "it has no past");
        restarted.push(record.config.number("n"));
    }
    restarted.sort_by(|one, other| one.partial_cmp(other).expect("numbers"));
    assert_eq!(restarted, [0.0, 1.0, 2.0, 3.0, 4.0].map(Some));
}

/// A restarted trial keeps its place among those that go on, and its priority.
#[test]
fn x_14_a_restarted_trial_keeps_its_place() {
    use Status::{Pending, Running};
    let mut past: Vec<EventKind> = (0..5).map(added).collect();
    for (number, timestamp) in [(1, 3.0), (2, 5.0), (3, 4.0)] {
        past.extend([EventKind::Chosen { trial: trial(number) }, status(number, Pending, Running)]);
        past.push(reported(number, 1, timestamp));
    }
    let last = Arc::new(report(2, 1, 5.0));
    let (status_of, ending) = (Status::Terminated, Ending::Done);
    past.push(status(2, Running, status_of));
    past.push(EventKind::Ended { trial: trial(2), status: status_of, ending, reason: None, last });
    past.push(EventKind::Prioritised { trial: trial(4), priority: 1 });
    let order = |how: Resume| {
        let (engine, out) = resumed(past.clone(), how);
        let of = |number| engine.ledger().get(trial(number)).and_then(|record| record.config.number("n"));
        launched(&out).into_iter().filter_map(of).collect::<Vec<f64>>()
    };
    let finished = Resume::new().finished(OnResume::Restart);
    assert_eq!(order(finished.clone()), [4.0, 2.0, 3.0, 1.0, 0.0]);
    assert_eq!(order(finished.unfinished(OnResume::Restart)), [4.0, 2.0, 3.0, 1.0, 0.0]);
}

/// those that reported last come first; those that never did come last.
#[test]
fn x_15_who_reported_last_goes_on_first() {
    let mut kinds: Vec<EventKind> = (0..4).map(added).collect();
    for (number, timestamp) in [(0, 5.0), (1, 9.0), (3, 7.0)] {
        kinds.extend([status(number, Status::Pending, Status::Running), reported(number, 1, timestamp)]);
    }
    let (_, out) = resumed(kinds, Resume::new());
    assert_eq!(launched(&out), [1, 3, 0, 2]);
}

/// What had been decided before the process died holds: the trial ends, and is told as it would have been.
#[test]
fn a_decision_that_had_not_taken_effect_does_so_now() {
    let mut kinds = vec![added(0), status(0, Status::Pending, Status::Running), reported(0, 1, 1.0)];
    let reason = Some("rung 1".into());
    kinds.push(EventKind::Stopping { trial: trial(0), ending: Ending::Scheduler, reason });
    let (engine, out) = resumed(kinds, Resume::new());
    let record = engine.ledger().get(trial(0)).expect("it is there");
    assert_eq!((record.status, record.ending), (Status::Terminated, Some(Ending::Scheduler)));
    assert_eq!(record.reason.as_deref(), Some("rung 1"));
    assert!(launched(&out).is_empty());
}

/// A past of another run is refused in words.
#[test]
fn a_past_that_cannot_be_is_refused() {
    let mut engine = engine();
    let records = past([added(0), added(2)]);
    let error = records.into_iter().find_map(|record| engine.replay(record).err()).expect("a number is missing");
    assert!(error.to_string().contains("00003_00002") && error.to_string().contains("00003_00001"), "{error}");
    let unknown = past([status(7, Status::Pending, Status::Running)]);
    let error = unknown.into_iter().find_map(|record| engine.replay(record).err()).expect("nobody knows it");
    assert!(error.to_string().contains("00003_00007"), "{error}");
}

/// A snapshot ends with what holds of the last session: when that began, and how it ended.
#[test]
fn how_a_resumed_run_ended_is_known_from_its_snapshot() {
    let finished = |outcome| EventKind::Finished { outcome };
    let second = Record::Opened(Opened { session: 2, ..Opened::new(Settings::new("cases"), RUN, "none") });
    let held = EventKind::Held {
        why: Arc::new(Hold::SameError {
            workers: 2,
            last: trial(0),
            fault: Box::new(Fault::new(FailureKind::UserError, "the disk is full")),
        }),
    };
    let step = |kind| Record::Step(vec![ExperimentEvent { at: Moment::from_secs_f64(2.0), kind }]);
    for (last, outcome) in [(finished(Outcome::Completed), Some(Outcome::Completed)), (held, None)] {
        let mut records = past([added(0), finished(Outcome::Drained)]);
        records.extend([second.clone(), step(last)]);
        let mut lines = Vec::new();
        let mut out = |line: &[u8]| lines.push(String::from_utf8(line.to_vec()).expect("JSON is UTF-8"));
        let mut compactor = Compactor::new(PartStates::default());
        records.iter().cloned().for_each(|record| compactor.take(record, &mut out));
        compactor.finish(&mut out);
        let (mut told, mut short, mut reader) = (engine(), engine(), Reader::default());
        records.into_iter().for_each(|record| told.replay(record).expect("it is one run's"));
        for line in &lines {
            short.replay(reader.read(line).expect("it is a record")).expect("it is one run's");
        }
        assert_eq!(told.ledger().run().outcome, outcome);
        assert_eq!(short.ledger().run(), told.ledger().run());
    }
}

/// The trial that is skipped is the first to be seen to, and with its end a rule ends the run: nobody is revived after that.
#[test]
fn a_run_that_is_over_before_all_are_back_ends() {
    let terminated =
        |number| [status(number, Status::Pending, Status::Terminated), ended(number, Status::Terminated, Ending::Done)];
    let unfinished = [added(0), added(1), reported(1, 2, 1.0)].into_iter();
    let kinds = unfinished.chain(terminated(1)).chain([reported(0, 2, 5.0)]);
    let mut engine = engine_until(Box::new(stop::best_reached(Objective::max("score"), 0.5)));
    past(kinds).into_iter().for_each(|record| engine.replay(record).expect("it can have happened"));
    engine.resume(Resume::new().unfinished(OnResume::Skip).finished(OnResume::Resume));
    let mut out = Vec::new();
    engine.on(EngineInput::Begin, Moment::from_secs_f64(6.0), &mut out);
    let statuses: Vec<Status> = engine.ledger().iter().map(|record| record.status).collect();
    assert_eq!(statuses, [Status::Terminated, Status::Terminated]);
    assert!(out.iter().any(|said| matches!(said, EngineOutput::ClosePool { .. })), "the run comes to its end: {out:?}");
}
