//! `tryout tag`, `note`, `archive`: what a person says of a run. It stands in `labels.json` in the run's directory.

use std::collections::BTreeSet;
use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::open::{Which, run_at};
use super::table::clean;
use super::{Problem, json_line};

/// The file in a run's directory.
const FILE: &str = "labels.json";

/// What is said of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Labels {
    /// Words of theirs.
    #[serde(default)]
    pub(crate) tags: BTreeSet<String>,
    /// What they noted.
    #[serde(default)]
    pub(crate) note: String,
    /// Whether `tryout list` leaves it out.
    #[serde(default)]
    pub(crate) archived: bool,
}

/// With `--json`: what is said of a run now.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Labelled<'r> {
    /// The run's directory.
    dir: &'r Path,
    labels: &'r Labels,
}

impl Labels {
    /// Those of a run; none are empty ones.
    pub(crate) fn read(dir: &Path) -> Result<Self, Problem> {
        let path = dir.join(FILE);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(Problem::Failed(format!("`{}` can't be read: {error}", path.display()))),
        };
        serde_json::from_str(&text)
            .map_err(|error| Problem::Given(format!("`{}` isn't what `tryout tag` writes: {error}", path.display())))
    }

    /// Readers see the old ones or the new ones.
    fn write(&self, dir: &Path) -> Result<(), Problem> {
        let (path, aside) = (dir.join(FILE), dir.join(format!(".{FILE}.{}", std::process::id())));
        let written = fs::write(&aside, serde_json::to_string(self)?).and_then(|()| fs::rename(&aside, &path));
        written.map_err(|error| {
            // It may not be there at all.
            let _ = fs::remove_file(&aside);
            Problem::Failed(format!("`{}` can't be written: {error}", path.display()))
        })
    }

    fn tell(&self, dir: &Path, as_json: bool) -> Result<(), Problem> {
        let mut out = std::io::stdout().lock();
        if as_json {
            return json_line(&mut out, &Labelled { dir, labels: self });
        }
        let tags: Vec<&str> = self.tags.iter().map(String::as_str).collect();
        let tags = if tags.is_empty() { "none".to_owned() } else { clean(&tags.join(", ")) };
        writeln!(out, "{}: tags: {tags}", dir.display())?;
        if !self.note.is_empty() {
            writeln!(out, "note: {}", clean(&self.note))?;
        }
        Ok(())
    }
}

/// Shows a run's tags, or gives it more; `tryout list --tag TAG` finds it by them.
#[derive(Debug, Args)]
pub(crate) struct Tag {
    /// Words of yours.
    tags: Vec<String>,
    /// Takes these away.
    #[arg(long, requires = "tags")]
    remove: bool,
    #[command(flatten)]
    which: Which,
    /// Writes JSON.
    #[arg(long)]
    json: bool,
}

impl Tag {
    pub(crate) fn carry_out(self) -> Result<ExitCode, Problem> {
        let dir = self.which.find()?;
        let mut labels = Labels::read(&dir)?;
        let only_shown = self.tags.is_empty();
        for tag in self.tags {
            if tag.trim().is_empty() || tag.chars().any(|letter| letter == ',' || letter.is_control()) {
                return Err(Problem::Given(format!("{tag:?} can't be a tag: it needs a word without commas")));
            }
            if self.remove {
                labels.tags.remove(&tag);
            } else {
                labels.tags.insert(tag);
            }
        }
        if !only_shown {
            labels.write(&dir)?;
        }
        labels.tell(&dir, self.json)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Shows what was noted of a run, or notes something else.
#[derive(Debug, Args)]
pub(crate) struct Note {
    /// It takes the place of what was noted before; an empty text takes that away.
    text: Option<String>,
    #[command(flatten)]
    which: Which,
    /// Writes JSON.
    #[arg(long)]
    json: bool,
}

impl Note {
    pub(crate) fn carry_out(self) -> Result<ExitCode, Problem> {
        let dir = self.which.find()?;
        let mut labels = Labels::read(&dir)?;
        if let Some(text) = self.text {
            labels.note = text;
            labels.write(&dir)?;
        }
        labels.tell(&dir, self.json)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Leaves runs out of `tryout list`; nothing of them is moved or deleted.
#[derive(Debug, Args)]
pub(crate) struct Archive {
    /// Their directories.
    #[arg(required = true, value_name = "DIR")]
    runs: Vec<PathBuf>,
    /// Shows them again.
    #[arg(long)]
    undo: bool,
}

impl Archive {
    pub(crate) fn carry_out(self) -> Result<ExitCode, Problem> {
        let runs: Vec<PathBuf> = self.runs.into_iter().map(run_at).collect::<Result<_, _>>()?;
        let mut out = std::io::stdout().lock();
        for dir in runs {
            let labels = Labels { archived: !self.undo, ..Labels::read(&dir)? };
            labels.write(&dir)?;
            writeln!(out, "{}: {}", dir.display(), if self.undo { "listed again" } else { "archived" })?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
