//! Schedulers that are replaced in the middle of a run by others that take up their states.

use std::collections::BTreeMap;

use proptest::prelude::*;
use tryout::logic::config::Config;
use tryout::logic::decision::Decision;
use tryout::logic::event::Ending;
use tryout::logic::ids::TrialId;
use tryout::logic::metrics::{Mode, Objective};
use tryout::logic::schedule::{
    Asha, AshaForm, AtMaxT, Cohort, Exploration, Fifo, Filling, HyperBand, MedianStopping, MoAsha, Patient, Pbt,
    Percentile, Rounds, Scheduler, Threshold, WhenBehind, Wilcoxon,
};
use tryout::logic::space::{Space, choice, int, uniform};
use tryout::logic::spec::PartSpec;
use tryout::logic::trial::Status;
use tryout::testing::Renewed;

use crate::common::roster::Roster;
use crate::common::{report, trial};
use crate::value;

/// A scheduler, with settings.
#[derive(Clone, Debug)]
enum Made {
    Fifo,
    Asha(Box<Asha>),
    HyperBand(HyperBand),
    Median(MedianStopping),
    Percentile(Percentile),
    Threshold(Threshold),
    Wilcoxon(Wilcoxon),
    Patient(u32, f64, Option<Box<Made>>),
    MoAsha(MoAsha),
    Pbt(Box<Pbt>),
}

/// All ways to explore that there are.
pub(crate) fn explorations() -> Vec<Exploration> {
    vec![
        Exploration::Perturb,
        #[cfg(feature = "gp")]
        Exploration::Bandit,
    ]
}

impl Made {
    fn prepared(&self, mode: Mode) -> Box<dyn Scheduler> {
        let mut scheduler = self.bare();
        scheduler.prepare(Some(&Objective { metric: "score".to_owned(), mode })).expect("valid settings");
        scheduler
    }

    fn bare(&self) -> Box<dyn Scheduler> {
        match self.clone() {
            Made::Fifo => Box::new(Fifo),
            Made::Asha(asha) => asha,
            Made::HyperBand(hyperband) => Box::new(hyperband),
            Made::Median(median) => Box::new(median),
            Made::MoAsha(moasha) => Box::new(moasha),
            Made::Pbt(pbt) => pbt,
            Made::Percentile(percentile) => Box::new(percentile),
            Made::Threshold(threshold) => Box::new(threshold),
            Made::Wilcoxon(wilcoxon) => Box::new(wilcoxon),
            Made::Patient(patience, min_delta, inner) => {
                let patient = Patient::new(patience).min_delta(min_delta);
                match inner.as_deref() {
                    None => Box::new(patient),
                    // The settings of each of them can be said.
                    Some(inner) => {
                        let spec = |scheduler: &dyn Scheduler| scheduler.spec().expect("it can be said");
                        let mut settings = spec(&patient).settings;
                        settings["inner"] = serde_json::to_value(spec(&*inner.bare())).expect("it can be written");
                        tryout::logic::schedule::from_spec(&PartSpec { kind: "Patient".into(), settings })
                            .expect("it can be made")
                    }
                }
            }
        }
    }
}

