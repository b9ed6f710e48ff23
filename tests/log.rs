//! The log: what was acknowledged is there, what is torn is dropped, what is damaged is an error.

use std::fs;
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use tempfile::TempDir;
use tryout::edge::log::{Damage, DirFiles, Files, Log, LogEnd, LogError, LogLock, LogReader, LogSettings, Notice};

fn files(dir: &Path) -> Arc<dyn Files> {
    Arc::new(DirFiles::new(dir))
}

/// All texts of a log, and whether it was torn.
fn read(dir: &Path, damage: Damage) -> Result<(Vec<String>, bool), LogError> {
    let mut reader = LogReader::open(&*files(dir), damage)?;
    let mut texts = Vec::new();
    while let Some(text) = reader.next_line()? {
        texts.push(text.to_owned());
    }
    Ok((texts, reader.torn().is_some()))
}

fn start(dir: &Path, notices: mpsc::Sender<Notice>) -> (Log<String>, LogEnd<String>) {
    let position = match LogReader::open(&*files(dir), Damage::Refuse) {
        Err(LogError::Missing { .. }) => None,
        opened => {
            let mut reader = opened.unwrap();
            while reader.next_line().unwrap().is_some() {}
            Some(reader.position())
        }
    };
    let encode = |entry: &String, out: &mut Vec<u8>| out.extend_from_slice(format!("{{\"say\":{entry:?}}}").as_bytes());
    let notice = move |notice| drop(notices.send(notice));
    Log::start(files(dir), position, LogSettings::default(), encode, notice).unwrap()
}

fn say(number: usize) -> String {
    format!("{{\"say\":\"{number}\"}}")
}

/// A log of so many lines, synced in the middle.
fn write(dir: &Path, from: usize, to: usize) {
    let (log, end) = start(dir, mpsc::channel().0);
    for number in from..to {
        log.append(number.to_string());
        if number == (from + to) / 2 {
            let (done, wait) = mpsc::channel();
            log.sync(move || done.send(()).unwrap());
            wait.recv().unwrap();
        }
    }
    end.close(Duration::from_secs(60)).unwrap();
}

fn only_file(dir: &Path) -> std::path::PathBuf {
    let mut names = fs::read_dir(dir).unwrap();
    let path = names.next().unwrap().unwrap().path();
    assert!(names.next().is_none());
    path
}

#[test]
fn what_is_appended_is_there_in_order_and_a_person_can_read_it() {
    let dir = TempDir::new().unwrap();
    write(dir.path(), 0, 10);
    write(dir.path(), 10, 20);
    assert_eq!(read(dir.path(), Damage::Refuse).unwrap(), ((0..20).map(say).collect(), false));
    let text = fs::read_to_string(only_file(dir.path())).unwrap();
    for line in text.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(line.as_array().unwrap().len(), 3, "{line}");
    }
}

#[test]
fn a_log_that_was_cut_off_anywhere_is_a_prefix_and_goes_on() {
    let dir = TempDir::new().unwrap();
    write(dir.path(), 0, 8);
    let path = only_file(dir.path());
    let whole = fs::read(&path).unwrap();
    for length in 0..whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        let (texts, _) = read(dir.path(), Damage::Refuse).unwrap();
        assert_eq!(texts, (0..texts.len()).map(say).collect::<Vec<_>>(), "cut at {length}");
        write(dir.path(), texts.len(), texts.len() + 2);
        let (again, torn) = read(dir.path(), Damage::Refuse).unwrap();
        assert_eq!((again, torn), ((0..texts.len() + 2).map(say).collect(), false), "cut at {length}");
    }
}

