//! Wherever a run is cut off: its journal says what it was, and the resumed run ends as it would have.

#[path = "../engine_props/rig.rs"]
mod rig;

use std::time::Duration;

use proptest::prelude::*;
use rig::{RUN, Rig, rig, scheduler, searcher};
use tryout::logic::engine::{Engine, FailFast, Ledger, OnSameError, Resume, SameError, TrialRecord};
use tryout::logic::event::{EventKind, Outcome};
use tryout::logic::journal::{Compactor, Entry, Opened, PartStates, Reader, Record, Writer};
use tryout::logic::limit::{OnLimit, TimeLimit};
use tryout::logic::trial::Status;
use tryout::testing::{Sim, SimCut, SimEnd};

/// The text of a run's journal.
fn journal(cut: &SimCut) -> Vec<String> {
    let mut writer = Writer::default();
    let opened = Entry::Opened(Opened::new("rig", RUN, "script").into());
    let steps = cut.steps.iter().cloned().map(Entry::Step);
    let write = |entry: Entry| {
        let mut text = Vec::new();
        writer.write(&entry, &mut text);
        String::from_utf8(text).expect("JSON is UTF-8")
    };
    std::iter::once(opened).chain(steps).map(write).filter(|text| !text.is_empty()).collect()
}

fn read(text: &[String]) -> Vec<Record> {
    let mut reader = Reader::default();
    text.iter().map(|line| reader.read(line).unwrap_or_else(|error| panic!("{error:?} in {line}"))).collect()
}

fn compacted(records: Vec<Record>, parts: PartStates) -> Vec<String> {
    let mut text = Vec::new();
    let mut out = |line: &[u8]| text.push(String::from_utf8(line.to_vec()).expect("JSON is UTF-8"));
    let mut compactor = Compactor::new(parts);
    for record in records {
        compactor.take(record, &mut out);
    }
    compactor.finish(&mut out);
    text
}

/// An engine that was told the past.
fn recalled(rig: &Rig, records: Vec<Record>) -> Result<Engine, TestCaseError> {
    let mut engine = rig::engine(rig, scheduler(rig), searcher(rig));
    for record in records {
        engine.recall(record).map_err(|error| TestCaseError::fail(error.to_string()))?;
    }
    prop_assert_eq!(&engine.recalled().refused, &Vec::<String>::new());
    Ok(engine)
}

fn cut(rig: &Rig, messages: u64) -> Result<SimCut, TestCaseError> {
    let sim = rig.sim(scheduler(rig), searcher(rig));
    let sim = if rig.orders.is_empty() { sim.in_order() } else { sim };
    sim.cut_after(messages).map_err(|error| TestCaseError::fail(error.to_string()))
}

fn resumed(rig: &Rig, cut: &SimCut, mut engine: Engine, how: Resume) -> Sim {
    engine.resume(how);
    let run = engine.recalled().run;
    let pool = rig::pool(rig).numbered_from(run.workers, run.leases);
    rig.later_orders(Sim::since(cut.now, rig.seed ^ 1, engine, pool, rig::trials(rig), rig::script(rig)))
}

fn same_record(was: &TrialRecord, is: &TrialRecord) -> Result<(), TestCaseError> {
    prop_assert_eq!((was.id, was.status, was.reported), (is.id, is.status, is.reported));
    prop_assert_eq!((&was.config, &was.last, &was.stats), (&is.config, &is.last, &is.stats), "{}", was.id);
    prop_assert_eq!((&was.checkpoints, was.saves), (&is.checkpoints, is.saves), "{}", was.id);
    prop_assert_eq!((&was.failures, was.attempts), (&is.failures, is.attempts), "{}", was.id);
    prop_assert_eq!((&was.inherited, &was.lineage), (&is.inherited, &is.lineage), "{}", was.id);
    prop_assert_eq!((&was.resized, was.ending), (&is.resized, is.ending), "{}", was.id);
    // That the whole experiment is being stopped is that session's business, until it has ended the trial.
    if was.status.is_terminal() {
        prop_assert_eq!(&was.reason, &is.reason, "{}", was.id);
    }
    prop_assert_eq!((was.started, was.ended), (is.started, is.ended), "{}", was.id);
    Ok(())
}

fn same_ledger(was: &Ledger, is: &Ledger) -> Result<(), TestCaseError> {
    prop_assert_eq!(was.len(), is.len());
    was.iter().zip(is.iter()).try_for_each(|(was, is)| same_record(was, is))
}

