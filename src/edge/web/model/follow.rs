//! Reads a run further while it goes on: its socket is a doorbell, its journal says what happened.

use std::path::Path;
#[cfg(unix)]
use std::sync::Weak;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use super::Shared;
#[cfg(unix)]
use super::bell::Bell;
use super::state::{Origin, State};
#[cfg(target_os = "linux")]
use crate::edge::journal::LOCK;
use crate::edge::journal::{Followed, Following, JournalFault, Past};
use crate::edge::log::Damage;
use crate::logic::failure::error_chain;
use crate::logic::journal::Record;

/// Between two readings at least so much time passes.
pub(super) const PACE: Duration = Duration::from_millis(200);

/// So long a run may take for an answer.
#[cfg(unix)]
const PATIENCE: Duration = Duration::from_secs(5);

/// So many records are taken at once: whoever asks meanwhile waits no longer than for these.
const AT_ONCE: usize = 256;

/// So often a journal that is written while it is read is read again before it counts as damaged.
const TRIES: usize = 3;

/// All that a run's journal says.
pub(super) fn read_all(dir: &Path) -> Result<(State, Following), String> {
    let mut tries = 0;
    loop {
        tries += 1;
        match read_once(dir) {
            Ok(read) => return Ok(read),
            Err(_) if tries < TRIES => {}
            Err(why) => return Err(why),
        }
    }
}

fn read_once(dir: &Path) -> Result<(State, Following), String> {
    let said = |fault: JournalFault| error_chain(&fault);
    let mut past = Past::open(dir, Damage::Refuse).map_err(said)?;
    let first = match past.next_record().map_err(said)? {
        Some(Record::Opened(first)) => first,
        Some(_) => return Err(said(past.unopened())),
        None => return Err("its journal is empty: it has only just begun, or never did".to_owned()),
    };
    let mut state = State::new(first);
    while let Some(record) = past.next_record().map_err(said)? {
        let origin = if past.in_snapshot() { Origin::Snapshot } else { Origin::Lines };
        state.hear(record, 0, origin).map_err(|error| error_chain(&error))?;
    }
    let following = past.follow();
    state.read_up_to(following.next_line().saturating_sub(1));
    Ok((state, following))
}

impl Shared {
    /// Reads what is new in the journal, or all of it if that has to be.
    pub(super) fn read_further(&self) {
        let Some(dir) = &self.dir else { return };
        let mut following = self.following.lock().unwrap_or_else(PoisonError::into_inner);
        let again = match following.as_mut() {
            Some(following) => self.take(following).is_err(),
            None => true,
        };
        if again {
            match read_all(dir) {
                Ok((state, next)) => {
                    *following = Some(next);
                    self.write().known = Ok(Box::new(state));
                }
                Err(why) => {
                    *following = None;
                    self.write().known = Err(why);
                }
            }
        }
    }

    /// Takes what is new. An error: all has to be read again.
    fn take(&self, following: &mut Following) -> Result<(), ()> {
        loop {
            let mut records = Vec::new();
            let end = loop {
                if records.len() >= AT_ONCE {
                    break false;
                }
                match following.next_record() {
                    Ok(Followed::Record(record)) => records.push((record, following.next_line().saturating_sub(1))),
                    Ok(Followed::Nothing) => break true,
                    Ok(Followed::Again) | Err(_) => return Err(()),
                }
            };
            if !records.is_empty() {
                let mut inner = self.write();
                inner.standing.heard = Some(Instant::now());
                let state = inner.known.as_mut().map_err(|_| ())?;
                for (record, position) in records {
                    state.hear(*record, position, Origin::Lines).map_err(|_| ())?;
                }
            }
            if end {
                return Ok(());
            }
        }
    }

    /// Whether a process on this machine has the run.
    pub(super) fn is_held(&self) -> bool {
        self.dir.as_ref().is_some_and(|dir| holder(dir).is_some())
    }
}

