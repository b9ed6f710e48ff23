//! Requests that are equal by value, as one kind.

use std::sync::Arc;

use super::gpus::Piece;
use super::request::ResourceRequest;
use super::resources::Resources;
use super::settings::Infeasible;

/// All requests that are equal to one.
#[derive(Clone, Debug)]
pub(super) struct Kind {
    pub(super) request: Arc<ResourceRequest>,
    pub(super) pieces: Vec<Piece>,
    pub(super) infeasible: Option<Infeasible>,
    pub(super) users: usize,
}

impl Kind {
    pub(super) fn request(&self) -> &Arc<ResourceRequest> {
        &self.request
    }

    pub(super) fn total(&self) -> &Resources {
        self.request.total()
    }

    pub(super) fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// Why it can never be met, if so.
    pub(super) fn infeasible(&self) -> Option<&Infeasible> {
        self.infeasible.as_ref()
    }
}
