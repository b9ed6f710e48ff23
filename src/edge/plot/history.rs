//! The value of each trial in their order, and the best so far.

use super::chart::{self, LEFT, RIGHT, Sign, TOP, dot};
use super::picture::{ACCENT, OTHERS, Picture, Point, Shape};
use super::scale::Scale;
use super::source::{Shown, Source, is_cut};

const BOTTOM: f32 = 480.0;
/// So many steps of the best so far are drawn.
const MOST_STEPS: usize = 2_000;

pub(super) fn draw(source: &Source<'_>) -> Result<Picture, String> {
    let shown = source.shown()?;
    let last = source.trials.len().saturating_sub(1) as f64;
    let x = Scale::new(0.0, last, false).padded(0.015).whole(true).between(LEFT, RIGHT);
    let y = source.scale(shown.trials.iter().map(|valued| valued.value)).between(BOTTOM, TOP);
    let mut picture =
        chart::titled(540.0, &source.title(&format!("{} by trial", source.metric())), &source.below(&shown));
    chart::left_axis(&mut picture, &y, source.metric(), RIGHT);
    chart::bottom_axis(&mut picture, &x, (LEFT, RIGHT, BOTTOM), "trial", 8);

    let furthest = source.furthest();
    let place = |number: u32, value: f64| (x.at(f64::from(number)), y.at(value));
    let (cut, whole): (Vec<_>, Vec<_>) = shown.trials.iter().partition(|valued| is_cut(valued.trial, furthest));
    let dots = |all: &[&super::source::Valued<'_>]| -> Vec<Shape> {
        let each =
            all.iter().map(|valued| dot(place(valued.trial.id.number(), valued.value), valued.words(source.metric())));
        each.collect()
    };
    picture.dots(dots(&cut), OTHERS.faint(0.7), 2.5, true);
    picture.dots(dots(&whole), OTHERS.faint(0.75), 3.0, false);
    let (line, end) = so_far(source, &shown, place);
    let line = line.into_iter().chain([(RIGHT, end)]).collect();
    picture.lines(vec![Shape { points: line, words: "best so far".to_owned() }], ACCENT, 2.0);
    let best = shown.best;
    chart::best(&mut picture, place(best.trial.id.number(), best.value), &format!("trial {}", best.trial.id.number()));
    let mut signs = vec![(Sign::Line(ACCENT), "best so far"), (Sign::Dot(OTHERS), "a trial")];
    if !cut.is_empty() {
        signs.push((Sign::Circle(OTHERS), "stopped early"));
    }
    chart::legend(&mut picture, &signs);
    Ok(picture)
}

/// The best so far as steps, and where they end.
fn so_far(source: &Source<'_>, shown: &Shown<'_>, place: impl Fn(u32, f64) -> Point) -> (Vec<Point>, f32) {
    let mut steps: Vec<(u32, f64)> = Vec::new();
    for (number, value) in &shown.all {
        if steps.last().is_none_or(|(_, best)| !source.is_within(*best, *value)) {
            steps.push((*number, *value));
        }
    }
    let every = steps.len().div_ceil(MOST_STEPS).max(1);
    let drawn = steps.iter().step_by(every).chain(steps.last().filter(|_| every > 1));
    let mut line: Vec<Point> = Vec::new();
    for (number, value) in drawn {
        let (x, y) = place(*number, *value);
        line.extend(line.last().map(|(_, before)| (x, *before)));
        line.push((x, y));
    }
    let end = line.last().map_or(0.0, |(_, y)| *y);
    (line, end)
}
