//! What a client or a scheduler can change of machines and resources while a run goes on, and what a resumed run keeps of it.

mod common;

use std::num::NonZeroU32;

use common::live::{Diary, Gate, Script, SpyScheduler, Watch, end, ids, numbered, pool_until, statuses, wait};
use tempfile::TempDir;
use tryout::extend::{Directive, EventKind, ExperimentEvent, Verdict};
use tryout::logic::engine::{ClientOrder, Waiting};
use tryout::prelude::*;
use tryout::settings::LiveSetting;

fn cpus(units: u32) -> ResourceRequest {
    ResourceRequest::single(Resources::cpus(units)).unwrap()
}

/// More resources serve those who wait; fewer are given up as trials leave, and never so few that a trial has no hope.
#[test]
fn totals_change_while_a_run_goes_on() {
    let (gate, (watcher, mut watch)) = (Gate::new(), Watch::new());
    let experiment = Script::gated(&gate).experiment("totals").points(numbered(4)).workers(1);
    let handle = experiment.per_trial(cpus(1)).stop(stop::iterations(1)).observer(watcher).start().unwrap();
    pool_until(&handle, |counts| (counts.leased, counts.waiting) == (1, 3));
    wait(handle.set_resources(Resources::cpus(3))).unwrap();
    assert_eq!(watch.until(|kind| matches!(kind, EventKind::Rescaled { .. })), rescaled(3));
    pool_until(&handle, |counts| (counts.leased, counts.waiting) == (3, 1));
    wait(handle.set_resources(Resources::cpus(2))).unwrap();
    let pool = pool_until(&handle, |counts| counts.leased == 3);
    assert_eq!((pool.total, pool.free), (Resources::cpus(2), Resources::new()), "they keep what they hold");

    let hopeless = wait(handle.set_resources(Resources::new().with("gpu", 1.0))).unwrap_err().to_string();
    let first = ids(&handle)[0];
    let words = format!("trial {first} could never run then: asked for cpu 1, but there is only gpu 1");
    assert!(hopeless.contains(&words), "{hopeless}");
    let nothing = wait(handle.set_resources(Resources::new())).unwrap_err().to_string();
    assert!(nothing.contains("there is nothing to run on"), "{nothing}");
    gate.open();
    assert_eq!(statuses(&end(handle).unwrap()), [Status::Terminated; 4]);
}

fn rescaled(units: u32) -> EventKind {
    EventKind::Rescaled { total: Resources::cpus(units) }
}

/// A trial that asks for more than was there at first can be added once there is more.
#[test]
fn what_can_be_added_follows_the_totals() {
    let gate = Gate::new();
    let handle = Script::gated(&gate).experiment("more").points(numbered(1)).workers(1).start().unwrap();
    gate.wait_for(1);
    let first = ids(&handle)[0];
    let refused = wait(handle.set_request(first, cpus(2))).unwrap_err().to_string();
    assert!(refused.contains("asked for cpu 2, but there is only cpu 1"), "{refused}");
    wait(handle.set_resources(Resources::cpus(2))).unwrap();
    wait(handle.set_request(first, cpus(2))).unwrap();
    wait(handle.stop()).unwrap();
    gate.open();
    end(handle).unwrap();
}

/// One that waits for too much is let in when it asks for less.
#[test]
fn a_trial_that_waits_is_given_other_resources() {
    let (gate, (watcher, mut watch)) = (Gate::new(), Watch::new());
    let experiment = Script::gated(&gate).experiment("request").points(numbered(2)).workers(3).per_trial(cpus(2));
    let handle = experiment.stop(stop::iterations(1)).observer(watcher).start().unwrap();
    pool_until(&handle, |counts| (counts.leased, counts.waiting) == (1, 1));
    let second = ids(&handle)[1];
    wait(handle.set_request(second, cpus(1))).unwrap();
    watch.until(
        |kind| matches!(kind, EventKind::Resized { trial, request } if *trial == second && **request == cpus(1)),
    );
    pool_until(&handle, |counts| (counts.leased, counts.waiting) == (2, 0));
    let status = wait(handle.trial(second)).unwrap().unwrap();
    assert_eq!(status.request.as_deref(), Some(&cpus(1)));
    assert_eq!(status.runs_on.unwrap().slot.bundles, [Resources::cpus(1)]);
    gate.open();
    let results = end(handle).unwrap();
    assert_eq!(statuses(&results), [Status::Terminated; 2]);
    assert_eq!(results.trials()[1].attempts, 1, "that was no failure");
}

