//! The rules of the table, one by one.

use super::*;
use crate::logic::pool::Resources;

fn shape(cpus: u32) -> Arc<ResourceRequest> {
    Arc::new(ResourceRequest::single(Resources::cpus(cpus)).expect("it asks for something"))
}

fn run() -> RunId {
    RunId::new(0x3fa01)
}

/// A machine, its time, and what it said last.
struct Rig {
    launches: Launches,
    now: Moment,
}

impl Rig {
    fn new(settings: LaunchSettings) -> Self {
        let mut rig = Self { launches: Launches::new(run(), settings), now: Moment::START };
        assert_eq!(rig.on(LaunchInput::Tick), [LaunchOutput::List]);
        rig
    }

    /// With an empty list.
    fn listed(settings: LaunchSettings) -> Self {
        let mut rig = Self::new(settings);
        assert_eq!(rig.on(LaunchInput::Listed(Vec::new())), []);
        rig
    }

    fn on(&mut self, input: LaunchInput) -> Vec<LaunchOutput> {
        let mut out = Vec::new();
        self.launches.on(input, self.now, &mut out);
        out
    }

    fn want(&mut self, workers: u32) -> Vec<LaunchOutput> {
        self.on(LaunchInput::Want { shape: shape(1), workers })
    }

    fn submitted(&mut self, job: u64) -> Vec<LaunchOutput> {
        self.on(LaunchInput::Submitted { job, id: format!("id{job}") })
    }

    fn joined(&mut self, job: u64) -> Vec<LaunchOutput> {
        self.on(LaunchInput::Joined { job, shape: shape(1) })
    }

    /// The time of its deadline comes.
    fn tick(&mut self) -> Vec<LaunchOutput> {
        self.now = self.launches.deadline().expect("it waits for something");
        self.on(LaunchInput::Tick)
    }

    /// Ticks until it asks for a list, and answers it.
    fn list(&mut self, listed: Vec<LaunchListed>) -> Vec<LaunchOutput> {
        let mut said = Vec::new();
        while !said.contains(&LaunchOutput::List) {
            said.extend(self.tick());
        }
        said.retain(|output| *output != LaunchOutput::List);
        said.extend(self.on(LaunchInput::Listed(listed)));
        said
    }
}

fn listed(job: u64, state: LaunchState, says: &str) -> LaunchListed {
    LaunchListed { id: format!("id{job}"), name: job_name(run(), job), state, says: says.to_owned(), ends_in: None }
}

fn submit(job: u64, workers: u32) -> LaunchOutput {
    LaunchOutput::Submit { job, shape: shape(1), workers }
}

fn says(words: &str) -> LaunchOutput {
    LaunchOutput::Says { shape: shape(1), words: Some(words.to_owned()) }
}

fn cancel(jobs: &[u64]) -> LaunchOutput {
    LaunchOutput::Cancel(jobs.iter().map(|job| format!("id{job}")).collect())
}

#[test]
fn names_carry_the_run() {
    assert_eq!(job_name(run(), 12), "tryout-3fa01-12");
    assert_eq!(job_number(run(), "tryout-3fa01-12"), Some(12));
    for other in ["tryout-3fa02-12", "tryout-3fa01-", "tryout-3fa01-x", "other", "tryout-3fa0112"] {
        assert_eq!(job_number(run(), other), None, "{other}");
    }
}

#[test]
fn nothing_is_submitted_before_the_first_list() {
    let mut rig = Rig::new(LaunchSettings::default());
    assert_eq!(rig.want(1), []);
    assert_eq!(rig.on(LaunchInput::NotListed("no squeue".to_owned())), [says("not yet: no squeue")]);
    // Numbers go on above those that are listed.
    assert!(rig.list(vec![listed(7, LaunchState::Ended, "")]).contains(&submit(8, 1)));
}

