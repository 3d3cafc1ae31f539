use super::*;
use proptest::prelude::*;

const NOW: i64 = 1_700_000_000;

fn at(url: &str) -> Address<'_> {
    let (scheme, rest) = url.split_once("://").unwrap();
    let (host, _) = rest.split_once('/').unwrap();
    Address { host, path: &rest[host.len()..], secure: scheme == "https" }
}

fn jar(from: &str, headers: &[&str]) -> Jar {
    let mut jar = Jar::default();
    headers.iter().for_each(|header| jar.absorb(header, &at(from), NOW));
    jar
}

/// What is sent to an address of what another one has set.
fn sent(from: &str, header: &str, to: &str) -> String {
    jar(from, &[header]).header(&at(to), NOW).unwrap_or_default()
}

#[test]
fn p11_a_cookie_goes_to_its_host_and_to_no_other() {
    let own = "http://shop.example.com/";
    assert_eq!(sent(own, "a=1", own), "a=1");
    for other in ["http://example.com/", "http://a.shop.example.com/", "http://evil.test/"] {
        assert_eq!(sent(own, "a=1", other), "", "{other}");
    }
    for (domain, to, goes) in [
        ("example.com", "http://api.example.com/", true),
        (".Example.COM", "http://example.com/", true),
        ("shop.example.com", "http://a.shop.example.com/", true),
        ("example.com", "http://badexample.com/", false),
        ("a.shop.example.com", "http://a.shop.example.com/", false),
        ("other.com", "http://other.com/", false),
        ("com", "http://other.com/", false),
        ("com.", "http://other.com./", false),
        (".", "http://shop.example.com/", true),
        ("..com", "http://other.com/", false),
        ("", "http://shop.example.com/", true),
    ] {
        let header = format!("a=1; Domain={domain}");
        assert_eq!(sent(own, &header, to) == "a=1", goes, "{domain} {to}");
    }
}

#[test]
fn p11_addresses_and_single_names_have_no_domain_below_them() {
    for (host, domain, to, goes) in [
        ("127.0.0.1", "127.0.0.1", "127.0.0.1", true),
        ("127.0.0.1", "0.0.1", "127.0.0.1", false),
        ("127.0.0.1", "127.0.0.1", "1.127.0.0.1", false),
        ("[::1]", "[::1]", "[::1]", true),
        ("localhost", "localhost", "localhost", true),
        ("localhost", "localhost", "evil.localhost", false),
    ] {
        let (from, to) = (format!("http://{host}/"), format!("http://{to}/"));
        let header = format!("a=1; domain={domain}");
        assert_eq!(sent(&from, &header, &to) == "a=1", goes, "{host} {domain} {to}");
    }
}

#[test]
fn p11_a_cookie_goes_to_its_path_and_below() {
    for (from, attribute, to, goes) in [
        ("/login", "", "/", true),
        ("/app/login", "", "/app/", true),
        ("/app/login", "", "/app", true),
        ("/app/login", "", "/apple", false),
        ("/app/login", "", "/", false),
        ("/app/login", "; path=/", "/other", true),
        ("/app/login", "; path=relative", "/other", false),
        ("/", "; Path=/a/", "/a", false),
        ("/", "; Path=/a/", "/a/b", true),
        ("/", "; path=/a; path=/b", "/b", true),
    ] {
        let header = format!("a=1{attribute}");
        let (from, to) = (format!("http://x.test{from}"), format!("http://x.test{to}"));
        assert_eq!(sent(&from, &header, &to) == "a=1", goes, "{from} {header} {to}");
    }
    let both = jar("http://x.test/", &["a=1", "b=2; path=/deep", "a=3"]);
    assert_eq!(both.header(&at("http://x.test/deep"), NOW).unwrap(), "b=2; a=3");
}

#[test]
fn p11_a_secure_cookie_needs_tls_and_is_not_replaced_without() {
    let (tls, plain) = ("https://x.test/", "http://x.test/");
    assert_eq!(sent(tls, "a=1; Secure", tls), "a=1");
    assert_eq!(sent(tls, "a=1; Secure", plain), "");
    assert_eq!(sent(plain, "a=1; secure", tls), "");
    let mut jar = jar(tls, &["a=1; Secure"]);
    for header in ["a=2", "a=2; path=/x", "a=; Max-Age=0"] {
        jar.absorb(header, &at(plain), NOW);
    }
    assert_eq!(jar.header(&at("https://x.test/x"), NOW).unwrap(), "a=1");
}

#[test]
fn p11_prefixes_keep_what_they_promise() {
    let tls = "https://x.test/";
    for (header, goes) in [
        ("__Secure-a=1; Secure", true),
        ("__Secure-a=1", false),
        ("__Host-a=1; Secure; Path=/", true),
        ("__host-a=1; Secure; Path=/", true),
        ("__Host-a=1; Secure", false),
        ("__Host-a=1; Path=/", false),
        ("__Host-a=1; Secure; Path=/; Domain=x.test", false),
    ] {
        assert_eq!(!sent(tls, header, tls).is_empty(), goes, "{header}");
    }
}

