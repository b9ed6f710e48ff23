//! Which values of the configurations mattered: PED-ANOVA.
//!
//! It asks how differently the best trials are spread over a value than all trials are: by the Pearson divergence of two Parzen
//! estimators on a grid of at most 50 places. It is quick, takes values as they are (numbers, whole or on a log scale, options,
//! values that only some trials have), and says nothing of which value is good.
//!
//! Source: Watanabe, Bansal and Hutter 2023, "PED-ANOVA: Efficiently Quantifying Hyperparameter Importance in Arbitrary
//! Subspaces", IJCAI; with values that depend on others as in "Conditional PED-ANOVA", KDD 2026. The numbers are those of Optuna
//! 5 (`PedAnovaImportanceEvaluator` with its defaults), but for what it has no word for: a normal value is spread by its
//! quantiles, and a quantum on a log scale is left out of account.

mod parzen;
mod trials;

use parzen::Grid;
pub(crate) use trials::importance_of;

use super::objective::Objective;
use crate::logic::space::{Dimension, Dimensions};

/// The part of the trials that counts as the best.
const BEST: f64 = 0.1;
/// Fewer trials say nothing.
const FEWEST: usize = 10;
/// A value that fewer trials have under the same condition isn't judged there.
const FEWEST_ALIKE: usize = 2;

/// Which reports of the trials are compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compared {
    /// Those at the furthest iteration that 50 of the trials have reached, or half of them if there are fewer than 100: trials
    /// that were stopped early aren't held against others that had more time. Each trial's last one if no iteration is kept of
    /// so many.
    #[default]
    Equally,
    /// Those at this iteration; trials that never reached it are left out.
    At(u64),
    /// Each trial's last one.
    Last,
}

/// How much one value of the configurations mattered.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Importance {
    /// Its path, levels joined with `/`.
    pub name: String,
    /// Its part of the whole, from 0 to 1; all of them sum to 1.
    pub share: f64,
    /// What that is a part of: how differently the best trials are spread than all are. From 0, without a unit.
    pub divergence: f64,
}

/// How much each value of the configurations mattered, the most important first.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[non_exhaustive]
pub struct Importances {
    /// What was judged by.
    pub objective: Objective,
    /// The iteration at which trials were compared; none if each was judged by its last report.
    pub iteration: Option<u64>,
    /// How many trials were compared.
    pub trials: usize,
    /// How many of them count as the best: a tenth, and all that are as good. Below 5 take the rest as a hint.
    pub best: usize,
    /// The values of the configurations.
    pub values: Vec<Importance>,
}

/// Why nothing can be said of what mattered.
#[derive(Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ImportanceError {
    /// Nobody said what counts.
    #[error(
        "important for what? give the experiment an objective, as in `.objective(Objective::min(\"loss\"))`, or use `importance_by`"
    )]
    NoObjective,
    /// Too few trials can be compared.
    #[error("what mattered can be said of {FEWEST} trials or more: {found} reported a finite `{metric}`{}", at(*iteration))]
    TooFew {
        /// How many there are.
        found: usize,
        /// What was looked for.
        metric: String,
        /// At which iteration; none if it was each trial's last report.
        iteration: Option<u64>,
    },
    /// All configurations are the same.
    #[error("what mattered can't be said: the configurations of all {trials} trials are the same")]
    SameConfigs {
        /// How many there are.
        trials: usize,
    },
    /// All trials are as good as each other.
    #[error(
        "what mattered can't be said: none of {trials} trials is better than the others, all have {metric} {value}"
    )]
    SameValues {
        /// How many there are.
        trials: usize,
        /// What was looked at.
        metric: String,
        /// What all have.
        value: f64,
    },
    /// The best are spread as all others are.
    #[error("what mattered can't be said: the best of {trials} trials have the same values as all others")]
    NoDifference {
        /// How many there are.
        trials: usize,
    },
}

crate::logic::failure::debug_as_chain!(ImportanceError);

fn at(iteration: Option<u64>) -> String {
    iteration.map_or_else(String::new, |iteration| format!(" at iteration {iteration}"))
}

