//! A picture as a list of marks, which can be written as SVG and as PNG.

use std::fmt;
use std::path::Path;

use super::glyphs;
use super::{png, svg};

/// A colour, and how much of it covers what lies below.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Ink {
    pub(super) rgb: u32,
    pub(super) alpha: f32,
}

impl Ink {
    pub(super) const fn new(rgb: u32) -> Self {
        Self { rgb, alpha: 1.0 }
    }

    pub(super) const fn faint(self, alpha: f32) -> Self {
        Self { alpha, ..self }
    }
}

pub(super) const PAPER: Ink = Ink::new(0xff_ffff);
pub(super) const TEXT: Ink = Ink::new(0x1f_2933);
pub(super) const MUTED: Ink = Ink::new(0x6b_7785);
pub(super) const RULE: Ink = Ink::new(0xe4_e7eb);
pub(super) const AXIS: Ink = Ink::new(0x9a_a5b1);
pub(super) const OTHERS: Ink = Ink::new(0x8a_97a5);
pub(super) const ACCENT: Ink = Ink::new(0x1d_5fd0);

/// A place in the picture, in pixels from its upper left corner.
pub(super) type Point = (f32, f32);

/// On which side of its place a text lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// A line, or a dot of a group; with words for whoever points at it.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    pub(super) points: Vec<Point>,
    pub(super) words: String,
}

#[derive(Clone, Debug)]
pub(super) enum Mark {
    Lines { lines: Vec<Shape>, ink: Ink, width: f32 },
    Dots { dots: Vec<Shape>, ink: Ink, radius: f32, hollow: bool },
    Bar { at: Point, size: Point, ink: Ink },
    Text { at: Point, text: String, size: f32, anchor: Anchor, ink: Ink },
}

/// A picture of a run: [`Results::plot`](crate::Results::plot) draws it.
///
/// As text it is an SVG document of its own: no script, no font and no file from elsewhere; what it shows of names and values is
/// escaped. A dot says in its `<title>` which trial it is.
#[derive(Clone)]
pub struct Picture {
    pub(super) width: f32,
    pub(super) height: f32,
    /// What it shows, in words.
    pub(super) title: String,
    pub(super) marks: Vec<Mark>,
}

/// A picture that can't be written.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum PictureError {
    /// The name doesn't say in which format.
    #[error("`{path}` isn't a picture's name: it must end in `.svg` or `.png`")]
    Format {
        /// The name.
        path: String,
    },
    /// It is larger than a PNG is drawn.
    #[error("a PNG of {width} x {height} pixels can't be drawn: a picture has at most 16384 on each side")]
    Size {
        /// Its width in pixels.
        width: u32,
        /// Its height in pixels.
        height: u32,
    },
    /// The PNG can't be made.
    #[error("the picture can't be made a PNG: {why}")]
    Png {
        /// Why.
        why: String,
    },
    /// The file can't be written.
    #[error("`{path}` can't be written: {source}")]
    File {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
}

crate::logic::failure::debug_as_chain!(PictureError);

impl Picture {
    pub(super) fn new(width: f32, height: f32, title: impl Into<String>) -> Self {
        Self { width, height, title: title.into(), marks: Vec::new() }
    }

    /// What it shows: the run, the metric, and how many trials.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// The picture as an SVG document.
    pub fn to_svg(&self) -> String {
        svg::write(self)
    }

    /// The picture as a PNG file with `scale` pixels for each unit of the SVG, as in 2.0 for a screen of today.
    ///
    /// Letters that aren't Latin, Greek or Cyrillic are drawn as a box: the font is part of the program.
    ///
    /// # Errors
    /// If it would have more than 16,384 pixels on a side, or none.
    pub fn to_png(&self, scale: f32) -> Result<Vec<u8>, PictureError> {
        png::write(self, scale)
    }

    /// Writes it into a file whose name ends in `.svg` or `.png`; the latter with two pixels for each unit. A file that is there
    /// is replaced.
    ///
    /// # Errors
    /// If the name ends otherwise, or the file can't be written.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<(), PictureError> {
        let path = path.as_ref();
        let named = || path.display().to_string();
        let end = path.extension().and_then(|end| end.to_str()).map(str::to_ascii_lowercase);
        let bytes = match end.as_deref() {
            Some("svg") => self.to_svg().into_bytes(),
            Some("png") => self.to_png(2.0)?,
            _ => return Err(PictureError::Format { path: named() }),
        };
        std::fs::write(path, bytes).map_err(|source| PictureError::File { path: named(), source })
    }

    pub(super) fn line(&mut self, points: &[Point], ink: Ink, width: f32) {
        let line = Shape { points: points.to_vec(), words: String::new() };
        self.marks.push(Mark::Lines { lines: vec![line], ink, width });
    }

    pub(super) fn lines(&mut self, lines: Vec<Shape>, ink: Ink, width: f32) {
        if !lines.is_empty() {
            self.marks.push(Mark::Lines { lines, ink, width });
        }
    }

    pub(super) fn dots(&mut self, dots: Vec<Shape>, ink: Ink, radius: f32, hollow: bool) {
        if !dots.is_empty() {
            self.marks.push(Mark::Dots { dots, ink, radius, hollow });
        }
    }

    pub(super) fn bar(&mut self, at: Point, size: Point, ink: Ink) {
        self.marks.push(Mark::Bar { at, size, ink });
    }

    pub(super) fn text(&mut self, at: Point, text: impl Into<String>, size: f32, anchor: Anchor, ink: Ink) {
        self.marks.push(Mark::Text { at, text: text.into(), size, anchor, ink });
    }

    /// A text with paper behind it, so that it can be read where lines pass.
    pub(super) fn tag(&mut self, at: Point, text: &str, size: f32, anchor: Anchor, ink: Ink) {
        let width = glyphs::width(text, size);
        let left = match anchor {
            Anchor::Start => at.0,
            Anchor::Middle => at.0 - width / 2.0,
            Anchor::End => at.0 - width,
        };
        self.bar((left - 2.0, at.1 - size * 0.85), (width + 4.0, size * 1.1), PAPER.faint(0.8));
        self.text(at, text, size, anchor, ink);
    }
}

/// The SVG document.
impl fmt::Display for Picture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_svg())
    }
}

impl fmt::Debug for Picture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { width, height, title, marks } = self;
        write!(f, "Picture({width} x {height}, {} marks: {title})", marks.len())
    }
}
