//! A picture as a PNG file.

use tiny_skia::{Color, FillRule, Paint, Path, PathBuilder, Pixmap, Rect, Stroke, Transform};

use super::glyphs::{self, EM};
use super::picture::{Anchor, Ink, Mark, PAPER, Picture, PictureError, Point};

/// So many pixels a side may have.
const MOST: f32 = 16_384.0;

pub(super) fn write(picture: &Picture, scale: f32) -> Result<Vec<u8>, PictureError> {
    let (width, height) = ((picture.width * scale).round(), (picture.height * scale).round());
    let fits = |side: f32| (1.0..=MOST).contains(&side);
    // Nothing is allocated for what can't be.
    let pixmap = (fits(width) && fits(height)).then(|| Pixmap::new(width as u32, height as u32)).flatten();
    let Some(pixmap) = pixmap else {
        return Err(PictureError::Size { width: width as u32, height: height as u32 });
    };
    let mut canvas = Canvas { pixmap, scale: Transform::from_scale(scale, scale) };
    canvas.pixmap.fill(colour(PAPER));
    picture.marks.iter().for_each(|mark| canvas.draw(mark));
    canvas.pixmap.encode_png().map_err(|error| PictureError::Png { why: error.to_string() })
}

fn colour(ink: Ink) -> Color {
    let [_, red, green, blue] = ink.rgb.to_be_bytes();
    Color::from_rgba8(red, green, blue, (ink.alpha.clamp(0.0, 1.0) * 255.0).round() as u8)
}

struct Canvas {
    pixmap: Pixmap,
    scale: Transform,
}

impl Canvas {
    fn draw(&mut self, mark: &Mark) {
        match mark {
            Mark::Lines { lines, ink, width } => {
                lines
                    .iter()
                    .filter_map(|line| polyline(&line.points))
                    .for_each(|path| self.stroke(&path, *ink, *width));
            }
            Mark::Dots { dots, ink, radius, hollow } => {
                for point in dots.iter().flat_map(|dot| &dot.points) {
                    let Some(circle) = PathBuilder::from_circle(point.0, point.1, *radius) else { continue };
                    self.fill(&circle, if *hollow { PAPER } else { *ink }, self.scale);
                    if *hollow {
                        self.stroke(&circle, *ink, 1.0);
                    }
                }
            }
            Mark::Bar { at, size, ink } => {
                if let Some(rect) = Rect::from_xywh(at.0, at.1, size.0, size.1) {
                    self.fill(&PathBuilder::from_rect(rect), *ink, self.scale);
                }
            }
            Mark::Text { at, text, size, anchor, ink } => self.text(*at, text, *size, *anchor, *ink),
        }
    }

    fn fill(&mut self, path: &Path, ink: Ink, transform: Transform) {
        self.pixmap.fill_path(path, &paint(ink), FillRule::Winding, transform, None);
    }

    fn stroke(&mut self, path: &Path, ink: Ink, width: f32) {
        let stroke = Stroke { width, ..Stroke::default() };
        self.pixmap.stroke_path(path, &paint(ink), &stroke, self.scale, None);
    }

    fn text(&mut self, at: Point, text: &str, size: f32, anchor: Anchor, ink: Ink) {
        let width = glyphs::width(text, size);
        let mut x = match anchor {
            Anchor::Start => at.0,
            Anchor::Middle => at.0 - width / 2.0,
            Anchor::End => at.0 - width,
        };
        for letter in text.chars() {
            let glyph = glyphs::glyph(letter);
            if let Some(path) = outline(glyph.outline) {
                let unit = size / EM;
                self.fill(&path, ink, self.scale.pre_translate(x, at.1).pre_scale(unit, -unit));
            }
            x += glyph.advance * size / EM;
        }
    }
}

fn paint(ink: Ink) -> Paint<'static> {
    let mut paint = Paint::default();
    paint.set_color(colour(ink));
    paint.anti_alias = true;
    paint
}

fn polyline(points: &[Point]) -> Option<Path> {
    let mut path = PathBuilder::new();
    for (index, (x, y)) in points.iter().enumerate() {
        if index == 0 { path.move_to(*x, *y) } else { path.line_to(*x, *y) }
    }
    path.finish()
}

/// A letter's outline, read from its text.
fn outline(text: &str) -> Option<Path> {
    let mut path = PathBuilder::new();
    for part in text.split_inclusive(|letter: char| letter.is_ascii_uppercase()).collect::<Vec<_>>().windows(2) {
        let [before, here] = part else { continue };
        let letter = before.chars().last()?;
        let numbers = here.trim_end_matches(|letter: char| letter.is_ascii_uppercase());
        let numbers: Vec<f32> = numbers.split(' ').filter_map(|number| number.parse().ok()).collect();
        match (letter, numbers.as_slice()) {
            ('M', [x, y]) => path.move_to(*x, *y),
            ('L', [x, y]) => path.line_to(*x, *y),
            ('Q', [a, b, x, y]) => path.quad_to(*a, *b, *x, *y),
            _ => path.close(),
        }
    }
    path.finish()
}
