//! The machine under launchers that are slow, refuse, lose, preempt and lie; in the end they heal, and every want must be met.

mod healed;
mod world;

use proptest::prelude::*;
use world::World;

use super::*;

/// What the world does.
#[derive(Clone, Copy, Debug)]
enum Act {
    Want {
        shape: usize,
        workers: u32,
    },
    /// The submission in flight is answered.
    Submitted,
    Refused,
    Down,
    /// The launcher says that it is down, and has the job.
    GotIn,
    /// The list in flight is answered: as it is, or as it was when it was asked for.
    Listed {
        late: bool,
    },
    NotListed,
    /// It doesn't show what it should, or shows what is gone.
    Lies(usize),
    /// Of the jobs that could, the one of this number.
    Starts(usize),
    Joins(usize),
    Leaves(usize),
    Ends(usize),
    /// A job of an earlier session.
    LeftOver {
        running: bool,
    },
    Passes(u16),
    Alarm,
}

fn act() -> impl Strategy<Value = Act> {
    let some = || 0_usize..8;
    prop_oneof![
        4 => (0_usize..2, 0_u32..6).prop_map(|(shape, workers)| Act::Want { shape, workers }),
        8 => Just(Act::Submitted),
        1 => Just(Act::Refused),
        1 => Just(Act::Down),
        1 => Just(Act::GotIn),
        6 => any::<bool>().prop_map(|late| Act::Listed { late }),
        1 => Just(Act::NotListed),
        1 => some().prop_map(Act::Lies),
        6 => some().prop_map(Act::Starts),
        6 => some().prop_map(Act::Joins),
        2 => some().prop_map(Act::Leaves),
        2 => some().prop_map(Act::Ends),
        1 => any::<bool>().prop_map(|running| Act::LeftOver { running }),
        2 => (0_u16..200).prop_map(Act::Passes),
        8 => Just(Act::Alarm),
    ]
}

fn settings() -> impl Strategy<Value = LaunchSettings> {
    (1_u32..10, 1_u32..4, 1_u32..5, 0_u64..3).prop_map(|(most, per_job, backlog, pause)| LaunchSettings {
        most,
        per_job,
        backlog,
        pause: Duration::from_secs(pause),
        // The jobs of the session before have lower numbers.
        first_job: 100,
        ..LaunchSettings::default()
    })
}

proptest! {
    #[test]
    fn every_want_is_met_and_no_job_is_forgotten(
        settings in settings(),
        acts in prop::collection::vec(act(), 0..120),
        close_early in any::<bool>(),
    ) {
        let mut world = World::new(settings);
        world.on(LaunchInput::Tick)?;
        for act in acts {
            world.act(act)?;
        }
        if !close_early {
            world.every_want_is_met()?;
        }
        world.all_ends()?;
    }
}
