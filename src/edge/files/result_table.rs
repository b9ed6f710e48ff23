//! Results as a table in memory.

use super::csv::{Columns, Line};
#[cfg(feature = "parquet")]
use super::error::FileError;
use super::row::{Cell, Subject};
use crate::logic::engine::TrialRecord;
use crate::logic::metrics::{Report, Value};

/// Results in named columns, as [`Results::table`](crate::Results::table) gives them. The columns of a row are those of the
/// run's [files](super): what the trainable reported, the automatic keys, the leaves of the trial's configuration as it is now
/// (`config/lr`); behind them `status`, `reason` and `error`. A cell may be empty.
#[derive(Debug, Default)]
pub struct ResultTable {
    columns: Columns,
    rows: Vec<Vec<Option<Value>>>,
}

impl ResultTable {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// One more row: a trial, with one of its reports.
    pub(crate) fn add(&mut self, trial: &TrialRecord, report: Option<&Report>) {
        let mut row = vec![None; self.columns.len()];
        let mut set = |name: &str, value: Value| {
            let place = self.columns.place(name, 0).unwrap_or_else(|| self.columns.push(name));
            if row.len() <= place {
                row.resize(place + 1, None);
            }
            if let Some(cell @ None) = row.get_mut(place) {
                *cell = Some(value);
            }
        };
        for (name, value) in report.map(Report::entries).unwrap_or_default() {
            set(&name, value);
        }
        set("trial_id", trial.id.to_string().into());
        for (name, value) in Subject::new(trial.id, &trial.config).leaves {
            set(&name, value);
        }
        set("status", trial.status.to_string().into());
        if let Some(reason) = &trial.reason {
            set("reason", reason.as_ref().into());
        }
        if let Some(error) = trial.error() {
            set("error", error.to_string().into());
        }
        self.rows.push(row);
    }

    /// The names of the columns, in their order.
    pub fn columns(&self) -> impl ExactSizeIterator<Item = &str> {
        self.columns.names()
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// A cell: in a row, counted from 0, and a column. None if there is no such row or column, or nothing in it.
    pub fn get(&self, row: usize, column: &str) -> Option<&Value> {
        let place = self.columns.place(column, 0)?;
        self.rows.get(row)?.get(place)?.as_ref()
    }

    /// A column, a cell for each row; all are empty if there is no such column.
    pub fn column(&self, name: &str) -> impl ExactSizeIterator<Item = Option<&Value>> {
        let place = self.columns.place(name, 0);
        self.rows.iter().map(move |row| row.get(place?)?.as_ref())
    }

    /// A column as numbers, one for each row: NaN where there is none.
    pub fn numbers(&self, name: &str) -> Vec<f64> {
        self.column(name).map(|cell| cell.and_then(Value::as_f64).unwrap_or(f64::NAN)).collect()
    }

    /// The table as comma-separated values (RFC 4180), with a header, in the form of the run's `results.csv`.
    pub fn to_csv(&self) -> String {
        let (mut text, mut line) = (self.columns.header(), Line::default());
        for row in 0..self.rows.len() {
            line.begin(&self.columns);
            self.cells(row).for_each(|(name, cell)| line.set(&self.columns, name, cell));
            line.write(&mut text);
        }
        String::from_utf8_lossy(&text).into_owned()
    }

    /// Writes the table as a Parquet file, which appears when it is whole: `pandas.read_parquet(path)`, or Arrow's readers.
    ///
    /// # Errors
    /// If it can't be written, or has no rows.
    #[cfg(feature = "parquet")]
    pub fn write_parquet(&self, path: impl AsRef<std::path::Path>) -> Result<(), FileError> {
        super::parquet::write_rows(path.as_ref(), (0..self.rows.len()).map(|row| self.cells(row)))
    }

    /// The cells of a row that aren't empty.
    fn cells(&self, row: usize) -> impl Iterator<Item = (&str, Cell<'_>)> {
        let row = self.rows.get(row).map(Vec::as_slice).unwrap_or_default();
        self.columns.names().zip(row).filter_map(|(name, value)| Some((name, value.as_ref()?.into())))
    }
}
