//! A real Slurm of one node, as `.ci/slurm` sets it up: four cores, two GPUs and one of another type, two partitions of which one
//! preempts the other.

use std::process::Command;
use std::time::Duration;

use tryout::extend::RunId;
use tryout::launch::{LaunchNotice, LaunchSettings, Launcher, Slurm};
use tryout::prelude::Resources;

use super::rig::{Rig, Seen, job, quick, shape};

/// Whether there is one.
fn slurm() -> bool {
    let is = std::env::var_os("TRYOUT_SLURM").is_some();
    if !is {
        println!("there is no Slurm here: .ci/slurm sets one up");
    }
    is
}

fn partition(name: &str) -> Slurm {
    Slurm::new().partition(name).time(Duration::from_secs(600))
}

/// The states of the jobs of a run.
fn states(run: RunId) -> Vec<String> {
    let out = Command::new("squeue").args(["-h", "-o", "%T %j"]).output().expect("there is a squeue");
    let lines = String::from_utf8(out.stdout).expect("it is text");
    let own = format!("tryout-{run}-");
    lines
        .lines()
        .filter(|line| line.contains(&own))
        .map(|line| line.split(' ').next().unwrap_or("").to_owned())
        .collect()
}

/// Nothing of a run is left that has resources or waits for them.
fn nothing_is_left(run: RunId) {
    let left = states(run);
    assert!(left.iter().all(|state| state == "COMPLETING"), "{left:?}");
}

#[test]
fn slurm_gives_workers_and_takes_them_back() {
    if !slurm() {
        return;
    }
    let run = RunId::new(1);
    let mut launcher = partition("low");
    assert_eq!(launcher.check(), Ok(()));
    let rig = Rig::start(launcher, quick(), run, Resources::cpus(1));
    rig.driver.want(shape(Resources::cpus(1)), 2);
    let (one, words) = rig.joined();
    let (two, _) = rig.joined();
    assert_ne!(one, two);
    let left = words.iter().find_map(|word| word.strip_prefix("left=")).and_then(tryout::launch::slurm::time_left);
    assert!(left.is_some_and(|left| left > Duration::from_secs(500)), "{words:?}");
    assert!(rig.driver.close());
    let mut gone = 0;
    rig.until("both are gone", |seen| {
        gone += u32::from(matches!(seen, Seen::Left(_)));
        (gone == 2).then_some(())
    });
    nothing_is_left(run);
}

#[test]
fn slurm_says_what_a_job_waits_for_and_forgets_it_if_it_isn_t_wanted() {
    if !slurm() {
        return;
    }
    let run = RunId::new(2);
    let all = Resources::cpus(4);
    let rig = Rig::start(partition("low"), quick(), run, all.clone());
    rig.driver.want(shape(all.clone()), 2);
    let (first, _) = rig.joined();
    let words = rig.says("Resources");
    assert!(words.starts_with("Slurm job "), "{words}");
    rig.driver.want(shape(all), 1);
    rig.until("the second is gone", |seen| match seen {
        Seen::Notice(LaunchNotice::Ended { job, .. }) => Some(assert_ne!(*job, first)),
        _ => None,
    });
    assert_eq!(states(run), ["RUNNING"]);
    assert!(rig.driver.close());
    nothing_is_left(run);
}

#[test]
fn slurm_refuses_what_it_can_t_have() {
    if !slurm() {
        return;
    }
    let of = Resources::cpus(1);
    let rig = Rig::start(partition("nowhere"), quick(), RunId::new(3), of.clone());
    rig.driver.want(shape(of), 1);
    assert!(rig.never().contains("nvalid partition"));
    let of = Resources::cpus(64);
    let rig = Rig::start(partition("low"), quick(), RunId::new(3), of.clone());
    rig.driver.want(shape(of), 1);
    assert!(rig.never().starts_with("Slurm: "));
}

#[test]
fn slurm_s_workers_share_a_gpu() {
    let gpus = Command::new("sinfo").args(["-h", "-o", "%G"]).output();
    if !slurm() || gpus.is_ok_and(|out| String::from_utf8_lossy(&out.stdout).contains("null")) {
        return println!("there is no Slurm with GPUs here");
    }
    let run = RunId::new(4);
    let half = Resources::cpus(1).with("gpu", 0.5);
    let settings = LaunchSettings { per_job: 4, ..quick() };
    let rig = Rig::start(partition("low").gpu_type("a100"), settings, run, half.clone());
    rig.driver.want(shape(half), 4);
    let mut gpus: Vec<String> = (0..4).map(|_| rig.joined().1.remove(0)).collect();
    gpus.sort_unstable();
    assert_eq!(gpus, ["gpus=0", "gpus=0", "gpus=1", "gpus=1"]);
    assert!(rig.driver.close());
    nothing_is_left(run);
}

#[test]
fn slurm_preempts_and_another_job_takes_its_place() {
    if !slurm() {
        return;
    }
    let run = RunId::new(5);
    let all = Resources::cpus(4);
    let rig = Rig::start(partition("low"), quick(), run, all.clone());
    rig.driver.want(shape(all.clone()), 1);
    let (first, _) = rig.joined();
    let mut high = partition("high");
    let other = high.submit(&job(RunId::new(0xfffff), 1, all, &["sleep", "600"])).expect("it has four cores");
    rig.until("it is preempted", |seen| match seen {
        Seen::Left(job) => Some(assert_eq!(*job, first)),
        _ => None,
    });
    rig.says("Resources");
    high.cancel(&[other]).expect("it is there");
    let (second, _) = rig.joined();
    assert_ne!(first, second);
    assert!(rig.driver.close());
    nothing_is_left(run);
}

#[test]
fn what_a_killed_engine_left_in_slurm_is_found() {
    if !slurm() {
        return;
    }
    let run = RunId::new(6);
    let of = Resources::cpus(4);
    let mut left = partition("low");
    for number in [3, 4] {
        left.submit(&job(run, number, of.clone(), &["sleep", "600"])).expect("it is taken");
    }
    let settings = LaunchSettings { connect_for: Duration::from_secs(2), ..quick() };
    let rig = Rig::start(partition("low"), settings, run, of.clone());
    rig.driver.want(shape(of), 1);
    // Numbers go on above those of the earlier session.
    assert_eq!(rig.joined().0, 5);
    assert!(rig.driver.close());
    nothing_is_left(run);
}
