//! Tables and numbers as people read them.

use std::io::{self, Write};
use std::time::Duration;

use serde_json::Value;
use tryout::edge::observe::words::duration;
pub(crate) use tryout::edge::observe::words::{clean, number};
use tryout::prelude::Config;

/// Columns under their names, as wide as they must be.
#[derive(Debug)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new<S: Into<String>>(names: impl IntoIterator<Item = S>) -> Self {
        Self { rows: vec![names.into_iter().map(Into::into).collect()] }
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().map(|cell| clean(&cell)).collect());
    }

    pub(crate) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width =
            |column: usize| self.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
        let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
        for row in &self.rows {
            let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
            writeln!(out, "{}", cells.join("  ").trim_end())?;
        }
        Ok(())
    }
}

/// `0.42s`, `12.3s`, `3m 2s`, `5h 12m`.
pub(crate) fn time(seconds: f64) -> String {
    duration(Duration::try_from_secs_f64(seconds).unwrap_or_default())
}

/// `512 B`, `1.5 MB`, `20 GB`.
pub(crate) fn bytes(count: u64) -> String {
    let units = ["B", "kB", "MB", "GB", "TB"];
    let (mut size, mut unit) = (count as f64, 0);
    while size >= 1000.0 && unit + 1 < units.len() {
        (size, unit) = (size / 1000.0, unit + 1);
    }
    let digits = usize::from(unit > 0 && size < 10.0);
    format!("{size:.digits$} {}", units.get(unit).unwrap_or(&""))
}

/// The values of a configuration, levels joined with `/`.
pub(crate) fn flattened(config: &Config) -> Vec<(String, String)> {
    tryout::space::leaves(config).into_iter().map(|(name, value)| (name, shown(Some(&value)))).collect()
}

/// A value as a person reads it.
pub(crate) fn shown(value: Option<&Value>) -> String {
    match value {
        Some(Value::Number(value)) if value.is_f64() => number(value.as_f64().unwrap_or(f64::NAN)),
        value => exact(value),
    }
}

/// A value as it is.
pub(crate) fn exact(value: Option<&Value>) -> String {
    match value {
        None => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}
