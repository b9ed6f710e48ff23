//! What has to hold of whatever stands in an experiment file, and of whatever is asked of a run. The fuzzers run it too.

use std::path::Path;

use tryout::ExperimentFile;
use tryout::api::Request;

/// An error's words stay readable, whatever was written.
const LONGEST_ERROR: usize = 4_000;

/// A text as an experiment file: it is read, or refused with words that say where; what was read can be looked at, and says of
/// itself what can be read again.
pub(crate) fn file(text: &str) {
    for name in ["a.toml", "a.json"] {
        match ExperimentFile::parse(Path::new(name), text, &[]) {
            Ok(file) => look_at(&file),
            Err(error) => {
                let words = error.to_string();
                assert!(words.starts_with(name), "it names its file: {words}");
                assert!(words.len() < LONGEST_ERROR + text.len(), "{} bytes of words", words.len());
            }
        }
    }
}

fn look_at(file: &ExperimentFile) {
    assert!(!file.program().is_empty(), "without a program it is refused");
    let said = serde_json::to_value(file.settings()).expect("settings are data");
    let again: tryout::settings::Settings = serde_json::from_value(said.clone()).expect("what they say can be read");
    assert_eq!(serde_json::to_value(&again).expect("settings are data"), said);
    if let Ok(preview) = file.clone().experiment().preview(2) {
        for trial in preview.first {
            // A place without a value is an error in words.
            let _ = file.line(&trial.config);
        }
    }
}

/// Bytes as a request: they are read, or refused with words; what was read is written so that it reads the same.
pub(crate) fn request(bytes: &[u8]) {
    match serde_json::from_slice::<Request>(bytes) {
        Ok(request) => {
            let written = serde_json::to_vec(&request).expect("a request can be written");
            let again: Request = serde_json::from_slice(&written).expect("what was written can be read");
            assert_eq!(again, request, "{}", String::from_utf8_lossy(&written));
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
