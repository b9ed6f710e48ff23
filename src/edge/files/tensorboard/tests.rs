//! What TensorBoard finds in the events of several sessions.

use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::edge::files::observer::FileObserver;
use crate::logic::event::{AddedBy, Ending, EventKind};
use crate::logic::ids::RunId;
use crate::logic::metrics::{Counters, Metrics};
use crate::logic::time::Moment;
use crate::ports::observer::Observer;

fn trial() -> TrialId {
    TrialId::new(RunId::new(1), 0)
}

fn event(kind: EventKind) -> ExperimentEvent {
    ExperimentEvent { at: Moment::START, kind }
}

fn added() -> ExperimentEvent {
    event(EventKind::Added {
        trial: trial(),
        config: Arc::new(Config::new().with("lr", 0.5)),
        request: Arc::default(),
        by: AddedBy::Searcher,
        from: None,
        rank: None,
        name: None,
    })
}

fn row(iteration: u64) -> ExperimentEvent {
    let counters = Counters { training_iteration: iteration, ..Counters::default() };
    let metrics = Metrics::from([("loss", 0.5)]);
    event(EventKind::Reported { report: Arc::new(Report { counters, metrics, ..Report::empty(trial()) }) })
}

fn returned(iteration: u64) -> ExperimentEvent {
    event(EventKind::Returned {
        trial: trial(),
        config: Arc::default(),
        status: Status::Pending,
        iteration,
        request: Arc::default(),
        rank: 0,
    })
}

fn ended() -> ExperimentEvent {
    let (status, ending, last) = (Status::Terminated, Ending::Done, Arc::new(Report::empty(trial())));
    event(EventKind::Ended { trial: trial(), status, ending, reason: None, last })
}

/// The steps that count, and how often configuration and end are there.
fn seen(root: &Path) -> (Vec<u64>, usize, usize) {
    let (mut steps, mut starts, mut ends) = (Vec::new(), 0, 0);
    for file in past::files(&root.join(trial().to_string())).expect("it can be listed") {
        let bytes = std::fs::read(file).expect("it is there");
        for record in record::read(&bytes) {
            match event::read(record) {
                event::Past::Step(step) => steps.push(step),
                event::Past::Restart(from) => steps.retain(|step| *step < from),
                event::Past::Start => starts += 1,
                event::Past::End => ends += 1,
                event::Past::Other => {}
            }
        }
    }
    (steps, starts, ends)
}

#[test]
fn every_step_counts_once_wherever_a_session_was_killed() {
    let whole = {
        let dir = tempfile::tempdir().expect("a directory");
        let mut board = FileObserver::new(TensorBoard::new(dir.path()));
        [added(), row(1), row(2), row(3), row(4)]
            .iter()
            .for_each(|event| board.on_event(event).expect("it is written"));
        drop(board);
        let files = past::files(&dir.path().join(trial().to_string())).expect("it can be listed");
        std::fs::read(&files[0]).expect("it is there")
    };
    for journaled in 0..=4 {
        for length in (0..=whole.len()).step_by(7) {
            let dir = tempfile::tempdir().expect("a directory");
            let directory = dir.path().join(trial().to_string());
            std::fs::create_dir(&directory).expect("it can be made");
            std::fs::write(directory.join("events.out.tfevents.0000000007.host"), &whole[..length])
                .expect("it is written");
            let mut board = FileObserver::new(TensorBoard::new(dir.path()));
            board.on_past(&added()).expect("it is written");
            (1..=journaled).for_each(|step| board.on_past(&row(step)).expect("it is written"));
            board.on_event(&returned(journaled)).expect("it is written");
            let _ = board.save();
            let (steps, ..) = seen(dir.path());
            assert_eq!(steps, (1..=journaled).collect::<Vec<_>>(), "of {length} bytes");
            (journaled + 1..=6).for_each(|step| board.on_event(&row(step)).expect("it is written"));
            board.on_event(&ended()).expect("it is written");
            assert_eq!(seen(dir.path()), ((1..=6).collect(), 1, 1), "of {length} bytes, {journaled} in the journal");
        }
    }
}
