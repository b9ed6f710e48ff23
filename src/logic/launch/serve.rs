//! What is to be done now, and when next: looked for after every input.

use std::cmp::Reverse;
use std::sync::Arc;

use super::{Cancel, FIRST_LIST, Job, LaunchOutput, Launches, Moment, Phase};
use crate::logic::pool::ResourceRequest;

impl Launches {
    pub(super) fn serve(&mut self, now: Moment, out: &mut Vec<LaunchOutput>) {
        self.deadline = self.closing;
        self.give_up_waiting(now, out);
        self.shrink();
        self.cancel(now, out);
        self.submit(now, out);
        self.list(now, out);
        self.say(out);
        self.groups.retain(|_, group| group.wanted > 0 || group.said.is_some());
        if self.is_over(now) {
            self.closed = true;
            self.deadline = None;
            out.push(LaunchOutput::Closed);
        }
    }

    /// Something is to be done at this moment.
    fn wake(&mut self, at: Moment) {
        self.deadline = Some(self.deadline.map_or(at, |first| first.min(at)));
    }

    /// Jobs whose workers don't join, or have all left, and jobs of earlier sessions.
    fn give_up_waiting(&mut self, now: Moment, out: &mut Vec<LaunchOutput>) {
        let (patience, closing) = (self.settings.connect_for, self.closing.is_some());
        let (mut late, mut next) = (Vec::new(), None::<Moment>);
        let mut due = |since: Moment| {
            let at = since + patience;
            if at > now {
                next = Some(next.map_or(at, |first| first.min(at)));
            }
            at <= now
        };
        for (number, job) in self.jobs.iter_mut().filter(|(_, job)| job.is_live()) {
            if closing {
                job.want_cancel();
            }
            if job.cancel != Cancel::No {
                continue;
            }
            if job.running.is_some_and(|since| job.arrived() < job.workers && due(since)) {
                late.push(*number);
            }
            if job.deserted.is_some_and(&mut due) {
                job.want_cancel();
            }
        }
        for left in self.left_over.values_mut().filter(|left| left.phase == Phase::Asked) {
            if left.cancel == Cancel::No && (closing || due(left.since)) {
                left.cancel = Cancel::Wanted;
            }
        }
        next.into_iter().for_each(|at| self.wake(at));
        late.into_iter().for_each(|number| self.late(number, now, out));
    }

    /// Workers of a job that has its resources haven't joined in time: they aren't expected any more.
    fn late(&mut self, number: u64, now: Moment, out: &mut Vec<LaunchOutput>) {
        let patience = self.settings.connect_for;
        let Some(job) = self.jobs.get_mut(&number) else { return };
        job.workers = job.arrived();
        if job.arrived() == 0 {
            job.want_cancel();
            let name = job.id.clone().unwrap_or_else(|| number.to_string());
            let words = format!("no worker of job {name} has joined within {} s of its start", patience.as_secs_f64());
            let shape = job.shape.clone();
            self.failed(&shape, words, now, out);
        }
    }

    /// Jobs that wait, and that aren't wanted any more: the newest first.
    fn shrink(&mut self) {
        let shapes: Vec<_> = self.jobs.values().filter(|job| job.waits()).map(|job| job.shape.clone()).collect();
        for shape in shapes {
            let wanted = self.groups.get(&shape).map_or(0, |group| group.wanted);
            let mut surplus = self.workers(&shape).saturating_sub(wanted);
            for job in self.jobs.values_mut().rev().filter(|job| job.shape == shape && job.waits()) {
                if job.counts() <= surplus {
                    surplus -= job.counts();
                    job.want_cancel();
                }
            }
        }
    }

    fn cancel(&mut self, now: Moment, out: &mut Vec<LaunchOutput>) {
        let list = self.lists.asked;
        let mut ids = Vec::new();
        let jobs = self.jobs.values_mut().filter(|job| job.phase == Phase::Asked);
        let jobs = jobs.filter_map(|job| job.id.as_ref().map(|id| (id, &mut job.cancel)));
        let left = self.left_over.iter_mut().filter(|(_, left)| left.phase == Phase::Asked);
        for (id, cancel) in jobs.chain(left.map(|(id, left)| (id, &mut left.cancel))) {
            if *cancel == Cancel::Wanted {
                *cancel = Cancel::Asked(list);
                ids.push(id.clone());
            }
        }
        if !ids.is_empty() {
            out.push(LaunchOutput::Cancel(ids));
            self.list_soon(now);
        }
    }

    /// Something has changed that a list is to show.
    fn list_soon(&mut self, now: Moment) {
        self.lists.step = FIRST_LIST.min(self.settings.list_every);
        let soon = now + self.lists.step;
        self.lists.next = Some(self.lists.next.map_or(soon, |next| next.min(soon)));
    }

    fn submit(&mut self, now: Moment, out: &mut Vec<LaunchOutput>) {
        if self.submitting.is_some() || self.closing.is_some() || !self.lists.ever {
            return;
        }
        let Some((shape, lacking)) = self.next_shape(now) else { return };
        let not_before = self.trouble.until().unwrap_or(Moment::START).max(self.next_submit);
        if not_before > now {
            return self.wake(not_before);
        }
        let workers = lacking.min(self.room()).min(self.settings.per_job.max(1));
        let number = self.next_job;
        self.next_job = number.saturating_add(1);
        self.submitting = Some(number);
        self.next_submit = now + self.settings.pause;
        self.jobs.insert(number, Job::new(shape.clone(), workers, Phase::Submitting, self.lists.asked));
        out.push(LaunchOutput::Submit { job: number, shape, workers });
    }

