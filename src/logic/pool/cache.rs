//! Idle workers, by kind and by how long they have been idle.

use std::collections::BTreeMap;

use super::kinds::KindId;
use crate::logic::ids::WorkerId;

/// Idle workers. Each is known by its turn: the later it became idle, the larger.
#[derive(Debug, Default)]
pub(super) struct Cache {
    by_kind: Vec<BTreeMap<u64, WorkerId>>,
    all: BTreeMap<u64, WorkerId>,
    turns: u64,
}

impl Cache {
    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// A worker has become idle. The answer is its turn.
    pub(super) fn insert(&mut self, kind: KindId, worker: WorkerId) -> u64 {
        if self.by_kind.len() <= kind.index() {
            self.by_kind.resize_with(kind.index() + 1, BTreeMap::new);
        }
        self.turns += 1;
        self.by_kind[kind.index()].insert(self.turns, worker);
        self.all.insert(self.turns, worker);
        self.turns
    }

    /// Takes a worker out.
    pub(super) fn remove(&mut self, kind: KindId, turn: u64) {
        if let Some(workers) = self.by_kind.get_mut(kind.index()) {
            workers.remove(&turn);
        }
        self.all.remove(&turn);
    }

    /// The one of a kind that has been idle the longest.
    pub(super) fn oldest(&self, kind: KindId) -> Option<WorkerId> {
        self.by_kind.get(kind.index())?.values().next().copied()
    }

    /// All of a kind, the longest idle first.
    pub(super) fn of_kind(&self, kind: KindId) -> impl Iterator<Item = WorkerId> {
        self.by_kind.get(kind.index()).into_iter().flat_map(|workers| workers.values().copied())
    }

    /// All of them, the longest idle first.
    pub(super) fn iter(&self) -> impl Iterator<Item = WorkerId> {
        self.all.values().copied()
    }
}
