//! `tryout trials`.

use std::cmp::Ordering;
use std::io::Write;
use std::process::ExitCode;

use clap::Args;
use serde_json::{Map, Value};
use tryout::files::text_cell;
use tryout::prelude::*;

use super::Problem;
use super::open::Which;
use super::row::{OWN, Row};
use super::table::{Table, exact, shown};

/// Shows a run's trials as a table.
///
/// Columns are `trial`, `id`, `name` (if trials have names), `status`, `iterations`, `attempts`, `failures`, `checkpoints`, `seconds`, `ending`, `reason`, the values of
/// configurations (`lr`, or `config/lr` if a metric has the same name), and the metrics of last reports.
#[derive(Debug, Args)]
pub(crate) struct Trials {
    #[command(flatten)]
    which: Which,
    /// Only those of which this holds: `status=error`, `loss<0.1`, `lr>=1e-3`, `act!=relu`. All that are given must hold.
    #[arg(long = "where", value_name = "COLUMN<VALUE")]
    filters: Vec<String>,
    /// By this column: the best first if it is the objective, else the smallest first.
    #[arg(long, value_name = "COLUMN")]
    sort: Option<String>,
    /// The other way round.
    #[arg(long, requires = "sort")]
    reverse: bool,
    /// Which columns, and in which order.
    #[arg(long, value_name = "COLUMN,..", value_delimiter = ',')]
    columns: Vec<String>,
    /// At most so many.
    #[arg(long, value_name = "COUNT")]
    limit: Option<usize>,
    /// Writes a JSON object a line.
    #[arg(long, conflicts_with = "csv")]
    json: bool,
    /// Writes CSV.
    #[arg(long)]
    csv: bool,
}

impl Trials {
    pub(crate) fn carry_out(self) -> Result<ExitCode, Problem> {
        let run = self.which.open()?;
        let rows = Rows::of(&run.results);
        let filters: Vec<Filter> = self.filters.iter().map(|text| rows.filter(text)).collect::<Result<_, _>>()?;
        let mut chosen: Vec<&Map<String, Value>> =
            rows.rows.iter().filter(|row| filters.iter().all(|filter| filter.holds(row))).collect();
        if let Some(column) = &self.sort {
            let column = rows.column(column)?;
            let mode =
                run.results.objective().filter(|objective| objective.metric == column).map(|objective| objective.mode);
            chosen.sort_by(|one, other| {
                in_order(one.get(&column), other.get(&column), (mode == Some(Mode::Max)) != self.reverse)
            });
        }
        chosen.truncate(self.limit.unwrap_or(usize::MAX));
        let columns = match self.columns.as_slice() {
            [] if self.json || self.csv => rows.columns.clone(),
            [] => rows.shown(run.results.objective()),
            columns => columns.iter().map(|column| rows.column(column)).collect::<Result<_, _>>()?,
        };
        let mut out = std::io::BufWriter::new(std::io::stdout().lock());
        write(
            &mut out,
            &chosen,
            &columns,
            if self.json {
                Form::Json
            } else if self.csv {
                Form::Csv
            } else {
                Form::Table
            },
        )?;
        out.flush()?;
        Ok(ExitCode::SUCCESS)
    }
}

/// How rows are written.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Form {
    Table,
    Json,
    Csv,
}

pub(crate) fn write(
    out: &mut impl Write,
    rows: &[&Map<String, Value>],
    columns: &[String],
    form: Form,
) -> Result<(), Problem> {
    match form {
        Form::Json => {
            for row in rows {
                let object: Map<_, _> =
                    columns.iter().filter_map(|name| Some((name.clone(), row.get(name)?.clone()))).collect();
                writeln!(out, "{}", Value::Object(object))?;
            }
        }
        Form::Csv => {
            let names: Vec<String> = columns.iter().map(|name| text_cell(name)).collect();
            writeln!(out, "{}", names.join(","))?;
            for row in rows {
                // What isn't there is an empty cell.
                let cell = |name| row.get(name).map_or_else(String::new, |value| text_cell(&exact(Some(value))));
                writeln!(out, "{}", columns.iter().map(cell).collect::<Vec<_>>().join(","))?;
            }
        }
        Form::Table => {
            let mut table = Table::new(columns.iter().map(|name| name.strip_prefix("config/").unwrap_or(name)));
            rows.iter().for_each(|row| table.row(columns.iter().map(|name| shown(row.get(name)))));
            table.write(out)?;
        }
    }
    Ok(())
}

