//! Suites that hold a searcher, scheduler, backend or store against its contract. Call them from a test of your own:
//!
//! ```
//! use tryout::extend::*;
//! use tryout::testing::conformance;
//!
//! #[derive(Debug)]
//! struct Mine;
//!
//! impl Scheduler for Mine {
//!     fn on_report(&mut self, _: TrialId, report: &Report, _: &dyn Cohort) -> Verdict {
//!         if report.iteration() == 3 { Verdict::stop("three are enough") } else { Verdict::CONTINUE }
//!     }
//! }
//!
//! conformance::scheduler(|| Box::new(Mine));
//! ```
//!
//! A suite panics at the first rule that is broken, and names it.

mod backend;
mod scheduler;
mod searcher;
mod store;

pub use backend::{BackendCase, backend};
pub use scheduler::scheduler;
pub use searcher::searcher;
pub use store::store;
