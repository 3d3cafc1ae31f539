//! What the cookies of a flow have to do with a request and its answer.

use ureq::http::{Response, Uri, header::SET_COOKIE};

use super::is_loopback;
use crate::decide::cookies::{Address, Jar};
use crate::host::clock;

/// The `Cookie` header for an address.
pub(super) fn header(jar: &Jar, uri: &Uri) -> Option<String> {
    with(uri, |address| jar.header(address, now()))
}

/// Takes in what an answer of an address sets; what is no text is left.
pub(super) fn absorb(jar: &mut Jar, answer: &Response<ureq::Body>, uri: &Uri) {
    let told = answer.headers().get_all(SET_COOKIE).iter();
    let texts = told.filter_map(|value| std::str::from_utf8(value.as_bytes()).ok());
    with(uri, |address| texts.for_each(|text| jar.absorb(text, address, now())));
}

fn with<T>(uri: &Uri, act: impl FnOnce(&Address<'_>) -> T) -> T {
    let host = uri.host().unwrap_or_default().to_ascii_lowercase();
    // Nobody stands between two ends of one machine; browsers take that for secure, too.
    let secure = uri.scheme_str() == Some("https") || is_loopback(&host);
    act(&Address { host: &host, path: uri.path(), secure })
}

/// In seconds since 1970.
fn now() -> i64 {
    (clock::unix_ms() / 1000) as i64
}
