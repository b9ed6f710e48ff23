//! Trials that whoever asks works on: what is given, and what is told.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::logic::config::Config;
use crate::logic::ids::{LeaseId, TrialId};

/// A trial that was given to whoever asked for one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct GivenTrial {
    /// The trial.
    pub trial: TrialId,
    /// Under which it is told of; no other trial and no other attempt ever has the same.
    pub lease: LeaseId,
    /// What to try.
    pub config: Arc<Config>,
    /// The number of its attempt, from 1: more than 1 if it was given before and was lost or failed.
    pub attempt: u32,
}

/// How a trial comes to its end, by the word of whoever works on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrialEnd {
    /// It has done all that there was to do.
    Done,
    /// It failed, for this reason.
    Failed(String),
}

/// What is to follow a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Next {
    /// The trial goes on.
    GoOn,
    /// The trial is over for whoever works on it: it was stopped or paused, or has ended by their own word.
    Stop,
}
