//! Populations that really run: copies go on from their donors' checkpoints, whatever is slow, fails or is gone meanwhile.
//! The races that are named here are those of Ray Tune's issues.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tryout::extend::*;
use tryout::logic::schedule::Replay;
use tryout::prelude::*;

/// Long enough for a machine that is busy with other things; nobody waits for it to pass.
const LONG: Duration = Duration::from_secs(60);

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// Adds `a` of its configuration to a sum that is saved with each report, and reports that.
fn adder(until: u64) -> impl Fn(Config, &mut Session) -> Result<(), TrialError> + Clone + Send + Sync {
    move |config, trial| {
        let (mut done, mut sum) = match trial.checkpoint()? {
            Some(saved) => saved.json::<(u64, f64)>("state")?,
            None => (0, 0.0),
        };
        while done < until {
            done += 1;
            sum += config.number("a").unwrap_or(0.0);
            let state = (done, sum);
            trial.report_with([("sum", sum)], |writer| Ok(writer.json("state", &state)?))?;
        }
        Ok(())
    }
}

fn pbt(interval: f64) -> Pbt {
    Pbt::new()
        .time_attr("training_iteration")
        .perturbation_interval(interval)
        .mutations(Space::new().with("a", uniform(0.0, 100.0)))
}

fn population(name: &str, until: u64, count: u32) -> Experiment {
    Experiment::new(name, function("adder", adder(until)))
        .seed(0)
        .points((1..=count).map(|a| Config::new().with("a", f64::from(a) * 10.0)))
        .objective(Objective::max("sum"))
        .concurrency(count)
}

/// What a trial's sum must be, by its policy: every step of its way counted once, with the configuration of that time.
fn expected(results: &Results, trial: TrialId, until: u64) -> f64 {
    let a = |config: &Config| config.number("a").unwrap_or(0.0);
    let Ok(policy) = results.policy(trial) else {
        return results.trial(trial).map_or(0.0, |trial| a(&trial.config)) * until as f64;
    };
    let mut sum = 0.0;
    let (mut from, mut now) = (0, a(&policy.start));
    for step in &policy.steps {
        sum += now * (step.iteration - from) as f64;
        (from, now) = (step.iteration, a(&step.config));
    }
    sum + now * (until - from) as f64
}

fn sums_are_right(results: &Results, until: u64) {
    for trial in results.trials() {
        let last = trial.last.as_ref().expect("it reported");
        assert_eq!((trial.status, last.iteration()), (Status::Terminated, until), "{}", trial.id);
        let (sum, expected) = (last.number("sum").expect("it is there"), expected(results, trial.id, until));
        assert!((sum - expected).abs() < 1e-6, "{}: {sum}, and its policy says {expected}", trial.id);
    }
}

#[test]
fn case_p_23_in_rounds_all_end_as_the_best() -> Outcome {
    let keep = |config: Config| config;
    let rounds = Pbt::new().time_attr("training_iteration").perturbation_interval(1.0).explore(keep);
    let trainable = || {
        function("score", |config: Config, trial: &mut Session| {
            let from: u64 = trial.checkpoint()?.map_or(Ok(0), |saved| saved.json("state"))?;
            for done in from + 1..=3 {
                let score = done as f64 + config.number("a").unwrap_or(0.0);
                trial.report_with([("score", score)], |writer| Ok(writer.json("state", &done)?))?;
            }
            Ok(())
        })
    };
    for (all, best) in [([10.0, 20.0, 40.0], 43.0), ([30.0, 20.0, 10.0], 33.0)] {
        let results = Experiment::new("rounds", trainable())
            .seed(0)
            .points(all.map(|a| Config::new().with("a", a)))
            .objective(Objective::max("score"))
            .concurrency(3)
            .scheduler(rounds.clone().rounds(Rounds::Synchronous))
            .run()?;
        for trial in results.trials() {
            let score = trial.last.as_ref().and_then(|last| last.number("score"));
            assert_eq!(score, Some(best), "{:?}", trial.lineage);
        }
    }
    Ok(())
}

#[test]
fn every_sum_is_what_its_policy_says() -> Outcome {
    for rounds in [Rounds::Asynchronous, Rounds::Synchronous] {
        for concurrency in [1, 2, 6] {
            let results =
                population("sums", 12, 6).concurrency(concurrency).scheduler(pbt(2.0).rounds(rounds)).run()?;
            sums_are_right(&results, 12);
            // With a place for each and no rounds, one may be through before another has begun.
            let copies = results.trials().iter().any(|trial| !trial.lineage.is_empty());
            assert!(copies || (rounds, concurrency) == (Rounds::Asynchronous, 6), "somebody became a copy");
        }
    }
    Ok(())
}

