//! The console's table: which columns it has, and which of them fit.

use std::cmp::Ordering;

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Row as Cells, Table};

use super::board::Row;
use super::tally::Tally;
use super::words;
use crate::logic::metrics::Metrics;

/// A column of the console's table.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Column {
    /// What the trial is called: its name, or its id if it has none.
    Trial,
    /// The best value of the objective that it ever reported.
    Best,
    /// The parameters in which the trials of the table differ.
    Parameters,
    /// One parameter, by its flattened name, as in `net/hidden`.
    Parameter(String),
    /// One metric, as in the report with the best value (without an objective: in the last one).
    Metric(String),
    /// Its status.
    Status,
    /// How many iterations it has reported.
    Iterations,
    /// How long it has worked.
    Time,
    /// How it ended, if that wasn't by itself: `stopped by Asha at 9`.
    Ending,
}

/// In which order the rows of the console's table stand.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RowOrder {
    /// The best first; without an objective, as they ended.
    #[default]
    Best,
    /// By this column, the smallest first: numbers before texts, and what isn't there last. Parameters together have no order: name one.
    Smallest(Column),
    /// By this column, the largest first.
    Largest(Column),
}

/// All but those that name something, in the order in which they stand.
pub(super) const USUAL: [Column; 7] =
    [Column::Trial, Column::Best, Column::Parameters, Column::Status, Column::Iterations, Column::Time, Column::Ending];

/// Columns that may be left out where there is no room, the first one first.
const SPARE: [Column; 4] = [Column::Time, Column::Ending, Column::Iterations, Column::Status];

/// Between two columns.
const GAP: usize = 2;

/// So much room the parameters want at least before others are left out for them.
const PARAMETERS: usize = 30;

/// The table, whole lines but for the last one's end. Of the usual columns, those that don't fit are left out; what was chosen
/// is shown whatever the width.
pub(super) fn table(rows: Vec<Row>, tally: &Tally, shape: &Shape, width: u16) -> String {
    let (rows, chosen) = (&in_order(rows, &shape.order), shape.columns.as_deref());
    let flat: Vec<Metrics> =
        rows.iter().map(|row| row.config.as_ref().map(|config| config.flattened()).unwrap_or_default()).collect();
    // What all rows share only hides what sets them apart.
    let differs = |name: &str| flat.len() == 1 || flat.iter().any(|other| other.get(name) != flat[0].get(name));
    let mut columns: Vec<(&Column, String, Vec<String>)> = Vec::new();
    for column in chosen.unwrap_or(&USUAL) {
        let cells: Vec<String> = rows.iter().zip(&flat).map(|(row, flat)| cell(column, row, flat, &differs)).collect();
        let needed = chosen.is_some() || !matches!(column, Column::Best | Column::Ending | Column::Parameters);
        if needed || cells.iter().any(|cell| !cell.is_empty()) {
            columns.push((column, head(column, tally), cells));
        }
    }
    if chosen.is_none() {
        for spare in &SPARE {
            if wanted(&columns) <= usize::from(width) {
                break;
            }
            columns.retain(|(column, _, _)| *column != spare);
        }
    }
    draw(&columns, rows.len(), width)
}

/// What a person has chosen.
#[derive(Clone, Debug, Default)]
pub(super) struct Shape {
    pub(super) columns: Option<Vec<Column>>,
    pub(super) order: RowOrder,
}

fn in_order(mut rows: Vec<Row>, order: &RowOrder) -> Vec<Row> {
    let (column, down) = match order {
        RowOrder::Best => return rows,
        RowOrder::Smallest(column) => (column, false),
        RowOrder::Largest(column) => (column, true),
    };
    let turned = |order: Ordering| if down { order.reverse() } else { order };
    let by = |one: &Row, other: &Row| match (key(column, one), key(column, other)) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) => Ordering::Greater,
        (Some(_), None) => Ordering::Less,
        (Some(Key::Number(one)), Some(Key::Number(other))) => turned(one.total_cmp(&other)),
        (Some(Key::Text(one)), Some(Key::Text(other))) => turned(one.cmp(&other)),
        (Some(Key::Number(_)), Some(Key::Text(_))) => Ordering::Less,
        (Some(Key::Text(_)), Some(Key::Number(_))) => Ordering::Greater,
    };
    rows.sort_by(by);
    rows
}

