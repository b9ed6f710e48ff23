//! Panics and endless steps in users' code: each is a value with its words and its place, and the run ends cleanly.

mod common;

use std::time::Duration;

use common::live::{
    Diary, Gate, Mock, Script, SpyScheduler, SpySearcher, Watch, end, numbered, pool_until, results, run, statuses,
    wait,
};
use tryout::extend::{
    Cohort, EventKind, ExperimentEvent, Failure, Observer, ObserverError, Scheduler, Searcher, StopReason,
};
use tryout::prelude::*;

const SHORT: Duration = Duration::from_millis(20);

type Where = fn(Script) -> Script;
type Form = fn(Script, &str) -> Experiment;

fn checkpointing(experiment: Experiment) -> Experiment {
    experiment.points(numbered(2)).checkpoint_every(2).stop(stop::iterations(4))
}

fn explode(mock: &mut Mock) -> Result<(), TrialError> {
    if mock.n() == 0 && mock.info.attempt <= 2 {
        panic!("boom in trial {}", mock.n());
    }
    Ok(())
}

/// Its panics, after which the other trial goes on as if nothing had been.
fn failures(name: &str, script: Script, kind: Form) -> Vec<Failure> {
    let results = results(checkpointing(kind(script, name)));
    assert_eq!(results.trials()[1].status, Status::Terminated, "{name}");
    assert_eq!(results.outcome(), &Outcome::Completed, "{name}");
    assert_eq!(results.trials()[0].status, Status::Error, "{name}");
    results.trials()[0].failures.iter().map(|failure| Failure::clone(failure)).collect()
}

const FORMS: [(&str, Form); 2] = [("stepwise", Script::experiment), ("async", Script::async_experiment)];

#[test]
fn a_panic_in_setup_step_and_save_has_its_words_and_its_place() {
    let places: [(&str, Where); 3] = [
        ("setup", |script| script.setup(explode)),
        ("step", |script| {
            script.step(|mock| {
                explode(mock)?;
                Ok(mock.score())
            })
        }),
        ("save", |script| script.on_save(explode)),
    ];
    for (form, kind) in FORMS {
        for (place, with) in places {
            let failures = failures(&format!("{form}-{place}"), with(Script::new().saves()), kind);
            let [failure] = &failures[..] else { panic!("{form} {place}: {failures:?}") };
            assert_eq!(failure.fault.kind, FailureKind::Panic, "{form} {place}");
            assert_eq!(failure.fault.message, "boom in trial 0");
            let at = failure.fault.place.as_deref().expect("a place");
            assert!(at.starts_with("tests/panics.rs:"), "{at}");
            let words = failure.to_string();
            assert!(words.starts_with("panic: boom in trial 0 (at tests/panics.rs:"), "{words}");
        }
    }
}

#[test]
fn a_panic_in_restore_has_its_words_and_its_place() {
    for (form, kind) in FORMS {
        let script = Script::new()
            .saves()
            .step(|mock| {
                if mock.n() == 0 && mock.count == 3 && mock.info.attempt == 1 {
                    return Err(TrialError::new("third"));
                }
                Ok(mock.score())
            })
            .on_restore(explode);
        let experiment = checkpointing(kind(script, &format!("{form}-restore"))).max_failures(1);
        let results = results(experiment);
        let failure = results.trials()[0].error().expect("an error");
        assert_eq!((failure.fault.kind, &*failure.fault.message), (FailureKind::Panic, "boom in trial 0"));
        assert!(failure.fault.place.as_deref().unwrap().starts_with("tests/panics.rs:"));
        assert_eq!(results.trials()[1].status, Status::Terminated);
    }
}

/// A reset that panics costs the worker; a clean-up or a drop that panics costs nothing.
#[test]
fn a_panic_in_reset_stop_or_drop_is_no_failure_of_a_trial() {
    let places: [(&str, Where); 3] = [
        ("reset", |script| script.reset(|_| panic!("boom"))),
        ("stop", |script| script.stop(|_| panic!("boom"))),
        ("drop", |script| script.drop(|_| panic!("boom"))),
    ];
    for (form, kind) in FORMS {
        for (place, with) in places {
            for reuse in [Reuse::Yes, Reuse::No] {
                let name = format!("{form}-{place}-{reuse:?}");
                let results = results(checkpointing(kind(with(Script::new()), &name)).reuse(reuse));
                assert_eq!(statuses(&results), [Status::Terminated; 2], "{name}");
                assert_eq!(results.totals().failures, 0, "{name}");
            }
        }
    }
}

