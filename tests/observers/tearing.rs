//! The line that changes, log records between, and a terminal that shows what became of them.

use std::io::Write;

use log::{Level, Log, Metadata, Record};
use tryout::edge::observe::{Console, Style};
use tryout::logic::event::Outcome;
use tryout::ports::observer::Observer;

use super::script::{Capture, finished, reported, short_run};

/// Prints records like any simple logger does.
struct Printer(Capture);

impl Log for Printer {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        // In two writes, so that a line drawn between them would show.
        write!(self.0.clone(), "{} {}", record.level(), record.args()).unwrap();
        self.0.clone().write_all(b" .\n").unwrap();
    }

    fn flush(&self) {}
}

/// What a terminal of 100 columns shows after all that was written to it.
fn screen(text: &str) -> Vec<String> {
    let (mut lines, mut row, mut column) = (vec![Vec::new()], 0_usize, 0_usize);
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\r' => column = 0,
            '\n' => (row, column) = (row + 1, 0),
            '\x1b' => {
                let code: String = chars.by_ref().skip(1).take_while(|c| !c.is_alphabetic()).collect();
                // `take_while` ate the letter; a number alone moves up here, as one line never moves down.
                if code == "2" { lines[row].clear() } else { row -= code.parse::<usize>().unwrap() }
            }
            c => {
                if column == 100 {
                    (row, column) = (row + 1, 0);
                }
                if row == lines.len() {
                    lines.push(Vec::new());
                }
                if lines[row].len() <= column {
                    lines[row].resize(column + 1, ' ');
                }
                lines[row][column] = c;
                column += 1;
            }
        }
        if row == lines.len() {
            lines.push(Vec::new());
        }
    }
    lines.into_iter().map(|line| line.into_iter().collect::<String>().trim_end().to_owned()).collect()
}

#[test]
fn log_records_and_the_line_stay_apart() {
    let capture = Capture::default();
    let mut console = Console::to(capture.clone(), Style::Line);
    let bridge = console.bridge(Box::new(Printer(capture.clone())));
    let run = short_run();
    run[..10].iter().for_each(|event| console.on_event(event).unwrap());
    capture.wait_for(|text| text.contains("4 running"));
    std::thread::scope(|scope| {
        for thread in 0..2 {
            let bridge = &bridge;
            scope.spawn(move || {
                for n in 0..50 {
                    bridge.log(&Record::builder().level(Level::Info).args(format_args!("record {thread}/{n}")).build());
                }
            });
        }
        for n in 0..100 {
            console.on_event(&reported(5.0, 3, n, 0.5)).unwrap();
        }
    });
    let text = capture.text();
    let shown = screen(&text);
    let records: Vec<_> = shown.iter().filter(|line| line.contains("record")).collect();
    assert_eq!(records.len(), 100, "{shown:#?}");
    assert!(records.iter().all(|line| line.starts_with("INFO record ") && line.ends_with(" .")), "{shown:#?}");
    assert_eq!(shown.iter().filter(|line| line.contains("running")).count(), 1, "one line: {shown:#?}");
    assert!(shown.last().unwrap().contains("4 running"), "and it is the last: {shown:#?}");

    run[10..].iter().for_each(|event| console.on_event(event).unwrap());
    let shown = screen(&capture.text());
    assert!(!shown.iter().any(|line| line.contains("running")), "the line is gone: {shown:#?}");
    assert!(shown.iter().any(|line| line.starts_with("3fa01_00001 failed: panic: index out of bounds")));
    assert!(shown.iter().any(|line| line.starts_with("digits 3fa01 stopped after 3m 2s")));
}

#[test]
fn a_logger_that_panics_breaks_nobody_elses_line() {
    struct Panics;
    impl Log for Panics {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }

        fn log(&self, _: &Record<'_>) {
            panic!("no disk")
        }

        fn flush(&self) {}
    }
    let capture = Capture::default();
    let mut console = Console::to(capture.clone(), Style::Line);
    let bridge = console.bridge(Box::new(Panics));
    console.on_event(&short_run()[0]).unwrap();
    let log = || bridge.log(&Record::builder().level(Level::Info).build());
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(log)).is_err());
    console.on_event(&finished(1.0, Outcome::Completed)).unwrap();
    assert!(capture.text().contains("digits 3fa01 completed in 1.00s"));
}
