//! Axes: where a value lies in the picture, and which round values are named.

/// Values beyond are drawn at this one: differences of larger ones are no numbers.
const FARTHEST: f64 = 1e300;
/// Positive values are drawn on a log scale if the largest is so many times the smallest.
pub(super) const WIDE: f64 = 1000.0;

/// Values along a line of the picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scale {
    low: f64,
    high: f64,
    log: bool,
    /// Only whole numbers are named.
    whole: bool,
    from: f32,
    to: f32,
}

impl Scale {
    /// From `low` to `high`, both included; a single value lies in the middle.
    pub(super) fn new(low: f64, high: f64, log: bool) -> Self {
        let (low, high) = (low.clamp(-FARTHEST, FARTHEST), high.clamp(-FARTHEST, FARTHEST));
        let log = log && low > 0.0;
        let (low, high) = match (low < high, log) {
            (true, _) => (low, high),
            (false, true) => (low / 2.0, low * 2.0),
            (false, false) => (low - (low.abs() * 0.1).max(0.5), low + (low.abs() * 0.1).max(0.5)),
        };
        Self { low, high, log, whole: false, from: 0.0, to: 1.0 }
    }

    /// With some room at both ends.
    pub(super) fn padded(self, part: f64) -> Self {
        let (low, high) = (self.inner(self.low), self.inner(self.high));
        let room = (high - low) * part;
        let (low, high) = (low - room, high + room);
        let (low, high) = if self.log { (low.exp(), high.exp()) } else { (low, high) };
        Self { low, high, ..self }
    }

    pub(super) fn whole(self, whole: bool) -> Self {
        Self { whole, ..self }
    }

    /// Between these two places of the picture.
    pub(super) fn between(self, from: f32, to: f32) -> Self {
        Self { from, to, ..self }
    }

    fn inner(&self, value: f64) -> f64 {
        if self.log { value.max(f64::MIN_POSITIVE).ln() } else { value }
    }

    /// Where a value is drawn; one that lies beyond an end, at that end.
    pub(super) fn at(&self, value: f64) -> f32 {
        let (low, high) = (self.inner(self.low), self.inner(self.high));
        // Two ends may have the same logarithm.
        let part = if low < high { ((self.inner(value) - low) / (high - low)).clamp(0.0, 1.0) } else { 0.5 };
        self.from + (self.to - self.from) * part as f32
    }

    /// About `count` round values, and how they are written.
    pub(super) fn ticks(&self, count: usize) -> Vec<(f64, String)> {
        let found = if self.log { self.powers(count) } else { None };
        found.unwrap_or_else(|| self.steps(count))
    }

    fn steps(&self, count: usize) -> Vec<(f64, String)> {
        let rough = (self.high - self.low) / count.max(1) as f64;
        let power = 10_f64.powf(rough.log10().floor());
        let factor = [1.0, 2.0, 5.0, 10.0].into_iter().find(|factor| factor * power >= rough * 0.7).unwrap_or(10.0);
        let step = if self.whole { (factor * power).max(1.0).round() } else { factor * power };
        if !step.is_normal() {
            return Vec::new();
        }
        let most = self.low.abs().max(self.high.abs());
        let (first, last) = ((self.low / step).ceil(), (self.high / step).floor());
        let ticks = (0..=2 * count.max(1)).map(|index| first + index as f64).take_while(|number| *number <= last);
        ticks.map(|number| (number * step, written(number * step, step, most))).collect()
    }

    /// Powers of ten, with their double and fivefold if there is room; none if that gives fewer than two.
    fn powers(&self, count: usize) -> Option<Vec<(f64, String)>> {
        let (first, last) = (self.low.log10().floor(), self.high.log10().ceil());
        let decades = (last - first).max(1.0);
        let every = (decades / count.max(1) as f64).ceil().max(1.0);
        let factors: &[f64] = if decades * 3.0 <= count as f64 * 1.5 { &[1.0, 2.0, 5.0] } else { &[1.0] };
        let powers = (0..=(decades / every) as u32).map(|index| first + f64::from(index) * every);
        let values = powers.flat_map(|power| factors.iter().map(move |factor| (power, factor * 10_f64.powf(power))));
        let most = self.high;
        let inside = values.filter(|(_, value)| (self.low * 0.999..=self.high * 1.001).contains(value));
        let ticks: Vec<(f64, String)> =
            inside.map(|(power, value)| (value, written(value, 10_f64.powf(power), most))).collect();
        (ticks.len() > 1).then_some(ticks)
    }
}

/// A round value of an axis up to `most`, with as many decimals as `step` has.
fn written(value: f64, step: f64, most: f64) -> String {
    let size = value.abs().max(step);
    if !(1e-4..1e6).contains(&size) {
        let digits = (size / step).log10().floor().clamp(0.0, 8.0) as usize;
        let text = format!("{value:.digits$e}");
        return if value == 0.0 { "0".to_owned() } else { shortened(&text) };
    }
    let decimals = (-step.log10().floor()).clamp(0.0, 12.0) as usize;
    let text = format!("{value:.decimals$}");
    if most >= 10_000.0 && decimals == 0 { thousands(&text) } else { text }
}

/// `2.00e-5` is `2e-5`.
fn shortened(text: &str) -> String {
    match text.split_once('e') {
        Some((digits, power)) if digits.contains('.') => {
            format!("{}e{power}", digits.trim_end_matches('0').trim_end_matches('.'))
        }
        _ => text.to_owned(),
    }
}

/// `12,345`, of whole numbers.
pub(super) fn thousands(text: &str) -> String {
    let (sign, digits) = text.strip_prefix('-').map_or(("", text), |digits| ("-", digits));
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{sign}{grouped}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(low: f64, high: f64, log: bool, count: usize) -> Vec<String> {
        Scale::new(low, high, log).ticks(count).into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn ticks_are_round() {
        assert_eq!(texts(0.03, 0.97, false, 5), ["0.2", "0.4", "0.6", "0.8"]);
        assert_eq!(texts(-3.0, 40.0, false, 5), ["0", "10", "20", "30", "40"]);
        assert_eq!(texts(0.0, 50_000.0, false, 5), ["0", "10,000", "20,000", "30,000", "40,000", "50,000"]);
        assert_eq!(texts(0.0, 3e-7, false, 4), ["0", "1e-7", "2e-7", "3e-7"]);
        assert_eq!(texts(1e-5, 0.1, true, 6), ["1e-5", "0.0001", "0.001", "0.01", "0.1"]);
        assert_eq!(texts(12.0, 90.0, true, 5), ["20", "50"]);
        assert_eq!(texts(1.1, 1.9, true, 4), ["1.2", "1.4", "1.6", "1.8"]);
    }

    #[test]
    fn every_scale_has_an_end() {
        let odd = [(1.0, 1.0), (0.0, 0.0), (-1e308, 1e308), (1e-320, 1e308), (5e-324, 1e-323), (1e15, 1e15 + 0.5)];
        for ((low, high), log) in odd.into_iter().flat_map(|range| [(range, false), (range, true)]) {
            let scale = Scale::new(low, high, log).padded(0.05).between(10.0, 20.0);
            assert!(scale.ticks(5).len() <= 20, "{low} to {high}");
            assert!([low, high].iter().all(|value| (10.0..=20.0).contains(&scale.at(*value))), "{low} to {high}");
        }
    }
}
