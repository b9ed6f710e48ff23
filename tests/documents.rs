//! The documents, held against the code: snippets that run, paths that exist, names that are still there.

use std::fs;
use std::path::Path;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

const DOCUMENTS: [&str; 11] = [
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "docs/from-ray.md",
    "docs/journal.md",
    "docs/trial-states.md",
    "docs/worker-protocol.md",
    "python/README.md",
    "examples/README.md",
    "benches/README.md",
];

/// What the first part of a path in the repository can be.
const FOLDERS: [&str; 9] = ["src/", "python/", "fuzz/", "tests/", "examples/", "docs/", "benches/", ".ci/", "LICENSE"];

fn read(name: &str) -> String {
    fs::read_to_string(Path::new(ROOT).join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// What stands between backticks, outside of blocks of code.
fn quoted(text: &str) -> Vec<&str> {
    let blocks = text.split("```").step_by(2);
    blocks.flat_map(|prose| prose.lines().flat_map(|line| line.split('`').skip(1).step_by(2))).collect()
}

/// Where the links of a text lead.
fn links(text: &str) -> Vec<&str> {
    text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next()).collect()
}

#[test]
fn the_readme_s_snippet_is_the_example_hello() {
    let example = read("examples/hello.rs");
    let code: Vec<&str> = example.lines().skip_while(|line| line.starts_with("//") || line.is_empty()).collect();
    let readme = read("README.md");
    let snippet = readme.split("```rust\n").nth(1).and_then(|rest| rest.split("```").next());
    assert_eq!(snippet.map(str::trim_end), Some(code.join("\n").trim_end()));
    assert!(example.lines().count() <= 20, "hello is to be short");
}

#[test]
fn paths_and_links_exist() {
    let mut missing = Vec::new();
    for document in DOCUMENTS {
        let text = read(document);
        let beside = Path::new(document).parent().unwrap_or(Path::new(""));
        let linked = links(&text).into_iter().filter(|link| !link.is_empty() && !link.contains("://"));
        let linked = linked.map(|link| beside.join(link));
        let named = quoted(&text).into_iter().filter(|name| FOLDERS.iter().any(|folder| name.starts_with(folder)));
        let named = named.map(|name| Path::new(name.split(['*', ' ']).next().unwrap_or(name)).to_path_buf());
        for path in linked.chain(named) {
            if !Path::new(ROOT).join(&path).exists() {
                missing.push(format!("{document}: {}", path.display()));
            }
        }
    }
    assert!(missing.is_empty(), "no such file or folder:\n  {}", missing.join("\n  "));
}

#[test]
fn commands_name_examples_that_exist() {
    for document in DOCUMENTS {
        for after in read(document).split("--example ").skip(1) {
            let name = after.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or("");
            let file = Path::new(ROOT).join("examples").join(name);
            assert!(
                name == "NAME" || file.with_extension("rs").exists() || file.join("main.rs").exists(),
                "{document} runs the example `{name}`, which isn't there"
            );
        }
    }
}

#[test]
fn every_example_has_its_line() {
    let list = read("examples/README.md");
    for entry in fs::read_dir(Path::new(ROOT).join("examples")).expect("the folder is there") {
        let path = entry.expect("it can be listed").path();
        let name = path.file_stem().expect("it has a name").to_string_lossy().into_owned();
        assert!(name == "README" || list.contains(&format!("| `{name}` |")), "{name} isn't in examples/README.md");
    }
}

/// All of the source, as one text.
fn source(folder: &Path, into: &mut String) {
    for entry in fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("it can be listed").path();
        if path.is_dir() {
            source(&path, into);
        } else {
            into.push_str(&fs::read_to_string(&path).expect("it is text"));
        }
    }
}

/// Our names in `docs/from-ray.md` are names of the code.
#[test]
fn names_that_ray_s_users_are_sent_to_exist() {
    let mut code = String::new();
    source(&Path::new(ROOT).join("src"), &mut code);
    let words: std::collections::HashSet<&str> = code.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    let document = read("docs/from-ray.md");
    let mut missing = Vec::new();
    for line in document.lines().filter(|line| line.starts_with("| ")) {
        let Some(ours) = line.split(" | ").nth(1) else { continue };
        for quote in ours.split('`').skip(1).step_by(2) {
            let names = quote.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|name| name.len() > 2);
            missing.extend(names.filter(|name| !words.contains(name)).map(|name| format!("`{name}` in {line}")));
        }
    }
    assert!(missing.is_empty(), "no such name:\n  {}", missing.join("\n  "));
}
