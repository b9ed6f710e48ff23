//! Settings that a client changes while the run goes on.

use serde::{Deserialize, Serialize};

use super::check::WrongSetting;
use super::form;
use crate::logic::limit::TimeLimit;
use crate::logic::search::Samples;
use crate::logic::spec::PartSpec;

/// A setting that a client changes while the run goes on; others have [orders](crate::logic::engine::ClientOrder) of their own. In
/// JSON as in `{"samples": 200}`, `{"samples": null}`, `{"time_limit": {"after": "8h", "then": "finish_step"}}`,
/// `{"stop": [{"iterations": {"limit": 100}}]}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LiveSetting {
    /// How many trials there are to be, at least 1, without those that clients add; none: what the program says. With fewer, those that
    /// haven't begun are withdrawn, the newest first; with more, a searcher that ends by itself still does.
    Samples(
        #[serde(with = "form::samples")]
        #[cfg_attr(feature = "cli", schemars(with = "Option<form::SamplesForm>"))]
        Option<Samples>,
    ),
    /// How long all sessions together may take, longer than zero; none: as long as they take. A time that is over ends the run.
    TimeLimit(Option<TimeLimit>),
    /// The stop rules, of those that [`stop::from_spec`](crate::logic::stop::from_spec) makes, in place of all others; none: those of the
    /// program, which go on as if they had always held. New ones count from then on: an iteration is a trial's own, but what a plateau
    /// remembers begins anew.
    Stop(Option<Vec<PartSpec>>),
}

impl LiveSetting {
    /// Whether it is in its range.
    pub(crate) fn check(&self) -> Result<(), WrongSetting> {
        match self {
            LiveSetting::Samples(Some(Samples::Finite(0))) => Err(WrongSetting::new("samples", "0", "at least 1")),
            LiveSetting::TimeLimit(Some(limit)) if limit.after.is_zero() => {
                Err(WrongSetting::new("time_limit", "0 s", "longer than zero"))
            }
            LiveSetting::Samples(_) | LiveSetting::TimeLimit(_) | LiveSetting::Stop(_) => Ok(()),
        }
    }

    /// Puts it among those that were changed, in the place of what was said of the same setting before.
    pub(crate) fn put(self, changed: &mut Vec<Self>) {
        changed.retain(|other| std::mem::discriminant(other) != std::mem::discriminant(&self));
        changed.push(self);
    }
}
