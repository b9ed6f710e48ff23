//! The read model of one run: what the page shows is what happened, whether it was followed or read afterwards.
#![cfg(unix)]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use common::live::{Gate, Script, Watch, end, numbered, wait, within};
use serde_json::{Value, json};
use tempfile::TempDir;
use tryout::edge::web::model::{Changes, ModelError, Notice, RunModel, RunState, RungFate};
use tryout::prelude::*;
use tryout::settings::LiveSetting;

/// All views of a run.
fn views(model: &RunModel) -> BTreeMap<&'static str, Value> {
    let page = |number| json!(model.trial(number).unwrap());
    let trials = model.trials(usize::MAX);
    BTreeMap::from([
        ("header", json!(model.header("key"))),
        ("curves", json!(model.curves(None, 100).ok())),
        ("importance", json!(model.importance())),
        ("pareto", json!(model.pareto())),
        ("rungs", json!(model.rungs())),
        ("lineage", json!(model.lineage())),
        ("workers", json!(model.workers())),
        ("decisions", json!(model.decisions(None, usize::MAX))),
        ("pages", trials.number.iter().map(|number| page(*number)).collect()),
        ("trials", json!(trials)),
    ])
}

/// What was followed is what is read afterwards.
fn same_as_opened(model: &RunModel, dir: &Path) {
    let opened = views(&RunModel::open(dir));
    for (name, followed) in views(model) {
        assert_eq!(followed, opened[name], "{name}");
    }
}

/// Waits until the model says this.
fn until(model: &RunModel, what: &str, like: impl Fn(&Notice) -> bool + Send + 'static) -> Notice {
    let mut notices = model.notices();
    within(what, move || *futures::executor::block_on(notices.wait_for(|notice| like(notice))).unwrap())
}

fn ended(model: &RunModel) {
    until(model, "the end", |notice| notice.state == RunState::Completed);
}

#[test]
fn a_run_that_is_followed_is_what_is_read_afterwards() {
    let (gate, dir) = (Gate::new(), TempDir::new().unwrap());
    let experiment = Script::gated(&gate).experiment("followed").points(numbered(3)).stop(stop::iterations(3));
    let experiment = experiment.objective(Objective::max("score")).dir(dir.path()).control_socket();
    let handle = experiment.start().unwrap();
    gate.wait_for(1);
    let run = dir.path().join("followed");
    let model = RunModel::open(&run);
    let before = model.position();
    let header = model.header("key");
    assert_eq!((header.summary.state, header.summary.live), (RunState::Running, true));
    assert_eq!((header.summary.run.as_str(), header.summary.name.as_str()), ("key", "followed"));
    assert_eq!(json!(header.budget.stop), json!([{ "iterations": { "limit": 3 } }]));
    // What a client says of the rules is in it, too.
    let rules = json!([{ "at_least": { "metric": "score", "bound": 100.0 } }, { "iterations": { "limit": 3 } }]);
    let setting = LiveSetting::Stop(serde_json::from_value(rules.clone()).unwrap());
    wait(handle.set(setting)).unwrap();
    until(&model, "a change", move |notice| notice.position > before);
    let before = model.position();
    assert_eq!(json!(model.header("key").budget.stop), rules);
    gate.let_pass(1);
    let now = until(&model, "a report", move |notice| notice.position > before);
    gate.wait_for(2);
    let Changes::Delta(delta) = model.changes("key", before) else { panic!("it is told") };
    assert!(delta.position >= now.position && delta.trials.of == 3);
    assert!(delta.trials.number.contains(&0) && !delta.trials.number.contains(&2), "{:?}", delta.trials.number);
    assert!(matches!(model.changes("key", u64::MAX), Changes::Lagged(_)));
    // Of what has happened by now nothing has changed.
    let at = model.position();
    if let Changes::Delta(delta) = model.changes("key", at)
        && delta.position == at
    {
        assert!(delta.trials.number.is_empty());
    }
    gate.open();
    let results = end(handle).unwrap();
    ended(&model);
    let header = model.header("key");
    assert!(!header.summary.live && header.waits.is_empty() && header.pool.is_none());
    assert_eq!(header.summary.best.map(|best| (best.number, best.value)), Some((0, 3.0)));
    assert_eq!((header.summary.iterations, header.summary.total), (results.iterations(), Some(3)));
    assert_eq!(header.summary.counts.terminated, 3);
    same_as_opened(&model, &run);
}

