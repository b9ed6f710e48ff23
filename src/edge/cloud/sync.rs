//! Brings a run's objects up to date, again and again, on a thread of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::PoisonError;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::SystemTime;

use super::remote::{Manifest, Remote, Stored};
use super::{CloudError, CloudRun, MARKER};
use crate::edge::journal;
use crate::edge::plain_file;
use crate::edge::store::is_missing;
use crate::logic::failure::error_chain;
use crate::logic::one_line::OneLine;
use crate::ports::store::{StoreError, Sum};

/// By what a file is known to be unchanged.
type Seen = (u64, Option<SystemTime>);

/// A run's directory, and how it is in the object store.
#[derive(Debug)]
pub(super) struct Mirror {
    pub(super) remote: Remote,
    pub(super) root: PathBuf,
    /// What is published.
    manifest: Manifest,
    /// The files of it as they were when they were uploaded.
    seen: BTreeMap<String, Seen>,
    session: u32,
    sequence: u32,
    swept: bool,
}

/// The files below a run's directory that belong to the run.
#[derive(Debug, Default)]
struct Tree {
    files: BTreeMap<String, Seen>,
    empty: Vec<String>,
}

impl Tree {
    /// Neither links nor names that begin with a dot: those are what isn't complete.
    fn below(root: &Path) -> Result<Self, StoreError> {
        let mut tree = Self::default();
        let mut open = vec![String::new()];
        while let Some(below) = open.pop() {
            let directory = root.join(&below);
            let entries = match fs::read_dir(&directory) {
                // It went while this was looking.
                Err(error) if error.kind() == ErrorKind::NotFound && !below.is_empty() => continue,
                entries => entries.map_err(StoreError::io("list", &directory))?,
            };
            let mut is_empty = true;
            for entry in entries {
                let entry = entry.map_err(StoreError::io("list", &directory))?;
                let name = entry
                    .file_name()
                    .into_string()
                    .map_err(|name| StoreError::Name { name: name.to_string_lossy().into_owned() })?;
                let Some(about) = entry.metadata().ok().filter(|_| !is_left_out(&below, &name)) else { continue };
                is_empty = false;
                let path = if below.is_empty() { name } else { format!("{below}/{name}") };
                if about.is_dir() {
                    open.push(path);
                } else if about.is_file() {
                    tree.files.insert(path, (about.len(), about.modified().ok()));
                }
            }
            if is_empty && !below.is_empty() {
                tree.empty.push(below);
            }
        }
        Ok(tree)
    }
}

fn is_left_out(below: &str, name: &str) -> bool {
    let ours = below.is_empty() && (name == MARKER || name == journal::LOCK);
    ours || name.starts_with('.') || (below == journal::DIRECTORY && name.ends_with(".tmp"))
}

fn is_journal(path: &str) -> bool {
    path.split('/').next() == Some(journal::DIRECTORY)
}

/// The checkpoint that a file belongs to: it is there as a whole or not at all.
fn checkpoint(path: &str) -> Option<&str> {
    let at = path.find("/checkpoint_")? + 1;
    let end = path[at..].find('/')? + at;
    Some(&path[..end])
}

/// What is in a file.
fn sum(path: &Path) -> std::io::Result<Sum> {
    let (mut file, mut crc) = (plain_file::read(path)?, crc32fast::Hasher::new());
    let (mut bytes, mut buffer) = (0, vec![0; 64 << 10]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(Sum { bytes, crc32: crc.finalize() }),
            read => {
                crc.update(buffer.get(..read).unwrap_or_default());
                bytes += read as u64;
            }
        }
    }
}

impl Mirror {
    pub(super) fn new(remote: Remote, root: PathBuf, manifest: Manifest, session: u32) -> Self {
        Self { remote, root, manifest, seen: BTreeMap::new(), session, sequence: 0, swept: false }
    }

    fn check_owner(&self) -> Result<(), CloudError> {
        if self.remote.is_last(self.session)? {
            return Ok(());
        }
        Err(CloudError::Lost { run: self.remote.name.clone(), session: self.session })
    }