/// By what a row is put in order.
enum Key {
    Number(f64),
    Text(String),
}

fn key(column: &Column, row: &Row) -> Option<Key> {
    Some(match column {
        Column::Trial => Key::Number(row.trial.number().into()),
        Column::Best => Key::Number(row.best?),
        Column::Metric(name) => Key::Number(row.report.number(name)?),
        Column::Iterations => Key::Number(row.iterations as f64),
        Column::Time => Key::Number(row.seconds),
        Column::Status => Key::Number((row.status as u8).into()),
        Column::Ending => Key::Text(row.how.clone()),
        Column::Parameter(name) => {
            let flat = row.config.as_ref()?.flattened();
            match flat.number(name) {
                Some(number) => Key::Number(number),
                None => Key::Text(words::value(flat.get(name)?)),
            }
        }
        Column::Parameters => return None,
    })
}

/// The room that all columns want.
fn wanted(columns: &[(&Column, String, Vec<String>)]) -> usize {
    let longest = |(column, head, cells): &(&Column, String, Vec<String>)| {
        let longest = cells.iter().chain([head]).map(|cell| cell.chars().count()).max().unwrap_or(0);
        GAP + if **column == Column::Parameters { longest.min(PARAMETERS) } else { longest }
    };
    columns.iter().map(longest).sum()
}

fn draw(columns: &[(&Column, String, Vec<String>)], rows: usize, width: u16) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    table.set_truncation_indicator("…");
    table.set_header(columns.iter().map(|(_, head, _)| head.clone()));
    for row in 0..rows {
        let cells = columns.iter().map(|(_, _, cells)| cells.get(row).cloned().unwrap_or_default());
        let mut cells = Cells::from(cells.collect::<Vec<_>>());
        cells.max_height(1);
        table.add_row(cells);
    }
    for (column, (what, _, _)) in table.column_iter_mut().zip(columns) {
        column.set_padding((0, GAP as u16));
        if !matches!(what, Column::Parameters) {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
        if matches!(what, Column::Best | Column::Iterations | Column::Time | Column::Metric(_)) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.trim_fmt()
}

fn head(column: &Column, tally: &Tally) -> String {
    match column {
        Column::Trial => "trial".to_owned(),
        Column::Best => tally
            .objective()
            .map_or_else(|| "best".to_owned(), |objective| format!("best {}", words::line_of(&objective.metric))),
        Column::Parameters => "parameters".to_owned(),
        Column::Parameter(name) | Column::Metric(name) => words::line_of(name),
        Column::Status => "status".to_owned(),
        Column::Iterations => "iterations".to_owned(),
        Column::Time => "time".to_owned(),
        Column::Ending => "ended".to_owned(),
    }
}

fn cell(column: &Column, row: &Row, flat: &Metrics, differs: &impl Fn(&str) -> bool) -> String {
    match column {
        Column::Trial => row.name.as_ref().map_or_else(|| row.trial.to_string(), ToString::to_string),
        Column::Best => row.best.map(words::number).unwrap_or_default(),
        Column::Parameters => words::parameters(flat, differs),
        Column::Parameter(name) => flat.get(name).map(words::value).unwrap_or_default(),
        Column::Metric(name) => row.report.number(name).map(words::number).unwrap_or_default(),
        Column::Status => row.status.to_string(),
        Column::Iterations => words::count(row.iterations),
        Column::Time => words::duration(std::time::Duration::try_from_secs_f64(row.seconds).unwrap_or_default()),
        Column::Ending => row.how.clone(),
    }
}
