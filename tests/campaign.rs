//! The campaign itself: a short one holds, it is deterministic, and it finds defects that are planted.

use tryout::extend::*;
use tryout::logic::schedule::{Cohort, Scheduler};
use tryout::logic::search::{Capped, Points, Searcher, Suggestion, Variants};
use tryout::logic::space::{Space, uniform};
use tryout::logic::state::{PartState, StateError};
use tryout::testing::Topic;
use tryout::testing::campaign::{Campaign, Limits, Promise, Summary, Trouble};

fn all(campaign: &Campaign) -> Summary {
    campaign.run(|_| true)
}

const RUNS: u64 = 1_000;

#[test]
fn a_short_campaign_holds() {
    let summary = all(&Campaign::new(1).runs(RUNS));
    if let Some(broken) = &summary.broken {
        panic!("{broken}");
    }
    assert_eq!(summary.runs, RUNS);
    let counts = summary.reached.counts();
    for trouble in Trouble::ALL {
        assert!(counts.contains_key(&(Topic::Trouble, trouble.name().to_owned())), "{trouble} never came");
    }
    let never: Vec<_> = summary.reached.never().into_iter().filter(|(topic, _)| *topic == Topic::Event).collect();
    assert_eq!(never, [], "events that never came");
}

#[test]
fn the_same_seed_plays_the_same_runs() {
    let campaign =
        Campaign::new(77).runs(60).except(Promise::States).except(Promise::Attempts).except(Promise::Records);
    let (one, two) = (all(&campaign), all(&campaign));
    assert_eq!((one.runs, one.sessions, one.messages), (two.runs, two.sessions, two.messages));
    assert_eq!(one.reached.counts(), two.reached.counts());
    // And whatever came before a run changes nothing of it.
    let alone = |seed| all(&Campaign::new(seed).runs(1)).messages;
    let few = all(&Campaign::new(77).runs(3)).messages;
    assert_eq!(few, alone(77) + alone(78) + alone(79));
}

/// Pauses trials, and never chooses one that is paused.
#[derive(Debug)]
struct Forgetful;

impl Scheduler for Forgetful {
    fn on_report(&mut self, _: TrialId, report: &Report, _: &dyn Cohort) -> Verdict {
        if report.iteration() == 2 { Verdict::pause("and forgotten") } else { Verdict::CONTINUE }
    }

    fn choose(&mut self, cohort: &dyn Cohort) -> Option<TrialId> {
        cohort.first_pending()
    }
}

#[test]
fn a_scheduler_that_forgets_a_paused_trial_is_found() -> Result<(), Box<dyn std::error::Error>> {
    let campaign = |seed| {
        let limits = Limits::default().without(Trouble::Cuts).without(Trouble::Drains);
        Campaign::new(seed).scheduler("Forgetful", |_| Box::new(Forgetful)).limits(limits)
    };
    let broken = all(&campaign(1).only("Forgetful")?).broken.ok_or("it wasn't found")?;
    assert_eq!(broken.promise, Promise::Moves, "{broken}");
    assert_eq!((broken.smaller.trials, broken.troubles.len()), (Some(1), 0), "{broken}");
    // What it prints plays the same again, alone and made smaller.
    let campaign = campaign(broken.seed).runs(1);
    let again = all(&campaign).broken.ok_or("it isn't played again")?;
    assert_eq!((again.promise, &again.what), (broken.promise, &broken.what));
    let smaller = all(&campaign.limits(broken.smaller.clone())).broken.ok_or("the smaller one isn't played again")?;
    assert_eq!((smaller.promise, smaller.what), (broken.promise, broken.smaller_what));
    Ok(())
}

/// Gives its state, and doesn't take it up.
#[derive(Debug)]
struct Starting(Points);

impl Searcher for Starting {
    fn suggest(&mut self, trial: TrialId) -> Result<Suggestion, SearchError> {
        self.0.suggest(trial)
    }

    fn save(&self) -> Option<PartState> {
        self.0.save()
    }

    fn restore(&mut self, _: PartState) -> Result<(), StateError> {
        Ok(())
    }
}

#[test]
fn a_searcher_that_loses_its_state_is_found() -> Result<(), Box<dyn std::error::Error>> {
    let starting = |setup: &tryout::testing::campaign::Setup| -> Box<dyn Searcher> {
        let points = Points::new((0..setup.trials).map(|x| Config::new().with("x", x as f64 / 10.0)));
        Box::new(Capped::new(Box::new(Starting(points)), setup.trials))
    };
    let campaign = Campaign::new(1).searcher("Starting", starting).only("Starting")?;
    let broken = all(&campaign).broken.ok_or("it wasn't found")?;
    assert!(matches!(broken.promise, Promise::States | Promise::Decisions), "{broken}");
    Ok(())
}

/// Says that it takes up other spaces, and suggests what it always did.
#[derive(Debug)]
struct Stubborn(Variants);

impl Searcher for Stubborn {
    fn suggest(&mut self, trial: TrialId) -> Result<Suggestion, SearchError> {
        self.0.suggest(trial)
    }

    fn space_with(&self, changes: &Space) -> Result<Space, SearchError> {
        self.0.space_with(changes)
    }
}

#[test]
fn a_searcher_that_leaves_the_space_is_found() -> Result<(), Box<dyn std::error::Error>> {
    let stubborn = |setup: &tryout::testing::campaign::Setup| -> Box<dyn Searcher> {
        let space = Space::new().with("x", uniform(0.0, 1.0));
        Box::new(Stubborn(Variants::new(space, setup.seed).expect("it can be drawn from").passes(setup.trials)))
    };
    let campaign = Campaign::new(1).searcher("Stubborn", stubborn).only("Stubborn")?;
    let broken = all(&campaign).broken.ok_or("it wasn't found")?;
    assert_eq!(broken.promise, Promise::Spaces, "{broken}");
    assert!(broken.troubles.contains(&Trouble::Spaces), "{broken}");
    Ok(())
}

#[test]
fn a_part_that_nobody_knows_is_refused() {
    let error = Campaign::new(1).only("Ashes").expect_err("there is none");
    assert!(error.to_string().starts_with("nothing that takes part is called `Ashes`; there are Fifo, "), "{error}");
    let error = "hang".parse::<Trouble>().expect_err("there is none");
    assert!(error.to_string().contains("hangs"), "{error}");
    let limits = Limits::default().trials(3).without(Trouble::Hangs).cuts(vec![40, 7]);
    assert_eq!(limits.to_string(), " --trials 3 --cuts 40,7 --without hangs");
}