#[test]
fn a_run_without_a_socket_is_looked_at_when_somebody_asks() {
    let (gate, dir) = (Gate::new(), TempDir::new().unwrap());
    let experiment = Script::gated(&gate).experiment("asked").points(numbered(1)).stop(stop::iterations(2));
    let handle = experiment.dir(dir.path()).start().unwrap();
    gate.wait_for(1);
    futures::executor::block_on(handle.sync()).unwrap();
    let run = dir.path().join("asked");
    let model = RunModel::open(&run);
    let summary = model.summary("key");
    assert!(!summary.live, "it can't be steered");
    if cfg!(target_os = "linux") {
        assert_eq!(summary.state, RunState::Running);
    }
    gate.open();
    end(handle).unwrap();
    model.refresh();
    assert_eq!((model.summary("key").state, model.trials(10).iteration), (RunState::Completed, vec![2]));
    same_as_opened(&model, &run);
}

/// What another process does in the tests that kill it: it runs until it is killed.
#[test]
fn a_child() {
    let Ok(dir) = std::env::var("TRYOUT_WEB_MODEL_CHILD") else { return };
    let (gate, (watcher, mut watch)) = (Gate::new(), Watch::new());
    let experiment = Script::gated(&gate).experiment("killed").points(numbered(2)).stop(stop::iterations(3));
    let experiment = experiment.dir(dir).control_socket().observer(watcher);
    let handle = experiment.start().unwrap();
    gate.let_pass(2);
    watch.line("0 reported i2");
    futures::executor::block_on(handle.sync()).unwrap();
    println!("it is killed here");
    let _ = end(handle);
}

#[test]
#[cfg(target_os = "linux")]
fn a_killed_run_says_so_and_goes_on_when_it_is_resumed() {
    let dir = TempDir::new().unwrap();
    let program = std::env::current_exe().unwrap();
    let mut child = Command::new(program)
        .args(["--exact", "a_child", "--nocapture"])
        .env("TRYOUT_WEB_MODEL_CHILD", dir.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.contains("it is killed here")));
    let run = dir.path().join("killed");
    let model = RunModel::open(&run);
    let summary = model.summary("key");
    assert_eq!((summary.state, summary.live), (RunState::Running, true));
    assert_eq!(model.trial(0).unwrap().iteration, 2);
    child.kill().unwrap();
    child.wait().unwrap();
    until(&model, "the kill", |notice| notice.state == RunState::CutOff);
    assert!(!model.summary("key").live && model.summary("key").why.unwrap().contains("killed"));
    assert!(model.workers().lanes.iter().flat_map(|lane| &lane.spans).all(|span| span.to.is_some()));
    same_as_opened(&model, &run);

    // It is gone on with: whoever asks notices.
    let gate = Gate::new();
    Script::gated(&gate).install("killed");
    let resumed = Experiment::resume(&run, stepwise::<common::live::Mock>()).unwrap().control_socket().start().unwrap();
    gate.wait_for(1);
    model.refresh();
    let summary = model.summary("key");
    assert_eq!((summary.state, summary.live), (RunState::Running, true));
    gate.open();
    end(resumed).unwrap();
    ended(&model);
    assert_eq!(model.trials(10).iteration, [3, 3]);
    let said: Vec<String> = model.decisions(None, 1_000).decisions.into_iter().map(|decision| decision.what).collect();
    assert!(said.contains(&"session 2 begins".to_owned()), "{said:?}");
    without_holes(&model);
    same_as_opened(&model, &run);
}

