//! Trials that have ended, kept in a file until all distributions are known.

use std::collections::HashMap;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;

use super::super::disk;
use super::super::error::FileError;
use super::trial::TrialEntry;
use crate::edge::plain_file;

/// The bytes gathered before they are written.
const FULL: usize = 1 << 18;

/// A file of trials as JSON, and where each stands in it.
#[derive(Debug)]
pub(super) struct EndedTrials {
    path: PathBuf,
    places: HashMap<u32, (u64, usize)>,
    pending: Vec<u8>,
    written: u64,
}

impl EndedTrials {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, places: HashMap::new(), pending: Vec::new(), written: 0 }
    }

    /// Empties it.
    pub(super) fn clear(&mut self) -> Result<(), FileError> {
        self.places.clear();
        self.pending.clear();
        self.written = 0;
        disk::remove(&self.path)
    }

    /// The numbers of the trials in it.
    pub(super) fn numbers(&self) -> impl Iterator<Item = u32> {
        self.places.keys().copied()
    }

    /// Puts a trial in.
    pub(super) fn put(&mut self, entry: &TrialEntry) -> Result<(), FileError> {
        let from = self.pending.len();
        serde_json::to_writer(&mut self.pending, entry).map_err(|error| self.io("write")(error.into()))?;
        let place = (self.written + from as u64, self.pending.len() - from);
        self.places.insert(entry.trial.number(), place);
        if self.pending.len() > FULL { self.flush() } else { Ok(()) }
    }

    pub(super) fn flush(&mut self) -> Result<(), FileError> {
        if !self.pending.is_empty() {
            disk::append(&self.path, &self.pending)?;
            self.written += self.pending.len() as u64;
            self.pending.clear();
        }
        Ok(())
    }

    /// Takes a trial out, if it is in.
    pub(super) fn take(&mut self, number: u32) -> Result<Option<TrialEntry>, FileError> {
        if !self.places.contains_key(&number) {
            return Ok(None);
        }
        self.flush()?;
        let entry = self.read(number)?;
        self.places.remove(&number);
        Ok(entry)
    }

    /// Reads a trial, if it is in; all must have been flushed.
    pub(super) fn read(&self, number: u32) -> Result<Option<TrialEntry>, FileError> {
        let Some((at, length)) = self.places.get(&number) else { return Ok(None) };
        let mut text = vec![0; *length];
        let mut file = plain_file::read(&self.path).map_err(self.io("read"))?;
        file.seek(SeekFrom::Start(*at)).and_then(|_| file.read_exact(&mut text)).map_err(self.io("read"))?;
        let entry = serde_json::from_slice(&text).map_err(|_| FileError::Spill { path: self.path.clone(), at: *at })?;
        Ok(Some(entry))
    }

    fn io(&self, action: &'static str) -> impl FnOnce(std::io::Error) -> FileError {
        FileError::io(action, &self.path)
    }
}
