//! The layers of ARCHITECTURE.md, held against the paths that the source names; and the house's limits on files.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Which layers each layer may use. The front door may use all.
const LAYERS: [(&str, &[&str]); 5] = [
    ("logic", &["logic"]),
    ("ports", &["logic", "ports"]),
    ("actors", &["logic", "ports", "actors"]),
    ("edge", &["logic", "ports", "edge"]),
    ("testing", &["logic", "ports", "testing"]),
];

/// The front door: it sees everything and decides nothing.
const FRONT: [&str; 9] = ["bin", "error", "experiment", "extend", "failed", "paths", "prelude", "results", "study"];

/// Who names the actor crates outside `src/actors`, and why.
const ACTIX: [(&str, &str, &str); 4] = [
    ("src/experiment/handle.rs", "actix", "an application holds the controller's address"),
    ("src/error.rs", "actix", "a closed mailbox is told as the end of the run"),
    ("src/experiment/start.rs", "actix_rt", "the engine has a system of its own"),
    ("src/edge/backend/arbiter.rs", "actix_rt", "async trials have arbiters of their own"),
];

/// What pure code must not name: the world.
const WORLD: [&str; 12] = [
    "std::thread",
    "std::fs",
    "std::env",
    "std::io",
    "std::net",
    "std::process",
    "Instant",
    "SystemTime",
    "tokio",
    "actix",
    "futures",
    "log",
];

/// Randomness without a seed, which nothing at all may use.
const SEEDLESS: [&str; 5] = ["thread_rng", "rand::rng", "rand::random", "from_os_rng", "SysRng"];

const LONGEST_FILE: usize = 400;
const LONG_FILE: usize = 300;
const LONGEST_FUNCTION: usize = 60;

/// One source file.
struct Source {
    /// Its path below the root, with `/` between the parts.
    file: String,
    text: String,
}

impl Source {
    /// Its lines of code: neither comments nor documentation.
    fn code(&self) -> String {
        let lines = self.text.lines().filter(|line| !line.trim_start().starts_with("//"));
        lines.map(|line| line.split(" // ").next().unwrap_or(line)).collect::<Vec<_>>().join("\n")
    }

    /// The module it is, from the crate's root.
    fn module(&self) -> Vec<&str> {
        let path = self.file.trim_start_matches("src/").trim_end_matches(".rs");
        let mut parts: Vec<&str> = path.split('/').collect();
        if matches!(parts.last(), Some(&("mod" | "lib"))) {
            parts.pop();
        }
        parts
    }

    fn layer(&self) -> &str {
        self.module().first().copied().unwrap_or("lib")
    }

    /// The modules at the crate's root that it names, by `crate::` or by enough of `super::`.
    fn names(&self) -> BTreeSet<String> {
        let code = self.code();
        let mut names: BTreeSet<String> = code.split("crate::").skip(1).flat_map(heads).collect();
        for (at, _) in code.match_indices("super::") {
            if code[..at].ends_with("super::") {
                continue;
            }
            let path = &code[at..];
            let rest = path.trim_start_matches("super::");
            if (path.len() - rest.len()) / "super::".len() >= self.module().len() {
                names.extend(heads(rest));
            }
        }
        names
    }
}

/// What a path goes on with: one name, or those at the top of a group.
fn heads(path: &str) -> Vec<String> {
    let name = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let Some(group) = path.strip_prefix('{') else { return vec![name(path)] };
    let (mut depth, mut found, mut begins) = (0, Vec::new(), true);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => begins = true,
            c if begins && !c.is_whitespace() => {
                found.push(name(&group[at..]));
                begins = false;
            }
            _ => {}
        }
    }
    found
}

/// Whether `code` names `path`, and not something whose name only contains it.
fn mentions(code: &str, path: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(path).any(|(at, _)| {
        let (before, after) = (&code[..at], &code[at + path.len()..]);
        !(before.ends_with(part) || path.ends_with(part) && after.starts_with(part))
    })
}

/// Whether `code` uses the crate `name`: in a path or a `use`, not as a field or method of that name.
fn uses_crate(code: &str, name: &str) -> bool {
    mentions(code, &format!("{name}::")) || code.contains(&format!("use {name};"))
}

