//! What is answered of one run: the JSON of every `GET` below `api/runs/KEY`, as `docs/http.md` says it.
//!
//! Numbers that aren't finite are `null`, times are seconds since the run's start, trials are named by their numbers.

mod judged;
mod run;
mod trials;

use serde::Serialize;
use utoipa::ToSchema;

pub use judged::*;
pub use run::*;
pub use trials::*;

/// What has changed since a position.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Delta {
    /// How far the run was read.
    pub position: u64,
    /// The header as it is now.
    pub header: Header,
    /// Of the trials those alone that have changed.
    pub trials: Columns,
}
