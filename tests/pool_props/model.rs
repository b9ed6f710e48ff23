//! A slow and obvious model of a pool: it follows what the pool is told and says, and objects to what must not be.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tryout::logic::failure::{FailureKind, Fault};
use tryout::logic::ids::{LeaseId, RunId, TrialId, WorkerId};
use tryout::logic::pool::*;
use tryout::logic::settings::Settings;
use tryout::logic::time::Moment;
use tryout::logic::trial::{AtRest, PoolOrder};

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum At {
    /// Spawned in this very step.
    Fresh,
    Leased(u32),
    /// To be asked to come to rest, or to end, in this very step.
    Left,
    Discarded,
    Settling,
    Idle,
    Stopping,
    Killed,
    Abandoned,
}

#[derive(Debug)]
pub(crate) struct Vehicle {
    pub(crate) slot: Arc<Slot>,
    pub(crate) at: At,
    pub(crate) since: Moment,
}

#[derive(Clone, Debug)]
pub(crate) enum Stage {
    Waiting {
        fresh: bool,
    },
    /// For the end of this worker.
    Inheriting(WorkerId),
    Leased(LeaseId, WorkerId),
}

#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) ticket: u32,
    pub(crate) kind: usize,
    pub(crate) number: u64,
    pub(crate) overtaken: u32,
    pub(crate) stage: Stage,
    /// Ends of leases before it came, and how many more it may have to wait for.
    pub(crate) ends_before: usize,
    pub(crate) bound: usize,
}

pub(crate) struct Model {
    pub(crate) pool: Pool,
    pub(crate) settings: Settings,
    pub(crate) kinds: Vec<Arc<ResourceRequest>>,
    pub(crate) now: Moment,
    pub(crate) workers: BTreeMap<WorkerId, Vehicle>,
    pub(crate) asks: BTreeMap<u32, Ask>,
    /// All that is in service.
    pub(crate) total: Resources,
    /// GPUs, those that were withdrawn included.
    pub(crate) gpus: u32,
    pub(crate) withdrawn: BTreeSet<u32>,
    pub(crate) held: bool,
    pub(crate) demand: Demand,
    pub(crate) closing: bool,
    pub(crate) closed: usize,
    pub(crate) ends: usize,
    pub(crate) leases: Vec<LeaseId>,
    /// Slot that an heir may take over in this step.
    pub(crate) inherited: Option<(u32, Arc<Slot>)>,
    pub(crate) may_refuse: Vec<u32>,
    /// Whose worker has just ended, and under which lease: it is told, in this step.
    pub(crate) lost: Option<(u32, LeaseId)>,
    arrivals: u64,
    tickets: u32,
}

pub(crate) fn trial(number: u32) -> TrialId {
    TrialId::new(RunId::new(1), number)
}

impl Model {
    pub(crate) fn new(settings: Settings, kinds: Vec<ResourceRequest>) -> Self {
        let total = settings.resources.clone().unwrap_or_default();
        Self {
            pool: Pool::new(total.clone(), settings.clone()),
            gpus: total.get("gpu").as_f64() as u32,
            withdrawn: BTreeSet::new(),
            held: false,
            total,
            settings,
            kinds: kinds.into_iter().map(Arc::new).collect(),
            now: Moment::START,
            workers: BTreeMap::new(),
            asks: BTreeMap::new(),
            demand: Demand::Open,
            closing: false,
            closed: 0,
            ends: 0,
            leases: Vec::new(),
            inherited: None,
            may_refuse: Vec::new(),
            lost: None,
            arrivals: 0,
            tickets: 0,
        }
    }

    pub(crate) fn leased(&self) -> Vec<(u32, LeaseId, WorkerId)> {
        let leased = |(&trial, ask): (&u32, &Ask)| match ask.stage {
            Stage::Leased(lease, worker) => Some((trial, lease, worker)),
            _ => None,
        };
        self.asks.iter().filter_map(leased).collect()
    }

    pub(crate) fn at(&self, wanted: &[At]) -> Vec<WorkerId> {
        self.workers.iter().filter(|(_, worker)| wanted.contains(&worker.at)).map(|(&id, _)| id).collect()
    }

    pub(crate) fn waiting(&self) -> usize {
        self.asks.values().filter(|ask| !matches!(ask.stage, Stage::Leased(..))).count()
    }

    pub(crate) fn acquire(&mut self, number: u32, kind: usize) {
        if self.asks.contains_key(&number) || self.closing {
            return;
        }
        self.tickets += 1;
        self.arrivals += 1;
        let request = self.kinds[kind].clone();
        let earlier = self.waiting();
        let ask = Ask {
            ticket: self.tickets,
            kind,
            number: self.arrivals,
            overtaken: 0,
            stage: Stage::Waiting { fresh: false },
            ends_before: self.ends,
            bound: self.leased().len() + earlier + self.settings.overtaking as usize,
        };
        self.asks.insert(number, ask);
        if self.pool.feasible(&request).is_err() {
            self.may_refuse.push(number);
        }
        let order = PoolOrder::Acquire { trial: trial(number), ticket: self.tickets, request };
        self.feed(PoolInput::Order(order));
    }

    pub(crate) fn cancel(&mut self, number: u32) {
        let Some(ask) = self.asks.remove(&number) else { return };
        if let Stage::Leased(_, worker) = ask.stage {
            self.ends += 1;
            self.move_to(worker, At::Left);
        }
        self.feed(PoolInput::Order(PoolOrder::Cancel { trial: trial(number), ticket: ask.ticket }));
    }

