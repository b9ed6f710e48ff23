//! A disk in memory that fails, and dies, as it is told. What isn't synced may be lost, kept, or kept in part.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Cursor, ErrorKind, Read};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use tryout::edge::log::{Append, Files};

/// What is written at once or not at all.
const SECTOR: usize = 32;

/// What an operation does instead of its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// A write puts down half of its bytes, and the next one says that there is no space. No file can be made either.
    Full,
    /// Nothing that changes or reads anything works.
    Broken,
    /// A sync fails, and the system forgets that there was something to write.
    Forgets,
    /// A sync fails, and the system will try again.
    Remembers,
    /// Neither renaming nor removing works, nor making either durable.
    Names,
    /// Nothing can be cut off, and writes fail half-way.
    Ragged,
}

/// So many operations, after so many others, have a fault.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spell {
    pub(super) after: u64,
    pub(super) length: u64,
    pub(super) fault: Fault,
}

/// What survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Death {
    /// The process dies: what was written is there.
    Process,
    /// The machine dies: of what wasn't synced, chance decides.
    Machine,
}

#[derive(Clone, Debug, Default)]
struct Inode {
    /// As the process sees it.
    now: Vec<u8>,
    /// As the platter has it.
    kept: Vec<u8>,
    /// The sectors that the system knows it has to write, and whether it has to write the length.
    dirty: BTreeSet<usize>,
    grown: bool,
}

#[derive(Clone, Debug)]
enum NameChange {
    Made(String, usize),
    Renamed(String, String, usize),
    Removed(String),
}

#[derive(Clone, Debug, Default)]
struct State {
    inodes: Vec<Inode>,
    names: BTreeMap<String, usize>,
    kept_names: BTreeMap<String, usize>,
    changes: Vec<NameChange>,
    spells: Vec<Spell>,
    dies_at: Option<u64>,
    operations: u64,
    dead: bool,
    /// Writes that a full disk cut short already.
    short: bool,
}

/// A directory on such a disk.
#[derive(Clone, Debug, Default)]
pub(super) struct Disk {
    state: Arc<Mutex<State>>,
}

/// Chance, from a seed.
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed ^ 0x9e37_79b9_7f4a_7c15)
    }

    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (x ^ (x >> 31)) % end.max(1)
    }

    fn flip(&mut self) -> bool {
        self.below(2) == 0
    }
}

fn failed(kind: ErrorKind) -> io::Error {
    io::Error::new(kind, "as it was told")
}

impl State {
    /// Counts an operation. An error if the disk is dead; the fault that it has, if any.
    fn begin(&mut self) -> io::Result<Option<Fault>> {
        self.operations += 1;
        if self.dies_at.is_some_and(|at| self.operations >= at) {
            self.dead = true;
        }
        if self.dead {
            return Err(failed(ErrorKind::NotConnected));
        }
        let now = self.operations;
        let has = |spell: &&Spell| spell.after < now && now <= spell.after + spell.length;
        Ok(self.spells.iter().find(has).map(|spell| spell.fault))
    }

    /// The same for what can only work or not.
    fn all_or_nothing(&mut self, faults: &[Fault]) -> io::Result<()> {
        match self.begin()? {
            Some(fault) if fault == Fault::Broken || faults.contains(&fault) => Err(failed(ErrorKind::Other)),
            _ => Ok(()),
        }
    }
}

impl Disk {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// What goes wrong from now on.
    pub(super) fn plan(&self, spells: Vec<Spell>, dies_after: Option<u64>) {
        let mut state = self.state();
        let now = state.operations;
        state.spells = spells.into_iter().map(|spell| Spell { after: spell.after + now, ..spell }).collect();
        state.dies_at = dies_after.map(|after| now + after);
    }

    pub(super) fn is_dead(&self) -> bool {
        self.state().dead
    }