#[test]
fn what_these_tests_look_for_they_find() {
    let source = |file: &str, text: &str| Source { file: file.to_owned(), text: text.to_owned() };
    let names = |file, text| source(file, text).names().into_iter().collect::<Vec<_>>();
    assert_eq!(
        names("src/logic/a.rs", "use crate::edge::b;\n// crate::actors\nlet _ = crate::ports::c();"),
        ["edge", "ports"]
    );
    assert_eq!(names("src/logic/a.rs", "use crate::{\n    edge::{b, c},\n    logic,\n};"), ["edge", "logic"]);
    assert_eq!(names("src/logic/pool/line.rs", "use super::super::super::actors::d;"), ["actors"]);
    assert_eq!(names("src/logic/pool/mod.rs", "use super::super::edge; use super::time;"), ["edge"]);
    assert!(uses_crate("use actix::Addr;", "actix") && !uses_crate("use actix_rt::System;", "actix"));
    assert!(uses_crate("log::warn!(\"x\")", "log") && !uses_crate("let log = catalog::new();", "log"));
    assert!(mentions("use std::time::Instant;", "Instant") && !mentions("let instants = 1;", "Instant"));
    assert!(mentions("std::thread::spawn(f)", "std::thread") && !mentions("std::threads", "std::thread"));
}

fn sources(folder: &str) -> Vec<Source> {
    let mut found = Vec::new();
    let mut folders = vec![Path::new(ROOT).join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("the folder is there") {
            let path = entry.expect("it can be listed").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                let file = path.strip_prefix(ROOT).expect("below the root").to_string_lossy().replace('\\', "/");
                found.push(Source { file, text: fs::read_to_string(&path).expect("it is text") });
            }
        }
    }
    found.sort_by(|a, b| a.file.cmp(&b.file));
    assert!(!found.is_empty());
    found
}

fn read(name: &str) -> String {
    fs::read_to_string(Path::new(ROOT).join(name)).expect("it is there")
}

/// Fails with all that was found, not just the first.
fn none_of(kind: &str, found: Vec<String>) {
    assert!(found.is_empty(), "{kind}:\n  {}", found.join("\n  "));
}

#[test]
fn layers_use_only_what_they_may() {
    let mut found = Vec::new();
    for source in sources("src") {
        let Some((layer, may)) = LAYERS.iter().find(|(layer, _)| *layer == source.layer()) else { continue };
        let known = |name: &str| LAYERS.iter().any(|(layer, _)| *layer == name) || FRONT.contains(&name);
        for name in source.names().iter().filter(|name| known(name) && !may.contains(&name.as_str())) {
            found.push(format!("{} names `{name}`, which {layer} may not", source.file));
        }
    }
    none_of("a layer reaches too far", found);
}

#[test]
fn every_module_has_a_layer() {
    let mut found = Vec::new();
    for source in sources("src") {
        let layer = source.layer();
        if layer != "lib" && !LAYERS.iter().any(|(known, _)| *known == layer) && !FRONT.contains(&layer) {
            found.push(format!("{} is in no layer of this test", source.file));
        }
    }
    none_of("unknown modules", found);
}

#[test]
fn only_the_actors_name_actix() {
    let mut found = Vec::new();
    for source in sources("src") {
        let code = source.code();
        for name in ["actix", "actix_rt"] {
            let excused = ACTIX.iter().any(|(file, what, _)| *file == source.file && *what == name);
            let named = uses_crate(&code, name);
            if named && !excused && source.layer() != "actors" {
                found.push(format!("{} names {name}", source.file));
            }
            if !named && excused {
                found.push(format!("{} doesn't name {name} any more: take its exception away", source.file));
            }
        }
    }
    none_of("actix outside the actors", found);
}

#[test]
fn what_decides_does_not_touch_the_world() {
    let mut found = Vec::new();
    for source in sources("src").iter().filter(|source| source.layer() == "logic") {
        let code = source.code();
        let is_crate = |name: &str| name.chars().all(|c| c.is_ascii_lowercase());
        let named = |name: &&&str| if is_crate(name) { uses_crate(&code, name) } else { mentions(&code, name) };
        found.extend(WORLD.iter().filter(named).map(|world| format!("{} names `{world}`", source.file)));
    }
    none_of("pure code touches the world", found);
}

#[test]
fn nothing_is_random_without_a_seed() {
    let mut found = Vec::new();
    for source in sources("src") {
        let code = source.code();
        found.extend(
            SEEDLESS.iter().filter(|name| mentions(&code, name)).map(|name| format!("{}: {name}", source.file)),
        );
    }
    none_of("randomness without a seed", found);
}