#[test]
fn jobs_are_submitted_one_at_a_time_with_pauses() {
    let mut rig = Rig::listed(LaunchSettings { per_job: 2, ..LaunchSettings::default() });
    assert_eq!(rig.want(3), [submit(1, 2)]);
    assert_eq!(rig.submitted(1), [says("job id1: it waits")]);
    assert_eq!(rig.tick(), [submit(2, 1)]);
    assert_eq!(rig.now.since_start(), LaunchSettings::default().pause);
    rig.submitted(2);
    assert_eq!(rig.launches.workers(&shape(1)), 3);
    let waits = vec![listed(1, LaunchState::Waiting, "Priority"), listed(2, LaunchState::Waiting, "Priority")];
    assert_eq!(rig.list(waits), [says("job id1: Priority")]);
}

#[test]
fn a_want_that_shrinks_takes_back_the_newest_that_wait() {
    let mut rig = Rig::listed(LaunchSettings { pause: Duration::ZERO, ..LaunchSettings::default() });
    rig.want(3);
    rig.submitted(1);
    rig.submitted(2);
    rig.submitted(3);
    rig.joined(3);
    assert_eq!(rig.want(2), [cancel(&[2])]);
    // A worker that has joined is let go by the pool, not by this.
    assert_eq!(rig.want(0), [cancel(&[1]), LaunchOutput::Says { shape: shape(1), words: None }]);
    assert_eq!(rig.launches.workers(&shape(1)), 1);
}

#[test]
fn what_fails_is_submitted_anew_and_then_never() {
    let mut rig = Rig::listed(LaunchSettings { failures: 2, ..LaunchSettings::default() });
    rig.want(1);
    rig.submitted(1);
    let ended = rig.list(vec![listed(1, LaunchState::Ended, "NodeFail")]);
    assert_eq!(ended[0], LaunchOutput::Ended { job: 1, words: "NodeFail".to_owned() });
    assert_eq!(ended[1], says("not yet: job id1 ended before its workers had joined: NodeFail"));
    assert_eq!(rig.tick(), [submit(2, 1), LaunchOutput::Says { shape: shape(1), words: None }]);
    rig.submitted(2);
    // Two lists in a row don't show it.
    rig.list(Vec::new());
    let never = rig.list(Vec::new());
    let words = "2 jobs in a row failed; the last: job id2 ended before its workers had joined".to_owned();
    assert!(never.contains(&LaunchOutput::Never { shape: shape(1), words }), "{never:?}");
    assert_eq!(rig.want(1), []);
    rig.want(0);
    assert_eq!(rig.want(1), [submit(3, 1)]);
}

#[test]
fn what_is_refused_can_t_be_had() {
    let mut rig = Rig::listed(LaunchSettings::default());
    rig.want(1);
    let error = LaunchError::Refused("no such partition".to_owned());
    let never = LaunchOutput::Never { shape: shape(1), words: "no such partition".to_owned() };
    assert_eq!(rig.on(LaunchInput::NotSubmitted { job: 1, error }), [never]);
}

#[test]
fn what_waits_for_what_will_never_be_is_cancelled() {
    let mut rig = Rig::listed(LaunchSettings::default());
    rig.want(1);
    rig.submitted(1);
    let said = rig.list(vec![listed(1, LaunchState::Hopeless, "PartitionTimeLimit")]);
    let never = LaunchOutput::Never { shape: shape(1), words: "PartitionTimeLimit".to_owned() };
    assert_eq!(said[..2], [never, cancel(&[1])]);
}

#[test]
fn a_launcher_that_is_down_is_asked_again_and_what_got_in_is_cancelled() {
    let mut rig = Rig::listed(LaunchSettings::default());
    rig.want(1);
    let error = LaunchError::Unavailable("timed out".to_owned());
    assert_eq!(rig.on(LaunchInput::NotSubmitted { job: 1, error }), [says("not yet: timed out")]);
    let mut seen = rig.list(vec![listed(1, LaunchState::Waiting, "")]);
    assert_eq!(seen.pop(), Some(cancel(&[1])));
    rig.list(Vec::new());
    assert_eq!(rig.tick(), [submit(2, 1)]);
}

