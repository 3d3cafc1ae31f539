//! The pieces of an HTML page: texts and tags, after the tokenization of the HTML standard (WHATWG
//! HTML, 13.2.5), as far as it takes to tell text from markup. Anything is read, as browsers read
//! anything, in one pass.

/// Named references that are replaced; of all others the text stays as it is.
const ENTITIES: [(&str, &str); 16] = [
    ("amp", "&"),
    ("lt", "<"),
    ("gt", ">"),
    ("quot", "\""),
    ("apos", "'"),
    ("nbsp", " "),
    ("copy", "©"),
    ("reg", "®"),
    ("trade", "™"),
    ("hellip", "…"),
    ("ndash", "–"),
    ("mdash", "—"),
    ("laquo", "«"),
    ("raquo", "»"),
    ("middot", "·"),
    ("times", "×"),
];

/// A piece of a page.
pub(super) enum Token<'a> {
    /// Text, not decoded yet.
    Text(&'a str),
    /// The name in small letters, and the text of the attributes.
    Start(String, &'a str),
    /// The name in small letters.
    End(String),
}

/// The next token and what is behind it; comments and declarations are no tokens.
pub(super) fn token(text: &str) -> Option<(Token<'_>, &str)> {
    let mut rest = text;
    loop {
        let at = rest.find('<').unwrap_or(rest.len());
        if at > 0 {
            return Some((Token::Text(&rest[..at]), &rest[at..]));
        }
        let inner = rest.strip_prefix('<')?;
        let is_letter = |text: &str| text.starts_with(|c: char| c.is_ascii_alphabetic());
        if let Some(comment) = inner.strip_prefix("!--") {
            rest = behind_comment(comment);
        } else if let Some(name) = inner.strip_prefix('/').filter(|name| is_letter(name)) {
            let (tag, behind) = tag(name);
            return Some((Token::End(tag.0), behind));
        } else if is_letter(inner) {
            let ((name, attributes), behind) = tag(inner);
            return Some((Token::Start(name, attributes), behind));
        } else if inner.starts_with(['!', '?', '/']) {
            rest = inner.split_once('>').map_or("", |(_, behind)| behind);
        } else {
            return Some((Token::Text("<"), inner));
        }
    }
}

fn behind_comment(comment: &str) -> &str {
    if let Some(behind) = [">", "->"].iter().find_map(|end| comment.strip_prefix(end)) {
        return behind;
    }
    let is_end = |at: &usize| {
        let inner = &comment[..*at];
        inner.strip_suffix('!').unwrap_or(inner).ends_with("--")
    };
    let end = comment.match_indices('>').map(|(at, _)| at).find(is_end);
    end.map_or("", |at| &comment[at + 1..])
}

/// The name and the attributes of a tag, and what is behind it. A `>` in quotes does not end it.
fn tag(text: &str) -> ((String, &str), &str) {
    let end = text.find(|c: char| c.is_ascii_whitespace() || c == '/' || c == '>');
    let (name, rest) = text.split_at(end.unwrap_or(text.len()));
    let mut quote = None;
    let mut before = ' ';
    for (at, c) in rest.char_indices() {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if c == '>' => {
                return ((name.to_ascii_lowercase(), &rest[..at]), &rest[at + 1..]);
            }
            // Only behind a = is it one.
            None if matches!(c, '"' | '\'') && before == '=' => quote = Some(c),
            None => {}
        }
        if !c.is_ascii_whitespace() {
            before = c;
        }
    }
    // A tag without an end is dropped with all that is behind it.
    ((name.to_ascii_lowercase(), rest), "")
}

/// The content of an element that has nothing but text, and what begins with its end.
pub(super) fn raw<'a>(text: &'a str, name: &str) -> (&'a str, &'a str) {
    let is_end = |at: usize| {
        let rest = &text.as_bytes()[at + 2..];
        let (own, behind) = rest.split_at_checked(name.len()).unwrap_or((rest, &[]));
        own.eq_ignore_ascii_case(name.as_bytes())
            && behind.first().is_none_or(|c| c.is_ascii_whitespace() || matches!(c, b'/' | b'>'))
    };
    let end = text.match_indices("</").map(|(at, _)| at).find(|at| is_end(*at));
    text.split_at(end.unwrap_or(text.len()))
}

/// The value of an attribute, decoded: the first one of that name.
pub(super) fn attribute(attributes: &str, wanted: &str) -> Option<String> {
    let mut rest = attributes;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '/');
        if rest.is_empty() {
            return None;
        }
        let end = |c: char| c.is_ascii_whitespace() || matches!(c, '=' | '/');
        // A = at the beginning belongs to the name.
        let first = rest.chars().next().map_or(0, char::len_utf8);
        let at = rest[first..].find(end).map_or(rest.len(), |at| at + first);
        let (name, behind) = rest.split_at(at);
        let (value, behind) = match behind.trim_start().strip_prefix('=') {
            Some(value) => value_of(value.trim_start()),
            None => ("", behind),
        };
        if name.eq_ignore_ascii_case(wanted) {
            return Some(decode(value));
        }
        rest = behind;
    }
}

fn value_of(text: &str) -> (&str, &str) {
    match text.chars().next().filter(|c| matches!(c, '"' | '\'')) {
        Some(quote) => text[1..].split_once(quote).unwrap_or((&text[1..], "")),
        None => text.split_at(text.find(|c: char| c.is_ascii_whitespace()).unwrap_or(text.len())),
    }
}

/// A text with its references replaced.
pub(super) fn decode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        let inner = &rest[at + 1..];
        let name = |c: char| c.is_ascii_alphanumeric() || c == '#';
        let end = inner.find(|c| !name(c)).unwrap_or(inner.len());
        let behind = inner[end..].strip_prefix(';');
        match behind.and_then(|behind| Some((reference(&inner[..end])?, behind))) {
            Some((replaced, behind)) => {
                out.push_str(&replaced);
                rest = behind;
            }
            None => {
                out.push('&');
                rest = inner;
            }
        }
    }
    out.push_str(rest);
    out
}

fn reference(name: &str) -> Option<String> {
    let number = |digits: &str, radix| u32::from_str_radix(digits, radix).ok();
    let code = match name.strip_prefix('#') {
        Some(digits) => match digits.strip_prefix(['x', 'X']) {
            Some(digits) => number(digits, 16),
            None => number(digits, 10),
        }?,
        None => {
            let known = ENTITIES.iter().find(|(known, _)| *known == name);
            return known.map(|(_, text)| (*text).to_owned());
        }
    };
    Some(char::from_u32(code).filter(|c| *c != '\0').unwrap_or('\u{fffd}').to_string())
}
