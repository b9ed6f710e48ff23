//! Seconds since 1970 as a date in UTC.

use std::fmt::Write;

/// Dates as texts. Rows come in about the order of time, so the last one is kept.
#[derive(Clone, Debug, Default)]
pub(super) struct Dates {
    second: Option<u64>,
    text: String,
}

impl Dates {
    /// As in `2024-02-29_23-59-58`; what lies before 1970, or after 9999, is put to that bound.
    pub(super) fn text(&mut self, seconds: f64) -> &str {
        let second = seconds.clamp(0.0, 253_402_300_799.0) as u64;
        if self.second != Some(second) {
            self.second = Some(second);
            let (date, [hour, minute, second]) = parts(second);
            self.text.clear();
            self.text.push_str(&date);
            for (sign, part) in [('_', hour), ('-', minute), ('-', second)] {
                // A `String` takes all that is written to it.
                let _ = write!(self.text, "{sign}{part:02}");
            }
        }
        &self.text
    }
}

/// As in `2024-02-29T23:59:58.250000+00:00` (ISO 8601), to the microsecond.
pub(super) fn iso(seconds: f64) -> String {
    let micros = (seconds.clamp(0.0, 253_402_300_799.0) * 1e6).round() as u64;
    let (date, [hour, minute, second]) = parts(micros / 1_000_000);
    format!("{date}T{hour:02}:{minute:02}:{second:02}.{:06}+00:00", micros % 1_000_000)
}

/// The date, and the time of day as hours, minutes and seconds.
fn parts(second: u64) -> (String, [u64; 3]) {
    let (days, rest) = (second / 86_400, second % 86_400);
    // Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms": years begin in March, eras have 400 years.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (format!("{year:04}-{month:02}-{day:02}"), [rest / 3_600, rest / 60 % 60, rest % 60])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_become_dates() {
        let mut dates = Dates::default();
        for (seconds, date) in [
            (0.0, "1970-01-01_00-00-00"),
            (-5.0, "1970-01-01_00-00-00"),
            (f64::NAN, "1970-01-01_00-00-00"),
            (951_782_399.9, "2000-02-28_23-59-59"),
            (951_782_400.0, "2000-02-29_00-00-00"),
            (1_709_251_198.0, "2024-02-29_23-59-58"),
            (4_107_542_400.0, "2100-03-01_00-00-00"),
            (1e300, "9999-12-31_23-59-59"),
        ] {
            assert_eq!(dates.text(seconds), date);
            assert_eq!(dates.text(seconds), date);
        }
        assert_eq!(iso(1_709_251_198.25), "2024-02-29T23:59:58.250000+00:00");
    }
}