#[test]
fn a_flipped_bit_anywhere_is_noticed() {
    let dir = TempDir::new().unwrap();
    write(dir.path(), 0, 8);
    write(dir.path(), 8, 10);
    let path = only_file(dir.path());
    let whole = fs::read(&path).unwrap();
    let mut damaged = 0;
    for place in 0..whole.len() {
        for bit in 0..8 {
            let mut bytes = whole.clone();
            bytes[place] ^= 1 << bit;
            fs::write(&path, &bytes).unwrap();
            match read(dir.path(), Damage::Refuse) {
                // Behind the last mark of what is durable it counts as a torn tail.
                Ok((texts, torn)) => {
                    assert!(torn, "bit {bit} of byte {place}");
                    assert_eq!(texts, (0..texts.len()).map(say).collect::<Vec<_>>());
                    assert!(
                        texts.len() >= 8,
                        "bit {bit} of byte {place} lost what was durable: {texts:?} {}",
                        String::from_utf8_lossy(&whole)
                    );
                }
                Err(LogError::Damaged { offset, seq, .. }) => {
                    assert!(offset as usize <= place, "bit {bit} of byte {place}: {offset}");
                    let (texts, _) = read(dir.path(), Damage::UseWhatPrecedes).unwrap();
                    assert_eq!(texts.len() as u64, seq - 1);
                    damaged += 1;
                }
                Err(other) => panic!("bit {bit} of byte {place}: {other}"),
            }
        }
    }
    assert!(damaged > 1_000, "{damaged}");
}

#[test]
fn damage_names_its_place() {
    let dir = TempDir::new().unwrap();
    write(dir.path(), 0, 8);
    write(dir.path(), 8, 10);
    let path = only_file(dir.path());
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("\"say\":\"2\"", "\"say\":\"5\"")).unwrap();
    let message = read(dir.path(), Damage::Refuse).unwrap_err().to_string();
    assert!(message.contains("is damaged at byte") && message.contains("line 3"), "{message}");
    assert!(message.contains("checksum") && message.contains("UseWhatPrecedes"), "{message}");
}

/// The same lines, each twice as short.
fn halve(log: &Log<String>) {
    log.rotate(
        None,
        Box::new(|lines, out| {
            while let Some(text) = lines.next_line().map_err(|error| error.to_string())? {
                out(text.as_bytes());
            }
            Ok(())
        }),
    );
}

#[test]
fn a_snapshot_takes_the_place_of_older_files_and_the_log_goes_on() {
    let dir = TempDir::new().unwrap();
    let (notices, heard) = mpsc::channel();
    let (log, end) = start(dir.path(), notices);
    (0..5).for_each(|number| log.append(number.to_string()));
    halve(&log);
    (5..9).for_each(|number| log.append(number.to_string()));
    assert!(matches!(heard.recv().unwrap(), Notice::Compacted { .. }));
    halve(&log);
    log.append("9".to_owned());
    assert!(matches!(heard.recv().unwrap(), Notice::Compacted { .. }));
    end.close(Duration::from_secs(60)).unwrap();
    let mut names: Vec<String> =
        fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["journal-000000000010.jsonl", "snapshot-000000000009.jsonl"]);
    assert_eq!(read(dir.path(), Damage::Refuse).unwrap(), ((0..10).map(say).collect(), false));
    write(dir.path(), 10, 12);
    assert_eq!(read(dir.path(), Damage::Refuse).unwrap().0.len(), 12);
}

#[test]
fn a_missing_file_is_told_by_the_lines_it_held() {
    let dir = TempDir::new().unwrap();
    let (log, end) = start(dir.path(), mpsc::channel().0);
    log.append("0".to_owned());
    log.rotate(None, Box::new(|_, _| Err("not this time".to_owned())));
    log.append("1".to_owned());
    end.close(Duration::from_secs(60)).unwrap();
    assert_eq!(read(dir.path(), Damage::Refuse).unwrap().0.len(), 2);
    fs::remove_file(dir.path().join("journal-000000000001.jsonl")).unwrap();
    let message = read(dir.path(), Damage::Refuse).unwrap_err().to_string();
    assert!(message.contains("lines 1 to 1 are missing"), "{message}");
}

#[test]
fn a_later_format_is_refused_by_name() {
    let dir = TempDir::new().unwrap();
    let body = "0,{\"segment\":{\"format\":7,\"first\":1}}";
    let line = format!("[\"{:08x}\",{body}]\n", crc32fast::hash(body.as_bytes()));
    fs::write(dir.path().join("journal-000000000001.jsonl"), line).unwrap();
    let message = read(dir.path(), Damage::Refuse).unwrap_err().to_string();
    assert!(message.contains("format 7") && message.contains("up to 1"), "{message}");
}

#[test]
fn two_writers_are_kept_apart() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("experiment.lock");
    let first = LogLock::take(&path).unwrap();
    let message = LogLock::take(&path).unwrap_err().to_string();
    assert!(message.contains(&format!("process {}", std::process::id())), "{message}");
    drop(first);
    LogLock::take(&path).unwrap();
}
