//! What was decided, and why: the newest of it.

use std::collections::VecDeque;
use std::sync::Arc;

use super::views::Decision;
use super::words;
use crate::logic::engine::Ledger;
use crate::logic::event::{Ending, EventKind, ExperimentEvent, ResumedBy, Revival};
use crate::logic::time::Moment;

/// So many are kept.
const MOST: usize = 50_000;

#[derive(Clone, Debug)]
struct Entry {
    at: Moment,
    trial: Option<u32>,
    what: Arc<str>,
    why: Option<Arc<str>>,
}

/// The newest decisions, in their order.
#[derive(Debug, Default)]
pub(super) struct Decisions {
    /// The number of the first that is kept.
    first: u64,
    kept: VecDeque<Entry>,
}

impl Decisions {
    pub(super) fn add(&mut self, at: Moment, trial: Option<u32>, what: impl Into<Arc<str>>, why: Option<Arc<str>>) {
        if self.kept.len() >= MOST {
            self.kept.pop_front();
            self.first += 1;
        }
        self.kept.push_back(Entry { at, trial, what: what.into(), why });
    }

    /// Takes an event, if it says that something was decided.
    pub(super) fn hear(&mut self, event: &ExperimentEvent, ledger: &Ledger) {
        let reason = |reason: &Option<std::borrow::Cow<'static, str>>| reason.as_deref().map(Arc::from);
        let (what, why): (Arc<str>, Option<Arc<str>>) = match &event.kind {
            EventKind::Stopping { ending, reason: why, .. } => (words::of_ending(*ending).into(), reason(why)),
            // Who ended it was said when that was decided.
            EventKind::Ended {
                ending: ending @ (Ending::Done | Ending::Error | Ending::Restarted | Ending::Withdrawn),
                reason: why,
                trial,
                ..
            } => {
                let failed = || ledger.get(*trial)?.error().map(|failure| Arc::from(failure.fault.message.as_str()));
                let failed = if *ending == Ending::Error { failed() } else { None };
                (words::of_ending(*ending).into(), reason(why).or(failed))
            }
            EventKind::Paused { by, reason: why, .. } => (words::of_pause(*by).into(), reason(why)),
            EventKind::Resumed { by: ResumedBy::Client, .. } => ("somebody let it go on".into(), None),
            EventKind::Resumed { by: ResumedBy::Scheduler, .. } => ("the scheduler let it go on".into(), None),
            EventKind::Revived { why: Revival::Retry, .. } => ("it is tried once more".into(), None),
            EventKind::Revived { why: Revival::Extend, .. } => ("it goes further".into(), None),
            EventKind::ExploitOrdered { order, .. } => {
                let what = format!("it is to become a copy of trial {}", order.donor.number());
                (what.into(), order.reason.as_deref().map(Arc::from))
            }
            EventKind::Exploited { exploit, .. } => {
                let what = format!("it became a copy of trial {}", exploit.donor.number());
                (what.into(), exploit.reason.as_deref().map(Arc::from))
            }
            EventKind::ExploitDropped { reason, .. } => {
                ("it doesn't become a copy".into(), Some(reason.as_str().into()))
            }
            EventKind::Resized { request, .. } => (format!("it is given {request} from now on").into(), None),
            EventKind::Prioritised { priority, .. } => (format!("its priority is {priority} from now on").into(), None),
            EventKind::Failed { failure, retry_at, .. } => {
                let what = match retry_at {
                    Some(_) => format!("attempt {} failed, and it is tried again", failure.attempt),
                    None => format!("attempt {} failed, and it isn't tried again", failure.attempt),
                };
                (what.into(), Some(failure.fault.message.as_str().into()))
            }
            other => match words::of_run(other) {
                Some((what, why)) => (what.into(), why),
                None => return,
            },
        };
        self.add(event.at, event.kind.trial().map(|trial| trial.number()), what, why);
    }

    /// Those before one, the newest first.
    pub(super) fn before(&self, before: Option<u64>, most: usize) -> Vec<Decision> {
        let before = before.unwrap_or(u64::MAX).saturating_sub(self.first);
        let end = usize::try_from(before).unwrap_or(usize::MAX).min(self.kept.len());
        self.views(end, |_| true).take(most).collect()
    }

    /// Those of a trial, the newest first.
    pub(super) fn of(&self, number: u32) -> Vec<Decision> {
        self.views(self.kept.len(), |entry| entry.trial == Some(number)).collect()
    }

    fn views(&self, end: usize, wanted: impl Fn(&Entry) -> bool) -> impl Iterator<Item = Decision> {
        let newest = self.kept.iter().enumerate().take(end).rev().filter(move |(_, entry)| wanted(entry));
        newest.map(|(place, entry)| Decision {
            seq: self.first + place as u64,
            at: entry.at.since_start().as_secs_f64(),
            number: entry.trial,
            what: entry.what.to_string(),
            why: entry.why.as_deref().map(str::to_owned),
        })
    }
}
