//! The page's server over plain HTTP: what it answers, and each of its rules with the attack that it is against.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

#[path = "../common/mod.rs"]
mod common;

mod limits;
mod live;
mod mounted;
mod orders;
mod rules;
mod site;
