//! Pictures of the results.

use super::{Results, ResultsError};
use crate::edge::plot::{self, Picture, Source, View};
use crate::logic::metrics::Objective;
use crate::logic::metrics::importance::Compared;

impl Results {
    /// A picture of the results by the experiment's objective. Where there is nothing to draw, it says why.
    ///
    /// ```
    /// use tryout::plot::View;
    /// use tryout::prelude::*;
    ///
    /// let square = function("square", |config: Config, trial| {
    ///     let x: f64 = config.get("x")?;
    ///     Ok(trial.report([("loss", x * x)])?)
    /// });
    /// let space = Space::new().with("x", uniform(-1.0, 1.0));
    /// let experiment = Experiment::new("square", square).space(space).samples(20).seed(1);
    /// let results = experiment.objective(Objective::min("loss")).run()?;
    /// let picture = results.plot(View::History);
    /// assert_eq!(picture.title(), "square: loss by trial (lower is better), 20 trials");
    /// # let dir = tempfile::tempdir()?;
    /// # let dir = dir.path();
    /// picture.write(dir.join("history.svg"))?;
    /// picture.write(dir.join("history.png"))?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn plot(&self, view: View) -> Picture {
        match &self.objective {
            Some(objective) => self.plot_by(view, objective),
            None => plot::empty(&self.name, &ResultsError::NoObjective.to_string()),
        }
    }

    /// The same by any metric.
    pub fn plot_by(&self, view: View, objective: &Objective) -> Picture {
        let importance = || self.importance_by(objective, Compared::Equally);
        let (name, trials, space) = (self.name.as_str(), self.trials.as_slice(), self.settings.space_tried());
        plot::draw(view, &Source { name, trials, space: space.as_ref(), objective, importance: &importance })
    }
}
