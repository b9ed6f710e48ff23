//! A run's part in a host that it shares: its pool's claims go out, caps come in.

use std::sync::Arc;

use actix::Addr;

use super::messages::ToSupervisor;
use super::send::send_to;
use super::supervisor::WorkerSupervisor;
use crate::logic::pool::shares::{Allowed, Cap, Claim};
use crate::logic::pool::{Pool, PoolInput};
use crate::ports::host::{HostMember, SharedHost};

/// The host that a run shares with others.
#[derive(Clone)]
pub struct Host {
    /// Which.
    pub host: Arc<dyn SharedHost>,
    /// How long.
    pub shared: Shared,
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Host").field("shared", &self.shared).finish_non_exhaustive()
    }
}

/// How long a run shares its host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shared {
    /// As long as its totals are those of the host: who gives others means what he says.
    WhileDetected,
    /// To its end.
    Always,
}

/// See the module.
pub(super) struct Share {
    member: Box<dyn HostMember>,
    shared: Shared,
    /// The number of the last word.
    seen: u64,
    /// Whether there are others.
    capped: bool,
    /// What was said last, and under which word.
    said: Option<(Claim, u64)>,
}

impl Share {
    /// Joins. The answer also has what the pool is to be told before anything else.
    pub(super) fn join(host: Host, supervisor: Addr<WorkerSupervisor>) -> (Self, Option<PoolInput>) {
        let Host { host, shared } = host;
        let (member, first) = host.join(Box::new(move |allowed| send_to(&supervisor, ToSupervisor::Allowed(allowed))));
        let mut share = Self { member, shared, seen: 0, capped: false, said: None };
        let first = first.and_then(|allowed| share.hear(allowed));
        (share, first)
    }

    /// A word from the host; none if it came too late.
    pub(super) fn hear(&mut self, Allowed { version, cap }: Allowed) -> Option<PoolInput> {
        if version <= self.seen {
            return None;
        }
        self.seen = version;
        self.capped = cap.is_some();
        Some(PoolInput::Cap(cap))
    }

    /// Says how the pool stands, if there are others and it has changed.
    pub(super) fn tell(&mut self, pool: &Pool) {
        if !self.capped {
            return;
        }
        let now = (pool.claim(), self.seen);
        if self.said.as_ref() != Some(&now) {
            self.member.claim(now.0.clone(), now.1);
            self.said = Some(now);
        }
    }

    pub(super) fn ends_with_detection(&self) -> bool {
        self.shared == Shared::WhileDetected
    }
}

/// No cap any more.
pub(super) const UNCAPPED: PoolInput = PoolInput::Cap(None::<Arc<Cap>>);
