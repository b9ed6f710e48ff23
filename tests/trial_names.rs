//! Trials have names besides their ids: by a function or by their tags, checked, unique, kept, and seen wherever trials are.

use std::path::Path;
use std::sync::{Arc, Mutex};

use tempfile::TempDir;
use tryout::extend::*;
use tryout::prelude::*;

fn work() -> impl Backend + 'static {
    function("work", |config: Config, trial| {
        let x = config.get::<f64>("x")?;
        trial.report([("loss", x)])?;
        Ok(())
    })
}

fn experiment(points: &[f64]) -> Experiment {
    let points = points.iter().map(|x| Config::new().with("x", *x));
    Experiment::new("named", work()).objective(Objective::min("loss")).points(points).seed(1)
}

fn names(results: &Results) -> Vec<String> {
    results.trials().iter().map(TrialRecord::called).collect()
}

#[test]
fn a_function_names_trials_and_equal_names_are_told_apart() {
    let named = experiment(&[0.5, 0.5, 2.0]).name_trials(|_, config| format!("x{}", config.number("x").unwrap_or(0.0)));
    let results = named.run().unwrap();
    assert_eq!(names(&results), ["x0.5", "x0.5_1", "x2"]);
    let plain = experiment(&[0.5]).run().unwrap();
    assert_eq!(plain.trials()[0].name, None);
    assert_eq!(names(&plain), [plain.trials()[0].id.to_string()]);
}

#[test]
fn the_tag_has_what_was_decided() {
    let space = Space::new().with("x", grid([0.12345, 2.0])).with("kind", "a b");
    let results = Experiment::new("tags", work()).space(space).trial_names(TrialNames::Tag).seed(1).run().unwrap();
    assert_eq!(names(&results), ["0_x=0.1235", "1_x=2.0000"], "not what is the same for all");
    let results = experiment(&[3.0]).trial_names(TrialNames::Tag).run().unwrap();
    assert_eq!(names(&results), ["0_x=3.0000"], "without a space, all of it");
}

#[test]
fn a_name_that_is_no_file_is_refused() {
    for bad in ["a/b", "", "..", ".hidden", "-rf", "naïve", "a b", &"x".repeat(121)] {
        let said = bad.to_owned();
        let refused = experiment(&[1.0]).name_trials(move |_, _| said.clone()).run().unwrap_err().to_string();
        assert!(refused.contains(&format!("its name would be `{bad}`; a name has 1 to 120 letters")), "{refused}");
    }
    let refused = experiment(&[1.0]).name_trials(|_, _| panic!("no name today")).run().unwrap_err().to_string();
    assert!(refused.contains("what it is called can't be asked: it panicked: no name today"), "{refused}");
}

/// What an observer hears of names.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<Option<Arc<str>>>>>);

impl Observer for Heard {
    fn on_event(&mut self, event: &ExperimentEvent) -> Result<(), tryout::ports::error::ObserverError> {
        if let EventKind::Added { name, .. } = &event.kind {
            self.0.lock().unwrap().push(name.clone());
        }
        Ok(())
    }
}

fn linked(run: &Path) -> Vec<(String, String)> {
    let entries = std::fs::read_dir(run.join("by_name")).unwrap();
    let mut links: Vec<_> = entries
        .map(|entry| {
            let entry = entry.unwrap();
            let to = std::fs::read_link(entry.path()).unwrap();
            (entry.file_name().into_string().unwrap(), to.display().to_string())
        })
        .collect();
    links.sort();
    links
}

#[cfg(unix)]
#[test]
fn a_resume_keeps_names_and_goes_on_naming() {
    let dir = TempDir::new().unwrap();
    let name = |trial: TrialId, _: &Config| ["one", "two", "ONE"][trial.number() as usize].to_owned();
    let heard = Heard::default();
    let program =
        |points: &[f64]| experiment(points).dir(dir.path()).existing(Existing::Resume).files(Files::none().results());
    program(&[1.0, 2.0]).name_trials(name).observer(heard.clone()).run().unwrap();
    assert_eq!(heard.0.lock().unwrap().iter().flatten().map(|name| &**name).collect::<Vec<_>>(), ["one", "two"]);

    let run = dir.path().join("named");
    let refused = Experiment::resume(&run, work()).unwrap().run().unwrap_err().to_string();
    assert!(refused.contains("`trial_names`"), "the function has to be supplied again: {refused}");
    let results = program(&[1.0, 2.0, 3.0]).name_trials(name).run().unwrap();
    assert_eq!(names(&results), ["one", "two", "ONE_2"], "as on file systems that don't tell letters apart");
    let ids: Vec<String> = results.trials().iter().map(|trial| trial.id.to_string()).collect();
    let to = |number: usize| format!("../{}", ids[number]);
    let expected = [("ONE_2", to(2)), ("one", to(0)), ("two", to(1))].map(|(name, to)| (name.to_owned(), to));
    assert_eq!(linked(&run), expected);
    assert!(run.join("by_name/two/result.json").exists(), "its files are behind the link");

    std::fs::remove_dir_all(run.join("by_name")).unwrap();
    program(&[1.0, 2.0, 3.0, 4.0]).trial_names(TrialNames::Tag).run().unwrap();
    let opened = Experiment::open(&run).unwrap();
    assert_eq!(names(&opened), ["one", "two", "ONE_2", "3_x=4.0000"]);
    assert_eq!(linked(&run).len(), 4, "links that are gone are made again");
}

#[cfg(feature = "console")]
#[test]
fn the_console_shows_names() {
    struct Out(Arc<Mutex<Vec<u8>>>);
    impl std::io::Write for Out {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let out = Arc::new(Mutex::new(Vec::new()));
    let console = tryout::observe::Console::to(Out(out.clone()), tryout::observe::Style::Plain);
    experiment(&[1.0, 2.0]).trial_names(TrialNames::Tag).observer(console).run().unwrap();
    let shown = String::from_utf8(out.lock().unwrap().clone()).unwrap();
    assert!(shown.contains("0_x=1.0000") && shown.contains("1_x=2.0000"), "{shown}");
}