#[cfg(target_os = "linux")]
fn holder(dir: &Path) -> Option<u32> {
    crate::edge::log::Owner::holding(&dir.join(LOCK)).map(|owner| owner.pid)
}

#[cfg(not(target_os = "linux"))]
fn holder(_: &Path) -> Option<u32> {
    None
}

#[cfg(unix)]
pub(super) use attended::attend;

/// Nobody can be asked where there are no Unix sockets.
#[cfg(not(unix))]
pub(super) fn attend(_: &Arc<Shared>) -> bool {
    false
}

#[cfg(unix)]
mod attended {
    use std::path::PathBuf;
    use std::sync::TryLockError;

    use super::{Arc, Bell, PACE, PATIENCE, Path, PoisonError, Shared, Weak};
    use crate::edge::control::{ControlClient, ControlClientError, Doorbell, Hangup};
    use crate::logic::api::{Answer, Request};

    /// Ends the threads that follow a run when it is dropped.
    #[derive(Debug)]
    pub(in super::super) struct Attendance {
        bell: Arc<Bell>,
        _hangup: Hangup,
    }

    impl Drop for Attendance {
        fn drop(&mut self) {
            self.bell.end();
        }
    }

    /// Follows the run from here on, if it goes on and has a socket.
    pub(in super::super) fn attend(shared: &Arc<Shared>) -> bool {
        let Some(dir) = &shared.dir else { return false };
        // Whoever comes second doesn't wait for a run that answers slowly.
        let mut attendance = match shared.attendance.try_lock() {
            Ok(attendance) => attendance,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return false,
        };
        if attendance.is_some() {
            return true;
        }
        match connect(shared, dir) {
            Ok(connected) => {
                *attendance = Some(connected);
                true
            }
            Err(why) => {
                shared.write().standing.attended = false;
                log::debug!("the run in `{}` isn't followed: {why}", dir.display());
                false
            }
        }
    }

    fn connect(shared: &Arc<Shared>, dir: &Path) -> Result<Attendance, String> {
        let said = |error: &dyn std::fmt::Display| error.to_string();
        let listens = ControlClient::connect(dir).map_err(|error| said(&error))?;
        // A run that is stopped, or whose disk hangs, answers late or never.
        listens.patience(Some(PATIENCE)).map_err(|error| said(&error))?;
        let hangup = listens.hangup().map_err(|error| said(&error))?;
        let mut asks = Asks { dir: dir.to_owned(), client: None };
        let doorbell = listens.doorbell().map_err(|error| said(&error))?;
        // What happened before the doorbell was heard is read at once.
        shared.write().standing.attended = true;
        shared.look(&mut asks, true);
        let bell = Arc::new(Bell::default());
        let (rings, reads) = (bell.clone(), bell.clone());
        let weak = Arc::downgrade(shared);
        let named = |name: &str| std::thread::Builder::new().name(name.to_owned());
        named("tryout-bell").spawn(move || hear(doorbell, &rings)).map_err(|error| said(&error))?;
        named("tryout-view").spawn(move || follow(&weak, &reads, asks)).map_err(|error| said(&error))?;
        Ok(Attendance { bell, _hangup: hangup })
    }

    /// Asks a run, and never waits long for an answer.
    struct Asks {
        dir: PathBuf,
        client: Option<ControlClient>,
    }

    impl Asks {
        /// None if it doesn't answer: it is ending (what is left is read when it has), or it is held up. The next question has a
        /// connection of its own then.
        fn ask(&mut self, request: &Request) -> Option<Answer> {
            let answered = self.client().and_then(|client| client.ask(request));
            if let Err(why) = &answered {
                log::debug!("the run in `{}` didn't answer {request:?}: {why}", self.dir.display());
                self.client = None;
            }
            answered.ok()
        }

