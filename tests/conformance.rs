//! Every searcher, scheduler and backend of this crate against the suites that others can use for theirs.

use std::sync::Arc;

use tryout::edge::store::{DirStore, MemoryStore};
use tryout::logic::search::{
    Capped, ConcurrencyLimiter, Crossover, Distinct, Feedback, Nsga2, Points, Repeater, Variants, WarmStart, Within,
};
use tryout::prelude::*;
use tryout::testing::conformance::{self, BackendCase};

fn space() -> Space {
    Space::new().with("x", uniform(0.0, 1.0)).with("kind", grid(["a", "b"]))
}

fn variants(samples: u64) -> Variants {
    Variants::new(space(), 5).expect("the space is fine").passes(samples)
}

#[test]
fn searchers() {
    conformance::searcher(|| Box::new(variants(20)));
    conformance::searcher(|| Box::new(Variants::new(space(), 5).expect("fine").passes(Samples::Infinite)));
    conformance::searcher(|| Box::new(Points::new((0..7).map(|x| Config::new().with("x", x)))));
    conformance::searcher(|| Box::new(ConcurrencyLimiter::new(variants(9), 2).expect("fine")));
    conformance::searcher(|| Box::new(Repeater::new(variants(6), 3).expect("fine")));
    conformance::searcher(|| Box::new(Capped::new(Box::new(variants(30)), 11)));
    conformance::searcher(|| Box::new(Distinct::new(variants(20))));
    let coins = || Variants::new(Space::new().with("side", choice([1, 2, 3])), 5).expect("fine").passes(500);
    conformance::searcher(move || Box::new(Distinct::new(coins())));
    conformance::searcher(|| Box::new(Within::new(space(), variants(20))));
    let evolved = || Nsga2::new(mixed(), &[Objective::min("loss")], 3).expect("it can be modelled");
    conformance::searcher(move || {
        let warm = WarmStart::new(evolved()).outcome(mixed().sample(9, 9).expect("fine"), [("loss", 0.5)]);
        Box::new(Capped::new(Box::new(warm.first(mixed().sample(8, 8).expect("fine"))), 40))
    });
    let noisy = || Repeater::new(variants(20), 3).expect("fine").index("which");
    let few = || ConcurrencyLimiter::new(noisy(), 4).expect("fine");
    conformance::searcher(move || Box::new(Capped::new(Box::new(few()), 50)));
    conformance::searcher(|| {
        let batch = ConcurrencyLimiter::new(variants(40), 3).expect("fine").feedback(Feedback::Batch);
        Box::new(Repeater::new(batch, 2).expect("fine"))
    });
}

/// Everything that a frame has, conditional variables too.
fn mixed() -> Space {
    let sgd = Space::new().with("name", "sgd").with("momentum", uniform(0.0, 1.0).quantized(0.1));
    Space::new()
        .with("lr", log_uniform(1e-4, 1e-1))
        .with("depth", int(1, 5))
        .with("optimizer", choice([sgd, Space::new().with("name", "adam")]))
        .with("noise", normal(0.0, 0.3))
}

#[test]
fn evolving_searchers() {
    let one = || Nsga2::new(mixed(), &[], 3).expect("the space is fine").population(7);
    conformance::searcher(move || Box::new(one()));
    let several = [Objective::min("loss"), Objective::max("training_iteration")];
    let two = move || Nsga2::new(mixed(), &several, 0).expect("the space is fine").population(5).mutation_prob(0.3);
    conformance::searcher(move || Box::new(two().crossover(Crossover::Uniform)));
    conformance::searcher(move || Box::new(Repeater::new(one(), 2).expect("fine")));
}

#[cfg(feature = "sobol")]
#[test]
fn quasi_random_points() {
    use tryout::logic::search::QuasiRandom;
    conformance::searcher(|| Box::new(QuasiRandom::new(mixed(), 5).expect("it can be modelled")));
}

