//! Parts that are made from their settings as data.

use proptest::prelude::*;
use serde_json::json;
use tryout::logic::config::Config;
use tryout::logic::metrics::Objective;
use tryout::logic::schedule::{
    self, Asha, AshaForm, AtMaxT, Fifo, HyperBand, MedianStopping, MoAsha, Patient, Pbt, Percentile, Rounds, Scheduler,
    Threshold, WhenBehind, Wilcoxon,
};
use tryout::logic::search::{
    self, Capped, ConcurrencyLimiter, Crossover, Feedback, Nsga2, Points, Redraw, Repeater, Samples, Searcher,
    Suggestion, Variants,
};
use tryout::logic::space::{Space, choice, depends, grid, int, list, log_int, log_uniform, normal, uniform};
use tryout::logic::spec::{PartSpec, SpecError};
use tryout::logic::stop::{self, StopRule};

use crate::common::trial;
use crate::schedulers::explorations;
use crate::stop_rules::made;

fn by_text(spec: &PartSpec) -> PartSpec {
    let text = serde_json::to_string(spec).expect("it can be written");
    serde_json::from_str(&text).expect("it can be read")
}

/// A space with all that can be said in data.
fn space() -> Space {
    let sgd = Space::new().with("name", "sgd").with("momentum", uniform(0.0, 1.0).quantized(0.1));
    let net =
        Space::new().with("depth", int(1, 5)).with("width", log_int(8, 513)).with("kind", json!({"a": [1, null]}));
    Space::new()
        .with("lr", log_uniform(1e-4, 1e-1))
        .with("noise", normal(0.0, 0.3))
        .with("net", net)
        .with("optimizer", choice([sgd, Space::new().with("name", "adam")]))
        .with("batch", grid([32.into(), grid([64, 128]), choice([1, 2])]))
        .with("layers", list([grid([16, 32]), 8.into()]))
}

fn searchers() -> Vec<Box<dyn Searcher>> {
    let variants = || {
        let points = [Config::new().with("lr", 0.5), Config::new().with("net/depth", 9).with("batch", 32)];
        Variants::new(space(), 7).and_then(|variants| variants.points(points)).expect("the space is fine").passes(3)
    };
    let points = || Points::new((0..9).map(|x| Config::new().with("x", x)));
    let objectives = [Objective::min("loss"), Objective::max("accuracy")];
    let evolved = |seed| {
        let space = Space::new().with("lr", log_uniform(1e-4, 1e-1)).with("kind", choice(["a", "b"]));
        Nsga2::new(space, &objectives, seed).expect("the space is fine")
    };
    vec![
        Box::new(evolved(0)),
        Box::new(evolved(9).population(3).crossover(Crossover::Uniform).crossover_prob(0.5).mutation_prob(0.1)),
        Box::new(evolved(9).crossover(Crossover::SimulatedBinary { eta: 3.5 }).mutation_eta(7.25)),
        Box::new(variants()),
        Box::new(variants().redraw(Redraw::PerPass).passes(Samples::Infinite)),
        Box::new(points()),
        Box::new(Capped::new(Box::new(variants()), 7)),
        Box::new(ConcurrencyLimiter::new(points(), 3).expect("fine").feedback(Feedback::Batch)),
        Box::new(Repeater::new(ConcurrencyLimiter::new(variants(), 3).expect("fine"), 2).expect("fine").index("which")),
        Box::new(Repeater::new(points(), 2).expect("fine")),
    ]
}

#[test]
fn searchers_of_their_specs() {
    for (index, mut searcher) in searchers().into_iter().enumerate() {
        let spec = searcher.spec().expect("it can be said");
        let mut other = search::from_spec(&by_text(&spec)).unwrap_or_else(|error| panic!("{index}: {error}"));
        assert_eq!(other.spec(), Some(spec), "{index}");
        assert_eq!(
            (other.name(), other.total(), other.lookahead()),
            (searcher.name(), searcher.total(), searcher.lookahead())
        );
        for number in 0..60 {
            let expected = searcher.suggest(trial(number)).expect("it doesn't fail");
            assert_eq!(other.suggest(trial(number)).expect("it doesn't fail"), expected, "{index}, {number}");
            if expected == Suggestion::Exhausted {
                break;
            }
        }
        // The place at which it is isn't a setting.
        assert_eq!(other.spec(), searcher.spec(), "{index}");
    }
}

#[test]
fn a_space_with_a_function_can_not_be_said() {
    let deep = Space::new().with("net", Space::new().with("a", list([depends(|_| 1)])));
    assert!(Variants::new(deep.clone(), 0).expect("the space is fine").spec().is_none());
    let inner = Variants::new(deep, 0).expect("the space is fine");
    assert!(Repeater::new(inner, 2).expect("fine").spec().is_none());
}

