//! Anything as the words of a worker: what the fuzzer looks for, within bounds.

mod check;

use std::fs;
use std::path::Path;

use check::{MOST, input, talks};
use proptest::prelude::*;
use tryout::logic::failure::error_chain;
use tryout::logic::wire::{FromWorker, decode};

/// A whole conversation, as a good worker has it; lines with `!` are the engine's moves.
const GOOD: [&str; 18] = [
    r#"{"lease":0,"fact":{"hello":{"protocol":1,"name":"x","pid":7,"abilities":["save","reset","log","fly"]}}}"#,
    "!trial",
    "!credit",
    r#"{"lease":1,"fact":{"ready":{}}}"#,
    r#"{"lease":1,"fact":{"heartbeat":{"steps":3}}}"#,
    r#"{"lease":1,"fact":{"log":{"level":"info","message":"mé","dropped":2}}}"#,
    r#"{"lease":1,"fact":{"results":{"list":[{"metrics":{"loss":0.5,"on":true,"n":"NaN"},"seconds":1.5,"at":3}]}}}"#,
    r#"{"lease":1,"fact":{"saved":{"kept":true}}}"#,
    r#"{"lease":1,"fact":{"exported":{}}}"#,
    r#"{"lease":1,"fact":{"restored":{}}}"#,
    r#"{"lease":1,"fact":{"results":{"list":[{"metrics":{},"seconds":0,"at":0}],"end":"save","checkpoint":"/x/y"}}}"#,
    "!leave",
    r#"{"lease":1,"fact":{"results":{"list":[],"end":"done"}}}"#,
    r#"{"lease":1,"fact":{"drained":{}}}"#,
    "!trial",
    r#"{"lease":2,"fact":{"ready":{}}}"#,
    r#"{"lease":2,"fact":{"failed":{"kind":"error","message":"m","place":"p:1","trace":"t"}}}"#,
    r#"{"lease":2,"order":{"start":{"trial":{"id":"00000_00000","number":0,"experiment":"e","attempt":1,"seed":2},"config":{}}}}"#,
];

/// What may stand in the place of a value.
fn odd_value() -> impl Strategy<Value = String> {
    let deep = (1_usize..300).prop_map(|depth| format!("{}1{}", "[".repeat(depth), "]".repeat(depth)));
    let deep_maps = (1_usize..300).prop_map(|depth| format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth)));
    let digits = (1_usize..400).prop_map(|length| "9".repeat(length));
    let known = prop::sample::select(vec![
        "1e999",
        "-1e999",
        "1e-999",
        "-0",
        "-1",
        "1.5",
        "18446744073709551615",
        "18446744073709551616",
        "4294967296",
        "null",
        "true",
        "[]",
        "{}",
        "\"\"",
        "\"NaN\"",
        "NaN",
        "\"\\ud800\"",
        "\"\\u0000\"",
        "{\"a\":1,\"a\":2}",
    ]);
    let long = (0_usize..3000).prop_map(|length| format!("\"{}\"", "ä".repeat(length)));
    prop_oneof![4 => known.prop_map(str::to_owned), 1 => deep, 1 => deep_maps, 1 => digits, 1 => long, 1 => ".{0,40}"]
}

/// A line of the good conversation with one thing changed.
fn changed() -> impl Strategy<Value = Vec<u8>> {
    let line = prop::sample::select(GOOD.to_vec());
    (line, any::<prop::sample::Index>(), odd_value(), 0..6_u8, any::<u8>()).prop_map(|(line, at, odd, how, byte)| {
        let mut bytes = line.as_bytes().to_vec();
        let at = at.index(bytes.len());
        match how {
            0 => bytes[at] = byte,
            1 => bytes.truncate(at),
            2 => bytes.insert(at, byte),
            3 => drop(bytes.splice(at..at, odd.into_bytes())),
            // Behind the next colon, in the place of the value that stands there.
            4 => {
                let colon = bytes[at..].iter().position(|byte| *byte == b':').map_or(at, |found| at + found + 1);
                let end = bytes[colon..].iter().position(|byte| b",}]".contains(byte)).map_or(colon, |end| colon + end);
                bytes.splice(colon..end, odd.into_bytes());
            }
            _ => {}
        }
        bytes
    })
}

fn conversation() -> impl Strategy<Value = Vec<u8>> {
    let good = (0..GOOD.len()).prop_map(|length| GOOD[..length].iter().map(|line| line.as_bytes().to_vec()).collect());
    let line = prop_oneof![
        2 => changed(),
        2 => prop::sample::select(GOOD.to_vec()).prop_map(|line| line.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..60),
    ];
    let rest: BoxedStrategy<Vec<Vec<u8>>> = prop::collection::vec(line, 0..12).boxed();
    (good, rest, any::<bool>()).prop_map(|(good, rest, ended): (Vec<Vec<u8>>, _, _)| {
        let mut bytes = [good, rest].concat().join(&b'\n');
        bytes.extend(ended.then_some(b'\n'));
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(512), ..ProptestConfig::default() })]

    #[test]
    fn a_worker_may_say_anything(bytes in conversation(), piece in 1..5000_usize) {
        talks(&bytes, piece);
    }

    #[test]
    fn bytes_that_mean_nothing_are_no_frames(bytes in prop::collection::vec(any::<u8>(), 0..2000), piece in 1..64_usize) {
        talks(&bytes, piece);
    }
}

#[test]
fn the_good_conversation_is_heard_to_its_end() {
    talks(GOOD.join("\n").as_bytes(), 7);
}

#[test]
fn a_frame_that_is_too_deep_or_too_long_is_refused_in_few_words() {
    let deep = format!(r#"{{"lease":1,"fact":{{"ready":{}}}}}"#, "[".repeat(100_000));
    let unknown = format!(r#"{{"lease":1,"fact":{{"{}":{{}}}}}}"#, "x".repeat(1_000_000));
    for line in [deep, unknown] {
        let error = decode::<FromWorker>(line.as_bytes()).expect_err("it is no frame");
        assert!(error_chain(&error).len() < 1000, "{:.100}", error_chain(&error));
    }
    talks(&vec![b'x'; 3 * MOST], MOST);
}

#[test]
fn the_corpus_holds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/worker");
    let mut seen = 0;
    for entry in fs::read_dir(folder).expect("a corpus") {
        let bytes = fs::read(entry.expect("an entry").path()).expect("bytes");
        input(&bytes);
        [1, 7, 4000].into_iter().for_each(|piece| talks(&bytes[1..], piece));
        seen += 1;
    }
    assert!(seen >= 4, "{seen}");
}
