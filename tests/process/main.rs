//! Trials in real processes: workers that speak the protocol and workers that don't, programs that misbehave, limits, ends.
#![cfg(all(feature = "process", target_os = "linux"))]

mod cases;
mod command;
mod conformance;
mod faults;
mod gpus;
mod leftovers;
mod life;
mod limits;
mod output;
mod program;
mod seen;

/// A worker process's whole life; not a test of its own.
#[test]
#[ignore = "run by the others, in processes of their own"]
fn worker() {
    if tryout::worker::is_worker() {
        let code = tryout::worker::serve::<program::Walk>();
        assert_eq!(format!("{code:?}"), format!("{:?}", std::process::ExitCode::SUCCESS));
    }
}
