//! What was run, for whoever must say it later: the program, its arguments, the machine, the state of the source.
//!
//! Each session of a run in a directory writes `<run>/provenance/0001.json`, with the session's number. What costs nothing is in it
//! before the first trial. What takes a while (git, hashes, `pip freeze`) is looked up on a thread of its own, once for each process and
//! program, and the file is then replaced by a complete one. Nothing waits for that, and nothing fails with it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError, TryLockError};
use std::thread::JoinHandle;

use serde::{Deserialize, Serialize};

use super::{host, plain_file};
use crate::logic::one_line::OneLine;

mod look;
mod sha256;

/// SHA-256 of some bytes, in hex.
#[cfg(any(feature = "remote", feature = "web"))]
pub(crate) fn hash(bytes: &[u8]) -> String {
    // Bytes in memory can always be read.
    sha256::of(bytes).map(|(sum, _)| sum).unwrap_or_default()
}

/// The folder in a run's directory.
const FOLDER: &str = "provenance";

/// What one session of a run was: as data, and the form of its file. What isn't known is empty or null.
///
/// The arguments of the command line stand there as they were given: don't hand over secrets as arguments.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Provenance {
    /// The session, from 1: each resume begins another.
    pub session: u32,
    /// When it began, in seconds since 1970.
    pub time: f64,
    /// The command line, the program first.
    pub command: Vec<String>,
    /// The working directory.
    pub directory: String,
    /// The machine's name.
    pub host: String,
    /// The system and the processor, as in `linux x86_64`.
    pub system: String,
    /// The process.
    pub pid: u32,
    /// This crate's version.
    pub tryout: String,
    /// What is run: the trainable's name.
    pub trainable: String,
    /// How trials are started, if they are processes: the program, then its arguments.
    pub program: Vec<String>,
    /// Whether the fields below were looked up to the end. A process that ended before leaves them empty.
    pub complete: bool,
    /// What the program says that it is, if it is a Python: the first line of `python --version`.
    pub version: Option<String>,
    /// The files that are run: this program where trials are threads; else the trials' program, if it is given as a path, and each of
    /// its arguments that is a file.
    pub files: Vec<FileSum>,
    /// Where the working directory is in a git repository: in which state.
    pub git: Option<GitState>,
    /// The nearest `Cargo.lock` in the working directory or above it.
    pub cargo_lock: Option<FileSum>,
    /// What `pip freeze` says of the trials' Python.
    pub pip_freeze: Option<PipFreeze>,
}

/// A file, and what was in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FileSum {
    /// Where it was.
    pub path: String,
    /// How many bytes it had.
    pub bytes: u64,
    /// When it was changed last, in whole seconds since 1970.
    pub modified: u64,
    /// Its SHA-256 in hexadecimal digits; none for one of more than 16 MiB.
    pub sha256: Option<String>,
}

/// The state of a git repository.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct GitState {
    /// The commit that was checked out.
    pub commit: String,
    /// Whether a file that git tracks was changed since.
    pub dirty: bool,
}

/// The packages of a Python.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PipFreeze {
    /// How many there were.
    pub packages: usize,
    /// The SHA-256 of what `pip freeze` printed, in hexadecimal digits.
    pub sha256: String,
}

/// What takes a while to find out.
#[derive(Clone, Debug, Default)]
struct Slow {
    version: Option<String>,
    files: Vec<FileSum>,
    git: Option<GitState>,
    cargo_lock: Option<FileSum>,
    pip_freeze: Option<PipFreeze>,
}

/// What was looked up in this process, by working directory and program: that was its state when the program was started.
static KNOWN: Mutex<BTreeMap<(PathBuf, Vec<OsString>), Slow>> = Mutex::new(BTreeMap::new());

