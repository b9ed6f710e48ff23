//! Asks a user's parts what they are before anything runs: a panic there is a wrong setting, and names the part.

use super::builder::Experiment;
use crate::error::SettingsError;
use crate::logic::engine::guarded;
use crate::logic::schedule::Scheduler;
use crate::logic::search::Searcher;
use crate::logic::stop::StopRule;
use crate::ports::backend::Backend;

/// Calls a part's method.
pub(super) fn ask<R>(part: &str, method: &'static str, call: impl FnOnce() -> R) -> Result<R, SettingsError> {
    guarded(call).map_err(|message| SettingsError::Panicked { part: part.to_owned(), method, message })
}

impl Experiment {
    /// Whether the parts that were given can be asked what they are, and the backend can work as it is set.
    pub(super) fn ask_parts(&self) -> Result<(), SettingsError> {
        let given = &self.given;
        backend(&*self.backend)?;
        given.searcher.as_ref().map_or(Ok(()), |part| searcher(&**part))?;
        given.scheduler.as_ref().map_or(Ok(()), |part| scheduler(&**part))?;
        given.stop.as_ref().map_or(Ok(()), |rules| stop_rules(rules))?;
        let trainable = self.backend.name().to_owned();
        let checked = ask(&trainable, "check", || self.backend.check())?;
        checked.map_err(|why| SettingsError::Backend { trainable, why })
    }
}

/// Asks all that is asked while an experiment is put together, or on the engine's thread.
fn backend(backend: &dyn Backend) -> Result<(), SettingsError> {
    let part = "what runs the trials";
    let name = ask(part, "name", || backend.name().to_owned())?;
    let part = format!("`{name}`");
    ask(&part, "metrics", || backend.metrics())?;
    ask(&part, "rests", || backend.rests())?;
    ask(&part, "places", || backend.places())?;
    ask(&part, "takes_objects", || backend.takes_objects())?;
    ask(&part, "resource_rule", || backend.resource_rule()).map(drop)
}

/// As [`backend`].
fn searcher(searcher: &dyn Searcher) -> Result<(), SettingsError> {
    let name = ask("the searcher", "name", || searcher.name().to_owned())?;
    let part = format!("the searcher `{name}`");
    ask(&part, "spec", || searcher.spec())?;
    ask(&part, "objectives", || searcher.objectives())?;
    ask(&part, "total", || searcher.total())?;
    ask(&part, "is_endless", || searcher.is_endless())?;
    ask(&part, "lookahead", || searcher.lookahead())?;
    ask(&part, "effort", || searcher.effort())?;
    Ok(())
}

/// As [`backend`].
fn scheduler(scheduler: &dyn Scheduler) -> Result<(), SettingsError> {
    let name = ask("the scheduler", "name", || scheduler.name().to_owned())?;
    let part = format!("the scheduler `{name}`");
    ask(&part, "spec", || scheduler.spec())?;
    ask(&part, "objectives", || scheduler.objectives())?;
    ask(&part, "replaces_configs", || scheduler.replaces_configs())?;
    ask(&part, "time_attr", || scheduler.time_attr().map(str::to_owned))?;
    ask(&part, "buffering", || scheduler.buffering())?;
    Ok(())
}

/// As [`backend`].
fn stop_rules(rules: &[Box<dyn StopRule>]) -> Result<(), SettingsError> {
    rules.iter().enumerate().try_for_each(|(index, rule)| {
        let part = format!("stop rule {index}");
        ask(&part, "spec", || rule.spec())?;
        ask(&part, "deadline", || rule.deadline())?;
        Ok(())
    })
}
