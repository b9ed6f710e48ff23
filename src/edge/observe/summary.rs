//! What the console says at the end: how it ended, the best trials, and the errors in full.

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Row as Cells, Table};

use super::board::{Board, Row};
use super::tally::Tally;
use super::words;
use crate::logic::event::Outcome;
use crate::logic::metrics::Metrics;
use crate::logic::trial::Status;

/// The whole summary, whole lines.
pub(super) fn summary(tally: &Tally, board: &Board, columns: u16) -> String {
    let mut text = headline(tally);
    text += &statuses(tally);
    text += &best(tally);
    let rows = board.rows(tally);
    if !rows.is_empty() {
        text += &format!("\n{}\n", table(&rows, tally, columns));
    }
    text + &failures(tally, board)
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
    let counts: Vec<_> = counts.map(|status| format!("{} {status}", words::count(tally.count(status)))).collect();
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
    let metric = words::line_of(&objective.metric);
    let mut text = format!("best {metric} {} in iteration {} of {}", best.value, best.iteration, best.trial);
    if let Some(config) = &best.config {
        text += &format!("\n  {config}");
    }
    text + "\n"
}

fn table(rows: &[Row], tally: &Tally, columns: u16) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Dynamic).set_width(columns);
    table.set_truncation_indicator("…");
    let value = tally.objective().map(|objective| format!("best {}", words::line_of(&objective.metric)));
    let mut header: Vec<String> = ["trial", "status", "iterations", "time"].map(str::to_owned).to_vec();
    header.extend(value.clone());
    header.push("parameters".to_owned());
    let last = header.len() - 1;
    table.set_header(header);
    let flat: Vec<Metrics> =
        rows.iter().map(|row| row.config.as_ref().map(|config| config.flattened()).unwrap_or_default()).collect();
    // What all rows share only hides what sets them apart.
    let differs = |name: &str| flat.len() == 1 || flat.iter().any(|other| other.get(name) != flat[0].get(name));
    for (row, flat) in rows.iter().zip(&flat) {
        let seconds = std::time::Duration::try_from_secs_f64(row.seconds).unwrap_or_default();
        let mut cells = vec![row.trial.to_string(), row.status.to_string(), words::count(row.iterations)];
        cells.push(words::duration(seconds));
        if value.is_some() {
            cells.push(row.best.map(words::number).unwrap_or_default());
        }
        cells.push(words::parameters(flat, differs));
        let mut cells = Cells::from(cells);
        cells.max_height(1);
        table.add_row(cells);
    }
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        if index < last {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
        if (2..last).contains(&index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.trim_fmt()
}

fn failures(tally: &Tally, board: &Board) -> String {
    let failed = board.failed();
    if failed.len() == 0 {
        return String::new();
    }
    let mut text = match tally.count(Status::Error).saturating_sub(failed.len() as u64) {
        0 => "\nfailed trials\n".to_owned(),
        more => format!("\nfailed trials (the last {}; {} more)\n", failed.len(), words::count(more)),
    };
    for (trial, failure) in failed {
        text += &format!("{trial}  {}\n", words::block_of(&failure.to_string(), "    "));
    }
    text
}