        fn client(&mut self) -> Result<&mut ControlClient, ControlClientError> {
            let client = match self.client.take() {
                Some(client) => client,
                None => {
                    let client = ControlClient::connect(&self.dir)?;
                    client.patience(Some(PATIENCE))?;
                    client
                }
            };
            Ok(self.client.insert(client))
        }
    }

    /// Takes in all that comes, so that the run never waits for whoever reads slowly.
    fn hear(mut doorbell: Doorbell, bell: &Bell) {
        while doorbell.wait() {
            bell.ring();
        }
        bell.end();
    }

    fn follow(shared: &Weak<Shared>, bell: &Bell, mut asks: Asks) {
        loop {
            let goes_on = bell.wait();
            let Some(known) = shared.upgrade() else { return };
            if !goes_on {
                return known.left();
            }
            known.look(&mut asks, false);
            drop(known);
            // What was heard last may not have been in the journal yet: if nothing else comes, that is made sure of.
            if !bell.rest(PACE) {
                let Some(known) = shared.upgrade() else { return };
                known.look(&mut asks, true);
                drop(known);
                bell.rest(PACE);
            }
        }
    }

    impl Shared {
        /// Reads what is new, and asks the run what its journal doesn't say.
        fn look(&self, asks: &mut Asks, sync: bool) {
            if sync {
                asks.ask(&Request::Sync);
            }
            self.read_further();
            let status = asks.ask(&Request::Status);
            let pool = asks.ask(&Request::Pool { trial: None });
            let mut inner = self.write();
            inner.standing.status = match status {
                Some(Answer::Status(status)) => Some(*status),
                _ => None,
            };
            inner.standing.pool = match pool {
                Some(Answer::Pool(pool)) => Some(*pool),
                _ => None,
            };
            drop(inner);
            self.notify();
        }

        /// The run has ended, or its process was killed.
        fn left(&self) {
            drop(self.attendance.lock().unwrap_or_else(PoisonError::into_inner).take());
            self.read_further();
            let over = self.read().known.as_ref().is_ok_and(|state| state.ledger().run().outcome.is_some());
            if !over && let Some(dir) = &self.dir {
                super::wait_for_end(dir);
                self.read_further();
            }
            let held = self.is_held();
            let mut inner = self.write();
            (inner.standing.attended, inner.standing.held) = (false, held);
            (inner.standing.status, inner.standing.pool) = (None, None);
            drop(inner);
            self.notify();
        }
    }
}

#[cfg(unix)]
pub(super) use attended::Attendance;

/// Ends nothing.
#[cfg(not(unix))]
#[derive(Debug)]
pub(super) struct Attendance;

/// Waits until whoever has the run lets go of its lock: the socket of a process that was killed, or of a run that has ended, closes
/// a little earlier.
#[cfg(target_os = "linux")]
fn wait_for_end(dir: &Path) {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::fs::inotify::{self, CreateFlags, WatchFlags};

    let Ok(changes) = inotify::init(CreateFlags::CLOEXEC) else { return };
    if inotify::add_watch(&changes, dir.join(LOCK), WatchFlags::CLOSE_WRITE).is_err() {
        return;
    }
    // If it isn't let go of within this time, whoever asks next looks again.
    let mut patience = Timespec { tv_sec: 30, tv_nsec: 0 };
    while holder(dir).is_some() {
        match poll(&mut [PollFd::new(&changes, PollFlags::IN)], Some(&patience)) {
            Ok(1..) => {}
            Ok(0) | Err(_) => return,
        }
        let mut room = [std::mem::MaybeUninit::uninit(); 1024];
        if inotify::Reader::new(&changes, &mut room).next().is_err() {
            return;
        }
        // The file is closed a moment before the lock is free; or somebody else tried to take it.
        patience = Timespec { tv_sec: 1, tv_nsec: 0 };
    }
}

#[cfg(all(unix, not(target_os = "linux")))]
fn wait_for_end(_: &Path) {}
