//! Cookies that are kept from one check to the next (RFC 6265, with what RFC 6265bis has made safer).

mod date;

use std::fmt;

use crate::report::mask::{is_ordinary, is_secret_name};

/// Cookies that a jar keeps; when there are more, the oldest goes.
const MOST: usize = 50;
/// Bytes of the name and the value of one (RFC 6265 §6.1).
const LONGEST: usize = 4096;
/// Bytes of all names and values: no server reads more in one header.
const ALL: usize = 16 << 10;
/// A shorter text is no session's id, if nothing else says so.
const ID: usize = 8;
/// A text of letters below this is a word like `production`, and no session's id.
const WORD: usize = 16;

/// Whom a request goes to, as far as that decides about cookies.
#[derive(Debug, Clone, Copy)]
pub struct Address<'a> {
    /// The host in lower case. Ports do not matter (RFC 6265 §8.5).
    pub host: &'a str,
    /// The path without the query.
    pub path: &'a str,
    /// Whether nobody listens on the way: it is HTTPS, or never leaves the machine.
    pub secure: bool,
}

#[derive(Clone, PartialEq)]
struct Cookie {
    name: String,
    value: String,
    domain: String,
    host_only: bool,
    path: String,
    secure: bool,
    /// In seconds since 1970; none for the end of the session, which is the end of the run.
    expires: Option<i64>,
}

/// The cookies of a flow. What it holds is never shown.
#[derive(Clone, Default, PartialEq)]
pub struct Jar {
    cookies: Vec<Cookie>,
    secrets: Vec<String>,
}

impl fmt::Debug for Jar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Jar({} cookies)", self.cookies.len())
    }
}

impl Jar {
    /// Takes in the value of a `Set-Cookie` header; what does not follow the rules is left
    /// (RFC 6265 §5.2 and §5.3). `now` is in seconds since 1970.
    pub fn absorb(&mut self, header: &str, from: &Address<'_>, now: i64) {
        let Some((cookie, http_only)) = Cookie::parse(header, from, now) else { return };
        let rivals = |known: &&Cookie| known.secure && known.name == cookie.name;
        let is_kept = |known: &Cookie| known.covers(from.host);
        // Without TLS nobody replaces what came with it (RFC 6265bis §5.7).
        if !from.secure && self.cookies.iter().filter(rivals).any(is_kept) {
            return;
        }
        let value = cookie.value.trim_matches('"');
        // A cookie that is taken back has some word in place of its value.
        if !cookie.is_over(now) && (http_only || is_secret(&cookie.name, value)) {
            self.secrets.push(value.to_owned());
        }
        let known = self.cookies.iter().position(|known| known.is_same(&cookie));
        match (known, cookie.is_over(now)) {
            (Some(index), true) => drop(self.cookies.remove(index)),
            (Some(index), false) => self.cookies[index] = cookie,
            (None, true) => {}
            (None, false) => self.cookies.push(cookie),
        }
        while self.cookies.len() > MOST || self.size() > ALL {
            self.cookies.remove(0);
        }
    }

    /// The value of the `Cookie` header of a request, if one goes with it (RFC 6265 §5.4).
    pub fn header(&self, to: &Address<'_>, now: i64) -> Option<String> {
        let mut fitting: Vec<&Cookie> = self
            .cookies
            .iter()
            .filter(|cookie| cookie.goes_to(to) && !cookie.is_over(now))
            .collect();
        fitting.sort_by_key(|cookie| std::cmp::Reverse(cookie.path.len()));
        let pairs: Vec<String> =
            fitting.iter().map(|cookie| format!("{}={}", cookie.name, cookie.value)).collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }

    /// The values that came in since it was read and must not be shown: of cookies that are
    /// `HttpOnly` or called like secrets, and those that look like ids.
    pub fn secrets(&self) -> &[String] {
        &self.secrets
    }

    /// What it has got since it was like another one.
    #[must_use]
    pub fn since(mut self, before: &Self) -> Self {
        self.cookies.retain(|cookie| !before.cookies.contains(cookie));
        self
    }

    /// Adds all of another jar, which is newer.
    pub fn add(&mut self, news: &Self) {
        self.cookies.retain(|known| !news.cookies.iter().any(|cookie| known.is_same(cookie)));
        self.cookies.extend_from_slice(&news.cookies);
        self.secrets.extend_from_slice(&news.secrets);
    }

