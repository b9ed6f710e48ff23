//! The searchers of this module, made from their settings as data.

use super::{
    Capped, ConcurrencyLimiter, Distinct, Nsga2, Points, Repeater, Searcher, Variants, WarmStart, Within, capped,
    distinct, limiter, repeater, warm_start, within,
};
use crate::logic::spec::{PartSpec, SpecError};

const KNOWN: &[&str] = &[
    "Capped",
    #[cfg(feature = "cma-es")]
    "CmaEs",
    "ConcurrencyLimiter",
    "Distinct",
    #[cfg(feature = "gp")]
    "GaussianProcess",
    "Nsga2",
    "Points",
    #[cfg(feature = "sobol")]
    "QuasiRandom",
    "Repeater",
    #[cfg(feature = "tpe")]
    "Tpe",
    "Variants",
    "WarmStart",
    "Within",
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
        #[cfg(feature = "cma-es")]
        "CmaEs" => Box::new(super::CmaEs::from_spec(spec)?),
        #[cfg(feature = "gp")]
        "GaussianProcess" => Box::new(super::GaussianProcess::from_spec(spec)?),
        "ConcurrencyLimiter" => {
            let limiter::Settings { limit, feedback, inner } = spec.read()?;
            let limited = ConcurrencyLimiter::new(from_spec(&inner)?, limit).map_err(|error| spec.refuse(error))?;
            Box::new(limited.feedback(feedback))
        }
        "Nsga2" => Box::new(Nsga2::from_spec(spec)?),
        "Distinct" => {
            let distinct::Settings { inner } = spec.read()?;
            Box::new(Distinct::new(from_spec(&inner)?))
        }
        #[cfg(feature = "sobol")]
        "QuasiRandom" => Box::new(super::QuasiRandom::from_spec(spec)?),
        "WarmStart" => {
            let warm_start::Settings { outcomes, first, inner } = spec.read()?;
            let warm = WarmStart::new(from_spec(&inner)?).outcomes(outcomes);
            Box::new(first.into_iter().fold(warm, WarmStart::first))
        }
        "Within" => {
            let within::Settings { space, inner } = spec.read()?;
            Box::new(Within::new(space, from_spec(&inner)?))
        }
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