/// One that runs goes on from its checkpoint with a worker of its new size.
#[test]
fn a_trial_that_runs_is_given_other_resources_at_its_next_report() {
    let (gate, (watcher, mut watch)) = (Gate::new(), Watch::new());
    let experiment = Script::gated(&gate).saves().experiment("grow").points(numbered(1)).workers(2).per_trial(cpus(1));
    let handle = experiment.stop(stop::iterations(3)).batching(Batching::Single).observer(watcher).start().unwrap();
    let trial = watch.running(0);
    wait(handle.set_request(trial, cpus(2))).unwrap();
    gate.open();
    watch.line("0 restored c0 i1");
    let results = end(handle).unwrap();
    watch.finish();
    assert_eq!(common::live::iterations(&results), [3]);
    let workers = watch.workers();
    assert_eq!(workers.len(), 2);
    assert_ne!(workers[0], workers[1], "a worker of another size");
}

/// Trials are made as far ahead as the experiment says, whatever the searcher offers.
#[test]
fn how_many_trials_are_made_ahead_is_the_experiments_choice() {
    for (staged, made) in [(1, 2), (90, 91)] {
        let gate = Gate::new();
        let experiment = Script::gated(&gate).experiment("ahead").points(numbered(100)).workers(1).staged(staged);
        let handle = experiment.stop(stop::iterations(1)).start().unwrap();
        pool_until(&handle, |counts| (counts.leased, counts.waiting) == (1, staged as usize));
        assert_eq!(wait(handle.trials(0, 1_000)).unwrap().len(), made);
        wait(handle.stop()).unwrap();
        gate.open();
        end(handle).unwrap();
    }
}

#[test]
fn how_many_are_made_ahead_can_be_changed() {
    let (gate, (watcher, mut watch)) = (Gate::new(), Watch::new());
    let space = Space::new().with("x", uniform(0.0, 1.0));
    let experiment = Script::gated(&gate).experiment("ahead").space(space).samples(100).workers(1).staged(1);
    let handle = experiment.stop(stop::iterations(1)).observer(watcher).start().unwrap();
    pool_until(&handle, |counts| (counts.leased, counts.waiting) == (1, 1));
    let most = NonZeroU32::new(70).unwrap();
    wait(handle.set_staged(most)).unwrap();
    watch.until(|kind| *kind == EventKind::Staged { most });
    pool_until(&handle, |counts| counts.waiting == 70);
    wait(handle.stop()).unwrap();
    gate.open();
    end(handle).unwrap();
}

/// A scheduler lets one go before the others.
#[test]
fn a_scheduler_gives_priorities() {
    let (diary, gate, (watcher, mut watch)) = (Diary::new(), Gate::new(), Watch::new());
    let scheduler = SpyScheduler::judging(&diary, |trial, _, _| {
        let third = TrialId::new(trial.run(), 3);
        if trial.number() == 0 { Verdict::CONTINUE.with(Directive::Prioritise(third, 1)) } else { Verdict::CONTINUE }
    });
    let experiment =
        Script::gated(&gate).experiment("first").points(numbered(1)).workers(1).staged(1).scheduler(scheduler);
    // What a stop rule ends isn't shown to the scheduler.
    let handle = experiment.stop(stop::iterations(2)).batching(Batching::Single).observer(watcher).start().unwrap();
    gate.wait_for(1);
    // Those that a client adds wait in the engine's line, where priorities count.
    for n in 1..4 {
        wait(handle.add(Config::new().with("n", n))).unwrap();
    }
    gate.open();
    end(handle).unwrap();
    watch.finish();
    let launched: Vec<u32> = watch.launches().into_iter().map(|(trial, _)| trial).collect();
    assert_eq!(launched, [0, 1, 3, 2], "the second was staged already");
    assert!(watch.seen.iter().any(|event| matches!(event.kind, EventKind::Prioritised { priority: 1, .. })));
}