#[test]
fn a_panic_in_a_closure_and_in_an_async_closure() {
    let closure = function("closure", |config: Config, trial| {
        trial.report([("x", 1.0)])?;
        if config.number("n") == Some(0.0) {
            panic!("boom");
        }
        Ok(())
    });
    let awaiting = async_function("awaiting", async |config: Config, trial: &mut AsyncSession| {
        trial.report([("x", 1.0)]).await?;
        if config.number("n") == Some(0.0) {
            panic!("boom");
        }
        Ok(())
    });
    for experiment in [Experiment::new("closure", closure), Experiment::new("async-closure", awaiting)] {
        let results = results(experiment.workers(1).points(numbered(2)));
        assert_eq!(statuses(&results), [Status::Error, Status::Terminated], "{}", results.name());
        let fault = &results.trials()[0].failures[0].fault;
        assert_eq!((fault.kind, &*fault.message), (FailureKind::Panic, "boom"));
        assert!(fault.place.as_deref().unwrap().starts_with("tests/panics.rs:"), "{fault}");
    }
}

/// A panic whose payload isn't a text.
#[test]
fn a_panic_without_words() {
    let script = Script::new().step(|_| std::panic::panic_any(7));
    let results = results(script.experiment("no-words").points(numbered(1)));
    assert_eq!(results.trials()[0].failures[0].fault.message, "a panic without words");
}

#[test]
fn a_trial_that_panicked_can_be_tried_again() {
    let script = Script::new().step(|mock| {
        explode(mock)?;
        Ok(mock.score())
    });
    let results = results(checkpointing(script.experiment("again")).max_failures(2));
    assert_eq!((statuses(&results), results.trials()[0].attempts), (vec![Status::Terminated; 2], 3));
}

/// The words with which a run can't go on, and what became of its trials.
fn ending(experiment: Experiment) -> String {
    let error = run(experiment).expect_err("it can't go on");
    let words = error.to_string();
    let RunError::Failed { results, .. } = error else { panic!("{words}") };
    let over = results.count(Status::Terminated) + results.count(Status::Error);
    assert_eq!(over, results.trials().len(), "all trials have ended");
    words
}

/// Panics as it is asked for the trial of this number.
struct Explosive(u32);

impl Searcher for Explosive {
    fn suggest(&mut self, trial: TrialId) -> Result<tryout::extend::Suggestion, tryout::extend::SearchError> {
        if trial.number() == self.0 {
            panic!("no more ideas");
        }
        Ok(tryout::extend::Suggestion::Next(Config::new()))
    }

    fn name(&self) -> &str {
        "explosive"
    }
}

struct Mine;

impl StopRule for Mine {
    fn check(&mut self, _: TrialId, report: &Report) -> Option<StopReason> {
        assert!(report.iteration() < 2, "too far");
        None
    }
}

#[test]
fn a_panic_in_a_searcher_scheduler_or_stop_rule_ends_the_run_and_is_named() {
    // The first one before anything runs: nothing else comes that would bring its failure to light.
    for number in [0, 1] {
        let searching = Script::new().experiment("searcher").searcher(Explosive(number));
        assert_eq!(ending(searching), "the searcher explosive failed: it panicked: no more ideas");
    }

    let diary = Diary::new();
    let judge = |_, _: &Report, _: &dyn Cohort| -> tryout::extend::Verdict { panic!("can't judge") };
    let scheduling =
        Script::new().experiment("scheduler").points(numbered(3)).scheduler(SpyScheduler::judging(&diary, judge));
    assert_eq!(ending(scheduling), "the scheduler spy scheduler failed: it panicked: can't judge");

    let stopping = Script::new().experiment("stop-rule").points(numbered(3)).stop(Mine);
    let words = ending(stopping);
    assert!(words.starts_with("the stop rule ") && words.ends_with("failed: it panicked: too far"), "{words}");
}

/// Panics as it is to choose, or as a trial is completed or added.
#[derive(Clone, Copy, PartialEq)]
enum Clueless {
    Choosing,
    Completing,
    Adding,
}

impl Scheduler for Clueless {
    fn on_report(&mut self, _: TrialId, _: &Report, _: &dyn Cohort) -> tryout::extend::Verdict {
        tryout::extend::Verdict::CONTINUE
    }

    fn complete(&mut self, _: TrialId, _: &mut Config) {
        assert!(*self != Clueless::Completing, "no clue");
    }