    /// The journal's files as they are at one moment, those that are as they were left out.
    fn journal(&self) -> Result<Vec<(String, Seen, Vec<u8>)>, StoreError> {
        // A file that goes meanwhile has been replaced by a snapshot, so all is looked at again.
        'again: loop {
            let mut all = Vec::new();
            let directory = self.root.join(journal::DIRECTORY);
            // A run that has only begun has none yet.
            let tree = if directory.exists() { Tree::below(&directory)? } else { Tree::default() };
            for (name, seen) in tree.files.into_iter().filter(|(name, _)| !name.ends_with(".tmp")) {
                let path = format!("{}/{name}", journal::DIRECTORY);
                let read = if self.seen.get(&path) == Some(&seen) {
                    Ok(Vec::new())
                } else {
                    plain_file::read_all(&self.root.join(&path))
                };
                match read {
                    Ok(bytes) => all.push((path, seen, bytes)),
                    Err(error) if error.kind() == ErrorKind::NotFound => continue 'again,
                    Err(error) => return Err(StoreError::io("read", self.root.join(&path))(error)),
                }
            }
            return Ok(all);
        }
    }

    /// Brings the object store up to date: with the journal as it is now, and all files that it knows of.
    fn sync(&mut self, last: bool) -> Result<(), CloudError> {
        self.check_owner()?;
        self.sequence += 1;
        let object = format!("{:06}-{:06}", self.session, self.sequence);
        let mut next = Manifest { session: self.session, sequence: self.sequence, ..Manifest::default() };
        let (mut seen, mut sent) = (BTreeMap::new(), Vec::new());
        if let Err(error) = self.send(&object, &mut next, &mut seen, &mut sent) {
            // What can't be deleted now is swept by the next session.
            let _ = self.remote.client.delete(sent);
            return Err(error.into());
        }
        if !last {
            self.keep_what_leaves(&mut next);
        }
        self.check_owner()?;
        self.remote.publish(&next)?;
        // Whoever began a session before this moment may have begun it from the manifest before.
        self.check_owner()?;
        let old = std::mem::replace(&mut self.manifest, next);
        self.seen = seen;
        self.let_go(&old);
        Ok(())
    }

    /// A file as it is published, if it is unchanged since. One that this process hasn't seen before is read for that.
    fn known(&self, path: &str, stat: &Seen) -> Option<Stored> {
        let stored = self.manifest.files.get(path)?;
        let is_known = match self.seen.get(path) {
            Some(seen) => seen == stat,
            None => stored.sum.bytes == stat.0 && sum(&self.root.join(path)).is_ok_and(|found| found == stored.sum),
        };
        is_known.then(|| Stored { leaving: false, ..stored.clone() })
    }

    /// Uploads what is new or changed; the rest is taken over.
    fn send(
        &self,
        object: &str,
        next: &mut Manifest,
        seen: &mut BTreeMap<String, Seen>,
        sent: &mut Vec<object_store::path::Path>,
    ) -> Result<(), StoreError> {
        let journal = self.journal()?;
        let tree = Tree::below(&self.root)?;
        next.empty = tree.empty;
        let mut halves = BTreeSet::new();
        for (path, stat) in tree.files.into_iter().filter(|(path, _)| !is_journal(path)) {
            let stored = match self.known(&path, &stat) {
                Some(stored) => stored,
                None => {
                    let location = self.remote.file(&path, object);
                    match self.remote.client.upload(&location, &self.root.join(&path)) {
                        Err(error) if is_missing(&error) => {
                            halves.extend(checkpoint(&path).map(str::to_owned));
                            continue;
                        }
                        uploaded => {
                            sent.push(location);
                            Stored { object: object.to_owned(), sum: uploaded?, leaving: false }
                        }
                    }
                }
            };
            seen.insert(path.clone(), stat);
            next.files.insert(path, stored);
        }
        next.files.retain(|path, _| !checkpoint(path).is_some_and(|of| halves.contains(of)));
        for (path, stat, bytes) in journal {
            let known = self.manifest.files.get(&path).filter(|_| self.seen.get(&path) == Some(&stat)).cloned();
            let stored = match known {
                Some(stored) => stored,
                None => {
                    let location = self.remote.file(&path, object);
                    let sum = self.remote.client.put(&location, &bytes)?;
                    sent.push(location);
                    Stored { object: object.to_owned(), sum, leaving: false }
                }
            };
            // It may have grown since it was read: its length says so.
            seen.insert(path.clone(), stat);
            next.files.insert(path, stored);
        }
        Ok(())
    }

    /// Checkpoints that are gone stay for one manifest more: the journal was read before.
    fn keep_what_leaves(&self, next: &mut Manifest) {
        for (path, stored) in &self.manifest.files {
            if checkpoint(path).is_some() && !stored.leaving {
                next.files.entry(path.clone()).or_insert_with(|| Stored { leaving: true, ..stored.clone() });
            }
        }
    }

    /// Deletes what only the manifest before had. What can't be deleted costs room, and no run.
    fn let_go(&mut self, old: &Manifest) {
        let remote = &self.remote;
        let kept = |path: &String, stored: &Stored| {
            self.manifest.files.get(path).is_some_and(|now| now.object == stored.object)
        };
        let gone = old.files.iter().filter(|(path, stored)| !kept(path, stored));
        let mut gone: Vec<_> = gone.map(|(path, stored)| remote.file(path, &stored.object)).collect();
        gone.extend((old.session == self.session).then(|| remote.manifest_of(old)));
        let mut deleted = remote.client.delete(gone);
        if !self.swept {
            deleted = deleted.and_then(|()| remote.sweep(&self.manifest));
            self.swept = deleted.is_ok();
        }
        if let Err(error) = deleted {
            log::warn!("objects that the run needs no more can't be deleted: {}", OneLine(&error_chain(&error)));
        }
    }
}

