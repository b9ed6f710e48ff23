//! What the console prints where there is no terminal.

use std::sync::Arc;
use std::time::Duration;

use tryout::edge::observe::{Column, Console, RowOrder, Style};
use tryout::logic::config::Config;
use tryout::logic::event::{AddedBy, Ending, EventKind, ExperimentEvent, Outcome, RunInfo};
use tryout::logic::metrics::Report;
use tryout::logic::pool::{ResourceRequest, Resources};
use tryout::logic::trial::Status;
use tryout::ports::observer::Observer;

use super::script::{Capture, added, at, ended, failed, finished, report, reported, short_run, started, status, trial};

fn printed(events: &[ExperimentEvent], style: Style, columns: u16) -> String {
    let capture = Capture::default();
    let mut console = Console::sized(capture.clone(), style, columns);
    events.iter().for_each(|event| console.on_event(event).unwrap());
    capture.text()
}

/// A run of nine trials under a scheduler of this name.
fn started_by(scheduler: &str) -> ExperimentEvent {
    let mut event = started(Some(9));
    if let EventKind::Started { info, .. } = &mut event.kind {
        let mut with = RunInfo::default();
        with.scheduler = scheduler.to_owned();
        *info = Arc::new(with);
    }
    event
}

fn ended_by(seconds: f64, number: u32, ending: Ending, last: Arc<Report>) -> ExperimentEvent {
    let status = Status::Terminated;
    at(seconds, EventKind::Ended { trial: trial(number), status, ending, reason: None, last })
}

#[test]
fn a_short_run_in_plain_lines() {
    assert_eq!(printed(&short_run(), Style::Plain, 100), include_str!("short_run.txt"));
}

#[test]
fn silence_on_demand() {
    assert_eq!(printed(&short_run(), Style::Silent, 100), "");
}

#[test]
fn every_line_of_the_table_fits() {
    let config = || (0..30).fold(Config::new(), |config, n| config.with(format!("parameter_{n}"), 1.0 / 3.0));
    let mut run = vec![started(None)];
    for n in 0..20 {
        run.push(added(n, config().with("parameter_7", n)));
        run.push(status(0.0, n, Status::Pending, Status::Running));
        run.push(reported(1.0, n, 1, f64::from(n)));
    }
    run.push(finished(2.0, Outcome::Completed));
    let text = printed(&run, Style::Plain, 80);
    let table: Vec<_> = text.lines().skip_while(|line| !line.starts_with("trial ")).collect();
    assert_eq!(table.len(), 11, "{text}");
    assert!(table.iter().all(|line| line.chars().count() <= 80), "{text}");
    assert!(table[1].starts_with(&trial(0).to_string()), "the best first: {text}");
    let cells: Vec<_> = table[1].split_whitespace().collect();
    assert_eq!(cells[1..4], ["0", "parameter_7=0", "RUNNING"], "the best value first, and only what differs: {text}");
}

#[test]
fn a_flood_of_failures_is_no_flood_of_lines() {
    let mut run = vec![started(Some(500))];
    for n in 0..470 {
        run.push(added(n, Config::new()));
        run.push(failed(1.0, n, &format!("no device {n}"), None));
        run.push(status(1.0, n, Status::Pending, Status::Error));
        run.push(ended(1.0, n, Status::Error, report(n, 0, f64::NAN)));
    }
    run.push(finished(2.0, Outcome::Completed));
    let text = printed(&run, Style::Plain, 100);
    assert_eq!(text.matches("no device").count(), 2, "as it comes, and at the end: {text}");
    assert!(text.contains("470 trials: 470 ERROR; 0 iterations, 470 failures"), "{text}");
    let names = [0, 1, 2].map(|n| trial(n).to_string()).join(", ");
    assert!(text.contains(&format!("failed trials\n{names}, 467 more  panic: no device 0 (at ")), "{text}");
}

/// A run of trials that the scheduler stops, with parameters that are long.
fn stopped_early() -> Vec<ExperimentEvent> {
    let mut run = vec![started_by("Asha")];
    for n in 0..3 {
        run.push(added(n, Config::new().with("learning_rate", 1.0 / f64::from(n + 3)).with("layers", n)));
        run.push(status(0.0, n, Status::Pending, Status::Running));
        run.push(reported(1.0, n, 9, f64::from(n) + 0.123_456_789));
        if n > 0 {
            run.push(status(2.0, n, Status::Running, Status::Terminated));
            run.push(ended_by(2.0, n, Ending::Scheduler, report(n, 9, f64::from(n))));
        }
    }
    run
}

/// Who stopped a trial, and when, stands beside its status; on a narrow terminal the value and the parameters win.
#[test]
fn a_table_says_who_stopped_a_trial() {
    let mut run = stopped_early();
    run.push(finished(2.0, Outcome::Completed));
    let wide = printed(&run, Style::Plain, 120);
    assert!(wide.contains("3 trials: 2 TERMINATED (2 stopped early), 1 RUNNING"), "{wide}");
    let row = wide.lines().find(|line| line.starts_with(&format!("{}  ", trial(1)))).unwrap();
    assert!(row.contains("layers=1 learning_rate=0.25") && row.ends_with("stopped by Asha at 9"), "{wide}");
    assert!(wide.contains("0.12346") && !wide.contains("0.123456"), "five digits: {wide}");
    let narrow = printed(&run, Style::Plain, 60);
    let table: Vec<_> = narrow.lines().skip_while(|line| !line.starts_with("trial ")).collect();
    assert_eq!(table[0].split_whitespace().take(4).collect::<Vec<_>>(), ["trial", "best", "loss", "parameters"]);
    assert!(table[1].contains("layers=0 learning_rate=0.33333"), "{narrow}");
    assert!(!narrow.contains("Asha") && table.iter().all(|line| line.chars().count() <= 60), "{narrow}");
}