#[test]
fn what_cannot_be_read_says_why() {
    let dir = TempDir::new().unwrap();
    let model = RunModel::open(dir.path());
    let summary = model.summary("key");
    assert_eq!(summary.state, RunState::Unreadable);
    assert!(summary.why.unwrap().contains("no journal"));
    assert_eq!(model.trial(0), Err(ModelError::NoTrial { number: 0, trials: 0 }));
    assert!(model.trials(10).number.is_empty() && model.workers().lanes.is_empty());
    assert!(matches!(model.changes("key", 0), Changes::Lagged(_)));
}

/// Reports its slope times its iteration.
fn slopes() -> impl Fn(Config, &mut Session) -> Result<(), TrialError> + Clone + Send + Sync {
    |config, trial| {
        let from: u64 = trial.checkpoint()?.map_or(Ok(0), |saved| saved.json("at"))?;
        for at in from + 1..=9 {
            let score = config.number("slope").unwrap_or(0.0) * at as f64;
            trial.report_with([("score", score)], |writer| Ok(writer.json("at", &at)?))?;
        }
        Ok(())
    }
}

fn searched(name: &str, dir: &Path) -> Experiment {
    Experiment::new(name, function("slopes", slopes()))
        .seed(3)
        .space(Space::new().with("slope", uniform(0.0, 1.0)).with("other", uniform(0.0, 1.0)))
        .samples(40)
        .workers(3)
        .objective(Objective::max("score"))
        .dir(dir)
}

/// Each lane is a worker's or nobody's at every moment, and says why.
fn without_holes(model: &RunModel) {
    let view = model.workers();
    assert!(!view.lanes.is_empty());
    for lane in &view.lanes {
        let spans = lane.spans.iter().map(|span| (span.from, span.to));
        let gaps = lane.gaps.iter().map(|gap| {
            assert!(!gap.why.is_empty());
            (gap.from, gap.to)
        });
        let mut parts: Vec<(f64, f64)> = spans.chain(gaps).map(|(from, to)| (from, to.expect("it is over"))).collect();
        parts.sort_by(|a, b| a.0.total_cmp(&b.0));
        assert!(parts.windows(2).all(|pair| pair[0].1 == pair[1].0), "{lane:?}");
        assert!(parts.iter().all(|(from, to)| from < to));
    }
}

#[test]
fn the_rungs_are_what_the_scheduler_decided() {
    let (dir, (watcher, mut watch)) = (TempDir::new().unwrap(), Watch::new());
    let asha = Asha::new().max_t(9).grace_period(1).reduction_factor(3.0);
    let results = searched("asha", dir.path()).scheduler(asha).observer(watcher).run().unwrap();
    watch.finish();
    let mut at: BTreeMap<u32, u64> = BTreeMap::new();
    let mut decided: BTreeSet<(u64, u32)> = BTreeSet::new();
    for event in &watch.seen {
        match &event.kind {
            EventKind::Reported { report } => drop(at.insert(report.trial.number(), report.iteration())),
            EventKind::Stopping { trial, ending: Ending::Scheduler, .. } if at[&trial.number()] < 9 => {
                decided.insert((at[&trial.number()], trial.number()));
            }
            _ => {}
        }
    }
    assert!(decided.len() > 10, "{decided:?}");
    let model = RunModel::open(&dir.path().join("asha"));
    let view = model.rungs();
    assert_eq!((view.why.as_deref(), view.brackets.len()), (None, 1));
    let mut shown = BTreeSet::new();
    for rung in &view.brackets[0].rungs {
        assert_eq!(rung.reached, rung.went_on + rung.cut + rung.waits);
        assert_eq!(rung.trials.len(), rung.reached);
        for trial in &rung.trials {
            let record = &results.trials()[trial.number as usize];
            let report = record.history.iter().find(|report| report.iteration() == rung.iteration);
            assert_eq!(trial.value, report.and_then(|report| report.number("score")));
            if trial.fate == RungFate::Cut {
                shown.insert((rung.iteration, trial.number));
            } else {
                assert!(record.reported > rung.iteration);
            }
        }
    }
    assert_eq!(shown, decided);
    assert!(model.header("key").has.rungs);
    without_holes(&model);
    // The same numbers as the results have.
    let (importance, found) = (model.importance(), results.importance().unwrap());
    let shares: Vec<(String, f64)> =
        importance.parameters.into_iter().map(|value| (value.name, value.importance)).collect();
    assert_eq!(shares, found.values.into_iter().map(|value| (value.name, value.share)).collect::<Vec<_>>());
    let best = results.best().unwrap();
    let shown = model.summary("key").best.unwrap();
    assert_eq!((shown.number, Some(shown.value)), (best.id.number(), results.value(best)));
}

