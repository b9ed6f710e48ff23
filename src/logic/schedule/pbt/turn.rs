//! What a report leads to: go on, make room, be saved, or become a copy.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::mutate::Mutations;
use super::population::{Member, Part, Population};
use super::{Pbt, Rounds};
use crate::logic::decision::{Decision, Directive, Verdict};
use crate::logic::ids::TrialId;
use crate::logic::schedule::Cohort;
use crate::logic::schedule::number::short;
use crate::logic::trial::Status;

/// Draws for copies come from numbers that no trial has.
const COPIES: u64 = 1 << 32;

/// What changes in the course of a run.
#[derive(Clone, Debug)]
pub(super) struct Run {
    pub(super) population: Population,
    pub(super) mutations: Mutations,
    /// The end of the synchronous round.
    pub(super) round: f64,
    /// How many copies were drawn.
    pub(super) copies: u64,
    #[cfg(feature = "gp")]
    pub(super) bandit: super::bandit::Bandit,
}

impl Run {
    pub(super) fn new(fraction: f64, mutations: Mutations, round: f64) -> Self {
        Self {
            population: Population::new(fraction),
            mutations,
            round,
            copies: 0,
            #[cfg(feature = "gp")]
            bandit: super::bandit::Bandit::default(),
        }
    }
}

impl Pbt {
    pub(super) fn reported(&mut self, trial: TrialId, time: f64, score: f64, cohort: &dyn Cohort) -> Verdict {
        let (interval, burn_in) = (self.perturbation_interval, self.burn_in);
        let Some(run) = &mut self.run else { return Verdict::CONTINUE };
        run.population.go(trial);
        let perturbed = run.population.get(trial).map_or(0.0, |member| member.perturbed);
        if time < burn_in || time - perturbed < interval {
            return Verdict::CONTINUE;
        }
        let score = Some(score).filter(|score| !score.is_nan());
        #[cfg(feature = "gp")]
        if self.exploration == super::Exploration::Bandit {
            let parts = cohort.config(trial).and_then(|config| run.mutations.parts(config));
            run.bandit.reported(trial, time, score, parts);
        }
        match self.rounds {
            Rounds::Asynchronous => {
                run.population.change(trial, Member { score, trained: time, perturbed: time });
                let verdict = self.compared(trial, time, cohort);
                self.waits_after(trial, verdict)
            }
            Rounds::Synchronous => {
                run.population.change(trial, Member { score, trained: time, perturbed });
                let behind = run.population.behind(run.round).find(|other| *other != trial);
                let verdict = if behind.is_some() {
                    let (attr, round) = (&self.time_attr, short(run.round));
                    Verdict::pause(format!("{attr} {}: waits for all to get to {round}", short(time)))
                } else {
                    self.round_over(Some((trial, time)), cohort)
                };
                self.waits_after(trial, verdict)
            }
        }
    }

    /// A trial that pauses waits for its next turn.
    fn waits_after(&mut self, trial: TrialId, verdict: Verdict) -> Verdict {
        if let Some(run) = self.run.as_mut().filter(|_| verdict.decision != Decision::Continue) {
            run.population.wait(trial);
        }
        verdict
    }

    /// One member against the others.
    fn compared(&mut self, trial: TrialId, time: f64, cohort: &dyn Cohort) -> Verdict {
        let Some(run) = &self.run else { return Verdict::CONTINUE };
        let others_wait = cohort.count(Status::Pending) + cohort.count(Status::Paused) > 0;
        let verdict = if others_wait {
            Verdict::pause(format!("{} {}: makes room for those that wait", self.time_attr, short(time)))
        } else {
            Verdict::CONTINUE
        };
        match run.population.part(trial) {
            Part::Upper => verdict.with(Directive::Save(trial)),
            Part::Middle => verdict,
            Part::Lower => match self.copy(trial, cohort, |donor| cohort.has_checkpoint(donor)) {
                Some((reason, exploit)) => Verdict::pause(reason).with(exploit),
                None => verdict,
            },
        }
    }

    /// Everybody has got to the end of the round: the better ones are saved, the worse ones become their copies.
    fn round_over(&mut self, reporter: Option<(TrialId, f64)>, cohort: &dyn Cohort) -> Verdict {
        let attr = self.time_attr.clone();
        let Some(run) = &mut self.run else { return Verdict::CONTINUE };
        let over = run.round;
        run.population.perturbed(reporter.map_or(over, |(_, time)| time));
        let mut verdict = Verdict::pause(format!("{attr} {}: the round is over", short(over)));
        verdict.directives.extend(run.population.upper().iter().map(|trial| Directive::Save(*trial)));
        for trial in run.population.lower() {
            // Their checkpoints are there, or are being written: all are paused.
            if let Some((reason, exploit)) = self.copy(trial, cohort, |_| true) {
                verdict.directives.push(exploit);
                if reporter.is_some_and(|(reporter, _)| reporter == trial) {
                    verdict.reason = Some(reason.into());
                }
            }
        }
        self.next_round();
        verdict
    }

