//! A picture as an SVG document.

use std::fmt::Write;

use super::picture::{Anchor, Ink, Mark, PAPER, Picture, Point, Shape};
use crate::logic::one_line::is_obeyed;

pub(super) fn write(picture: &Picture) -> String {
    let Picture { width, height, title, marks } = picture;
    let mut out = String::with_capacity(1 << 16);
    // Memory takes all that is written to it.
    let _ = write!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
         role=\"img\" font-family=\"Roboto, 'Helvetica Neue', Arial, sans-serif\" \
         style=\"font-variant-numeric:tabular-nums\" stroke-linejoin=\"round\">\n<title>{}</title>\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"{}\"/>\n",
        Escaped(title),
        Colour(PAPER)
    );
    marks.iter().for_each(|mark| draw(mark, &mut out));
    out.push_str("</svg>\n");
    out
}

fn draw(mark: &Mark, out: &mut String) {
    let _ = match mark {
        Mark::Lines { lines, ink, width } => {
            let _ =
                write!(out, "<g fill=\"none\" stroke=\"{}\" stroke-width=\"{width}\"{}>", Colour(*ink), Stroke(*ink));
            for line in lines {
                let _ = write!(out, "<path d=\"{}\"", Path(&line.points));
                end(out, "path", line);
            }
            writeln!(out, "</g>")
        }
        Mark::Dots { dots, ink, radius, hollow } => {
            let _ = match hollow {
                true => write!(out, "<g fill=\"{}\" stroke=\"{}\"{}>", Colour(PAPER), Colour(*ink), Stroke(*ink)),
                false => write!(out, "<g fill=\"{}\"{}>", Colour(*ink), Fill(*ink)),
            };
            for dot in dots {
                for (x, y) in &dot.points {
                    let _ = write!(out, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius}\"");
                    end(out, "circle", dot);
                }
            }
            writeln!(out, "</g>")
        }
        Mark::Bar { at, size, ink } => writeln!(
            out,
            "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"{}\"{}/>",
            at.0,
            at.1,
            size.0,
            size.1,
            Colour(*ink),
            Fill(*ink)
        ),
        Mark::Text { at, text, size, anchor, ink } => {
            let anchor = match anchor {
                Anchor::Start => "start",
                Anchor::Middle => "middle",
                Anchor::End => "end",
            };
            writeln!(
                out,
                "<text x=\"{:.1}\" y=\"{:.1}\" font-size=\"{size}\" text-anchor=\"{anchor}\" fill=\"{}\">{}</text>",
                at.0,
                at.1,
                Colour(*ink),
                Escaped(text)
            )
        }
    };
}

fn end(out: &mut String, name: &str, shape: &Shape) {
    let _ = match shape.words.is_empty() {
        true => write!(out, "/>"),
        false => write!(out, "><title>{}</title></{name}>", Escaped(&shape.words)),
    };
}

struct Colour(Ink);

impl std::fmt::Display for Colour {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "#{:06x}", self.0.rgb)
    }
}

struct Stroke(Ink);

impl std::fmt::Display for Stroke {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.alpha < 1.0 { write!(f, " stroke-opacity=\"{}\"", self.0.alpha) } else { Ok(()) }
    }
}

struct Fill(Ink);

impl std::fmt::Display for Fill {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.alpha < 1.0 { write!(f, " fill-opacity=\"{}\"", self.0.alpha) } else { Ok(()) }
    }
}

struct Path<'a>(&'a [Point]);

impl std::fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().enumerate().try_for_each(|(index, (x, y))| {
            let letter = if index == 0 { 'M' } else { 'L' };
            write!(f, "{letter}{x:.1} {y:.1}")
        })
    }
}

/// A text from somewhere else: it ends no element, and holds nothing that XML has no place for.
struct Escaped<'a>(&'a str);

impl std::fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.chars().try_for_each(|letter| match letter {
            '&' => f.write_str("&amp;"),
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '"' => f.write_str("&quot;"),
            '\u{fffe}' | '\u{ffff}' => f.write_char('\u{fffd}'),
            letter if is_obeyed(letter) => f.write_char(' '),
            letter => f.write_char(letter),
        })
    }
}
