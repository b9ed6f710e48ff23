//! What the console prints where there is no terminal.

use tryout::edge::observe::{Console, Style};
use tryout::logic::config::Config;
use tryout::logic::event::{ExperimentEvent, Outcome};
use tryout::logic::trial::Status;
use tryout::ports::observer::Observer;

use super::script::{Capture, added, ended, failed, finished, report, reported, short_run, started, status, trial};

fn printed(events: &[ExperimentEvent], style: Style, columns: u16) -> String {
    let capture = Capture::default();
    let mut console = Console::sized(capture.clone(), style, columns);
    events.iter().for_each(|event| console.on_event(event).unwrap());
    capture.text()
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
    assert!(table[1].ends_with("parameter_7=0"), "only what differs: {text}");
}

#[test]
fn a_flood_of_failures_is_no_flood_of_lines() {
    let mut run = vec![started(Some(500))];
    for n in 0..470 {
        run.push(added(n, Config::new()));
        run.push(failed(1.0, n, "no device", None));
        run.push(status(1.0, n, Status::Pending, Status::Error));
        run.push(ended(1.0, n, Status::Error, report(n, 0, f64::NAN)));
    }
    run.push(finished(2.0, Outcome::Completed));
    let text = printed(&run, Style::Plain, 100);
    assert!(text.lines().count() < 40, "{text}");
    assert!(text.contains("... and 460 like these"), "{text}");
    assert!(text.contains("470 trials: 470 ERROR; 0 iterations, 470 failures"), "{text}");
    assert!(text.contains("failed trials (the last 10; 460 more)"), "{text}");
}
