//! What a program gave as values of Rust: parts, and what isn't data. Their settings are data; what isn't said again on a
//! resume is made of those, and what is code has to be supplied.

use std::sync::Arc;

use super::builder::Experiment;
use super::imports::GivenCheckpoint;
use super::machines::Sharing;
use crate::edge::observe::ObserverHub;
use crate::error::SettingsError;
use crate::logic::config::Config;
use crate::logic::names::NameRule;
use crate::logic::objects::Objects;
use crate::logic::schedule::{self, Scheduler};
use crate::logic::search::{self, Searcher};
use crate::logic::settings::{OrCode, Settings, short_name};
use crate::logic::space::Space;
use crate::logic::spec::PartSpec;
use crate::logic::stop::{self, StopRule};
use crate::ports::observer::Observer;
use crate::ports::store::Store;

/// What a program has said itself; none of what it left open.
#[derive(Default)]
pub(super) struct Given {
    pub(super) space: Option<Space>,
    pub(super) points: Option<Vec<Config>>,
    /// Trials that begin from checkpoints of other runs.
    pub(super) points_from: Vec<(Config, GivenCheckpoint)>,
    pub(super) searcher: Option<Box<dyn Searcher>>,
    pub(super) scheduler: Option<Box<dyn Scheduler>>,
    pub(super) stop: Option<Vec<Box<dyn StopRule>>>,
    pub(super) observers: Vec<Box<dyn Observer>>,
    pub(super) objects: Objects,
    /// With the name of its type.
    pub(super) store: Option<(String, Arc<dyn Store>)>,
    /// What trials are called.
    pub(super) names: Option<NameRule>,
    /// With which other runs it shares the host.
    pub(super) sharing: Sharing,
    /// Workers that join from elsewhere.
    #[cfg(all(feature = "remote", unix))]
    pub(super) remote: Option<super::remote::Remote>,
    #[cfg(feature = "cloud")]
    pub(super) cloud: Option<crate::edge::cloud::CloudRun>,
}

/// The parts of a run.
pub(super) struct RunParts {
    pub(super) space: Option<Space>,
    pub(super) searcher: Option<Box<dyn Searcher>>,
    pub(super) scheduler: Box<dyn Scheduler>,
    pub(super) stop: Vec<Box<dyn StopRule>>,
}

impl Experiment {
    /// Writes down in the settings what was given, and asks for what the earlier session had and isn't there.
    pub(super) fn describe(&mut self) -> Result<(), SettingsError> {
        let Self { settings, given, backend, .. } = self;
        if let Some(space) = &given.space {
            let data = serde_json::to_value(space).is_ok();
            let stored = if data { OrCode::Data(space.clone()) } else { OrCode::Code("a space with functions".into()) };
            settings.space = Some(stored);
        }
        if let Some(points) = given.points.take() {
            settings.points = points;
        }
        if let Some(part) = &given.searcher {
            settings.searcher = Some(OrCode::part(part.spec(), part.name()));
        }
        if let Some(part) = &given.scheduler {
            settings.scheduler = OrCode::part(part.spec(), part.name());
        }
        if let Some(rules) = &given.stop {
            settings.stop = rules.iter().map(|rule| OrCode::part(rule.spec(), "a stop rule")).collect();
        }
        if let Some((name, _)) = &given.store {
            settings.store = Some(name.clone());
        }
        if let (None, Some(name)) = (&given.store, &settings.store) {
            return Err(supply("store", name));
        }
        match (&given.names, &settings.trial_names) {
            (Some(_), _) => settings.trial_names = Some(OrCode::Code("name_trials".to_owned())),
            (None, Some(OrCode::Code(name))) => return Err(supply("trial_names", name)),
            (None, _) => {}
        }
        settings.objects.iter().try_for_each(|name| given.objects.require(name))?;
        if let Some(name) = given.objects.names().next().filter(|_| !backend.takes_objects()) {
            let why = format!(
                "the object `{name}` lives in this process, and its trials are processes of their own: give them what they can \
                 load it by (a path, a key) as a value of the configuration, or run them on threads"
            );
            return Err(SettingsError::Backend { trainable: backend.name().to_owned(), why });
        }
        settings.objects = given.objects.names().map(str::to_owned).collect();
        let name =
            |(index, observer): (usize, &dyn Observer)| short_name(&ObserverHub::name_of(index, observer)).to_owned();
        settings.observers = given.observers.iter().map(AsRef::as_ref).enumerate().map(name).collect();
        Ok(())
    }
}

impl Given {
    /// Whether workers may join from elsewhere.
    pub(super) fn joinable(&self) -> bool {
        #[cfg(all(feature = "remote", unix))]
        return self.remote.is_some();
        #[cfg(not(all(feature = "remote", unix)))]
        false
    }

    /// The parts: those that weren't given are made of their settings.
    pub(super) fn take_parts(&mut self, settings: &Settings) -> Result<RunParts, SettingsError> {
        let searcher = |spec: &PartSpec| search::from_spec(spec);
        let scheduler = |spec: &PartSpec| schedule::from_spec(spec);
        let rule = |stored| part(stored, "stop", |spec: &PartSpec| stop::from_spec(spec));
        Ok(RunParts {
            space: match (self.space.take(), &settings.space) {
                (Some(space), _) => Some(space),
                (None, stored) => stored
                    .as_ref()
                    .map(|stored| part(stored, "space", |space| Ok::<_, SettingsError>(space.clone())))
                    .transpose()?,
            },
            searcher: match (self.searcher.take(), &settings.searcher) {
                (Some(part), _) => Some(part),
                (None, stored) => stored.as_ref().map(|stored| part(stored, "searcher", searcher)).transpose()?,
            },
            scheduler: match self.scheduler.take() {
                Some(part) => part,
                None => part(&settings.scheduler, "scheduler", scheduler)?,
            },
            stop: match self.stop.take() {
                Some(rules) => rules,
                None => settings.stop.iter().map(rule).collect::<Result<_, _>>()?,
            },
        })
    }
}

/// A part that is made of what is stored of it.
fn part<T, P, E: Into<SettingsError>>(
    stored: &OrCode<T>,
    setting: &'static str,
    make: impl FnOnce(&T) -> Result<P, E>,
) -> Result<P, SettingsError> {
    match stored {
        OrCode::Data(data) => make(data).map_err(Into::into),
        OrCode::Code(name) => Err(supply(setting, name)),
    }
}

fn supply(setting: &'static str, name: &str) -> SettingsError {
    SettingsError::Supply { setting, name: name.to_owned() }
}
