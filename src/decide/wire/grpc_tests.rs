use proptest::prelude::*;

use super::*;

fn answer(code: &str, data: &[u8]) -> Answer {
    let pairs = |all: &[(&str, &str)]| {
        all.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
    };
    Answer {
        headers: pairs(&[(":status", "200"), ("content-type", "application/grpc+proto")]),
        data: data.to_vec(),
        trailers: pairs(&[("grpc-status", code), ("grpc-message", "why")]),
        is_bare: false,
    }
}

#[test]
fn p7_a_question_names_its_service_or_none() {
    assert_eq!(question(""), [0, 0, 0, 0, 0]);
    assert_eq!(question("a.B"), b"\0\0\0\0\x05\x0a\x03a.B");
}

#[test]
fn p7_only_serving_is_ready() {
    for (data, said) in [
        (&b"\0\0\0\0\x02\x08\x01"[..], "SERVING"),
        (b"\0\0\0\0\x00", "UNKNOWN"),
        (b"\0\0\0\0\x02\x08\x02", "NOT_SERVING"),
        (b"\0\0\0\0\x02\x08\x03", "SERVICE_UNKNOWN"),
        (b"\0\0\0\0\x02\x08\x04", "a status that nobody knows"),
        // Fields that nobody knows, around the one that counts.
        (b"\0\0\0\0\x16\x12\x01x\x08\x01\x19\0\0\0\0\0\0\0\0\x25\0\0\0\0\x80\x02\x01", "SERVING"),
    ] {
        let reply = read(&answer("0", data), "shop").unwrap();
        assert_eq!((reply.said.as_str(), reply.not_ready.is_none()), (said, said == "SERVING"));
        assert_eq!(reply.document["status"], said);
    }
}

#[test]
fn p8_the_status_stands_at_the_end_and_its_message_is_decoded() {
    let serving = b"\0\0\0\0\x02\x08\x01";
    // As early as this, nothing is known of how it will end.
    let mut early = answer("0", serving);
    early.headers.append(&mut early.trailers);
    assert!(read(&early, "").unwrap_err().1.contains("cut off"));
    let bare = Answer { is_bare: true, data: Vec::new(), ..early };
    assert!(read(&bare, "").is_err(), "no status of health came");
    let mut refused = Answer { is_bare: true, ..bare };
    refused.headers[2].1 = "14".into();
    refused.headers[3].1 = "no%20d%C3%A9bit%2c 100% %".into();
    let reply = read(&refused, "").unwrap();
    assert_eq!(reply.not_ready.unwrap(), "grpc-status 14 UNAVAILABLE: no débit, 100% %");
    refused.headers[3].1 = "%61".repeat(1000);
    let reply = read(&refused, "").unwrap();
    assert_eq!(reply.document["grpc_message"], format!("{}…", "a".repeat(300)));
}

#[test]
fn p8_what_says_nothing_of_health_is_never_healthy() {
    let serving = b"\0\0\0\0\x02\x08\x01";
    for (code, why) in [
        ("5", "NOT_FOUND: the service `shop` is not known there"),
        ("14", "grpc-status 14 UNAVAILABLE: why"),
        ("16", "grpc-status 16 UNAUTHENTICATED: why"),
        ("99", "not a code of gRPC"),
    ] {
        let reply = read(&answer(code, serving), "shop").unwrap();
        assert!(reply.not_ready.clone().unwrap().contains(why), "{reply:?}");
        assert!(reply.document["status"].is_null());
    }
    let (kind, why) = read(&answer("12", serving), "shop").unwrap_err();
    assert_eq!(
        (kind, why.as_str()),
        (FailureKind::NotAsked, "UNIMPLEMENTED: why: no health service is there")
    );
    assert!(read(&answer("-0", serving), "").is_err() && read(&answer("", serving), "").is_err());
    for data in [
        &b""[..],
        b"\0\0\0\0\x03\x08\x01",
        b"\x01\0\0\0\x02\x08\x01",
        b"\0\0\0\0\x01\x08",
        b"\0\0\0\0\x02\x12\x05",
        b"\0\0\0\0\x02\x0b\x01",
    ] {
        assert!(read(&answer("0", data), "").is_err(), "{data:?}");
    }
    let cut = Answer { trailers: Vec::new(), ..answer("0", serving) };
    assert!(read(&cut, "").unwrap_err().1.contains("cut off"));
    let mut page = answer("0", serving);
    page.headers[1].1 = "text/html".into();
    assert!(read(&page, "").unwrap_err().1.contains("text/html"));
    page.headers[0].1 = "404".into();
    assert!(read(&page, "").unwrap_err().1.contains("status 404"));
}

proptest! {
    #[test]
    fn p8_no_bytes_panic(data in proptest::collection::vec(any::<u8>(), 0..60)) {
        let _ = read(&answer("0", &data), "");
        let _ = read(&answer("0", &[&[0, 0, 0, 0, data.len() as u8][..], &data[..]].concat()), "");
    }
}
