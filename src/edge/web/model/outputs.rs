//! What a trial's process has printed: files in the trial's directory, by name from a list and never by a path from outside.

use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::views::OutputPart;
use crate::edge::plain_file;
use crate::logic::ids::TrialId;

/// The files that are shown; those that were put aside when they were full have a number behind that.
const NAMES: [&str; 3] = ["stdout.txt", "stderr.txt", "error.txt"];
/// So many bytes at most in one answer.
const MOST: u64 = 256 << 10;
/// So many of the end, unless it is said from where on.
const LAST: u64 = 64 << 10;

/// The directory of a trial, if it is one and no link to elsewhere.
fn home(run: &Path, trial: TrialId) -> Option<PathBuf> {
    let home = run.join(trial.to_string());
    home.symlink_metadata().is_ok_and(|about| about.is_dir()).then_some(home)
}

fn is_output(name: &str) -> bool {
    NAMES.iter().any(|known| match name.strip_prefix(known) {
        Some("") => true,
        Some(rest) => rest.strip_prefix('.').is_some_and(|digits| {
            !digits.is_empty() && digits.len() < 9 && digits.bytes().all(|byte| byte.is_ascii_digit())
        }),
        None => false,
    })
}

/// The names of what is kept of a trial.
pub(super) fn names(run: &Path, trial: TrialId) -> Vec<String> {
    let entries = home(run, trial).and_then(|home| home.read_dir().ok());
    let named =
        entries.into_iter().flatten().flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()));
    let mut names: Vec<String> =
        named.filter_map(|entry| entry.file_name().into_string().ok()).filter(|name| is_output(name)).collect();
    names.sort_by_key(|name| NAMES.iter().position(|known| name.starts_with(known)).map(|place| (place, name.clone())));
    names
}

/// Whether anything is kept of one of these trials.
pub(super) fn any(run: &Path, mut trials: impl Iterator<Item = TrialId>) -> bool {
    trials.any(|trial| {
        home(run, trial).is_some_and(|home| NAMES.iter().any(|name| home.join(name).symlink_metadata().is_ok()))
    })
}

/// A part of an output; none if the trial has none of this name.
pub(super) fn part(run: &Path, trial: TrialId, name: &str, from: Option<u64>) -> io::Result<Option<OutputPart>> {
    let Some(home) = home(run, trial).filter(|_| is_output(name)) else { return Ok(None) };
    let mut file = match plain_file::read(&home.join(name)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let size = file.metadata()?.len();
    let from = from.unwrap_or_else(|| size.saturating_sub(LAST)).min(size);
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(MOST).read_to_end(&mut bytes)?;
    let whole = whole(&bytes);
    // A letter of which the rest is still to come waits for it; one that is cut off for good doesn't.
    let taken = if whole == 0 { bytes.len() } else { whole };
    let text = String::from_utf8_lossy(bytes.get(..taken).unwrap_or_default()).into_owned();
    let next = from + taken as u64;
    Ok(Some(OutputPart { text, next, size: size.max(next) }))
}

/// How many bytes there are without a letter that is cut off at the end.
fn whole(bytes: &[u8]) -> usize {
    let begin = bytes.len().saturating_sub(4);
    let end = bytes.get(begin..).unwrap_or_default();
    let Some(lead) = end.iter().rposition(|byte| byte & 0xc0 != 0x80) else { return bytes.len() };
    let length = match end.get(lead) {
        Some(byte) if byte & 0xe0 == 0xc0 => 2,
        Some(byte) if byte & 0xf0 == 0xe0 => 3,
        Some(byte) if byte & 0xf8 == 0xf0 => 4,
        _ => 1,
    };
    if end.len() - lead < length { begin + lead } else { bytes.len() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logic::ids::RunId;

    #[test]
    fn only_what_is_on_the_list_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let trial = TrialId::new(RunId::new(1), 0);
        let home = dir.path().join(trial.to_string());
        std::fs::create_dir(&home).unwrap();
        std::fs::write(dir.path().join("secret.txt"), "secret").unwrap();
        std::fs::write(home.join("stdout.txt"), "häuser\n<script>").unwrap();
        std::fs::write(home.join("stdout.txt.1"), "older").unwrap();
        std::fs::write(home.join("params.json"), "{}").unwrap();
        assert_eq!(names(dir.path(), trial), ["stdout.txt", "stdout.txt.1"]);
        let read = |name: &str, from| part(dir.path(), trial, name, from).unwrap();
        assert_eq!(read("stdout.txt", None).unwrap().text, "häuser\n<script>");
        let rest = read("stdout.txt", Some(8)).unwrap();
        assert_eq!((rest.text.as_str(), rest.next, rest.size), ("<script>", 16, 16));
        assert_eq!(read("stdout.txt", Some(99)).unwrap().text, "");
        for name in [
            "../secret.txt",
            "secret.txt",
            "params.json",
            "",
            ".",
            "..",
            "/etc/passwd",
            "stdout.txt/../../secret.txt",
            "stdout.txt.",
            "stdout.txt.1/../x",
            "stdout.txt.x",
            "stdout.txt\0",
            "%2e%2e%2fsecret.txt",
        ] {
            assert_eq!(read(name, None), None, "{name:?}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn links_lead_nowhere() {
        let dir = tempfile::tempdir().unwrap();
        let trial = TrialId::new(RunId::new(1), 0);
        let other = dir.path().join("other");
        std::fs::create_dir(&other).unwrap();
        std::fs::write(other.join("stdout.txt"), "secret").unwrap();
        std::os::unix::fs::symlink(&other, dir.path().join(trial.to_string())).unwrap();
        assert_eq!(part(dir.path(), trial, "stdout.txt", None).unwrap(), None);
        assert!(names(dir.path(), trial).is_empty());
        std::fs::remove_file(dir.path().join(trial.to_string())).unwrap();
        std::fs::create_dir(dir.path().join(trial.to_string())).unwrap();
        std::os::unix::fs::symlink(other.join("stdout.txt"), dir.path().join(trial.to_string()).join("stdout.txt"))
            .unwrap();
        assert!(part(dir.path(), trial, "stdout.txt", None).is_err());
        assert!(names(dir.path(), trial).is_empty());
    }

    #[test]
    fn a_letter_that_is_cut_off_waits() {
        assert_eq!(whole("aä".as_bytes()), 3);
        assert_eq!(whole(&"aä".as_bytes()[..2]), 1);
        assert_eq!(whole(&"a€".as_bytes()[..3]), 1);
        assert_eq!(whole(&[0x80, 0x80, 0x80, 0x80, 0x80]), 5);
        assert_eq!(whole(b""), 0);
    }
}
