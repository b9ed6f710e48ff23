//! Waiting for several things at once: mail, a process's words, its end, a moment.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::child::Child;
use super::mailbox::Mailbox;
use super::output::Stream;

/// What there is to do.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ready {
    /// There is mail.
    pub(super) mail: bool,
    pub(super) socket: bool,
    pub(super) streams: [bool; 2],
    /// The child has ended.
    pub(super) ended: bool,
}

/// Whether there are bytes that wait to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Writing {
    Idle,
    Waiting,
}

/// A stream that isn't to be read now: it waits in its pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    Both,
    /// Standard error alone.
    OnlyErrors,
    Nothing,
}

/// Waits until something of a child is ready, mail has come, or a moment is there.
pub(super) fn wait(
    mail: &Mailbox,
    child: Option<&Child>,
    streams: &[Stream; 2],
    writing: Writing,
    reading: Reading,
    until: Option<Instant>,
) -> Ready {
    let socket = child.and_then(|child| child.socket.as_deref()).map(AsFd::as_fd);
    let pipes = streams.each_ref().map(|stream| stream.pipe().map(AsFd::as_fd));
    let pipes = match reading {
        Reading::Both => pipes,
        Reading::OnlyErrors => [None, pipes[1]],
        Reading::Nothing => [None, None],
    };
    let sources: [Option<BorrowedFd<'_>>; 5] = [Some(mail.bell()), socket, pipes[0], pipes[1], child.map(Child::watch)];
    let wanted = |index| match (index, writing) {
        (1, Writing::Waiting) => PollFlags::IN | PollFlags::OUT,
        _ => PollFlags::IN,
    };
    let (places, mut polled): (Vec<usize>, Vec<PollFd<'_>>) = sources
        .into_iter()
        .enumerate()
        .filter_map(|(index, source)| Some((index, PollFd::from_borrowed_fd(source?, wanted(index)))))
        .unzip();
    let timeout = until.and_then(|until| {
        // One that is too long to be said is none.
        Timespec::try_from(until.saturating_duration_since(Instant::now())).ok()
    });
    // A signal that comes in between is as good as nothing ready: the caller looks at everything again.
    let _ = poll(&mut polled, timeout.as_ref());
    let mut ready = [false; 5];
    for (place, polled) in places.into_iter().zip(&polled) {
        ready[place] = !polled.revents().is_empty();
    }
    Ready { mail: ready[0], socket: ready[1], streams: [ready[2], ready[3]], ended: ready[4] }
}
