//! The searchers of this module, made from their settings as data.

use super::{Capped, ConcurrencyLimiter, Nsga2, Points, Repeater, Searcher, Variants, capped, limiter, repeater};
use crate::logic::spec::{PartSpec, SpecError};

const KNOWN: &[&str] = &[
    "Capped",
    "ConcurrencyLimiter",
    "Nsga2",
    "Points",
    "Repeater",
    #[cfg(feature = "tpe")]
    "Tpe",
    "Variants",
];

/// The searcher that `spec` describes: one like that which [said it](Searcher::spec), from its beginning.
///
/// ```
/// use tryout::logic::search::{self, Searcher};
/// use tryout::logic::spec::PartSpec;
///
/// let settings = serde_json::json!({"configs": [{"x": 1}, {"x": 2}]});
/// let searcher = search::from_spec(&PartSpec { kind: "Points".into(), settings })?;
/// assert_eq!(searcher.total(), Some(2));
/// # Ok::<(), tryout::logic::spec::SpecError>(())
/// ```
///
/// # Errors
/// If there is no such searcher here, or its settings can't be read or can't work.
pub fn from_spec(spec: &PartSpec) -> Result<Box<dyn Searcher>, SpecError> {
    Ok(match &*spec.kind {
        "Capped" => {
            let capped::Settings { most, inner } = spec.read()?;
            Box::new(Capped::new(from_spec(&inner)?, most))
        }
        "ConcurrencyLimiter" => {
            let limiter::Settings { limit, feedback, inner } = spec.read()?;
            let limited = ConcurrencyLimiter::new(from_spec(&inner)?, limit).map_err(|error| spec.refuse(error))?;
            Box::new(limited.feedback(feedback))
        }
        "Nsga2" => Box::new(Nsga2::from_spec(spec)?),
        "Points" => Box::new(spec.read::<Points>()?),
        "Repeater" => {
            let repeater::Settings { repeat, index, inner } = spec.read()?;
            let repeated = Repeater::new(from_spec(&inner)?, repeat).map_err(|error| spec.refuse(error))?;
            Box::new(match index {
                Some(key) => repeated.index(key),
                None => repeated,
            })
        }
        #[cfg(feature = "tpe")]
        "Tpe" => Box::new(super::Tpe::from_spec(spec)?),
        "Variants" => Box::new(Variants::from_spec(spec)?),
        _ => return Err(spec.unknown("searcher", KNOWN)),
    })
}