    /// Another disk, with what is on this one when it dies, or has died.
    pub(super) fn after(&self, death: Death, seed: u64) -> Disk {
        let state = self.state();
        if death == Death::Process {
            let state = State { spells: Vec::new(), dies_at: None, dead: false, ..state.clone() };
            return Disk { state: Arc::new(Mutex::new(state)) };
        }
        let mut dice = Dice::new(seed);
        let names = surviving_names(&state, &mut dice);
        let survives = |(name, inode): (String, usize)| (name, surviving_bytes(&state.inodes[inode], &mut dice));
        Disk::of(names.into_iter().map(survives))
    }

    /// A disk with these files, all durable.
    pub(super) fn of(files: impl IntoIterator<Item = (String, Vec<u8>)>) -> Disk {
        let mut state = State::default();
        for (name, bytes) in files {
            state.names.insert(name, state.inodes.len());
            state.inodes.push(Inode { now: bytes.clone(), kept: bytes, ..Inode::default() });
        }
        state.kept_names = state.names.clone();
        Disk { state: Arc::new(Mutex::new(state)) }
    }
}

/// Each change of a name that wasn't made durable happened or didn't, whatever the others did.
fn surviving_names(state: &State, dice: &mut Dice) -> BTreeMap<String, usize> {
    let mut names = state.kept_names.clone();
    let (all, none) = (dice.below(4) == 0, dice.below(4) == 0);
    for change in &state.changes {
        if none || !(all || dice.flip()) {
            continue;
        }
        match change {
            NameChange::Made(name, inode) => drop(names.insert(name.clone(), *inode)),
            NameChange::Renamed(from, to, inode) => {
                names.remove(from);
                names.insert(to.clone(), *inode);
            }
            NameChange::Removed(name) => drop(names.remove(name)),
        }
    }
    names
}

/// Each sector is as it was or as it is; one that the length says is there but that never came is zeros.
fn surviving_bytes(inode: &Inode, dice: &mut Dice) -> Vec<u8> {
    let (short, long) = (inode.kept.len().min(inode.now.len()), inode.kept.len().max(inode.now.len()));
    let length = match dice.below(4) {
        0 => inode.kept.len(),
        1 | 2 => inode.now.len(),
        _ => short + dice.below((long - short + 1) as u64) as usize,
    };
    let (all, none) = (dice.below(3) == 0, dice.below(4) == 0);
    let mut bytes = vec![0; length];
    for (sector, place) in bytes.chunks_mut(SECTOR).enumerate() {
        let from = if all || (!none && dice.flip()) { &inode.now } else { &inode.kept };
        let begin = sector * SECTOR;
        let there = from.get(begin..(begin + place.len()).min(from.len())).unwrap_or_default();
        place[..there.len()].copy_from_slice(there);
    }
    bytes
}

impl Files for Disk {
    fn path(&self) -> &Path {
        Path::new("disk")
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let mut state = self.state();
        state.all_or_nothing(&[])?;
        Ok(state.names.keys().cloned().collect())
    }

    fn read(&self, name: &str) -> io::Result<Box<dyn Read + Send>> {
        let mut state = self.state();
        state.all_or_nothing(&[])?;
        let inode = *state.names.get(name).ok_or_else(|| failed(ErrorKind::NotFound))?;
        Ok(Box::new(Cursor::new(state.inodes[inode].now.clone())))
    }

