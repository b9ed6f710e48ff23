//! A launcher out of command lines: submit, list and cancel, with names in braces where the values go.

mod fill;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use regex_lite::Regex;
use serde::{Deserialize, Serialize};

use super::call::{Called, call};
use super::shell;
use crate::logic::launch::{LaunchError, LaunchListed, LaunchState};
use crate::ports::launcher::{LaunchJob, Launcher};

use fill::{Values, fill_script, fill_words, wrong_name};

/// The command lines of a launcher. Every word is one argument: nothing passes through a shell, so values need no quotes.
///
/// | name | what takes its place |
/// |---|---|
/// | `{command}` | as a word of its own: the agent and its arguments, each a word. Inside of a word, and in the script: quoted for a shell |
/// | `{script}` | lines of shell that start all workers of the job, each with its own GPUs |
/// | `{name}`, `{job}` | the job's name, `tryout-3fa01-12`, and its number |
/// | `{n}` | how many workers it has |
/// | `{cpus}`, `{gpus}`, `{memory}`, `{bytes}` | what all of them need: cores, GPUs, memory in MiB and in bytes |
/// | `{time}`, `{minutes}`, `{seconds}` | the time that it may take: `04:00:00`, 240, 14400 |
/// | `{join}` | the join file |
/// | `{output}` | the file for the job's output |
/// | `{prefix}` | in `list`: how the names of this run's jobs begin |
/// | `{id}`, `{ids}` | in `cancel`: one job, in a command of its own; or all, each a word |
///
/// A word, or a line of the script, whose value isn't there (no memory, no GPUs, no time limit) is left out: write `--mem={memory}`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Template {
    /// What people call it.
    pub name: String,
    /// Submits a job.
    pub submit: Vec<String>,
    /// What `submit` gets on its standard input.
    #[serde(default)]
    pub script: Option<String>,
    /// A regular expression; its first group is the id in the answer of `submit`. Default: the first word of the last line.
    #[serde(default)]
    pub id: Option<String>,
    /// Shows all jobs, one in a line.
    pub list: Vec<String>,
    /// A regular expression for one of these lines, with groups `id`, `state`, `name` and `says`; the last two needn't be there. Without a
    /// name, jobs of an earlier session aren't found.
    pub line: String,
    /// States of a job that waits.
    #[serde(default)]
    pub waiting: Vec<String>,
    /// States of a job that has its resources. Every state that isn't named is that of a job that has ended.
    pub running: Vec<String>,
    /// States of a job that is being ended.
    #[serde(default)]
    pub ending: Vec<String>,
    /// Ends jobs. That they are gone already is no failure.
    pub cancel: Vec<String>,
    /// A regular expression: a complaint of `submit` that matches it is final. Every other is tried again.
    #[serde(default)]
    pub refused: Option<String>,
    /// The time that a job may take, in seconds.
    #[serde(default)]
    pub seconds: Option<u64>,
    /// The join file, if the commands need it.
    #[serde(default)]
    pub join: Option<PathBuf>,
    /// The most seconds that each command may take. Default: 60.
    #[serde(default)]
    pub patience: Option<u64>,
}

/// A launcher out of a [`Template`].
pub struct CommandLauncher {
    template: Template,
    id: Option<Regex>,
    line: Regex,
    refused: Option<Regex>,
    /// The names of this session's jobs, by their ids.
    names: BTreeMap<String, String>,
}

impl fmt::Debug for CommandLauncher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CommandLauncher").field("template", &self.template).finish_non_exhaustive()
    }
}

