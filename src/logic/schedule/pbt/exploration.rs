//! How a copy comes by its configuration.

use serde::{Deserialize, Serialize};

/// How a copy's numbers are chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Exploration {
    /// Moved a little, or drawn anew, at random.
    #[default]
    Perturb,
    /// Chosen by a Gaussian process over time and numbers, which learns from all members what they gained in each interval:
    /// the numbers with the highest upper confidence bound on the next gain. A copy's gain counts from its donor's score.
    /// Choices are perturbed as ever, and so are all values until there are six gains to learn from. Feature `gp`.
    ///
    /// When to use it: when there is room for a small population only (its authors had four members), and progress in an
    /// interval follows from the numbers in it, as with learning rates. Where it follows from those before as well, or where
    /// a score doesn't add up, random steps are the better choice. There must be a range among the [`mutations`](super::Pbt::mutations).
    ///
    /// It learns from the newest 100 intervals, and only when a copy is made: then the process is fitted, in some
    /// milliseconds, whatever the number of members and reports. Each copy is chosen by itself: several that are made
    /// at once, as in synchronous rounds, don't keep out of each other's way.
    ///
    /// Source: Parker-Holder et al. 2020, "Provably Efficient Online Hyperparameter Optimization with Population-Based
    /// Bandits" (PB2), with time as one more coordinate of the kernel.
    ///
    /// ```
    /// use tryout::prelude::*;
    ///
    /// let pb2 = Pbt::new()
    ///     .time_attr("training_iteration")
    ///     .perturbation_interval(5.0)
    ///     .mutations(Space::new().with("lr", log_uniform(1e-4, 1e-1)))
    ///     .exploration(Exploration::Bandit);
    /// # let trainable = function("t", |config: Config, trial| { trial.report([("loss", config.get::<f64>("lr")?)])?; Ok(()) });
    /// let experiment = Experiment::new("four", trainable)
    ///     .space(Space::new().with("lr", log_uniform(1e-4, 1e-1)))
    ///     .samples(4)
    ///     .objective(Objective::min("loss"))
    ///     .scheduler(pb2);
    /// # experiment.run()?;
    /// # Ok::<(), RunError>(())
    /// ```
    #[cfg(feature = "gp")]
    Bandit,
}
