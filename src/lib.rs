//! Runs many long-lived trials (hyperparameter search, simulation sweeps, backtests) inside an actix application.
//!
//! A **trial** is one configuration under evaluation: an actor with an explicit state. A **worker** runs a trial for a
//! while and may be reused for another. A **trainable** is your code inside the worker.
//!
//! ```
//! use tryout::prelude::*;
//!
//! let parabola = function("parabola", |config: Config, trial| {
//!     let x = config.get::<f64>("x")?;
//!     for step in 1..=10 {
//!         trial.report([("loss", (x - 3.0).powi(2) + 1.0 / f64::from(step))])?;
//!     }
//!     Ok(())
//! });
//! let results = Experiment::new("parabola", parabola)
//!     .space(Space::new().with("x", uniform(-10.0, 10.0)))
//!     .samples(20)
//!     .seed(1)
//!     .objective(Objective::min("loss"))
//!     .run()?;
//! println!("best: {}", results.best()?.config);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What do you want to do?
//!
//! | to | look at |
//! |---|---|
//! | run an experiment | [`Experiment`], and the [`prelude`] with all that it takes |
//! | try a closure, or a type that goes step by step and can be saved | [`function`](prelude::function), [`stepwise`](prelude::stepwise) with a [`Trainable`](prelude::Trainable); their twins that await, [`async_function`](prelude::async_function) and [`async_stepwise`](prelude::async_stepwise) |
//! | try a program of its own: in Rust, in Python, any command line | `process` and `command` in [`backend`], and `worker`, the other end (feature `process`, Unix) |
//! | say what is tried | [`Space`](prelude::Space) and the domains in [`space`]; [`Config`](prelude::Config) is one point of it |
//! | learn from results what to try next | [`search`]; `Tpe` is the first choice |
//! | stop bad trials early, or train a population | [`schedule`]: [`Asha`](prelude::Asha), [`Pbt`](prelude::Pbt) and others |
//! | say when it is over | [`stop`]; within a time, [`Experiment::time_limit`] |
//! | try again what failed | [`Experiment::max_failures`], [`failure`] |
//! | keep a run, and go on with it after a crash | [`Experiment::dir`], [`Experiment::resume`], [`Existing`] |
//! | go on with a run on another machine | `Experiment::cloud` (feature `cloud`) |
//! | keep checkpoints | [`Experiment::checkpoint_every`], [`store`] |
//! | share out cores, GPUs and other resources | [`Experiment::per_trial`], [`resources`] |
//! | watch a run | `Console`, [`observe`], [`event`] |
//! | control one that runs, from anywhere | [`Experiment::start`], [`ExperimentHandle`], [`Control`] |
//! | show runs in a browser, and steer them there | `web` (feature `web`) |
//! | read what came of it | [`Results`], [`TrialRecord`](prelude::TrialRecord); files for others in [`files`] |
//! | have a loop of your own, and only ask a searcher what to try | [`study`] |
//! | write a searcher, scheduler, stop rule, observer, backend or store | [`extend`]; `testing` (a feature) with the simulator and the conformance suites |
//!
//! # Features
//!
//! | feature | what it adds |
//! |---|---|
//! | `console` (default) | `Console`: the progress line and the final table |
//! | `process` (default) | trials in processes, on Unix |
//! | `gp`, `cma-es`, `sobol`; `search` has them all | more searchers that learn, and quasi-random points; `gp` also gives PB2 |
//! | `cloud`; `cloud-aws`, `cloud-gcp`, `cloud-azure` | checkpoints and copies of runs in an object store, and the clients for three of them |
//! | `parquet` | `results.parquet` |
//! | `plot` | pictures of a run, as SVG and PNG |
//! | `web`, `tls` | the page of runs, as a scope of an actix-web application and as a server; `tls` for the server |
//! | `testing` | the simulator, scripted trainables, conformance suites |
//!
//! The layout of the source, and why it is so, is told in `ARCHITECTURE.md`; `docs/from-ray.md` has Ray Tune's names and ours.

#![cfg_attr(docsrs, feature(doc_cfg))]

#[doc(hidden)]
pub mod actors;
#[doc(hidden)]
pub mod edge;
mod error;
mod experiment;
pub mod extend;
mod failed;
#[doc(hidden)]
pub mod logic;
mod paths;
#[doc(hidden)]
pub mod ports;
pub mod prelude;
mod results;
pub mod study;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

#[cfg(all(feature = "process", unix))]
pub use edge::worker;
pub use error::{ControlError, RunError, SettingsError};
#[cfg(all(feature = "cli", target_os = "linux"))]
pub use experiment::file::{ExperimentFile, FileError, Preview, Previewed, assign, schema};
pub use experiment::{Control, Existing, Experiment, ExperimentHandle, GivenCheckpoint, NotImported};
pub use failed::FailedTrials;
#[cfg(all(feature = "remote", unix))]
pub use paths::launch;
#[cfg(feature = "plot")]
pub use paths::plot;
#[cfg(all(feature = "remote", unix))]
pub use paths::remote;
#[cfg(feature = "web")]
pub use paths::web;
pub use paths::{
    api, backend, event, failure, files, metrics, observe, resources, schedule, search, settings, space, state, stop,
    store,
};
pub use results::{Results, ResultsError, TrialResults};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
