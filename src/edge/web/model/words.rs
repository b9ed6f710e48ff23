//! What is said in words: why trials and workers wait, how trials ended, what was changed.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::views::LiveChange;
use crate::logic::engine::{Ledger, Place, TrialRecord, Waiting};
use crate::logic::event::{AddedBy, Ending, EventKind, ExperimentEvent, Outcome, PausedBy};
use crate::logic::schedule::Cohort;
use crate::logic::search::Samples;
use crate::logic::settings::LiveSetting;
use crate::logic::stop::rules_in_words;
use crate::logic::trial::Status;

/// How a trial ended.
pub(super) fn of_ending(ending: Ending) -> &'static str {
    match ending {
        Ending::Done => "it was done",
        Ending::StopRule => "a stop rule ended it",
        Ending::Scheduler => "the scheduler ended it",
        Ending::Client => "somebody ended it",
        Ending::Experiment => "the whole run was ended",
        Ending::Error => "it failed for good",
        Ending::Restarted => "another trial with its configuration took its place",
        Ending::Withdrawn => "it was withdrawn before it began",
    }
}

/// Who paused a trial.
pub(super) fn of_pause(by: PausedBy) -> &'static str {
    match by {
        PausedBy::Scheduler => "the scheduler paused it",
        PausedBy::Client => "somebody paused it",
        PausedBy::Drain => "it was paused for the end of the session",
    }
}

/// What was decided of the run as a whole, and why.
pub(super) fn of_run(kind: &EventKind) -> Option<(String, Option<Arc<str>>)> {
    Some(match kind {
        EventKind::Added { by: AddedBy::Client, .. } => ("somebody added it".to_owned(), None),
        EventKind::Added { by: AddedBy::Restart, .. } => ("it takes the place of an earlier trial".to_owned(), None),
        EventKind::Held { why } => ("no trial is launched any more".to_owned(), Some(why.to_string().into())),
        EventKind::Proceeded => ("somebody let the run go on".to_owned(), None),
        EventKind::Withdrawn { gpu, trials, fault } => {
            let what = format!("GPU {gpu} is granted to nobody any more: {trials} trials failed on it in a row");
            (what, Some(fault.message.as_str().into()))
        }
        EventKind::Warning { message } => ("a warning".to_owned(), Some(message.as_str().into())),
        EventKind::Abandoned { worker, .. } => {
            (format!("worker {worker} was left behind: it didn't stop within its grace"), None)
        }
        EventKind::Asked { order, by, .. } => (format!("{by} asked for `{order}`"), None),
        EventKind::Closing { closing } => (format!("the run begins to end: {}", closing.outcome), None),
        EventKind::Finished { outcome } => (format!("the run ended: {outcome}"), None),
        other => {
            let (what, by) = edited(other)?;
            (what, by.map(|by| format!("{by} asked for it").into()))
        }
    })
}

/// What a client changed of the run, if the event says that.
pub(super) fn edit(event: &ExperimentEvent) -> Option<LiveChange> {
    let (what, by) = edited(&event.kind)?;
    Some(LiveChange { at: event.at.since_start().as_secs_f64(), what, by: by.map(|by| by.to_string()) })
}

fn edited(kind: &EventKind) -> Option<(String, Option<Arc<str>>)> {
    Some(match kind {
        EventKind::Limited { concurrency: Some(most) } => (format!("at most {most} trials at once"), None),
        EventKind::Limited { concurrency: None } => ("as many trials at once as the resources allow".to_owned(), None),
        EventKind::Rescaled { total } => (format!("there is {total} to run on"), None),
        EventKind::Staged { most } => (format!("at most {most} trials wait for workers"), None),
        EventKind::SpaceChanged { changes, by, version } => {
            let named: Vec<String> = changes.iter().map(|(name, domain)| format!("{name}: {domain}")).collect();
            let what = if named.is_empty() { "as the program gave it".to_owned() } else { named.join("; ") };
            (format!("the space (version {version}): {what}"), by.clone())
        }
        EventKind::SettingChanged { setting, by } => (setting_words(setting), by.clone()),
        _ => return None,
    })
}

fn setting_words(setting: &LiveSetting) -> String {
    match setting {
        LiveSetting::Samples(None) => "as many samples as the program says".to_owned(),
        LiveSetting::Samples(Some(Samples::Finite(count))) => format!("{count} samples"),
        LiveSetting::Samples(Some(Samples::Infinite)) => "samples without end".to_owned(),
        LiveSetting::Stop(None) => "the program's stop rules".to_owned(),
        LiveSetting::Stop(Some(rules)) => rules_in_words(rules),
        LiveSetting::TimeLimit(None) => "no time limit".to_owned(),
        LiveSetting::TimeLimit(Some(limit)) => format!("a time limit of {:?} ({})", limit.after, limit.then),
    }
}

