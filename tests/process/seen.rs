//! Where trials run, and what is seen of their workers.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt;
use tryout::event::{Process, StopCause, WorkerChange};
use tryout::extend::*;
use tryout::logic::engine::ClientOrder;
use tryout::prelude::*;

use crate::program::{acts, rust, shell};

/// All events of a run.
#[derive(Clone, Default)]
struct Diary(Arc<Mutex<Vec<EventKind>>>);

impl Observer for Diary {
    fn on_event(&mut self, event: &ExperimentEvent) -> Result<(), ObserverError> {
        self.0.lock().expect("nobody panicked").push(event.kind.clone());
        Ok(())
    }
}

impl Diary {
    /// What happened to workers, in words that are the same in every run.
    fn workers(&self) -> Vec<String> {
        let words = |kind: &EventKind| match kind {
            EventKind::Launched { trial, worker, reused, .. } => {
                Some(format!("{worker} has trial {}, {reused} before", trial.number()))
            }
            EventKind::Worker { worker, change: WorkerChange::Placed { .. } } => {
                Some(format!("{worker} has a process"))
            }
            EventKind::Worker { worker, change } => Some(format!("{worker} {change}")),
            _ => None,
        };
        self.0.lock().expect("nobody panicked").iter().filter_map(words).collect()
    }

    fn processes(&self) -> Vec<Arc<Process>> {
        let process = |kind: &EventKind| match kind {
            EventKind::Worker { change: WorkerChange::Placed { process }, .. } => Some(process.clone()),
            _ => None,
        };
        self.0.lock().expect("nobody panicked").iter().filter_map(process).collect()
    }
}

fn rows(trial: &Path) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(trial.join("result.json")).expect("results");
    text.lines().map(|line| serde_json::from_str(line).expect("a row")).collect()
}