#[test]
fn case_k_20_a_donor_s_old_checkpoint_is_kept_for_its_copies() -> Outcome {
    let scratch = tempfile::tempdir()?;
    let results = population("kept", 12, 6)
        .dir(scratch.path())
        .retention(Retention::last(1))
        .checkpoint_budget(1)
        .scheduler(pbt(1.0).quantile_fraction(0.5))
        .run()?;
    sums_are_right(&results, 12);
    assert!(results.trials().iter().all(|trial| trial.failures.is_empty()), "nothing that was loaded was gone");
    Ok(())
}

#[test]
fn ray_28511_a_slow_save_holds_up_nobody_but_its_copies() -> Outcome {
    // The second trial's first checkpoint isn't complete before the first trial has come to the end of the round.
    let (arrived, wait): (Sender<()>, Receiver<()>) = channel();
    let (arrived, wait) = (Arc::new(Mutex::new(arrived)), Arc::new(Mutex::new(wait)));
    let trainable = function("slow", move |config: Config, trial: &mut Session| {
        let slow = config.number("a") == Some(20.0);
        let from: u64 = trial.checkpoint()?.map_or(Ok(0), |saved| saved.json("state"))?;
        for done in from + 1..=4 {
            let sum = config.number("a").unwrap_or(0.0) * done as f64;
            trial.report_with([("sum", sum)], |writer| {
                if slow && done == 1 {
                    wait.lock()
                        .expect("not poisoned")
                        .recv_timeout(LONG)
                        .map_err(|error| TrialError::new(error.to_string()))?;
                }
                Ok(writer.json("state", &done)?)
            })?;
            // Whoever waited may be through.
            let _ = arrived.lock().expect("not poisoned").send(());
        }
        Ok(())
    });
    let results = Experiment::new("slow", trainable)
        .seed(0)
        .points([10.0, 20.0].map(|a| Config::new().with("a", a)))
        .objective(Objective::max("sum"))
        .concurrency(2)
        .scheduler(pbt(2.0).rounds(Rounds::Synchronous))
        .run()?;
    assert!(results.trials().iter().all(|trial| trial.status == Status::Terminated));
    assert_eq!(results.trials()[0].lineage.first().map(|exploit| exploit.donor), Some(results.trials()[1].id));
    Ok(())
}

#[test]
fn ray_58483_and_57906_nothing_stale_is_carried_out_after_a_copy() -> Outcome {
    // Every trial is saved, paused and made a copy all the time; a decision that outlived its report would end or repeat a step.
    for seed in 0..5 {
        let results = population("stale", 15, 8)
            .checkpoint_every(1)
            .scheduler(pbt(1.0).quantile_fraction(0.5).resample_probability(0.5).seed(seed))
            .run()?;
        sums_are_right(&results, 15);
    }
    Ok(())
}

#[test]
fn ray_36568_trials_that_end_while_a_round_ends_are_counted_once() -> Outcome {
    let results = population("ends", 12, 6)
        .stop(stop::at_least("sum", 300.0))
        .scheduler(pbt(2.0).rounds(Rounds::Synchronous).quantile_fraction(0.5))
        .run()?;
    assert_eq!(results.count(Status::Terminated), 6);
    Ok(())
}

#[test]
fn ray_48616_a_population_that_was_killed_goes_on_in_rounds() -> Outcome {
    let scratch = tempfile::tempdir()?;
    let scheduler = || pbt(3.0).rounds(Rounds::Synchronous);
    // Cut off in the middle by a stop rule that a later session doesn't have.
    let first = population("rounds", 12, 4)
        .dir(scratch.path())
        .scheduler(scheduler())
        .fail_fast(FailFast::Stop)
        .stop(stop::when(|_, report| report.iteration() >= 7))
        .run()?;
    assert!(first.trials().iter().all(|trial| trial.last.as_ref().is_some_and(|last| last.iteration() <= 7)));
    let results = population("rounds", 12, 4)
        .dir(scratch.path())
        .existing(Existing::Resume)
        .on_resume(Resume::new().extend())
        .scheduler(scheduler())
        .run()?;
    sums_are_right(&results, 12);
    Ok(())
}

