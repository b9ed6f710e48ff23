//! What the trials have used so far: the resources that they hold, times how long.

use crate::logic::pool::ResourceRequest;
use crate::logic::time::Moment;

/// Cpus and GPUs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Held {
    pub(super) cpus: f64,
    pub(super) gpus: f64,
}

impl Held {
    pub(super) fn of(request: &ResourceRequest) -> Self {
        let total = request.total();
        Self { cpus: total.get("cpu").as_f64(), gpus: total.get("gpu").as_f64() }
    }
}

/// What is held now, and what was used until some moment.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Usage {
    held: Held,
    used: Held,
    since: Moment,
}

impl Usage {
    /// What is held now, and what was used until now, in seconds.
    pub(super) fn at(&self, now: Moment) -> (Held, Held) {
        let seconds = now.since(self.since).as_secs_f64();
        let used = Held {
            cpus: self.held.cpus.mul_add(seconds, self.used.cpus),
            gpus: self.held.gpus.mul_add(seconds, self.used.gpus),
        };
        (self.held, used)
    }

    fn advance(&mut self, now: Moment) {
        self.used = self.at(now).1;
        self.since = self.since.max(now);
    }

    pub(super) fn take(&mut self, held: Held, now: Moment) {
        self.advance(now);
        self.held.cpus += held.cpus;
        self.held.gpus += held.gpus;
    }

    pub(super) fn give_back(&mut self, held: Held, now: Moment) {
        self.advance(now);
        // A sum of fractions may come to a little less than nothing.
        self.held.cpus = (self.held.cpus - held.cpus).max(0.0);
        self.held.gpus = (self.held.gpus - held.gpus).max(0.0);
    }
}
