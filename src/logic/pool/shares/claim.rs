//! What a run says of itself to those that it shares a host with, and what it is told.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::logic::pool::request::ResourceRequest;
use crate::logic::pool::resources::{Amount, Resources};
use crate::logic::pool::units;

/// The most that a run may hold of what it shares with others. What isn't shared isn't named, and not limited.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub struct Cap {
    /// How much of what, GPUs aside.
    #[serde(with = "units")]
    #[cfg_attr(feature = "cli", schemars(with = "std::collections::BTreeMap<String, units::Written<f64>>"))]
    pub amounts: Resources,
    /// The names of what is limited, GPUs aside: also those of which there is nothing for it.
    pub names: BTreeSet<String>,
    /// The indices of the GPUs that it may use; none if GPUs aren't shared.
    pub gpus: Option<BTreeSet<u32>>,
}

impl Cap {
    /// All of a host.
    pub fn all(host: &Resources) -> Self {
        let mut amounts = host.amounts();
        amounts.set("gpu", Amount::ZERO);
        let gpus: BTreeSet<u32> = host.gpus().into_iter().collect();
        Self { names: names(host), amounts, gpus: Some(gpus).filter(|gpus| !gpus.is_empty()) }
    }

    /// Nothing of a host.
    pub fn nothing(host: &Resources) -> Self {
        let all = Self::all(host);
        Self { amounts: Resources::new(), names: all.names, gpus: all.gpus.map(|_| BTreeSet::new()) }
    }

    /// How much of it, if it is limited.
    pub(in crate::logic::pool) fn most(&self, name: &str) -> Option<Amount> {
        self.names.contains(name).then(|| self.amounts.get(name))
    }
}

impl fmt::Display for Cap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let gpus = self.gpus.iter().flatten().copied();
        fmt::Display::fmt(&self.amounts.clone().with_gpus(gpus), f)
    }
}

/// The names of what there is, GPUs aside.
fn names(host: &Resources) -> BTreeSet<String> {
    host.iter().map(|(name, _)| name.to_owned()).filter(|name| name != "gpu").collect()
}

/// What a run holds, and what it could use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claim {
    /// What its trials have and wait for: the kinds that have workers first, then those in its line.
    pub wants: Vec<Wanted>,
    /// All that its workers hold, GPUs aside.
    pub held: Resources,
    /// What of it its trials have.
    pub busy: Resources,
    /// The GPUs of which its workers have something, and whether trials do.
    pub gpus: BTreeMap<u32, InUse>,
    /// The GPUs that it can use at all.
    pub may_use: BTreeSet<u32>,
    /// How often one of its trials was granted a worker.
    pub grants: u64,
}

/// Who has something of a GPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum InUse {
    /// Workers without a trial: they are idle, come to rest or end.
    Idle,
    /// Trials.
    Busy,
}

/// Equal requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// What each asks for.
    pub request: Arc<ResourceRequest>,
    /// How many have it.
    pub running: usize,
    /// How many wait for it.
    pub waiting: usize,
}

impl Claim {
    /// The cores of its trial if it has only one, and that needs nothing else: by the rule of the pool it can always run.
    pub(super) fn always_runs(&self) -> Amount {
        let mut running = self.wants.iter().filter(|wanted| wanted.running > 0);
        match (running.next(), running.next()) {
            (Some(Wanted { request, running: 1, .. }), None)
                if request.total().iter().all(|(name, _)| name == "cpu") =>
            {
                self.busy.get("cpu")
            }
            _ => Amount::ZERO,
        }
    }

    /// Whether no trial of it has anything, and some wait.
    pub(super) fn starves(&self) -> bool {
        self.wants.iter().all(|wanted| wanted.running == 0) && self.wants.iter().any(|wanted| wanted.waiting > 0)
    }
}

/// A word to a run: from now on this is the most.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowed {
    /// It grows with each word; what has a smaller number came too late.
    pub version: u64,
    /// The most; none if it shares with nobody.
    pub cap: Option<Arc<Cap>>,
}