/// A run's trials as rows of values by the names of columns.
#[derive(Debug)]
pub(crate) struct Rows {
    pub(crate) rows: Vec<Map<String, Value>>,
    pub(crate) columns: Vec<String>,
}

impl Rows {
    pub(crate) fn of(results: &Results) -> Self {
        let named = results.trials().iter().any(|trial| trial.name.is_some());
        let rows: Vec<Map<String, Value>> = results.trials().iter().map(Row::of).collect();
        let mut more: Vec<String> = Vec::new();
        let mut known = std::collections::HashSet::new();
        for name in rows.iter().flat_map(Map::keys).filter(|name| !OWN.contains(&name.as_str())) {
            if known.insert(name) {
                more.push(name.clone());
            }
        }
        more.sort_by_key(|name| (!name.starts_with("config/"), name.clone()));
        let own = OWN.iter().filter(|name| named || **name != "name").map(|name| (*name).to_owned());
        Self { columns: own.chain(more).collect(), rows }
    }

    /// The columns that are shown unless it is said.
    fn shown(&self, objective: Option<&Objective>) -> Vec<String> {
        let metric = objective.map(|objective| objective.metric.clone());
        let begin = ["trial", "name", "status", "iterations"]
            .into_iter()
            .filter(|name| self.columns.iter().any(|known| known == name));
        let begin = begin.map(str::to_owned).chain(metric);
        begin.chain(self.columns.iter().filter(|name| name.starts_with("config/")).cloned()).collect()
    }

    /// A column by its name, or by that of a configuration's value.
    fn column(&self, name: &str) -> Result<String, Problem> {
        let of_config = format!("config/{name}");
        let found = self
            .columns
            .iter()
            .find(|known| *known == name)
            .or_else(|| self.columns.iter().find(|known| **known == of_config));
        found.cloned().ok_or_else(|| {
            Problem::Given(format!("there is no column `{name}`; there are {}", self.columns.join(", ")))
        })
    }

    fn filter(&self, text: &str) -> Result<Filter, Problem> {
        let wrong =
            || Problem::Given(format!("`{text}` isn't a filter: write it as in status=error, loss<0.1, lr>=1e-3"));
        let at = text.find(['=', '<', '>', '!']).ok_or_else(wrong)?;
        let (column, rest) = text.split_at(at);
        let (sign, value) = ["<=", ">=", "!=", "==", "=", "<", ">"]
            .into_iter()
            .find_map(|sign| Some((sign, rest.strip_prefix(sign)?)))
            .ok_or_else(wrong)?;
        Ok(Filter { column: self.column(column.trim())?, sign, value: value.trim().to_owned() })
    }
}

#[derive(Debug)]
struct Filter {
    column: String,
    sign: &'static str,
    value: String,
}

impl Filter {
    /// Whether it holds of a row; never of one without the value.
    fn holds(&self, row: &Map<String, Value>) -> bool {
        let Some(found) = row.get(&self.column) else { return false };
        let order = match (found.as_f64(), self.value.parse::<f64>().ok()) {
            (Some(found), Some(wanted)) => found.partial_cmp(&wanted),
            _ => Some(exact(Some(found)).to_lowercase().cmp(&self.value.to_lowercase())),
        };
        match self.sign {
            "<" => order == Some(Ordering::Less),
            ">" => order == Some(Ordering::Greater),
            "<=" => matches!(order, Some(Ordering::Less | Ordering::Equal)),
            ">=" => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
            "!=" => order != Some(Ordering::Equal),
            _ => order == Some(Ordering::Equal),
        }
    }
}

/// Numbers by size, before texts; what isn't there comes last, either way round.
fn in_order(one: Option<&Value>, other: Option<&Value>, reverse: bool) -> Ordering {
    let turned = |order: Ordering| if reverse { order.reverse() } else { order };
    let (one, other) = match (one, other) {
        (None, None) => return Ordering::Equal,
        (None, Some(_)) => return Ordering::Greater,
        (Some(_), None) => return Ordering::Less,
        (Some(one), Some(other)) => (one, other),
    };
    match (one.as_f64(), other.as_f64()) {
        (Some(one), Some(other)) => turned(one.total_cmp(&other)),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => turned(exact(Some(one)).cmp(&exact(Some(other)))),
    }
}