impl CommandLauncher {
    /// A launcher with these commands.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn new(template: Template) -> Result<Self, String> {
        let regex =
            |what: &str, text: &str| Regex::new(text).map_err(|error| format!("`{what}` isn't a pattern: {error}"));
        let id = template.id.as_deref().map(|text| regex("id", text)).transpose()?;
        let refused = template.refused.as_deref().map(|text| regex("refused", text)).transpose()?;
        let line = regex("line", &template.line)?;
        let has = |name: &str| line.capture_names().flatten().any(|known| known == name);
        if let Some(missing) = ["id", "state"].into_iter().find(|name| !has(name)) {
            return Err(format!("`line` has no group `{missing}`: write (?<{missing}>...)"));
        }
        for (what, words) in [("submit", &template.submit), ("list", &template.list), ("cancel", &template.cancel)] {
            if words.is_empty() {
                return Err(format!("`{what}` is empty: it is a command with its arguments"));
            }
            let wrong = words.iter().find_map(|word| wrong_name(what, word));
            wrong.map_or(Ok(()), |name| Err(format!("`{what}` names {{{name}}}, which isn't known there")))?;
        }
        let wrong = template.script.as_deref().and_then(|script| wrong_name("submit", script));
        wrong.map_or(Ok(()), |name| Err(format!("`script` names {{{name}}}, which isn't known there")))?;
        if !template.cancel.iter().any(|word| word.contains("{id}") || word == "{ids}") {
            return Err("`cancel` names neither {id} nor {ids}".to_owned());
        }
        Ok(Self { template, id, line, refused, names: BTreeMap::new() })
    }

    fn values(&self, job: &LaunchJob) -> Values {
        Values::of(job, self.template.seconds, self.template.join.as_deref())
    }

    fn call(&self, words: &[OsString], input: &str) -> Result<(Called, String), LaunchError> {
        let Some((program, arguments)) = words.split_first() else {
            return Err(LaunchError::Refused("there is no command".to_owned()));
        };
        let patience = Duration::from_secs(self.template.patience.unwrap_or(60));
        let called = call(Command::new(program).args(arguments), input, patience);
        let called = called.map_err(|error| LaunchError::Unavailable(error.to_string()))?;
        Ok((called, program.to_string_lossy().into_owned()))
    }

    fn id_in(&self, answer: &str) -> Option<String> {
        match &self.id {
            Some(pattern) => Some(pattern.captures(answer)?.get(1)?.as_str().to_owned()),
            None => answer.lines().rev().find_map(|line| line.split_whitespace().next()).map(str::to_owned),
        }
    }

    fn listed(&self, line: &str) -> Option<LaunchListed> {
        let found = self.line.captures(line.trim())?;
        let group = |name: &str| found.name(name).map(|found| found.as_str().trim().to_owned());
        let (id, state) = (group("id")?, group("state")?);
        let is = |words: &[String]| words.contains(&state);
        let of = match &self.template {
            Template { waiting, .. } if is(waiting) => LaunchState::Waiting,
            Template { running, .. } if is(running) => LaunchState::Running,
            Template { ending, .. } if is(ending) => LaunchState::Ending,
            _ => LaunchState::Ended,
        };
        let name = group("name").or_else(|| self.names.get(&id).cloned())?;
        let says = group("says").filter(|says| !says.is_empty()).unwrap_or(state);
        Some(LaunchListed { id, name, state: of, says, ends_in: None })
    }
}

impl Launcher for CommandLauncher {
    fn name(&self) -> &str {
        &self.template.name
    }

    fn submit(&mut self, job: &LaunchJob) -> Result<String, LaunchError> {
        let values = self.values(job);
        let script = self.template.script.as_deref().map_or(String::new(), |script| fill_script(script, &values));
        let (called, program) = self.call(&fill_words(&self.template.submit, &values), &script)?;
        if !called.succeeded {
            let words = called.words(&program);
            let is_final = self.refused.as_ref().is_some_and(|refused| refused.is_match(&words));
            return Err(if is_final { LaunchError::Refused(words) } else { LaunchError::Unavailable(words) });
        }
        let Some(id) = self.id_in(&called.out) else {
            return Err(LaunchError::Refused(format!("there is no id in the answer of `{program}`: {:?}", called.out)));
        };
        self.names.insert(id.clone(), job.name.clone());
        Ok(id)
    }

    fn list(&mut self, prefix: &str) -> Result<Vec<LaunchListed>, LaunchError> {
        let (called, program) = self.call(&fill_words(&self.template.list, &Values::prefix(prefix)), "")?;
        if !called.succeeded {
            return Err(LaunchError::Unavailable(called.words(&program)));
        }
        Ok(called.out.lines().filter_map(|line| self.listed(line)).filter(|one| one.name.starts_with(prefix)).collect())
    }

    fn cancel(&mut self, ids: &[String]) -> Result<(), LaunchError> {
        let all = self.template.cancel.iter().any(|word| word == "{ids}");
        let calls = if all { vec![ids] } else { ids.chunks(1).collect() };
        let mut trouble = Ok(());
        for ids in calls {
            let (called, program) = self.call(&fill_words(&self.template.cancel, &Values::ids(ids)), "")?;
            if !called.succeeded {
                trouble = Err(LaunchError::Unavailable(called.words(&program)));
            }
        }
        trouble
    }

    fn dry_run(&self, job: &LaunchJob) -> String {
        let values = self.values(job);
        let line = shell::command_line(&fill_words(&self.template.submit, &values));
        match &self.template.script {
            Some(script) => format!("{line} <<'TRYOUT'\n{}TRYOUT\n", fill_script(script, &values)),
            None => format!("{line}\n"),
        }
    }

    fn check(&mut self) -> Result<(), String> {
        let names_join = |text: &String| text.contains("{join}");
        if self.template.join.is_none() && self.template.submit.iter().chain(&self.template.script).any(names_join) {
            return Err("the template names {join}, and there is no join file".to_owned());
        }
        self.list("tryout-").map(|_| ()).map_err(LaunchError::into_words)
    }
}

#[cfg(test)]
mod tests;
