//! The page of a run, and what it is served from.

pub mod model;