impl Provenance {
    fn new(session: u32, trainable: &str, program: &[OsString], directory: &Path) -> Self {
        let text = |text: OsString| text.to_string_lossy().into_owned();
        Self {
            session,
            time: host::since_1970().as_secs_f64(),
            command: std::env::args_os().map(text).collect(),
            directory: directory.display().to_string(),
            host: host::known_name(),
            system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            pid: std::process::id(),
            tryout: env!("CARGO_PKG_VERSION").to_owned(),
            trainable: trainable.to_owned(),
            program: program.iter().cloned().map(text).collect(),
            ..Self::default()
        }
    }

    fn with(self, Slow { version, files, git, cargo_lock, pip_freeze }: Slow) -> Self {
        Self { complete: true, version, files, git, cargo_lock, pip_freeze, ..self }
    }

    /// Puts it into the run's directory, in the place of what was written of the same session.
    fn write(&self, run: &Path) -> io::Result<()> {
        let mut bytes = serde_json::to_vec_pretty(self)?;
        bytes.push(b'\n');
        let path = run.join(FOLDER).join(format!("{:04}.json", self.session));
        plain_file::replace(&path, |file| file.write_all(&bytes))
    }
}

/// What the sessions of the run in `run` were, in their order; empty if nothing is recorded.
///
/// # Errors
/// If a file can't be read, or isn't one of these.
pub(crate) fn read(run: &Path) -> io::Result<Vec<Provenance>> {
    let folder = run.join(FOLDER);
    let entries = match fs::read_dir(&folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut all = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with('.') || !name.ends_with(".json") {
            continue;
        }
        let wrong = |error: &dyn std::fmt::Display| format!("`{}` is no provenance of a run: {error}", path.display());
        let bytes = plain_file::read_all(&path)?;
        let one = serde_json::from_slice(&bytes);
        all.push(one.map_err(|error| io::Error::new(ErrorKind::InvalidData, wrong(&error)))?);
    }
    all.sort_by_key(|one: &Provenance| one.session);
    Ok(all)
}

/// A session's record that may still be completed.
#[derive(Debug, Default)]
pub(crate) struct Recording(Mutex<Option<JoinHandle<()>>>);

impl Recording {
    /// Records a session in the run's directory: what is known at once, and on a thread the rest.
    pub(crate) fn start(run: &Path, session: u32, trainable: &str, program: Vec<OsString>) -> Self {
        let directory = std::env::current_dir().unwrap_or_default();
        let record = Provenance::new(session, trainable, &program, &directory);
        let key = (directory, program);
        let known = match KNOWN.try_lock() {
            Ok(known) => known.get(&key).cloned(),
            Err(TryLockError::Poisoned(known)) => known.into_inner().get(&key).cloned(),
            // Somebody is just looking; a thread waits for that.
            Err(TryLockError::WouldBlock) => None,
        };
        let (run, complete) = (run.to_owned(), known.is_some());
        let record = known.into_iter().fold(record, Provenance::with);
        let made = match fs::create_dir(run.join(FOLDER)) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
            _ => record.write(&run),
        };
        if let Err(error) = made {
            unwritten(&run, &error);
            return Self::default();
        }
        if complete {
            return Self::default();
        }
        let thread = std::thread::Builder::new().name("tryout-provenance".to_owned()).spawn(move || {
            let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
            let slow =
                known.entry(key).or_insert_with_key(|(directory, program)| Slow::look(directory, program)).clone();
            drop(known);
            if let Err(error) = record.with(slow).write(&run) {
                unwritten(&run, &error);
            }
        });
        Self(Mutex::new(thread.inspect_err(|error| log::warn!("the run's provenance isn't complete: {error}")).ok()))
    }

    /// Waits until it is complete.
    pub(crate) fn wait(&self) {
        let thread = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Err(_)) = thread.map(JoinHandle::join) {
            log::error!("the thread that looked up a run's provenance panicked");
        }
    }
}

fn unwritten(run: &Path, error: &io::Error) {
    // A run's directory that is gone again needs no record.
    if run.exists() {
        log::warn!("the provenance of the run in `{}` can't be written: {}", run.display(), OneLine(error));
    }
}
