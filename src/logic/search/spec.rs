//! The searchers of this module, made from their settings as data.

use serde::de::DeserializeOwned;

use super::{
    Capped, ConcurrencyLimiter, Distinct, Nsga2, Points, Repeater, Searcher, Variants, WarmStart, Within, limiter,
    repeater,
};
use crate::logic::spec::{Kinds, PartSpec, SpecError, kind, part_in_settings};

pub(crate) const KINDS: Kinds<dyn Searcher> = Kinds {
    sort: "searcher",
    all: &[
        kind!("Auto", |spec| Ok(Box::new(super::Auto::from_spec(spec)?)) => super::auto::Settings),
        kind!("Capped", read::<Capped> => Capped),
        #[cfg(feature = "cma-es")]
        kind!("CmaEs", |spec| Ok(Box::new(super::CmaEs::from_spec(spec)?)) => super::cma::Settings),
        kind!("ConcurrencyLimiter", limited => limiter::Settings),
        kind!("Distinct", read::<Distinct> => Distinct),
        #[cfg(feature = "gp")]
        kind!("GaussianProcess", |spec| Ok(Box::new(super::GaussianProcess::from_spec(spec)?)) => super::gp::Settings),
        kind!("Nsga2", |spec| Ok(Box::new(Nsga2::from_spec(spec)?)) => super::nsga2::Settings),
        kind!("Points", read::<Points> => Points),
        #[cfg(feature = "sobol")]
        kind!("QuasiRandom", |spec| Ok(Box::new(super::QuasiRandom::from_spec(spec)?)) => super::quasi_random::Settings),
        kind!("Repeater", repeated => repeater::Settings),
        kind!("Tpe", |spec| Ok(Box::new(super::Tpe::from_spec(spec)?)) => super::tpe::Settings),
        kind!("Variants", |spec| Ok(Box::new(Variants::from_spec(spec)?)) => super::variants::Settings),
        kind!("WarmStart", read::<WarmStart> => WarmStart),
        kind!("Within", read::<Within> => Within),
    ],
};

fn read<S: Searcher + DeserializeOwned + 'static>(spec: &PartSpec) -> Result<Box<dyn Searcher>, SpecError> {
    Ok(Box::new(spec.read::<S>()?))
}

fn limited(spec: &PartSpec) -> Result<Box<dyn Searcher>, SpecError> {
    let limiter::Settings { limit, feedback, inner } = spec.read()?;
    let limited = ConcurrencyLimiter::new(from_spec(&inner)?, limit).map_err(|error| spec.refuse(error))?;
    Ok(Box::new(limited.feedback(feedback)))
}

fn repeated(spec: &PartSpec) -> Result<Box<dyn Searcher>, SpecError> {
    let repeater::Settings { repeat, index, inner } = spec.read()?;
    let repeated = Repeater::new(from_spec(&inner)?, repeat).map_err(|error| spec.refuse(error))?;
    Ok(Box::new(index.into_iter().fold(repeated, Repeater::index)))
}

part_in_settings!(Searcher);

/// The searcher that `spec` describes: one like that which [said it](Searcher::spec), from its beginning.
///
/// ```
/// use tryout::search::{self, Searcher};
/// use tryout::state::PartSpec;
///
/// let settings = serde_json::json!({"configs": [{"x": 1}, {"x": 2}]});
/// let searcher = search::from_spec(&PartSpec { kind: "Points".into(), settings })?;
/// assert_eq!(searcher.total(), Some(2));
/// # Ok::<(), tryout::state::SpecError>(())
/// ```
///
/// # Errors
/// If there is no such searcher here, or its settings can't be read or can't work.
pub fn from_spec(spec: &PartSpec) -> Result<Box<dyn Searcher>, SpecError> {
    KINDS.make(spec)
}