    fn on_add(&mut self, _: TrialId, _: &Config) {
        assert!(*self != Clueless::Adding, "no clue");
    }

    fn choose(&mut self, cohort: &dyn Cohort) -> Option<TrialId> {
        assert!(*self != Clueless::Choosing, "no clue");
        cohort.first_pending()
    }

    fn name(&self) -> &str {
        "clueless"
    }
}

#[test]
fn a_scheduler_that_panics_before_anything_runs_is_named() {
    for scheduler in [Clueless::Choosing, Clueless::Completing, Clueless::Adding] {
        let choosing = Script::new().experiment("clueless").points(numbered(3)).scheduler(scheduler);
        assert_eq!(ending(choosing), "the scheduler clueless failed: it panicked: no clue");
    }
}

struct Fragile;

impl Observer for Fragile {
    fn on_event(&mut self, event: &ExperimentEvent) -> Result<(), ObserverError> {
        assert!(matches!(event.kind, EventKind::Started { .. }), "I only like beginnings");
        Ok(())
    }

    fn name(&self) -> &str {
        "fragile"
    }
}

/// An observer that panics is disabled; nobody else notices.
#[test]
fn a_panic_in_an_observer_disables_it() {
    let (diary, (watcher, mut watch)) = (Diary::new(), Watch::new());
    let experiment = Script::new()
        .experiment("observer")
        .searcher(SpySearcher::counting(&diary, 5))
        .stop(stop::iterations(3))
        .observer(Fragile)
        .observer(watcher);
    let results = results(experiment);
    assert_eq!((watch.finish(), statuses(&results)), (Outcome::Completed, vec![Status::Terminated; 5]));
    assert_eq!(watch.about(4).last().unwrap(), "ended TERMINATED StopRule");
}

/// A step that never returns, its trial stopped: after the grace the worker is left behind, and the next trial runs on
/// the resources that are given back.
#[test]
fn a_step_that_never_returns_is_left_behind_and_its_resources_given_back() {
    let (forever, (watcher, mut watch)) = (Gate::new(), Watch::new());
    let inside = forever.clone();
    let handle = Script::new()
        .step(move |mock| {
            if mock.n() == 0 {
                inside.pass();
            }
            Ok(mock.score())
        })
        .experiment("endless")
        .points(numbered(2))
        .stop(stop::iterations(1))
        .grace(SHORT, AbandonPolicy::GiveBack)
        .observer(watcher)
        .start()
        .unwrap();
    let trial = watch.running(0);
    forever.wait_for(1);
    wait(handle.stop_trial(trial)).unwrap();
    watch.line("0 ended TERMINATED Client");
    watch.line("abandoned Some(0)");
    let results = end(handle).unwrap();
    forever.open();
    assert_eq!(statuses(&results), [Status::Terminated; 2]);
}

/// The same, but its resources are held: the next trial waits until the step returns after all.
#[test]
fn a_step_that_never_returns_may_hold_its_resources() {
    let (forever, (watcher, mut watch)) = (Gate::new(), Watch::new());
    let inside = forever.clone();
    let handle = Script::new()
        .step(move |mock| {
            if mock.n() == 0 {
                inside.pass();
            }
            Ok(mock.score())
        })
        .experiment("endless-held")
        .points(numbered(2))
        .stop(stop::iterations(1))
        .grace(SHORT, AbandonPolicy::Hold)
        .observer(watcher)
        .start()
        .unwrap();
    let trial = watch.running(0);
    forever.wait_for(1);
    wait(handle.stop_trial(trial)).unwrap();
    watch.line("abandoned Some(0)");
    let status = pool_until(&handle, |counts| counts.abandoned == 1);
    assert!(status.free.is_empty(), "{status:?}");
    assert_eq!(status.counts.waiting, 1);
    forever.open();
    assert_eq!(statuses(&end(handle).unwrap()), [Status::Terminated; 2], "it goes on with what was held");
}

/// An async task that awaits for ever is ended at its await; its neighbours never notice.
#[test]
fn an_async_task_that_waits_for_ever_is_ended() {
    let (watcher, mut watch) = Watch::new();
    let gate = Diary::new();
    let notes = gate.clone();
    let trainable = async_function("waits", async move |config: Config, trial: &mut AsyncSession| {
        if config.number("n") == Some(0.0) {
            notes.note("waits");
            std::future::pending::<()>().await;
        }
        Ok(trial.report([("x", 1.0)]).await?)
    });
    let handle = Experiment::new("waits", trainable)
        .workers(1)
        .points(numbered(2))
        .grace(SHORT, AbandonPolicy::Hold)
        .observer(watcher)
        .start()
        .unwrap();
    let trial = watch.running(0);
    gate.wait_for("waits", 1);
    wait(handle.stop_trial(trial)).unwrap();
    let results = end(handle).unwrap();
    watch.finish();
    assert_eq!(statuses(&results), [Status::Terminated; 2], "the second had the first one's resources");
}

