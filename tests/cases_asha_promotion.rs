//! ASHA in its promotion form: who goes on, who waits, and what becomes of those who wait when nobody else comes.

mod common;

use common::roster::Roster;
use common::{report, trial};
use tryout::logic::config::Config;
use tryout::logic::decision::Decision::{self, Continue, Pause, Stop};
use tryout::logic::event::Ending;
use tryout::logic::ids::TrialId;
use tryout::logic::metrics::Objective;
use tryout::logic::schedule::{Asha, AshaForm, AtMaxT, Buffering, Scheduler};
use tryout::logic::trial::Status::{Paused, Pending, Running, Terminated};

/// A scheduler, its trials, and so many workers.
struct Hall {
    scheduler: Asha,
    roster: Roster,
    workers: usize,
}

impl Hall {
    /// Rungs at 1 and 3, and the end at 9; one in three is promoted; less is better.
    fn new(trials: u32, workers: usize) -> Self {
        Self::with(Asha::new().max_t(9).reduction_factor(3.0), trials, workers)
    }

    fn with(asha: Asha, trials: u32, workers: usize) -> Self {
        let mut scheduler = asha.form(AshaForm::Promotion).objective(Objective::min("loss"));
        scheduler.prepare(None).expect("valid settings");
        let mut hall = Self { scheduler, roster: Roster::default(), workers };
        (0..trials).for_each(|number| hall.add(number));
        hall.launch();
        hall
    }

    fn add(&mut self, number: u32) {
        self.roster.add(trial(number));
        self.scheduler.on_add(trial(number), &Config::new());
    }

    /// Who runs from now on.
    fn launch(&mut self) -> Vec<TrialId> {
        let mut launched = Vec::new();
        while self.roster.with(Running).len() < self.workers {
            let Some(trial) = self.roster.launch(&mut self.scheduler) else { break };
            launched.push(trial);
        }
        launched
    }

    /// The trial reports: the decision, why, and who ended. Then whoever can be launched is.
    fn report(&mut self, number: u32, time: u64, loss: f64) -> (Decision, String, Vec<TrialId>) {
        let (verdict, ended) = self.roster.report(&mut self.scheduler, report(trial(number), time, "loss", loss));
        (verdict.decision, verdict.reason.unwrap_or_default().into_owned(), ended)
    }
}

/// `get_job` of algorithm 2, as it is told: the trial, and the rung to run to.
fn get_job(rungs: &mut [Vec<(u32, f64, bool)>], next: &mut u32) -> (u32, usize) {
    for (rung, there) in rungs.iter_mut().enumerate().rev() {
        there.sort_by(|(_, a, _), (_, b, _)| a.total_cmp(b));
        let best = there.len() / 3;
        if let Some((trial, _, promoted)) = there.iter_mut().take(best).find(|(.., promoted)| !promoted) {
            *promoted = true;
            return (*trial, rung + 1);
        }
    }
    *next += 1;
    (*next - 1, 0)
}

#[test]
fn with_one_worker_it_is_algorithm_2_to_the_letter() {
    let mut hall = Hall::new(300, 1);
    let (mut rungs, mut next) = (vec![Vec::new(), Vec::new()], 0);
    let mut runs = 0;
    while next < 300 {
        let (number, rung) = get_job(&mut rungs, &mut next);
        assert_eq!(hall.roster.with(Running), [trial(number)], "run {runs}");
        // Scattered, and another at each rung.
        let loss = f64::from((number * 7919 + 104_729 * rung as u32) % 1009);
        hall.report(number, 3_u64.pow(rung as u32), loss);
        hall.launch();
        if rung < 2 {
            rungs[rung].push((number, loss, false));
        }
        runs += 1;
    }
    assert!(rungs[1].len() >= 99 && runs > 400, "{} were promoted in {runs} runs", rungs[1].len());
}

#[test]
fn a_trial_that_waited_is_promoted_when_others_are_worse() {
    let mut hall = Hall::new(4, 1);
    let (decision, reason, _) = hall.report(0, 1, 0.1);
    assert_eq!((decision, &*reason), (Pause, "rung 1: 0.1 waits for others (1 of 3 were there)"));
    hall.launch();
    assert_eq!(hall.report(1, 1, 0.5).0, Pause);
    hall.launch();
    let (decision, reason, _) = hall.report(2, 1, 0.3);
    assert_eq!((decision, &*reason), (Pause, "rung 1: 0.3 isn't among the best 1 of 3 yet (the last of them has 0.1)"));
    assert_eq!(hall.launch(), [trial(0)], "before the new one");
    assert_eq!(hall.report(0, 2, 0.1).0, Continue);
}

