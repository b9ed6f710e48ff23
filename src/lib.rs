//! Runs many long-lived trials (hyperparameter search, simulation sweeps, backtests) inside an actix application.
//!
//! A **trial** is one configuration under evaluation: an actor with an explicit state. A **worker** runs a trial for a
//! while and may be reused for another. A **trainable** is your code inside the worker.
//!
//! ```
//! use tryout::prelude::*;
//!
//! let parabola = function("parabola", |config: Config, trial| {
//!     let x = config.number("x").unwrap_or(0.0);
//!     for step in 1..=10 {
//!         trial.report([("loss", (x - 3.0).powi(2) + 1.0 / f64::from(step))])?;
//!     }
//!     Ok(())
//! });
//! let results = Experiment::new("parabola", parabola)
//!     .space(Space::new().with("x", uniform(-10.0, 10.0)))
//!     .samples(20)
//!     .objective(Objective::min("loss"))
//!     .run()?;
//! println!("best: {}", results.best()?.config);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! - To run an experiment: [`Experiment`] and the [`prelude`].
//! - To control one that runs: [`ExperimentHandle`], or the [`Controller`](actors::Controller) actor behind it.
//! - To write a searcher, scheduler, stop rule, observer, backend or store: [`extend`], and `testing` (a feature) with
//!   the simulator and the conformance suites.
//!
//! The layout of the source, and why it is so, is told in `ARCHITECTURE.md`.

pub mod actors;
pub mod edge;
mod error;
mod experiment;
pub mod extend;
pub mod logic;
pub mod ports;
pub mod prelude;
mod results;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

#[cfg(all(feature = "process", target_os = "linux"))]
pub use edge::worker;
pub use error::{ControlError, RunError, SettingsError};
pub use experiment::{Control, Existing, Experiment, ExperimentHandle};
pub use results::{Results, ResultsError};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
