use proptest::prelude::*;

use super::*;

/// What a stream says: the type, data and id of each event.
fn read(stream: &str) -> Vec<(String, String, String)> {
    let events = Parser::new(1000).push(stream.as_bytes()).unwrap();
    events.into_iter().map(|event| (event.name, event.data, event.id.to_string())).collect()
}

fn event(name: &str, data: &str, id: &str) -> (String, String, String) {
    (name.into(), data.into(), id.into())
}

#[test]
fn p7_the_examples_of_the_specification_are_read() {
    let stock = read("data: YHOO\ndata: +2\ndata: 10\n\n");
    assert_eq!(stock, [event("message", "YHOO\n+2\n10", "")]);
    let four = ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n";
    let wanted = [
        event("message", "first event", "1"),
        event("message", "second event", ""),
        event("message", " third event", ""),
    ];
    assert_eq!(read(four), wanted);
    let three = "data\n\ndata\ndata\n\ndata:";
    assert_eq!(read(three), [event("message", "", ""), event("message", "\n", "")]);
    let same = "data:test\n\ndata: test\n\n";
    assert_eq!(read(same), [event("message", "test", ""), event("message", "test", "")]);
}

#[test]
fn p7_many_events_have_one_id_between_them() {
    let mut parser = Parser::new(1000);
    let events = parser.push(b"id: long\ndata\n\ndata\n\n").unwrap();
    assert!(Rc::ptr_eq(&events[0].id, &events[1].id));
}

#[test]
fn p7_lines_end_in_three_ways_and_a_mark_may_come_first() {
    let wanted = [event("a", "1\n2", "x"), event("message", "3", "x")];
    for end in ["\n", "\r", "\r\n"] {
        let stream =
            format!("event: a{end}id: x{end}data: 1{end}data: 2{end}{end}data: 3{end}{end}");
        assert_eq!(read(&stream), wanted, "{end:?}");
        assert_eq!(read(&format!("\u{feff}{stream}")), wanted, "{end:?}");
    }
    assert_eq!(read("data: 1\n\u{feff}data: 2\n\n"), [event("message", "1", "")]);
    assert_eq!(read("event: a\n\ndata: 1\n\n"), [event("message", "1", "")], "no data, no event");
    assert_eq!(
        read("id: 1\nid: a\0b\nDATA: x\ndata : y\ndata: 1\n\n"),
        [event("message", "1", "1")]
    );
    let pauses = "retry: 10\ndata\n\nretry: 1x\ndata\n\nretry: 99999999999999999999\ndata\n\n";
    let events = Parser::new(1000).push(pauses.as_bytes()).unwrap();
    assert!(events.len() == 3 && events.iter().all(|event| event.retry == Some(10)));
}

#[test]
fn p8_an_event_without_an_end_is_not_read_for_ever() {
    let mut parser = Parser::new(100);
    assert!(parser.push(&[b'x'; 101]).unwrap_err().contains("longer than 100 bytes"));
    let lines = "data: 0123456789\n".repeat(20);
    assert!(Parser::new(100).push(lines.as_bytes()).is_err());
    assert!(Parser::new(100).push("data: 0123456789\n\n".repeat(20).as_bytes()).is_ok());
}

proptest! {
    #[test]
    fn p7_any_pieces_give_the_same_events(
        stream in "(\u{feff})?((data|event|id|retry|x)?:? ?[a-z0-9\u{e4}]{0,3}(\r|\n|\r\n|\n\n)){0,12}",
        pieces in proptest::collection::vec(1_usize..5, 1..20),
    ) {
        let whole = Parser::new(1000).push(stream.as_bytes()).unwrap();
        let (mut parser, mut found, mut rest) = (Parser::new(1000), Vec::new(), stream.as_bytes());
        for piece in pieces.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (now, later) = rest.split_at((*piece).min(rest.len()));
            found.extend(parser.push(now).unwrap());
            rest = later;
        }
        prop_assert_eq!(found, whole);
    }

    #[test]
    fn p8_no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = Parser::new(100).push(&bytes);
    }
}
