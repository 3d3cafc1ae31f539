//! Names from outside: versions, services, environments. They end up in argument lists, folders,
//! headers and logs, so each is checked once and then has a type.

use std::fmt;
use std::str::FromStr;

/// The longest version. Image tags have at most 128 characters too.
const LONGEST_VERSION: usize = 128;
/// The longest name of a service or environment.
const LONGEST_NAME: usize = 64;

/// A release's version: safe as one argument, one folder name and one header value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version(String);

/// The name of a service or an environment: safe as a folder name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name(String);

impl Version {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Name {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Version {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        check("a version", text, LONGEST_VERSION, "._+-:@~").map(|()| Self(text.into()))
    }
}

impl FromStr for Name {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        check("a name", text, LONGEST_NAME, "._-").map(|()| Self(text.into()))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Every message shows the text quoted, so that nothing in it reaches a terminal.
fn check(what: &str, text: &str, longest: usize, marks: &str) -> Result<(), String> {
    let length = text.chars().count();
    if length == 0 {
        return Err(format!("{what} is empty"));
    }
    if length > longest {
        let start: String = text.chars().take(20).collect();
        return Err(format!(
            "{what} has at most {longest} characters; {start:?}… has {length} of them"
        ));
    }
    if let Some(wrong) = text.chars().find(|c| !c.is_ascii_alphanumeric() && !marks.contains(*c)) {
        let why = match wrong {
            '/' | '\\' => "a path separator".to_owned(),
            c if c.is_control() => format!("the control character {c:?}"),
            c => format!("{c:?}"),
        };
        return Err(format!("{text:?} has {why} in it; {what} has letters, digits and {marks}"));
    }
    // A leading dash would be read as a flag, a leading dot could be the folder above.
    if !text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_') {
        return Err(format!("{text:?} begins with a mark; {what} begins with a letter or digit"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn usual_versions_are_accepted() {
        for version in ["v1", "1.2.3-rc.1+build.5", "0f3a9c", "sha256:12ab", "2026-11-21", "1~beta"]
        {
            assert_eq!(version.parse::<Version>().unwrap().as_str(), version);
        }
        "shop-eu_1".parse::<Name>().unwrap();
    }

    #[test]
    fn hostile_versions_are_refused_with_the_reason() {
        for (version, reason) in [
            ("", "empty"),
            ("../../etc/passwd", "path separator"),
            ("a\\b", "path separator"),
            ("..", "begins with"),
            ("-rf", "begins with"),
            ("v1\n::set-output name=x::y", "control character"),
            ("v1\u{0}", "control character"),
            ("\u{202e}1v", "letters, digits"),
            ("$(reboot)", "letters, digits"),
            ("v 1", "letters, digits"),
            ("{{port}}", "letters, digits"),
            (&"9".repeat(129), "at most 128"),
        ] {
            let why = version.parse::<Version>().unwrap_err();
            assert!(why.contains(reason), "{why}");
            assert!(!why.chars().any(char::is_control), "{why:?}");
        }
        assert!("a/b".parse::<Name>().is_err() && ".".parse::<Name>().is_err());
    }

    proptest! {
        #[test]
        fn what_is_accepted_is_one_harmless_word(text in ".{0,140}") {
            if let Ok(version) = text.parse::<Version>() {
                let version = version.as_str();
                prop_assert!(version.len() <= 128 && !version.is_empty());
                prop_assert!(!version.starts_with(['-', '.']));
                let harmful = ['/', '\\', ' ', '\n', '$', '`', '{'];
                prop_assert!(!version.contains(harmful));
            }
        }
    }
}