/// What the thread is told.
#[derive(Debug)]
pub(super) enum Order {
    /// Now, and let go of this when it is done.
    Now(Sender<()>),
    /// Once more, and that was it.
    End,
}

/// The thread that brings a run's objects up to date.
#[derive(Debug)]
pub(crate) struct Syncing {
    orders: Sender<Order>,
    thread: Option<JoinHandle<Result<(), CloudError>>>,
}

impl Syncing {
    pub(super) fn start(mut mirror: Mirror, cloud: CloudRun) -> std::io::Result<Self> {
        let (orders, inbox) = channel();
        *cloud.orders.lock().unwrap_or_else(PoisonError::into_inner) = Some(orders.clone());
        let thread = std::thread::Builder::new().name("tryout-cloud".to_owned()).spawn(move || {
            let (mut last, mut waiting) = (false, Vec::new());
            loop {
                let through = SystemTime::now();
                let synced = mirror.sync(last);
                cloud.told(through, synced.as_ref());
                if last || matches!(synced, Err(CloudError::Lost { .. })) {
                    return synced;
                }
                waiting.clear();
                let mut order = inbox.recv_timeout(cloud.every);
                loop {
                    match order {
                        Ok(Order::Now(reply)) => waiting.push(reply),
                        Ok(Order::End) | Err(RecvTimeoutError::Disconnected) => last = true,
                        Err(RecvTimeoutError::Timeout) => break,
                    }
                    match inbox.try_recv() {
                        Ok(next) if !last => order = Ok(next),
                        _ => break,
                    }
                }
            }
        })?;
        Ok(Self { orders, thread: Some(thread) })
    }

    /// Brings it up to date once more, and ends.
    ///
    /// # Errors
    /// If that failed: the run isn't in the object store as it is here.
    pub(crate) fn finish(mut self) -> Result<(), CloudError> {
        // A thread that has ended says why.
        let _ = self.orders.send(Order::End);
        self.thread.take().map_or(Ok(()), |thread| {
            thread.join().unwrap_or_else(|_| {
                let panicked = std::io::Error::other("the thread that does it panicked");
                Err(StoreError::io("bring up to date the copy of", PathBuf::from("the run"))(panicked).into())
            })
        })
    }
}

impl Drop for Syncing {
    fn drop(&mut self) {
        let _ = self.orders.send(Order::End);
    }
}
