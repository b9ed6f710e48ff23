//! Any bytes as a log: `cargo +nightly fuzz run log`. The same check runs, within bounds, in `tests/log_bytes`.
#![no_main]

#[path = "../../tests/log_bytes/check.rs"]
#[allow(dead_code)]
mod check;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let files = check::split(bytes);
    check::any(&files);
    check::any(&check::mend(&files));
});
