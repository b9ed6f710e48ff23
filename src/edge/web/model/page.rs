//! One trial, who became a copy of whom, and when which worker had which trial.

use std::collections::BTreeMap;

use serde_json::Value;

use super::columns::{POINTS, json, leaves, thinned};
use super::state::State;
use super::views::{CheckpointView, CopyView, FailureView, LineageView, TrialCurves, TrialPage, WorkersView};
use super::words;
use crate::logic::config::Config;
use crate::logic::engine::TrialRecord;
use crate::logic::event::Exploit;
use crate::logic::time::Moment;

fn seconds(moment: Moment) -> f64 {
    moment.since_start().as_secs_f64()
}

/// One trial, without the names of its outputs; none if there is none of this number.
pub(super) fn trial(state: &State, number: u32) -> Option<TrialPage> {
    let record = state.ledger().get(state.trial_id(number))?;
    let plan = state.ledger().plan(record.id);
    let metrics = |last: &crate::logic::metrics::Report| {
        last.metrics.iter().map(|(name, value)| (name.to_string(), json(value))).collect::<BTreeMap<String, Value>>()
    };
    Some(TrialPage {
        position: state.position,
        number,
        id: record.id.to_string(),
        name: record.name.as_ref().map(ToString::to_string),
        status: record.status.to_string(),
        config: record.config.as_map().clone(),
        waits: words::waits(record, state.ledger(), state.timeline.has_worker(number)),
        reason: record.reason.as_ref().map(ToString::to_string),
        ending: record.ending.map(|ending| words::of_ending(ending).to_owned()),
        request: plan.map(|plan| plan.request.to_string()),
        priority: plan.map_or(0, |plan| plan.priority),
        runs_on: state.timeline.worker_of(number),
        iteration: record.last.as_ref().map_or(0, |last| last.iteration()),
        attempts: record.attempts,
        started: record.started.map(seconds),
        ended: record.ended.map(seconds),
        last: record.last.as_deref().filter(|last| last.iteration() > 0).map(metrics),
        checkpoints: checkpoints(record),
        failures: failures(record),
        curves: curves(record),
        decisions: state.decisions.of(number),
        outputs: Vec::new(),
        copies: copies(state, Some(number)),
    })
}

fn checkpoints(record: &TrialRecord) -> Vec<CheckpointView> {
    let goes_on_from = record.goes_on_from().map(|checkpoint| checkpoint.id);
    let view = |checkpoint: &std::sync::Arc<crate::logic::checkpoint::Checkpoint>| CheckpointView {
        index: checkpoint.id.index,
        iteration: checkpoint.report.iteration(),
        bytes: checkpoint.bytes,
        kept: (Some(checkpoint.id) == goes_on_from).then(|| "the trial's next attempt goes on from it".to_owned()),
    };
    record.checkpoints.iter().map(view).collect()
}

fn failures(record: &TrialRecord) -> Vec<FailureView> {
    let last = record.failures.len().saturating_sub(1);
    let view = |(place, failure): (usize, &std::sync::Arc<crate::logic::failure::Failure>)| FailureView {
        at: seconds(failure.at),
        attempt: failure.attempt,
        kind: failure.fault.kind.to_string(),
        message: failure.fault.message.clone(),
        output: (!failure.fault.output.is_empty()).then(|| failure.fault.output.join("\n")),
        // Every failure but one that ended the trial was followed by another attempt.
        retried: place < last || record.error().is_none(),
    };
    record.failures.iter().enumerate().map(view).collect()
}

fn curves(record: &TrialRecord) -> TrialCurves {
    let mut curves = TrialCurves::default();
    for report in thinned(record.reports().filter(|report| report.iteration() > 0).collect(), POINTS) {
        let place = curves.x.len();
        curves.x.push(report.iteration());
        for (name, value) in report.metrics.iter() {
            let Some(value) = value.as_f64() else { continue };
            let column = curves.metrics.entry(name.to_string()).or_default();
            column.resize(place, None);
            column.push(Some(value).filter(|value| value.is_finite()));
        }
    }
    let length = curves.x.len();
    curves.metrics.values_mut().for_each(|column| column.resize(length, None));
    curves
}

/// Who became a copy of whom.
pub(super) fn lineage(state: &State) -> LineageView {
    LineageView { position: state.position, copies: copies(state, None) }
}

fn copies(state: &State, of: Option<u32>) -> Vec<CopyView> {
    let wanted = state.copies.iter().filter(|(number, ..)| of.is_none_or(|of| of == *number));
    let view = |(number, place, at): &(u32, usize, Option<Moment>)| {
        let record = state.ledger().get(state.trial_id(*number))?;
        let exploit: &Exploit = record.lineage.get(*place)?;
        Some(CopyView {
            at: at.map(seconds),
            number: *number,
            donor: exploit.donor.number(),
            iteration: exploit.iteration,
            changed: changed(&exploit.before, &exploit.config),
        })
    };
    wanted.filter_map(view).collect()
}

/// What differs between two configurations, by path.
fn changed(before: &Config, after: &Config) -> BTreeMap<String, (Value, Value)> {
    let mut values: BTreeMap<String, (Value, Value)> = BTreeMap::new();
    leaves(before.as_map(), &mut String::new(), &mut |path, value| {
        values.entry(path.to_owned()).or_default().0 = value.clone();
    });
    leaves(after.as_map(), &mut String::new(), &mut |path, value| {
        values.entry(path.to_owned()).or_default().1 = value.clone();
    });
    values.retain(|_, (before, after)| before != after);
    values
}

/// The timeline of the workers; `goes_on` says whether the run does.
pub(super) fn workers(state: &State, goes_on: bool, now: f64) -> WorkersView {
    let end = (!goes_on).then(|| state.ledger().run().now);
    let chosen = match (state.timeline.from(), state.is_compacted()) {
        (Some(from), _) => format!("from {:.0} s on", seconds(from)),
        (None, true) => {
            "what isn't in the journal's snapshot: that doesn't say which worker had which trial".to_owned()
        }
        (None, false) => "all".to_owned(),
    };
    WorkersView { position: state.position, now, lanes: state.timeline.lanes(end), chosen }
}