/// A resumed run has what a client changed, unless the program has changed the same since (DECISIONS 10).
#[test]
fn what_was_changed_survives_a_resume() {
    let dir = TempDir::new().unwrap();
    let gate = Gate::new();
    let experiment = || {
        let script = Script::gated(&gate).saves().experiment("kept").points(numbered(60)).stop(stop::iterations(1_000));
        script.dir(dir.path()).existing(Existing::Resume).batching(Batching::Single)
    };
    let handle = experiment().workers(1).start().unwrap();
    gate.wait_for(1);
    wait(handle.set_resources(Resources::cpus(2))).unwrap();
    wait(handle.set_staged(NonZeroU32::new(40).unwrap())).unwrap();
    wait(handle.order(ClientOrder::Concurrency(NonZeroU32::new(2)))).unwrap();
    let (first, last) = (ids(&handle)[0], ids(&handle)[20]);
    wait(handle.order(ClientOrder::Prioritise(last, -7))).unwrap();
    wait(handle.set_request(last, cpus(2))).unwrap();
    gate.open();
    wait(handle.drain(std::time::Duration::from_secs(60))).unwrap();
    end(handle).unwrap();

    let handle = experiment().workers(1).start().unwrap();
    let pool = pool_until(&handle, |counts| counts.leased == 2);
    assert_eq!(pool.total, Resources::cpus(2));
    let kept = wait(handle.trial(last)).unwrap().unwrap();
    assert_eq!((kept.request.as_deref(), kept.priority), (Some(&cpus(2)), -7));
    assert_eq!(wait(handle.trial(first)).unwrap().unwrap().request.as_deref(), Some(&cpus(1)));
    assert!(wait(handle.trials(0, 1_000)).unwrap().len() >= 41);
    wait(handle.drain(std::time::Duration::from_secs(60))).unwrap();
    end(handle).unwrap();

    let handle = experiment().workers(3).staged(5).start().unwrap();
    let pool = pool_until(&handle, |counts| counts.leased == 2);
    assert_eq!(pool.total, Resources::cpus(3), "the program has changed it, and wins");
    assert!(matches!(wait(handle.trial(last)).unwrap().unwrap().waiting, Waiting::ForTurn));
    wait(handle.stop()).unwrap();
    end(handle).unwrap();
}

fn x(low: f64, high: f64) -> Space {
    Space::new().with("x", uniform(low, high))
}

fn number(results: &Results, key: &str, like: impl Fn(&TrialRecord) -> bool) -> Vec<f64> {
    results.trials().iter().filter(|trial| like(trial)).filter_map(|trial| trial.config.number(key)).collect()
}

fn tried(trial: &TrialRecord) -> bool {
    trial.started.is_some()
}

/// What hasn't begun and lies outside is drawn again; what runs, and what a client added, stays.
#[test]
fn a_space_is_narrowed_while_its_run_goes_on() {
    let (gate, (watcher, mut watch)) = (Gate::new(), Watch::new());
    let experiment = Script::gated(&gate).experiment("narrow").space(x(0.0, 1.0)).samples(12).workers(1).seed(3);
    let handle = experiment.stop(stop::iterations(1)).observer(watcher).start().unwrap();
    pool_until(&handle, |counts| (counts.leased, counts.waiting) == (1, 11));
    let added = wait(handle.add(Config::new().with("x", 0.95))).unwrap();
    let order = ClientOrder::SetSpace { changes: x(0.0, 0.1), by: Some("ann".into()) };
    wait(handle.order(order)).unwrap();
    let (changes, by) = (x(0.0, 0.1).into(), Some("ann".into()));
    watch.until(|kind| {
        *kind == EventKind::SpaceChanged { version: 1, changes: std::sync::Arc::clone(&changes), by: by.clone() }
    });
    assert_eq!(wait(handle.status()).unwrap().space.map(|space| (space.version, space.changes)), Some((1, changes)));
    gate.open();
    let results = end(handle).unwrap();
    let withdrawn = |trial: &TrialRecord| trial.ending == Some(Ending::Withdrawn);
    let gone = number(&results, "x", withdrawn);
    assert!(gone.len() > 5 && gone.iter().all(|x| *x > 0.1), "{gone:?}");
    let reason = results.trials().iter().find(|trial| withdrawn(trial)).and_then(|trial| trial.reason.clone()).unwrap();
    assert!(reason.starts_with("the space was changed before it began: `x` is 0."), "{reason}");
    let ran = number(&results, "x", |trial| tried(trial) && trial.id.number() > 0 && trial.id != added);
    assert!(ran.len() == 11 && ran.iter().all(|x| *x <= 0.1), "as many as there were to be: {ran:?}");
    assert_eq!(results.trials()[added.number() as usize].ending, Some(Ending::StopRule));
    assert_eq!(statuses(&results), vec![Status::Terminated; 13 + gone.len()]);
}

