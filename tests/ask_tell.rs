//! Trials that whoever asks works on: several processes' clients share one searcher and one scheduler, under leases.
#![cfg(unix)]

mod common;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use common::live::{Watch, end, numbered, wait};
use tempfile::TempDir;
use tryout::api::{Answer, ClientOrder, ControlClient, GivenTrial, Next, Refusal, Request, TrialEnd};
use tryout::backend::ask_tell;
use tryout::event::LeaseId;
use tryout::extend::EventKind;
use tryout::prelude::*;

const LONG: f64 = 600.0;

fn experiment(name: &str, dir: &TempDir) -> Experiment {
    let experiment = Experiment::new(name, ask_tell("shared")).objective(Objective::min("loss")).seed(1).workers(4);
    experiment.dir(dir.path()).control_socket()
}

/// Somebody who asks and tells over the socket.
struct Asker(ControlClient);

impl Asker {
    fn of(run: &Path) -> Self {
        Self(ControlClient::connect(run).unwrap())
    }

    fn request(&mut self, lease_s: f64) -> Answer {
        self.0.ask(&Request::Ask { lease_s, wait_s: LONG }).unwrap()
    }

    fn ask(&mut self, lease_s: f64) -> GivenTrial {
        match self.request(lease_s) {
            Answer::Given(Some(given)) => *given,
            other => panic!("{other:?}"),
        }
    }

    fn tell(&mut self, lease: LeaseId, loss: Option<f64>, end: Option<TrialEnd>) -> Answer {
        let metrics = loss.map(|loss| [("loss", loss)].into());
        self.0.ask(&Request::Tell { lease, metrics, end }).unwrap()
    }