/// How much each dimension mattered for the `values` of `objective`, one for each row of `dimensions`; rows whose value isn't
/// finite are left out. `iteration` is where they were reported, if all were at the same.
///
/// ```
/// use tryout::metrics::importance;
/// use tryout::prelude::*;
/// use tryout::space::Dimensions;
///
/// let configs: Vec<Config> = (0..100).map(|n| Config::new().with("lr", n).with("seed", n * 37 % 100)).collect();
/// let losses: Vec<f64> = (0..100).map(f64::from).collect();
/// let space = Space::new().with("lr", int(0, 100)).with("seed", int(0, 100));
/// let found = importance::importances(&Objective::min("loss"), None, &Dimensions::of(Some(&space), &configs), &losses)?;
/// assert_eq!((found.values[0].name.as_str(), found.best), ("lr", 10));
/// # Ok::<(), importance::ImportanceError>(())
/// ```
///
/// # Errors
/// If there are fewer than ten, or nothing differs.
pub fn importances(
    objective: &Objective,
    iteration: Option<u64>,
    dimensions: &Dimensions,
    values: &[f64],
) -> Result<Importances, ImportanceError> {
    let rows = dimensions.rows.iter().zip(values).filter(|(_, value)| value.is_finite());
    let mut all: Vec<(f64, &[(usize, f64)])> =
        rows.map(|(row, value)| (objective.score(*value), row.as_slice())).collect();
    all.sort_by(|a, b| b.0.total_cmp(&a.0));
    let trials = all.len();
    let limit = ((BEST * trials as f64).ceil() as usize).saturating_sub(1);
    let (Some(limit), true) = (all.get(limit).map(|row| row.0), trials >= FEWEST) else {
        return Err(ImportanceError::TooFew { found: trials, metric: objective.metric.clone(), iteration });
    };
    let best = all.partition_point(|row| row.0 >= limit);
    if dimensions.all.is_empty() {
        return Err(ImportanceError::SameConfigs { trials });
    }
    if best == trials {
        let value = objective.score(limit);
        return Err(ImportanceError::SameValues { trials, metric: objective.metric.clone(), value });
    }
    let mut found: Vec<Importance> = Vec::new();
    for (number, dimension) in dimensions.all.iter().enumerate() {
        let divergence = divergence(dimension, number, &all, best);
        match found.iter_mut().find(|known| known.name == dimension.name) {
            Some(known) => known.divergence += divergence,
            None => found.push(Importance { name: dimension.name.clone(), share: 0.0, divergence }),
        }
    }
    let sum: f64 = found.iter().map(|value| value.divergence).sum();
    if sum <= 0.0 {
        return Err(ImportanceError::NoDifference { trials });
    }
    found.iter_mut().for_each(|value| value.share = value.divergence / sum);
    found.sort_by(|a, b| b.share.total_cmp(&a.share).then_with(|| a.name.cmp(&b.name)));
    Ok(Importances { objective: objective.clone(), iteration, trials, best, values: found })
}

/// What one dimension has to say, by as many trials as have it: theorem 4.2 of the conditional form.
fn divergence(dimension: &Dimension, number: usize, all: &[(f64, &[(usize, f64)])], best: usize) -> f64 {
    let Some(grid) = Grid::new(&dimension.extent) else { return 0.0 };
    let (mut of_best, mut of_all) = (grid.empty(), grid.empty());
    let (mut in_best, mut in_all) = (0_u32, 0_u32);
    for (place, (_, row)) in all.iter().enumerate() {
        let Some((_, value)) = row.iter().find(|(dimension, _)| *dimension == number) else { continue };
        in_all += 1;
        grid.count(*value, &mut of_all);
        if place < best {
            in_best += 1;
            grid.count(*value, &mut of_best);
        }
    }
    if in_best == 0 || (in_all as usize) < FEWEST_ALIKE {
        return 0.0;
    }
    let (best, trials) = (best as f64, all.len() as f64);
    let (of_those, share) = (f64::from(in_best) / best, f64::from(in_all) / trials);
    let quantile = best / trials;
    of_those * of_those / share * grid.divergence(&of_best, &of_all) * quantile * quantile
}
