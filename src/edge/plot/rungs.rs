//! Which trials the scheduler stopped, or lets wait, at which iteration with which value.

use super::chart::{self, LEFT, RIGHT, SMALL, Sign, TOP, dot};
use super::picture::{ACCENT, AXIS, Anchor, MUTED, OTHERS, Picture, RULE, TEXT};
use super::scale::{Scale, thousands};
use super::source::{Shown, Source};
use crate::logic::engine::TrialRecord;
use crate::logic::rungs::{self, Fate, fate, halted, value_at};
use crate::logic::trial::Status;

const HEADS: f32 = TOP + 16.0;
const CEILING: f32 = TOP + 32.0;
const BOTTOM: f32 = 492.0;
const MOST_RUNGS: usize = 10;

pub(super) fn draw(source: &Source<'_>) -> Result<Picture, String> {
    let shown = source.shown()?;
    let furthest = source.furthest();
    let (rungs, all) = rungs::rungs(source.trials.iter(), furthest, MOST_RUNGS);
    if rungs.is_empty() {
        return Err("the scheduler has stopped no trial early, and none waits: there are no rungs to show".to_owned());
    }

    let columns: Vec<Column> = columns(&rungs);
    let values = shown
        .trials
        .iter()
        .flat_map(|valued| columns.iter().filter_map(|column| column.meets(source, valued.trial, furthest)));
    let y = source.scale(values.map(|(_, value)| value)).between(BOTTOM, CEILING);
    let fewer = if rungs.len() < all {
        format!("; the {} of {all} iterations with most stops", rungs.len())
    } else {
        String::new()
    };
    let title = source.title(&format!("{} at each rung", source.metric()));
    let mut picture = chart::titled(556.0, &title, &(source.below(&shown) + &fewer));
    chart::left_axis(&mut picture, &y, source.metric(), RIGHT);
    picture.line(&[(LEFT, BOTTOM), (RIGHT, BOTTOM)], AXIS, 1.0);
    for column in &columns {
        column.draw(&mut picture, source, &shown, &y, furthest);
    }
    picture.text(((LEFT + RIGHT) / 2.0, BOTTOM + 42.0), "iteration", SMALL, Anchor::Middle, TEXT);
    path_of_best(&mut picture, source, &shown, &columns, &y, furthest);
    legend(&mut picture, source, furthest);
    Ok(picture)
}

/// A rung, or the end.
struct Column {
    /// None is the end.
    iteration: Option<u64>,
    left: f32,
    wide: f32,
}

fn columns(rungs: &[u64]) -> Vec<Column> {
    let wide = (RIGHT - LEFT) / (rungs.len() + 1) as f32;
    let each = rungs.iter().copied().map(Some).chain([None]).enumerate();
    each.map(|(index, iteration)| Column { iteration, left: LEFT + wide * index as f32, wide }).collect()
}

impl Column {
    /// What became of a trial here, and with which value.
    fn meets(&self, source: &Source<'_>, trial: &TrialRecord, furthest: u64) -> Option<(Fate, f64)> {
        let Some(iteration) = self.iteration else {
            let value = trial.last.as_ref()?.number(source.metric()).filter(|value| value.is_finite())?;
            let ended = trial.status == Status::Terminated && halted(trial, furthest).is_none();
            return ended.then_some((Fate::WentOn, value));
        };
        Some((fate(trial, iteration, furthest)?, value_at(trial, iteration, source.metric())?))
    }

    /// Those that stopped lie on the left, those that went on on the right.
    fn x(&self, fate: Fate, trial: &TrialRecord) -> f32 {
        let spread = (f64::from(trial.id.number()) * 0.618_033_988_75).fract() as f32;
        match (self.iteration, fate) {
            (None, _) => self.left + self.wide * (0.3 + 0.4 * spread),
            (Some(_), Fate::WentOn) => self.left + self.wide * (0.54 + 0.34 * spread),
            (Some(_), _) => self.left + self.wide * (0.12 + 0.34 * spread),
        }
    }

    fn draw(&self, picture: &mut Picture, source: &Source<'_>, shown: &Shown<'_>, y: &Scale, furthest: u64) {
        let middle = self.left + self.wide / 2.0;
        let count = |wanted: &dyn Fn(Fate) -> bool| {
            let fates = source.trials.iter().filter_map(|trial| self.meets(source, trial, furthest));
            thousands(&fates.filter(|(fate, _)| wanted(*fate)).count().to_string())
        };
        let on = count(&|fate| fate == Fate::WentOn);
        let (head, name) = match self.iteration {
            Some(iteration) => (format!("{on} of {}", count(&|_| true)), thousands(&iteration.to_string())),
            None => (on, "the end".to_owned()),
        };
        let head = if self.iteration.is_some() && self.wide > 120.0 { head + " went on" } else { head };
        if self.left > LEFT {
            picture.line(&[(self.left, TOP), (self.left, BOTTOM)], RULE, 1.0);
        }
        picture.tag((middle, HEADS), &head, SMALL, Anchor::Middle, TEXT);
        picture.text((middle, BOTTOM + 20.0), name, SMALL, Anchor::Middle, MUTED);
        let (mut stopped, mut waiting, mut on) = (Vec::new(), Vec::new(), Vec::new());
        for valued in &shown.trials {
            let Some((fate, value)) = self.meets(source, valued.trial, furthest) else { continue };
            let words = super::source::Valued { value, ..*valued }.words(source.metric());
            let dot = dot((self.x(fate, valued.trial), y.at(value)), words);
            match fate {
                Fate::Stopped => stopped.push(dot),
                Fate::Waits => waiting.push(dot),
                Fate::WentOn => on.push(dot),
            }
        }
        picture.dots(stopped, OTHERS.faint(0.8), 2.5, true);
        picture.dots(waiting, OTHERS.faint(0.8), 2.8, false);
        let alpha = (14.0 / (on.len() as f32).sqrt()).clamp(0.15, 0.55);
        picture.dots(on, ACCENT.faint(alpha), 2.8, false);
    }
}

/// A line through the places of the best trial.
fn path_of_best(
    picture: &mut Picture,
    source: &Source<'_>,
    shown: &Shown<'_>,
    columns: &[Column],
    y: &Scale,
    furthest: u64,
) {
    let trial = shown.best.trial;
    let met = columns.iter().filter_map(|column| {
        let (fate, value) = column.meets(source, trial, furthest)?;
        Some((column.x(fate, trial), y.at(value)))
    });
    let points: Vec<_> = met.collect();
    let Some(end) = points.last().copied() else { return };
    chart::outstanding(picture, points, shown.best.words(source.metric()), 1.5);
    chart::best(picture, end, &format!("trial {}", trial.id.number()));
}

fn legend(picture: &mut Picture, source: &Source<'_>, furthest: u64) {
    let some_wait =
        source.trials.iter().any(|trial| trial.status == Status::Paused && halted(trial, furthest).is_some());
    let mut signs = vec![(Sign::Circle(OTHERS), "stopped here")];
    if some_wait {
        signs.push((Sign::Dot(OTHERS), "waits here"));
    }
    signs.push((Sign::Dot(ACCENT), "went on"));
    chart::legend(picture, &signs);
}