// ---- what is asked on the engine's thread, or while an experiment is put together -----------------------------------

/// What a configuration does when it is read.
enum Mood {
    Good,
    AsksWrong,
}

impl<'de> serde::Deserialize<'de> for Mood {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match <Config as serde::Deserialize>::deserialize(deserializer)?.number("n") {
            Some(0.0) => Ok(Mood::AsksWrong),
            Some(1.0) => panic!("can't read"),
            Some(2.0) => Err(serde::de::Error::custom("won't read")),
            _ => Ok(Mood::Good),
        }
    }
}

struct Moody;

fn moody_request(mood: &Mood) -> Option<ResourceRequest> {
    assert!(matches!(mood, Mood::Good), "can't say what it needs");
    None
}

impl Trainable for Moody {
    type Config = Mood;

    fn setup(_: Mood, _: &TrialInfo) -> Result<Self, TrialError> {
        Ok(Self)
    }

    fn step(&mut self) -> Result<Step, TrialError> {
        Ok(Step::done([("score", 1.0)]))
    }

    fn default_resources(mood: &Mood) -> Option<ResourceRequest> {
        moody_request(mood)
    }
}

impl AsyncTrainable for Moody {
    type Config = Mood;

    async fn setup(_: Mood, _: &TrialInfo) -> Result<Self, TrialError> {
        Ok(Self)
    }

    async fn step(&mut self) -> Result<Step, TrialError> {
        Ok(Step::done([("score", 1.0)]))
    }

    fn default_resources(mood: &Mood) -> Option<ResourceRequest> {
        moody_request(mood)
    }
}

/// A trial that can't be asked what it needs fails, and nobody else does; also in the next session.
#[test]
fn a_trial_that_can_t_be_asked_what_it_needs_fails_alone() {
    let dir = tempfile::tempdir().unwrap();
    let forms: [(&str, fn(&str) -> Experiment); 2] = [
        ("moody", |name| Experiment::new(name, stepwise::<Moody>())),
        ("moody-async", |name| Experiment::new(name, async_stepwise::<Moody>())),
    ];
    for (name, form) in forms {
        let first = results(form(name).points(numbered(4)).workers(2).dir(dir.path()));
        let again = match name {
            "moody" => Experiment::resume(dir.path().join(name), stepwise::<Moody>()),
            _ => Experiment::resume(dir.path().join(name), async_stepwise::<Moody>()),
        };
        let again = results(again.unwrap().on_resume(Resume::new().errored(OnResume::Restart)));
        for (session, results) in [&first, &again].into_iter().enumerate() {
            assert_eq!(results.outcome(), &Outcome::Completed, "{name}");
            let wrong: Vec<_> = results.trials().iter().filter_map(|trial| trial.error()).collect();
            let words: Vec<&str> = wrong.iter().map(|failure| &*failure.fault.message).collect();
            assert_eq!(results.count(Status::Error), 3, "{name} {session} {words:?}");
            assert_eq!(words[0], "can't say what it needs");
            assert!(wrong[0].fault.place.as_deref().unwrap().starts_with("tests/panics.rs:"), "{:?}", wrong[0]);
            assert_eq!(words[1], "can't read");
            assert!(words[2].ends_with("won't read"), "{words:?}");
        }
    }
}

/// A part that panics in one of its methods, when that is called for the time that is said.
struct Touchy {
    method: &'static str,
    from: u32,
    calls: std::sync::atomic::AtomicU32,
}

impl Touchy {
    fn new(method: &'static str, from: u32) -> Self {
        Self { method, from, calls: 0.into() }
    }

    fn touch(&self, method: &str) {
        if self.method == method {
            let call = self.calls.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1;
            assert!(call < self.from, "don't touch");
        }
    }
}

impl Searcher for Touchy {
    fn suggest(&mut self, trial: TrialId) -> Result<tryout::extend::Suggestion, tryout::extend::SearchError> {
        self.touch("suggest");
        Ok(match trial.number() {
            0..100 => tryout::extend::Suggestion::Next(Config::new()),
            _ => tryout::extend::Suggestion::Exhausted,
        })
    }

