//! What all trials of an experiment have in common.

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::logic::objects::Objects;
use crate::logic::settings::Settings;

/// What all trials of an experiment have in common.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TrialSettings {
    /// The experiment's settings.
    pub experiment: Arc<Settings>,
    /// When a worker that was answered and left is at rest.
    pub rests: Rests,
    /// What configurations name.
    pub objects: Objects,
    /// The run's directory, in which each trial has one of its own, named by its id.
    pub directory: Option<PathBuf>,
}

/// When a worker is at rest whose trial leaves it between two orders.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rests {
    /// At once: it waits for orders and has nothing to put away.
    #[default]
    AtOnce,
    /// When it says so: a closure has to come to its end first.
    WhenReleased,
}

/// What a trial exports of its final state before it leaves its worker, when it is done, or its stop lets it finish its step.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Export {
    /// It doesn't.
    #[default]
    No,
    /// The format `model`.
    AtEnd,
    /// These formats, by their names, in this order.
    Formats(Vec<String>),
}

impl Export {
    /// These formats.
    pub fn formats(names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self::Formats(names.into_iter().map(Into::into).collect())
    }

    /// The names of the formats.
    pub fn names(&self) -> Arc<[String]> {
        match self {
            Export::No => Arc::default(),
            Export::AtEnd => Arc::new(["model".to_owned()]),
            Export::Formats(names) => names.clone().into(),
        }
    }

    /// Whether anything is exported.
    pub fn is_on(&self) -> bool {
        match self {
            Export::No => false,
            Export::AtEnd => true,
            Export::Formats(names) => !names.is_empty(),
        }
    }
}
