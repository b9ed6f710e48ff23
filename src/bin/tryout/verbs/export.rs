//! `tryout export`.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};
use tryout::prelude::*;

use super::Problem;
use super::open::Which;
use super::trials::{Form, Rows, write};

/// Writes a run's trials, or all reports that are kept of them, as a file for others.
#[derive(Debug, Args)]
pub(crate) struct Export {
    #[command(flatten)]
    which: Which,
    /// What is written: a row for each of them.
    #[arg(long, value_enum, default_value_t = What::Trials)]
    what: What,
    /// How it is written [default: CSV, or JSON lines if the file's name ends in `.jsonl` or `.json`].
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Into which file [default: the standard output]. A file that is there is replaced.
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum What {
    Trials,
    Reports,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Csv,
    Jsonl,
}

impl Export {
    pub(crate) fn carry_out(self) -> Result<ExitCode, Problem> {
        let run = self.which.open()?;
        let Rows { rows, columns } = match self.what {
            What::Trials => Rows::of(&run.results),
            What::Reports => reports(&run.results),
        };
        let json = |path: &PathBuf| path.extension().is_some_and(|end| end == "jsonl" || end == "json");
        let form = match self.format {
            Some(Format::Csv) => Form::Csv,
            Some(Format::Jsonl) => Form::Json,
            None if self.to.as_ref().is_some_and(json) => Form::Json,
            None => Form::Csv,
        };
        let rows: Vec<&Map<String, Value>> = rows.iter().collect();
        match &self.to {
            None => {
                let mut out = BufWriter::new(std::io::stdout().lock());
                write(&mut out, &rows, &columns, form)?;
                out.flush()?;
            }
            Some(path) => {
                let named =
                    |error: std::io::Error| Problem::Failed(format!("`{}` can't be written: {error}", path.display()));
                let mut out = BufWriter::new(File::create(path).map_err(named)?);
                write(&mut out, &rows, &columns, form)?;
                out.flush().map_err(named)?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The reports that are kept, a row each, trial by trial.
fn reports(results: &Results) -> Rows {
    let begin = ["trial", "iteration", "seconds", "timestamp"];
    let (mut rows, mut names) = (Vec::new(), std::collections::BTreeSet::new());
    for trial in results.trials() {
        let only = trial.last.iter().filter(|_| trial.history.is_empty());
        for report in trial.history.iter().chain(only) {
            let values = [
                json!(trial.id.number()),
                json!(report.iteration()),
                json!(report.counters.time_total_s),
                json!(report.timestamp),
            ];
            let mut row: Map<String, Value> = begin.map(str::to_owned).into_iter().zip(values).collect();
            for (name, value) in report.metrics.iter() {
                let name = if begin.contains(&name.as_ref()) { format!("metric/{name}") } else { name.to_string() };
                row.insert(name.clone(), json!(value));
                names.insert(name);
            }
            rows.push(row);
        }
    }
    Rows { rows, columns: begin.map(str::to_owned).into_iter().chain(names).collect() }
}