#[test]
fn the_best_of_a_run_at_rest_goes_on_and_the_others_end() {
    let mut hall = Hall::new(2, 2);
    assert_eq!((hall.report(0, 1, 0.4).0, hall.launch()), (Pause, vec![]), "the other one may be worse");
    assert_eq!((hall.report(1, 1, 0.2).0, hall.launch()), (Pause, vec![trial(1)]), "of a third of two, one goes on");
    let (decision, _, ended) = hall.report(1, 2, 0.2);
    assert_eq!((decision, ended), (Continue, vec![trial(0)]));
    assert_eq!(hall.report(1, 3, 0.2).0, Pause);
    assert_eq!(hall.launch(), [trial(1)]);
    let (decision, reason, _) = hall.report(1, 9, 0.2);
    assert_eq!((decision, &*reason), (Stop, "training_iteration 9 has reached max_t 9"));
}

#[test]
fn those_without_prospects_are_told_why() {
    let mut hall = Hall::new(2, 1);
    hall.report(0, 1, 0.4);
    hall.launch();
    hall.report(1, 1, 0.2);
    hall.launch();
    let verdict = hall.scheduler.on_report(trial(1), &report(trial(1), 2, "loss", 0.2), &hall.roster);
    let said = format!("{:?}", verdict.directives);
    let words = "rung 1: 0.4 isn't among the best 1 of 2 (the last of them has 0.2), and no others are to come";
    assert!(said.contains(words), "{said}");
}

#[test]
fn nobody_ends_if_others_have_come_by_then() {
    let mut hall = Hall::new(2, 2);
    hall.report(0, 1, 0.4);
    hall.report(1, 1, 0.2);
    assert_eq!(hall.launch(), [trial(1)]);
    hall.add(2);
    assert_eq!(hall.report(1, 2, 0.2).2, []);
    assert_eq!(hall.roster.with(Paused), [trial(0)]);
}

#[test]
fn the_last_that_runs_may_fail() {
    for ending in [Ending::Error, Ending::Client, Ending::Done] {
        let mut hall = Hall::new(3, 3);
        hall.report(0, 1, 0.4);
        hall.report(1, 1, 0.2);
        assert_eq!(hall.launch(), [], "it may be that the third is better than both");
        hall.roster.end(&mut hall.scheduler, trial(2), ending);
        assert_eq!(hall.launch(), [trial(1)], "{ending:?}");
        assert_eq!(hall.roster.end(&mut hall.scheduler, trial(1), ending), [1, 0].map(trial), "{ending:?}");
    }
}

#[test]
fn a_trial_that_is_put_back_into_the_line_waits_again() {
    let mut hall = Hall::new(2, 1);
    hall.report(0, 1, 0.4);
    hall.roster.set(trial(0), Pending);
    assert_eq!(hall.launch(), [trial(0)]);
    let (decision, reason, _) = hall.report(0, 2, 0.0);
    assert_eq!((decision, &*reason), (Pause, "rung 1: 0 waits for others (1 of 3 were there)"));
    assert_eq!(hall.launch(), [trial(1)]);
}

#[test]
fn nan_is_never_promoted_while_others_may_come() {
    let mut hall = Hall::new(9, 1);
    for number in 0..6 {
        assert_eq!(hall.report(number, 1, f64::NAN).0, Pause);
        assert_eq!(hall.launch(), [trial(number + 1)]);
    }
    assert_eq!(hall.report(6, 1, f64::INFINITY).0, Continue);
}

#[test]
fn nobody_waits_at_max_t() {
    for (at_max_t, expected) in [(AtMaxT::Stop, Terminated), (AtMaxT::RunOn, Running)] {
        let asha = Asha::new().max_t(9).reduction_factor(3.0).grace_period(9).at_max_t(at_max_t);
        let mut hall = Hall::with(asha, 1, 1);
        hall.report(0, 9, 1.0);
        assert_eq!(hall.roster.with(expected), [trial(0)]);
    }
    // The last rung is below it here.
    let mut hall = Hall::with(Asha::new().max_t(10).reduction_factor(3.0).grace_period(9), 1, 1);
    assert_eq!(hall.report(0, 9, 1.0).0, Pause);
    assert_eq!(hall.launch(), [trial(0)]);
    assert_eq!(hall.report(0, 10, 1.0).0, Stop);
}

#[test]
fn reports_come_one_by_one() {
    assert_eq!(Asha::new().buffering(), Buffering::Allowed);
    assert_eq!(Asha::new().form(AshaForm::Promotion).buffering(), Buffering::Refused);
}