/// Why a trial isn't running; none if it runs or has ended. `has_worker` says whether it was granted one.
pub(super) fn waits(record: &TrialRecord, ledger: &Ledger, has_worker: bool) -> Option<String> {
    let plan = ledger.plan(record.id)?;
    let waiting = match record.status {
        Status::Running => return None,
        Status::Terminated | Status::Error => return None,
        _ if plan.launched && has_worker => Waiting::ForWorker,
        _ if plan.launched => Waiting::ForResources { needs: plan.request.clone() },
        _ => ledger.waiting(record.id),
    };
    Some(waiting.to_string())
}

/// Why a trial waits, ended or was paused, in a few words; none of one that runs.
pub(super) fn why(record: &TrialRecord, ledger: &Ledger, has_worker: bool) -> Option<String> {
    match (&record.reason, record.ending, record.status) {
        (_, _, Status::Error) => record.error().map(|failure| failure.fault.message.clone()),
        (Some(reason), Some(_), _) | (Some(reason), None, Status::Paused) => Some(reason.to_string()),
        (None, Some(ending), _) => Some(of_ending(ending).to_owned()),
        (_, None, _) => waits(record, ledger, has_worker),
    }
}

/// Why a worker that could work has no trial.
pub(super) fn why_idle(ledger: &Ledger, limit: Option<u32>, ending: bool) -> String {
    let run = ledger.run();
    if let Some(outcome) = &run.outcome {
        return format!("the run is over: {outcome}");
    }
    if ending {
        return "the run is ending".to_owned();
    }
    if let Some(why) = &run.hold {
        return format!("the run is held: {why}");
    }
    let limit = run.limited.or(limit).filter(|limit| *limit > 0);
    if let Some(limit) = limit.filter(|limit| ledger.launched_count() >= *limit as usize) {
        return format!("at most {limit} trials run at once");
    }
    let starting = ledger.launched_count() > Cohort::count(ledger, Status::Running);
    match ledger.waiting_counts() {
        _ if starting => "the next trial is being started".to_owned(),
        (1.., _, _) => "the trials that wait are about to be launched, or need more than is free".to_owned(),
        (0, 1.., _) => "only paused trials are left, and the scheduler lets none of them go on yet".to_owned(),
        (0, 0, 1..) => "failed trials wait for their next attempts".to_owned(),
        (0, 0, 0) => "there is no other trial to run: the searcher has suggested nothing more".to_owned(),
    }
}

/// Why nothing moves, if nothing does: for each reason how many trials it holds up.
pub(super) fn stillness(ledger: &Ledger) -> Vec<String> {
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    for record in ledger.iter().filter(|record| !record.status.is_terminal()) {
        // Moments differ from trial to trial.
        let backing_off =
            ledger.plan(record.id).is_some_and(|plan| matches!(plan.place, Place::BackingOff(_)) && !plan.launched);
        let words = match waits(record, ledger, false) {
            _ if backing_off => "waits for its next attempt".to_owned(),
            Some(words) => words,
            None => return Vec::new(),
        };
        *reasons.entry(words).or_default() += 1;
    }
    let mut reasons: Vec<(String, usize)> = reasons.into_iter().collect();
    reasons.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let told = reasons.into_iter().take(10);
    told.map(
        |(words, count)| {
            if count == 1 { format!("one trial {words}") } else { format!("of {count} trials each {words}") }
        },
    )
    .collect()
}

/// Why a run ended, if there is more to say than how.
pub(super) fn of_outcome(outcome: &Outcome) -> Option<String> {
    match outcome {
        Outcome::Stopped(why) => Some(why.to_string()),
        Outcome::Failed(why) => Some(why.to_string()),
        Outcome::Drained => Some("it can be gone on with".to_owned()),
        Outcome::Completed | Outcome::Unfinished => None,
    }
}

/// A count as people read it: `46,000`.
pub(super) fn thousands(count: usize) -> String {
    let digits = count.to_string();
    let comma = |index: usize| index > 0 && (digits.len() - index).is_multiple_of(3);
    digits
        .chars()
        .enumerate()
        .flat_map(|(index, digit)| comma(index).then_some(',').into_iter().chain([digit]))
        .collect()
}
