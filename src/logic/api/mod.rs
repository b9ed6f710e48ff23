//! What can be asked of a run from outside, and what is answered: values that a program elsewhere can send and read.
//!
//! `docs/control.md` describes their JSON form.

mod asked;
mod request;
mod status;
mod view;

pub use asked::{GivenTrial, Next, TrialEnd};
pub use request::{Answer, Refusal, Request, RunName};
pub use status::{PoolStatus, RunStatus, TrialStatus};
pub use view::TrialView;
