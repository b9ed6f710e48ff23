//! A gate inside a trainable: it says who has arrived, and lets them pass one by one, in the order in which they came, or all.

use std::sync::{Arc, Condvar, Mutex};

use super::PATIENCE;

#[derive(Debug, Default)]
struct Inside {
    arrived: u32,
    /// So many may pass in all, those that came first.
    permits: u32,
    open: bool,
}

/// Closed at first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gate(Arc<(Mutex<Inside>, Condvar)>);

impl Gate {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// For the trainable: waits until it may pass.
    pub(crate) fn pass(&self) {
        let (inside, changed) = &*self.0;
        let mut now = inside.lock().unwrap();
        now.arrived += 1;
        let turn = now.arrived;
        changed.notify_all();
        let closed = |now: &mut Inside| !now.open && now.permits < turn;
        let (now, _) = changed.wait_timeout_while(now, PATIENCE, closed).unwrap();
        drop(now);
    }

    /// For the test: waits until so many have arrived, all together.
    pub(crate) fn wait_for(&self, arrivals: u32) {
        let (inside, changed) = &*self.0;
        let early = |now: &mut Inside| now.arrived < arrivals;
        let (now, waited) = changed.wait_timeout_while(inside.lock().unwrap(), PATIENCE, early).unwrap();
        assert!(!waited.timed_out(), "{} of {arrivals} arrived at the gate", now.arrived);
    }

    /// Lets so many pass, now or later.
    pub(crate) fn let_pass(&self, count: u32) {
        self.0.0.lock().unwrap().permits += count;
        self.0.1.notify_all();
    }

    /// Lets everybody pass from now on.
    pub(crate) fn open(&self) {
        self.0.0.lock().unwrap().open = true;
        self.0.1.notify_all();
    }
}