#[test]
fn searchers_that_estimate_densities() {
    use tryout::logic::search::{Model, Tpe};
    let space = || {
        let adam = Space::new().with("beta", uniform(0.8, 1.0));
        let optimizer = choice([Space::new(), adam]);
        Space::new()
            .with("x", uniform(0.0, 1.0))
            .with("n", int(1, 9))
            .with("kind", choice(["a", "b"]))
            .with("o", optimizer)
    };
    let tpe = move || Tpe::new(space(), 5).expect("it can be modelled").candidates(2);
    conformance::searcher(move || Box::new(tpe()));
    let several = [Objective::min("loss"), Objective::max("training_iteration")];
    conformance::searcher(move || Box::new(tpe().candidates(2).judged_by(&several)));
    conformance::searcher(move || Box::new(Capped::new(Box::new(tpe().model(Model::ByBudget).startup(3)), 60)));
}

#[test]
fn schedulers() {
    conformance::scheduler(|| Box::new(Fifo));
    conformance::scheduler(|| Box::new(Asha::new().max_t(81).reduction_factor(3.0)));
    conformance::scheduler(|| Box::new(Asha::new().max_t(81).brackets(3).seed(4)));
    let promotion = || Asha::new().max_t(81).reduction_factor(3.0).form(AshaForm::Promotion);
    conformance::scheduler(move || Box::new(promotion()));
    conformance::scheduler(move || Box::new(promotion().max_t(50).brackets(3).seed(4)));
    let grid = || MedianStopping::new().time_attr("training_iteration").grace_period(3.0);
    conformance::scheduler(|| Box::new(grid()));
    conformance::scheduler(|| Box::new(Percentile::new().startup_trials(2)));
    conformance::scheduler(|| Box::new(Percentile::new().percentile(60.0).warm_up(3.0).interval(5.0).min_trials(3)));
    conformance::scheduler(|| Box::new(Threshold::new().lower(0.05).upper(1.3).warm_up(2.0)));
    conformance::scheduler(|| Box::new(Threshold::new().metric("loss").upper(1.0)));
    conformance::scheduler(|| Box::new(Wilcoxon::new()));
    conformance::scheduler(|| Box::new(Patient::new(3).min_delta(0.01)));
    conformance::scheduler(|| Box::new(Patient::new(0).of(Percentile::new().startup_trials(1))));
    conformance::scheduler(|| Box::new(Patient::new(2).of(Asha::new().max_t(81))));
    conformance::scheduler(|| Box::new(Patient::new(1).of(HyperBand::new().max_t(9))));
    let several = || [Objective::min("loss"), Objective::max("training_iteration"), Objective::min("time_this_iter_s")];
    conformance::scheduler(|| Box::new(MoAsha::new(several()).max_t(81).reduction_factor(3.0).memory(20)));
    conformance::scheduler(|| Box::new(MoAsha::new([]).max_t(27)));
    conformance::scheduler(|| Box::new(HyperBand::new().max_t(81)));
    conformance::scheduler(|| Box::new(HyperBand::new().max_t(27).reduction_factor(2.0)));
    conformance::scheduler(|| Box::new(HyperBand::for_bohb().max_t(81)));
    conformance::scheduler(|| Box::new(HyperBand::for_bohb().max_t(9).at_max_t(AtMaxT::RunOn)));
    let pbt = || {
        let mutations = Space::new().with("x", uniform(0.0, 1.0));
        Pbt::new().time_attr("training_iteration").perturbation_interval(4.0).mutations(mutations).seed(3)
    };
    conformance::scheduler(move || Box::new(pbt()));
    conformance::scheduler(|| Box::new(ResourceChanging::new(Asha::new().max_t(81))));
    conformance::scheduler(move || Box::new(pbt().quantile_fraction(0.5).rounds(Rounds::Synchronous)));
}

#[derive(serde::Deserialize)]
struct Settings {
    rate: f64,
    #[serde(default)]
    panics: bool,
}

struct Descent {
    x: f64,
    settings: Settings,
}

impl Descent {
    fn new(settings: Settings) -> Self {
        Self { x: 10.0, settings }
    }

    fn advance(&mut self) -> Step {
        assert!(!self.settings.panics, "as it was told to");
        self.x *= 1.0 - self.settings.rate;
        Step::next([("loss", self.x)])
    }
}

impl Trainable for Descent {
    type Config = Settings;

    fn setup(config: Settings, _: &TrialInfo) -> Result<Self, TrialError> {
        Ok(Self::new(config))
    }

