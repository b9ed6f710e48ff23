//! Ask and tell: a searcher without a run.

use std::sync::{Arc, Mutex};

use tryout::event::TrialId;
use tryout::extend::{Ending, Metrics, Report, SearchError, Searcher, Suggestion};
use tryout::prelude::*;
use tryout::search::{ConcurrencyLimiter, Nsga2, Points, Variants};
use tryout::study::{Study, StudyError, Told};

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn nsga2() -> Nsga2 {
    let space = Space::new().with("x", uniform(-10.0, 10.0)).with("n", int(1, 9));
    Nsga2::new(space, &[Objective::min("loss")], 7).expect("the space is sound").population(4)
}

fn loss(config: &Config) -> f64 {
    let number = |name| config.number(name).expect("it is in the space");
    (number("x") - 3.0).powi(2) + number("n")
}

/// Asks and tells `n` times; every fifth trial fails. Answers what was asked.
fn go_on(study: &mut Study, n: usize) -> Result<Vec<Config>, StudyError> {
    let mut asked = Vec::new();
    for _ in 0..n {
        let trial = study.ask()?.expect("it has no end");
        match trial.id.number() % 5 {
            4 => study.tell_failed(&trial, "as every fifth")?,
            _ => study.tell(&trial, [("loss", loss(&trial.config))])?,
        }
        asked.push(trial.config);
    }
    Ok(asked)
}

#[test]
fn a_loop_of_ones_own_asks_and_tells() -> Outcome {
    let mut study = Study::new(Points::new([Config::new().with("x", 1), Config::new().with("x", 2)]))
        .objective(Objective::min("loss"));
    let (first, second) = (study.ask()?.expect("one"), study.ask()?.expect("two"));
    assert_eq!((study.ask()?, study.open().count()), (None, 2));
    study.tell(&second, [("loss", 0.5)])?;
    study.tell_failed(&first, "no power")?;
    assert_eq!(study.trials()[0].told, Some(Told::Failed("no power".to_owned())));
    assert_eq!(study.best().map(|best| best.id), Some(second.id));
    Ok(())
}

/// A searcher whose state is in the file goes on as if nothing had been between, with trials open and after failures.
#[test]
fn a_study_that_is_loaded_goes_on_as_one_that_never_ended() -> Outcome {
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("study.json");
    let mut whole = Study::new(nsga2());
    let mut half = Study::new(nsga2());
    assert_eq!(go_on(&mut whole, 11)?, go_on(&mut half, 11)?);
    let (open, same) = (half.ask()?.expect("one"), whole.ask()?.expect("one"));
    assert_eq!(open, same);
    half.save(&file)?;
    let mut loaded = Study::load(&file, nsga2())?;
    assert_eq!(loaded.trials(), half.trials());
    assert_eq!(loaded.open().map(|trial| trial.id).collect::<Vec<_>>(), [open.id]);
    loaded.tell(&open, [("loss", 1.0)])?;
    whole.tell(&same, [("loss", 1.0)])?;
    assert_eq!(go_on(&mut loaded, 20)?, go_on(&mut whole, 20)?);
    Ok(())
}

/// Suggests the sum of all it heard, and can't give its state.
#[derive(Debug, Default)]
struct Sum(f64, Arc<Mutex<Vec<String>>>);

impl Searcher for Sum {
    fn suggest(&mut self, _: TrialId) -> Result<Suggestion, SearchError> {
        Ok(Suggestion::Next(Config::new().with("sum", self.0)))
    }

    fn on_end(&mut self, trial: TrialId, ending: Ending, last: Option<&Report>) {
        self.0 += last.and_then(|last| last.number("loss")).unwrap_or(100.0);
        self.1.lock().expect("nobody panics").push(format!("{} {ending:?}", trial.number()));
    }

    fn observe(&mut self, _: &Config, metrics: &Metrics) -> Result<(), SearchError> {
        self.0 += metrics.number("loss").unwrap_or(0.0);
        Ok(())
    }
}

