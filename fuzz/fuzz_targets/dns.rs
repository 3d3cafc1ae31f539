//! Answers of name servers to a question for each type: what is damaged is told, and ends.

#![no_main]

use libfuzzer_sys::fuzz_target;
use waveoff_fuzz::decide::dns::{Kind, question, read, reply};

const KINDS: [Kind; 7] =
    [Kind::A, Kind::Aaaa, Kind::Cname, Kind::Mx, Kind::Txt, Kind::Ns, Kind::Srv];

fuzz_target!(|input: (u8, &[u8])| {
    let (choice, answer) = input;
    let kind = KINDS[usize::from(choice) % KINDS.len()];
    let asked = question(0x7761, "shop.test", kind).expect("it is a name");
    // As it comes, and behind the head that it must have.
    let mut headed = asked.clone();
    headed[2] |= 0x80;
    let (counts, records) = answer.split_at(answer.len().min(2));
    headed[7] = counts.first().copied().unwrap_or(0);
    headed[3] = counts.last().copied().unwrap_or(0);
    headed.extend(records);
    for bytes in [answer, &headed] {
        let Some(Ok(found)) = read(&asked, bytes) else { continue };
        assert!(bytes.len() >= 12 && bytes[..2] == asked[..2]);
        assert!(found.records.len() <= bytes.len() / 11);
        assert_eq!(found.ttl.is_some(), !found.records.is_empty());
        let reply = reply(found.code, found.records.clone(), found.ttl, kind.name());
        assert_eq!(reply.not_ready.is_none(), found.code == 0 && !found.records.is_empty());
    }
    // No part of an answer is one without records: it would say that there are none.
    if let Some(Ok(whole)) = read(&asked, &headed)
        && !whole.is_cut
        && headed.len() < 200
    {
        for end in asked.len()..headed.len() {
            if let Some(Ok(part)) = read(&asked, &headed[..end]) {
                assert_eq!(part, whole);
            }
        }
    }
});
