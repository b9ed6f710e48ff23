//! What `sbatch` would be given.

use std::sync::Arc;

use super::*;
use crate::logic::pool::Resources;

fn job(shape: Resources, workers: u32) -> LaunchJob {
    LaunchJob {
        name: "tryout-3fa01-4".to_owned(),
        number: 4,
        shape: Arc::new(ResourceRequest::single(shape).expect("it asks for something")),
        workers,
        command: ["tryout", "worker", "--join", "/a b/join"].map(Into::into).into(),
        directory: Some("/runs/100%".into()),
    }
}

#[test]
fn what_would_be_submitted_is_said() {
    let slurm =
        Slurm::new().partition("gpu").time(Duration::from_secs(90)).arg("--mail-type=END").prologue("module load x");
    let shape = Resources::cpus(2).with("gpu", 1.0).with("memory", 2.5e9);
    let expected = "sbatch --parsable --no-requeue --nodes=1 --ntasks=1 --job-name=tryout-3fa01-4 --cpus-per-task=2 \
        --mem=2385M --gres=gpu:1 --output=/runs/100%%/tryout-3fa01-4.out --partition=gpu --time=2 --mail-type=END <<'TRYOUT'\n\
        #!/bin/sh\nexport TRYOUT_JOB=4\n\
        TRYOUT_TIME_LEFT=$(squeue -h -j \"$SLURM_JOB_ID\" -o %L 2>/dev/null) && export TRYOUT_TIME_LEFT\n\
        module load x\nexec tryout worker --join '/a b/join'\nTRYOUT\n";
    assert_eq!(slurm.dry_run(&job(shape, 1)), expected);
}

#[test]
fn gpus_have_types_and_shares() {
    let arguments = |slurm: Slurm, shape, workers| {
        let all = slurm.arguments(&job(shape, workers));
        all.iter()
            .map(|one| one.to_string_lossy().into_owned())
            .find(|one| one.starts_with("--gres"))
            .unwrap_or_default()
    };
    assert_eq!(arguments(Slurm::new().gpu_type("t4"), Resources::new().with("gpu", 0.5), 4), "--gres=gpu:t4:2");
    let named = Resources::new().with("gpu", 2.0).with("accelerator_type:a100", 0.001);
    assert_eq!(arguments(Slurm::new().gpu_type("t4"), named, 1), "--gres=gpu:a100:2");
    assert_eq!(arguments(Slurm::new(), Resources::cpus(1), 1), "");
}

#[test]
fn a_name_that_isn_t_known_can_t_be_served() {
    let request = ResourceRequest::single(Resources::cpus(1).with("matlab", 1.0)).expect("it asks for something");
    assert!(Slurm::new().may_serve(&request).is_err_and(|why| why.contains("`matlab`")));
    let slurm = Slurm::new().resource("matlab", "--licenses=matlab:{n}");
    assert_eq!(slurm.may_serve(&request), Ok(()));
    let shape = Resources::cpus(1).with("matlab", 1.0);
    assert!(slurm.arguments(&job(shape, 2)).contains(&"--licenses=matlab:2".into()));
}
