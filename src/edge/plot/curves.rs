//! The metric by iteration, a line for each trial.

use super::chart::{self, LEFT, RIGHT, Sign, TOP, dot};
use super::picture::{ACCENT, OTHERS, Picture, Point, Shape};
use super::scale::Scale;
use super::source::{Source, Valued};

const BOTTOM: f32 = 480.0;
/// So many points all lines have together, about.
const MOST_POINTS: usize = 60_000;
/// And so many each has at least, if it has them.
const FEWEST_POINTS: usize = 12;

pub(super) fn draw(source: &Source<'_>) -> Result<Picture, String> {
    let shown = source.shown()?;
    let most = (MOST_POINTS / shown.trials.len()).max(FEWEST_POINTS);
    let curves: Vec<(Valued<'_>, Vec<(u64, f64)>)> =
        shown.trials.iter().map(|valued| (*valued, curve(source, valued, most))).collect();
    let points = || curves.iter().flat_map(|(_, points)| points);
    let (first, last) =
        points().fold((u64::MAX, 0), |(low, high), (iteration, _)| (low.min(*iteration), high.max(*iteration)));
    let x = Scale::new(first as f64, last as f64, false).whole(true).padded(0.01).between(LEFT, RIGHT);
    let y = source.scale(points().map(|(_, value)| *value)).between(BOTTOM, TOP);

    let title = source.title(&format!("{} by iteration", source.metric()));
    let mut picture = chart::titled(540.0, &title, &source.below(&shown));
    chart::left_axis(&mut picture, &y, source.metric(), RIGHT);
    chart::bottom_axis(&mut picture, &x, (LEFT, RIGHT, BOTTOM), "iteration", 8);
    let place = |(iteration, value): &(u64, f64)| (x.at(*iteration as f64), y.at(*value));
    let alpha = (12.0 / (curves.len() as f32).sqrt()).clamp(0.18, 0.7);
    let (mut lines, mut dots) = (Vec::new(), Vec::new());
    let mut of_best: Vec<Point> = Vec::new();
    for (valued, points) in &curves {
        let drawn: Vec<Point> = points.iter().map(place).collect();
        match drawn.as_slice() {
            _ if valued.trial.id == shown.best.trial.id => of_best = drawn,
            [only] => dots.push(dot(*only, valued.words(source.metric()))),
            _ => lines.push(Shape { points: drawn, words: valued.words(source.metric()) }),
        }
    }
    let width = chart::thin(lines.len());
    picture.lines(lines, OTHERS.faint(alpha), width);
    picture.dots(dots, OTHERS.faint(0.75), 2.5, false);
    let end = of_best.last().copied();
    chart::outstanding(&mut picture, of_best, shown.best.words(source.metric()), 2.5);
    if let Some(end) = end {
        chart::best(&mut picture, end, &format!("trial {}", shown.best.trial.id.number()));
    }
    chart::legend(&mut picture, &[(Sign::Line(ACCENT), "the best trial"), (Sign::Line(OTHERS), "the others")]);
    Ok(picture)
}

/// The iterations and values of a trial, at most `most` of them, the last included.
fn curve(source: &Source<'_>, valued: &Valued<'_>, most: usize) -> Vec<(u64, f64)> {
    let value = |report: &crate::logic::metrics::Report| {
        let value = report.number(source.metric()).filter(|value| value.is_finite())?;
        Some((report.iteration(), value))
    };
    let all: Vec<(u64, f64)> = valued.trial.reports().filter_map(value).collect();
    let every = all.len().div_ceil(most).max(1);
    // Counted from the end, so that the last one is there.
    let mut kept: Vec<(u64, f64)> = all.into_iter().rev().step_by(every).collect();
    kept.reverse();
    kept
}
