//! Disks that are full, directories that are gone, and a thousand trials at once.

use std::fs;

use tempfile::tempdir;
use tryout::edge::files::Files;
use tryout::extend::*;
use tryout::prelude::{Experiment, Session, SettingsError, function, uniform};

use super::script::*;

/// How many files of a directory this process has open.
#[cfg(target_os = "linux")]
fn open_below(directory: &std::path::Path) -> usize {
    let links = fs::read_dir("/proc/self/fd").expect("it is there").filter_map(Result::ok);
    links.filter_map(|entry| fs::read_link(entry.path()).ok()).filter(|path| path.starts_with(directory)).count()
}

#[test]
#[cfg(target_os = "linux")]
fn a_thousand_live_trials_keep_no_file_open() {
    let dir = tempdir().expect("a directory");
    let mut observers = Observers::new(&Files::all(), dir.path());
    (0..1_000).for_each(|number| observers.tell(&added(number, &Config::new().with("x", number))));
    for iteration in 1..=3 {
        (0..1_000).for_each(|number| observers.tell(&reported(number, iteration, Metrics::from([("loss", 1.0)]))));
        assert_eq!(open_below(dir.path()), 0);
    }
    observers.tell(&finished());
    for number in [0, 999] {
        let directory = dir.path().join(trial(number).to_string());
        assert_eq!(read(directory.join("result.json")).lines().count(), 3);
    }
    assert_eq!(table(&read(dir.path().join("results.csv"))).len(), 3_001);
}

#[test]
fn an_observer_that_can_t_write_names_the_path() {
    let dir = tempdir().expect("a directory");
    let mut observers = Observers::new(&Files::none().results().progress().tensorboard(), dir.path());
    // What stands where the trial's directory should be.
    fs::write(dir.path().join("3fa01_00000"), "in the way").expect("it can be written");
    let errors = observers.errors(&added(0, &Config::new()));
    assert_eq!(errors.len(), 2);
    for error in errors {
        assert!(error.starts_with("can't make the directory `") && error.contains("3fa01_00000"), "{error}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_link_in_a_file_s_place_isn_t_followed() {
    let dir = tempdir().expect("a directory");
    let mut observers = Observers::new(&Files::none().results(), dir.path());
    observers.tell(&added(0, &Config::new()));
    let path = dir.path().join("3fa01_00000/result.json");
    let precious = dir.path().join("precious");
    fs::write(&precious, "a thesis").expect("it can be written");
    std::os::unix::fs::symlink(&precious, &path).expect("it can be made");
    let errors = observers.errors(&reported(0, 1, Metrics::from([("loss", 1.0)])));
    assert_eq!(
        errors,
        [format!(
            "can't write to `{}`: a symbolic link stands in the place of a regular file; remove it",
            path.display()
        )]
    );
    assert_eq!(read(precious), "a thesis");
}

#[test]
fn a_run_goes_on_without_the_files_that_can_t_be_written() {
    let dir = tempdir().expect("a directory");
    let run = dir.path().join("run");
    let blocked = ["results.csv", "optuna.log"].map(|name| run.join(name));
    let body = move |config: Config, session: &mut Session| {
        // The run has its directory, and no result yet: now something else takes the places of two files.
        blocked.iter().try_for_each(fs::create_dir_all)?;
        session.report([("loss", config.number("x").unwrap_or(0.0))])?;
        Ok(())
    };
    let (sender, faults) = std::sync::mpsc::channel();
    let results = Experiment::new("run", function("body", body))
        .seed(0)
        .space(Space::new().with("x", uniform(0.0, 1.0)))
        .samples(3)
        .objective(Objective::min("loss"))
        .workers(1)
        .dir(dir.path())
        .files(Files::none().results().csv().optuna())
        .observer(Warnings(sender))
        .run()
        .expect("files are no reason to fail");
    assert_eq!(results.outcome(), &Outcome::Completed);
    for trial in results.trials() {
        assert_eq!(read(run.join(trial.id.to_string()).join("result.json")).lines().count(), 1);
    }
    assert_eq!(results.trials().len(), 3);
    assert!(faults.try_iter().all(|words| words.contains("results.csv")), "the only one that fails before the end");
}

/// Passes warnings on.
struct Warnings(std::sync::mpsc::Sender<String>);

impl Observer for Warnings {
    fn on_event(&mut self, event: &ExperimentEvent) -> Result<(), ObserverError> {
        if let EventKind::Warning { message } = &event.kind {
            self.0.send(message.clone())?;
        }
        Ok(())
    }
}

#[test]
fn files_need_a_directory() {
    let refused = Experiment::new("run", function("body", |_: Config, _| Ok(())))
        .space(Space::new().with("x", uniform(0.0, 1.0)))
        .files(Files::all())
        .run();
    let Err(tryout::RunError::Settings(error)) = refused else { panic!("it was to be refused") };
    assert!(matches!(error, SettingsError::Setting(ref wrong) if wrong.setting == "files"), "{error}");
}
