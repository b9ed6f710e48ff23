//! Any text as an experiment file: `cargo +nightly fuzz run file`. The same check runs, within bounds, in `tests/any_text`.
#![no_main]

#[path = "../../tests/any_text/check.rs"]
#[allow(dead_code)]
mod check;

libfuzzer_sys::fuzz_target!(|text: &str| check::file(text));