fn made() -> impl Strategy<Value = Made> {
    let at_max_t = || prop_oneof![Just(AtMaxT::Stop), Just(AtMaxT::RunOn)];
    let factor = || prop_oneof![3 => (2..5_u32).prop_map(f64::from), 1 => 1.3..4.0_f64];
    let when_behind = prop_oneof![Just(WhenBehind::Stop), Just(WhenBehind::PauseOnce)];
    let asha =
        (1..30_u64, factor(), 1..4_u32, at_max_t(), any::<u64>()).prop_map(|(max_t, factor, brackets, at, seed)| {
            let form = if seed % 2 == 0 { AshaForm::Stopping } else { AshaForm::Promotion };
            let asha = Asha::new().max_t(max_t).reduction_factor(factor).brackets(brackets).form(form);
            Made::Asha(Box::new(asha.at_max_t(at).seed(seed)))
        });
    let filling = prop_oneof![Just(Filling::SmallestFirst), Just(Filling::LargestFirst)];
    let hyperband = (1..30_u64, factor(), at_max_t(), filling).prop_map(|(max_t, factor, at, filling)| {
        Made::HyperBand(HyperBand::new().max_t(max_t).reduction_factor(factor).at_max_t(at).filling(filling))
    });
    let median = (0..6_u32, 1..5_u32, 0..4_u32, when_behind).prop_map(|(grace, samples, slice, when_behind)| {
        let median = MedianStopping::new().time_attr("training_iteration").grace_period(grace.into());
        Made::Median(median.min_samples(samples).min_time_slice(slice.into()).when_behind(when_behind))
    });
    let objectives = prop_oneof![
        1 => Just(vec![]),
        2 => Just(vec![Objective::min("score"), Objective::max("training_iteration")]),
        1 => Just(vec![Objective::min("score"), Objective::max("score"), Objective::min("training_iteration")]),
    ];
    let moasha =
        (objectives, 1..30_u64, factor(), 2..12_u32, at_max_t()).prop_map(|(all, max_t, factor, memory, at)| {
            Made::MoAsha(MoAsha::new(all).max_t(max_t).reduction_factor(factor).memory(memory).at_max_t(at))
        });
    let percentile =
        (0..=4_u32, 0..3_u32, 1..3_u32, 0..4_u32, 1..4_u32).prop_map(|(share, startup, least, warm, each)| {
            let percentile =
                Percentile::new().percentile(f64::from(25 * share)).startup_trials(startup).min_trials(least);
            Made::Percentile(percentile.warm_up(warm.into()).interval(each.into()))
        });
    let threshold = (-3..0_i32, 0..9_u32, 0..4_u32).prop_map(|(lower, upper, warm)| {
        Made::Threshold(Threshold::new().lower(lower.into()).upper(upper.into()).warm_up(warm.into()))
    });
    let wilcoxon = (0.0..=1.0_f64, 0..5_u32)
        .prop_map(|(p, steps)| Made::Wilcoxon(Wilcoxon::new().p_threshold(p).startup_steps(steps)));
    let rounds = prop_oneof![Just(Rounds::Asynchronous), Just(Rounds::Synchronous)];
    let pbt = (1..4_u32, 0..3_u32, 0.0..=0.5_f64, rounds, prop::sample::select(explorations()), any::<u64>()).prop_map(
        |(interval, burn_in, fraction, rounds, exploration, seed)| {
            let mutations =
                Space::new().with("x", uniform(0.0, 1.0)).with("n", int(0, 9)).with("kind", choice(["a", "b", "c"]));
            let pbt = Pbt::new().time_attr("training_iteration").perturbation_interval(interval.into());
            let pbt = pbt.burn_in(burn_in.into()).quantile_fraction(fraction).rounds(rounds).mutations(mutations);
            Made::Pbt(Box::new(pbt.exploration(exploration).seed(seed)))
        },
    );
    let bare = prop_oneof![
        8 => pbt, 1 => Just(Made::Fifo), 8 => asha, 8 => hyperband, 8 => median, 8 => moasha, 4 => percentile, 2 => threshold, 3 => wilcoxon
    ];
    let bare = bare.boxed();
    let inside = prop::option::weighted(0.8, bare.clone().prop_map(Box::new));
    let patient =
        (0..5_u32, 0.0..2.0_f64, inside).prop_map(|(patience, delta, inner)| Made::Patient(patience, delta, inner));
    prop_oneof![5 => bare, 1 => patient]
}

/// What happens to one of the running trials.
#[derive(Clone, Copy, Debug)]
enum Happening {
    /// It reports so many iterations later.
    Report(u64, f64),
    Ends(Ending),
    /// It fails, goes back so many iterations and is pending again.
    IsTriedAgain(u64),
    /// A client ends any trial.
    AnyIsStopped,
    /// A trial that has ended goes on.
    IsRevived,
}

fn happening() -> impl Strategy<Value = Happening> {
    let ending = prop_oneof![Just(Ending::Done), Just(Ending::Error), Just(Ending::StopRule)];
    prop_oneof![
        20 => (prop_oneof![5 => Just(1_u64), 1 => 2..9_u64], value()).prop_map(|(later, value)| Happening::Report(later, value)),
        2 => ending.prop_map(Happening::Ends),
        1 => (0..9_u64).prop_map(Happening::IsTriedAgain),
        1 => Just(Happening::AnyIsStopped),
        1 => Just(Happening::IsRevived),
    ]
}

/// A run of a scheduler.
struct Run {
    scheduler: Renewed<dyn Scheduler>,
    roster: Roster,
    times: BTreeMap<TrialId, u64>,
}

impl Run {
    fn happen(&mut self, which: usize, happening: Happening) {
        let running = self.roster.with(Status::Running);
        let Some(&id) = running.get(which % running.len().max(1)) else { return };
        let scheduler = &mut self.scheduler;
        let time = self.times.entry(id).or_insert(0);
        match happening {
            Happening::Report(later, value) => {
                *time += later;
                let verdict = self.roster.report(scheduler, report(id, *time, "score", value)).0;
                assert!(verdict.decision != Decision::Stop || self.roster.status(id) == Some(Status::Terminated));
            }
            Happening::Ends(ending) => drop(self.roster.end(scheduler, id, ending)),
            Happening::IsTriedAgain(back) => {
                *time = time.saturating_sub(back);
                self.roster.retry(scheduler, id);
            }
            Happening::AnyIsStopped => {
                let live = [Status::Paused, Status::Pending, Status::Running].map(|status| self.roster.with(status));
                let live = live.concat();
                self.roster.end(scheduler, live[which % live.len()], Ending::Client);
            }
            Happening::IsRevived => {
                let over = [self.roster.with(Status::Error), self.roster.with(Status::Terminated)].concat();
                if let Some(&id) = over.get(which % over.len().max(1)) {
                    self.roster.set(id, Status::Pending);
                    scheduler.on_add(id, &Config::new());
                }
            }
        }
    }