    /// So many more workers may be asked for.
    fn room(&self) -> u32 {
        let there = self.jobs.values().map(Job::may_have).fold(0, u32::saturating_add);
        self.settings.most.saturating_sub(there)
    }

    /// The shape that a job is to be submitted for, and how many workers it lacks: the one with the fewest workers.
    fn next_shape(&mut self, now: Moment) -> Option<(Arc<ResourceRequest>, u32)> {
        let waiting = self.jobs.values().filter(|job| job.waits()).count();
        if self.room() == 0 || waiting >= self.settings.backlog.max(1) as usize {
            return None;
        }
        // They may be about to join again: of which shape they are, they say then.
        let returning = self.left_over.values().filter(|left| left.cancel == Cancel::No && left.phase == Phase::Asked);
        let returning = u32::try_from(returning.count()).unwrap_or(u32::MAX);
        let (mut best, mut retry) = (None::<(u32, _, u32)>, None::<Moment>);
        for (shape, group) in self.groups.iter().filter(|(_, group)| !group.never) {
            let there = self.workers(shape);
            let lacking = group.wanted.saturating_sub(there).saturating_sub(returning);
            if lacking == 0 {
                continue;
            }
            match group.retry.filter(|&at| at > now) {
                Some(at) => retry = Some(retry.map_or(at, |first| first.min(at))),
                None if best.as_ref().is_none_or(|(fewest, ..)| there < *fewest) => {
                    best = Some((there, shape.clone(), lacking));
                }
                None => {}
            }
        }
        retry.into_iter().for_each(|at| self.wake(at));
        best.map(|(_, shape, lacking)| (shape, lacking))
    }

    fn list(&mut self, now: Moment, out: &mut Vec<LaunchOutput>) {
        let pending = self.closing.is_some()
            || !self.lists.ever
            || !self.left_over.is_empty()
            || self.lists.unsure.is_some()
            || self.jobs.values().any(Job::is_pending);
        if self.lists.in_flight {
            return;
        }
        if !pending {
            self.lists.next = None;
            return;
        }
        if self.lists.next.is_none() {
            self.list_soon(now);
        }
        let next = self.lists.next.unwrap_or(now).max(self.lists.trouble.until().unwrap_or(Moment::START));
        if next > now {
            return self.wake(next);
        }
        let step = self.lists.step;
        self.lists.step = step.saturating_mul(2).min(self.settings.list_every);
        self.lists.next = Some(now + step);
        self.lists.asked += 1;
        self.lists.in_flight = true;
        out.push(LaunchOutput::List);
    }

    /// What each shape waits for, if that has changed.
    fn say(&mut self, out: &mut Vec<LaunchOutput>) {
        let room = self.room();
        let shapes: Vec<_> = self.groups.keys().cloned().collect();
        for shape in shapes {
            let words = self.words(&shape, room);
            if let Some(group) = self.groups.get_mut(&shape)
                && group.said != words
            {
                group.said.clone_from(&words);
                out.push(LaunchOutput::Says { shape, words });
            }
        }
    }

    fn words(&self, shape: &Arc<ResourceRequest>, room: u32) -> Option<String> {
        let group = self.groups.get(shape).filter(|group| group.wanted > 0 && !group.never)?;
        let jobs = || self.jobs.iter().filter(|(_, job)| job.shape == *shape);
        if jobs().map(|(_, job)| job.joined).sum::<u32>() >= group.wanted {
            return None;
        }
        // The one that waits longest, and of these one that the launcher has a word for.
        let waiting = jobs().filter(|(_, job)| job.waits() && job.phase == Phase::Asked);
        if let Some((number, job)) = waiting.max_by_key(|(number, job)| (!job.says.is_empty(), Reverse(**number))) {
            let name = job.id.clone().unwrap_or_else(|| number.to_string());
            let says = if job.says.is_empty() { "it waits" } else { &job.says };
            return Some(format!("job {name}: {says}"));
        }
        let trouble = self.trouble.words().or_else(|| self.lists.trouble.words().filter(|_| !self.lists.ever));
        if let Some(words) = trouble {
            return Some(format!("not yet: {words}"));
        }
        if group.retry.is_some() && jobs().all(|(_, job)| job.counts() == 0) {
            return Some(format!("not yet: {}", group.failed));
        }
        let full = room == 0 && self.workers(shape) < group.wanted;
        full.then(|| format!("it may ask for {} workers at most, and has", self.settings.most))
    }

    fn is_over(&self, now: Moment) -> bool {
        let Some(bound) = self.closing else { return false };
        let jobs = self.jobs.values().any(Job::is_live);
        let left = self.left_over.values().any(|left| left.phase == Phase::Asked);
        let known = self.lists.ever && self.lists.unsure.is_none() && self.submitting.is_none();
        bound <= now || (known && !jobs && !left)
    }
}