#[test]
fn schedulers_of_their_specs() {
    let objective = Objective::max("score");
    let asha = Asha::new().max_t(81).grace_period(3).reduction_factor(2.5).brackets(2).seed(u64::MAX);
    let median = MedianStopping::new().grace_period(0.1).min_samples(7).min_time_slice(1e-300).time_attr("epoch");
    let schedulers: Vec<Box<dyn Scheduler>> = vec![
        Box::new(Fifo),
        Box::new(asha.at_max_t(AtMaxT::RunOn).time_attr("epoch").objective(objective.clone())),
        Box::new(HyperBand::new().max_t(9).reduction_factor(2.0).at_max_t(AtMaxT::RunOn).objective(objective)),
        Box::new(median.when_behind(WhenBehind::PauseOnce)),
        Box::new(Asha::new().form(AshaForm::Promotion)),
        Box::new(HyperBand::for_bohb().max_t(27)),
        Box::new(Percentile::new().percentile(12.5).startup_trials(0).min_trials(9).warm_up(0.1).interval(1e-3)),
        Box::new(Threshold::new().upper(1e300).metric("norm").time_attr("epoch")),
        Box::new(Wilcoxon::new().p_threshold(0.01).startup_steps(7)),
        Box::new(Patient::new(7).min_delta(0.25).objective(Objective::min("loss"))),
        Box::new(Patient::new(0).of(Patient::new(1).of(Threshold::new().lower(-1.0)))),
        Box::new(MoAsha::new([Objective::max("score"), Objective::min("size")]).max_t(7).memory(9).time_attr("epoch")),
    ];
    let populations = explorations().into_iter().map(|exploration| {
        let mutations = Space::new().with("lr", log_uniform(1e-4, 1e-1)).with("kind", choice(["a", "b"]));
        let pbt = Pbt::new().perturbation_interval(0.1).burn_in(3.0).quantile_fraction(0.5).resample_probability(0.0);
        let pbt = pbt.perturbation_factors(2.0, 0.5).rounds(Rounds::Synchronous).exploration(exploration);
        Box::new(pbt.mutations(mutations).seed(u64::MAX).time_attr("epoch")) as Box<dyn Scheduler>
    });
    for scheduler in schedulers.into_iter().chain(populations) {
        let spec = scheduler.spec().expect("it can be said");
        let other = schedule::from_spec(&by_text(&spec)).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!((other.name(), other.spec()), (scheduler.name(), Some(spec)));
    }
}

#[test]
fn a_setting_that_is_not_said_has_its_default() {
    let spec = PartSpec { kind: "Asha".into(), settings: json!({"max_t": 81}) };
    let made = schedule::from_spec(&spec).expect("it can be made");
    assert_eq!(made.spec(), Asha::new().max_t(81).spec());
}

proptest! {
    #[test]
    fn stop_rules_of_their_specs(made in made()) {
        let rule = made.rule();
        let spec = rule.spec().expect("it can be said");
        let other = stop::from_spec(&by_text(&spec)).map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!((other.spec(), other.validate(), other.deadline()), (Some(spec), rule.validate(), rule.deadline()));
    }
}

#[test]
fn nothing_is_made_of_what_nobody_knows() {
    let spec = |kind: &'static str, settings| PartSpec { kind: kind.into(), settings };
    let chain = |error: SpecError| error.to_string();
    let error = schedule::from_spec(&spec("Astra", json!({}))).map(drop).expect_err("there is none");
    assert!(chain(error).starts_with("there is no scheduler called `Astra`; there are Asha, "));
    let error = stop::from_spec(&spec("when", json!({}))).map(drop).expect_err("it is a function");
    assert!(chain(error).starts_with("there is no stop rule called `when`; there are all, any, at_least"));
    let error = schedule::from_spec(&spec("Asha", json!({"max_t": "long"}))).map(drop).expect_err("it isn't a number");
    let words = "the settings of `Asha` can't be read: `max_t` is wrong: invalid type: string \"long\", expected u64";
    assert_eq!(chain(error), words);
    assert!(schedule::from_spec(&spec("Asha", json!({"max_time": 3}))).is_err(), "a name that isn't known");
    let error = stop::from_spec(&spec("iterations", json!({}))).map(drop).expect_err("a setting is missing");
    assert!(chain(error).starts_with("the settings of `iterations` can't be read: missing field `"));
    let settings = json!({"limit": 0, "inner": {"kind": "Points", "settings": {"configs": []}}});
    let error = search::from_spec(&spec("ConcurrencyLimiter", settings)).map(drop).expect_err("nothing would run");
    assert!(chain(error).contains("`limit` is 0, but must be at least 1"));
    let settings = json!({"space": {"x": {"float": {"low": 2.0, "high": 1.0}}}});
    let error = search::from_spec(&spec("Variants", settings)).map(drop).expect_err("the bounds are turned round");
    assert!(chain(error).starts_with("`Variants` can't be set like this: "));
}
