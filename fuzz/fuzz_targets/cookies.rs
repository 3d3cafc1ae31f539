//! Cookies, a line each: they go back to whom they came from, and what is kept stays what it is.

#![no_main]

use libfuzzer_sys::fuzz_target;
use waveoff_fuzz::decide::cookies::{Address, Jar};

const NOW: i64 = 1_800_000_000;

fn address(host: &str, secure: bool) -> Address<'_> {
    Address { host, path: "/shop/cart", secure }
}

fuzz_target!(|text: &str| {
    let mut jar = Jar::default();
    for line in text.split('\n') {
        jar.absorb(line, &address("a.shop.test", true), NOW);
    }
    for other in ["b.shop.test", "evila.shop.test", "evilshop.test", "shop.test.evil", "test"] {
        let sent = jar.header(&address(other, true), NOW).is_some();
        assert!(
            !sent
                || (other.ends_with(".shop.test") && text.to_ascii_lowercase().contains("domain"))
        );
    }
    let own = jar.header(&address("a.shop.test", true), NOW);
    if let Some(own) = &own {
        assert!(!own.contains(|c: char| c.is_control()) && own.len() < 20_000, "{own:?}");
        // What goes without TLS is a part of what goes with it.
        let plain = jar.header(&address("a.shop.test", false), NOW).unwrap_or_default();
        assert!(plain.len() <= own.len());
    }
    assert!(own.is_some() || jar.header(&address("a.shop.test", false), NOW).is_none());
    let kept = Jar::read(&jar.write());
    assert_eq!(kept.write(), jar.write());
    assert_eq!(kept.header(&address("a.shop.test", true), NOW), own);
    // In a year that nobody waits for, all that had an end is over.
    let late = jar.header(&address("a.shop.test", true), i64::MAX).unwrap_or_default();
    assert!(late.len() <= own.unwrap_or_default().len());
});
