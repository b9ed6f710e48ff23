//! docs/journal.md is true: its lines can be read, and it names every record and event that is written.

use tryout::edge::log::parse;
use tryout::logic::ids::RunId;
use tryout::logic::journal::{Entry, Opened, Reader, Record, Writer};
use tryout::logic::settings::Settings;

const PAGE: &str = include_str!("../docs/journal.md");

#[test]
fn the_lines_on_the_page_can_be_read() {
    let mut reader = Reader::default();
    let mut opened = Vec::new();
    Writer::default()
        .write(&Entry::Opened(Opened::new(Settings::new("roots"), RunId::new(851_266), "Root").into()), &mut opened);
    reader.read(std::str::from_utf8(&opened).unwrap()).unwrap();
    let blocks = PAGE.split("```json\n").skip(1).filter_map(|block| block.split("```").next());
    let mut steps = 0;
    for line in blocks.flat_map(str::lines) {
        let line = format!("{line}\n");
        let parsed = parse(line.as_bytes()).unwrap_or_else(|flaw| panic!("{flaw}: {line}"));
        steps += usize::from(matches!(reader.read(parsed.text), Ok(Record::Step(events)) if !events.is_empty()));
    }
    assert_eq!(steps, 11, "all but the mark are steps");
}

#[test]
fn every_record_and_event_is_on_the_page() {
    let source =
        [include_str!("../src/logic/journal/event_record.rs"), include_str!("../src/logic/journal/read.rs")].concat();
    let mut names = 0;
    for (begin, end) in [("pub(super) enum EventRecord {", "\n}\n"), ("enum Keyed {", "\n}\n")] {
        let body = source.split(begin).nth(1).and_then(|rest| rest.split(end).next()).expect("it is there");
        let variants = body
            .lines()
            .filter_map(|line| line.strip_prefix("    "))
            .filter(|line| line.starts_with(char::is_uppercase));
        for variant in variants {
            let name: String = variant.chars().take_while(|letter| letter.is_alphanumeric()).collect();
            let name =
                name.chars().fold(String::new(), |name, letter| match letter.is_uppercase() && !name.is_empty() {
                    true => format!("{name}_{}", letter.to_lowercase()),
                    false => format!("{name}{}", letter.to_lowercase()),
                });
            assert!(PAGE.contains(&format!("`{name}`")), "{name} isn't explained");
            names += 1;
        }
    }
    assert!(names > 20, "{names}");
}
