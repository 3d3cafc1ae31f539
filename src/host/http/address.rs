//! Addresses: whose they are, and where a redirect leads.

use ureq::http::Uri;

/// Scheme, host and port: to another one no header goes.
pub(in crate::host) fn origin(uri: &Uri) -> (Option<String>, Option<String>, u16) {
    let default = if uri.scheme_str() == Some("https") { 443 } else { 80 };
    let lower = |text: &str| text.to_ascii_lowercase();
    (uri.scheme_str().map(lower), uri.host().map(lower), uri.port_u16().unwrap_or(default))
}

/// An address whose request line asks for a path: `/` is meant where it has none (RFC 9112 §3.2.1),
/// even before a query, of which the library would make `GET ?query`.
pub(in crate::host) fn parse(text: &str) -> Option<Uri> {
    let uri: Uri = text.parse().ok()?;
    match uri.path_and_query().is_some_and(|path| path.as_str().starts_with('?')) {
        true => uri.to_string().parse().ok(),
        false => Some(uri),
    }
}

/// Whether two addresses have one origin. Where something is still to be filled in before their paths,
/// only those that are written alike have.
pub(crate) fn same_origin(one: &str, other: &str) -> bool {
    let base = |url: &str| {
        let rest = url.find("://").map_or(0, |at| at + 3);
        let end = url[rest..].find(['/', '?', '#']).map_or(url.len(), |at| rest + at);
        url[..end].to_owned()
    };
    let (one, other) = (base(one), base(other));
    let origins = (one.parse::<Uri>(), other.parse::<Uri>());
    one == other || matches!(origins, (Ok(a), Ok(b)) if origin(&a) == origin(&b))
}

/// Whether a way from one address to another begins with TLS and ends without.
pub(super) fn leaves_tls(from: &Uri, to: &Uri) -> bool {
    from.scheme_str() == Some("https") && to.scheme_str() != Some("https")
}

/// The address that a `Location` means (RFC 3986 §5.2, without dot segments, which servers resolve).
pub(super) fn join(base: &Uri, location: &str) -> Option<Uri> {
    let scheme = base.scheme_str()?;
    let authority = base.authority()?;
    let whole = if let Some(other) = scheme_of(location) {
        if !matches!(other.to_ascii_lowercase().as_str(), "http" | "https") {
            return None;
        }
        location.to_owned()
    } else if let Some(rest) = location.strip_prefix("//") {
        format!("{scheme}://{rest}")
    } else if location.starts_with('/') {
        format!("{scheme}://{authority}{location}")
    } else if location.starts_with('?') {
        format!("{scheme}://{authority}{}{location}", base.path())
    } else {
        let folder = base.path().rsplit_once('/').map_or("", |(folder, _)| folder);
        format!("{scheme}://{authority}{folder}/{location}")
    };
    let without_fragment = whole.split('#').next()?;
    parse(without_fragment)
}

/// The scheme of an address that has one (RFC 3986 §3.1).
fn scheme_of(location: &str) -> Option<&str> {
    let (scheme, _) = location.split_once(':')?;
    let inner = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
    (scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.chars().all(inner))
        .then_some(scheme)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(base: &str, location: &str) -> String {
        join(&base.parse().unwrap(), location).map(|uri| uri.to_string()).unwrap_or_default()
    }

    #[test]
    fn p6_locations_are_resolved() {
        for (location, wanted) in [
            ("/login", "http://a.test:8080/login"),
            ("login?x=1#top", "http://a.test:8080/one/login?x=1"),
            ("?page=2", "http://a.test:8080/one/two?page=2"),
            ("//b.test/x", "http://b.test/x"),
            ("https://b.test/x", "https://b.test/x"),
        ] {
            assert_eq!(joined("http://a.test:8080/one/two", location), wanted, "{location}");
        }
    }

    #[test]
    fn p7_an_address_without_a_path_asks_for_one() {
        for (address, path) in [
            ("ws://a.test:1?room=1", "/?room=1"),
            ("http://a.test?x=/y", "/?x=/y"),
            ("http://a.test", "/"),
            ("http://a.test/one?x=%20", "/one?x=%20"),
        ] {
            let uri = parse(address).unwrap();
            assert_eq!(uri.path_and_query().unwrap().as_str(), path, "{address}");
        }
        let next = join(&"http://a.test/".parse().unwrap(), "http://b.test?x=1").unwrap();
        assert_eq!(next.path_and_query().unwrap().as_str(), "/?x=1");
    }

    #[test]
    fn x4_an_origin_is_scheme_host_and_port() {
        for (one, other, same) in [
            ("http://a.test/x", "HTTP://A.test:80?y", true),
            ("https://a.test", "https://a.test:443/", true),
            ("http://a.test/", "https://a.test/", false),
            ("http://a.test/", "http://a.test:81/", false),
            ("http://a.test/", "http://b.test/", false),
            ("http://{{host}}/{{x}}", "http://{{host}}/y", true),
            ("http://{{host}}/", "http://{{Host}}/", false),
            ("http://a.test{{x}}", "http://a.test/", false),
        ] {
            assert_eq!(same_origin(one, other), same, "{one} {other}");
        }
    }

    #[test]
    fn d2_a_redirect_out_of_tls_is_known() {
        let leaves = |location: &str| {
            let from: Uri = "https://a.test/x".parse().unwrap();
            leaves_tls(&from, &join(&from, location).unwrap())
        };
        assert!(leaves("http://a.test/x") && leaves("HTTP://127.0.0.1/x"));
        assert!(!leaves("https://b.test/x") && !leaves("HTTPS://b.test/x") && !leaves("//b.test"));
    }

    #[test]
    fn another_port_or_scheme_is_another_origin() {
        let origin = |text: &str| origin(&text.parse().unwrap());
        assert_eq!(origin("http://A.test/x"), origin("http://a.test:80/y"));
        for other in ["https://a.test/", "http://a.test:81/", "http://b.test/"] {
            assert_ne!(origin("http://a.test/"), origin(other), "{other}");
        }
    }
}
