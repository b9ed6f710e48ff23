//! What takes a while to find out: what git and pip say, and what files hash to.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::SystemTime;

use super::{FileSum, GitState, PipFreeze, Slow, sha256};
use crate::edge::plain_file;

/// A larger file is known by its length and date.
const LARGE: u64 = 16 << 20;

impl Slow {
    pub(super) fn look(directory: &Path, program: &[OsString]) -> Self {
        let python = program.first().filter(|path| is_python(path));
        let lock = directory.ancestors().map(|above| above.join("Cargo.lock")).find(|path| path.is_file());
        Self {
            version: python.and_then(|python| says(directory, python, &["--version"])).map(|text| first_line(&text)),
            files: files(program).iter().filter_map(|path| sum(path)).collect(),
            git: git(directory),
            cargo_lock: lock.and_then(|path| sum(&path)),
            pip_freeze: python.and_then(|python| pip_freeze(directory, python)),
        }
    }
}

/// The program that trials are, and those of its arguments that are files; or this program, in which they are threads.
fn files(program: &[OsString]) -> Vec<PathBuf> {
    if program.is_empty() {
        return std::env::current_exe().into_iter().collect();
    }
    program.iter().map(PathBuf::from).filter(|path| path.is_file()).collect()
}

fn is_python(program: &OsStr) -> bool {
    let name = Path::new(program).file_name().unwrap_or_default().to_string_lossy();
    name.strip_prefix("python").is_some_and(|rest| rest.chars().all(|c| c.is_ascii_digit() || c == '.'))
}

fn sum(path: &Path) -> Option<FileSum> {
    let about = path.metadata().ok().filter(std::fs::Metadata::is_file)?;
    let since = about.modified().ok().and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok());
    let sha256 = if about.len() > LARGE {
        None
    } else {
        // A program is often found through a link.
        let file = path.canonicalize().and_then(|path| plain_file::read(&path));
        file.and_then(sha256::of).ok().map(|(sum, _)| sum)
    };
    let modified = since.map_or(0, |since| since.as_secs());
    Some(FileSum { path: path.display().to_string(), bytes: about.len(), modified, sha256 })
}

fn git(directory: &Path) -> Option<GitState> {
    let commit = says(directory, "git".as_ref(), &["rev-parse", "--verify", "HEAD"])?;
    // Without the lock that git would take to note down what it has seen.
    let changed = ["--no-optional-locks", "status", "--porcelain", "--untracked-files=no"];
    let changed = says(directory, "git".as_ref(), &changed)?;
    Some(GitState { commit: first_line(&commit), dirty: !changed.trim().is_empty() })
}

fn pip_freeze(directory: &Path, python: &OsStr) -> Option<PipFreeze> {
    let text = says(directory, python, &["-m", "pip", "--disable-pip-version-check", "freeze"])?;
    let (sha256, _) = sha256::of(text.as_bytes()).ok()?;
    Some(PipFreeze { packages: text.lines().filter(|line| !line.starts_with('#')).count(), sha256 })
}

/// What a program prints, if it can be run and ends well.
fn says(directory: &Path, program: &OsStr, arguments: &[&str]) -> Option<String> {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(directory).stdin(Stdio::null()).stderr(Stdio::null());
    let output = command.output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().trim().to_owned()
}
