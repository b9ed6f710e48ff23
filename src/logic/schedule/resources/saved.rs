//! What is kept of shares between sessions, and the settings as data.

use std::collections::VecDeque;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::shares::{Share, Shares};
use super::{NAME, ResourceChanging, Run, Settings};
use crate::logic::ids::{RunId, TrialId};
use crate::logic::pool::ResourceRequest;
use crate::logic::schedule;
use crate::logic::spec::{PartSpec, SpecError};
use crate::logic::state::{Float, PartState, StateError, common_run, pack, unpack};

#[derive(Debug, Serialize, Deserialize)]
struct Saved {
    run: RunId,
    shares: Vec<SavedShare>,
    new: Vec<u32>,
    changed: VecDeque<u32>,
    inner: PartState,
}

/// The trial, what it asked for, its units on top, its score.
type SavedShare = (u32, Arc<ResourceRequest>, u64, Option<Float>);

#[derive(Debug, Serialize, Deserialize)]
struct Described {
    #[serde(flatten)]
    settings: serde_json::Value,
    inner: PartSpec,
}

pub(super) fn spec(settings: &Settings, inner: PartSpec) -> Option<PartSpec> {
    PartSpec::new(NAME, &Described { settings: serde_json::to_value(settings).ok()?, inner })
}

impl ResourceChanging {
    pub(in crate::logic::schedule) fn from_spec(spec: &PartSpec) -> Result<Self, SpecError> {
        let Described { settings, inner } = spec.read()?;
        let settings = PartSpec { kind: NAME.into(), settings }.read()?;
        Ok(Self::from_settings(schedule::from_spec(&inner)?, settings))
    }

    pub(super) fn saved(&self) -> Option<PartState> {
        let Run { shares, new, changed } = &self.run;
        let trials = || shares.iter().map(|(trial, _)| trial).chain(new.iter().copied()).chain(changed.iter().copied());
        let one = |(trial, share): (TrialId, &Share)| {
            (trial.number(), share.base.clone(), share.units, share.score.map(Float))
        };
        let state = Saved {
            run: common_run(trials())?,
            shares: shares.iter().map(one).collect(),
            new: new.iter().map(|trial| trial.number()).collect(),
            changed: changed.iter().map(|trial| trial.number()).collect(),
            inner: self.inner.save()?,
        };
        pack(NAME, &state)
    }

    pub(super) fn take_up(&mut self, state: PartState) -> Result<(), StateError> {
        let saved: Saved = unpack(NAME, state)?;
        self.inner.restore(saved.inner)?;
        let id = |number| TrialId::new(saved.run, number);
        let mut shares = Shares::new(self.settings.limit);
        for (number, base, units, score) in saved.shares {
            let unit = self.unit_of(&base);
            shares.set(id(number), Share { base, units, score: score.map(|score| score.0) }, &unit);
        }
        let (new, changed) = (saved.new.into_iter().map(id).collect(), saved.changed.into_iter().map(id).collect());
        self.run = Run { shares, new, changed };
        Ok(())
    }
}
