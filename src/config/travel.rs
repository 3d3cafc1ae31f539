//! The configuration as it travels to a host: without the keys that stay with the caller, and with
//! the names of the variables that the rest needs.

use std::collections::BTreeSet;

use granit_parser::{Event, Parser};

use super::Loaded;
use super::interpolate::{Mistake, names};
use crate::exit::Fault;

/// The keys that stay: how the host is reached, and who is told with whose credentials.
const STAYS: [&str; 7] = ["host", "hosts", "batch", "ssh", "upload", "notify", "incident"];

/// What travels of a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Portable {
    /// The text with its references, its lines where they were.
    pub text: String,
    /// The variables that it refers to.
    pub names: BTreeSet<String>,
}

impl Loaded {
    /// What travels of this configuration.
    ///
    /// # Errors
    /// [`Fault`] with exit code 2 when what stays cannot be told from what travels.
    pub fn portable(&self) -> anyhow::Result<Portable> {
        let fault = |mistake: Mistake| {
            let Mistake { line, message, hint } = mistake;
            Fault::usage(format!("{}:{line}: {message}", self.file)).hint(hint)
        };
        let (marked, _) = names(&self.text).map_err(fault)?;
        let keys = keys(&marked).ok_or_else(|| {
            Fault::usage(format!("{}: with `host`, each key needs a line of its own", self.file))
                .hint("write `key: value` lines, not one { … } around all of them")
        })?;
        let stays = |line: usize| {
            let of = keys.iter().rev().find(|(_, from)| *from <= line);
            of.is_some_and(|(key, _)| STAYS.contains(&key.as_str()))
        };
        let lines = self.text.split_inclusive('\n').enumerate();
        let text: String =
            lines.map(|(index, line)| if stays(index + 1) { "\n" } else { line }).collect();
        let (_, names) = names(&text).map_err(fault)?;
        Ok(Portable { text, names })
    }
}

/// The keys of the outermost map with their lines, from 1; none when it is written in braces.
fn keys(marked: &str) -> Option<Vec<(String, usize)>> {
    let (mut keys, mut depth, mut is_key) = (Vec::new(), 0_usize, true);
    for (event, span) in Parser::new_from_str(marked).map_while(Result::ok) {
        let outermost = depth == 1;
        match event {
            Event::MappingStart(..) | Event::SequenceStart(..) => {
                if depth == 0 && marked.chars().nth(span.start.index()) == Some('{') {
                    return None;
                }
                depth += 1;
            }
            Event::MappingEnd | Event::SequenceEnd => depth = depth.saturating_sub(1),
            Event::Scalar(value, ..) if outermost && is_key => {
                keys.push((value.into_owned(), span.start.line()));
                is_key = false;
                continue;
            }
            Event::Scalar(..) | Event::Alias(_) => {}
            _ => continue,
        }
        // Whatever ends at this level was a value.
        is_key |= depth == 1;
    }
    let apart = keys.windows(2).all(|pair| pair[0].1 < pair[1].1);
    apart.then_some(keys)
}

#[cfg(test)]
mod tests {
    use super::super::parse;

    const WHOLE: &str = "\
# who
version: 1
service: shop
host: ssh://deploy@${VM}
ssh:
  key: \"${DEPLOY_KEY}\"
  known-hosts: |
    vm ssh-ed25519 ${HOST_KEY}
checks:
  - url: https://a.test/${PATH_OF:-x}
    headers: { A: \"${TOKEN}\" }   # ssh: ${NOT_THIS}
notify: [file]
deploy: [./ship.sh, \"${TOKEN}\"]
upload: [ship.sh]
";

    fn loaded(text: &str) -> crate::config::Loaded {
        parse("waveoff.yml", text, |name| Some(format!("value-of-{name}"))).unwrap()
    }

    #[test]
    fn d11_what_stays_is_gone_and_no_line_moves() {
        let portable = loaded(WHOLE).portable().unwrap();
        let names: Vec<&str> = portable.names.iter().map(String::as_str).collect();
        assert_eq!(names, ["NOT_THIS", "PATH_OF", "TOKEN"]);
        let lines: Vec<&str> = portable.text.lines().collect();
        assert_eq!(lines.len(), WHOLE.lines().count());
        assert_eq!(lines[3..8], [""; 5]);
        assert_eq!(lines[8..13].join("\n"), {
            let whole: Vec<&str> = WHOLE.lines().collect();
            whole[8..13].join("\n").replace("notify: [file]", "")
        });
        assert!(!portable.text.contains("DEPLOY_KEY"));
        let there = parse("waveoff.yml", &portable.text, |_| Some("x".into())).unwrap();
        assert!(there.config.host.is_none() && there.config.deploy.is_some());
        assert_eq!(there.portable().unwrap().text, portable.text);
    }

    #[test]
    fn d11_what_cannot_be_told_apart_does_not_travel() {
        for text in ["{ version: 1, host: ssh://vm }\n", "{\nversion: 1,\nhost: ssh://vm\n}\n"] {
            assert!(loaded(text).portable().is_err(), "{text}");
        }
    }
}
