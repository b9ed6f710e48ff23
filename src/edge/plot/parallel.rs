//! Parallel coordinates: a line for each trial through its configuration and its value.

use super::chart::{self, LEFT, RIGHT, SMALL, Sign, TOP};
use super::glyphs::fitting;
use super::parameter::{Kind, Parameter, left_out, parameters};
use super::picture::{ACCENT, AXIS, Anchor, MUTED, OTHERS, Picture, Shape, TEXT};
use super::scale::Scale;
use super::source::Source;

const FLOOR: f32 = 488.0;
/// Where a line passes an axis on which its trial has no value.
const NOWHERE: f32 = 512.0;
const MOST_AXES: usize = 11;

struct Axis {
    x: f32,
    scale: Scale,
    ticks: Vec<(f64, String)>,
    name: String,
    values: Vec<Option<f64>>,
}

pub(super) fn draw(source: &Source<'_>) -> Result<Picture, String> {
    let shown = source.shown()?;
    let (parameters, all) = parameters(source, &shown, MOST_AXES);
    if parameters.is_empty() {
        return Err("the configurations of all trials are the same: there is nothing to compare".to_owned());
    }
    let below = source.below(&shown) + &left_out(parameters.len(), all);
    let scale = source.scale(shown.trials.iter().map(|valued| valued.value));
    let values = shown.trials.iter().map(|valued| Some(valued.value)).collect();
    let value = Parameter { name: source.metric().to_owned(), kind: Kind::Number(scale), values };
    let axes = stand(parameters.into_iter().chain([value]).collect());

    let title = source.title(&format!("{} by configuration", source.metric()));
    let mut picture = chart::titled(540.0, &title, &below);
    let (mut others, mut tenth, mut best) = (Vec::new(), Vec::new(), Vec::new());
    let mut somebody_lacks = false;
    for (row, valued) in shown.trials.iter().enumerate() {
        let points = axes.iter().map(|axis| {
            let value = axis.values.get(row).copied().flatten();
            somebody_lacks |= value.is_none();
            (axis.x, value.map_or(NOWHERE, |value| axis.scale.at(value)))
        });
        let line = Shape { points: points.collect(), words: valued.words(source.metric()) };
        match valued {
            _ if valued.trial.id == shown.best.trial.id => best.push(line),
            _ if source.is_within(valued.value, shown.tenth) => tenth.push(line),
            _ => others.push(line),
        }
    }
    let alpha = (20.0 / (others.len() as f32).powf(0.75)).clamp(0.05, 0.5);
    let width = chart::thin(others.len());
    picture.lines(others, OTHERS.faint(alpha), width);
    let alpha = (8.0 / (tenth.len() as f32).powf(0.75)).clamp(0.04, 0.6);
    let width = chart::thin(tenth.len());
    picture.lines(tenth, ACCENT.faint(alpha), width);
    best.into_iter().for_each(|line| chart::outstanding(&mut picture, line.points, line.words, 2.5));
    axes.iter().enumerate().for_each(|(index, axis)| axis.draw(&mut picture, index + 1 == axes.len(), axes.len()));
    if somebody_lacks {
        picture.text((LEFT - 8.0, NOWHERE + 4.0), "not set", SMALL, Anchor::End, MUTED);
    }
    let signs = [
        (Sign::Line(ACCENT), "the best"),
        (Sign::Line(ACCENT.faint(0.45)), "the best tenth"),
        (Sign::Line(OTHERS), "the others"),
    ];
    chart::legend_at(&mut picture, 56.0, &signs);
    Ok(picture)
}

/// The axes in their places.
fn stand(parameters: Vec<Parameter>) -> Vec<Axis> {
    let last = parameters.len().saturating_sub(1).max(1) as f32;
    let ticks =
        |parameter: &Parameter| parameter.kind.ticks(if matches!(parameter.kind, Kind::Options(_)) { 16 } else { 6 });
    let each = parameters.into_iter().enumerate().map(|(index, parameter)| Axis {
        x: LEFT + (RIGHT - 24.0 - LEFT) * index as f32 / last,
        scale: parameter.kind.between(FLOOR, TOP),
        ticks: ticks(&parameter),
        name: parameter.name,
        values: parameter.values,
    });
    each.collect()
}

impl Axis {
    /// Its names stand to its left.
    fn draw(&self, picture: &mut Picture, last: bool, axes: usize) {
        picture.line(&[(self.x, TOP), (self.x, FLOOR)], AXIS, 1.0);
        let room = ((RIGHT - LEFT) / (axes.max(2) - 1) as f32 - 16.0).min(180.0);
        for (value, text) in &self.ticks {
            let y = self.scale.at(*value);
            picture.line(&[(self.x - 4.0, y), (self.x, y)], AXIS, 1.0);
            picture.tag((self.x - 7.0, y + 4.0), &fitting(text, 11.0, room.min(LEFT - 14.0)), 11.0, Anchor::End, MUTED);
        }
        let (ink, room) = (if last { ACCENT } else { TEXT }, room.min(self.x));
        picture.text((self.x + 4.0, TOP - 14.0), fitting(&self.name, SMALL, room), SMALL, Anchor::End, ink);
    }
}
