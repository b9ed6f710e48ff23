//! Requests that are equal by value, each kind under a small number.

use std::collections::HashMap;
use std::sync::Arc;

use super::budget::Budget;
use super::gpus::{self, Gpus, Piece};
use super::kind::Kind;
use super::request::ResourceRequest;
use super::resources::Resources;
use super::settings::Infeasible;

/// The number of a kind. It is given again when nobody uses it any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct KindId(u32);

impl KindId {
    pub(super) fn new(index: usize) -> Self {
        Self(index as u32)
    }

    pub(super) fn index(self) -> usize {
        self.0 as usize
    }
}

/// Whether a request could be met if nothing were in use.
pub(super) fn feasible(request: &ResourceRequest, pieces: &[Piece], budget: &Budget) -> Result<(), Infeasible> {
    let asks_for_gpus = !pieces.is_empty();
    feasible_now(request, pieces, budget).map_err(|why| {
        let gpus: Vec<u32> = budget.gpus().withdrawn().iter().copied().collect();
        if gpus.is_empty() || !asks_for_gpus { why } else { Infeasible::Withdrawn { why: Box::new(why), gpus } }
    })
}

fn feasible_now(request: &ResourceRequest, pieces: &[Piece], budget: &Budget) -> Result<(), Infeasible> {
    let most = budget.total();
    if !most.covers(request.total()) {
        return Err(Infeasible::Amounts { asked: request.total().clone(), most: most.clone() });
    }
    match Gpus::new(most).find(pieces) {
        Some(_) => Ok(()),
        None => Err(Infeasible::Pieces {
            asked: request.total().get("gpu"),
            pieces: pieces.iter().map(|piece| piece.amount()).collect(),
            gpus: budget.gpus().count(),
        }),
    }
}

impl Resources {
    /// Whether a request could be met if nothing of these were in use.
    ///
    /// # Errors
    /// If it could not: what was asked for, and the most there is.
    pub fn feasible(&self, request: &ResourceRequest) -> Result<(), Infeasible> {
        feasible(request, &gpus::pieces(request), &Budget::new(self.clone()))
    }
}

/// All kinds that somebody waits for or works with.
#[derive(Debug, Default)]
pub(super) struct Kinds {
    kinds: Vec<Kind>,
    by_request: HashMap<Arc<ResourceRequest>, KindId>,
    unused: Vec<KindId>,
    /// Most trials of an experiment share one request: looking here first saves hashing it.
    latest: Option<KindId>,
}

impl Kinds {
    pub(super) fn get(&self, id: KindId) -> &Kind {
        &self.kinds[id.index()]
    }

    /// The kind of a request, with one more user.
    pub(super) fn intern(&mut self, request: &Arc<ResourceRequest>, budget: &Budget) -> KindId {
        let latest = self.latest.filter(|&id| Arc::ptr_eq(&self.get(id).request, request));
        let id = match latest.or_else(|| self.by_request.get(request).copied()) {
            Some(id) => id,
            None => self.add(request, budget),
        };
        self.latest = Some(id);
        self.hold(id);
        id
    }

    fn add(&mut self, request: &Arc<ResourceRequest>, budget: &Budget) -> KindId {
        let pieces = gpus::pieces(request);
        let infeasible = feasible(request, &pieces, budget).err();
        let kind = Kind { request: request.clone(), pieces, infeasible, users: 0 };
        let id = match self.unused.pop() {
            Some(id) => {
                self.kinds[id.index()] = kind;
                id
            }
            None => {
                self.kinds.push(kind);
                KindId((self.kinds.len() - 1) as u32)
            }
        };
        self.by_request.insert(request.clone(), id);
        id
    }

    /// All that somebody waits for or works with.
    pub(super) fn in_use(&self) -> impl Iterator<Item = (KindId, &Arc<ResourceRequest>)> {
        let used = self.kinds.iter().enumerate().filter(|(_, kind)| kind.users > 0);
        used.map(|(index, kind)| (KindId(index as u32), kind.request()))
    }

    /// The kind of a request that somebody waits for or works with.
    pub(super) fn find(&self, request: &Arc<ResourceRequest>) -> Option<KindId> {
        self.by_request.get(request).copied()
    }

    /// One more user.
    pub(super) fn hold(&mut self, id: KindId) {
        self.kinds[id.index()].users += 1;
    }

    /// One user less.
    pub(super) fn let_go(&mut self, id: KindId) {
        let kind = &mut self.kinds[id.index()];
        kind.users -= 1;
        if kind.users == 0 {
            self.by_request.remove(&kind.request);
            self.unused.push(id);
            if self.latest == Some(id) {
                self.latest = None;
            }
        }
    }

    /// The totals have changed. The answer has the kinds that can't be met any more.
    pub(super) fn judge(&mut self, budget: &Budget) -> Vec<KindId> {
        let mut never = Vec::new();
        for (index, kind) in self.kinds.iter_mut().enumerate().filter(|(_, kind)| kind.users > 0) {
            kind.infeasible = feasible(&kind.request, &kind.pieces, budget).err();
            if kind.infeasible.is_some() {
                never.push(KindId(index as u32));
            }
        }
        never
    }
}
