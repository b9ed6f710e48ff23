//! Which values of the configurations mattered.

use super::Results;
use crate::logic::metrics::Objective;
use crate::logic::metrics::importance::{Compared, ImportanceError, Importances, importance_of};

impl Results {
    /// How much each value of the configurations mattered for being among the best tenth of the trials, by the experiment's
    /// objective, trials being compared at equal iterations: see [`Compared::Equally`] and
    /// [`importance`](crate::logic::metrics::importance).
    ///
    /// ```
    /// use tryout::prelude::*;
    ///
    /// let square = function("square", |config: Config, trial| {
    ///     let x: f64 = config.get("x")?;
    ///     Ok(trial.report([("loss", x * x)])?)
    /// });
    /// let space = Space::new().with("x", uniform(-1.0, 1.0)).with("y", uniform(-1.0, 1.0));
    /// let experiment = Experiment::new("square", square).space(space).samples(60).seed(1);
    /// let results = experiment.objective(Objective::min("loss")).run()?;
    /// let found = results.importance()?;
    /// assert_eq!((found.trials, found.best, found.values[0].name.as_str()), (60, 6, "x"));
    /// assert!(found.values[0].share > 0.8);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If there is no objective, fewer than ten trials can be compared, or nothing differs.
    pub fn importance(&self) -> Result<Importances, ImportanceError> {
        let objective = self.objective.as_ref().ok_or(ImportanceError::NoObjective)?;
        self.importance_by(objective, Compared::Equally)
    }

    /// The same for any objective, trials being compared as `compared` says.
    ///
    /// # Errors
    /// If fewer than ten trials can be compared, or nothing differs.
    pub fn importance_by(&self, objective: &Objective, compared: Compared) -> Result<Importances, ImportanceError> {
        importance_of(&|| self.trials.iter(), self.settings.space_tried().as_ref(), objective, compared)
    }
}
