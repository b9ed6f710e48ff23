//! What all views have in common: the title line, the legend, the axes, and words where there is nothing to draw.

use super::glyphs::{fitting, width};
use super::picture::{ACCENT, AXIS, Anchor, Ink, MUTED, PAPER, Picture, Point, RULE, Shape, TEXT};
use super::scale::Scale;

pub(super) const WIDTH: f32 = 960.0;
pub(super) const MARGIN: f32 = 24.0;
pub(super) const SMALL: f32 = 12.0;
/// Where the axis on the left stands, and what is drawn ends on the right.
pub(super) const LEFT: f32 = 84.0;
pub(super) const RIGHT: f32 = WIDTH - MARGIN;
/// Below the titles and the name of the axis.
pub(super) const TOP: f32 = 104.0;

/// What a sign of the legend looks like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Sign {
    Dot(Ink),
    Circle(Ink),
    Line(Ink),
}

/// A picture with its title lines.
pub(super) fn titled(height: f32, title: &str, below: &str) -> Picture {
    let mut picture = Picture::new(WIDTH, height, title);
    let room = WIDTH - 2.0 * MARGIN;
    picture.text((MARGIN, 34.0), fitting(title, 18.0, room), 18.0, Anchor::Start, TEXT);
    picture.text((MARGIN, 56.0), fitting(below, 13.0, room), 13.0, Anchor::Start, MUTED);
    picture
}

/// Words in the place of what can't be drawn, a line for each of them.
pub(crate) fn empty(title: &str, words: &str) -> Picture {
    let mut picture = titled(280.0, title, "");
    let lines = wrapped(words, 15.0, 640.0);
    let first = 160.0 - 11.0 * lines.len() as f32;
    for (index, line) in lines.iter().enumerate() {
        picture.text((WIDTH / 2.0, first + 22.0 * index as f32), line.clone(), 15.0, Anchor::Middle, MUTED);
    }
    picture
}

/// At most eight lines.
fn wrapped(words: &str, size: f32, most: f32) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    for word in words.split_whitespace() {
        let word = fitting(word, size, most);
        let longer = if line.is_empty() { word.clone() } else { format!("{line} {word}") };
        if width(&longer, size) <= most {
            line = longer;
        } else {
            lines.push(std::mem::replace(&mut line, word));
        }
    }
    lines.push(line);
    if lines.len() > 8 {
        lines.truncate(7);
        lines.push("…".to_owned());
    }
    lines
}

/// What the marks stand for, on the right above them.
pub(super) fn legend(picture: &mut Picture, signs: &[(Sign, &str)]) {
    legend_at(picture, TOP - 22.0, signs);
}

pub(super) fn legend_at(picture: &mut Picture, y: f32, signs: &[(Sign, &str)]) {
    let mut right = RIGHT;
    for (sign, text) in signs.iter().rev() {
        picture.text((right, y), *text, SMALL, Anchor::End, MUTED);
        let at = (right - width(text, SMALL) - 11.0, y - 4.0);
        let dot = |at: Point| vec![Shape { points: vec![at], words: String::new() }];
        match sign {
            Sign::Dot(ink) => picture.dots(dot(at), *ink, 4.0, false),
            Sign::Circle(ink) => picture.dots(dot(at), *ink, 3.5, true),
            Sign::Line(ink) => picture.line(&[(at.0 - 8.0, at.1), (at.0 + 6.0, at.1)], *ink, 2.0),
        }
        right = at.0 - 26.0;
    }
}

/// The axis on the left with its rules, and its name above it.
pub(super) fn left_axis(picture: &mut Picture, scale: &Scale, name: &str, right: f32) {
    picture.text((LEFT, TOP - 22.0), fitting(name, SMALL, 300.0), SMALL, Anchor::Start, TEXT);
    for (value, text) in scale.ticks(6) {
        let y = scale.at(value);
        picture.line(&[(LEFT, y), (right, y)], RULE, 1.0);
        picture.text((LEFT - 8.0, y + 4.0), text, SMALL, Anchor::End, MUTED);
    }
}

/// The axis at the bottom, and its name in its middle below.
pub(super) fn bottom_axis(
    picture: &mut Picture,
    scale: &Scale,
    (left, right, y): (f32, f32, f32),
    name: &str,
    count: usize,
) {
    picture.line(&[(left, y), (right, y)], AXIS, 1.0);
    for (value, text) in scale.ticks(count) {
        let x = scale.at(value);
        picture.line(&[(x, y), (x, y + 4.0)], AXIS, 1.0);
        picture.text((x, y + 18.0), text, SMALL, Anchor::Middle, MUTED);
    }
    let name = fitting(name, SMALL, right - left);
    picture.text(((left + right) / 2.0, y + 36.0), name, SMALL, Anchor::Middle, TEXT);
}

/// A line that is seen among others: paper lies around it.
pub(super) fn outstanding(picture: &mut Picture, points: Vec<Point>, words: String, width: f32) {
    picture.line(&points, PAPER.faint(0.8), width + 2.5);
    picture.lines(vec![Shape { points, words }], ACCENT, width);
}

/// How wide each of many lines is: hairlines where there are hundreds, which are also drawn in a tenth of the time.
pub(super) fn thin(lines: usize) -> f32 {
    if lines > 400 { 0.5 } else { 1.0 }
}

/// A dot that says which trial it is.
pub(super) fn dot(at: Point, words: String) -> Shape {
    Shape { points: vec![at], words }
}

/// The best of all, larger than the others; what it is called stands above it, or below where there is no room.
pub(super) fn best(picture: &mut Picture, at: Point, words: &str) {
    picture.dots(vec![dot(at, words.to_owned())], ACCENT, 5.5, false);
    let (x, anchor) = if at.0 > RIGHT - 60.0 { (at.0 + 6.0, Anchor::End) } else { (at.0 - 2.0, Anchor::Start) };
    let y = if at.1 > TOP + 20.0 { at.1 - 11.0 } else { at.1 + 21.0 };
    picture.tag((x, y), words, SMALL, anchor, ACCENT);
}