    fn step(&mut self) -> Result<Step, TrialError> {
        Ok(self.advance())
    }

    fn save(&mut self, to: &mut CheckpointWriter) -> Result<(), TrialError> {
        Ok(to.json("x.json", &self.x)?)
    }

    fn restore(&mut self, from: &mut CheckpointReader) -> Result<(), TrialError> {
        self.x = from.json("x.json")?;
        Ok(())
    }
}

/// The same, awaiting.
struct Awaiting(Descent);

impl AsyncTrainable for Awaiting {
    type Config = Settings;

    async fn setup(config: Settings, _: &TrialInfo) -> Result<Self, TrialError> {
        Ok(Self(Descent::new(config)))
    }

    async fn step(&mut self) -> Result<Step, TrialError> {
        tokio::task::yield_now().await;
        Ok(self.0.advance())
    }
}

fn case(backend: impl tryout::extend::Backend + 'static, store: Arc<dyn tryout::extend::Store>) -> BackendCase {
    let good = Config::new().with("rate", 0.1);
    BackendCase {
        backend: Box::new(backend),
        store,
        good: good.clone(),
        bad: Some((Config::new().with("rate", "fast"), "rate")),
        panics: Some(good.with("panics", true)),
    }
}

#[test]
fn stepwise_backends() {
    conformance::backend(|| case(stepwise::<Descent>(), Arc::new(MemoryStore::new())));
    let dir = tempfile::tempdir().expect("a directory can be had");
    let store = DirStore::create(dir.path()).expect("a store can be made");
    conformance::backend(|| case(stepwise::<Descent>(), Arc::new(store.clone())));
}

#[test]
fn function_backends() {
    let body = |settings: Settings, trial: &mut Session| {
        let mut descent = Descent::new(settings);
        loop {
            let x = descent.advance();
            trial.report([("loss", descent.x)])?;
            drop(x);
        }
    };
    conformance::backend(|| case(function("descent", body), Arc::new(MemoryStore::new())));
}

/// Arbiters need a system on their thread, as the engine's has.
fn in_a_system(test: impl FnOnce()) {
    actix_rt::System::new().block_on(async { test() });
}

#[test]
fn async_stepwise_backends() {
    in_a_system(|| conformance::backend(|| case(async_stepwise::<Awaiting>(), Arc::new(MemoryStore::new()))));
}

#[test]
fn async_function_backends() {
    let make = || {
        async_function("descent", async |settings: Settings, trial: &mut AsyncSession| {
            let mut descent = Descent::new(settings);
            loop {
                descent.advance();
                trial.report([("loss", descent.x)]).await?;
            }
        })
    };
    in_a_system(|| conformance::backend(|| case(make(), Arc::new(MemoryStore::new()))));
}

#[cfg(feature = "gp")]
#[test]
fn populations_of_bandits() {
    let pb2 = || {
        let mutations = Space::new().with("x", uniform(0.0, 1.0));
        let pbt = Pbt::new().time_attr("training_iteration").perturbation_interval(30.0).mutations(mutations);
        pbt.exploration(tryout::logic::schedule::Exploration::Bandit)
    };
    conformance::scheduler(move || Box::new(pb2()));
    conformance::scheduler(move || Box::new(pb2().quantile_fraction(0.5).rounds(Rounds::Synchronous)));
}

#[cfg(all(feature = "cma-es", feature = "gp"))]
#[test]
fn searchers_that_model_the_space() {
    use tryout::logic::search::{CmaEs, GaussianProcess};
    let space = || {
        let adam = Space::new().with("beta", uniform(0.8, 1.0));
        let optimizer = choice([Space::new(), adam]);
        Space::new().with("x", uniform(0.0, 1.0)).with("n", int(1, 9)).with("o", optimizer)
    };
    let cma = move || CmaEs::new(space(), 5).expect("it can be modelled");
    conformance::searcher(move || Box::new(cma()));
    conformance::searcher(move || Box::new(cma().population(5).sigma(0.4)));
    let gp = move || GaussianProcess::new(space(), 5).expect("it can be modelled").startup(3);
    conformance::searcher(move || Box::new(Capped::new(Box::new(gp()), 25)));
}
