use super::*;
use crate::decide::history::{Event, Record, Release};
use proptest::prelude::*;

fn release(version: &str) -> Release {
    Release { version: version.into(), sha: Some("0f3a".into()), digests: Vec::new() }
}

fn events() -> Vec<Event> {
    let by = Some("someone \"quoted\",\"sha256\":\"".into());
    vec![
        Event::Started { release: release("v1"), by },
        Event::Mutating,
        Event::Verified,
        Event::Started { release: release("v2"), by: None },
        Event::Mutating,
        Event::Failed { reason: "ä\nline".into() },
        Event::RolledBack { to: release("v1"), reason: "unhealthy".into() },
    ]
}

fn ledger(events: Vec<Event>) -> Vec<u8> {
    let mut text = String::new();
    for event in events {
        let chain = Chain::<Record>::read(text.as_bytes()).unwrap();
        let record = Record {
            seq: chain.next_number(),
            at: "2026-01-01T00:00:00.000Z".into(),
            service: "shop".into(),
            environment: "production".into(),
            deployment: "d-1".into(),
            event,
        };
        text += &chain.line(&record).unwrap();
    }
    text.into_bytes()
}

#[test]
fn what_was_written_is_read() {
    let bytes = ledger(events());
    let chain = Chain::<Record>::read(&bytes).unwrap();
    assert_eq!(chain.records.iter().map(|r| r.event.clone()).collect::<Vec<_>>(), events());
    assert_eq!(chain.whole, bytes.len());
    assert_eq!(Chain::<Record>::read(b""), Ok(Chain::<Record>::default()));
}

/// The bytes of a ledger that was written by the first release: they must be readable for ever.
#[test]
fn the_format_is_frozen() {
    let line = concat!(
        r#"{"format":1,"seq":1,"at":"2026-01-01T00:00:00.000Z","service":"shop","#,
        r#""environment":"production","deployment":"d-1","event":"started","#,
        r#""release":{"version":"v1","sha":"0f3a"},"sha256":""#,
        "a2ae9699e1de9b65d818e1e5999d2b04647f54bf4e6a812b2b2147809438a307\"}\n"
    );
    let first = Event::Started { release: release("v1"), by: None };
    assert_eq!(String::from_utf8(ledger(vec![first])).unwrap(), line);
}

/// A line as it is published.
#[derive(schemars::JsonSchema)]
#[schemars(title = "a line of ledger.jsonl")]
#[expect(dead_code, reason = "only its schema is used")]
struct Published {
    /// The version of this format: 1.
    format: u32,
    #[serde(flatten)]
    record: Record,
    /// The checksum, in hex: of the checksum of the line before (nothing for the first) and of
    /// this line's bytes before this member. It is the last one.
    sha256: String,
}

#[test]
fn the_published_schema_is_the_one_of_the_lines() {
    let schema = schemars::schema_for!(Published);
    crate::report::contract::compare("schemas/ledger.schema.json", &schema);
    let validator = jsonschema::validator_for(schema.as_value()).unwrap();
    for line in String::from_utf8(ledger(events())).unwrap().lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let problems: Vec<String> = validator.iter_errors(&line).map(|e| e.to_string()).collect();
        assert!(problems.is_empty(), "{problems:?}");
    }
}

#[test]
fn lost_doubled_moved_and_newer_lines_are_damage() {
    let bytes = ledger(events());
    let text = String::from_utf8(bytes).unwrap();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let read =
        |lines: &[&str]| Chain::<Record>::read(lines.concat().as_bytes()).map_err(|d| d.line);
    assert_eq!(read(&lines[1..]), Err(1), "the first is lost");
    assert_eq!(read(&[lines[0], lines[2]]), Err(2), "one is lost");
    assert_eq!(read(&[lines[0], lines[0]]), Err(2), "one is doubled");
    assert_eq!(read(&[lines[1], lines[0]]), Err(1), "two are swapped");
    let newer = "{\"format\":2,\"anything\":true}\n";
    let damage = Chain::<Record>::read([lines[0], newer].concat().as_bytes()).unwrap_err();
    assert_eq!(damage, Damage { line: 2, kind: Kind::Newer(2) });
    assert!(damage.kind.to_string().contains("newer waveoff"));
}

#[test]
fn a_gap_in_the_numbers_is_damage_even_under_a_right_checksum() {
    let chain = Chain::<Record>::default();
    let mut record = Chain::<Record>::read(&ledger(events())).unwrap().records.remove(0);
    record.seq = 5;
    let line = chain.line(&record).unwrap();
    let damage = Chain::<Record>::read(line.as_bytes()).unwrap_err();
    assert_eq!(damage.kind, Kind::Number { wanted: 1, found: 5 });
}

#[test]
fn every_truncation_of_the_last_line_is_a_torn_end() {
    let bytes = ledger(events());
    let before = bytes[..bytes.len() - 1].iter().rposition(|b| *b == b'\n').unwrap() + 1;
    for length in before..bytes.len() {
        let chain = Chain::<Record>::read(&bytes[..length]).unwrap();
        assert_eq!((chain.whole, chain.records.len()), (before, events().len() - 1), "{length}");
    }
}

proptest! {
    #[test]
    fn any_damaged_byte_before_the_last_line_is_noticed(place: prop::sample::Index, flip in 1..=255u8) {
        let mut bytes = ledger(events());
        let last = bytes[..bytes.len() - 1].iter().rposition(|b| *b == b'\n').unwrap() + 1;
        bytes[place.index(last)] ^= flip;
        prop_assert!(Chain::<Record>::read(&bytes).is_err());
        // Nor does it help that the last line is torn as well.
        bytes.truncate(bytes.len() - 1);
        prop_assert!(Chain::<Record>::read(&bytes).is_err());
    }

    #[test]
    fn garbage_never_panics_and_never_becomes_a_record(bytes: Vec<u8>) {
        if let Ok(chain) = Chain::<Record>::read(&bytes) {
            prop_assert!(chain.records.is_empty());
        }
    }
}
