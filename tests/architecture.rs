//! The layers of ARCHITECTURE.md, held against the `use` lines; and the house's limits on files.

use std::fs;
use std::path::{Path, PathBuf};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Which layers each layer may use.
const LAYERS: [(&str, &[&str]); 5] = [
    ("logic", &["logic"]),
    ("ports", &["logic", "ports"]),
    ("actors", &["logic", "ports", "actors"]),
    ("edge", &["logic", "ports", "edge"]),
    ("testing", &["logic", "ports", "testing"]),
];

/// What pure code must not name: the world.
const WORLD: [&str; 11] = [
    "std::thread",
    "std::fs",
    "std::env",
    "std::io",
    "std::net",
    "std::time::Instant",
    "SystemTime",
    "tokio::",
    "actix",
    "futures::",
    "log::",
];

fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![Path::new(ROOT).join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("the folder is there") {
            let path = entry.expect("it can be listed").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                let text = fs::read_to_string(&path).expect("it is text");
                found.push((path, text));
            }
        }
    }
    assert!(!found.is_empty());
    found
}

/// The lines that are code: neither comments nor documentation.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim_start).filter(|line| !line.starts_with("//"))
}

#[test]
fn layers_use_only_what_they_may() {
    for (layer, may) in LAYERS {
        for (path, text) in sources(&format!("src/{layer}")) {
            for line in code(&text) {
                for used in line.split("crate::").skip(1) {
                    let used = used.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or("");
                    assert!(may.contains(&used), "{}: `{line}` uses {used}, which {layer} may not", path.display());
                }
            }
        }
    }
}

#[test]
fn only_the_actors_name_actix() {
    for (path, text) in sources("src") {
        let file = path.strip_prefix(ROOT).expect("below the root").to_string_lossy().replace('\\', "/");
        let allowed = file.starts_with("src/actors/")
            // The controller's address is what an application holds, and what a closed mailbox means is told to it.
            || ["src/experiment/handle.rs", "src/error.rs"].contains(&file.as_str());
        for line in code(&text).filter(|line| line.contains("actix::")) {
            assert!(allowed, "{file}: `{line}` names actix");
        }
        let arbiters = file.starts_with("src/actors/")
            // The engine's own system, and the arbiters of async trials.
            || ["src/experiment/start.rs", "src/edge/backend/arbiter.rs"].contains(&file.as_str());
        for line in code(&text).filter(|line| line.contains("actix_rt")) {
            assert!(arbiters, "{file}: `{line}` names actix_rt");
        }
    }
}

#[test]
fn what_decides_does_not_touch_the_world() {
    for (path, text) in sources("src/logic") {
        for line in code(&text) {
            let named = WORLD.iter().find(|world| line.contains(*world));
            assert!(named.is_none(), "{}: `{line}` names {named:?}", path.display());
        }
    }
}

#[test]
fn files_are_short_and_open_with_a_sentence() {
    let files = sources("src");
    let lines = |text: &str| text.lines().count();
    for (path, text) in &files {
        assert!(text.starts_with("//!"), "{} doesn't say what it is", path.display());
        assert!(lines(text) <= 400, "{} has {} lines", path.display(), lines(text));
    }
    let short = files.iter().filter(|(_, text)| lines(text) <= 300).count();
    assert!(short * 10 >= files.len() * 9, "only {short} of {} files are under 300 lines", files.len());
}

#[test]
fn every_dependency_has_its_line_in_the_architecture() {
    let manifest = fs::read_to_string(Path::new(ROOT).join("Cargo.toml")).expect("it is there");
    let architecture = fs::read_to_string(Path::new(ROOT).join("ARCHITECTURE.md")).expect("it is there");
    let mut inside = false;
    for line in manifest.lines() {
        if line.starts_with('[') {
            inside = line == "[dependencies]" || line == "[dev-dependencies]";
        } else if let Some((name, _)) = line.split_once('=').filter(|_| inside && !line.starts_with('#')) {
            let name = name.trim();
            assert!(name == "tryout" || architecture.contains(&format!("`{name}`")), "{name} has no line");
        }
    }
}