    /// The next round ends when everybody has got past it, and somebody hasn't yet.
    fn next_round(&mut self) {
        let interval = self.perturbation_interval;
        let Some(run) = &mut self.run else { return };
        let furthest = run.population.furthest();
        run.round = (run.round + interval).max(furthest);
        if run.population.behind(run.round).next().is_none() {
            run.round = furthest + interval;
        }
    }

    /// Makes `trial` a copy of one of the better part, if there is one `that` will do.
    fn copy(
        &mut self,
        trial: TrialId,
        cohort: &dyn Cohort,
        that: impl Fn(TrialId) -> bool,
    ) -> Option<(String, Directive)> {
        let (step, seed) = (self.step(), self.seed_of_draws());
        let run = self.run.as_mut()?;
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(COPIES + 2 * run.copies);
        let upper = run.population.upper();
        let donor = *upper.get(random.random_range(0..upper.len().max(1)))?;
        let from = cohort.config(donor).filter(|_| that(donor))?;
        let mut config = run.mutations.explore(from, step, seed, COPIES + 2 * run.copies + 1);
        #[cfg(feature = "gp")]
        if self.exploration == super::Exploration::Bandit {
            let time = run.population.get(donor).map_or(0.0, |donor| donor.trained);
            run.bandit.choose(&run.mutations, &mut config, time, &mut random);
            run.bandit.copied(trial, donor);
        }
        run.copies += 1;
        let (own, best) = (run.population.get(trial)?.clone(), run.population.get(donor)?.clone());
        let counted = run.population.scored();
        let copied = Member { trained: best.trained, perturbed: best.perturbed, ..own.clone() };
        run.population.change(trial, copied);
        if let Some(explore) = &self.explore {
            config = explore(config);
        }
        let reason = self.why(&own, donor, &best, counted);
        let exploit = Directive::Exploit { trial, donor, config, reason: Some(reason.clone().into()) };
        Some((reason, exploit))
    }

    /// `training_iteration 20: 0.41 is in the worse part of 12; goes on as a copy of 00007_00003, which has 0.93`.
    fn why(&self, own: &Member, donor: TrialId, best: &Member, counted: usize) -> String {
        // Scoring is its own inverse.
        let value = |member: &Member| {
            let score = member.score.unwrap_or(f64::NAN);
            short(self.objective.as_ref().map_or(score, |objective| objective.score(score)))
        };
        let (attr, time) = (&self.time_attr, short(own.trained));
        let (own, best) = (value(own), value(best));
        format!(
            "{attr} {time}: {own} is in the worse part of {counted}; goes on as a copy of {donor}, which has {best}"
        )
    }

    pub(super) fn ended(&mut self, trial: TrialId, cohort: &dyn Cohort) -> Vec<Directive> {
        let Some(run) = &mut self.run else { return Vec::new() };
        run.population.leave(trial);
        #[cfg(feature = "gp")]
        run.bandit.ended(trial);
        let all_there = run.population.len() > 0 && run.population.behind(run.round).next().is_none();
        if self.rounds == Rounds::Asynchronous || !all_there {
            return Vec::new();
        }
        // It was the last one that the others waited for.
        self.round_over(None, cohort).directives
    }

    /// The least trained of those that wait; in synchronous rounds nobody goes beyond the round's end.
    pub(super) fn next(&mut self, cohort: &dyn Cohort) -> Option<TrialId> {
        let Some(run) = &mut self.run else { return cohort.first_pending().or_else(|| cohort.first_paused()) };
        if run.population.len() > 0 && run.population.behind(run.round).next().is_none() {
            // A round that nobody is in: it was resumed under other settings.
            self.next_round();
        }
        let run = self.run.as_mut()?;
        let until = match self.rounds {
            Rounds::Asynchronous => f64::INFINITY,
            Rounds::Synchronous => run.round,
        };
        let waiting = run.population.waiting().take_while(|(_, trained)| *trained < until);
        let chosen = waiting.map(|(trial, _)| trial).find(|trial| cohort.can_launch(*trial));
        // One that came back by another way than its turn.
        let returned = || {
            let ready = |trial: &TrialId| run.population.get(*trial).is_none_or(|member| member.trained < until);
            [cohort.first_pending(), cohort.first_paused()].into_iter().flatten().find(ready)
        };
        let chosen = chosen.or_else(returned)?;
        run.population.go(chosen);
        Some(chosen)
    }
}
