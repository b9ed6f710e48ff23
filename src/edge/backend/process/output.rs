//! What a trial's process prints: a file for each stream, bounded, and the last lines in memory.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use super::child::read_some;
use crate::edge::plain_file;

/// So many lines are part of an error.
const LAST_LINES: usize = 100;
/// So much of what was printed last is kept for them.
const LAST_BYTES: usize = 64 << 10;
/// So long may each of them be, in characters.
const LINE_CHARS: usize = 1000;
/// So much is read of one stream before others have their turn.
const TURN: usize = 1 << 20;

/// How much is kept of what a trial's process prints.
///
/// A trial's standard output and error go to `stdout.txt` and `stderr.txt` in its directory, also when its worker goes on to
/// another trial. A file that is full becomes `stdout.txt.1`, that one `stdout.txt.2`, and so on; the oldest goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Output {
    pub(super) bytes: u64,
    pub(super) older: u32,
}

impl Default for Output {
    /// 10 MiB a file, and one older file beside it.
    fn default() -> Self {
        Self { bytes: 10 << 20, older: 1 }
    }
}

impl Output {
    /// The defaults: 10 MiB a file, and one older file beside it.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many bytes a file may have; at least 1.
    #[must_use]
    pub fn file_bytes(mut self, bytes: u64) -> Self {
        self.bytes = bytes.max(1);
        self
    }

    /// How many older files are kept beside it.
    #[must_use]
    pub fn older_files(mut self, files: u32) -> Self {
        self.older = files;
        self
    }
}

/// A file that is put aside when it is full.
#[derive(Debug)]
struct Rotating {
    path: PathBuf,
    file: File,
    bytes: u64,
    settings: Output,
}

impl Rotating {
    fn open(path: PathBuf, settings: Output) -> io::Result<Self> {
        let file = plain_file::open(&path, OpenOptions::new().create(true).append(true))?;
        let bytes = file.metadata()?.len();
        Ok(Self { path, file, bytes, settings })
    }

    fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            if self.bytes >= self.settings.bytes {
                self.rotate()?;
            }
            let room = usize::try_from(self.settings.bytes - self.bytes).unwrap_or(usize::MAX).max(1);
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.file.write_all(now)?;
            self.bytes += now.len() as u64;
            bytes = later;
        }
        Ok(())
    }

    fn older(&self, number: u32) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{number}"));
        name.into()
    }

    fn rotate(&mut self) -> io::Result<()> {
        for number in (1..self.settings.older).rev() {
            if self.older(number).exists() {
                std::fs::rename(self.older(number), self.older(number + 1))?;
            }
        }
        match self.settings.older {
            0 => std::fs::remove_file(&self.path)?,
            _ => std::fs::rename(&self.path, self.older(1))?,
        }
        *self = Self::open(self.path.clone(), self.settings)?;
        Ok(())
    }
}

/// The last lines that were printed, of both streams as they came.
#[derive(Debug, Default)]
pub(super) struct LastWords(Vec<u8>);

impl LastWords {
    fn push(&mut self, bytes: &[u8]) {
        if self.0.len() + bytes.len() > 2 * LAST_BYTES {
            let all = self.0.len() + bytes.len();
            self.0.drain(..self.0.len().min(all - LAST_BYTES));
        }
        self.0.extend_from_slice(&bytes[bytes.len().saturating_sub(LAST_BYTES)..]);
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn lines(&self) -> Vec<String> {
        let text = String::from_utf8_lossy(&self.0[self.0.len().saturating_sub(LAST_BYTES)..]);
        let lines: Vec<&str> = text.lines().collect();
        let last = &lines[lines.len().saturating_sub(LAST_LINES)..];
        last.iter().map(|line| line.chars().take(LINE_CHARS).collect()).collect()
    }
}

/// One stream of a process, and where it goes.
#[derive(Debug)]
pub(super) struct Stream {
    pipe: Option<OwnedFd>,
    name: &'static str,
    to: Target,
}

/// Where a stream goes.
#[derive(Debug)]
enum Target {
    Nowhere,
    /// Into this file, when there is something to go there.
    Named(PathBuf, Output),
    Open(Rotating),
}

impl Stream {
    pub(super) fn new(name: &'static str) -> Self {
        Self { pipe: None, name, to: Target::Nowhere }
    }

