//! The results as tables.

use super::Results;
use crate::edge::files::ResultTable;
use crate::logic::engine::TrialRecord;
use crate::logic::metrics::Objective;

impl Results {
    /// One row a trial, with its last report.
    ///
    /// ```
    /// # use tryout::prelude::*;
    /// # fn example(results: Results) -> Result<(), Box<dyn std::error::Error>> {
    /// let table = results.table();
    /// std::fs::write("trials.csv", table.to_csv())?;
    /// let losses: Vec<f64> = table.numbers("loss");
    /// # Ok(()) }
    /// ```
    pub fn table(&self) -> ResultTable {
        let mut table = ResultTable::new();
        for trial in self.trials() {
            table.add(trial, trial.last.as_deref());
        }
        table
    }

    /// One row a trial, with its best report by `objective` among those that were kept; without one of its last.
    pub fn table_by(&self, objective: &Objective) -> ResultTable {
        let mut table = ResultTable::new();
        for trial in self.trials() {
            table.add(trial, self.best_report(trial, objective).or(trial.last.as_deref()));
        }
        table
    }

    /// One row a report, of all trials one after the other: of those that were kept, which
    /// [`History`](crate::logic::engine::History) says. All there ever were are in the run's files.
    pub fn reports(&self) -> ResultTable {
        let mut table = ResultTable::new();
        for trial in self.trials() {
            self.add_reports(trial, &mut table);
        }
        table
    }

    pub(super) fn add_reports(&self, trial: &TrialRecord, table: &mut ResultTable) {
        let only = trial.last.as_deref().filter(|_| trial.history.is_empty());
        for report in trial.history.iter().map(AsRef::as_ref).chain(only) {
            table.add(trial, Some(report));
        }
    }
}