    fn name(&self) -> &str {
        self.touch("name");
        if self.method == "suggest" {
            // When it is needed for the message.
            assert!(self.calls.load(std::sync::atomic::Ordering::SeqCst) == 0, "no name any more");
        }
        "touchy"
    }

    fn spec(&self) -> Option<tryout::extend::PartSpec> {
        self.touch("spec");
        None
    }

    fn total(&self) -> Option<u64> {
        self.touch("total");
        None
    }

    fn lookahead(&self) -> usize {
        self.touch("lookahead");
        1
    }

    fn effort(&self) -> tryout::extend::Effort {
        self.touch("effort");
        tryout::extend::Effort::Light
    }
}

impl Scheduler for Touchy {
    fn on_report(&mut self, _: TrialId, _: &Report, _: &dyn Cohort) -> tryout::extend::Verdict {
        tryout::extend::Verdict::CONTINUE
    }

    fn name(&self) -> &str {
        self.touch("name");
        "touchy"
    }

    fn spec(&self) -> Option<tryout::extend::PartSpec> {
        self.touch("spec");
        None
    }

    fn buffering(&self) -> tryout::extend::Buffering {
        self.touch("buffering");
        tryout::extend::Buffering::Allowed
    }
}

impl StopRule for Touchy {
    fn check(&mut self, _: TrialId, _: &Report) -> Option<StopReason> {
        None
    }

    fn spec(&self) -> Option<tryout::extend::PartSpec> {
        self.touch("spec");
        None
    }
}

fn refusal(experiment: Experiment) -> String {
    let error = run(experiment).expect_err("it can't be used");
    assert!(matches!(error, RunError::Settings(_)), "{error:?}");
    error.to_string()
}

#[test]
fn a_part_that_panics_when_it_is_asked_what_it_is_is_a_wrong_setting() {
    for method in ["name", "spec", "total", "lookahead", "effort"] {
        let words = refusal(Script::new().experiment("touchy").searcher(Touchy::new(method, 1)));
        let name = if method == "name" { "the searcher" } else { "the searcher `touchy`" };
        assert_eq!(words, format!("{name} can't be used: `{method}`: it panicked: don't touch"));
    }
    for method in ["name", "spec", "buffering"] {
        let experiment = Script::new().experiment("touchy").points(numbered(1));
        let words = refusal(experiment.scheduler(Touchy::new(method, 1)));
        let name = if method == "name" { "the scheduler" } else { "the scheduler `touchy`" };
        assert_eq!(words, format!("{name} can't be used: `{method}`: it panicked: don't touch"));
    }
    let words = refusal(Script::new().experiment("touchy").points(numbered(1)).stop(Touchy::new("spec", 1)));
    assert_eq!(words, "stop rule 0 can't be used: `spec`: it panicked: don't touch");
}

/// What is asked on the engine's thread.
#[test]
fn a_searcher_that_panics_later_when_it_is_asked_what_it_is_ends_the_run_and_is_named() {
    for method in ["suggest", "lookahead", "effort"] {
        let experiment = Script::new().experiment("touchy").searcher(Touchy::new(method, 5)).stop(stop::iterations(1));
        assert_eq!(ending(experiment), "the searcher touchy failed: it panicked: don't touch", "{method}");
    }
}

/// An observer is only disabled, or goes by its number.
#[test]
fn an_observer_that_panics_when_it_is_asked_what_it_is_harms_nobody() {
    struct Shy(&'static str);

    impl Observer for Shy {
        fn on_event(&mut self, _: &ExperimentEvent) -> Result<(), ObserverError> {
            Ok(())
        }

        fn name(&self) -> &str {
            assert!(self.0 != "name", "no name");
            "shy"
        }

        fn wants_past(&self) -> tryout::extend::Past {
            assert!(self.0 != "past", "no past");
            tryout::extend::Past::Wanted
        }
    }

    let dir = tempfile::tempdir().unwrap();
    for method in ["name", "past"] {
        let script = || Script::new().experiment(method).points(numbered(2)).stop(stop::iterations(2));
        let first = results(script().observer(Shy(method)).dir(dir.path()));
        assert_eq!(statuses(&first), [Status::Terminated; 2]);
        let (watcher, watch) = Watch::new();
        let again = script().dir(dir.path()).existing(Existing::Resume).observer(Shy(method)).observer(watcher);
        assert_eq!(statuses(&results(again)), [Status::Terminated; 2]);
        drop(watch);
    }
}
