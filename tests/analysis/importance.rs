//! What mattered: held against Optuna's own numbers, and by what it says when nothing can be said.

use std::collections::BTreeMap;

use serde::Deserialize;
use tryout::metrics::importance::{Compared, ImportanceError, Importances, importances};
use tryout::prelude::*;
use tryout::space::{Dimensions, Extent, Scale};

/// What `importance.py` wrote.
#[derive(Deserialize)]
struct Recorded {
    recorded_from: String,
    studies: Vec<Study>,
}

#[derive(Deserialize)]
struct Study {
    name: String,
    mode: Mode,
    space: Space,
    trials: Vec<(Config, f64)>,
    importances: BTreeMap<String, f64>,
}

#[test]
fn importances_are_those_of_optuna() {
    let recorded: Recorded = serde_json::from_str(include_str!("importance.json")).unwrap();
    assert!(recorded.recorded_from.starts_with("optuna 5."));
    for Study { name, mode, space, trials, importances: theirs } in recorded.studies {
        let (configs, values): (Vec<Config>, Vec<f64>) = trials.into_iter().unzip();
        let dimensions = Dimensions::of(Some(&space), &configs);
        let objective = Objective { metric: "value".to_owned(), mode };
        let ours = importances(&objective, None, &dimensions, &values).unwrap();
        let found: BTreeMap<&str, f64> =
            ours.values.iter().map(|value| (value.name.as_str(), value.divergence)).collect();
        assert_eq!(found.len(), theirs.len(), "{name}: {found:?}");
        for (parameter, theirs) in &theirs {
            let ours = found[parameter.as_str()];
            assert!((ours - theirs).abs() < 1e-9, "{name}: {parameter} is {ours}, Optuna says {theirs}");
        }
        assert!((ours.values.iter().map(|value| value.share).sum::<f64>() - 1.0).abs() < 1e-9, "{name}");
    }
}

/// So many trials; the metric `y` is what `value` says of `x` at each of the iterations up to where the trial stops.
fn ran(count: u32, stops: impl Fn(u32) -> u32 + Send + Sync + 'static, value: fn(f64, u32) -> f64) -> Results {
    let trainable = function("ran", move |config: Config, trial| {
        let (n, x): (u32, f64) = (config.get("n")?, config.get("x")?);
        for iteration in 1..=stops(n) {
            trial.report([("y", value(x, iteration))])?;
        }
        Ok(())
    });
    let configs = (0..count).map(|n| Config::new().with("n", n).with("x", f64::from(n * 7 % count) / f64::from(count)));
    Experiment::new("ran", trainable).points(configs).objective(Objective::min("y")).run().unwrap()
}

#[test]
fn trials_are_compared_at_an_iteration_that_half_of_them_reached() {
    // Whoever goes on gets far better, whatever its x is: by their last reports, n would seem to matter.
    let results = ran(40, |n| if n < 22 { 3 } else { 1 }, |x, iteration| x - 10.0 * f64::from(iteration));
    let found = results.importance().unwrap();
    assert_eq!((found.iteration, found.trials, found.best), (Some(3), 22, 3));
    let first = results.importance_by(&Objective::min("y"), Compared::At(1)).unwrap();
    assert_eq!((first.iteration, first.trials, first.best), (Some(1), 40, 4));
    assert_eq!(first.values[0].name, "x");
    let last = results.importance_by(&Objective::min("y"), Compared::Last).unwrap();
    assert_eq!((last.iteration, last.trials), (None, 40));
}

#[test]
fn what_can_not_be_said_is_said() {
    let words = |found: Result<Importances, ImportanceError>| found.unwrap_err().to_string();
    let few = ran(9, |_| 1, |x, _| x);
    assert_eq!(
        words(few.importance()),
        "what mattered can be said of 10 trials or more: 9 reported a finite `y` at iteration 1"
    );
    let none = few.importance_by(&Objective::max("z"), Compared::Equally);
    assert_eq!(words(none), "what mattered can be said of 10 trials or more: 0 reported a finite `z`");
    let equal = ran(20, |_| 1, |_, _| 0.5);
    assert_eq!(
        words(equal.importance()),
        "what mattered can't be said: none of 20 trials is better than the others, all have y 0.5"
    );
    let constant =
        function("constant", |_: Config, trial| Ok(trial.report([("y", f64::from(trial.info().id.number()))])?));
    let same = Experiment::new("constant", constant).points((0..12).map(|_| Config::new().with("x", 1)));
    let same = same.run().unwrap();
    let by = same.importance_by(&Objective::min("y"), Compared::Equally);
    assert_eq!(words(by), "what mattered can't be said: the configurations of all 12 trials are the same");
    assert_eq!(same.importance(), Err(ImportanceError::NoObjective));
}

#[test]
fn what_lies_outside_of_the_space_widens_it() {
    let space =
        Space::new().with("x", uniform(0.0, 1.0)).with("kind", choice(["a", "b"])).with("twice", depends(|_| 2));
    let config =
        |x: f64, kind: &str| Config::new().with("x", x).with("kind", kind).with("twice", 2.0 * x).with("same", 1);
    let found = Dimensions::of(Some(&space), &[config(0.5, "b"), config(3.0, "c"), config(-1.0, "a")]);
    let names: Vec<&str> = found.all.iter().map(|dimension| dimension.name.as_str()).collect();
    assert_eq!(names, ["kind", "x"]);
    assert_eq!(found.all[0].extent, Extent::Options(["a", "b", "c"].map(str::to_owned).to_vec()));
    assert!(matches!(found.all[1].extent, Extent::Number { low: -1.0, high: 3.0, .. }), "{:?}", found.all[1]);
    assert_eq!(found.rows, [[(0, 1.0), (1, 0.5)], [(0, 2.0), (1, 3.0)], [(0, 0.0), (1, -1.0)]]);
    // Without a space it is told by the values alone.
    let seen = Dimensions::of(None, &[config(1e-5, "b"), config(0.1, "b")]);
    let names: Vec<&str> = seen.all.iter().map(|dimension| dimension.name.as_str()).collect();
    assert_eq!(names, ["twice", "x"]);
    assert!(matches!(seen.all[1].extent, Extent::Number { scale: Scale::Log, .. }), "{:?}", seen.all[1]);
}