    /// A process has been started.
    pub(super) fn connect(&mut self, pipe: Option<OwnedFd>) {
        self.pipe = pipe;
    }

    pub(super) fn pipe(&self) -> Option<&OwnedFd> {
        self.pipe.as_ref()
    }

    pub(super) fn close(&mut self) {
        self.pipe = None;
    }

    /// From here on it is another trial's.
    pub(super) fn redirect(&mut self, directory: Option<&Path>, settings: Output) {
        let named = |directory: &Path| Target::Named(directory.join(self.name), settings);
        self.to = directory.map_or(Target::Nowhere, named);
    }

    /// Takes what was printed, and shows it to `see`.
    pub(super) fn read(&mut self, buffer: &mut [u8], last: &mut LastWords, mut see: impl FnMut(&[u8])) {
        let mut taken = 0;
        while let Some(pipe) = self.pipe.as_ref().filter(|_| taken < TURN) {
            match read_some(pipe, buffer) {
                Ok(None) => break,
                Ok(Some(0)) => self.pipe = None,
                Err(error) => {
                    log::warn!("a worker's {} can't be read: {error}", self.name);
                    self.pipe = None;
                }
                Ok(Some(count)) => {
                    taken += count;
                    let bytes = &buffer[..count];
                    last.push(bytes);
                    see(bytes);
                    self.keep(bytes);
                }
            }
        }
    }

    /// A disk that is full costs the output, not the trial.
    fn keep(&mut self, bytes: &[u8]) {
        if let Err((path, error)) = self.to.write(bytes) {
            log::warn!("`{}` can't be written, what is printed from here on is lost: {error}", path.display());
            self.to = Target::Nowhere;
        }
    }
}

impl Target {
    fn write(&mut self, bytes: &[u8]) -> Result<(), (PathBuf, io::Error)> {
        if let Target::Named(path, settings) = self {
            let opened = Rotating::open(path.clone(), *settings).map_err(|error| (path.clone(), error))?;
            *self = Target::Open(opened);
        }
        match self {
            Target::Open(file) => file.write(bytes).map_err(|error| (file.path.clone(), error)),
            Target::Named(..) | Target::Nowhere => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_file_is_put_aside() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("stdout.txt");
        let settings = Output::new().file_bytes(4).older_files(2);
        let mut file = Rotating::open(path.clone(), settings).expect("a file");
        file.write(b"abcdefghijklmnopq").expect("written");
        let read = |name: &str| std::fs::read_to_string(dir.path().join(name)).unwrap_or_default();
        assert_eq!(
            [read("stdout.txt"), read("stdout.txt.1"), read("stdout.txt.2"), read("stdout.txt.3")],
            ["q", "mnop", "ijkl", ""]
        );
        let mut none = Rotating::open(dir.path().join("x"), settings.older_files(0)).expect("a file");
        none.write(b"abcdefgh").expect("written");
        assert_eq!([read("x"), read("x.1")], ["efgh", ""]);
    }

    #[test]
    fn the_last_hundred_lines_are_kept() {
        let mut last = LastWords::default();
        for number in 0..100_000 {
            last.push(format!("line {number}\n").as_bytes());
        }
        let lines = last.lines();
        assert_eq!((lines.len(), lines[0].as_str(), lines[99].as_str()), (100, "line 99900", "line 99999"));
        last.push(&vec![b'x'; 10 * LAST_BYTES]);
        assert_eq!(last.lines().last().map(String::len), Some(LINE_CHARS));
    }
}