    pub(crate) fn release(&mut self, number: u32, at_rest: AtRest) {
        let Some((lease, worker)) = self.end(number) else { return };
        self.move_to(worker, if at_rest == AtRest::Yes { At::Idle } else { At::Left });
        self.feed(PoolInput::Order(PoolOrder::Release { lease, at_rest }));
    }

    pub(crate) fn discard(&mut self, number: u32) {
        let Some((lease, worker)) = self.end(number) else { return };
        self.move_to(worker, At::Discarded);
        self.feed(PoolInput::Order(PoolOrder::Discard { lease }));
    }

    pub(crate) fn replace(&mut self, number: u32) {
        let Some(Stage::Leased(lease, worker)) = self.asks.get(&number).map(|ask| ask.stage.clone()) else { return };
        self.move_to(worker, At::Discarded);
        if self.closing {
            self.asks.remove(&number);
        } else if let Some(ask) = self.asks.get_mut(&number) {
            ask.stage = Stage::Inheriting(worker);
        }
        self.feed(PoolInput::Order(PoolOrder::Replace { lease }));
    }

    fn end(&mut self, number: u32) -> Option<(LeaseId, WorkerId)> {
        let Stage::Leased(lease, worker) = self.asks.get(&number)?.stage else { return None };
        self.asks.remove(&number);
        self.ends += 1;
        Some((lease, worker))
    }

    pub(crate) fn move_to(&mut self, worker: WorkerId, at: At) {
        let worker = self.workers.get_mut(&worker).expect("a known worker");
        (worker.at, worker.since) = (at, self.now);
    }

    pub(crate) fn released(&mut self, worker: WorkerId) {
        if self.at(&[At::Settling]).contains(&worker) {
            self.move_to(worker, At::Idle);
        }
        self.feed(PoolInput::Released(worker));
    }

    pub(crate) fn gone(&mut self, worker: WorkerId, unborn: bool) {
        if let Some((number, lease, _)) = self.leased().into_iter().find(|&(_, _, leased)| leased == worker) {
            if unborn {
                self.may_refuse.push(number);
            } else {
                self.asks.remove(&number);
                self.lost = Some((number, lease));
            }
            self.ends += 1;
        }
        if let Some(vehicle) = self.workers.remove(&worker) {
            self.disinherit(worker, Some(vehicle.slot));
        }
        let fault = Fault::new(FailureKind::SetupFailed, "no worker");
        self.feed(if unborn { PoolInput::SpawnFailed(worker, fault) } else { PoolInput::Gone(worker) });
        assert_eq!(self.lost, None, "a tenant hears that its worker is gone");
    }

    pub(crate) fn abandoned(&mut self, worker: WorkerId) {
        if self.at(&[At::Killed]).contains(&worker) {
            let slot = if self.settings.abandoned == AbandonPolicy::GiveBack {
                self.workers.remove(&worker).map(|vehicle| vehicle.slot)
            } else {
                self.move_to(worker, At::Abandoned);
                None
            };
            self.disinherit(worker, slot);
        }
        self.feed(PoolInput::Abandoned(worker));
    }

    fn disinherit(&mut self, worker: WorkerId, slot: Option<Arc<Slot>>) {
        let heir = |(_, ask): &(&u32, &Ask)| matches!(ask.stage, Stage::Inheriting(old) if old == worker);
        let Some(number) = self.asks.iter().find(heir).map(|(&number, _)| number) else { return };
        if self.closing {
            self.asks.remove(&number);
            return;
        }
        let ask = self.asks.get_mut(&number).expect("just found");
        // Nobody may overtake one that comes back.
        (ask.stage, ask.overtaken) = (Stage::Waiting { fresh: true }, self.settings.overtaking);
        self.inherited = slot.map(|slot| (number, slot));
        self.may_refuse.push(number);
    }

    pub(crate) fn wait(&mut self, time: Duration) {
        self.now = self.now + time;
        self.feed(PoolInput::Tick);
        assert!(self.pool.deadline().is_none_or(|deadline| deadline > self.now), "a tick leaves nothing overdue");
    }

    pub(crate) fn demand(&mut self, demand: Demand) {
        self.demand = demand;
        self.feed(PoolInput::Demand(demand));
    }

    pub(crate) fn resize(&mut self, total: Resources) {
        self.gpus = total.get("gpu").as_f64() as u32;
        self.total = self.in_service(&total);
        self.may_refuse = self.asks.keys().copied().collect();
        self.feed(PoolInput::Resize(total));
    }

    fn in_service(&self, total: &Resources) -> Resources {
        let gpus = self.gpus - self.withdrawn.range(..self.gpus).count() as u32;
        total.clone().with("gpu", f64::from(gpus))
    }

    pub(crate) fn withdraw(&mut self, gpu: u32) {
        if gpu < self.gpus {
            self.withdrawn.insert(gpu);
        }
        self.total = self.in_service(&self.total.clone());
        self.may_refuse = self.asks.keys().copied().collect();
        self.feed(PoolInput::WithdrawGpu(gpu));
        assert_eq!(self.pool.withdrawn_gpus(), &self.withdrawn);
    }

    pub(crate) fn hold(&mut self, hold: bool) {
        self.held = hold;
        self.feed(if hold { PoolInput::Hold } else { PoolInput::Proceed });
    }

    pub(crate) fn close(&mut self) {
        self.closing = true;
        self.asks.retain(|_, ask| !matches!(ask.stage, Stage::Waiting { .. }));
        self.feed(PoolInput::Close);
    }

    pub(crate) fn feed(&mut self, input: PoolInput) {
        let mut out = Vec::new();
        self.pool.on(input, self.now, &mut out);
        for output in out {
            self.heard(output);
        }
        self.inherited = None;
        self.may_refuse.clear();
        self.check();
    }
}