#[test]
fn workers_that_don_t_join_are_given_up() {
    let mut rig = Rig::listed(LaunchSettings::default());
    rig.want(1);
    rig.submitted(1);
    rig.list(vec![listed(1, LaunchState::Running, "")]);
    let began = rig.now;
    let mut said = Vec::new();
    while !said.contains(&cancel(&[1])) {
        said = rig.tick();
        if said.contains(&LaunchOutput::List) {
            rig.on(LaunchInput::Listed(vec![listed(1, LaunchState::Running, "")]));
        }
    }
    assert_eq!(rig.now - began, LaunchSettings::default().connect_for);
}

#[test]
fn what_a_killed_engine_left_is_cancelled_unless_its_workers_join() {
    let mut rig = Rig::new(LaunchSettings::default());
    let left = [(4, LaunchState::Waiting), (5, LaunchState::Running), (6, LaunchState::Running)];
    let left = || left.iter().map(|&(job, state)| listed(job, state, "")).collect::<Vec<_>>();
    assert_eq!(rig.on(LaunchInput::Listed(left())), [cancel(&[4])]);
    // Two are about to come back: only one more is asked for.
    assert_eq!(rig.want(3), [submit(7, 1)]);
    rig.submitted(7);
    rig.joined(7);
    rig.joined(5);
    assert_eq!(rig.launches.workers(&shape(1)), 2);
    let mut cancelled = Vec::new();
    while !cancelled.contains(&cancel(&[6])) {
        cancelled = rig.tick();
        if cancelled.contains(&LaunchOutput::List) {
            rig.on(LaunchInput::Listed(left()[1..].to_vec()));
        }
    }
    assert_eq!(cancelled[1], submit(8, 1));
}

#[test]
fn a_job_whose_workers_have_left_ends_or_is_cancelled() {
    let mut rig = Rig::listed(LaunchSettings::default());
    rig.want(1);
    rig.submitted(1);
    assert_eq!(rig.joined(1), [LaunchOutput::Says { shape: shape(1), words: None }]);
    assert_eq!(rig.launches.deadline(), None, "nothing is waited for");
    rig.want(0);
    rig.on(LaunchInput::Left { job: 1 });
    let mut said = Vec::new();
    while !said.contains(&cancel(&[1])) {
        said = rig.tick();
        if said.contains(&LaunchOutput::List) {
            rig.on(LaunchInput::Listed(vec![listed(1, LaunchState::Running, "")]));
        }
    }
}

#[test]
fn closing_cancels_all_and_ends() {
    let mut rig = Rig::listed(LaunchSettings { pause: Duration::ZERO, ..LaunchSettings::default() });
    rig.want(2);
    rig.submitted(1);
    rig.joined(1);
    // The second is still being submitted.
    assert_eq!(rig.on(LaunchInput::Close)[0], cancel(&[1]));
    assert_eq!(rig.submitted(2)[0], cancel(&[2]));
    assert_eq!(rig.list(Vec::new()).last(), Some(&LaunchOutput::Closed));
    assert_eq!((rig.launches.deadline(), rig.want(3)), (None, Vec::new()));
}

#[test]
fn closing_is_bounded() {
    let mut rig = Rig::new(LaunchSettings::default());
    rig.on(LaunchInput::Close);
    rig.on(LaunchInput::NotListed("down".to_owned()));
    let mut said = Vec::new();
    while !said.contains(&LaunchOutput::Closed) {
        said = rig.tick();
        if said.contains(&LaunchOutput::List) {
            rig.on(LaunchInput::NotListed("down".to_owned()));
        }
    }
    assert_eq!(rig.now.since_start(), LaunchSettings::default().close_for);
}