#[test]
fn the_lineage_is_who_copied_whom() {
    let dir = TempDir::new().unwrap();
    let pbt = Pbt::new()
        .time_attr("training_iteration")
        .perturbation_interval(2.0)
        .mutations(Space::new().with("slope", uniform(0.0, 1.0)));
    let results = searched("pbt", dir.path()).samples(4).workers(4).scheduler(pbt).run().unwrap();
    let model = RunModel::open(&dir.path().join("pbt"));
    let copies = model.lineage().copies;
    let known: usize = results.trials().iter().map(|trial| trial.lineage.len()).sum();
    assert!(known > 0 && copies.len() == known, "{known}");
    for trial in results.trials() {
        let own: Vec<_> = copies.iter().filter(|copy| copy.number == trial.id.number()).collect();
        for (copy, exploit) in own.iter().zip(&trial.lineage) {
            assert_eq!((copy.donor, copy.iteration), (exploit.donor.number(), exploit.iteration));
            assert!(copy.at.is_some());
            for (name, (before, after)) in &copy.changed {
                assert_eq!(Some(before), exploit.before.value(name));
                assert_eq!(Some(after), exploit.config.value(name));
            }
        }
        assert_eq!(model.trial(trial.id.number()).unwrap().copies.len(), trial.lineage.len());
    }
    assert!(model.header("key").has.lineage);
    without_holes(&model);
}

#[test]
fn hostile_texts_come_through_as_they_are() {
    let dir = TempDir::new().unwrap();
    let hostile = "</script><script>alert(1)</script>\u{1b}[31m\u{202e}\0";
    let fails = move |_: Config, trial: &mut Session| {
        trial.report(Metrics::new().with(hostile, 1.0).with("said", hostile))?;
        Err(TrialError::new(hostile))
    };
    let experiment = Experiment::new("hostile", function("fails", fails)).seed(0).workers(1).dir(dir.path());
    let _ = experiment.points([Config::new().with(hostile, hostile)]).run();
    let run = dir.path().join("hostile");
    let model = RunModel::open(&run);
    let trial = model.trial(0).unwrap();
    assert_eq!(trial.config[hostile], json!(hostile));
    assert_eq!(trial.last.as_ref().unwrap()["said"], json!(hostile));
    assert!(trial.failures[0].message.contains(hostile), "{:?}", trial.failures);
    let columns = model.trials(10);
    assert_eq!(columns.parameters[hostile], [json!(hostile)]);
    assert_eq!(columns.metrics["said"], [json!(hostile)]);
    let text = serde_json::to_string(&columns).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap()["parameters"][hostile][0], json!(hostile));
    assert_eq!(model.output(0, "../experiment.lock", None), Err(ModelError::NoOutput { number: 0 }));
    assert_eq!(model.output(7, "stdout.txt", None), Err(ModelError::NoTrial { number: 7, trials: 1 }));
    let home: PathBuf = run.join(&trial.id);
    std::fs::create_dir_all(&home).unwrap();
    std::fs::write(home.join("stdout.txt"), hostile).unwrap();
    assert_eq!(model.trial(0).unwrap().outputs, ["stdout.txt"]);
    assert_eq!(model.output(0, "stdout.txt", None).unwrap().text, hostile);
    for name in ["../stdout.txt", "stdout.txt/", "./stdout.txt", "%2e%2e/stdout.txt", "stdout.txt\0"] {
        assert_eq!(model.output(0, name, None), Err(ModelError::NoOutput { number: 0 }), "{name:?}");
    }
}

