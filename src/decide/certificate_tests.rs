use proptest::prelude::*;
use rcgen::{CertificateParams, DnType, KeyPair, date_time_ymd};

use super::*;

fn made() -> Vec<u8> {
    let names = ["shop.test", "*.shop.test", "127.0.0.1", "::1"].map(str::to_owned);
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name.push(DnType::CommonName, "shop\u{1b}[31m");
    params.distinguished_name.push(DnType::OrganizationName, "Läden");
    params.not_before = date_time_ymd(2026, 1, 1);
    // From 2050 on it is written otherwise.
    params.not_after = date_time_ymd(2050, 3, 1);
    params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
}

fn at(text: &str) -> SystemTime {
    humantime::parse_rfc3339(text).unwrap()
}

#[test]
fn p8_a_certificate_tells_whose_it_is_and_until_when() {
    let read = Certificate::read(&made()).unwrap();
    assert_eq!(read.names, ["shop.test", "*.shop.test", "127.0.0.1", "::1"]);
    assert!(read.subject.contains("O=Läden") && read.subject.contains("CN=shop\u{fffd}[31m"));
    assert_eq!(read.issuer, read.subject);
    assert_eq!(date(read.not_before), "2026-01-01T00:00:00Z");
    assert_eq!(date(read.not_after), "2050-03-01T00:00:00Z");
    assert_eq!(read.days_left(at("2050-02-01T00:00:01Z")), 27);
    assert_eq!(read.days_left(at("2050-03-01T00:00:01Z")), -1);
    for (now, state) in [
        ("2025-12-31T00:00:00Z", "is valid only from 2026-01-01"),
        ("2030-01-01T00:00:00Z", "is valid until 2050-03-01"),
        ("2050-03-02T00:00:00Z", "expired on 2050-03-01"),
    ] {
        assert!(read.words(at(now)).contains(state), "{}", read.words(at(now)));
    }
}

#[test]
fn p8_no_chain_is_no_facts() {
    assert!(reply(&[], None, UNIX_EPOCH).is_err());
    assert!(reply(&[made(), vec![0x30, 0]], None, UNIX_EPOCH).is_err());
    let told = reply(&[made()], Some("TLSv1.3".into()), at("2050-02-01T00:00:00Z")).unwrap();
    assert_eq!((&told.document["days_left"], &told.document["chain"]), (&json!(28), &json!(1)));
    assert_eq!(told.said, "TLSv1.3, valid for 28 days, until 2050-03-01T00:00:00Z");
}

proptest! {
    #[test]
    fn p8_damaged_certificates_are_no_panic(at in 0_usize..300, byte: u8, cut in 0_usize..600) {
        thread_local!(static MADE: Vec<u8> = made());
        let mut bytes = MADE.with(Clone::clone);
        let place = at.min(bytes.len() - 1);
        bytes[place] = byte;
        bytes.truncate(cut);
        if let Some(read) = Certificate::read(&bytes) {
            read.words(UNIX_EPOCH);
        }
        time((0x17 + (byte & 1), &bytes));
    }

    #[test]
    fn p8_any_bytes_are_no_certificate(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        prop_assert_eq!(Certificate::read(&bytes), None);
    }
}