    fn report(&mut self, given: &GivenTrial, loss: f64) -> Next {
        match self.tell(given.lease, Some(loss), None) {
            Answer::Next(next) => next,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn several_share_one_searcher_and_one_scheduler() {
    let dir = TempDir::new().unwrap();
    let space = Space::new().with("x", uniform(0.0, 1.0));
    let asha = Asha::new().max_t(9).grace_period(1).reduction_factor(3.0);
    let handle = experiment("several", &dir).space(space).samples(30).scheduler(asha).start().unwrap();
    let run = dir.path().join("several");
    let work = || {
        let mut asker = Asker::of(&run);
        let mut told = Vec::new();
        // As long as the run has a trial for it, and until it is over.
        while let Ok(Answer::Given(Some(given))) = asker.0.ask(&Request::Ask { lease_s: LONG, wait_s: LONG }) {
            let x: f64 = given.config.get("x").unwrap();
            let mut reports = 0;
            for _ in 0..9 {
                reports += 1;
                if asker.report(&given, x) == Next::Stop {
                    break;
                }
            }
            told.push((given.trial, given.attempt, reports));
        }
        told
    };
    let told = std::thread::scope(|scope| {
        let askers: Vec<_> = (0..4).map(|_| scope.spawn(work)).collect();
        askers.into_iter().flat_map(|asker| asker.join().unwrap()).collect::<Vec<_>>()
    });
    let results = end(handle).unwrap();
    assert_eq!(results.count(Status::Terminated), 30);
    let trials: BTreeSet<TrialId> = told.iter().map(|(trial, ..)| *trial).collect();
    assert_eq!((trials.len(), told.len()), (30, 30), "each was worked on once");
    assert!(told.iter().all(|(_, attempt, _)| *attempt == 1));
    for (trial, _, reports) in &told {
        assert_eq!(results.trials()[trial.number() as usize].reported, *reports, "every report is a result");
    }
    let all: u64 = told.iter().map(|(.., reports)| reports).sum();
    assert!(all < 150, "the scheduler stopped what was bad: {all} reports");
    assert!(told.iter().any(|(.., reports)| *reports == 9), "and let the best go on to its end");
}

#[test]
fn what_a_lost_one_had_is_given_to_another() {
    let dir = TempDir::new().unwrap();
    let (watcher, mut watch) = Watch::new();
    let handle = experiment("lost", &dir).points(numbered(1)).observer(watcher).start().unwrap();
    let run = dir.path().join("lost");
    let (mut lost, mut other) = (Asker::of(&run), Asker::of(&run));
    let first = lost.ask(0.02);
    assert_eq!((first.attempt, first.config.number("n")), (1, Some(0.0)));
    let again = other.ask(LONG);
    assert_eq!((again.trial, again.attempt, &again.config), (first.trial, 2, &first.config));
    assert_ne!(again.lease, first.lease);
    let EventKind::Failed { failure, retry_at: Some(_), .. } =
        watch.until(|kind| matches!(kind, EventKind::Failed { .. }))
    else {
        panic!("it is tried again")
    };
    assert_eq!(failure.fault.kind, FailureKind::Preempted);
    let said = &failure.fault.message;
    let expected = format!("process {}, who worked on it, hasn't been heard of for 20ms", std::process::id());
    assert!(said.contains(&expected), "{said}");
    // What comes late is no result.
    let Answer::Refused { code: Refusal::Impossible, why } = lost.tell(first.lease, Some(0.1), Some(TrialEnd::Done))
    else {
        panic!()
    };
    assert!(why.starts_with(&format!("lease {} is over, or there never was one", first.lease)), "{why}");
    assert_eq!(other.report(&again, 0.5), Next::GoOn);
    assert_eq!(other.tell(again.lease, Some(0.4), Some(TrialEnd::Done)), Answer::Next(Next::Stop));
    let results = end(handle).unwrap();
    let trial = &results.trials()[0];
    assert_eq!((trial.status, trial.attempts, results.value(trial)), (Status::Terminated, 2, Some(0.4)));
}

#[test]
fn a_trial_ends_by_the_word_of_whoever_works_on_it_or_of_the_run() {
    let dir = TempDir::new().unwrap();
    let handle = experiment("ends", &dir).points(numbered(4)).start().unwrap();
    let run = dir.path().join("ends");
    let mut asker = Asker::of(&run);
    let (failed, stopped, empty, paused) = (asker.ask(LONG), asker.ask(LONG), asker.ask(LONG), asker.ask(LONG));
    let why = TrialEnd::Failed("the oven was cold".to_owned());
    assert_eq!(asker.tell(failed.lease, Some(1.0), Some(why)), Answer::Next(Next::Stop));
    // Still there: nothing is reported.
    assert_eq!(asker.tell(stopped.lease, None, None), Answer::Next(Next::GoOn));
    wait(handle.stop_trial(stopped.trial)).unwrap();
    assert_eq!(asker.report(&stopped, 2.0), Next::Stop);
    assert_eq!(asker.report(&empty, 3.0), Next::GoOn);
    assert_eq!(asker.tell(empty.lease, None, Some(TrialEnd::Done)), Answer::Next(Next::Stop));
    // A pause takes effect at the next report, and the trial is given out again when it is resumed.
    wait(handle.pause(paused.trial)).unwrap();
    assert_eq!(asker.report(&paused, 4.0), Next::Stop);
    wait(handle.resume(paused.trial)).unwrap();
    let resumed = asker.ask(LONG);
    assert_eq!((resumed.trial, resumed.attempt), (paused.trial, 1));
    assert_eq!(asker.report(&resumed, 4.0), Next::GoOn, "it begins anew, and what it had reported counts once");
    assert_eq!(asker.tell(resumed.lease, Some(5.0), Some(TrialEnd::Done)), Answer::Next(Next::Stop));
    let results = end(handle).unwrap();
    let how = |number: usize| (results.trials()[number].status, results.trials()[number].ending.unwrap());
    assert_eq!(how(0), (Status::Error, Ending::Error));
    assert_eq!(results.trials()[0].error().unwrap().fault.message, "the oven was cold");
    assert_eq!(how(1), (Status::Terminated, Ending::Client));
    assert_eq!((how(2), how(3)), ((Status::Terminated, Ending::Done), (Status::Terminated, Ending::Done)));
    assert_eq!(results.trials()[3].reported, 2);
    assert_eq!(results.trials()[0].reported, 1, "what was reported before the failure is a result");
}

#[test]
fn whoever_waits_hears_of_the_end() {
    let dir = TempDir::new().unwrap();
    let handle = experiment("waits", &dir).points(numbered(1)).start().unwrap();
    let run = dir.path().join("waits");
    let mut asker = Asker::of(&run);
    let given = asker.ask(LONG);
    assert_eq!(asker.0.ask(&Request::Ask { lease_s: LONG, wait_s: 0.0 }).unwrap(), Answer::Given(None));
    let mut other = Asker::of(&run);
    let waits = std::thread::spawn(move || other.0.ask(&Request::Ask { lease_s: LONG, wait_s: LONG }));
    assert_eq!(asker.tell(given.lease, Some(0.0), Some(TrialEnd::Done)), Answer::Next(Next::Stop));
    end(handle).unwrap();
    let heard = common::live::within("who waits", move || waits.join().unwrap());
    // Its question may have come when the socket had closed.
    assert!(matches!(heard, Ok(Answer::Refused { code: Refusal::Over, .. }) | Err(_)), "{heard:?}");
}

#[test]
fn what_can_not_be_is_refused_in_words() {
    let dir = TempDir::new().unwrap();
    let handle = experiment("words", &dir).points(numbered(1)).start().unwrap();
    let mut asker = Asker::of(&dir.path().join("words"));
    for (lease_s, wait_s) in [(0.0, 0.0), (-1.0, 0.0), (1.0, -1.0)] {
        let Answer::Refused { code: Refusal::Malformed, why } = asker.0.ask(&Request::Ask { lease_s, wait_s }).unwrap()
        else {
            panic!()
        };
        assert!(why.contains("give seconds, more than 0 and at least 0"), "{why}");
    }
    let Answer::Refused { code: Refusal::Impossible, why } = asker.tell(LeaseId::new(77), Some(1.0), None) else {
        panic!()
    };
    assert!(why.contains("is over, or there never was one"), "{why}");
    wait(handle.order(ClientOrder::StopAll)).unwrap();
    end(handle).unwrap();

    let plain = Experiment::new("plain", function("work", |_: Config, trial| Ok(trial.report([("loss", 1.0)])?)));
    let handle = plain.points(numbered(1)).start().unwrap();
    let refused = wait(handle.ask(Duration::from_secs(1), Duration::ZERO)).unwrap_err().to_string();
    end(handle).unwrap();
    assert!(refused.contains("this run works on its trials itself") || refused == "the run is over", "{refused}");
}

/// A lease of an earlier session means nothing in the next one.
#[test]
fn a_study_goes_on_where_it_was() {
    let dir = TempDir::new().unwrap();
    let study = || experiment("goes-on", &dir).points(numbered(2)).existing(Existing::Resume);
    let run = dir.path().join("goes-on");
    let handle = study().start().unwrap();
    let mut asker = Asker::of(&run);
    let (done, left) = (asker.ask(LONG), asker.ask(LONG));
    asker.tell(done.lease, Some(1.0), Some(TrialEnd::Done));
    wait(handle.drain(Duration::ZERO)).unwrap();
    assert_eq!(end(handle).unwrap().outcome(), &Outcome::Drained);

    let handle = study().start().unwrap();
    let mut asker = Asker::of(&run);
    let again = asker.ask(LONG);
    assert_eq!(again.trial, left.trial);
    assert!(matches!(asker.tell(left.lease, Some(9.0), None), Answer::Refused { code: Refusal::Impossible, .. }));
    assert_eq!(asker.tell(again.lease, Some(2.0), Some(TrialEnd::Done)), Answer::Next(Next::Stop));
    let results = end(handle).unwrap();
    assert_eq!(results.trials().iter().map(|trial| results.value(trial)).collect::<Vec<_>>(), [Some(1.0), Some(2.0)]);
}
