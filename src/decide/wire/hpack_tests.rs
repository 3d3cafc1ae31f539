use proptest::prelude::*;

use super::*;

fn pairs(all: &[(&str, &str)]) -> Vec<Header> {
    all.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
}

#[test]
fn p7_the_answers_of_the_specification_are_read() {
    // RFC 7541, appendix C.6, with entries that are evicted in a table of 256 bytes.
    let mut decoder = Decoder::default();
    let first =
        b"\x3f\xe1\x01\x48\x82\x64\x02\x58\x85\xae\xc3\x77\x1a\x4b\x61\x96\xd0\x7a\xbe\x94\x10\
        \x54\xd4\x44\xa8\x20\x05\x95\x04\x0b\x81\x66\xe0\x82\xa6\x2d\x1b\xff\x6e\x91\x9d\x29\xad\
        \x17\x18\x63\xc7\x8f\x0b\x97\xc8\xe9\xae\x82\xae\x43\xd3";
    let date = ("date", "Mon, 21 Oct 2013 20:13:21 GMT");
    let location = ("location", "https://www.example.com");
    let wanted = [(":status", "302"), ("cache-control", "private"), date, location];
    assert_eq!(decoder.block(first).unwrap(), pairs(&wanted));
    let wanted = [(":status", "307"), ("cache-control", "private"), date, location];
    assert_eq!(decoder.block(b"\x48\x83\x64\x0e\xff\xc1\xc0\xbf").unwrap(), pairs(&wanted));
    assert!(decoder.entry(65).is_ok() && decoder.entry(66).is_err(), "one was evicted");
}

#[test]
fn p8_a_block_that_is_none_or_too_much_is_refused() {
    for (bytes, why) in [
        (&b"\x80"[..], "index of 0"),
        (b"\xbe", "behind the tables"),
        (b"\x3f\xe2\x1f", "not allowed"),
        (b"\x82\x20", "not allowed"),
        (b"\x40\x05ab", "cut"),
        (b"\x40", "cut"),
        (b"\xff\xff\xff\xff\xff\x0f", "too large"),
        (b"\x00\x81\xff", "Huffman"),
    ] {
        let found = Decoder::default().block(bytes).unwrap_err();
        assert!(found.contains(why), "{bytes:?}: {found}");
    }
    // One entry of nearly the whole table, named again and again.
    let long = [&b"\x40\x01a\x7f\x81\x1e"[..], &[b'x'; 3968]].concat();
    let mut decoder = Decoder::default();
    assert_eq!(decoder.block(&long).unwrap()[0].1.len(), 3968);
    assert!(decoder.block(&[0xbe; 100]).unwrap_err().contains("more than 65536 bytes"));
}

proptest! {
    #[test]
    fn p7_what_is_written_is_read(
        headers in proptest::collection::vec(("[a-z-]{1,200}", "[ -~]{0,400}"), 0..5)
    ) {
        let mut block = Vec::new();
        headers.iter().for_each(|(name, value)| write(&mut block, name, value));
        let mut decoder = Decoder::default();
        prop_assert_eq!(decoder.block(&block).unwrap(), headers);
        prop_assert!(decoder.dynamic.is_empty());
    }

    #[test]
    fn p8_no_bytes_panic(blocks in proptest::collection::vec(
        proptest::collection::vec(any::<u8>(), 0..100), 0..4)
    ) {
        let mut decoder = Decoder::default();
        for block in blocks {
            let _ = decoder.block(&block);
            prop_assert!(decoder.dynamic.iter().map(cost).sum::<usize>() <= TABLE);
        }
    }
}
