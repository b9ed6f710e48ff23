//! What a launcher's list says of each job.

use std::collections::BTreeSet;

use super::{Cancel, Job, LaunchListed, LaunchOutput, LaunchState, Launches, LeftOver, Moment, Phase, job_number};

/// A job that so many lists in a row don't show is gone: one may be older than the job.
const MISSED: u32 = 2;

impl Launches {
    pub(super) fn listed(&mut self, listed: Vec<LaunchListed>, now: Moment, out: &mut Vec<LaunchOutput>) {
        let first = !self.lists.ever;
        (self.lists.in_flight, self.lists.ever) = (false, true);
        self.lists.trouble.heal();
        self.lists.unsure = self.lists.unsure.filter(|&before| before >= self.lists.asked);
        let mut shown = BTreeSet::new();
        for one in listed {
            let Some(number) = job_number(self.run, &one.name) else { continue };
            if first {
                self.next_job = self.next_job.max(number.saturating_add(1));
            }
            shown.insert(one.id.clone());
            self.shown(number, one, now, out);
        }
        self.left_over.retain(|id, _| shown.contains(id));
        self.missed(&shown, now, out);
    }

    /// One job of the list.
    fn shown(&mut self, number: u64, one: LaunchListed, now: Moment, out: &mut Vec<LaunchOutput>) {
        let list = self.lists.asked;
        let Some(job) = self.jobs.get_mut(&number) else { return self.unknown(number, one, now) };
        match &job.id {
            Some(id) if *id != one.id => return self.unknown(number, one, now),
            Some(_) => {}
            // Its submission will tell, or has failed and is no more.
            None if job.phase == Phase::Submitting => return,
            None => job.id = Some(one.id),
        }
        job.missed = 0;
        if one.state != LaunchState::Ended && matches!(job.phase, Phase::Ending | Phase::Ended) {
            job.phase = Phase::Asked;
        }
        match one.state {
            LaunchState::Waiting => {
                if job.arrived() == 0 {
                    job.running = None;
                }
                job.says = one.says;
                again(&mut job.cancel, list);
            }
            LaunchState::Hopeless => {
                again(&mut job.cancel, list);
                if job.cancel == Cancel::No && job.arrived() == 0 {
                    job.cancel = Cancel::Wanted;
                    let (shape, words) = (job.shape.clone(), one.says);
                    self.never(shape, words, out);
                }
            }
            LaunchState::Running => {
                job.running.get_or_insert(now);
                job.says.clear();
                again(&mut job.cancel, list);
            }
            LaunchState::Ending => {
                job.says = one.says;
                if job.is_live() {
                    job.phase = Phase::Ending;
                }
            }
            LaunchState::Ended => {
                job.says = one.says;
                self.ended(number, now, out);
            }
        }
    }

    /// A job that this session doesn't know.
    fn unknown(&mut self, job: u64, one: LaunchListed, now: Moment) {
        let list = self.lists.asked;
        let phase = match one.state {
            LaunchState::Waiting | LaunchState::Hopeless | LaunchState::Running => Phase::Asked,
            LaunchState::Ending => Phase::Ending,
            LaunchState::Ended => {
                self.left_over.remove(&one.id);
                return;
            }
        };
        let fresh = LeftOver { job, since: now, phase, cancel: Cancel::No };
        let left = self.left_over.entry(one.id).or_insert(fresh);
        left.phase = phase;
        if matches!(one.state, LaunchState::Waiting | LaunchState::Hopeless) && left.cancel == Cancel::No {
            left.cancel = Cancel::Wanted;
        }
        again(&mut left.cancel, list);
    }

    /// Jobs that the list should have shown.
    fn missed(&mut self, shown: &BTreeSet<String>, now: Moment, out: &mut Vec<LaunchOutput>) {
        let list = self.lists.asked;
        let missing = |job: &Job| {
            let listed = job.id.as_ref().is_some_and(|id| shown.contains(id));
            !listed && list > job.before_list && matches!(job.phase, Phase::Asked | Phase::Ending)
        };
        let mut gone = Vec::new();
        for (number, job) in self.jobs.iter_mut().filter(|(_, job)| missing(job)) {
            job.missed += 1;
            let expected = job.phase == Phase::Ending || matches!(job.cancel, Cancel::Asked(before) if before < list);
            if expected || job.missed >= MISSED {
                gone.push(*number);
            }
        }
        gone.into_iter().for_each(|number| self.ended(number, now, out));
    }

    fn ended(&mut self, number: u64, now: Moment, out: &mut Vec<LaunchOutput>) {
        let Some(job) = self.jobs.get_mut(&number) else { return };
        if job.phase == Phase::Ended {
            return;
        }
        job.phase = Phase::Ended;
        let (shape, words) = (job.shape.clone(), std::mem::take(&mut job.says));
        let failed = job.cancel == Cancel::No && job.arrived() == 0;
        let name = job.id.clone().unwrap_or_else(|| number.to_string());
        if job.joined == 0 {
            self.jobs.remove(&number);
        }
        if failed {
            let says = if words.is_empty() { String::new() } else { format!(": {words}") };
            self.failed(&shape, format!("job {name} ended before its workers had joined{says}"), now, out);
        }
        out.push(LaunchOutput::Ended { job: number, words });
    }
}

/// What was cancelled before this list, and is still there, is cancelled again.
fn again(cancel: &mut Cancel, list: u64) {
    if matches!(*cancel, Cancel::Asked(before) if before < list) {
        *cancel = Cancel::Wanted;
    }
}