/// Every point of the grid that is there in the end is tried once.
#[test]
fn a_grid_gets_other_options_while_it_is_gone_through() {
    let gate = Gate::new();
    let grid_of = |options: &[i64]| Space::new().with("n", grid(options.to_vec())).with("x", uniform(0.0, 1.0));
    let experiment = Script::gated(&gate).experiment("grid").space(grid_of(&[1, 2, 3])).workers(1);
    let handle = experiment.stop(stop::iterations(1)).start().unwrap();
    pool_until(&handle, |counts| (counts.leased, counts.waiting) == (1, 2));
    wait(handle.set_space(Space::new().with("n", grid([5, 4, 2, 1])))).unwrap();
    wait(handle.set_space(x(0.0, 0.5))).unwrap();
    gate.open();
    let results = end(handle).unwrap();
    let mut n = number(&results, "n", tried);
    n.sort_by(f64::total_cmp);
    assert_eq!(n, [1.0, 2.0, 4.0, 5.0], "and not 3, which hadn't begun");
    assert!(number(&results, "x", |trial| tried(trial) && trial.id.number() > 0).iter().all(|x| *x <= 0.5));
}

#[test]
fn what_can_not_be_changed_is_refused_in_words() {
    let gate = Gate::new();
    let refused = |handle: &ExperimentHandle, changes: Space| {
        let words = wait(handle.set_space(changes)).unwrap_err().to_string();
        assert_eq!(wait(handle.status()).unwrap().space, None, "nothing has changed");
        words
    };
    let space = Space::new().with("x", uniform(0.0, 1.0)).with("n", 3);
    let handle = Script::gated(&gate).experiment("refused").space(space).samples(2).workers(1).start().unwrap();
    gate.wait_for(1);
    for (changes, expected) in [
        (
            Space::new().with("y", uniform(0.0, 1.0)),
            "the space stays as it is: `y` is not in the space; there are n, x",
        ),
        (Space::new().with("x", choice([1, 2])), "`x` is a number from 0 to 1 and can't become one of: 1, 2"),
        (Space::new().with("n", 4), "`n` is 3 and can't become 4"),
        (x(1.0, 0.0), "`x`: the lower bound is 1, but must be less than the upper bound 0"),
        (Space::new(), "no value is named"),
    ] {
        let words = refused(&handle, changes);
        assert!(words.contains(expected), "{words}");
    }
    wait(handle.stop()).unwrap();
    gate.open();
    end(handle).unwrap();
    let gate = Gate::new();
    let handle = Script::gated(&gate).experiment("points").points(numbered(2)).workers(1).start().unwrap();
    gate.wait_for(1);
    let words = refused(&handle, x(0.0, 0.5));
    assert!(words.contains("Points can't take up another space while the run goes on"), "{words}");
    wait(handle.stop()).unwrap();
    gate.open();
    end(handle).unwrap();
}

