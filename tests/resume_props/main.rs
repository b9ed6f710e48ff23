//! Wherever a run is cut off: its journal says what it was, and the resumed run ends as it would have.

#[path = "../engine_props/rig.rs"]
mod rig;

use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use rig::{RUN, Rig, rig, scheduler, searcher};
use tryout::logic::config::Config;
use tryout::logic::engine::{
    Batching, Engine, EngineSettings, FailFast, Ledger, OnSameError, Resume, SameError, TrialRecord,
};
use tryout::logic::event::{EventKind, Outcome};
use tryout::logic::gate::{Ahead, GateSettings};
use tryout::logic::ids::TrialId;
use tryout::logic::journal::{Compactor, Entry, Opened, PartStates, Reader, Record, Writer};
use tryout::logic::limit::{OnLimit, TimeLimit};
use tryout::logic::metrics::{Metrics, Report};
use tryout::logic::pool::{Pool, Resources};
use tryout::logic::schedule::Fifo;
use tryout::logic::search::Points;
use tryout::logic::settings::Settings;
use tryout::logic::state::PartState;
use tryout::logic::stop::{self, Progress, StopReason, StopRule};
use tryout::logic::time::Moment;
use tryout::logic::trial::{Status, TrialSettings};
use tryout::testing::{Script, Sim, SimCut, SimEnd, SimJournal};

/// The text of a run's journal.
fn journal(cut: &SimCut) -> Vec<String> {
    let mut writer = Writer::default();
    let opened = Entry::Opened(Opened::new(Settings::new("rig"), RUN, "script").into());
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
        engine.replay(record).map_err(|error| TestCaseError::fail(error.to_string()))?;
    }
    prop_assert_eq!(&engine.replayed().refused, &Vec::<String>::new());
    Ok(engine)
}

fn cut(rig: &Rig, messages: u64) -> Result<SimCut, TestCaseError> {
    let sim = rig.sim(scheduler(rig), searcher(rig));
    let sim = if rig.orders.is_empty() { sim.in_order() } else { sim };
    sim.cut_after(messages).map_err(|error| TestCaseError::fail(error.to_string()))
}

fn resumed(rig: &Rig, cut: &SimCut, mut engine: Engine, how: Resume) -> Sim {
    engine.resume(how);
    let run = engine.ledger().run();
    let pool = rig::pool(rig).numbered_from(run.workers, run.leases);
    rig.later_orders(Sim::since(cut.now, rig.seed ^ 1, engine, pool, rig::trials(rig), rig::script(rig)))
}

fn same_ledger(was: &Ledger, is: &Ledger) -> Result<(), TestCaseError> {
    prop_assert_eq!(was.len(), is.len());
    for (was_record, is_record) in was.iter().zip(is.iter()) {
        prop_assert_eq!(was_record, is_record);
        prop_assert_eq!(was.plan(was_record.id), is.plan(is_record.id), "{}", was_record.id);
    }
    prop_assert_eq!(was.run(), is.run());
    Ok(())
}

/// What a run has come to, apart from when and on which worker.
fn outcome(end: &SimEnd) -> Vec<(String, Status, u64, Option<f64>, Option<tryout::logic::event::Ending>)> {
    let loss = |record: &TrialRecord| record.last.as_ref().and_then(|last| last.number("loss"));
    let one =
        |record: &TrialRecord| (record.config.to_string(), record.status, record.reported, loss(record), record.ending);
    end.ledger.iter().map(one).collect()
}

