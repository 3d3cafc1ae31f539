use proptest::prelude::*;
use serde_json::json;

use super::*;

fn text(text: &str) -> Said {
    Said::Text(text.into())
}

#[test]
fn p8_redis_answers_are_read_when_they_are_complete() {
    let whole = b"$5\r\na\r\nbc\r\n+PONG\r\n";
    for cut in 0..11 {
        assert_eq!(parse(&whole[..cut]), Ok(None), "{cut}");
    }
    assert_eq!(parse(whole), Ok(Some((text("a\r\nbc"), 11))));
    assert_eq!(parse(&whole[11..]), Ok(Some((text("PONG"), 7))));
    assert_eq!(parse(b"-ERR no\r\n"), Ok(Some((Said::Error("ERR no".into()), 9))));
    assert_eq!(parse(b"$-1\r\n"), Ok(Some((text(""), 5))));
    let http = parse(b"HTTP/1.1 400 Bad Request\r\n").unwrap_err();
    assert!(http.contains("\"HTTP/1.1 400 Bad Request\""), "{http}");
    assert!(parse(b"$99999999\r\n").unwrap_err().contains("at most 1048576"));
    assert!(parse(b"$18446744073709551615\r\n").is_err() && parse(b"$-2\r\n").is_err());
    assert!(parse(&[b'+'; MOST_LINE]).is_err(), "a line without an end");
    assert_eq!(command(&["AUTH", "hé"]), "*2\r\n$4\r\nAUTH\r\n$3\r\nhé\r\n".as_bytes());
}

#[test]
fn p8_only_a_pong_is_ready() {
    assert_eq!(reply(text("PONG"), None).not_ready, None);
    for (error, told) in [
        ("LOADING Redis is loading the dataset in memory", "LOADING Redis is loading"),
        ("NOAUTH Authentication required.", "`password`"),
        ("MISCONF Redis is configured to save RDB snapshots", "MISCONF"),
    ] {
        let why = reply(Said::Error(error.into()), None).not_ready.unwrap();
        assert!(why.contains(told), "{why}");
    }
    assert!(reply(text(""), None).not_ready.is_some());
    let denied = reply(text("PONG"), Some(Said::Error("NOPERM no".into())));
    assert!(denied.not_ready.unwrap().starts_with("INFO: NOPERM"), "asked for, and not there");
}

#[test]
fn p8_info_becomes_facts() {
    let info = "# Memory\r\nused_memory:50\r\nmaxmemory:200\r\nrole:master\r\nredis_version:7.0\r\n\
                run_id:00e1\r\nkeyspace_hits:3\r\nkeyspace_misses:1\r\ndb0:keys=1,expires=0\r\n";
    let document = reply(text("PONG"), Some(text(info))).document;
    assert_eq!(document["used_memory"], json!(50));
    assert_eq!((&document["hit_rate"], &document["memory_share"]), (&json!(0.75), &json!(0.25)));
    assert_eq!((&document["role"], &document["run_id"]), (&json!("master"), &json!("00e1")));
    // A rate of nothing is not there, rather than good.
    let idle = facts("keyspace_hits:0\r\nkeyspace_misses:0\r\nmaxmemory:0\r\nused_memory:1\r\n");
    assert!(!idle.contains_key("hit_rate") && !idle.contains_key("memory_share"));
}

proptest! {
    #[test]
    fn p8_any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(Some((said, used))) = parse(&bytes) {
            prop_assert!(used <= bytes.len());
            reply(said.clone(), Some(said));
        }
    }

    #[test]
    fn p8_any_text_comes_back(word in ".{0,40}", more in prop::collection::vec(any::<u8>(), 0..9)) {
        let mut bytes = command(&[&word])[4..].to_vec();
        let used = bytes.len();
        bytes.extend(more);
        prop_assert_eq!(parse(&bytes), Ok(Some((Said::Text(word), used))));
    }
}