/// The unchanged program keeps the edit; one with another space must say so, and then it has that (DECISIONS 10).
#[test]
fn an_edited_space_survives_a_resume() {
    let dir = TempDir::new().unwrap();
    let gate = Gate::new();
    let experiment = |space: Space| {
        let script =
            Script::gated(&gate).saves().experiment("kept-space").space(space).samples(400).workers(1).staged(2);
        script.stop(stop::iterations(1)).dir(dir.path()).existing(Existing::Resume).snapshot_after(1)
    };
    let drain = |handle: ExperimentHandle| {
        wait(handle.drain(std::time::Duration::from_secs(60))).unwrap();
        end(handle).unwrap()
    };
    let handle = experiment(x(0.0, 1.0)).start().unwrap();
    gate.wait_for(1);
    wait(handle.set_space(x(0.0, 0.2))).unwrap();
    wait(handle.set_space(x(0.1, 0.2))).unwrap();
    gate.open();
    drain(handle);
    // From the journal as it was, and from the snapshot that this session writes.
    for _ in 0..2 {
        let (watcher, mut watch) = Watch::new();
        let handle = experiment(x(0.0, 1.0)).observer(watcher).start().unwrap();
        let space = wait(handle.status()).unwrap().space.unwrap();
        assert_eq!((space.version, (*space.changes).clone()), (2, x(0.1, 0.2)));
        let fresh = watch.until(|kind| matches!(kind, EventKind::Added { .. }));
        assert!(matches!(fresh, EventKind::Added { config, .. } if x(0.1, 0.2).contains(&config).is_ok()));
        drain(handle);
    }
    let words = experiment(x(0.0, 2.0)).start().unwrap_err().to_string();
    assert!(words.contains("space"), "{words}");
    let (watcher, mut watch) = Watch::new();
    let handle = experiment(x(5.0, 6.0)).with_changed_space().observer(watcher).start().unwrap();
    let space = wait(handle.status()).unwrap().space.unwrap();
    assert_eq!((space.version, (*space.changes).clone()), (3, Space::new()), "the program has changed it, and wins");
    let fresh = watch.until(|kind| matches!(kind, EventKind::Added { .. }));
    assert!(matches!(fresh, EventKind::Added { config, .. } if x(5.0, 6.0).contains(&config).is_ok()));
    drain(handle);
}

fn samples(count: u64) -> LiveSetting {
    LiveSetting::Samples(Some(Samples::Finite(count)))
}

/// Fewer trials: those that haven't begun are withdrawn. More: they are suggested.
#[test]
fn how_many_trials_there_are_to_be_can_be_changed() {
    for grid_first in [true, false] {
        let gate = Gate::new();
        let space = if grid_first { x(0.0, 1.0).with("n", grid([1, 2])) } else { x(0.0, 1.0) };
        let experiment = Script::gated(&gate).experiment("fewer").space(space).samples(30).workers(1).staged(16);
        let handle = experiment.stop(stop::iterations(1)).start().unwrap();
        pool_until(&handle, |counts| (counts.leased, counts.waiting) == (1, 16));
        let refused = wait(handle.set(samples(0))).unwrap_err().to_string();
        assert!(refused.contains("`samples` is 0, but must be at least 1"), "{refused}");
        wait(handle.set(samples(5))).unwrap();
        pool_until(&handle, |counts| (counts.leased, counts.waiting) == (1, 4));
        // Its place may have been given to another.
        let refused = wait(handle.revive(handle.trial_id(10))).unwrap_err().to_string();
        assert!(refused.contains("is TERMINATED: it can't be revived: it was withdrawn before it began"), "{refused}");
        wait(handle.set(samples(8))).unwrap();
        pool_until(&handle, |counts| (counts.leased, counts.waiting) == (1, 7));
        let status = wait(handle.status()).unwrap();
        assert_eq!((status.total, status.settings), (Some(20), vec![samples(8)]), "8, and 12 that were withdrawn");
        gate.open();
        let results = end(handle).unwrap();
        assert_eq!(number(&results, "x", tried).len(), 8);
        assert_eq!(number(&results, "x", |trial| trial.ending == Some(Ending::Withdrawn)).len(), 12);
    }
}

