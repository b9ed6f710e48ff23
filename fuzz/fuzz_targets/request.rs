//! Any bytes as a request to a run: `cargo +nightly fuzz run request`. The same check runs, within bounds, in `tests/any_text`.
#![no_main]

#[path = "../../tests/any_text/check.rs"]
#[allow(dead_code)]
mod check;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| check::request(bytes));
