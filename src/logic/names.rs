//! What trials are called besides their ids.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::config::Config;
use super::engine::guarded;
use super::ids::TrialId;

/// What trials are called besides their ids, as data. In JSON: `"tag"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TrialNames {
    /// By its number and what was decided for it: [`tag`](crate::logic::space::tag), as in `3_lr=0.1235,opt=sgd`. A long one is cut off.
    Tag,
}

/// Says what a trial is called.
pub type NameRule = Arc<dyn Fn(TrialId, &Config) -> String + Send + Sync>;

/// A name has at most so many bytes.
const LONGEST: usize = 120;

/// The tag, if it is longer, up to here.
pub(crate) fn cut_off(mut tag: String) -> String {
    // It has only ASCII letters.
    tag.truncate(LONGEST);
    tag
}

/// Names trials: all differ, and each can be a file's name.
#[derive(Clone, Default)]
pub(crate) struct Namer {
    rule: Option<NameRule>,
    /// In small letters: some file systems don't tell them apart.
    taken: BTreeSet<String>,
}

impl std::fmt::Debug for Namer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Namer").field("taken", &self.taken).finish_non_exhaustive()
    }
}

impl Namer {
    /// By this rule; without one, trials have only their ids.
    pub(crate) fn new(rule: Option<NameRule>) -> Self {
        Self { rule, taken: BTreeSet::new() }
    }

    /// A trial of an earlier session has this name.
    pub(crate) fn take(&mut self, name: &str) {
        if self.rule.is_some() {
            self.taken.insert(name.to_lowercase());
        }
    }

    /// The name of a trial, if trials have names. One that another trial has is followed by the trial's number.
    ///
    /// # Errors
    /// If it can't be a file's name, or the function that says it panics.
    pub(crate) fn name(&mut self, trial: TrialId, config: &Config) -> Result<Option<Arc<str>>, String> {
        let Some(rule) = &self.rule else { return Ok(None) };
        let said = guarded(|| rule(trial, config)).map_err(|why| format!("what it is called can't be asked: {why}"))?;
        if !is_safe(&said) {
            return Err(format!(
                "its name would be `{said}`; a name has 1 to {LONGEST} letters and digits of ASCII, `.`, `_`, `-`, `=`, `,` and `+`, \
                 and begins with none of `.` and `-`"
            ));
        }
        let mut name = said;
        while !self.taken.insert(name.to_lowercase()) {
            name = format!("{name}_{}", trial.number());
        }
        Ok(Some(name.into()))
    }
}

fn is_safe(name: &str) -> bool {
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '_' | '-' | '=' | ',' | '+');
    (1..=LONGEST).contains(&name.len()) && name.chars().all(allowed) && !name.starts_with(['.', '-'])
}
