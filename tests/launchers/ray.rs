//! A real Ray of one node, as `.ci/ray` sets it up: two cores and one GPU that is only a number.

use std::time::Duration;

use tryout::extend::RunId;
use tryout::launch::{LaunchNotice, LaunchSettings, Launcher, Ray};
use tryout::prelude::Resources;

use super::rig::{Rig, Seen, job, quick, shape};

fn ray() -> Option<Ray> {
    let python = std::env::var_os("TRYOUT_RAY");
    if python.is_none() {
        println!("there is no Ray here: .ci/ray sets one up");
    }
    Some(Ray::new().python(python?))
}

fn nothing_is_left(run: RunId) {
    let left = ray().expect("it was there").list(&format!("tryout-{run}-")).expect("it answers");
    assert!(left.iter().all(|job| job.state == tryout::launch::LaunchState::Ended), "{left:?}");
}

#[test]
fn ray_gives_workers_and_takes_them_back() {
    let Some(mut launcher) = ray() else { return };
    assert_eq!(launcher.check(), Ok(()));
    let run = RunId::new(0x61);
    let of = Resources::cpus(1);
    let rig = Rig::start(launcher, quick(), run, of.clone());
    rig.driver.want(shape(of.clone()), 3);
    let (one, two) = (rig.joined().0, rig.joined().0);
    let words = rig.says("waits for cpu 1");
    assert!(words.starts_with("Ray job tryout-00061-"), "{words}");
    rig.driver.want(shape(of), 2);
    rig.until("the third is gone", |seen| match seen {
        Seen::Notice(LaunchNotice::Ended { job, .. }) => Some(assert!(*job != one && *job != two)),
        _ => None,
    });
    assert!(rig.driver.close());
    let mut gone = 0;
    rig.until("both are gone", |seen| {
        gone += u32::from(matches!(seen, Seen::Left(_)));
        (gone == 2).then_some(())
    });
    nothing_is_left(run);
}

#[test]
fn ray_s_workers_share_a_gpu() {
    let Some(launcher) = ray() else { return };
    let run = RunId::new(0x62);
    let half = Resources::cpus(1).with("gpu", 0.5);
    let rig = Rig::start(launcher, LaunchSettings { per_job: 2, ..quick() }, run, half.clone());
    rig.driver.want(shape(half), 2);
    assert_eq!([rig.joined().1.remove(0), rig.joined().1.remove(0)], ["gpus=0", "gpus=0"]);
    assert!(rig.driver.close());
    nothing_is_left(run);
}

#[test]
fn ray_refuses_what_no_node_has() {
    let Some(launcher) = ray() else { return };
    let of = Resources::cpus(1).with("gpu", 2.0);
    let rig = Rig::start(launcher, quick(), RunId::new(0x63), of.clone());
    rig.driver.want(shape(of), 1);
    assert_eq!(rig.never(), "Ray: no node has gpu 2");
}

#[test]
fn what_a_killed_engine_left_in_ray_is_found() {
    let Some(launcher) = ray() else { return };
    let run = RunId::new(0x64);
    let of = Resources::cpus(2);
    let mut left = launcher;
    for number in [3, 4] {
        left.submit(&job(run, number, of.clone(), &["sleep", "600"])).expect("it is taken");
    }
    let settings = LaunchSettings { connect_for: Duration::from_secs(2), ..quick() };
    let next = Rig::start(ray().expect("it was there"), settings, run, of.clone());
    next.driver.want(shape(of), 1);
    assert_eq!(next.joined().0, 5);
    assert!(next.driver.close());
    nothing_is_left(run);
}
