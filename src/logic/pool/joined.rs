//! How workers from elsewhere stand.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::fleet::Origin;
use super::kinds::KindId;
use super::machine::Pool;
use super::request::ResourceRequest;
use super::units;
use super::worker::WorkerState;

/// How workers of one shape from elsewhere stand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub struct Joined {
    /// What each of them has.
    #[serde(with = "units")]
    #[cfg_attr(feature = "cli", schemars(with = "units::RequestForm"))]
    pub shape: Arc<ResourceRequest>,
    /// How many are wanted: those that have a trial, and one for each request that waits.
    pub wanted: usize,
    /// How many have joined and are idle.
    pub idle: usize,
    /// How many have joined, those that are ending included.
    pub joined: usize,
    /// What is heard of those that haven't joined yet, in the words of whoever was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub says: Option<Arc<str>>,
}

impl fmt::Display for Joined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { shape, wanted, idle, joined, says } = self;
        write!(f, "{joined} workers of {shape} have joined, {idle} of them idle; {wanted} are wanted")?;
        says.as_ref().filter(|_| wanted > joined).map_or(Ok(()), |says| write!(f, "; {says}"))
    }
}

impl Pool {
    /// How workers from elsewhere stand, shape by shape.
    pub fn joined(&self) -> Vec<Joined> {
        let Some(elsewhere) = &self.elsewhere else { return Vec::new() };
        let stands = |(kind, request): (KindId, &Arc<ResourceRequest>)| {
            let guests =
                || self.fleet.iter().filter(move |worker| worker.kind == kind && worker.origin == Origin::Elsewhere);
            let joined = Joined {
                shape: request.clone(),
                wanted: elsewhere.wanted.get(request).copied().unwrap_or_default(),
                idle: guests().filter(|worker| worker.state == WorkerState::Idle).count(),
                joined: guests().count(),
                says: None,
            };
            (joined.wanted + joined.joined > 0).then_some(joined)
        };
        self.kinds.in_use().filter_map(stands).collect()
    }
}
