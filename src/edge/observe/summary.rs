//! What the console says at the end: how it ended, the best trials, and the errors in full.

use super::board::Board;
use super::table::{Shape, table};
use super::tally::Tally;
use super::words;
use crate::logic::event::Outcome;
use crate::logic::trial::Status;

/// The whole summary, whole lines.
pub(super) fn summary(tally: &Tally, board: &Board, shape: &Shape, width: u16) -> String {
    let mut text = headline(tally);
    text += &statuses(tally);
    text += &best(tally);
    let rows = board.rows(tally);
    if !rows.is_empty() {
        text += &format!("\n{}\n", table(rows, tally, shape, width));
    }
    text + &failures(board)
}

fn headline(tally: &Tally) -> String {
    let after = words::duration(tally.now().since_start());
    let how = match tally.outcome() {
        Some(Outcome::Completed) => format!("completed in {after}"),
        Some(Outcome::Stopped(reason)) => format!("stopped after {after}: {}", words::block_of(reason, "  ")),
        Some(Outcome::Drained) => format!("drained after {after}; it can be resumed"),
        Some(Outcome::Failed(failure)) => {
            format!("failed after {after}: {}", words::block_of(&failure.to_string(), "  "))
        }
        Some(Outcome::Unfinished) | None => format!("left after {after}"),
    };
    format!("{} {} {how}\n", words::line_of(tally.name()), tally.run())
}

fn statuses(tally: &Tally) -> String {
    let order = [Status::Terminated, Status::Error, Status::Paused, Status::Running, Status::Pending];
    let counts = order.into_iter().filter(|status| tally.count(*status) > 0);
    let counts = counts.map(|status| match (status, tally.stopped_early()) {
        (Status::Terminated, early) if early > 0 => {
            format!("{} {status} ({} stopped early)", words::count(tally.count(status)), words::count(early))
        }
        _ => format!("{} {status}", words::count(tally.count(status))),
    });
    let counts: Vec<_> = counts.collect();
    let mut text = words::of(tally.trials(), "trial");
    if !counts.is_empty() {
        text += &format!(": {}", counts.join(", "));
    }
    text += &format!("; {}, {}", words::of(tally.iterations(), "iteration"), words::of(tally.failures(), "failure"));
    if tally.events_missed() > 0 {
        text += &format!(" ({} reports weren't seen here)", words::count(tally.events_missed()));
    }
    text + "\n"
}

fn best(tally: &Tally) -> String {
    let (Some(best), Some(objective)) = (tally.best(), tally.objective()) else { return String::new() };
    let (metric, value) = (words::line_of(&objective.metric), words::number(best.value));
    let mut text = format!("best {metric} {value} in iteration {} of {}", best.iteration, best.trial);
    if let Some(config) = best.config.as_ref().filter(|config| !config.as_map().is_empty()) {
        text += &format!("\n  {}", words::parameters(&config.flattened(), |_| true));
    }
    text + "\n"
}

/// The same error once, however many trials it ended.
fn failures(board: &Board) -> String {
    let groups = board.failed();
    if groups.is_empty() {
        return String::new();
    }
    let mut text = "\nfailed trials\n".to_owned();
    for group in groups {
        let mut names: Vec<String> = group.trials.iter().map(ToString::to_string).collect();
        if let more @ 1.. = group.count.saturating_sub(names.len() as u64) {
            names.push(format!("{} more", words::count(more)));
        }
        let failure = match group.count {
            1 => group.first.to_string(),
            _ => group.first.fault.to_string(),
        };
        text += &format!("{}  {}\n", names.join(", "), words::block_of(&failure, "    "));
    }
    match board.failed_otherwise() {
        0 => text,
        more => text + &format!("... and {} in other ways\n", words::of(more, "trial")),
    }
}
