//! A pool with someone at its desk who does what it asks for, and remembers it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tryout::logic::ids::{JoinId, LeaseId, RunId, TrialId, WorkerId};
use tryout::logic::pool::*;
use tryout::logic::settings::Settings;
use tryout::logic::time::Moment;
use tryout::logic::trial::{Arrival, AtRest, PoolFact, PoolOrder};

pub(crate) const CLUSTER: [(&str, f64); 3] = [("cpu", 4.0), ("gpu", 2.0), ("a", 2.0)];

pub(crate) fn trial(number: u32) -> TrialId {
    TrialId::new(RunId::new(7), number)
}

pub(crate) fn amounts(list: &[(&str, f64)]) -> Resources {
    list.iter().fold(Resources::new(), |all, &(name, value)| all.with(name, value))
}

pub(crate) fn request(list: &[(&str, f64)]) -> ResourceRequest {
    ResourceRequest::single(amounts(list)).unwrap()
}

pub(crate) fn cpus(units: f64) -> ResourceRequest {
    request(&[("cpu", units)])
}

pub(crate) fn settings(total: &[(&str, f64)], reuse: Reuse) -> Settings {
    Settings { resources: Some(amounts(total)), reuse, ..Settings::default() }
}

/// A pool with these settings, which say what it has.
pub(crate) fn pool(settings: Settings) -> Pool {
    Pool::new(settings.resources.clone().unwrap_or_default(), settings)
}

pub(crate) fn reusing(cpu: f64) -> Desk {
    Desk::new(settings(&[("cpu", cpu)], Reuse::Yes))
}

#[derive(Clone, Debug)]
pub(crate) struct Grant {
    pub(crate) lease: LeaseId,
    pub(crate) worker: WorkerId,
    pub(crate) slot: Arc<Slot>,
    /// How many trials the worker had served before.
    pub(crate) resets: usize,
}

pub(crate) struct Desk {
    pub(crate) pool: Pool,
    pub(crate) now: Moment,
    /// Everything said since the last time somebody looked.
    pub(crate) said: Vec<PoolOutput>,
    pub(crate) running: BTreeMap<u32, Grant>,
    /// Trials in the order in which they were given a worker, with the number of resets each saw.
    pub(crate) starts: Vec<(u32, usize)>,
    pub(crate) stopping: Vec<WorkerId>,
    pub(crate) refused: BTreeMap<u32, String>,
    pub(crate) spawned: usize,
    pub(crate) closed: usize,
    pub(crate) admitted: Vec<(WorkerId, JoinId)>,
    pub(crate) rejected: Vec<JoinId>,
    /// What is wanted from elsewhere.
    pub(crate) wanted: BTreeMap<ResourceRequest, usize>,
    tickets: BTreeMap<u32, u32>,
    served: BTreeMap<WorkerId, usize>,
}

impl Desk {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            pool: pool(settings),
            now: Moment::START,
            said: Vec::new(),
            running: BTreeMap::new(),
            starts: Vec::new(),
            stopping: Vec::new(),
            refused: BTreeMap::new(),
            spawned: 0,
            closed: 0,
            admitted: Vec::new(),
            rejected: Vec::new(),
            wanted: BTreeMap::new(),
            tickets: BTreeMap::new(),
            served: BTreeMap::new(),
        }
    }

    pub(crate) fn tell(&mut self, input: PoolInput) {
        let mut out = Vec::new();
        self.pool.on(input, self.now, &mut out);
        self.said.extend_from_slice(&out);
        for output in out {
            match output {
                PoolOutput::Spawn { .. } => self.spawned += 1,
                PoolOutput::Tell(to, PoolFact::Granted { lease, worker, slot, .. }) => {
                    let served = self.served.entry(worker).or_default();
                    self.starts.push((to.number(), *served));
                    self.running.insert(to.number(), Grant { lease, worker, slot, resets: *served });
                    *served += 1;
                }
                PoolOutput::Tell(to, PoolFact::Refused { fault, .. }) => {
                    self.refused.insert(to.number(), fault.message);
                }
                PoolOutput::Shutdown(worker) => self.stopping.push(worker),
                PoolOutput::Closed => self.closed += 1,
                PoolOutput::Admit { worker, join, .. } => self.admitted.push((worker, join)),
                PoolOutput::Reject(join) => self.rejected.push(join),
                PoolOutput::Want { shape, workers } => {
                    self.wanted.insert((*shape).clone(), workers);
                }
                PoolOutput::Tell(_, PoolFact::Lost { .. }) | PoolOutput::Release { .. } | PoolOutput::Kill(_) => {}
            }
        }
    }

    /// Who was granted a worker, and where it came from.
    pub(crate) fn arrivals(&self) -> Vec<(u32, Arrival)> {
        let granted = self.said.iter().filter_map(|said| match said {
            PoolOutput::Tell(to, PoolFact::Granted { arrival, .. }) => Some((to.number(), *arrival)),
            _ => None,
        });
        granted.collect()
    }

    pub(crate) fn order(&mut self, order: PoolOrder) {
        self.tell(PoolInput::Order(order));
    }

    pub(crate) fn acquire(&mut self, number: u32, request: &ResourceRequest) {
        let ticket = self.tickets.entry(number).or_default();
        *ticket += 1;
        let ticket = *ticket;
        self.order(PoolOrder::Acquire { trial: trial(number), ticket, request: Arc::new(request.clone()) });
    }

    pub(crate) fn cancel(&mut self, number: u32) {
        self.running.remove(&number);
        let ticket = self.tickets[&number];
        self.order(PoolOrder::Cancel { trial: trial(number), ticket });
    }

    pub(crate) fn release(&mut self, number: u32) {
        let lease = self.running.remove(&number).expect("it runs").lease;
        self.order(PoolOrder::Release { lease, at_rest: AtRest::Yes });
    }

    pub(crate) fn leave_at_work(&mut self, number: u32) -> WorkerId {
        let grant = self.running.remove(&number).expect("it runs");
        self.order(PoolOrder::Release { lease: grant.lease, at_rest: AtRest::No });
        grant.worker
    }

    pub(crate) fn discard(&mut self, number: u32) {
        let lease = self.running.remove(&number).expect("it runs").lease;
        self.order(PoolOrder::Discard { lease });
    }

    pub(crate) fn replace(&mut self, number: u32) {
        let lease = self.running.remove(&number).expect("it runs").lease;
        self.order(PoolOrder::Replace { lease });
    }

    /// All workers that were asked to end do so.
    pub(crate) fn end_stopping(&mut self) {
        for worker in std::mem::take(&mut self.stopping) {
            self.tell(PoolInput::Gone(worker));
        }
    }

    pub(crate) fn wait(&mut self, time: Duration) {
        self.now = self.now + time;
        self.tell(PoolInput::Tick);
    }

    pub(crate) fn wait_secs(&mut self, seconds: f64) {
        self.wait(Duration::from_secs_f64(seconds));
    }

    pub(crate) fn said(&mut self) -> Vec<PoolOutput> {
        std::mem::take(&mut self.said)
    }

    pub(crate) fn running(&self) -> Vec<u32> {
        self.running.keys().copied().collect()
    }

    pub(crate) fn resets(&self) -> Vec<usize> {
        let mut resets: Vec<usize> = self.starts.iter().map(|&(_, resets)| resets).collect();
        resets.sort_unstable();
        resets
    }

    /// Lets every trial that runs end, one after another, until nobody is left.
    pub(crate) fn run_down(&mut self) {
        while let Some((&number, _)) = self.running.first_key_value() {
            self.release(number);
            self.end_stopping();
        }
    }
}