/// What a run has come to, apart from when and on which worker.
fn outcome(end: &SimEnd) -> Vec<(String, Status, u64, Option<f64>, Option<tryout::logic::event::Ending>)> {
    let loss = |record: &TrialRecord| record.last.as_ref().and_then(|last| last.number("loss"));
    let one =
        |record: &TrialRecord| (record.config.to_string(), record.status, record.reported, loss(record), record.ending);
    end.ledger.iter().map(one).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn the_journal_says_what_the_run_was(rig in rig(), messages in 0_u64..400) {
        let cut = cut(&rig, messages)?;
        let text = journal(&cut);
        let engine = recalled(&rig, read(&text))?;
        same_ledger(&cut.ledger, engine.ledger())?;
    }

    #[test]
    fn a_snapshot_says_the_same_in_fewer_words(rig in rig(), messages in 0_u64..400) {
        let cut = cut(&rig, messages)?;
        let text = journal(&cut);
        let short = compacted(read(&text), PartStates::default());
        let engine = recalled(&rig, read(&short))?;
        same_ledger(&cut.ledger, engine.ledger())?;
        // And so does a snapshot of a snapshot.
        let again = compacted(read(&short), PartStates::default());
        prop_assert_eq!(again, short);
    }

    #[test]
    fn a_resumed_run_ends_with_every_result_once(rig in rig(), messages in 0_u64..400, snapshot in any::<bool>()) {
        let cut = cut(&rig, messages)?;
        let mut text = journal(&cut);
        if snapshot {
            text = compacted(read(&text), cut.parts.clone());
        }
        let engine = recalled(&rig, read(&text))?;
        let before: Vec<u64> = engine.ledger().iter().map(|record| record.reported).collect();
        let sim = resumed(&rig, &cut, engine, Resume::new()).at_most(200_000);
        let end = sim.run().map_err(|error| TestCaseError::fail(error.to_string()))?;
        let mut next: std::collections::BTreeMap<_, u64> = std::collections::BTreeMap::new();
        for event in &end.events {
            if let EventKind::Exploited { trial, exploit } = &event.kind {
                next.insert(*trial, exploit.checkpoint.report.iteration() + 1);
            }
            if let EventKind::Reported { report } = &event.kind {
                let known = before.get(report.trial.number() as usize).copied().unwrap_or(0);
                let next = next.entry(report.trial).or_insert(known + 1);
                prop_assert_eq!(report.iteration(), *next, "{}", report.trial);
                *next += 1;
            }
        }
    }

    #[test]
    fn a_run_that_was_held_or_limited_is_resumed(
        mut rig in rig(),
        messages in 0_u64..600,
        snapshot in any::<bool>(),
        seconds in 1_u64..12,
        error in 0.1..0.9_f64,
    ) {
        let limit = TimeLimit { after: Duration::from_secs(seconds), then: OnLimit::SaveThenStop, grace: Duration::from_secs(5) };
        (rig.time_limit, rig.chance.error) = (Some(limit), error);
        rig.same_error = Some(SameError { workers: 2, then: OnSameError::Hold });
        (rig.gpus, rig.withdraw_after) = (Some((3, 1)), Some(2));
        let cut = cut(&rig, messages)?;
        let mut text = journal(&cut);
        if snapshot {
            text = compacted(read(&text), cut.parts.clone());
        }
        let engine = recalled(&rig, read(&text))?;
        same_ledger(&cut.ledger, engine.ledger())?;
        prop_assert_eq!(engine.hold(), None, "a session begins not held");
        let sim = resumed(&rig, &cut, engine, Resume::new()).at_most(200_000);
        let end = sim.run().map_err(|error| TestCaseError::fail(error.to_string()))?;
        // The steps have their grace, and then the workers have theirs; a session that was cut off later ends at once.
        let most = limit.at().max(cut.now) + limit.grace + limit.grace;
        prop_assert!(end.now <= most, "the limit counts over both sessions, and it ended at {}", end.now);
    }

    #[test]
    fn a_deterministic_run_ends_as_if_it_had_never_been_cut(
        mut rig in rig(),
        messages in 0_u64..400,
        snapshot in any::<bool>(),
    ) {
        rig.orders.clear();
        rig.budget = None;
        rig.chance = Default::default();
        rig.cpus = 1;
        rig.scheduler %= 2;
        rig.fail_fast = FailFast::No;
        let whole = rig.sim(scheduler(&rig), searcher(&rig)).in_order().run().map_err(|error| TestCaseError::fail(error.to_string()))?;
        let cut = cut(&rig, messages)?;
        let mut text = journal(&cut);
        if snapshot {
            text = compacted(read(&text), cut.parts.clone());
        }
        let engine = recalled(&rig, read(&text))?;
        let end = resumed(&rig, &cut, engine, Resume::new()).in_order().run().map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(&end.outcome, &Outcome::Completed);
        prop_assert_eq!(outcome(&end), outcome(&whole));
    }
}
