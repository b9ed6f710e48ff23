//! The journal's files, whose syncs come after those of the checkpoints that its lines speak of.

use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::edge::log::{Append, Files};
use crate::logic::failure::error_chain;
use crate::ports::store::Store;

/// Files that are made durable only after all checkpoints that were committed before.
#[derive(Debug)]
pub(super) struct AfterCheckpoints {
    pub(super) files: Arc<dyn Files>,
    pub(super) store: Arc<dyn Store>,
}

impl Files for AfterCheckpoints {
    fn path(&self) -> &Path {
        self.files.path()
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.files.list()
    }

    fn read(&self, name: &str) -> io::Result<Box<dyn io::Read + Send>> {
        self.files.read(name)
    }

    fn append(&self, name: &str) -> io::Result<Box<dyn Append>> {
        Ok(Box::new(AfterThem { file: self.files.append(name)?, store: self.store.clone() }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.files.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.files.remove(name)
    }

    fn sync_names(&self) -> io::Result<()> {
        self.files.sync_names()
    }
}

struct AfterThem {
    file: Box<dyn Append>,
    store: Arc<dyn Store>,
}

impl Append for AfterThem {
    fn length(&mut self) -> io::Result<u64> {
        self.file.length()
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn rewrite(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.file.rewrite(at, bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.store.make_durable().map_err(|error| io::Error::other(error_chain(&error)))?;
        self.file.sync()
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.file.truncate(length)
    }
}
