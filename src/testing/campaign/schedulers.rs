//! The schedulers that take part: all that are bundled, and two that do whatever a scheduler may.

use super::dice::Dice;
use super::parts::{Made, Named, Setup};
use crate::logic::config::Config;
use crate::logic::decision::{Directive, Verdict};
use crate::logic::ids::TrialId;
use crate::logic::metrics::{Objective, Report};
use crate::logic::pool::{ResourceRequest, Resources};
use crate::logic::schedule::{
    Asha, AshaForm, AtMaxT, Cohort, Distribution, Fifo, Filling, Growth, HyperBand, MedianStopping, MoAsha, Patient,
    Pbt, Percentile, Policy, PolicyStep, Replay, ResourceChanging, Rounds, Scheduler, Threshold, WhenBehind, Wilcoxon,
};
use crate::logic::space::{Space, uniform};

type Make = fn(&Setup, &mut Dice) -> Made<dyn Scheduler>;

/// What a scheduler's decisions depend on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// On the results alone.
    Steady,
    /// On when a trial began or was taken up again, too.
    Timed,
    /// It may pause trials.
    Pausing,
    /// It does, and gives them other configurations than were suggested.
    Completing,
}

pub(super) fn bundled() -> Vec<Named<dyn Scheduler>> {
    let all: &[(&str, Kind, Make)] = &[
        ("Fifo", Kind::Steady, |_, _| Ok(Box::new(Fifo))),
        ("Asha", Kind::Steady, |setup, dice| Ok(Box::new(asha(setup, dice)))),
        ("AshaPromotion", Kind::Pausing, |setup, dice| Ok(Box::new(promotion(setup, dice)))),
        ("HyperBand", Kind::Pausing, |setup, dice| Ok(Box::new(band(HyperBand::new(), setup, dice)))),
        ("Bohb", Kind::Pausing, |setup, dice| Ok(Box::new(band(HyperBand::for_bohb(), setup, dice)))),
        ("MedianStopping", Kind::Timed, |_, dice| Ok(Box::new(median(dice)))),
        ("MedianPausing", Kind::Pausing, |_, dice| Ok(Box::new(median(dice).when_behind(WhenBehind::PauseOnce)))),
        ("Percentile", Kind::Steady, |_, dice| {
            let percentile = Percentile::new().startup_trials(dice.small(0, 3)).min_trials(dice.small(1, 3));
            Ok(Box::new(percentile.percentile(f64::from(dice.small(1, 3)) * 25.0)))
        }),
        ("Threshold", Kind::Steady, |_, dice| Ok(Box::new(Threshold::new().upper(0.5 + dice.share())))),
        ("Wilcoxon", Kind::Steady, |_, dice| Ok(Box::new(Wilcoxon::new().p_threshold(dice.share() / 2.0)))),
        ("PatientHyperBand", Kind::Pausing, |setup, dice| {
            Ok(Box::new(Patient::new(dice.small(0, 3)).of(band(HyperBand::new(), setup, dice))))
        }),
        ("PatientPromotion", Kind::Pausing, |setup, dice| {
            Ok(Box::new(Patient::new(dice.small(0, 3)).of(promotion(setup, dice))))
        }),
        ("MoAsha", Kind::Steady, |setup, dice| {
            let several = [Objective::min("loss"), Objective::max("training_iteration"), Objective::max("loss")];
            let moasha = MoAsha::new(several).max_t(setup.longest).reduction_factor(factor(dice));
            Ok(Box::new(moasha.memory(dice.small(2, 9)).at_max_t(at_max_t(dice))))
        }),
        ("Pbt", Kind::Pausing, |setup, dice| Ok(Box::new(pbt(setup, dice)))),
        ("PbtSynchronous", Kind::Pausing, |setup, dice| Ok(Box::new(pbt(setup, dice).rounds(Rounds::Synchronous)))),
        ("PbtReplay", Kind::Completing, |setup, dice| {
            let step = |iteration| PolicyStep { iteration, config: Config::new().with("x", dice.share()) };
            let steps = (1..=setup.longest).step_by(2).map(step).collect();
            Ok(Box::new(Replay::new(Policy { start: Config::new().with("x", 0.5), steps })))
        }),
        #[cfg(feature = "gp")]
        ("Pb2", Kind::Pausing, |setup, dice| {
            Ok(Box::new(pbt(setup, dice).exploration(crate::logic::schedule::Exploration::Bandit)))
        }),
        ("ResourceChangingHyperBand", Kind::Pausing, |setup, dice| {
            let inner = band(HyperBand::new(), setup, dice);
            Ok(Box::new(ResourceChanging::new(inner).limit(dice.between(1, 3)).growth(growth(dice))))
        }),
        ("ResourceChangingPbt", Kind::Pausing, |setup, dice| {
            let inner = pbt(setup, dice);
            Ok(Box::new(ResourceChanging::new(inner).distribution(Distribution::TopJob)))
        }),
        ("ResourceChangingAsha", Kind::Pausing, |setup, dice| {
            let inner = asha(setup, dice);
            let distribution = dice.pick([Distribution::Even, Distribution::TopJob]);
            Ok(Box::new(ResourceChanging::new(inner).distribution(distribution).growth(growth(dice))))
        }),
        ("Pausing", Kind::Pausing, |_, _| Ok(Box::new(Pausing))),
        ("Meddling", Kind::Pausing, |setup, _| Ok(Box::new(Meddling(setup.seed)))),
    ];
    let named = |(name, kind, make): &(&str, Kind, Make)| {
        let make = *make;
        let made = move |setup: &Setup| make(setup, &mut Dice::new(setup.seed, "scheduler"));
        let (pauses, completes) = (matches!(kind, Kind::Pausing | Kind::Completing), *kind == Kind::Completing);
        Named { pauses, completes, steady: *kind == Kind::Steady, ..Named::new(name, made) }
    };
    all.iter().map(named).collect()
}