#[test]
fn a_compacted_journal_says_what_it_still_knows() {
    let dir = TempDir::new().unwrap();
    let (gate, name) = (Gate::new(), "compacted");
    let script = Script::gated(&gate).experiment(name).points(numbered(30)).stop(stop::iterations(5));
    let settings = script.objective(Objective::max("score")).dir(dir.path()).control_socket().snapshot_after(2_000);
    let handle = settings.start().unwrap();
    gate.wait_for(1);
    let run = dir.path().join(name);
    let model = RunModel::open(&run);
    gate.open();
    let results = end(handle).unwrap();
    until(&model, "the end", |notice| notice.state == RunState::Completed);
    let opened = RunModel::open(&run);
    for model in [&model, &opened] {
        assert_eq!(model.trials(100).iteration, [5; 30]);
        assert_eq!(model.summary("key").iterations, results.iterations());
    }
    let (followed, read) = (views(&model), views(&opened));
    for name in ["trials", "importance", "pareto", "curves", "rungs"] {
        assert_eq!(followed[name], read[name], "{name}");
    }
    assert_eq!(model.trials(10).shown, 10);
    let chosen = model.trials(10).chosen;
    assert_eq!(chosen, "the best 3, the newest 3 and 4 of the others");
}

#[test]
fn a_run_in_this_process_needs_no_directory() {
    let gate = Gate::new();
    let experiment = Script::gated(&gate).experiment("mounted").points(numbered(3)).stop(stop::iterations(3));
    let handle = experiment.objective(Objective::max("score")).start().unwrap();
    gate.let_pass(1);
    gate.wait_for(2);
    let model = within("the model", {
        let control = handle.control();
        move || futures::executor::block_on(control.read_model()).unwrap()
    });
    let summary = model.summary("key");
    assert_eq!((summary.state, summary.live, summary.dir), (RunState::Running, true, None));
    assert_eq!(model.trial(0).unwrap().curves.x, [1]);
    let before = model.position();
    gate.open();
    let results = end(handle).unwrap();
    ended(&model);
    let Changes::Delta(delta) = model.changes("key", before) else { panic!("it is told") };
    assert_eq!(delta.trials.number, [0, 1, 2]);
    let header = model.header("key");
    assert!(!header.summary.live && !header.has.outputs);
    assert_eq!((header.summary.counts.terminated, header.summary.iterations), (3, results.iterations()));
    for trial in results.trials() {
        let page = model.trial(trial.id.number()).unwrap();
        assert_eq!((page.iteration, page.curves.x), (3, vec![1, 2, 3]));
        assert_eq!(page.curves.metrics["score"], [Some(1.0), Some(2.0), Some(3.0)]);
        assert_eq!(page.ended, trial.ended.map(|moment| moment.since_start().as_secs_f64()));
    }
    without_holes(&model);
}

#[test]
fn names_of_trials_are_a_column_of_their_own() {
    let dir = TempDir::new().unwrap();
    let experiment = |name: &str| {
        let work = function("work", |_: Config, trial: &mut Session| Ok(trial.report([("loss", 1.0)])?));
        Experiment::new(name, work).seed(0).workers(1).dir(dir.path()).points([Config::new().with("x", 2)])
    };
    experiment("named").trial_names(TrialNames::Tag).run().unwrap();
    experiment("plain").run().unwrap();
    let (named, plain) = (RunModel::open(&dir.path().join("named")), RunModel::open(&dir.path().join("plain")));
    assert_eq!(named.trials(10).name, [Some("0_x=2".into())]);
    assert_eq!(named.trial(0).unwrap().name.as_deref(), Some("0_x=2"));
    assert!(plain.trials(10).name.is_empty() && plain.trial(0).unwrap().name.is_none());
}