    fn launch(&mut self, most: usize) {
        while self.roster.count(Status::Running) < most && self.roster.launch(&mut self.scheduler).is_some() {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// The roster panics as well if anything is answered that a run couldn't carry out.
    #[test]
    fn a_state_that_is_taken_up_changes_no_answer(
        made in made(),
        mode in prop_oneof![Just(Mode::Min), Just(Mode::Max)],
        seed in any::<u64>(),
        trials in 1..40_u32,
        most in 1..9_usize,
        events in prop::collection::vec((0..1000_usize, happening()), 0..300),
    ) {
        let spares: Vec<_> = (0..7).map(|_| made.prepared(mode)).collect();
        let scheduler = Renewed::new(made.prepared(mode), spares, seed >> 1);
        let mut run = Run { scheduler, roster: Roster::default(), times: BTreeMap::new() };
        let mut added = 0;
        for (which, happening) in events {
            for _ in 0..2 {
                if added < trials {
                    let mut config = Config::new();
                    run.scheduler.complete(trial(added), &mut config);
                    run.scheduler.on_add(trial(added), &config);
                    run.roster.add_with(trial(added), config);
                    added += 1;
                }
            }
            run.launch(most);
            run.happen(which, happening);
        }
    }

    /// What was taken up is what was given, to the letter.
    #[test]
    fn a_state_is_given_on_as_it_was(
        made in made(),
        reports in prop::collection::vec((0..20_u32, 1..4_u64, value(), 0..20_u32), 1..200),
    ) {
        let mut first = made.prepared(Mode::Max);
        let mut times = BTreeMap::new();
        for (number, later, value, kind) in reports {
            let time = times.entry(number).or_insert(0);
            *time += later;
            let report = report(trial(number), *time, "score", value);
            match kind {
                0 => drop(first.on_end(trial(number), Ending::Done, Some(&report), &Roster::default())),
                1 => drop(first.on_end(trial(number), Ending::Error, Some(&report), &Roster::default())),
                _ => drop(first.on_report(trial(number), &report, &Roster::default())),
            }
        }
        let state = first.save().expect("they all have one");
        let mut second = made.prepared(Mode::Max);
        second.restore(serde_json::from_str(&state.to_string()).expect("it is JSON")).expect("it fits");
        prop_assert_eq!(second.save(), Some(state));
    }
}

#[test]
fn a_trial_that_has_ended_costs_a_number_a_rung() {
    let run = |made: Made, trials: u32, each: u64| {
        let mut scheduler = made.prepared(Mode::Min);
        for id in (0..trials).map(trial) {
            scheduler.on_add(id, &Config::new());
            let reports = (1..=each).map(|time| report(id, time, "score", f64::from(id.number()) + 0.25));
            let last = reports.inspect(|report| drop(scheduler.on_report(id, report, &Roster::default()))).last();
            scheduler.on_end(id, Ending::Done, last.as_ref(), &Roster::default());
        }
        scheduler.save().expect("they all have one").to_string().len()
    };
    let a_trial = |made: Made, each: u64| (run(made.clone(), 2000, each) - run(made, 1000, each)) / 1000;
    assert!(a_trial(Made::Asha(Box::new(Asha::new().max_t(4))), 1) <= 10);
    let promotion = Asha::new().max_t(4).form(AshaForm::Promotion);
    assert!(a_trial(Made::Asha(Box::new(promotion)), 1) <= 10);
    assert!(a_trial(Made::HyperBand(HyperBand::new().max_t(9)), 1) <= 10);
    assert_eq!(a_trial(Made::MoAsha(MoAsha::new([]).max_t(4)), 1), 0, "it has its memory, and no more");
    let median = MedianStopping::new().time_attr("training_iteration").grace_period(0.0);
    assert!(a_trial(Made::Median(median), 1) <= 70);
    assert!(a_trial(Made::Percentile(Percentile::new()), 1) <= 10);
    assert_eq!(a_trial(Made::Wilcoxon(Wilcoxon::new()), 9), 0);
    assert_eq!(a_trial(Made::Threshold(Threshold::new().upper(9.0)), 9), 0);
    assert_eq!(a_trial(Made::Patient(3, 0.0, None), 9), 0);
}