/// A list of points has an end of its own; fewer of them can be taken.
#[test]
fn points_can_be_cut_short() {
    let gate = Gate::new();
    let handle = Script::gated(&gate).experiment("cut").points(numbered(9)).workers(1).stop(stop::iterations(1));
    let handle = handle.start().unwrap();
    pool_until(&handle, |counts| (counts.leased, counts.waiting) == (1, 8));
    wait(handle.set(samples(3))).unwrap();
    pool_until(&handle, |counts| (counts.leased, counts.waiting) == (1, 2));
    gate.open();
    assert_eq!(end(handle).unwrap().trials().iter().filter(|trial| tried(trial)).count(), 3);
}

#[test]
fn the_time_of_a_run_can_be_changed() {
    let gate = Gate::new();
    let experiment = Script::gated(&gate).experiment("time").points(numbered(2)).workers(1);
    let handle = experiment.start().unwrap();
    gate.wait_for(1);
    let limit = |after| LiveSetting::TimeLimit(Some(tryout::settings::TimeLimit { after, then: OnLimit::FinishStep }));
    let refused = wait(handle.set(limit(std::time::Duration::ZERO))).unwrap_err().to_string();
    assert!(refused.contains("`time_limit` is 0 s, but must be longer than zero"), "{refused}");
    wait(handle.set(limit(std::time::Duration::from_secs(3_600)))).unwrap();
    wait(handle.set(limit(std::time::Duration::from_nanos(1)))).unwrap();
    gate.open();
    let results = end(handle).unwrap();
    assert!(matches!(results.outcome(), Outcome::Stopped(_)), "{:?}", results.outcome());
}

#[test]
fn changed_settings_survive_a_resume() {
    let dir = TempDir::new().unwrap();
    let gate = Gate::new();
    let experiment = |count: u64| {
        let script =
            Script::gated(&gate).saves().experiment("kept-samples").space(x(0.0, 1.0)).samples(count).workers(1);
        script.stop(stop::iterations(1)).dir(dir.path()).existing(Existing::Resume).snapshot_after(1)
    };
    let handle = experiment(3).start().unwrap();
    gate.wait_for(1);
    wait(handle.set(samples(5))).unwrap();
    wait(handle.set(LiveSetting::TimeLimit(None))).unwrap();
    let draining = handle.control();
    let drained = std::thread::spawn(move || wait(draining.drain(std::time::Duration::from_secs(60))));
    gate.let_pass(1);
    drained.join().unwrap().unwrap();
    gate.open();
    end(handle).unwrap();
    let results = common::live::results(experiment(3));
    assert_eq!(results.trials().len(), 5, "the unchanged program keeps it");
    let handle = experiment(7).start().unwrap();
    let results = end(handle).unwrap();
    assert_eq!(results.trials().len(), 7, "the program has changed it, and wins");
}

fn rules(specs: serde_json::Value) -> LiveSetting {
    serde_json::from_value(serde_json::json!({ "stop": specs })).unwrap()
}

/// Other rules take the place of the program's, which hold again when these are taken back.
#[test]
fn stop_rules_are_changed_while_a_run_goes_on() {
    for (changes, expected) in [
        (vec![serde_json::json!([{ "iterations": { "limit": 3 } }])], "iteration 3 is the last of 3"),
        (vec![serde_json::json!([{ "iterations": { "limit": 9 } }])], "iteration 9 is the last of 9"),
        (vec![serde_json::json!([]), serde_json::Value::Null], "iteration 5 is the last of 5"),
    ] {
        let (gate, (watcher, mut watch)) = (Gate::new(), Watch::new());
        let experiment = Script::gated(&gate).experiment("rules").points(numbered(2)).workers(1).observer(watcher);
        let handle = experiment.stop(stop::iterations(5)).start().unwrap();
        gate.wait_for(1);
        for specs in changes {
            let (setting, by) = (rules(specs), Some("ann".into()));
            wait(handle.order(ClientOrder::Set { setting: setting.clone(), by: by.clone() })).unwrap();
            watch.until(|kind| *kind == EventKind::SettingChanged { setting: setting.clone(), by: by.clone() });
            assert_eq!(wait(handle.status()).unwrap().settings, [setting]);
        }
        gate.open();
        let results = end(handle).unwrap();
        let reasons: Vec<&str> = results.trials().iter().filter_map(|trial| trial.reason.as_deref()).collect();
        assert_eq!(reasons, [expected; 2]);
    }
}

