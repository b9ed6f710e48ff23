//! Letters: how wide they are, and their outlines for pictures that have no text.
//!
//! `glyphs/roboto.txt` has them, made by `glyphs/make.py` out of Roboto Regular, which Google licenses under the Apache License,
//! version 2.0 (`LICENSE-APACHE`).

use std::collections::HashMap;
use std::sync::LazyLock;

/// One letter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Glyph {
    /// In units of the font.
    pub(super) advance: f32,
    /// `M`, `L`, `Q` with coordinates, `Z`; y goes up.
    pub(super) outline: &'static str,
}

/// So many units of the font are as long as a letter is high.
pub(super) const EM: f32 = 2048.0;

static GLYPHS: LazyLock<HashMap<char, Glyph>> = LazyLock::new(|| {
    let lines = include_str!("glyphs/roboto.txt").lines().skip(1);
    lines
        .filter_map(|line| {
            let mut parts = line.splitn(3, ' ');
            let letter = char::from_u32(u32::from_str_radix(parts.next()?, 16).ok()?)?;
            Some((letter, Glyph { advance: parts.next()?.parse().ok()?, outline: parts.next()? }))
        })
        .collect()
});

/// The letter; what isn't there is a box.
pub(super) fn glyph(letter: char) -> Glyph {
    let found = GLYPHS.get(&letter).copied();
    found.unwrap_or(Glyph {
        advance: 1200.0,
        outline: "M150 0L150 1400L1050 1400L1050 0ZM250 100L950 100L950 1300L250 1300Z",
    })
}

/// How wide a text is.
pub(super) fn width(text: &str, size: f32) -> f32 {
    text.chars().map(|letter| glyph(letter).advance).sum::<f32>() * size / EM
}

/// The text, or as much of its beginning as fits, and `…`.
pub(super) fn fitting(text: &str, size: f32, most: f32) -> String {
    if width(text, size) <= most {
        return text.to_owned();
    }
    let room = most - width("…", size);
    let mut sum = 0.0;
    let kept = text.chars().take_while(|letter| {
        sum += glyph(*letter).advance * size / EM;
        sum <= room
    });
    kept.collect::<String>().trim_end().to_owned() + "…"
}