    /// The cookies as a text, a line for each; [`Jar::read`] takes it.
    pub fn write(&self) -> String {
        let line = |cookie: &Cookie| {
            let flag = |yes: bool| if yes { "1" } else { "" };
            let expires = cookie.expires.map(|at| at.to_string()).unwrap_or_default();
            let flags = [flag(cookie.host_only), flag(cookie.secure), &expires];
            let texts = [&cookie.name, &cookie.value, &cookie.domain, &cookie.path];
            [texts.map(String::as_str).join("\t"), flags.join("\t")].join("\t")
        };
        self.cookies.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    /// A jar from its text. There are no control characters in a cookie, so that none can break it.
    pub fn read(text: &str) -> Self {
        let cookie = |line: &str| {
            let fields: Vec<&str> = line.split('\t').collect();
            let [name, value, domain, path, host_only, secure, expires] = fields[..] else {
                return None;
            };
            Some(Cookie {
                name: name.into(),
                value: value.into(),
                domain: domain.into(),
                path: path.into(),
                host_only: !host_only.is_empty(),
                secure: !secure.is_empty(),
                expires: expires.parse().ok(),
            })
        };
        Self { cookies: text.lines().filter_map(cookie).collect(), secrets: Vec::new() }
    }

    fn size(&self) -> usize {
        self.cookies.iter().map(|cookie| cookie.name.len() + cookie.value.len()).sum()
    }
}

impl Cookie {
    /// A cookie, and whether it is `HttpOnly`; nothing when it has to be left.
    fn parse(header: &str, from: &Address<'_>, now: i64) -> Option<(Self, bool)> {
        let (pair, attributes) = header.split_once(';').unwrap_or((header, ""));
        let (name, value) = pair.split_once('=')?;
        let (name, value) = (name.trim(), value.trim());
        if name.is_empty()
            || name.len() + value.len() > LONGEST
            || header.contains(char::is_control)
        {
            return None;
        }
        let (mut domain, mut path, mut expires, mut max_age) = ("", "", None, None);
        let (mut secure, mut http_only) = (false, false);
        // Of attributes that stand twice the last one counts.
        for attribute in attributes.split(';') {
            let (key, text) = attribute.split_once('=').unwrap_or((attribute, ""));
            let text = text.trim();
            match key.trim().to_ascii_lowercase().as_str() {
                "domain" => domain = text,
                "path" => path = text,
                "expires" => expires = date::parse(text).or(expires),
                "max-age" => max_age = seconds(text).or(max_age),
                "secure" => secure = true,
                "httponly" => http_only = true,
                _ => {}
            }
        }
        if domain.len() + path.len() > LONGEST || secure && !from.secure {
            return None;
        }
        let lower = name.to_ascii_lowercase();
        let is_promised = |prefix: &str| lower.starts_with(prefix);
        let host_promise = domain.is_empty() && path == "/";
        if is_promised("__secure-") && !secure
            || is_promised("__host-") && !(secure && host_promise)
        {
            return None;
        }
        let (domain, host_only) = reach(domain, from.host)?;
        let cookie = Self {
            name: name.into(),
            value: value.into(),
            domain,
            host_only,
            path: if path.starts_with('/') { path } else { folder(from.path) }.into(),
            secure,
            // Who says how long it lasts is believed before who says until when.
            expires: max_age
                .map(|age: i64| if age > 0 { now.saturating_add(age) } else { 0 })
                .or(expires),
        };
        Some((cookie, http_only))
    }

    fn is_same(&self, other: &Self) -> bool {
        let key = |c: &Self| (c.name.clone(), c.domain.clone(), c.path.clone(), c.host_only);
        key(self) == key(other)
    }

    fn is_over(&self, now: i64) -> bool {
        self.expires.is_some_and(|at| at <= now)
    }

    fn covers(&self, host: &str) -> bool {
        host == self.domain || !self.host_only && is_below(host, &self.domain)
    }

    fn goes_to(&self, to: &Address<'_>) -> bool {
        let path = if to.path.starts_with('/') { to.path } else { "/" };
        let rest = path.strip_prefix(self.path.as_str());
        let fits = rest.is_some_and(|rest| {
            rest.is_empty() || self.path.ends_with('/') || rest.starts_with('/')
        });
        fits && self.covers(to.host) && (to.secure || !self.secure)
    }
}

/// Whether a cookie must not be shown, as far as that can be told by its name and its value.
pub(crate) fn is_secret(name: &str, value: &str) -> bool {
    is_of_session(name) || is_id(value)
}

/// Whether a name says that the value is secret: `sid`, `JSESSIONID`, `connect.sid`.
fn is_of_session(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    lower.ends_with("sid") || lower.contains("sess") || is_secret_name(name)
}

/// Whether a value looks like an id that nobody guesses, and not like a word, number, version or date.
fn is_id(value: &str) -> bool {
    let has = |kind: fn(&u8) -> bool| value.bytes().any(|byte| kind(&byte));
    let is_mixed = has(u8::is_ascii_alphabetic) && has(u8::is_ascii_digit);
    (value.len() >= ID && is_mixed || value.len() >= WORD) && !is_ordinary(value)
}

/// The domain of a cookie and whether it is for that host alone; nothing when the host may not
/// speak for the domain. There is no list of public suffixes here: a domain needs two labels.
fn reach(domain: &str, host: &str) -> Option<(String, bool)> {
    let domain = domain.strip_prefix('.').unwrap_or(domain).to_ascii_lowercase();
    let is_single = |name: &str| !name.contains('.') || is_numeric(name);
    match domain.as_str() {
        "" => Some((host.into(), true)),
        own if own == host => Some((domain, is_single(host))),
        wide if !is_single(host) && !is_single(wide) && is_below(host, wide) => {
            Some((domain, false))
        }
        _ => None,
    }
}

/// Whether a host is below a domain of whole labels.
fn is_below(host: &str, domain: &str) -> bool {
    let is_whole = domain.split('.').all(|label| !label.is_empty());
    is_whole && host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
}

/// Whether it is an address of IPv4 or IPv6, and no name.
fn is_numeric(host: &str) -> bool {
    let last = host.rsplit('.').next().unwrap_or_default();
    host.contains(':') || last.bytes().all(|byte| byte.is_ascii_digit())
}

/// The path of a cookie that names none (RFC 6265 §5.1.4).
fn folder(path: &str) -> &str {
    match path.rfind('/') {
        Some(end) if end > 0 && path.starts_with('/') => &path[..end],
        _ => "/",
    }
}

/// `Max-Age`, in seconds (RFC 6265 §5.2.2); of one that is longer than any number, the longest.
fn seconds(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(if text.starts_with('-') { 0 } else { i64::MAX }))
}

#[cfg(test)]
#[path = "cookies_tests.rs"]
mod tests;