#[test]
fn the_environment_is_not_read() {
    let reads = |code: &str| mentions(code, "env::var") || mentions(code, "env::vars") || mentions(code, "env::var_os");
    // A worker process hears in no other way that it is one, and the GPUs that a process sees are said in no other way. A program looks
    // for others in `PYTHONPATH`.
    let may =
        |file: &str| file.starts_with("src/edge/worker/") || file == "src/edge/gpus.rs" || file.starts_with("src/bin/");
    let found = sources("src").into_iter().filter(|source| reads(&source.code()) && !may(&source.file));
    let found = found.map(|source| source.file).collect();
    none_of("settings are fields of the builder, not environment variables", found);
}

#[test]
fn files_are_short_and_open_with_a_sentence() {
    let files = sources("src");
    let lines = |source: &Source| source.text.lines().count();
    let mut found = Vec::new();
    for source in &files {
        if !source.text.starts_with("//! ") {
            found.push(format!("{} doesn't say what it is", source.file));
        }
        if lines(source) > LONGEST_FILE {
            found.push(format!("{} has {} lines, more than {LONGEST_FILE}", source.file, lines(source)));
        }
    }
    let long: Vec<&str> =
        files.iter().filter(|source| lines(source) > LONG_FILE).map(|source| source.file.as_str()).collect();
    if long.len() * 10 > files.len() {
        found.push(format!("more than one in ten have over {LONG_FILE} lines: {}", long.join(", ")));
    }
    none_of("files", found);
}

#[test]
fn functions_are_short() {
    let mut found = Vec::new();
    for source in sources("src") {
        let lines: Vec<&str> = source.text.lines().collect();
        for (begin, line) in lines.iter().enumerate() {
            let start = line.trim_start();
            let head = start.split(['(', '<']).next().unwrap_or("");
            if start.starts_with("//") || !format!(" {head}").contains(" fn ") || !head.starts_with(is_item) {
                continue;
            }
            // Formatted code: a function ends with the first closing brace at its own indentation, a declaration with its
            // semicolon.
            let indent = &line[..line.len() - start.len()];
            let (close, declared) = (format!("{indent}}}"), format!("{indent})"));
            let ends = |line: &&str| **line == close || (line.starts_with(&declared) && line.ends_with(';'));
            let one_line = line.ends_with([';', '}']);
            let length = if one_line { 1 } else { lines[begin..].iter().take_while(|line| !ends(line)).count() + 1 };
            if length > LONGEST_FUNCTION {
                found.push(format!("{}:{} `{head}` has {length} lines", source.file, begin + 1));
            }
        }
    }
    none_of("functions are too long", found);
}

fn is_item(c: char) -> bool {
    c.is_ascii_lowercase()
}

#[test]
fn every_dependency_has_its_line_in_the_architecture() {
    let manifests = ["Cargo.toml", "benches/machines/Cargo.toml", "examples/embedded/Cargo.toml"].map(read).join("\n");
    let architecture = read("ARCHITECTURE.md");
    let (_, section) = architecture.split_once("## Dependencies").expect("it has that section");
    let section = section.split("\n## ").next().unwrap_or(section);

    let mut dependencies = BTreeSet::new();
    let mut inside = false;
    for line in manifests.lines() {
        if let Some(table) = line.strip_prefix('[') {
            let table = table.trim_end_matches(']');
            inside = table.ends_with("dependencies");
            if let Some((_, name)) = table.split_once("dependencies.") {
                dependencies.insert(name.to_owned());
            }
        } else if let Some((name, _)) = line.split_once('=').filter(|_| inside && !line.starts_with('#')) {
            dependencies.insert(name.trim().to_owned());
        }
    }
    dependencies.remove("tryout");

    let missing = |name: &&String| !section.contains(&format!("`{name}`"));
    none_of("dependencies without a line", dependencies.iter().filter(missing).cloned().collect());

    let rows = section.lines().filter_map(|line| line.strip_prefix("| `")).filter_map(|line| line.split(" | ").next());
    let told = rows.flat_map(|cell| cell.split(['`', ',', ' ', '|']).filter(|name| !name.is_empty()));
    none_of(
        "lines without a dependency",
        told.filter(|name| !dependencies.contains(*name)).map(str::to_owned).collect(),
    );
}
