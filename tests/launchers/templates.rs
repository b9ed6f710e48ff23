//! The templates of docs/launchers.md, held against the code.

#![cfg(feature = "cli")]

use std::fs;

use tryout::extend::RunId;
use tryout::launch::{LaunchJob, launcher};
use tryout::prelude::Resources;

use super::rig::job;

#[test]
fn the_templates_of_the_page_are_templates() {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/launchers.md")).expect("it is there");
    let dir = tempfile::tempdir().expect("there is a place");
    let file = dir.path().join("queue.toml");
    let line = format!("'{}'", file.display());
    let of = Resources::cpus(2).with("gpu", 1.0).with("memory", 8e9);
    let job = job(RunId::new(1), 4, of, &["tryout", "worker", "--join", "/a b/join"]);
    let job = LaunchJob { directory: Some("/runs/a b".into()), ..job };
    let mut seen = Vec::new();
    for template in page.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()) {
        fs::write(&file, template).expect("there is room");
        let launcher = launcher(&line).unwrap_or_else(|error| panic!("{error}:\n{template}"));
        let dry = launcher.dry_run(&job);
        assert!(dry.contains("tryout-00001-4") && dry.contains("/a b/join"), "{dry}");
        assert!(!dry.contains("{name}") && !dry.contains("{script}"), "{dry}");
        seen.push(launcher.name().to_owned());
    }
    assert_eq!(seen, ["PBS", "LSF", "docker", "Kubernetes"]);
}
