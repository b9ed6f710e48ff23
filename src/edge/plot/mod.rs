//! Pictures of a run without a browser: SVG, written by hand, and PNG, for which `tiny-skia` draws.
//!
//! A view is made of few marks (lines, dots, bars, texts); each format draws these. One font, one accent: what is best, or matters,
//! has the accent, all else is grey. Of more than 5,000 trials the best 2,000 are drawn and 3,000 of the others, and the picture
//! says so.

mod chart;
mod curves;
mod glyphs;
mod history;
mod importance;
mod parallel;
mod parameter;
mod picture;
mod png;
mod rungs;
mod scale;
mod slice;
mod source;
mod svg;

use std::fmt;
use std::str::FromStr;

pub(crate) use chart::empty;
pub use picture::{Picture, PictureError};
pub(crate) use source::Source;

/// What a picture shows of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum View {
    /// The value of each trial in their order, and the best so far.
    History,
    /// The metric by iteration, a line for each trial: the reports that are kept.
    Curves,
    /// Parallel coordinates: a line for each trial through its configuration and its value.
    Parallel,
    /// How much each value of the configurations mattered: see [`Results::importance`](crate::Results::importance).
    Importance,
    /// Which trials were stopped, or wait, at which iteration with which value.
    Rungs,
    /// The value of each trial over each value of its configuration.
    Slice,
}

impl View {
    /// All there are.
    pub const ALL: [View; 6] =
        [View::History, View::Curves, View::Parallel, View::Importance, View::Rungs, View::Slice];

    /// Its name, as in `history`.
    pub const fn name(self) -> &'static str {
        match self {
            View::History => "history",
            View::Curves => "curves",
            View::Parallel => "parallel",
            View::Importance => "importance",
            View::Rungs => "rungs",
            View::Slice => "slice",
        }
    }
}

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A name that no view has.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no view `{0}`: there are history, curves, parallel, importance, rungs and slice")]
pub struct UnknownView(String);

crate::logic::failure::debug_as_chain!(UnknownView);

impl FromStr for View {
    type Err = UnknownView;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        View::ALL.into_iter().find(|view| view.name() == name).ok_or_else(|| UnknownView(name.to_owned()))
    }
}

/// Draws a view; what can't be drawn is said in words.
pub(crate) fn draw(view: View, source: &Source<'_>) -> Picture {
    let drawn = match view {
        View::History => history::draw(source),
        View::Curves => curves::draw(source),
        View::Parallel => parallel::draw(source),
        View::Importance => importance::draw(source),
        View::Rungs => rungs::draw(source),
        View::Slice => slice::draw(source),
    };
    drawn.unwrap_or_else(|words| empty(&source.title(source.metric()), &words))
}