/// Journals that are slow, stall, recover, answer late, and ask for snapshots.
fn sim_journal() -> impl Strategy<Value = SimJournal> {
    let millis = |most: u64| prop_oneof![Just(0), 1..most].prop_map(Duration::from_millis);
    let stall = (0_u64..20_000, 1_u64..8_000);
    (
        prop_oneof![Just(Ahead::Allowed), Just(Ahead::Forbidden)],
        prop_oneof![Just(200_000_u64), 0_u64..12],
        (millis(3_000), millis(1_500), millis(500)),
        prop::collection::vec(stall, 0..4),
        prop::option::of(1_u64..40),
    )
        .prop_map(|(ahead, most_unwritten, (write, sync, snapshot), mut stalls, grows_after)| {
            stalls.sort_unstable();
            let millis = Duration::from_millis;
            let mut from = 0;
            // One after another.
            let stalls = stalls.into_iter().map(|(begin, length)| {
                let begin = begin.max(from);
                from = begin + length + 1;
                (Moment::new(millis(begin)), millis(length))
            });
            SimJournal {
                gate: GateSettings { ahead, most_unwritten },
                write,
                sync,
                stalls: stalls.collect(),
                grows_after: grows_after.and_then(NonZeroU64::new),
                snapshot,
            }
        })
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
        for parts in [PartStates::default(), cut.parts.clone()] {
            let short = compacted(read(&text), parts.clone());
            let engine = recalled(&rig, read(&short))?;
            same_ledger(&cut.ledger, engine.ledger())?;
            // And so does a snapshot of a snapshot.
            let again = compacted(read(&short), parts);
            let engine = recalled(&rig, read(&again))?;
            same_ledger(&cut.ledger, engine.ledger())?;
            prop_assert_eq!(again, short);
        }
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
            if let EventKind::Exploited { trial, exploit, .. } = &event.kind {
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
    fn a_run_comes_to_its_end_whatever_its_journal_does(rig in rig(), journal in sim_journal()) {
        let sim = rig.sim(scheduler(&rig), searcher(&rig)).journal(journal).at_most(200_000);
        sim.run().map_err(|error| TestCaseError::fail(error.to_string()))?;
    }

    #[test]
    fn a_run_whose_journal_is_behind_is_resumed_from_what_was_written(
        rig in rig(),
        script in sim_journal(),
        messages in 0_u64..600,
    ) {
        let sim = rig.sim(scheduler(&rig), searcher(&rig)).journal(script.clone());
        let cut = sim.cut_after(messages).map_err(|error| TestCaseError::fail(error.to_string()))?;
        let engine = recalled(&rig, read(&journal(&cut)))?;
        prop_assert!(engine.ledger().len() <= cut.ledger.len());
        let sim = resumed(&rig, &cut, engine, Resume::new()).deleted(cut.deleted.clone());
        sim.journal(script).at_most(200_000).run().map_err(|error| TestCaseError::fail(error.to_string()))?;
    }

    #[test]
    fn a_run_that_was_held_or_limited_is_resumed(
        mut rig in rig(),
        messages in 0_u64..600,
        snapshot in any::<bool>(),
        seconds in 1_u64..12,
        error in 0.1..0.9_f64,
    ) {
        let limit = TimeLimit { after: Duration::from_secs(seconds), then: OnLimit::SaveThenStop };
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
        // A session begins not held: else this one wouldn't end.
        let sim = resumed(&rig, &cut, engine, Resume::new()).at_most(200_000);
        let end = sim.run().map_err(|error| TestCaseError::fail(error.to_string()))?;
        // The steps have their grace, and then the workers have theirs; a session that was cut off later ends at once.
        let most = limit.at().max(cut.now) + Duration::from_secs(10);
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

/// One trial on one cpu, whose steps take a second and whose saves take ten, cut off after so many messages.
fn one_trial(rules: fn() -> Box<dyn StopRule>, messages: u64) -> (SimCut, Engine) {
    let settings =
        || Arc::new(Settings { checkpoint_every: Some(1), batching: Batching::Single, ..Settings::new("one") });
    let engine = || {
        let settings = EngineSettings { experiment: settings(), ..EngineSettings::new(RUN, "one", Resources::cpus(1)) };
        Engine::new(settings, Box::new(Points::new([Config::new()])), Box::new(Fifo), rules())
    };
    let script = Script::new(|_, iteration| Metrics::from([("loss", iteration as f64)]));
    let script = script.times(Duration::ZERO, Duration::from_secs(1), Duration::from_secs(10));
    let trials = TrialSettings { experiment: settings(), ..TrialSettings::default() };
    let pool = Pool::new(Resources::cpus(1), settings().as_ref().clone());
    let cut = Sim::new(1, engine(), pool, trials, script).cut_after(messages).expect("it goes well");
    (cut, engine())
}

/// What a rule has said of the whole experiment holds under `all`, also if it would say otherwise later; a past without a
/// snapshot brings it back.
#[test]
fn what_a_rule_said_of_the_experiment_is_known_after_a_replay() {
    #[derive(Debug)]
    struct Fickle;
    impl StopRule for Fickle {
        fn check(&mut self, _: TrialId, _: &Report) -> Option<StopReason> {
            None
        }

        fn check_experiment(&mut self, progress: &Progress) -> Option<StopReason> {
            (progress.reports == 2).then(|| "two reports".into())
        }

        fn save(&self) -> Option<PartState> {
            Some(PartState::Null)
        }
    }
    let rules = || Box::new(stop::all((Fickle, stop::experiment_time(Duration::from_secs(3600))))) as Box<dyn StopRule>;
    let (cut, mut engine) = one_trial(rules, 60);
    assert!(cut.ledger.run().reports > 2 && cut.outcome.is_none());
    for step in &cut.steps {
        engine.replay(Record::Step(step.to_vec())).expect("it is one run's");
    }
    let said = cut.parts.stop.expect("it has a state");
    assert_eq!(said["state"]["of_experiment"], serde_json::json!(["two reports", null]));
    assert_eq!(engine.part_states().stop, Some(said));
}

/// A snapshot says what was used up to its own moment, also if nobody has asked the budget since.
#[test]
fn a_snapshot_knows_all_that_was_used() {
    let mut seconds = 0.0;
    for messages in 20..80 {
        let (cut, _) = one_trial(|| Box::new(stop::cpu_seconds(1e9)), messages);
        let used = cut.parts.stop.expect("it has a state")["state"]["used"].as_f64().expect("a number");
        seconds = cut.ledger.run().now.since_start().as_secs_f64();
        assert!((used - seconds).abs() < 1e-6, "{used} of {seconds}");
    }
    assert!(seconds > 10.0);
}
