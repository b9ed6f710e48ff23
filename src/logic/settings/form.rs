//! How settings are written where their own types have another form: seconds, units, a number or a word.

/// A duration as a number of seconds, exact to the nanosecond for the first hundred days.
pub(crate) mod seconds {
    use std::time::Duration;

    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        // Nobody tells the nanoseconds of a century apart, and no float can.
        if time.subsec_nanos() == 0 || time.as_secs() > u64::from(u32::MAX) {
            serializer.serialize_u64(time.as_secs())
        } else {
            serializer.serialize_f64(time.as_secs_f64())
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        match Seconds::deserialize(deserializer)? {
            Seconds::Whole(seconds) => Ok(Duration::from_secs(seconds)),
            Seconds::Some(seconds) => Duration::try_from_secs_f64(seconds)
                .map_err(|_| D::Error::custom(format!("{seconds} isn't a time: expected seconds, 0 or more"))),
            Seconds::Text(text) => of_text(&text).ok_or_else(|| {
                D::Error::custom(format!(
                    "\"{text}\" isn't a time: expected seconds, or as in \"90s\", \"10m\", \"1h 30m\""
                ))
            }),
            Seconds::Parts { secs, nanos } => Ok(Duration::new(secs, nanos)),
        }
    }

    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected a time: a number of seconds, 0 or more, or a text as in \"10m\"")]
    enum Seconds {
        Whole(u64),
        Some(f64),
        Text(String),
        /// As the standard library's own type is written.
        Parts {
            secs: u64,
            nanos: u32,
        },
    }

    /// The time in a text as `90s`, `10m`, `1h 30m`, `0.5d`, `250ms`.
    fn of_text(text: &str) -> Option<Duration> {
        let mut rest = text.trim();
        let mut sum = (!rest.is_empty()).then_some(Duration::ZERO)?;
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
            let (number, after) = rest.split_at(digits);
            let after = after.trim_start();
            let unit = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
            let (unit, after) = after.split_at(unit);
            let factor = match unit {
                "ms" => 0.001,
                "s" | "sec" => 1.0,
                "m" | "min" => 60.0,
                "h" => 3_600.0,
                "d" => 86_400.0,
                _ => return None,
            };
            let part = Duration::try_from_secs_f64(number.parse::<f64>().ok()? * factor).ok()?;
            sum = sum.checked_add(part)?;
            rest = after.trim_start();
        }
        Some(sum)
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_time_is_a_text_with_units() {
            let seconds = |text| of_text(text).map(|time| time.as_secs_f64());
            assert_eq!(seconds("1h 30m"), Some(5_400.0));
            assert_eq!(seconds("250ms"), Some(0.25));
            assert_eq!(seconds("1.5 h"), Some(5_400.0));
            for wrong in ["", "5", "5 parsecs", "-1s", "1e400d", "s", "1..5h", "99999999999999999999d"] {
                assert_eq!(seconds(wrong), None, "{wrong}");
            }
        }
    }

    /// The same, or nothing.
    pub(crate) mod optional {
        use super::{Deserialize, Deserializer, Duration, Serializer};

        pub(crate) fn serialize<S: Serializer>(time: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
            match time {
                Some(time) => super::serialize(time, serializer),
                None => serializer.serialize_none(),
            }
        }

        pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
            #[derive(Deserialize)]
            struct Time(#[serde(with = "super")] Duration);

            Ok(Option::<Time>::deserialize(deserializer)?.map(|Time(time)| time))
        }
    }
}

/// A time, as a schema says it.
#[cfg(feature = "cli")]
pub(crate) struct Time;

#[cfg(feature = "cli")]
impl schemars::JsonSchema for Time {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Time".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A time: a number of seconds, or a text as in \"90s\", \"10m\", \"1h 30m\".",
            "type": ["number", "string"], "minimum": 0
        })
    }
}

#[cfg(feature = "cli")]
pub(crate) use samples::Form as SamplesForm;

/// A number of samples, or `"infinite"`.
pub(super) mod samples {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::logic::search::Samples;

    #[derive(Serialize, Deserialize)]
    #[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
    #[serde(untagged, expecting = "expected a number of samples, or \"infinite\"")]
    pub(crate) enum Form {
        Number(u64),
        Word(Word),
    }

    #[derive(Serialize, Deserialize)]
    #[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
    #[serde(rename_all = "snake_case")]
    pub(crate) enum Word {
        Infinite,
    }

    pub(crate) fn serialize<S: Serializer>(samples: &Option<Samples>, serializer: S) -> Result<S::Ok, S::Error> {
        let form = samples.map(|samples| match samples {
            Samples::Finite(count) => Form::Number(count),
            Samples::Infinite => Form::Word(Word::Infinite),
        });
        form.serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Samples>, D::Error> {
        let form = Option::<Form>::deserialize(deserializer)?;
        Ok(form.map(|form| match form {
            Form::Number(count) => Samples::Finite(count),
            Form::Word(Word::Infinite) => Samples::Infinite,
        }))
    }
}
