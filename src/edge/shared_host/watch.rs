//! The thread that hears when another process has released something, begins to wait, comes or dies. It waits in `poll` and ends when
//! the locks are dropped.

use std::collections::BTreeSet;
use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::Pid;

use super::HostLocks;
use crate::edge::system::Watch;

/// Whether somebody still wants to hear of changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::edge) enum Interest {
    Kept,
    Lost,
}

/// Calls `changed` whenever another process may have changed something, until it answers that nobody is interested any more.
pub(in crate::edge) fn watch(locks: &HostLocks, changed: impl Fn() -> Interest + Send + 'static) -> io::Result<()> {
    let (root, own, socket) = (locks.root.clone(), locks.number, locks.socket.try_clone()?);
    std::thread::Builder::new().name("tryout-host".to_owned()).spawn(move || listen(root, own, &socket, &changed))?;
    Ok(())
}

fn listen(root: PathBuf, own: u32, socket: &UnixDatagram, changed: &dyn Fn() -> Interest) {
    let mut dead = BTreeSet::new();
    loop {
        let pids = HostLocks::pids(&root, own);
        // A number of a process that is gone can be another's later.
        dead.retain(|pid| pids.contains(pid));
        let mut lives: Vec<(i32, Watch)> = Vec::new();
        let mut missed = false;
        for pid in pids.into_iter().filter(|pid| !dead.contains(pid)).collect::<Vec<_>>() {
            match Pid::from_raw(pid).map(Watch::over) {
                Some(Ok(life)) => lives.push((pid, life)),
                // It has just died, or can't be watched: what it may have left is looked for once.
                _ => missed |= dead.insert(pid),
            }
        }
        if missed && changed() == Interest::Lost {
            return;
        }
        let mut polled = vec![PollFd::new(socket, PollFlags::IN)];
        polled.extend(lives.iter().map(|(_, life)| PollFd::new(life, PollFlags::IN)));
        // A signal is no news, and does no harm.
        let _ = poll(&mut polled, None);
        let ended = lives.iter().zip(polled.iter().skip(1)).filter(|(_, life)| !life.revents().is_empty());
        // Whatever it has left behind may hold its locks for a while: it is no news any more.
        dead.extend(ended.map(|((pid, _), _)| *pid));
        let mut word = [0; 1];
        while let Ok(1) = socket.recv(&mut word) {
            if word == *b"e" {
                return;
            }
        }
        if changed() == Interest::Lost {
            return;
        }
    }
}
