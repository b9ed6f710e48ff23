//! How much each value of the configurations mattered.

use super::chart::{self, MARGIN, SMALL, WIDTH};
use super::glyphs::{fitting, width};
use super::picture::{ACCENT, Anchor, MUTED, Picture, RULE, TEXT};
use super::source::Source;
use crate::logic::metrics::importance::{Importance, Importances};

const ROW: f32 = 30.0;
const FIRST: f32 = 96.0;
const MOST_ROWS: usize = 20;

pub(super) fn draw(source: &Source<'_>) -> Result<Picture, String> {
    let found = (source.importance)().map_err(|why| why.to_string())?;
    let rows = found.values.get(..found.values.len().min(MOST_ROWS)).unwrap_or_default();
    let more = found.values.get(rows.len()..).unwrap_or_default();
    let height = FIRST + ROW * rows.len() as f32 + if more.is_empty() { 24.0 } else { 48.0 };
    let title = source.title(&format!("what mattered for {}", source.metric()));
    let mut picture = chart::titled(height, &title, &below(&found));

    let left = rows.iter().map(|row| width(&row.name, 13.0)).fold(60.0, f32::max).min(280.0);
    let (bars, end) = (MARGIN + left + 14.0, WIDTH - MARGIN - 60.0);
    let most = rows.first().map_or(1.0, |row| row.share).max(f64::MIN_POSITIVE);
    for (index, row) in rows.iter().enumerate() {
        let y = FIRST + ROW * index as f32;
        picture.text((MARGIN + left, y + 16.0), fitting(&row.name, 13.0, left), 13.0, Anchor::End, TEXT);
        picture.bar((bars, y + 3.0), (end - bars, 18.0), RULE.faint(0.5));
        picture.bar((bars, y + 3.0), (((end - bars) * (row.share / most) as f32).max(1.0), 18.0), ACCENT);
        picture.text((WIDTH - MARGIN, y + 16.0), percent(row.share), 13.0, Anchor::End, TEXT);
    }
    if !more.is_empty() {
        let rest: f64 = more.iter().map(|row: &Importance| row.share).sum();
        let words = format!("and {} more with {} together", more.len(), percent(rest));
        picture.text((bars, FIRST + ROW * rows.len() as f32 + 16.0), words, SMALL, Anchor::Start, MUTED);
    }
    Ok(picture)
}

fn below(found: &Importances) -> String {
    let compared = match found.iteration {
        Some(iteration) => format!("{} trials compared at iteration {iteration}", found.trials),
        None => format!("{} trials compared by their last reports", found.trials),
    };
    let hint = if found.best < 5 { "; so few are no more than a hint" } else { "" };
    format!("PED-ANOVA: how the best {} differ from all of {compared}{hint}", found.best)
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}
