//! What a trainable asks for by itself: asked on the engine's thread, where its panic must come to no more than a failed trial.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::de::DeserializeOwned;

use super::contain::contain_fault;
use crate::logic::config::Config;
use crate::logic::failure::{FailureKind, Fault};
use crate::logic::one_line::OneLine;
use crate::logic::pool::ResourceRequest;
use crate::ports::backend::ResourceRule;

/// The `default_resources` of a trainable.
#[derive(Debug)]
pub(in crate::edge) struct OwnRequest<C> {
    ask: fn(&C) -> Option<ResourceRequest>,
    /// Whether any trial couldn't be asked.
    failed: Arc<AtomicBool>,
}

impl<C> Clone for OwnRequest<C> {
    fn clone(&self) -> Self {
        Self { ask: self.ask, failed: self.failed.clone() }
    }
}

impl<C: DeserializeOwned + 'static> OwnRequest<C> {
    pub(super) fn new(ask: fn(&C) -> Option<ResourceRequest>) -> Self {
        Self { ask, failed: Arc::default() }
    }

    /// What a trial asks for. One that can't be asked, because its configuration is wrong or its own code panics, begins with
    /// what the experiment gives to all, and fails as it begins.
    pub(super) fn rule(&self) -> ResourceRule {
        let this = self.clone();
        Arc::new(move |config| {
            this.asked(config).unwrap_or_else(|fault| {
                this.failed.store(true, Ordering::Relaxed);
                log::warn!("a trial can't be asked what it needs, and will fail: {}", OneLine(&fault));
                None
            })
        })
    }

    /// On a worker, where it is the trial's own failure: whether the trial can be asked what it needs.
    pub(super) fn check(&self, config: &Config) -> Result<(), Fault> {
        if self.failed.load(Ordering::Relaxed) { self.asked(config).map(drop) } else { Ok(()) }
    }

    fn asked(&self, config: &Config) -> Result<Option<ResourceRequest>, Fault> {
        contain_fault(|| {
            let config: C = config.parse().map_err(|error| Fault::new(FailureKind::SetupFailed, error.to_string()))?;
            Ok((self.ask)(&config))
        })
    }
}