#[test]
fn rows_name_the_process_and_the_machine_of_their_trial() {
    let (dir, diary) = (tempfile::tempdir().expect("a directory"), Diary::default());
    let results = Experiment::new("rows", command("sh").args(["-c", r#"echo "{{\"mine\": $$}}""#]))
        .points([Config::new(), Config::new()])
        .workers(1)
        .dir(dir.path())
        .files(Files::none().results().csv())
        .observer(diary.clone())
        .run()
        .expect("a run");
    let said = diary.processes();
    assert_eq!(said.len(), 2, "each trial has a process of its own");
    let csv = std::fs::read_to_string(dir.path().join("rows/results.csv")).expect("a table");
    for (trial, process) in results.trials().iter().zip(&said) {
        let mine = trial.last.as_ref().and_then(|last| last.number("mine")).expect("it said its own");
        assert_eq!(mine, f64::from(process.pid));
        let row = &rows(&dir.path().join("rows").join(trial.id.to_string()))[0];
        assert_eq!((&row["pid"], row["hostname"].as_str()), (&process.pid.into(), process.host.as_deref()));
        assert_eq!(csv.matches(&format!(",{},", process.pid)).count(), 1, "{csv}");
    }
}

#[test]
fn a_worker_s_own_word_on_where_it_is_counts() {
    let elsewhere = r#"say 0 '"hello":{"protocol":1,"pid":4711,"host":"far","abilities":[]}'"#;
    let script = format!(
        "say() {{ printf '{{\"lease\":%s,\"fact\":{{%s}}}}\\n' \"$1\" \"$2\" >&0; }}\n{elsewhere}\nread -r welcome\nread -r start\n\
         lease=${{start#*:}}; lease=${{lease%%,*}}\nsay \"$lease\" '\"ready\":{{}}'\n\
         say \"$lease\" '\"results\":{{\"list\":[{{\"metrics\":{{\"count\":1}},\"seconds\":0.1,\"at\":1}}],\"end\":\"done\"}}'\n\
         read -r rest"
    );
    let diary = Diary::default();
    let results = Experiment::new("far", process("sh").args(["-c", &script]))
        .points([Config::new()])
        .workers(1)
        .observer(diary.clone())
        .run()
        .expect("a run");
    assert_eq!(results.trials()[0].status, Status::Terminated, "{:?}", results.trials()[0].failures);
    assert_eq!(diary.processes(), [Arc::new(Process { pid: 4711, host: Some("far".into()) })]);
}

#[test]
fn what_happens_to_workers_is_told() {
    let (dir, diary) = (tempfile::tempdir().expect("a directory"), Diary::default());
    let steps = |what: &str| acts(what).with("steps", 1);
    let results = Experiment::new("seen", rust())
        .points([steps(""), steps(""), steps("refuse reset")])
        .workers(1)
        .dir(dir.path())
        .files(Files::none().results())
        .observer(diary.clone())
        .run()
        .expect("a run");
    let last = results.trials()[2].id;
    let expected = [
        "w0 was started with cpu 1".to_owned(),
        "w0 has trial 0, 0 before".to_owned(),
        "w0 has a process".to_owned(),
        "w0 has trial 1, 1 before".to_owned(),
        "w0 has trial 2, 2 before".to_owned(),
        format!("w0 couldn't be reset for trial {last}, a fresh one takes its place: set-up failed: not this one"),
        "w0 is asked to stop: its trial says that nobody is to use it again".to_owned(),
        "w0 is gone".to_owned(),
        "w1 was started with cpu 1".to_owned(),
        "w1 has trial 2, 0 before".to_owned(),
        "w1 has a process".to_owned(),
        "w1 is asked to stop: the run is ending".to_owned(),
        "w1 is gone".to_owned(),
    ];
    // Whether it hears first that nobody can come or that all is over is nobody's to say.
    let seen = diary.workers();
    let seen: Vec<String> = seen
        .iter()
        .map(|line| line.replace(&StopCause::Unneeded.to_string(), &StopCause::RunEnds.to_string()))
        .collect();
    assert_eq!(seen, expected);
    let processes = diary.processes();
    for (trial, process) in results.trials().iter().zip([0, 0, 1]) {
        let row = &rows(&dir.path().join("seen").join(trial.id.to_string()))[0];
        assert_eq!(row["pid"], processes[process].pid);
    }
}

#[test]
fn one_that_is_killed_is_told_of() {
    let diary = Diary::default();
    let results =
        Experiment::new("killed", shell("ready; result; trap '' TERM; while read -r line; do :; done; sleep 60"))
            .points([Config::new()])
            .workers(1)
            .stop(stop::iterations(1))
            .grace(Duration::from_millis(100), AbandonPolicy::Hold)
            .observer(diary.clone())
            .run()
            .expect("a run");
    assert_eq!(results.trials()[0].status, Status::Terminated);
    let seen = diary.workers();
    let end = ["w0 is killed: its grace period is over", "w0 is gone"];
    assert_eq!(&seen[seen.len() - 2..], end, "{seen:?}");
}

#[test]
fn a_status_says_where_a_trial_runs() {
    futures::executor::block_on(runs_on());
}

async fn runs_on() {
    let request = ResourceRequest::single(Resources::cpus(2).with("gpu", 1.0)).expect("a request");
    let run = Experiment::new("where", rust())
        .points([acts("").with("steps", 100_000_000), acts("").with("steps", 1)])
        .resources(Resources::cpus(2).with_gpus([3]))
        .per_trial(request.clone())
        .start()
        .expect("a run");
    let control = run.control();
    let mut events = control.events(1 << 14);
    let (mut process, mut first) = (None, None);
    while first.is_none() {
        let Some(Seen::Event(event)) = events.next().await else { panic!("it goes on") };
        match &event.kind {
            EventKind::Worker { change: WorkerChange::Placed { process: its }, .. } => process = Some(its.clone()),
            EventKind::Reported { report } => first = Some(report.trial),
            EventKind::Launched { gpus, .. } => assert_eq!(gpus, &[3]),
            _ => {}
        }
    }
    let first = first.expect("it reported");
    let status = control.trial(first).await.expect("it is there").expect("it is known");
    let on = status.runs_on.expect("it has a worker");
    assert_eq!((on.process, &on.slot.gpus, on.reused), (process, &vec![vec![3]], 0));
    assert_eq!((status.request.as_deref(), status.priority), (Some(&request), 0));
    let second = TrialId::new(first.run(), 1);
    control.order(ClientOrder::Prioritise(second, 5)).await.expect("it waits");
    let waits = control.trial(second).await.expect("it is there").expect("it is known");
    assert_eq!((waits.runs_on, waits.priority), (None, 5));
    let workers = control.pool(None).await.expect("it is there").workers;
    assert_eq!((workers.spawned, workers.reused, workers.asked_to_stop), (1, 0, 0));
    control.stop().await.expect("it can be stopped");
    run.wait().await.expect("an end");
}
