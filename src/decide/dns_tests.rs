use proptest::prelude::*;

use super::*;

/// An answer to the question with these records: their type and data. Names go on at byte 12.
fn answer(question: &[u8], flags: [u8; 2], records: &[(u16, &[u8])]) -> Vec<u8> {
    let mut bytes = [&question[..2], &flags, &[0, 1, 0, records.len() as u8, 0, 0, 0, 0]].concat();
    bytes.extend(&question[12..]);
    for (index, (kind, data)) in records.iter().enumerate() {
        bytes.extend([192, 12]);
        bytes.extend(kind.to_be_bytes());
        bytes.extend([0, 1, 0, 0, 0, 60 - index as u8, 0, data.len() as u8]);
        bytes.extend(*data);
    }
    bytes
}

fn asked(kind: Kind) -> Vec<u8> {
    question(7, "Shop.test", kind).unwrap()
}

#[test]
fn p8_records_are_read_as_a_zone_file_has_them() {
    for (kind, data, wanted) in [
        (Kind::A, &[192, 0, 2, 1][..], "192.0.2.1"),
        (Kind::Aaaa, &[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], "2001:db8::1"),
        (Kind::Cname, b"\x03www\xc0\x0c", "www.Shop.test"),
        (Kind::Mx, b"\0\x0a\x02mx\xc0\x0c", "10 mx.Shop.test"),
        (Kind::Srv, b"\0\x01\0\x02\x1f\x90\x01a\0", "1 2 8080 a"),
        (Kind::Txt, b"\x03v=1\x02 x", "v=1 x"),
        (Kind::Ns, b"\x03a.b\0", "a\\046b"),
    ] {
        let own = asked(kind);
        let found = (kind.number(), data);
        let bytes = answer(&own, [0x81, 0x80], &[(46, b"signed"), found, found]);
        let read = read(&own, &bytes).unwrap().unwrap();
        assert_eq!((read.records, read.ttl), (vec![wanted.to_owned(); 2], Some(58)), "{kind:?}");
    }
}

#[test]
fn p8_only_the_answer_to_the_question_is_one() {
    let own = asked(Kind::A);
    let good = answer(&own, [0x81, 0x80], &[(1, &[192, 0, 2, 1])]);
    for (at, value) in [(0, 9), (2, 1), (14, b'X'), (own.len() - 3, 28)] {
        let mut other = good.clone();
        other[at] = value;
        assert_eq!(read(&own, &other), None, "byte {at}");
    }
    let mut shouted = good.clone();
    shouted[12..22].make_ascii_uppercase();
    assert!(read(&own, &shouted).is_some(), "case does not matter");
    assert!(read(&own, &answer(&own, [0x83, 0x80], &[])).unwrap().unwrap().is_cut);
    assert_eq!(read(&own, &good[..good.len() - 1]), Some(Err("the answer is damaged".into())));
    // A name that goes on at itself.
    let looped = answer(&asked(Kind::Ns), [0x81, 0x80], &[(2, &[192, 39])]);
    assert!(read(&asked(Kind::Ns), &looped).unwrap().is_err());
}

#[test]
fn p8_a_name_without_records_does_not_pass() {
    let told = |code, records: &[&str]| {
        reply(code, records.iter().map(|one| (*one).to_owned()).collect(), None, "A record")
            .not_ready
    };
    assert_eq!(told(0, &["192.0.2.1"]), None);
    assert_eq!(told(0, &[]).as_deref(), Some("the name has no A record"));
    assert!(told(3, &[]).unwrap().contains("NXDOMAIN"));
    assert!(told(2, &["192.0.2.1"]).unwrap().contains("SERVFAIL") && told(11, &[]).is_some());
    let long = "a".repeat(64);
    for wrong in ["", ".", "a..b", "a b", "ü.test", long.as_str(), &"a.".repeat(130)] {
        assert!(question(1, wrong, Kind::A).is_err(), "{wrong}");
    }
    assert_eq!(question(1, "a.test.", Kind::A), question(1, "a.test", Kind::A));
}

proptest! {
    #[test]
    fn p8_damaged_answers_are_no_panic(kind in 0_u16..40, data in prop::collection::vec(any::<u8>(), 0..60), at in 0_usize..80, byte: u8) {
        let own = asked(Kind::Srv);
        let mut bytes = answer(&own, [0x81, 0x80], &[(kind, &data), (33, &data)]);
        let place = at.min(bytes.len() - 1);
        bytes[place] = byte;
        let _ = read(&own, &bytes);
        let _ = read(&own, &data);
    }
}