/// A rule of the whole run that holds already ends it at once.
#[test]
fn a_rule_that_holds_already_ends_the_run() {
    let gate = Gate::new();
    let handle = Script::gated(&gate).experiment("over").points(numbered(2)).workers(1).start().unwrap();
    gate.wait_for(1);
    wait(handle.set(rules(serde_json::json!([{ "experiment_time": { "limit": 1e-9 } }])))).unwrap();
    gate.open();
    let results = end(handle).unwrap();
    assert!(matches!(results.outcome(), Outcome::Stopped(_)), "{:?}", results.outcome());
}

#[test]
fn stop_rules_that_can_not_be_are_refused() {
    let gate = Gate::new();
    let handle = Script::gated(&gate).experiment("refused-rules").points(numbered(1)).workers(1).start().unwrap();
    gate.wait_for(1);
    for (specs, expected) in [
        (
            serde_json::json!([{ "iterations": { "limit": 0 } }]),
            "the stop rules stay as they are: stop rule `iterations`: ",
        ),
        (serde_json::json!([{ "when": {} }]), "there is no stop rule called `when`; there are all, any, at_least"),
        (
            serde_json::json!([{ "iterations": { "most": 3 } }]),
            "the settings of `iterations` can't be read: `most` is wrong",
        ),
        (serde_json::json!([{ "iterations": {} }]), "the settings of `iterations` can't be read: missing field `"),
    ] {
        let words = wait(handle.set(rules(specs))).unwrap_err().to_string();
        assert!(words.contains(expected), "{words}");
    }
    assert_eq!(wait(handle.status()).unwrap().settings, []);
    wait(handle.stop()).unwrap();
    gate.open();
    end(handle).unwrap();
}

/// Out of the journal and out of a snapshot; a program with other rules wins.
#[test]
fn changed_stop_rules_survive_a_resume() {
    let dir = TempDir::new().unwrap();
    for (name, bytes) in [("journal", 1 << 20), ("snapshot", 1)] {
        let gate = Gate::new();
        let experiment = |limit: u64| {
            let script = Script::gated(&gate).saves().experiment(name).points(numbered(2)).workers(1);
            let script = script.dir(dir.path()).existing(Existing::Resume).batching(Batching::Single);
            script.stop(stop::iterations(limit)).snapshot_after(bytes)
        };
        let further = |handle: ExperimentHandle, mut watch: Watch| {
            watch.until(|kind| matches!(kind, EventKind::Reported { report } if report.iteration() > 20));
            let warns = |event: &ExperimentEvent| matches!(event.kind, EventKind::Warning { .. });
            assert!(!watch.seen.iter().any(warns), "{name}: the rules' state is taken up: {:?}", watch.seen);
            wait(handle.drain(std::time::Duration::from_secs(60))).unwrap();
            end(handle).unwrap()
        };
        let (watcher, watch) = Watch::new();
        let handle = experiment(5).observer(watcher).start().unwrap();
        gate.wait_for(1);
        let setting = rules(
            serde_json::json!([{ "iterations": { "limit": 1_000_000_000 } }, { "trial_plateau": { "metric": "training_iteration" } }]),
        );
        wait(handle.set(setting.clone())).unwrap();
        gate.open();
        assert_eq!(further(handle, watch).outcome(), &Outcome::Drained);
        for _ in 0..2 {
            let (watcher, watch) = Watch::new();
            let handle = experiment(5).observer(watcher).start().unwrap();
            assert_eq!(wait(handle.status()).unwrap().settings, std::slice::from_ref(&setting));
            assert_eq!(further(handle, watch).outcome(), &Outcome::Drained, "{name}");
        }
        let results = experiment(6).run().unwrap();
        let over =
            |trial: &TrialRecord| trial.reason.as_deref().is_some_and(|reason| reason.ends_with("the last of 6"));
        assert!(
            results.trials().iter().all(over),
            "{name}: the program has changed them, and wins: {:?}",
            results.trials()
        );
    }
}
