//! Numbers, times and lines as people read them.

use std::time::Duration;

use super::tally::Tally;
use crate::logic::metrics::{Metrics, Value};
use crate::logic::one_line::is_obeyed;
use crate::logic::time::Moment;
use crate::logic::trial::Status;

/// `12/40 (30%) ended, best loss 0.0312 (3fa01_00007), 8 stopped early, 1 failed, 4 running, 24 pending, 4/8 cpu, 3m 2s left; 118 reports/s`.
///
/// What matters most comes first: a narrow terminal shows the beginning only.
pub(super) fn progress(tally: &Tally, now: Moment) -> String {
    let ended = tally.ended();
    let mut text = match tally.total() {
        Some(total) if total > 0 => format!("{ended}/{total} ({}%) ended", ended * 100 / total),
        _ => format!("{ended} ended"),
    };
    if let (Some(best), Some(objective)) = (tally.best(), tally.objective()) {
        text += &format!(", best {} {} ({})", line_of(&objective.metric), number(best.value), best.trial);
    }
    let of = |status| tally.count(status);
    let counts = [
        (tally.stopped_early(), "stopped early"),
        (of(Status::Error), "failed"),
        (of(Status::Running), "running"),
        (of(Status::Paused), "paused"),
        (of(Status::Pending), "pending"),
    ];
    for (count, what) in counts.into_iter().filter(|(count, _)| *count > 0) {
        text += &format!(", {count} {what}");
    }
    for (name, held, all) in tally.in_use() {
        text += &format!(", {}/{} {}", number(held), number(all), line_of(name));
    }
    if let Some(left) = tally.eta(now) {
        text += &format!(", {} left", duration(left));
    }
    match tally.reports_per_second(now) {
        rate if rate <= 0.0 => text,
        rate if rate < 1.0 => text + &format!("; {} reports/min", number_to(rate * 60.0, 2)),
        rate => text + &format!("; {} reports/s", number_to(rate, 3)),
    }
}

/// A number with five digits that mean something, zeros at the end left out.
pub fn number(value: f64) -> String {
    number_to(value, 5)
}

fn number_to(value: f64, digits: i32) -> String {
    if !value.is_finite() || value == 0.0 {
        return value.to_string();
    }
    let magnitude = value.abs().log10().floor() as i32;
    if !(-4..=9).contains(&magnitude) {
        return format!("{value:.*e}", usize::try_from(digits - 1).unwrap_or(0));
    }
    let text = format!("{value:.*}", usize::try_from(digits - 1 - magnitude).unwrap_or(0));
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// A count with its thousands set apart: `1,234,567`.
pub(super) fn count(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `0.42s`, `12.3s`, `3m 2s`, `5h 12m`, `3d 4h`.
pub fn duration(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0..10 => format!("{:.2}s", span.as_secs_f64()),
        10..60 => format!("{:.1}s", span.as_secs_f64()),
        60..3_600 => format!("{}m {}s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{}h {}m", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{}d {}h", seconds / 86_400, seconds / 3_600 % 24),
    }
}

/// `3 trials`, `1 trial`.
pub(super) fn of(number: u64, noun: &str) -> String {
    format!("{} {noun}{}", count(number), if number == 1 { "" } else { "s" })
}

/// A text from somewhere else, without anything that a terminal would obey.
pub fn clean(text: &str) -> String {
    text.replace(is_obeyed, " ")
}

/// The first line of such a text.
pub(super) fn line_of(text: &str) -> String {
    clean(text.trim().lines().next().unwrap_or_default())
}

/// All lines of such a text, those after the first indented.
pub(super) fn block_of(text: &str, indent: &str) -> String {
    let lines: Vec<String> = text.trim_end().lines().map(|line| clean(&line.replace('\t', "    "))).collect();
    lines.join(&format!("\n{indent}"))
}

/// At most `width` characters, the last of them `…` if some were left out.
pub(super) fn shortened(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let kept: String = text.chars().take(width.saturating_sub(1)).collect();
    kept + "…"
}

/// `lr=0.1 net/hidden=32`, of the parameters that `shown` chooses.
pub(super) fn parameters(flat: &Metrics, shown: impl Fn(&str) -> bool) -> String {
    let pairs =
        flat.iter().filter(|(name, _)| shown(name)).map(|(name, value)| format!("{name}={}", self::value(value)));
    line_of(&pairs.collect::<Vec<_>>().join(" "))
}

/// A value, a float with five digits.
pub(super) fn value(value: &Value) -> String {
    match value {
        Value::Float(value) => number(*value),
        other => line_of(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_what_matters() {
        let texts = [0.0, 0.031_249_9, 12.0, 12_345.678, 1e-7, -0.5, f64::NAN, 1_234_567.0].map(number);
        assert_eq!(texts, ["0", "0.03125", "12", "12346", "1.0000e-7", "-0.5", "NaN", "1234567"]);
        assert_eq!([0, 999, 1_000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn durations_are_short() {
        let texts = [0.25, 12.34, 182.0, 18_720.0, 273_600.0].map(|s| duration(Duration::from_secs_f64(s)));
        assert_eq!(texts, ["0.25s", "12.3s", "3m 2s", "5h 12m", "3d 4h"]);
    }

    #[test]
    fn text_from_elsewhere_obeys_and_not_the_other_way_round() {
        assert_eq!(line_of("\n\u{1b}[2Jgone\nsecond"), " [2Jgone");
        assert_eq!(block_of("one\r\n\ttwo\n", "  "), "one\n      two");
        assert_eq!(shortened("abcdef", 4), "abc…");
    }
}
