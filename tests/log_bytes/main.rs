//! Real logs with 20,000 changes: what the fuzzer looks for, within bounds.

mod check;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use check::{Memory, any, mend, read, split};
use tryout::edge::log::{Core, Damage, Files, take_snapshot};

type Map = BTreeMap<String, Vec<u8>>;

/// Chance, from a seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        ((self.0 >> 33) as usize) % end.max(1)
    }
}

/// A snapshot, a closed segment and an open one, with marks; the last lines have none yet.
fn real() -> Map {
    let memory = Memory::default();
    let files: Arc<dyn Files> = Arc::new(memory.clone());
    let mut core = Core::open(files.clone(), None).unwrap();
    let mut number = 0;
    let mut some = |core: &mut Core, lines: u32| {
        for _ in 0..lines {
            core.push(format!("{{\"n\":{number},\"says\":[\"é\",\"]\"]}}").as_bytes());
            number += 1;
        }
        core.write().unwrap();
        core.sync().unwrap();
    };
    some(&mut core, 5);
    let through = core.rotate().unwrap().unwrap();
    let keep_odd = |lines: &mut tryout::edge::log::Lines<'_>, out: &mut dyn FnMut(&[u8])| {
        let mut number = 0;
        while let Some(line) = lines.next_line().map_err(|error| error.to_string())? {
            number += 1;
            if number % 2 == 1 {
                out(line.as_bytes());
            }
        }
        Ok(())
    };
    some(&mut core, 2);
    take_snapshot(&files, through, Box::new(keep_odd)).unwrap();
    some(&mut core, 3);
    core.rotate().unwrap().unwrap();
    (0..3).for_each(|_| some(&mut core, 2));
    core.push(b"\"last\"");
    core.write().unwrap();
    let files = memory.files().clone();
    assert_eq!(files.len(), 3);
    files
}

/// Changes something, anywhere.
fn change(files: &mut Map, dice: &mut Dice) {
    let names: Vec<String> = files.keys().cloned().collect();
    let (name, other) = (&names[dice.below(names.len())], &names[dice.below(names.len())]);
    let from = files[other].clone();
    let Some(bytes) = files.get_mut(name) else { return };
    let longest = [4, 200][dice.below(2)];
    let (at, length) = (dice.below(bytes.len() + 1), dice.below(longest));
    let end = (at + length).min(bytes.len());
    let lines: Vec<&[u8]> = from.split_inclusive(|byte| *byte == b'\n').collect();
    match dice.below(10) {
        0 | 1 if at < bytes.len() => bytes[at] ^= 1 << dice.below(8),
        2 if at < bytes.len() => bytes[at] = b"0123456789\n,[]\"{}\0"[dice.below(18)],
        3 => bytes.truncate(at),
        4 => bytes[at..end].fill(0),
        5 => drop(bytes.drain(at..end)),
        6 => drop(bytes.splice(at..at, from[..length.min(from.len())].to_vec())),
        7 if !lines.is_empty() => {
            // Behind the end of a line.
            let at = bytes[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            bytes.splice(at..at, lines[dice.below(lines.len())].to_vec());
        }
        8 if names.len() > 1 => drop(files.remove(name)),
        9 => drop(files.insert(name.clone(), from)),
        _ => {}
    }
}

#[test]
fn twenty_thousand_changes_of_a_real_log_are_noticed_or_harmless() {
    let real = real();
    let (whole, _, torn) = read(&Memory::of(real.clone()), Damage::Refuse).unwrap();
    assert_eq!((whole.len(), torn), (3 + 5 + 7, None));
    let (mut refused, mut cut, mut intact) = (0, 0, 0);
    for seed in 0..20_000 {
        let (mut files, mut dice) = (real.clone(), Dice(seed));
        (0..1 + dice.below(3)).for_each(|_| change(&mut files, &mut dice));
        any(&files);
        let mended = mend(&files);
        if mended != files {
            any(&mended);
        }
        match read(&Memory::of(files.clone()), Damage::Refuse) {
            // Nothing is read that wasn't written, where it was written.
            Ok((lines, ..)) if files.values().any(|bytes| !bytes.is_empty()) => {
                assert!(whole.starts_with(&lines), "seed {seed}: {lines:?}");
                *(if lines == whole { &mut intact } else { &mut cut }) += 1;
            }
            Ok(_) => cut += 1,
            Err(_) => refused += 1,
        }
    }
    // Each of them happens often.
    assert!(refused > 5_000 && cut > 500 && intact > 500, "{refused} refused, {cut} cut, {intact} intact");
}

#[test]
fn the_corpus_holds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/log");
    let mut seen = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let files = split(&fs::read(entry.unwrap().path()).unwrap());
        any(&files);
        any(&mend(&files));
        seen += 1;
    }
    assert!(seen >= 3, "{seen}");
}

#[test]
fn bytes_that_are_no_log_are_none() {
    for bytes in [
        &b""[..],
        b"\n",
        b"[",
        b"[\"",
        b"\0\0\0\0",
        b"[\"00000000\",0,\"\"]\n",
        b"=== \n",
        b"=== snapshot-000000000000.jsonl\n\n",
    ] {
        any(&split(bytes));
        any(&mend(&split(bytes)));
    }
}
