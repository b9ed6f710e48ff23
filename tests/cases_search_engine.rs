//! Searchers at work in the whole engine: when they are asked, what they hear, how many are live (the A cases).

mod common;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use common::live::{
    Diary, Gate, Script, SpyScheduler, SpySearcher, Watch, end, iterations, numbered, results, run, wait,
};
use tryout::extend::{Cohort, EventKind, SearchError, Searcher, Suggestion, Verdict};
use tryout::logic::event::RunFailure;
use tryout::logic::search::{ConcurrencyLimiter, Repeater};
use tryout::prelude::*;

/// The searcher has nothing more while its last trial runs; the run goes on until that has ended.
#[test]
fn case_a_01_an_exhausted_searcher_does_not_end_the_run() {
    let (diary, gate, (watcher, mut watch)) = (Diary::new(), Gate::new(), Watch::new());
    let inside = gate.clone();
    let handle = Script::new()
        .step(move |mock| {
            inside.pass();
            Ok(mock.score())
        })
        .experiment("a-01")
        .workers(2)
        .searcher(SpySearcher::counting(&diary, 1))
        .stop(stop::iterations(2))
        .observer(watcher)
        .start()
        .unwrap();
    watch.running(0);
    diary.wait_for("A.suggest 1 exhausted", 1);
    assert_eq!(wait(handle.status()).unwrap().counts[Status::Running as usize], 1);
    gate.open();
    assert_eq!(end(handle).unwrap().outcome(), &Outcome::Completed);
    assert_eq!((diary.of("A.report").len(), diary.of("A.end").len()), (1, 1));
}

/// The report that ends a trial reaches the searcher as its end alone.
#[test]
fn case_a_02_a_trial_stopped_at_once_was_never_reported() {
    let diary = Diary::new();
    let experiment = Script::new()
        .experiment("a-02")
        .searcher(SpySearcher::counting(&diary, 1))
        .scheduler(SpyScheduler::judging(&diary, |_, _: &Report, _: &dyn Cohort| Verdict::stop("always")))
        .stop(stop::iterations(5));
    let results = results(experiment);
    assert_eq!((diary.of("A.report").len(), diary.of("A.end")), (0, vec!["A.end 0 Scheduler i1".to_owned()]));
    assert_eq!(iterations(&results), [1]);
}

/// It becomes exhausted in the middle of being asked.
#[test]
fn case_a_04_exhausted_while_it_is_asked() {
    let diary = Diary::new();
    let searcher = SpySearcher::asking(&diary, |trial| {
        Ok(if trial.number() == 0 { Suggestion::Next(Config::new()) } else { Suggestion::Exhausted })
    });
    let experiment =
        Script::new().experiment("a-04").workers(4).searcher(searcher).samples(2).stop(stop::iterations(1));
    let results = results(experiment);
    assert_eq!((results.trials().len(), results.outcome()), (1, &Outcome::Completed));
    assert_eq!(diary.of("A.suggest 1").len(), 1, "asked once and never again");
}

/// How far ahead of the workers a searcher is asked: as far as it says, and as the staging allows.
#[test]
fn case_a_05_to_a_07_how_many_trials_are_made_ahead() {
    let ahead = |name: &str, lookahead: usize, staged: u32| {
        let (diary, gate, (watcher, mut watch)) = (Diary::new(), Gate::new(), Watch::new());
        let inside = gate.clone();
        let mut searcher = SpySearcher::counting(&diary, 100);
        searcher.lookahead = lookahead;
        let handle = Script::new()
            .step(move |mock| {
                inside.pass();
                Ok(mock.score())
            })
            .experiment(name)
            .searcher(searcher)
            .staged(staged)
            .stop(stop::iterations(1))
            .observer(watcher)
            .start()
            .unwrap();
        gate.wait_for(1);
        watch.until(|kind| matches!(kind, EventKind::Launched { .. }));
        // One more question goes round the engine: whatever the launch led to has been done.
        let made = wait(handle.trials(0, 1_000)).unwrap().len();
        wait(handle.stop()).unwrap();
        gate.open();
        end(handle).unwrap();
        made
    };
    assert_eq!(ahead("a-06", 1, 16), 2, "one at work, one for whoever is free next");
    assert_eq!(ahead("a-05", 42, 64), 43);
    assert_eq!(ahead("a-05-staged", 42, 8), 9, "no more than are staged");
    assert_eq!(ahead("a-05-all", usize::MAX, 64), 65, "as many as are staged");
}

/// Limits of a wrapper hold: never more live trials than that.
#[test]
fn case_a_07_a_limited_searcher_has_so_many_live_trials() {
    for limit in [1, 4] {
        let (diary, gate) = (Diary::new(), Gate::new());
        let inside = gate.clone();
        let searcher = ConcurrencyLimiter::new(SpySearcher::counting(&diary, 20), limit).unwrap();
        let name = format!("a-07-{limit}");
        let handle = Script::new()
            .step(move |mock| {
                inside.pass();
                Ok(mock.score())
            })
            .experiment(&name)
            .workers(8)
            .searcher(searcher)
            .stop(stop::iterations(1))
            .start()
            .unwrap();
        gate.wait_for(limit as u32);
        assert_eq!(wait(handle.trials(0, 100)).unwrap().len(), limit);
        gate.open();
        assert_eq!(end(handle).unwrap().count(Status::Terminated), 20);
    }
}

