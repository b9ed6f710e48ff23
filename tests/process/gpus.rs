//! Which GPUs a trial's process sees, when the engine's own process was left to see only some. The variables are real, the GPUs
//! needn't be there.

use std::process::Command;

use tryout::prelude::*;

/// A report has a number at least.
const SAYS: &str = concat!(
    r#"echo "{{\"n\": 1, \"cuda\": \"$CUDA_VISIBLE_DEVICES\", \"hip\": \"$HIP_VISIBLE_DEVICES\","#,
    r#" \"rocr\": \"$ROCR_VISIBLE_DEVICES\", \"told\": \"{@gpus}\"}}""#
);

/// Runs one of the tests below in a process that inherits these variables.
fn inheriting(variables: &[(&str, &str)], test: &str) {
    let mut engine = Command::new(std::env::current_exe().expect("this program"));
    for name in ["CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES"] {
        engine.env_remove(name);
    }
    engine.envs(variables.iter().copied());
    let output = engine.args(["--ignored", "--exact", test]).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

/// Two trials that hold `gpus` each of what there is: what each was told in its variables, in the order of their numbers.
fn seen(there: Resources, gpus: f64) -> Vec<[String; 4]> {
    let request = ResourceRequest::single(Resources::cpus(1).with("gpu", gpus)).expect("a request");
    let results = Experiment::new("gpus", command("sh").args(["-c", SAYS]))
        .points([Config::new(), Config::new()])
        .resources(there)
        .per_trial(request)
        .reuse(Reuse::No)
        .run()
        .expect("a run");
    let told = |trial: &TrialRecord| {
        let last = trial.last.as_ref().unwrap_or_else(|| panic!("{:?}", trial.error()));
        ["cuda", "hip", "rocr", "told"].map(|name| match last.metrics.get(name) {
            Some(tryout::metrics::Value::Text(text)) => text.to_string(),
            other => panic!("{name}: {other:?}, {:?}", trial.failures),
        })
    };
    results.trials().iter().map(told).collect()
}

fn gpus(count: f64) -> Resources {
    Resources::cpus(2).with("gpu", count)
}

fn refusal(there: Resources) -> String {
    let experiment = Experiment::new("gpus", command("true")).points([Config::new()]).resources(there);
    experiment.run().expect_err("there aren't as many").to_string()
}

#[test]
fn an_index_counts_what_the_engine_inherited() {
    inheriting(&[("CUDA_VISIBLE_DEVICES", "4,5")], "gpus::under_four_and_five");
}

#[test]
#[ignore = "run by the one above, in a process of its own"]
fn under_four_and_five() {
    let mut told = seen(gpus(2.0), 1.0);
    told.sort();
    let each = |name: &str| [name, name, "", name].map(str::to_owned);
    assert_eq!(told, [each("4"), each("5")]);
    assert_eq!(seen(gpus(2.0), 2.0)[0], ["4,5", "4,5", "", "4,5"].map(str::to_owned));
    let named = Resources::cpus(2).with_gpus([1]);
    assert_eq!(seen(named, 0.5), [each("5"), each("5")]);
    let none = [["-1", "-1", "-1", ""].map(str::to_owned), ["-1", "-1", "-1", ""].map(str::to_owned)];
    assert_eq!(seen(gpus(2.0), 0.0), none, "a trial without a GPU sees none");
    let uncounted = ["4,5", "", "", ""].map(str::to_owned);
    assert_eq!(seen(Resources::cpus(2), 0.0)[0], uncounted, "where none are counted, nothing is said");
    let words = "the resources: GPU 2 isn't there for this process: it inherited CUDA_VISIBLE_DEVICES=4,5, which leaves 2 to be \
                 seen, counted from 0";
    assert_eq!(refusal(gpus(3.0)), words);
    assert_eq!(refusal(Resources::cpus(1).with_gpus([2])), words);
}

#[test]
fn names_of_gpus_and_of_their_parts_are_handed_on() {
    let names = "MIG-GPU-8932f937-d72c-4106-c12f-20bd9faed9f6/1/2,GPU-8932f937";
    inheriting(&[("HIP_VISIBLE_DEVICES", names), ("CUDA_VISIBLE_DEVICES", names)], "gpus::under_names");
}

#[test]
#[ignore = "run by the one above, in a process of its own"]
fn under_names() {
    let mut told: Vec<String> =
        seen(gpus(2.0), 1.0).into_iter().map(|[cuda, hip, ..]| format!("{cuda} {hip}")).collect();
    told.sort();
    let (part, whole) = ("MIG-GPU-8932f937-d72c-4106-c12f-20bd9faed9f6/1/2", "GPU-8932f937");
    assert_eq!(told, [format!("{whole} {whole}"), format!("{part} {part}")]);
}

#[test]
fn what_rocm_hides_is_counted_by_hip() {
    inheriting(&[("ROCR_VISIBLE_DEVICES", "4,5")], "gpus::under_rocm");
}

#[test]
#[ignore = "run by the one above, in a process of its own"]
fn under_rocm() {
    let mut told: Vec<[String; 2]> = seen(gpus(2.0), 1.0).into_iter().map(|[_, hip, rocr, _]| [hip, rocr]).collect();
    told.sort();
    assert_eq!(told, [["0", "4"], ["0", "5"]].map(|pair| pair.map(str::to_owned)));
}
