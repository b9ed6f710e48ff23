//! What is made of the results of a run: what mattered, and pictures.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod importance;
#[cfg(feature = "plot")]
mod pictures;
