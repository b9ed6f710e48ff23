//! The tally against events made by hand.

use super::*;
use crate::logic::event::{AddedBy, Ending, EventKind};
use crate::logic::metrics::{Counters, Metrics};

fn trial(number: u32) -> TrialId {
    TrialId::new(RunId::new(7), number)
}

fn event(seconds: f64, kind: EventKind) -> ExperimentEvent {
    ExperimentEvent { at: Moment::from_secs_f64(seconds), kind }
}

fn started(total: Option<u64>) -> ExperimentEvent {
    let objective = Some(Objective::min("loss"));
    event(
        0.0,
        EventKind::Started {
            run: RunId::new(7),
            name: "digits".into(),
            total,
            objective,
            info: std::sync::Arc::default(),
        },
    )
}

fn added(number: u32) -> ExperimentEvent {
    let config = Arc::new(Config::new().with("n", number));
    event(
        0.0,
        EventKind::Added {
            trial: trial(number),
            config,
            request: Arc::default(),
            by: AddedBy::Searcher,
            from: None,
            rank: None,
            name: None,
        },
    )
}

fn status(seconds: f64, number: u32, from: Status, to: Status) -> ExperimentEvent {
    event(seconds, EventKind::Status { trial: trial(number), from, to })
}

fn report(number: u32, iteration: u64, loss: f64) -> Arc<Report> {
    let counters = Counters { training_iteration: iteration, time_total_s: 1.0, ..Counters::default() };
    Arc::new(Report { counters, metrics: Metrics::from([("loss", loss)]), ..Report::empty(trial(number)) })
}

fn reported(seconds: f64, number: u32, iteration: u64, loss: f64) -> ExperimentEvent {
    event(seconds, EventKind::Reported { report: report(number, iteration, loss) })
}

fn tally(events: impl IntoIterator<Item = ExperimentEvent>) -> Tally {
    let mut tally = Tally::new();
    events.into_iter().for_each(|event| tally.add(&event));
    tally
}

#[test]
fn statuses_are_counted_and_ended_trials_forgotten() {
    let tally = tally([
        started(Some(3)),
        added(0),
        added(1),
        status(1.0, 0, Status::Pending, Status::Running),
        status(2.0, 0, Status::Running, Status::Terminated),
        event(
            2.0,
            EventKind::Ended {
                trial: trial(0),
                status: Status::Terminated,
                ending: Ending::Done,
                reason: None,
                last: report(0, 4, 0.5),
            },
        ),
    ]);
    assert_eq!((tally.count(Status::Pending), tally.ended(), tally.trials()), (1, 1, 2));
    assert!(tally.live(trial(0)).is_none() && tally.live(trial(1)).is_some());
    assert_eq!(tally.iterations(), 4, "the last report counts even if its event was missed");
    assert_eq!(tally.eta(Moment::from_secs_f64(4.0)), Some(Duration::from_secs(8)));
}

#[test]
fn the_best_is_never_nan_and_keeps_its_configuration() {
    let tally = tally([
        started(None),
        added(0),
        added(1),
        reported(1.0, 0, 1, f64::NAN),
        reported(1.0, 0, 2, 0.5),
        reported(1.0, 1, 1, 0.25),
        reported(1.0, 1, 2, 0.75),
    ]);
    let best = tally.best().expect("two were reported");
    assert_eq!((best.trial, best.value, best.iteration), (trial(1), 0.25, 1));
    assert_eq!(best.config.as_ref().and_then(|config| config.number("n")), Some(1.0));
    assert_eq!(tally.eta(Moment::from_secs_f64(1.0)), None, "the total isn't known");
}

#[test]
fn an_iteration_done_again_after_a_restore_counts_once() {
    let tally = tally([
        started(None),
        added(0),
        reported(1.0, 0, 1, 1.0),
        reported(2.0, 0, 2, 1.0),
        reported(3.0, 0, 2, 1.0),
        reported(4.0, 0, 3, 1.0),
    ]);
    assert_eq!((tally.iterations(), tally.reports()), (3, 4));
}

#[test]
fn rates_follow_the_recent_past_and_fall_in_silence() {
    let mut tally = tally([started(None), added(0)]);
    for step in 0..1000_u32 {
        tally.add(&reported(f64::from(step) * 0.1, 0, u64::from(step), 1.0));
    }
    let now = tally.now();
    assert!((tally.reports_per_second(now) - 10.0).abs() < 0.5);
    assert!(tally.reports_per_second(now + Duration::from_secs(600)) < 1.0);
    tally.missed(100);
    assert_eq!((tally.reports(), tally.events_missed()), (1100, 100));
}

#[test]
fn earlier_sessions_count_and_what_is_back_stands_where_it_is() {
    let mut tally = Tally::new();
    for number in 0..3 {
        tally.recall(&added(number));
    }
    tally.recall(&status(0.5, 0, Status::Pending, Status::Running));
    // Of a snapshot: its end is told, its changes of status aren't.
    let last = Arc::new(Report::empty(trial(1)));
    let (status, ending) = (Status::Terminated, Ending::Done);
    tally.recall(&event(1.0, EventKind::Ended { trial: trial(1), status, ending, reason: None, last }));
    tally.recall(&event(1.0, EventKind::Finished { outcome: Outcome::Drained }));
    assert_eq!(tally.outcome(), None, "that was another session's end");
    for number in [0, 2, 7] {
        let (config, status) = (Arc::default(), Status::Pending);
        tally.add(&event(
            2.0,
            EventKind::Returned {
                trial: trial(number),
                config,
                status,
                iteration: 0,
                request: Arc::default(),
                rank: 0,
            },
        ));
    }
    assert_eq!((tally.count(Status::Pending), tally.count(Status::Running), tally.ended()), (3, 0, 1));
}

#[test]
fn a_move_that_was_not_heard_leaves_no_trial_counted_twice() {
    // The session was killed: that the trial had run stands nowhere.
    let mut tally = Tally::new();
    tally.recall(&added(0));
    tally.add(&status(1.0, 0, Status::Running, Status::Pending));
    tally.add(&status(2.0, 0, Status::Pending, Status::Running));
    assert_eq!((tally.count(Status::Pending), tally.count(Status::Running), tally.trials()), (0, 1, 1));
}