#[test]
fn case_p_26_a_replay_goes_the_same_way() -> Outcome {
    // In rounds: without, it hangs on the threads' speed whether anybody becomes a copy.
    let results = population("found", 12, 6).scheduler(pbt(2.0).rounds(Rounds::Synchronous)).run()?;
    let copies: Vec<&TrialRecord> = results.trials().iter().filter(|trial| !trial.lineage.is_empty()).collect();
    assert!(!copies.is_empty());
    for trial in copies {
        let policy = results.policy(trial.id)?;
        let text = serde_json::to_string(&policy)?;
        let again = Experiment::new("again", function("adder", adder(12)))
            .points([Config::new()])
            .objective(Objective::max("sum"))
            .scheduler(Replay::new(serde_json::from_str(&text)?))
            .run()?;
        let sum = |trial: &TrialRecord| trial.last.as_ref().and_then(|last| last.number("sum")).unwrap_or(f64::NAN);
        let replayed = &again.trials()[0];
        assert!((sum(replayed) - sum(trial)).abs() < 1e-6, "{text}");
        assert_eq!(
            (replayed.config.number("a"), replayed.lineage.is_empty()),
            (trial.config.number("a"), policy.steps.is_empty())
        );
    }
    // A trial that never became a copy has no policy.
    let alone = population("alone", 3, 1).run()?;
    let never = &alone.trials()[0];
    let error = alone.policy(never.id).expect_err("there is none").to_string();
    assert!(error.contains(&never.id.to_string()), "{error}");
    Ok(())
}

#[test]
fn a_reason_and_a_lineage_stay_with_the_trial() -> Outcome {
    let results = population("reasons", 12, 6).scheduler(pbt(2.0).rounds(Rounds::Synchronous)).run()?;
    let mut donors = BTreeSet::new();
    for trial in results.trials() {
        for exploit in &trial.lineage {
            donors.insert(exploit.donor);
            let reason = exploit.reason.as_deref().unwrap_or_default();
            assert!(reason.contains("goes on as a copy of") && reason.contains(&exploit.donor.to_string()), "{reason}");
        }
    }
    assert!(!donors.is_empty());
    Ok(())
}

#[test]
fn case_p_18_files_say_what_became_of_whom() -> Outcome {
    for rounds in [Rounds::Asynchronous, Rounds::Synchronous] {
        // One step after the last round: everybody ends with a row of its own.
        let scratch = tempfile::tempdir()?;
        let scheduler = pbt(2.0).rounds(rounds);
        let results = population("files", 13, 6).dir(scratch.path()).files(Files::all()).scheduler(scheduler).run()?;
        let run = results.dir().expect("it has a directory");
        for trial in results.trials() {
            files_agree(&run.join(trial.id.to_string()), trial, 13)?;
        }
        let copies = results.trials().iter().filter(|trial| !trial.lineage.is_empty()).count();
        assert!(copies > 0 || rounds == Rounds::Asynchronous, "somebody became a copy");
    }
    Ok(())
}

/// What the files of a trial say of its way to `until`, against its record.
fn files_agree(folder: &Path, trial: &TrialRecord, until: u64) -> Outcome {
    let policy = std::fs::read_to_string(folder.join("policy.jsonl")).unwrap_or_default();
    let said: Vec<serde_json::Value> = policy.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    assert_eq!(said.len(), trial.lineage.len());
    for (line, exploit) in said.iter().zip(&trial.lineage) {
        assert_eq!(line["donor"], exploit.donor.to_string());
        assert_eq!(line["donor_iteration"], exploit.checkpoint.report.iteration());
        let (before, config) = (&exploit.before.as_map()["a"], &exploit.config.as_map()["a"]);
        assert_eq!((&line["before"]["a"], &line["config"]["a"]), (before, config));
    }
    let params: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(folder.join("params.json"))?)?;
    assert_eq!(&params["a"], &trial.config.as_map()["a"], "what it is now");
    // Every result is a row, those after a step back too, with the configuration of its time.
    let rows = std::fs::read_to_string(folder.join("result.json"))?;
    assert_eq!(rows.lines().count() as u64, trial.stats.get("sum").map_or(0, |sum| sum.count));
    // A copy of a trial that had nothing left to do has nothing left to do either, and adds no row.
    if trial.lineage.last().is_none_or(|exploit| exploit.checkpoint.report.iteration() < until) {
        let last: serde_json::Value = serde_json::from_str(rows.lines().last().unwrap_or_default())?;
        assert_eq!((&last["config"]["a"], &last["training_iteration"]), (&params["a"], &until.into()));
    }
    let table = std::fs::read_to_string(folder.join("progress.csv"))?;
    assert_eq!(table.lines().count(), rows.lines().count() + 1);
    Ok(())
}