/// How many trials were between such an event and their end at once.
fn most_between(watch: &Watch, begins: fn(&EventKind) -> bool) -> usize {
    let (mut live, mut most) = (0, 0);
    for event in &watch.seen {
        live += usize::from(begins(&event.kind));
        live -= usize::from(matches!(event.kind, EventKind::Ended { .. }));
        most = most.max(live);
    }
    most
}

/// Two suggestions at a time, each three times: never more than six live, none used more than three times.
#[test]
fn case_a_08_a_limited_repeated_searcher() {
    let (diary, (watcher, mut watch)) = (Diary::new(), Watch::new());
    let mut inner = SpySearcher::counting(&diary, 1_000);
    inner.objective = Some(Objective::max("score"));
    let limited = ConcurrencyLimiter::new(inner, 2).unwrap();
    let searcher = Repeater::new(limited, 3).unwrap();
    let experiment = Script::new()
        .experiment("a-08")
        .workers(8)
        .searcher(searcher)
        .samples(20)
        .objective(Objective::max("score"))
        .stop(stop::iterations(2))
        .observer(watcher);
    let results = results(experiment);
    watch.finish();
    assert_eq!(results.trials().len(), 20);
    let most = most_between(&watch, |kind| matches!(kind, EventKind::Added { .. }));
    assert!(most <= 6, "{most} were live at once");
    let mut used: BTreeMap<String, u32> = BTreeMap::new();
    for trial in results.trials() {
        *used.entry(trial.config.value("n").unwrap().to_string()).or_default() += 1;
    }
    assert!(used.values().all(|times| *times <= 3) && used.len() == 7, "{used:?}");
}

/// A searcher that has nothing yet is asked again when something has changed, and not before (DECISIONS 13).
#[test]
fn case_a_09_waiting_is_no_polling() {
    let (diary, gate) = (Diary::new(), Gate::new());
    let (inside, ended) = (gate.clone(), Arc::new(Mutex::new(0_u32)));
    struct Waits(Diary, Arc<Mutex<u32>>);
    impl Searcher for Waits {
        fn suggest(&mut self, trial: TrialId) -> Result<Suggestion, SearchError> {
            let ended = *self.1.lock().unwrap();
            let answer = match trial.number() {
                0 => Suggestion::Next(Config::new()),
                1 if ended == 0 => Suggestion::Wait,
                1 => Suggestion::Next(Config::new()),
                _ => Suggestion::Exhausted,
            };
            self.0.note(format!("{} {answer:?}", trial.number()));
            Ok(answer)
        }

        fn on_end(&mut self, _: TrialId, _: Ending, _: Option<&Report>) {
            *self.1.lock().unwrap() += 1;
        }
    }
    let handle = Script::new()
        .step(move |mock| {
            inside.pass();
            Ok(mock.score())
        })
        .experiment("a-09")
        .workers(4)
        .searcher(Waits(diary.clone(), ended))
        .stop(stop::iterations(1))
        .start()
        .unwrap();
    gate.wait_for(1);
    diary.wait_for("1 Wait", 1);
    for _ in 0..10 {
        wait(handle.status()).unwrap();
    }
    assert_eq!(diary.of("1 Wait").len(), 1, "nothing has changed");
    gate.open();
    assert_eq!(end(handle).unwrap().count(Status::Terminated), 2);
}

