use proptest::prelude::*;
use serde_json::json;

use super::*;

fn whole(bytes: &[u8]) -> Message {
    let (read, used) = parse(bytes).unwrap().unwrap();
    assert_eq!(used, bytes.len());
    for cut in 0..bytes.len() {
        assert_eq!(parse(&bytes[..cut]), Ok(None), "{cut}");
    }
    read
}

#[test]
fn p8_postgres_messages_are_read_when_they_are_complete() {
    let error = message(b'E', &[b"SFATAL\0C57P03\0Mthe database system is starting up\0\0"]);
    let Message::Error(refusal) = whole(&error) else { panic!("{error:?}") };
    assert_eq!(refusal.words(), "57P03 the database system is starting up");
    assert!(!refusal.is_about_the_client());
    let sasl = message(b'R', &[&[0, 0, 0, 10], b"SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0"]);
    let names = ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"].map(str::to_owned).to_vec();
    assert_eq!(whole(&sasl), Message::Authentication(Authentication::Sasl(names)));
    let md5 = message(b'R', &[&[0, 0, 0, 5, 9, 8, 7, 6]]);
    assert_eq!(whole(&md5), Message::Authentication(Authentication::Md5(vec![9, 8, 7, 6])));
    let columns = message(b'T', &[&[0, 1], b"n\0", &[0; 6], &[0, 0, 0, 23], &[0; 8]]);
    assert_eq!(whole(&columns), Message::Columns(vec![("n".into(), 23)]));
    let cells = message(b'D', &[&[0, 2], &[255; 4], &[0, 0, 0, 2], b"42"]);
    assert_eq!(whole(&cells), Message::Row(vec![None, Some("42".into())]));
}

#[test]
fn p8_what_is_not_postgres_is_told() {
    let http = parse(b"HTTP/1.1 400 Bad Request\r\n").unwrap_err();
    assert!(http.contains("bytes"), "{http}");
    assert!(parse(b"+OK\r\n").unwrap_err().contains("not PostgreSQL's: \"+OK"));
    assert!(parse(&[b'D', 0, 0, 0, 3]).is_err() && parse(&[b'D', 255, 0, 0, 0]).is_err());
    let damaged = message(b'D', &[&[0, 9, 0, 0, 0, 1], b"x"]);
    assert!(parse(&damaged).unwrap_err().contains("damaged"));
    assert!(parse(&message(b'G', &[&[0, 0, 0]])).is_err(), "COPY waits for data");
}

#[test]
fn p8_rows_have_their_types() {
    let columns: Vec<_> =
        [("n", 20), ("part", 1700), ("ok", 16), ("doc", 3802), ("name", 25), ("no", 23)]
            .map(|(name, oid)| (name.to_owned(), oid))
            .into();
    let values = ["7", "NaN", "t", "{\"a\":[1]}", "12"].map(|text| Some(text.to_owned()));
    let values = [values.to_vec(), vec![None]].concat();
    let wanted = json!({
        "n": 7, "part": "NaN", "ok": true, "doc": { "a": [1] }, "name": "12", "no": null
    });
    assert_eq!(Value::Object(row(&columns, values).into_iter().collect()), wanted);
}

#[test]
fn p8_rows_weigh_what_is_kept_of_them() {
    let columns = [("a".repeat(100), 25), ("b".to_owned(), 25)];
    assert_eq!(weight(&columns, &[None, Some("xyz".into())]), 100 + 32 + 1 + 3 + 32);
    for kind in [b'T', b'D'] {
        let many = message(kind, &[&1665_u16.to_be_bytes(), &[255; 4 * 1665]]);
        let why = parse(&many).unwrap_err();
        assert!(why.contains("1665 columns; 1664 are read"), "{why}");
    }
    let most = message(b'D', &[&1664_u16.to_be_bytes(), &[255; 4 * 1664]]);
    assert_eq!(whole_row(&most), vec![None; 1664]);
}

fn whole_row(bytes: &[u8]) -> Vec<Option<String>> {
    match parse(bytes) {
        Ok(Some((Message::Row(values), _))) => values,
        other => panic!("{other:?}"),
    }
}

#[test]
fn p8_a_statement_is_parsed_bound_described_run_and_ended() {
    let wanted = b"P\0\0\0\x10\0SELECT 1\0\0\0B\0\0\0\x0c\0\0\0\0\0\0\0\0D\0\0\0\x06P\0\
                   E\0\0\0\x09\0\0\0\x03\xe9S\0\0\0\x04";
    assert_eq!(query("SELECT 1"), wanted);
}

#[test]
fn p8_the_first_message_says_who_comes() {
    let bytes = start_up(&[("user", "me")]);
    assert_eq!(bytes, b"\0\0\0\x11\0\x03\0\0user\0me\0\0");
}

proptest! {
    #[test]
    fn p8_any_bytes_are_no_panic(kind in 0_usize..22, bytes in prop::collection::vec(any::<u8>(), 0..120)) {
        let kind = b"RESTDZCNKIvAGHWn123tsX"[kind];
        if let Ok(Some((_, used))) = parse(&message(kind, &[&bytes])) {
            prop_assert_eq!(used, bytes.len() + 5);
        }
        let _ = parse(&bytes);
    }
}
