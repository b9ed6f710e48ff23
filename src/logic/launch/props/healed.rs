//! The world once its troubles have ended: every want must be met, and no job is left.

use proptest::prelude::*;

use super::super::*;
use super::Act;
use super::world::{Real, World, shape};

impl World {
    /// From now on everything works, and nothing is slow.
    fn healed(&mut self) -> Result<(), TestCaseError> {
        self.act(Act::Submitted)?;
        self.act(Act::Listed { late: false })?;
        while self.pick(0, |job| job.cancelled).is_some() {
            self.ends(0, |job| job.cancelled)?;
        }
        while self.pick(0, |job| job.running.is_none()).is_some() {
            self.act(Act::Starts(0))?;
        }
        // What is too late to join has lost its way: its job ends.
        let lost = |job: &Real, world: &Self| job.running.is_some() && job.joined == 0 && !world.may_join(job);
        while let Some(at) = (0..self.jobs.len()).find(|&at| !self.jobs[at].ended && lost(&self.jobs[at], self)) {
            self.jobs[at].ended = true;
        }
        let may = |job: &Real, world: &Self| job.joined + job.left < job.workers && world.may_join(job);
        while self.pick(0, |job| may(job, self)).is_some() {
            self.joins(0)?;
        }
        self.alarm()
    }

    fn joined(&self, of: usize) -> u32 {
        self.jobs.iter().filter(|job| !job.ended && job.shape == shape(of)).map(|job| job.joined).sum()
    }

    pub(super) fn every_want_is_met(&mut self) -> Result<(), TestCaseError> {
        for at in 0..2 {
            if self.nevers[at] {
                self.want(at, 0)?;
                self.want(at, 2)?;
            }
        }
        let met = |world: &Self| (0..2).all(|at| world.joined(at) >= world.wants[at] || world.nevers[at]);
        for _ in 0..200 {
            self.healed()?;
            if met(self) {
                break;
            }
        }
        let most: u32 = (0..2).map(|at| self.joined(at)).sum();
        prop_assert!(met(self) || most >= self.settings.most, "a want is stuck: {:?} {:?}", self.wants, self.launches);
        Ok(())
    }

    pub(super) fn all_ends(&mut self) -> Result<(), TestCaseError> {
        self.wants = [0; 2];
        self.on(LaunchInput::Close)?;
        for _ in 0..200 {
            if self.closed {
                break;
            }
            self.healed()?;
        }
        prop_assert!(self.closed, "it never closes: {:?}", self.launches);
        let forgotten = self.jobs.iter().find(|job| !job.ended && !job.cancelled);
        prop_assert!(forgotten.is_none(), "a job was forgotten: {forgotten:?}");
        Ok(())
    }
}
