//! Worker processes keep the contract that every backend keeps.

use std::sync::Arc;

use tryout::edge::store::MemoryStore;
use tryout::prelude::*;
use tryout::testing::conformance::{self, BackendCase};

use crate::program::{acts, rust};

#[test]
fn worker_processes_conform() {
    conformance::backend(|| BackendCase {
        backend: Box::new(rust()),
        store: Arc::new(MemoryStore::new()),
        good: acts("").with("steps", 1000),
        bad: Some((acts("fail setup"), "set-up")),
        panics: Some(acts("panic first").with("steps", 1000)),
    });
}

/// A program without checkpoints, whose trials begin again.
#[test]
fn commands_conform() {
    let script = r#"[ {ok} = yes ] || {{ echo "ok must be yes"; exit 1; }}; i=0; while :; do i=$((i+1)); echo "{{\"loss\": $i}}"; done"#;
    conformance::backend(|| BackendCase {
        backend: Box::new(command("sh").args(["-c", script])),
        store: Arc::new(MemoryStore::new()),
        good: Config::new().with("ok", "yes"),
        bad: Some((Config::new().with("fine", "yes"), "{ok}")),
        panics: None,
    });
}