fn factor(dice: &mut Dice) -> f64 {
    dice.pick([2.0, 3.0, 4.0, 1.5])
}

fn at_max_t(dice: &mut Dice) -> AtMaxT {
    dice.pick([AtMaxT::Stop, AtMaxT::RunOn])
}

fn growth(dice: &mut Dice) -> Growth {
    dice.pick([Growth::InPlace, Growth::MoreBundles])
}

fn asha(setup: &Setup, dice: &mut Dice) -> Asha {
    let asha = Asha::new().max_t(setup.longest).reduction_factor(factor(dice)).brackets(dice.small(1, 3));
    asha.at_max_t(at_max_t(dice)).seed(setup.seed)
}

fn promotion(setup: &Setup, dice: &mut Dice) -> Asha {
    asha(setup, dice).form(AshaForm::Promotion)
}

fn band(band: HyperBand, setup: &Setup, dice: &mut Dice) -> HyperBand {
    let filling = if dice.chance(0.2) { Filling::LargestFirst } else { Filling::SmallestFirst };
    let band = band.max_t(setup.longest).reduction_factor(factor(dice)).at_max_t(at_max_t(dice));
    if dice.chance(0.5) { band.filling(filling) } else { band }
}

fn median(dice: &mut Dice) -> MedianStopping {
    let median = MedianStopping::new().time_attr("training_iteration").grace_period(f64::from(dice.small(0, 3)));
    median.min_samples(dice.small(1, 4)).min_time_slice(f64::from(dice.small(0, 2)))
}

fn pbt(setup: &Setup, dice: &mut Dice) -> Pbt {
    let mutations = Space::new().with("x", uniform(0.0, 1.0));
    let pbt = Pbt::new().time_attr("training_iteration").perturbation_interval(f64::from(dice.small(1, 3)));
    pbt.quantile_fraction(dice.pick([0.25, 0.5])).mutations(mutations).seed(setup.seed)
}

/// Pauses every trial at every other report.
#[derive(Debug)]
struct Pausing;

impl Scheduler for Pausing {
    fn on_report(&mut self, _: TrialId, report: &Report, _: &dyn Cohort) -> Verdict {
        match report.iteration() % 2 {
            0 => Verdict::pause("every other report"),
            _ => Verdict::CONTINUE,
        }
    }

    fn name(&self) -> &str {
        "Pausing"
    }
}

/// Tells others what to do, whatever their state, and answers its reporter at random.
#[derive(Debug)]
struct Meddling(u64);

impl Scheduler for Meddling {
    fn on_report(&mut self, trial: TrialId, _: &Report, _: &dyn Cohort) -> Verdict {
        let mut dice = Dice::new(self.0, "meddling");
        self.0 = dice.bits();
        // One that is there, or is yet to come.
        let other = TrialId::new(trial.run(), trial.number() + dice.small(0, 4));
        let verdict = match dice.below(8) {
            0 => Verdict::pause("at random"),
            1 => Verdict::stop("at random"),
            _ => Verdict::CONTINUE,
        };
        let whom = dice.pick([trial, other]);
        match dice.below(10) {
            0 => verdict.with(Directive::Stop(other)),
            1 => verdict.with(Directive::Pause(other)),
            2 => verdict.with(Directive::Resume(other)),
            3 => verdict.with(Directive::Save(whom)),
            4 => {
                let donor = TrialId::new(trial.run(), dice.small(0, 7));
                let config = Config::new().with("x", dice.share());
                verdict.with(Directive::Exploit { trial: whom, donor, config, reason: None })
            }
            5 => verdict.with(Directive::StopBecause(other, "at random".into())),
            6 => {
                let half = ResourceRequest::single(Resources::new().with("cpu", 0.5)).unwrap_or_default();
                let request = dice.pick([&half, &ResourceRequest::default()]).clone();
                verdict.with(Directive::Resize { trial: other, request: request.into(), reason: None })
            }
            _ => verdict,
        }
    }

    fn name(&self) -> &str {
        "Meddling"
    }
}
