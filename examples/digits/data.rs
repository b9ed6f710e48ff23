//! Handwritten digits: scaled, shuffled and split once, shared by all trials. `README.md` says whose they are.

use std::sync::LazyLock;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// An image a line: its pixels, row by row, and the digit that it shows.
const IMAGES: &str = include_str!("optdigits.csv");
/// An image is eight rows of eight pixels.
pub(crate) const PIXELS: usize = 64;
/// Ten digits.
pub(crate) const CLASSES: usize = 10;

/// The brightest pixel in the original.
const WHITE: f32 = 16.0;
/// A quarter of the 1797 images is never trained on.
const HELD_OUT: usize = 450;
/// Every run and every seed sees the same split, so that their accuracies can be compared.
const SPLIT_SEED: u64 = 1797;

/// An image and the digit it shows.
pub(crate) struct Sample {
    pub(crate) image: [f32; PIXELS],
    pub(crate) digit: u8,
}

/// All images, in two parts.
pub(crate) struct Digits {
    pub(crate) train: Vec<Sample>,
    pub(crate) held_out: Vec<Sample>,
}

/// The one copy.
pub(crate) fn digits() -> &'static Digits {
    static DIGITS: LazyLock<Digits> = LazyLock::new(load);
    &DIGITS
}

fn load() -> Digits {
    let mut train: Vec<Sample> = IMAGES.lines().map(sample).collect();
    train.shuffle(&mut ChaCha8Rng::seed_from_u64(SPLIT_SEED));
    let held_out = train.split_off(train.len() - HELD_OUT);
    Digits { train, held_out }
}

fn sample(line: &str) -> Sample {
    let mut numbers = line.split(',').map(|number| number.parse::<u8>().expect("the file holds small numbers"));
    let mut next = || numbers.next().expect("a line has the pixels and the digit");
    Sample { image: std::array::from_fn(|_| f32::from(next()) / WHITE), digit: next() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_is_what_it_says_it_is() {
        let Digits { train, held_out } = digits();
        assert_eq!((train.len(), held_out.len()), (1347, 450));
        for part in [train, held_out] {
            assert!(part.iter().all(|sample| sample.image.iter().all(|pixel| (0.0..=1.0).contains(pixel))));
            for class in 0..CLASSES {
                // The ten digits are about equally frequent, so no part may be short of one.
                let share = part.iter().filter(|sample| usize::from(sample.digit) == class).count();
                assert!(share * CLASSES * 2 > part.len(), "{share} of {} show {class}", part.len());
            }
        }
    }
}
