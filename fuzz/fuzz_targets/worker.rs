//! Any bytes as a worker's words: `cargo +nightly fuzz run worker`. The same check runs, within bounds, in `tests/wire_props`.
#![no_main]

#[path = "../../tests/wire_props/check.rs"]
mod check;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| check::input(bytes));