#[test]
fn p11_what_is_over_is_not_sent_and_can_be_taken_back() {
    let url = "http://x.test/";
    for (attributes, goes) in [
        ("Max-Age=10", true),
        ("Max-Age=0", false),
        ("Max-Age=-1", false),
        ("Max-Age=99999999999999999999", true),
        ("Max-Age=soon", true),
        ("Expires=Thu, 01 Jan 1970 00:00:01 GMT", false),
        ("Expires=Fri, 01 Jan 2100 00:00:00 GMT", true),
        ("Expires=Thu, 01 Jan 1970 00:00:01 GMT; Max-Age=10", true),
        ("Expires=never", true),
    ] {
        assert_eq!(!sent(url, &format!("a=1; {attributes}"), url).is_empty(), goes, "{attributes}");
    }
    let mut jar = jar(url, &["a=1; Max-Age=10", "sid=0123456789abcdef"]);
    assert_eq!(jar.header(&at(url), NOW + 9).unwrap(), "a=1; sid=0123456789abcdef");
    assert_eq!(jar.header(&at(url), NOW + 10).unwrap(), "sid=0123456789abcdef");
    jar.absorb("sid=deleted; HttpOnly; Max-Age=0", &at(url), NOW);
    assert_eq!(jar.header(&at(url), NOW + 10), None);
    assert_eq!(jar.secrets(), ["0123456789abcdef"], "`deleted` is no secret");
}

#[test]
fn p11_a_jar_is_bounded() {
    let url = "http://x.test/";
    let mut jar = Jar::default();
    for number in 0..200 {
        jar.absorb(&format!("c{number}=1"), &at(url), NOW);
    }
    let header = jar.header(&at(url), NOW).unwrap();
    assert!(header.split("; ").count() == MOST && header.ends_with("c199=1"), "{header}");
    for number in 0..20 {
        jar.absorb(&format!("d{number}={}", "x".repeat(4000)), &at(url), NOW);
    }
    assert!(jar.header(&at(url), NOW).unwrap().len() < ALL + MOST * 3);
    jar.absorb(&format!("long={}", "x".repeat(LONGEST)), &at(url), NOW);
    assert!(!jar.header(&at(url), NOW).unwrap().contains("long"));
}

#[test]
fn p11_what_is_no_cookie_is_left() {
    let url = "http://x.test/";
    for header in ["", "a", "=1", " =1; a=2", "a=1\u{7}", "a=1\tb", "a=1; path=/\n", ";a=1"] {
        assert_eq!(sent(url, header, url), "", "{header:?}");
    }
    assert_eq!(sent(url, " a = b=c ; SameSite=Lax; Partitioned", url), "a=b=c");
}

#[test]
fn p11_secrets_are_what_looks_like_one() {
    let told = |header: &str| jar("http://x.test/", &[header]).secrets().join(" ");
    for (header, secret) in [
        ("sid=s3cr3t", "s3cr3t"),
        ("sid=\"s3cr3t\"", "s3cr3t"),
        ("x=abcdefghijklmnop", "abcdefghijklmnop"),
        ("x=word; HttpOnly", "word"),
        ("session_token=word", "word"),
        ("stage=production", ""),
        ("lang=en-US", ""),
        ("y=2026", ""),
        ("y=2026; HttpOnly", "2026"),
        ("build=v1.4.0-rc.1", ""),
        ("at=2026-11-22T10:30:13Z", ""),
        ("at=1700000000000000", ""),
        ("JSESSIONID=123456", "123456"),
        ("x=a1b2c3d4", "a1b2c3d4"),
        ("x=550e8400-e29b-41d4-a716-446655440000", "550e8400-e29b-41d4-a716-446655440000"),
    ] {
        assert_eq!(told(header), secret, "{header}");
    }
    let shown = format!("{:?}", jar("http://x.test/", &["sid=s3cr3t"]));
    assert_eq!(shown, "Jar(1 cookies)");
}

#[test]
fn p11_what_came_since_is_added() {
    let url = "http://x.test/";
    let before = jar(url, &["a=1", "b=1"]);
    let mut after = before.clone();
    after.absorb("b=2", &at(url), NOW);
    after.absorb("c=s3cr3t-thing", &at(url), NOW);
    let news = after.since(&before);
    let mut other = jar(url, &["a=9", "b=9"]);
    other.add(&news);
    assert_eq!(other.header(&at(url), NOW).unwrap(), "a=9; b=2; c=s3cr3t-thing");
    assert_eq!(other.secrets().last().unwrap(), "s3cr3t-thing");
}

proptest! {
    #[test]
    fn p11_jars_are_read_as_they_were_written(
        headers in prop::collection::vec("[a-c]=[!-~é]{0,5}(; (Secure|Path=/[a-z]?|Domain=x.test|Max-Age=[0-9]{1,3}))?", 0..9)
    ) {
        let mut jar = Jar::default();
        headers.iter().for_each(|header| jar.absorb(header, &at("https://a.x.test/"), NOW));
        let again = Jar::read(&jar.write());
        prop_assert_eq!(again.cookies.len(), jar.cookies.len());
        prop_assert!(again.cookies == jar.cookies);
    }

    #[test]
    fn p11_no_header_breaks_a_jar(header in "\\PC{0,80}|[a=;, \\-:0-9DomainPth]{0,80}", host in "[a-z0-9.:\\[\\]]{0,20}") {
        let from = Address { host: &host, path: "/", secure: true };
        let mut jar = Jar::default();
        jar.absorb(&header, &from, NOW);
        let again = Jar::read(&jar.write());
        prop_assert!(again.cookies == jar.cookies);
        // Whoever gets it is the host, or has it in his name.
        let other = Address { host: "evil.test", path: "/", secure: true };
        prop_assert!(host.ends_with("test") || jar.header(&other, NOW).is_none());
    }
}
