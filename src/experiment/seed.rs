//! The seed of a run: given, kept from an earlier session, or drawn.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::{Mutex, PoisonError};

use super::builder::Experiment;
use super::place::Existing;
use super::resume::last_opened;
use crate::logic::ids::RunId;

impl Experiment {
    /// The seed, if none is given: that of the run that is gone on with, else one that is drawn.
    pub(super) fn settle_seed(&mut self) -> u64 {
        let given = self.settings.seed.or_else(|| self.earlier_seed());
        *self.settings.seed.insert(given.unwrap_or_else(|| draw(&self.settings.name)))
    }

    /// That of the run in the directory. What can't be read is told when the directory is taken.
    fn earlier_seed(&self) -> Option<u64> {
        if self.session.existing != Existing::Resume {
            return None;
        }
        let below = || Some(self.session.dir.as_ref()?.join(&*self.settings.name));
        let place = self.session.place.clone().or_else(below)?;
        last_opened(&place).ok()??.settings.seed
    }
}

/// The run's id: the same for the same name and seed (Fowler, Noll, Vo: FNV-1a).
pub(super) fn run_id(name: &str, seed: u64) -> RunId {
    let bytes = name.bytes().chain(seed.to_le_bytes());
    RunId::new(bytes.fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)))
}

/// A seed that gives the run an id which no other run of this process has that drew its seed.
fn draw(name: &str) -> u64 {
    static DRAWN: Mutex<BTreeSet<RunId>> = Mutex::new(BTreeSet::new());
    // The standard library's hash maps are seeded by the system. Half of the bits are enough, and easier to write down.
    let random = || RandomState::new().build_hasher().finish() >> 32;
    let mut drawn = DRAWN.lock().unwrap_or_else(PoisonError::into_inner);
    // There are a million ids. In a process that has had them nearly all, one comes again.
    (0..64).map(|_| random()).find(|seed| drawn.insert(run_id(name, *seed))).unwrap_or_else(random)
}
