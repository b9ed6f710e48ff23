//! A real sshd, as `.ci/ssh` sets it up.

use tryout::extend::RunId;
use tryout::launch::{Launcher, Ssh};
use tryout::prelude::Resources;

use super::rig::{Rig, Seen, quick, shape};

/// Hosts by the names in the configuration of `.ci/ssh`.
fn ssh(hosts: &str) -> Option<Ssh> {
    let config = std::env::var_os("TRYOUT_SSH_CONFIG");
    if config.is_none() {
        println!("there is no sshd here: .ci/ssh sets one up");
    }
    Some(Ssh::new(hosts).expect("it is well-formed").arg("-F").arg(config?))
}

#[test]
fn ssh_gives_workers_and_takes_them_back() {
    let Some(mut launcher) = ssh("node slots=2 gpus=5,6") else { return };
    assert_eq!(launcher.check(), Ok(()));
    let run = RunId::new(0x51);
    let of = Resources::cpus(1).with("gpu", 1.0);
    let rig = Rig::start(launcher, quick(), run, of.clone());
    rig.driver.want(shape(of), 3);
    let mut gpus: Vec<String> = (0..2).map(|_| rig.joined().1.remove(0)).collect();
    gpus.sort_unstable();
    assert_eq!(gpus, ["gpus=5", "gpus=6"]);
    assert_eq!(rig.says("taken"), "ssh: not yet: all slots that fit are taken");
    assert!(rig.driver.close());
    let mut gone = 0;
    rig.until("both are gone", |seen| {
        gone += u32::from(matches!(seen, Seen::Left(_)));
        (gone == 2).then_some(())
    });
    let left = ssh("node").expect("it was there").list(&format!("tryout-{run}-"));
    assert_eq!(left, Ok(Vec::new()));
}

#[test]
fn a_worker_outlives_its_engine_and_is_found() {
    let Some(launcher) = ssh("node slots=2") else { return };
    let run = RunId::new(0x52);
    let of = Resources::cpus(1);
    let rig = Rig::start(launcher, quick(), run, of.clone());
    rig.driver.want(shape(of), 1);
    rig.joined();
    // Another session finds it, and takes it away.
    let mut other = ssh("node slots=2").expect("it was there");
    let listed = other.list(&format!("tryout-{run}-")).expect("the host is there");
    assert_eq!((listed.len(), listed[0].name.as_str()), (1, "tryout-00052-1"));
    assert_eq!(other.cancel(&[listed[0].id.clone()]), Ok(()));
    rig.until("it is gone", |seen| matches!(seen, Seen::Left(1)).then_some(()));
    // The first session asks for a new one.
    assert_eq!(rig.joined().0, 2);
    assert!(rig.driver.close());
}

#[test]
fn a_host_that_can_t_be_reached_is_said() {
    let Some(mut launcher) = ssh("nobody") else { return };
    assert!(launcher.check().is_err_and(|why| why.starts_with("nobody: ") && why.contains("refused")));
    assert!(launcher.list("tryout-").is_err());
}
