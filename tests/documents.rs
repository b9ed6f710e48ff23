//! The documents, held against the code: snippets that run, paths that exist, names that are still there.

use std::fs;
use std::path::Path;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

const DOCUMENTS: [&str; 26] = [
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "docs/build.md",
    "docs/cloud.md",
    "docs/command-line.md",
    "docs/durability.md",
    "docs/failures.md",
    "docs/fairness.md",
    "docs/from-ray.md",
    "docs/http.md",
    "docs/journal.md",
    "docs/launchers.md",
    "docs/page.md",
    "docs/pictures.md",
    "docs/population.md",
    "docs/processes.md",
    "docs/ray.md",
    "docs/results.md",
    "docs/slurm.md",
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
    assert!(example.lines().count() <= 21, "hello is to be short");
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
fn the_architecture_is_a_map_with_a_short_tour() {
    let map = read("ARCHITECTURE.md");
    assert!(map.lines().count() <= 300, "a long argument belongs to a page in docs");
    let tour =
        map.split("## A reading tour").nth(1).and_then(|rest| rest.split("\n## ").next()).expect("it has a tour");
    let files: Vec<&str> = tour.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    let lines: usize = files.iter().map(|file| read(file).lines().count()).sum();
    assert_eq!(files.len(), 6);
    assert!(lines < 1_200, "the tour has {lines} lines: {}", files.join(", "));
}

#[test]
fn commands_name_examples_that_exist() {
    for document in DOCUMENTS {
        for after in read(document).split("--example ").skip(1) {
            let name = after.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or("");
            let folder = Path::new(ROOT).join("examples");
            // A file, a folder of the root's package, or a package of its own.
            let files = [format!("{name}.rs"), format!("{name}/main.rs"), format!("{name}/{name}.rs")];
            assert!(
                name == "NAME" || files.iter().any(|file| folder.join(file).exists()),
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

/// The part of a text from behind the line `heading` to the next heading of its level or above; empty if there is none.
fn section<'a>(text: &'a str, heading: &str) -> &'a str {
    let level = heading.chars().take_while(|c| *c == '#').count();
    let Some(from) = text.find(&format!("\n{heading}\n")).map(|at| at + heading.len() + 2) else { return "" };
    let rest = &text[from..];
    let ends = (1..=level).filter_map(|level| rest.find(&format!("\n{} ", "#".repeat(level)))).min();
    &rest[..ends.unwrap_or(rest.len())]
}

/// Each of Ray Tune's names has an answer: ours, or why there is none. And the page answers no name that isn't one.
#[test]
fn every_name_of_ray_tune_is_answered() {
    let (page, list) = (read("docs/from-ray.md"), read("tests/reference/ray_names.txt"));
    let every = section(&page, "## Every name");
    let mut wrong = Vec::new();
    for line in list.lines().filter(|line| !line.starts_with('#')) {
        let (group, names) = line.split_once(": ").expect("a group, and its names");
        let asked: std::collections::BTreeSet<&str> = names.split(' ').collect();
        let mut answered = std::collections::BTreeSet::new();
        let rows = section(every, &format!("### {group}")).lines().filter(|line| line.starts_with("| `"));
        for row in rows {
            let cells: Vec<&str> =
                row.trim_matches('|').split(" | ").map(|cell| cell.trim_matches(['|', ' '])).collect();
            let [theirs, ours, rest @ ..] = cells.as_slice() else { panic!("a row of three cells: {row}") };
            if ours.is_empty() || *ours == "none" && rest.iter().all(|why| why.is_empty()) {
                wrong.push(format!("{group}: no answer and no reason in {row}"));
            }
            answered.extend(theirs.split('`').skip(1).step_by(2));
        }
        wrong.extend(asked.difference(&answered).map(|name| format!("{group}: `{name}` isn't in the page")));
        wrong.extend(answered.difference(&asked).map(|name| format!("{group}: `{name}` isn't in the list")));
    }
    assert!(wrong.is_empty(), "docs/from-ray.md:\n  {}", wrong.join("\n  "));
}

/// A record's target is its module: the page names each, or the folder that it is in.
#[test]
fn every_log_target_is_documented() {
    let page = read("docs/logging.md");
    let mut open = vec![Path::new(ROOT).join("src")];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).expect("the folder is there") {
            let path = entry.expect("it can be listed").path();
            if path.is_dir() {
                open.push(path);
                continue;
            }
            let text = fs::read_to_string(&path).expect("it is text");
            let code = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
            let logs = ["error", "warn", "info", "debug", "trace"]
                .iter()
                .any(|level| code.contains(&format!("log::{level}!(")));
            if !logs {
                continue;
            }
            let module = path.strip_prefix(Path::new(ROOT).join("src")).expect("it is below").with_extension("");
            let module = format!("tryout::{}", module.to_string_lossy().replace('/', "::"));
            let module = module.trim_end_matches("::mod");
            let named = |target: &str| page.contains(&format!("| `{target}` |"));
            let folders = module.match_indices("::").map(|(at, _)| &module[..at]).filter(|folder| *folder != "tryout");
            assert!(named(module) || folders.into_iter().any(named), "docs/logging.md doesn't name {module}");
        }
    }
}

/// Every example can be listened to, but the README's.
#[test]
fn every_example_has_a_logger() {
    for entry in fs::read_dir(Path::new(ROOT).join("examples")).expect("the folder is there") {
        let path = entry.expect("it can be listed").path();
        let name = path.file_stem().expect("it has a name").to_string_lossy().into_owned();
        // Experiment files, what they run, and scripts aren't programs in Rust.
        let file = path.extension().is_some_and(|end| end == "toml" || end == "py") || name == "any_program";
        if file || ["README", "hello"].contains(&name.as_str()) {
            continue;
        }
        let mut text = String::new();
        if path.is_dir() {
            source(&path, &mut text)
        } else {
            text = fs::read_to_string(&path).expect("it is text")
        }
        assert!(text.contains("env_logger::"), "{name} has no logger");
    }
}
