//! Experiment files and requests with anything in them: no panic, and words for what can't be read.

mod check;

use proptest::prelude::*;
use proptest::sample::{Index, select};

const FILES: &[&str] = &[
    include_str!("../../fuzz/corpus/file/all"),
    include_str!("../../fuzz/corpus/file/short"),
    include_str!("../../fuzz/corpus/file/json"),
];

const REQUESTS: &[&str] = &[
    "\"hello\"",
    r#"{"trial":"3fa01_00007"}"#,
    r#"{"trials":{"from":0,"most":100}}"#,
    r#"{"pool":{"trial":null}}"#,
    r#"{"order":{"prioritise":["3fa01_00007",-3]}}"#,
    r#"{"order":{"resources":{"cpu":8,"gpu":[0,1]}}}"#,
    r#"{"order":{"request":["3fa01_00007",[{"cpu":1},{"gpu":0.5}]]}}"#,
    r#"{"order":{"add":{"lr":0.1,"net":{"depth":3}}}}"#,
    r#"{"order":{"set_space":{"changes":{"lr":{"log_uniform":[1e-4,1e-2]}},"by":"ann"}}}"#,
    r#"{"as":{"by":"ann","request":{"order":{"set":{"setting":{"stop":[{"iterations":{"limit":3}}]}}}}}}"#,
    r#"{"ask":{"lease_s":60,"wait_s":1}}"#,
    r#"{"tell":{"lease":3,"metrics":{"loss":0.1},"end":{"failed":"why"}}}"#,
    r#"{"order":{"set":{"setting":{"time_limit":{"after":"8h","then":"kill"}}}}}"#,
    r#"{"add_from":{"config":{},"checkpoint":{"trial":"3fa01_00007","index":2},"run":"runs/a"}}"#,
    r#"{"drain":{"within_s":30}}"#,
];

/// What breaks readers of texts: signs that mean something, numbers at the ends, depth.
const PIECES: &str = "\" [ ] { } = . , \n \\ \u{0} \u{202e} 1e999 -1 NaN nan inf null 18446744073709551616 0.1 {lr} {} '' \
    [[[[[[[[[[[[[[[[ choice log_uniform grid int 1970-01-01";

#[derive(Clone, Debug)]
enum Edit {
    Remove(Index, usize),
    Insert(Index, &'static str),
    Copy(Index, Index, usize),
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        (any::<Index>(), 1_usize..12).prop_map(|(at, most)| Edit::Remove(at, most)),
        (any::<Index>(), select(PIECES.split(' ').collect::<Vec<_>>())).prop_map(|(at, piece)| Edit::Insert(at, piece)),
        (any::<Index>(), any::<Index>(), 1_usize..40).prop_map(|(from, to, most)| Edit::Copy(from, to, most)),
    ]
}

fn edited(text: &str, edits: &[Edit]) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for edit in edits {
        let at = |index: &Index| index.index(chars.len() + 1);
        match edit {
            Edit::Remove(from, most) => {
                let from = at(from);
                let to = (from + most).min(chars.len());
                chars.drain(from..to);
            }
            Edit::Insert(to, piece) => {
                let to = at(to);
                chars.splice(to..to, piece.chars());
            }
            Edit::Copy(from, to, most) => {
                let (from, to) = (at(from), at(to));
                let piece: Vec<char> = chars.iter().skip(from).take(*most).copied().collect();
                chars.splice(to..to, piece);
            }
        }
    }
    chars.into_iter().collect()
}

#[test]
fn what_the_corpus_has_is_read() {
    for text in FILES {
        let name = if text.starts_with('{') { "a.json" } else { "a.toml" };
        tryout::ExperimentFile::parse(name.as_ref(), text, &[]).unwrap();
    }
    for text in REQUESTS {
        serde_json::from_str::<tryout::api::Request>(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    }
}

proptest! {
    #[test]
    fn an_edited_file_is_read_or_refused(text in select(FILES), edits in prop::collection::vec(edit(), 1..6)) {
        check::file(&edited(text, &edits));
    }

    #[test]
    fn an_edited_request_is_read_or_refused(text in select(REQUESTS), edits in prop::collection::vec(edit(), 0..5)) {
        check::request(edited(text, &edits).as_bytes());
    }

    #[test]
    fn any_text_is_read_or_refused(text in ".{0,80}") {
        check::file(&text);
        check::request(text.as_bytes());
    }
}
