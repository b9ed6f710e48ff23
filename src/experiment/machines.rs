//! Workers and what there is to run on: settings of the pool, and what of it can be changed while the run goes on.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use super::builder::Experiment;
use super::handle::Control;
use crate::error::ControlError;
use crate::logic::engine::ClientOrder;
use crate::logic::ids::TrialId;
use crate::logic::pool::{ResourceRequest, Resources};

impl Experiment {
    /// How often a request that waits for resources may be overtaken by later ones that ask for less; with 0 the line is strict.
    /// Default: 16.
    #[must_use]
    pub fn overtaking(mut self, most: u32) -> Self {
        self.settings.overtaking = most;
        self
    }

    /// How long a worker that nobody uses is kept. Default: as long as there may be trials for it, and nobody needs its resources.
    #[must_use]
    pub fn idle_ttl(mut self, longest: Duration) -> Self {
        self.settings.idle_ttl = Some(longest);
        self
    }
}

impl Control {
    /// Changes what there is to run on. What trials hold they keep, also beyond that, until they leave their workers.
    ///
    /// # Errors
    /// If the run is over or can't have these resources, or a trial that hasn't ended could never run then.
    pub async fn set_resources(&self, total: Resources) -> Result<(), ControlError> {
        self.order(ClientOrder::Resources(total)).await.map(|_| ())
    }

    /// Changes how many trials are made ahead of workers, see [`Experiment::staged`]. Those that wait already still do.
    ///
    /// # Errors
    /// If the run is over.
    pub async fn set_staged(&self, most: NonZeroU32) -> Result<(), ControlError> {
        self.order(ClientOrder::Staged(most)).await.map(|_| ())
    }

    /// Changes what a trial needs. One that has a worker pauses at its next report, with a checkpoint if it can save, and goes
    /// on with a worker of its new size when there is room.
    ///
    /// # Errors
    /// If the run is over, or there is no such trial, or it has ended, or there can't be as much.
    pub async fn set_request(&self, trial: TrialId, request: ResourceRequest) -> Result<(), ControlError> {
        self.order(ClientOrder::Request(trial, Arc::new(request))).await.map(|_| ())
    }
}