#[test]
fn a_searcher_without_a_state_is_told_its_past_again() -> Outcome {
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("study.json");
    let mut study = Study::new(Sum::default()).objective(Objective::max("loss"));
    study.observe(Config::new(), [("loss", 0.25)])?;
    let (a, b) = (study.ask()?.expect("one"), study.ask()?.expect("two"));
    study.tell(&b, [("loss", f64::INFINITY)])?;
    study.tell_failed(&a, "it fell")?;
    study.save(&file)?;
    let heard = Arc::new(Mutex::new(Vec::new()));
    let loaded = Study::load(&file, Sum(0.0, heard.clone()))?;
    assert_eq!(*heard.lock().expect("nobody panics"), ["1 Done", "0 Error"]);
    assert_eq!((loaded.trials(), loaded.best()), (study.trials(), None), "infinity is never the best");
    Ok(())
}

#[test]
fn mistakes_are_told_in_words_and_change_nothing() -> Outcome {
    let space = Space::new().with("x", uniform(0.0, 1.0));
    let one_at_a_time = ConcurrencyLimiter::new(Variants::new(space, 1)?.samples(3), 1)?;
    let mut study = Study::new(one_at_a_time).objective(Objective::min("loss"));
    let trial = study.ask()?.expect("one");
    let waiting = study.ask().expect_err("one is open").to_string();
    assert!(waiting.contains("with 1 trials open"), "{waiting}");
    let wrong = study.tell(&trial, [("lost", 1.0)]).expect_err("nothing that counts").to_string();
    assert_eq!(wrong, "00000_00000 has no number `loss`, which is what counts; it has `lost`");
    study.tell(&trial, [("loss", 1.0)])?;
    let again = study.tell_failed(&trial, "late").expect_err("it was told").to_string();
    assert_eq!(again, "what came of 00000_00000 was told before, and counts once");
    let stranger: TrialId = "00001_00000".parse()?;
    assert!(matches!(study.tell(stranger, [("loss", 1.0)]), Err(StudyError::Unknown { asked: 1, .. })));
    assert!(study.ask()?.is_some());
    Ok(())
}

/// Panics when it hears of an end.
#[derive(Debug)]
struct Brittle;

impl Searcher for Brittle {
    fn suggest(&mut self, _: TrialId) -> Result<Suggestion, SearchError> {
        Ok(Suggestion::Next(Config::new()))
    }

    fn on_end(&mut self, _: TrialId, _: Ending, _: Option<&Report>) {
        panic!("out of ideas");
    }

    fn name(&self) -> &str {
        "Brittle"
    }
}

#[test]
fn a_searcher_that_panics_fails_its_study_and_not_the_loop() -> Outcome {
    let mut study = Study::new(Brittle);
    let trial = study.ask()?.expect("one");
    let told = study.tell(&trial, Metrics::new()).expect_err("it panics").to_string();
    assert_eq!(told, "the searcher Brittle failed: it panicked: out of ideas");
    assert_eq!(study.ask().expect_err("it isn't called again").to_string(), told);
    Ok(())
}

#[test]
fn a_file_that_does_not_fit_is_refused_by_name() -> Outcome {
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("study.json");
    let refused = |file: &std::path::Path| Study::load(file, nsga2()).expect_err("it can't be loaded").to_string();
    assert!(refused(&file).contains("can't be read"), "{}", refused(&file));
    let mut study = Study::new(nsga2());
    go_on(&mut study, 3)?;
    study.save(&file)?;
    let text = std::fs::read_to_string(&file)?;
    for (from, to, says) in [
        ("\"format\":1", "\"format\":2", "`format` is wrong: it is 2, but this version reads 1"),
        ("\"searcher\":\"", "\"searcher\":\"Un", "`searcher` is wrong: it is `Un"),
        ("\"trial\":\"00000_00002\"", "\"trial\":\"00000_00009\"", "`past["),
        ("\"step\":\"asked\"", "\"step\":\"dreamt\"", "`past[0]"),
        ("{", "", "isn't the file of a study: "),
        ("\"searcher\":", "\"seeker\":", "isn't the file of a study: `seeker` is wrong: unknown field"),
        ("\"format\":1,", "", "isn't the file of a study: missing field `format`"),
    ] {
        std::fs::write(&file, text.replacen(from, to, 1))?;
        let words = refused(&file);
        assert!(words.contains(says), "{from}: {words}");
    }
    Ok(())
}