    fn append(&self, name: &str) -> io::Result<Box<dyn Append>> {
        let mut state = self.state();
        state.all_or_nothing(&[Fault::Full])?;
        let inode = match state.names.get(name) {
            Some(inode) => *inode,
            None => {
                let inode = state.inodes.len();
                state.inodes.push(Inode::default());
                state.names.insert(name.to_owned(), inode);
                state.changes.push(NameChange::Made(name.to_owned(), inode));
                inode
            }
        };
        Ok(Box::new(Open { disk: self.clone(), inode }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.state();
        state.all_or_nothing(&[Fault::Names])?;
        let inode = state.names.remove(from).ok_or_else(|| failed(ErrorKind::NotFound))?;
        state.names.insert(to.to_owned(), inode);
        state.changes.push(NameChange::Renamed(from.to_owned(), to.to_owned(), inode));
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.state();
        state.all_or_nothing(&[Fault::Names])?;
        state.names.remove(name).ok_or_else(|| failed(ErrorKind::NotFound))?;
        state.changes.push(NameChange::Removed(name.to_owned()));
        Ok(())
    }

    fn sync_names(&self) -> io::Result<()> {
        let mut state = self.state();
        state.all_or_nothing(&[Fault::Names])?;
        state.kept_names = state.names.clone();
        state.changes.clear();
        Ok(())
    }
}

struct Open {
    disk: Disk,
    inode: usize,
}

impl Inode {
    fn write(&mut self, bytes: &[u8]) {
        let begin = self.now.len();
        self.now.extend_from_slice(bytes);
        self.dirty.extend(begin / SECTOR..self.now.len().div_ceil(SECTOR));
        self.grown = true;
    }

    /// Writes down what the system knows it has to.
    fn keep(&mut self) {
        if std::mem::take(&mut self.grown) {
            self.kept.resize(self.now.len(), 0);
        }
        for sector in std::mem::take(&mut self.dirty) {
            let begin = sector * SECTOR;
            let end = (begin + SECTOR).min(self.now.len()).min(self.kept.len());
            if begin < end {
                self.kept[begin..end].copy_from_slice(&self.now[begin..end]);
            }
        }
    }
}

impl Append for Open {
    fn length(&mut self) -> io::Result<u64> {
        let mut state = self.disk.state();
        state.all_or_nothing(&[])?;
        Ok(state.inodes[self.inode].now.len() as u64)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.disk.state();
        let half = bytes.len().div_ceil(2).min(bytes.len());
        match state.begin() {
            // The machine may die in the middle of it.
            Err(error) => {
                if state.dies_at == Some(state.operations) {
                    state.inodes[self.inode].write(&bytes[..half]);
                }
                Err(error)
            }
            Ok(Some(Fault::Full | Fault::Ragged)) => {
                state.short = !state.short;
                if !state.short {
                    return Err(failed(ErrorKind::StorageFull));
                }
                state.inodes[self.inode].write(&bytes[..half]);
                Ok(half)
            }
            Ok(Some(Fault::Broken)) => Err(failed(ErrorKind::Other)),
            // Short without an error, as the system may at any time.
            Ok(_) if state.operations.is_multiple_of(7) => {
                state.inodes[self.inode].write(&bytes[..half]);
                Ok(half)
            }
            Ok(_) => {
                state.inodes[self.inode].write(bytes);
                Ok(bytes.len())
            }
        }
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.disk.state();
        let fault = state.begin()?;
        let inode = &mut state.inodes[self.inode];
        match fault {
            Some(Fault::Forgets) => {
                inode.dirty.clear();
                inode.grown = false;
                Err(failed(ErrorKind::Other))
            }
            Some(Fault::Remembers | Fault::Broken) => Err(failed(ErrorKind::Other)),
            _ => {
                inode.keep();
                Ok(())
            }
        }
    }

    fn rewrite(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.disk.state();
        state.all_or_nothing(&[Fault::Ragged])?;
        let (inode, at) = (&mut state.inodes[self.inode], at as usize);
        assert_eq!(inode.now.get(at..at + bytes.len()), Some(bytes), "it stays what it was");
        inode.dirty.extend(at / SECTOR..(at + bytes.len()).div_ceil(SECTOR));
        inode.grown = true;
        Ok(())
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        state.all_or_nothing(&[Fault::Ragged])?;
        let inode = &mut state.inodes[self.inode];
        inode.now.truncate(length as usize);
        inode.dirty.insert(length as usize / SECTOR);
        inode.grown = true;
        Ok(())
    }
}
