//! Variables in a Compose file, as Compose replaces them.

/// The text with its variables replaced; one that nobody knows stays as it is written.
pub(super) fn expand(text: &str, look_up: &dyn Fn(&str) -> Option<String>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let behind = &rest[at + 1..];
        if let Some(after) = behind.strip_prefix('$') {
            out.push('$');
            rest = after;
            continue;
        }
        let (whole, value) = match behind.strip_prefix('{').and_then(inner) {
            Some(inner) => (inner.len() + 2, braced(inner, look_up)),
            None => {
                let name = word(behind);
                (name.len(), look_up(name).filter(|_| !name.is_empty()))
            }
        };
        match value {
            Some(value) => out.push_str(&value),
            None => out.push_str(&rest[at..=at + whole]),
        }
        rest = &behind[whole..];
    }
    out.push_str(rest);
    out
}

/// The variables of an environment file, as far as they are plain.
pub(super) fn variables(text: &str) -> Vec<(String, String)> {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    let pair = |line: &str| {
        let (name, value) = line.strip_prefix("export ").unwrap_or(line).split_once('=')?;
        let value = value.trim();
        let quoted = |mark: char| value.strip_prefix(mark).and_then(|v| v.strip_suffix(mark));
        let value = quoted('"').or_else(|| quoted('\'')).unwrap_or(value);
        Some((name.trim().to_owned(), value.to_owned()))
    };
    lines.filter_map(pair).collect()
}

/// What stands up to the brace that closes.
fn inner(text: &str) -> Option<&str> {
    let mut depth = 1_usize;
    for (at, c) in text.char_indices() {
        depth = match c {
            '{' => depth + 1,
            '}' => depth - 1,
            _ => depth,
        };
        if depth == 0 {
            return Some(&text[..at]);
        }
    }
    None
}

fn braced(inner: &str, look_up: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let name = word(inner);
    let known = look_up(name);
    let default = |text: &str| Some(expand(text, look_up));
    match &inner[name.len()..] {
        "" => known,
        rest if rest.starts_with(":-") => {
            known.filter(|known| !known.is_empty()).or_else(|| default(&rest[2..]))
        }
        rest if rest.starts_with('-') => known.or_else(|| default(&rest[1..])),
        rest if rest.starts_with(":+") => {
            known.filter(|known| !known.is_empty()).and_then(|_| default(&rest[2..]))
        }
        _ => known,
    }
}

fn word(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    &text[..end.unwrap_or(text.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_replaced_as_compose_does() {
        let set = |name: &str| match name {
            "PORT" => Some("80".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        };
        for (text, wanted) in [
            ("${PORT}:8080", "80:8080"),
            ("$PORT:8080", "80:8080"),
            ("${NOPE:-81}:8080", "81:8080"),
            ("${NOPE-81}${EMPTY-82}", "81"),
            ("${EMPTY:-82}", "82"),
            ("${NOPE:-${PORT}}", "80"),
            ("${PORT:?must be set}", "80"),
            ("${NOPE:?must be set}", "${NOPE:?must be set}"),
            ("${NOPE}", "${NOPE}"),
            ("$$PORT", "$PORT"),
            ("a$", "a$"),
            ("${PORT", "${PORT"),
        ] {
            assert_eq!(expand(text, &set), wanted, "{text}");
        }
    }

    #[test]
    fn an_environment_file_is_read_as_far_as_it_is_plain() {
        let text = "# no=1\nA=1\nexport B='2 3'\n C = \"4\"\nnothing\n";
        let wanted = [("A", "1"), ("B", "2 3"), ("C", "4")];
        assert_eq!(variables(text), wanted.map(|(n, v)| (n.to_owned(), v.to_owned())));
    }
}
