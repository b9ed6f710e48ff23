//! What the console prints as it comes: failures and warnings, but no flood of them.

use std::time::Duration;

use super::words;
use crate::logic::event::EventKind;
use crate::logic::time::Moment;

const MOST: u32 = 10;
const PER: Duration = Duration::from_secs(10);

/// Keeps a flood of failures from becoming a flood of lines.
#[derive(Debug, Default)]
pub(super) struct Notices {
    since: Moment,
    shown: u32,
    held_back: u64,
}

impl Notices {
    /// Whether one more may be shown, and how many weren't before it.
    pub(super) fn pass(&mut self, at: Moment) -> Option<u64> {
        if at.since(self.since) >= PER {
            (self.since, self.shown) = (at, 0);
        }
        if self.shown == MOST {
            self.held_back += 1;
            return None;
        }
        self.shown += 1;
        Some(self.take_held_back())
    }

    /// How many weren't shown since one was.
    pub(super) fn take_held_back(&mut self) -> u64 {
        std::mem::take(&mut self.held_back)
    }

    /// What is to be said of an event, if anything.
    pub(super) fn text(kind: &EventKind, at: Moment) -> Option<String> {
        match kind {
            EventKind::Failed { trial, failure, retry_at } => {
                let next = match retry_at {
                    Some(retry) if *retry > at => {
                        format!("failed, next attempt in {}", words::duration(retry.since(at)))
                    }
                    Some(_) => "failed, next attempt at once".to_owned(),
                    None => "failed".to_owned(),
                };
                Some(format!("{trial} {next}: {}", words::line_of(&failure.to_string())))
            }
            EventKind::Warning { message } => Some(format!("warning: {}", words::line_of(message))),
            EventKind::Held { why } => {
                Some(format!("held, waits to be let go on: {}", words::line_of(&why.to_string())))
            }
            EventKind::Withdrawn { gpu, trials, fault } => Some(format!(
                "warning: GPU {gpu} is out of service: {trials} trials in a row failed on it, the last with {}",
                words::line_of(&fault.to_string())
            )),
            EventKind::Abandoned { worker, .. } => {
                Some(format!("warning: worker {worker} didn't stop and was left behind"))
            }
            _ => None,
        }
    }
}