/// What was chosen is shown, and as often as was said.
#[test]
fn columns_rows_and_times_are_chosen() {
    let capture = Capture::default();
    let columns = [Column::Trial, Column::Metric("loss".into()), Column::Parameter("layers".into())];
    let console = Console::sized(capture.clone(), Style::Plain, 80).columns(columns).rows(2);
    let mut console = console.every(Duration::from_secs(1)).table_every(Duration::from_secs(2));
    let mut run = stopped_early();
    run.push(reported(3.0, 0, 10, 0.1));
    run.push(finished(4.0, Outcome::Completed));
    run.iter().for_each(|event| console.on_event(event).unwrap());
    let text = capture.text();
    assert_eq!(text.matches("\ntrial ").count(), 2, "after two seconds, and at the end: {text}");
    let last = text.rsplit("\ntrial ").next().unwrap();
    assert_eq!(last, format!("       loss  layers\n{}   0.1  0\n{}     1  1\n", trial(0), trial(1)), "{text}");
    assert!(text.contains("[  1.00s] 0/9 (0%) ended, best loss 0.12346"), "{text}");
    assert!(text.contains("2 stopped early"), "{text}");
}

/// In the order of any column: numbers by size, and what isn't there last.
#[test]
fn rows_stand_in_the_order_that_was_chosen() {
    let order_of = |order: RowOrder| {
        let capture = Capture::default();
        let columns = [Column::Trial, Column::Parameter("layers".into())];
        let mut console = Console::sized(capture.clone(), Style::Plain, 80).columns(columns).order(order);
        let mut run = stopped_early();
        run.push(reported(3.0, 0, 10, 0.1));
        run.push(finished(4.0, Outcome::Completed));
        run.iter().for_each(|event| console.on_event(event).unwrap());
        let text = capture.text();
        let rows = text.rsplit("\ntrial ").next().unwrap().lines().skip(1);
        rows.filter_map(|row| row.split_whitespace().nth(1)?.parse().ok()).collect::<Vec<u32>>()
    };
    let layers = || Column::Parameter("layers".into());
    assert_eq!(order_of(RowOrder::Best), [0, 1, 2]);
    assert_eq!(order_of(RowOrder::Largest(layers())), [2, 1, 0]);
    assert_eq!(order_of(RowOrder::Smallest(layers())), [0, 1, 2]);
    assert_eq!(order_of(RowOrder::Largest(Column::Best)), [2, 1, 0]);
    assert_eq!(order_of(RowOrder::Smallest(Column::Iterations))[2], 0);
    assert_eq!(order_of(RowOrder::Smallest(Column::Metric("nobody's".into()))), [0, 1, 2], "as they were");
}

/// After a resume there are no more trials than there will be: what took another's place, or was added, counts.
#[test]
fn the_whole_grows_with_what_is_added() {
    let capture = Capture::default();
    let mut console = Console::sized(capture.clone(), Style::Plain, 100).every(Duration::ZERO);
    console.on_past(&started(Some(2))).unwrap();
    for n in 0..2 {
        console.on_past(&added(n, Config::new())).unwrap();
        console.on_past(&ended(1.0, n, Status::Error, report(n, 0, f64::NAN))).unwrap();
    }
    let mut again = added(2, Config::new());
    if let EventKind::Added { by, .. } = &mut again.kind {
        *by = AddedBy::Restart;
    }
    let run = [started(Some(2)), again, status(3.0, 2, Status::Pending, Status::Running)];
    run.iter().for_each(|event| console.on_event(event).unwrap());
    let text = capture.text();
    assert!(text.contains("2/3 (66%) ended, 2 failed, 1 running"), "{text}");
}

/// The resources that running trials hold, as parts of what there is.
#[test]
fn resources_in_use_are_shown() {
    let capture = Capture::default();
    let mut console = Console::sized(capture.clone(), Style::Plain, 100).every(Duration::ZERO);
    let mut begin = started_by("Fifo");
    if let EventKind::Started { info, .. } = &mut begin.kind {
        std::sync::Arc::make_mut(info).resources = [("cpu".to_owned(), 4.0), ("gpu".to_owned(), 1.0)].into();
    }
    let half = Resources::cpus(1).with("gpu", 0.5);
    let wants = |number, resources: &Resources| {
        let mut event = added(number, Config::new());
        if let EventKind::Added { request, .. } = &mut event.kind {
            *request = std::sync::Arc::new(ResourceRequest::single(resources.clone()).unwrap());
        }
        event
    };
    let runs = |number| status(1.0, number, Status::Pending, Status::Running);
    let run = [begin, wants(0, &half), wants(1, &Resources::cpus(2)), wants(2, &half), runs(0), runs(1)];
    run.iter().for_each(|event| console.on_event(event).unwrap());
    let text = capture.text();
    assert!(text.trim_end().ends_with("0/9 (0%) ended, 2 running, 1 pending, 3/4 cpu, 0.5/1 gpu"), "{text}");
}
