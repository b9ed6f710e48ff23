//! Who is asked for workers from elsewhere in a simulated run.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::elsewhere::Survivor;
use crate::logic::ids::{JoinId, TrialId};
use crate::logic::mix::mix;
use crate::logic::pool::{PoolInput, ResourceRequest, Slot, Stays};

/// How whoever is asked for workers from elsewhere behaves. How likely something is, is between 0 and 1.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SimLauncher {
    /// A worker that is asked for joins after so long at most; how long, is drawn. So does one that comes back.
    pub delay: Duration,
    /// How likely one that was asked for never comes: it is asked for again.
    pub forgets: f64,
    /// How likely one has another shape than was asked for.
    pub lies: f64,
    /// How likely one is taken away, some time after it has joined.
    pub preempts: f64,
    /// How likely one that is left behind by an engine never comes back.
    pub leaves: f64,
}

/// Who lets workers join.
pub(super) struct Outside {
    pub(super) script: SimLauncher,
    pub(super) noise: u64,
    /// By shape: how many are wanted, are on their way, and are here.
    pub(super) shapes: BTreeMap<Arc<ResourceRequest>, Shape>,
    pub(super) joining: BTreeMap<JoinId, Joining>,
    pub(super) joins: u64,
}

#[derive(Debug, Default)]
pub(super) struct Shape {
    pub(super) wanted: usize,
    pub(super) coming: usize,
    pub(super) here: usize,
}

pub(super) enum Joining {
    Fresh(Arc<ResourceRequest>),
    Back(Box<Survivor>),
}

impl Outside {
    pub(super) fn share(&mut self) -> f64 {
        self.noise = mix(self.noise);
        f64::from((self.noise >> 40) as u32) / f64::from(1_u32 << 24)
    }

    pub(super) fn delay(&mut self) -> Duration {
        let share = self.share();
        self.script.delay.mul_f64(share)
    }

    pub(super) fn shape(&mut self, shape: &Arc<ResourceRequest>) -> &mut Shape {
        self.shapes.entry(shape.clone()).or_default()
    }

    pub(super) fn join(&mut self, joining: Joining) -> JoinId {
        self.joins += 1;
        let join = JoinId::new(self.joins);
        self.joining.insert(join, joining);
        join
    }
}

pub(super) fn joined(join: JoinId, shape: Arc<ResourceRequest>, keeps: Option<TrialId>) -> PoolInput {
    let bundles = shape.as_bundles().to_vec();
    let slot = Arc::new(Slot { gpus: vec![Vec::new(); bundles.len()], bundles });
    PoolInput::Joined { join, shape, slot, stays: Stays::WhileNeeded, keeps }
}
