//! The value of each trial over each value of its configuration.

use super::chart::{self, LEFT, MARGIN, SMALL, Sign, WIDTH, dot};
use super::glyphs::fitting;
use super::parameter::{Kind, Parameter, left_out, parameters};
use super::picture::{ACCENT, AXIS, Anchor, MUTED, OTHERS, Picture, RULE, TEXT};
use super::scale::Scale;
use super::source::{Shown, Source};

const MOST: usize = 12;
/// So many dots say which trial they are.
const MOST_WORDS: usize = 10_000;
const COLUMNS: usize = 4;
const FIRST: f32 = 112.0;
const TALL: f32 = 168.0;
const GAP: f32 = 20.0;
/// From one row to the next: names and numbers stand between.
const ROW: f32 = TALL + 64.0;

pub(super) fn draw(source: &Source<'_>) -> Result<Picture, String> {
    let shown = source.shown()?;
    let (parameters, all) = parameters(source, &shown, MOST);
    if parameters.is_empty() {
        return Err("the configurations of all trials are the same: there is nothing to compare".to_owned());
    }
    let below = source.below(&shown) + &left_out(parameters.len(), all);
    let columns = parameters.len().min(COLUMNS);
    let rows = parameters.len().div_ceil(columns);
    let title = source.title(&format!("{} by each value", source.metric()));
    let mut picture = chart::titled(FIRST + ROW * rows as f32, &title, &below);
    let wide = (WIDTH - MARGIN - LEFT - GAP * (columns - 1) as f32) / columns as f32;
    let y = source.scale(shown.trials.iter().map(|valued| valued.value));
    picture.text((LEFT, FIRST - 14.0), fitting(source.metric(), SMALL, 300.0), SMALL, Anchor::Start, TEXT);
    for (index, parameter) in parameters.iter().enumerate() {
        let (column, row) = (index % columns, index / columns);
        let left = LEFT + (wide + GAP) * column as f32;
        let top = FIRST + ROW * row as f32;
        let says = shown.trials.len() * parameters.len() <= MOST_WORDS;
        let panel = Panel { left, right: left + wide, bottom: top + TALL, y: y.between(top + TALL, top), says };
        panel.draw(&mut picture, parameter, column == 0);
        panel.dots(&mut picture, source, &shown, parameter);
    }
    let signs = [(Sign::Dot(ACCENT), "the best tenth"), (Sign::Dot(OTHERS), "the others")];
    chart::legend_at(&mut picture, FIRST - 14.0, &signs);
    Ok(picture)
}

struct Panel {
    left: f32,
    right: f32,
    bottom: f32,
    y: Scale,
    /// Whether each dot says which trial it is.
    says: bool,
}

impl Panel {
    /// The axes, and the name of the value below.
    fn draw(&self, picture: &mut Picture, parameter: &Parameter, first: bool) {
        for (value, text) in self.y.ticks(4) {
            let y = self.y.at(value);
            picture.line(&[(self.left, y), (self.right, y)], RULE, 1.0);
            if first {
                picture.text((self.left - 8.0, y + 4.0), text, SMALL, Anchor::End, MUTED);
            }
        }
        picture.line(&[(self.left, self.bottom), (self.right, self.bottom)], AXIS, 1.0);
        let x = self.x(parameter);
        let wide = self.right - self.left;
        let ticks = parameter.kind.ticks(match parameter.kind {
            Kind::Options(_) => 6,
            Kind::Number(_) => (wide / 56.0) as usize,
        });
        let room = (wide / ticks.len().max(1) as f32 - 4.0).max(24.0);
        for (value, text) in &ticks {
            picture.line(&[(x.at(*value), self.bottom), (x.at(*value), self.bottom + 4.0)], AXIS, 1.0);
            let at = (x.at(*value), self.bottom + 18.0);
            picture.text(at, fitting(text, 11.0, room), 11.0, Anchor::Middle, MUTED);
        }
        let name = fitting(&parameter.name, SMALL, wide);
        picture.text(((self.left + self.right) / 2.0, self.bottom + 36.0), name, SMALL, Anchor::Middle, TEXT);
    }

    fn x(&self, parameter: &Parameter) -> Scale {
        parameter.kind.between(self.left + 6.0, self.right - 6.0)
    }

    fn dots(&self, picture: &mut Picture, source: &Source<'_>, shown: &Shown<'_>, parameter: &Parameter) {
        let x = self.x(parameter);
        let wide = match &parameter.kind {
            Kind::Options(options) => (self.right - self.left) / options.len().max(1) as f32 * 0.5,
            Kind::Number(_) => 0.0,
        };
        let (mut best, mut others) = (Vec::new(), Vec::new());
        for (valued, value) in shown.trials.iter().zip(&parameter.values) {
            let Some(value) = value else { continue };
            // Options are spread a little, each trial to its own place.
            let spread = (f64::from(valued.trial.id.number()) * 0.618_033_988_75).fract() as f32 - 0.5;
            let words = if self.says { valued.words(source.metric()) } else { String::new() };
            let dot = dot((x.at(*value) + spread * wide, self.y.at(valued.value)), words);
            let group = if source.is_within(valued.value, shown.tenth) { &mut best } else { &mut others };
            group.push(dot);
        }
        let alpha = (8.0 / (others.len() as f32).sqrt()).clamp(0.2, 0.7);
        picture.dots(others, OTHERS.faint(alpha), 2.2, false);
        picture.dots(best, ACCENT.faint(0.8), 2.6, false);
    }
}