/// A searcher that waits for ever holds nothing in silence: the run ends and says so.
#[test]
fn a_searcher_that_waits_for_nothing_is_named() {
    let diary = Diary::new();
    let searcher = SpySearcher::asking(&diary, |_| Ok(Suggestion::Wait));
    let error = run(Script::new().experiment("stuck").searcher(searcher)).expect_err("stuck");
    let RunError::Failed { failure: RunFailure::Stuck { .. }, .. } = &error else { panic!("{error}") };
    let expected = "the run is stuck: the searcher spy searcher waits, but no trial runs that could end its wait";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn a_searcher_that_fails_ends_the_run_and_is_named() {
    let diary = Diary::new();
    let searcher = SpySearcher::asking(&diary, |trial| match trial.number() {
        0 => Ok(Suggestion::Next(Config::new())),
        _ => Err(SearchError::new("the service is gone")),
    });
    let experiment = Script::new().experiment("failing").workers(2).searcher(searcher);
    let error = run(experiment).expect_err("it failed");
    assert_eq!(error.to_string(), "the searcher spy searcher failed: the service is gone");
    let RunError::Failed { results, .. } = error else { panic!("{error}") };
    assert_eq!((results.trials().len(), results.count(Status::Terminated)), (1, 1));
}

/// Of two limits the smaller one counts.
#[test]
fn case_a_19_limits_of_the_experiment_and_of_the_searcher() {
    let live = |name: &str, concurrency: Option<u32>, limit: Option<usize>| {
        let (diary, gate, (watcher, mut watch)) = (Diary::new(), Gate::new(), Watch::new());
        let inside = gate.clone();
        let experiment = Script::new()
            .step(move |mock| {
                inside.pass();
                Ok(mock.score())
            })
            .experiment(name)
            .workers(8)
            .observer(watcher)
            .stop(stop::iterations(1));
        let searcher = SpySearcher::counting(&diary, 6);
        let experiment = match limit {
            Some(limit) => experiment.searcher(ConcurrencyLimiter::new(searcher, limit).unwrap()),
            None => experiment.searcher(searcher),
        };
        let experiment = match concurrency {
            Some(most) => experiment.concurrency(most),
            None => experiment,
        };
        let expected = [concurrency.map_or(6, |most| most as usize), limit.unwrap_or(6)].into_iter().min().unwrap();
        let handle = experiment.start().unwrap();
        gate.wait_for(expected as u32);
        gate.open();
        end(handle).unwrap();
        watch.finish();
        (most_between(&watch, |kind| matches!(kind, EventKind::Launched { .. })), expected)
    };
    for (name, concurrency, limit) in
        [("a-19-a", None, None), ("a-19-b", Some(2), None), ("a-19-c", Some(2), Some(3)), ("a-19-d", Some(4), Some(3))]
    {
        let (most, expected) = live(name, concurrency, limit);
        assert_eq!(most, expected, "{name}");
    }
}

/// With nothing else under way, its first answer is all there is to go by.
#[test]
fn a_searcher_that_fails_at_once_ends_the_run() {
    let searcher = SpySearcher::asking(&Diary::new(), |_| Err(SearchError::new("nothing to say")));
    let error = run(Script::new().experiment("fails-at-once").searcher(searcher)).expect_err("it failed");
    assert_eq!(error.to_string(), "the searcher spy searcher failed: nothing to say");
}

/// Random points without an end, as a learning searcher has them.
struct Endless(u32);

impl Searcher for Endless {
    fn suggest(&mut self, _: TrialId) -> Result<Suggestion, SearchError> {
        self.0 += 1;
        Ok(Suggestion::Next(Config::new().with("n", self.0)))
    }

    fn is_endless(&self) -> bool {
        true
    }
}

/// How many trials there are, whoever says what is tried: `samples` are trials, and without them nothing is endless.
#[test]
fn how_many_trials_there_are() {
    let trials = |name: &str, set: &dyn Fn(Experiment) -> Experiment| {
        let experiment = Script::new().experiment(name).stop(stop::iterations(1));
        results(set(experiment)).trials().len()
    };
    let random = || Space::new().with("x", uniform(0.0, 1.0));
    let grids = || random().with("kind", grid(["a", "b", "c"]));
    let limit = std::time::Duration::from_secs(3600);
    let enough = || stop::no_improvement(Objective::max("score"), 5);
    assert_eq!(trials("random", &|it| it.space(random())), 1);
    assert_eq!(trials("random-7", &|it| it.space(random()).samples(7)), 7);
    assert_eq!(trials("grid", &|it| it.space(grids())), 3);
    assert_eq!(trials("grid-7", &|it| it.space(grids()).samples(7)), 7, "trials, not passes");
    assert_eq!(trials("grid-passes", &|it| it.space(grids()).passes(2)), 6);
    assert_eq!(trials("grid-both", &|it| it.space(grids()).passes(2).samples(4)), 4);
    assert_eq!(trials("grid-timed", &|it| it.space(grids()).time_limit(limit, OnLimit::FinishStep)), 3);
    assert_eq!(trials("points", &|it| it.points(numbered(4))), 4);
    assert_eq!(trials("points-2", &|it| it.points(numbered(4)).samples(2)), 2);
    assert_eq!(trials("endless", &|it| it.searcher(Endless(0))), 1);
    assert_eq!(trials("endless-5", &|it| it.searcher(Endless(0)).samples(5)), 5);
    assert_eq!(trials("own", &|it| it.searcher(SpySearcher::counting(&Diary::new(), 4))), 4, "it ends by itself");
    // As many as there is time for: another rule ends these.
    let more = |experiment: Experiment| experiment.stop(enough()).time_limit(limit, OnLimit::FinishStep);
    assert!(trials("random-timed", &|it| more(it.space(random()))) >= 5);
    assert!(trials("endless-timed", &|it| more(it.searcher(Endless(0)))) >= 5);
    let timed = |experiment: Experiment| experiment.stop(enough()).stop(stop::experiment_time(limit));
    assert!(trials("endless-ruled", &|it| timed(it.searcher(Endless(0)))) >= 5);
    let refused = |set: &dyn Fn(Experiment) -> Experiment| {
        run(set(Script::new().experiment("no"))).expect_err("refused").to_string()
    };
    assert!(refused(&|it| it.searcher(Endless(0)).passes(2)).starts_with("`searcher` and `passes` were both given"));
    assert!(refused(&|it| it.points(numbered(2)).passes(2)).starts_with("`passes` is given without a space"));
}
