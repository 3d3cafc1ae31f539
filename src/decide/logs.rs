//! Lines of a log that look like errors.

use std::time::Duration;

use regex::Regex;

use super::state::{Hopeless, State};
use super::verdict::Verdict;
use super::words::{count, shorten};

/// What errors look like in the logs of most programs. Words stand alone and in capitals, so that
/// `errors=0` and `"error": null` are none.
const USUAL: &[&str] = &[
    r"\b(?:ERROR|FATAL|CRITICAL|SEVERE|PANIC|EMERG)\b",
    r"\bpanicked at\b|\bpanic:|\bfatal error:",
    r"\bTraceback \(most recent call last\)",
    r"\b\w*Exception\b|\b[A-Z]\w*Error:",
    r#"(?i-u)"(?:level|lvl|severity|levelname|log\.level)"\s*:\s*"(?:err|error|fatal|crit|critical|panic|alert|emerg|emergency)""#,
    // The numbers of bunyan and pino.
    r#""level"\s*:\s*(?:50|60)\b"#,
    r#"(?i-u)\b(?:level|lvl|severity)=["']?(?:err|error|fatal|crit|critical|panic|alert|emerg)\b"#,
    r"(?i-u)\[(?:error|fatal|crit|critical|alert|emerg|panic)\]",
];

/// Lines that are kept to be shown, and characters of each.
const SHOWN: usize = 20;
const WIDTH: usize = 300;

const WANTED: &str = "no errors since its start";

/// What is an error, and what is not although it looks like one.
#[derive(Debug, Clone)]
pub struct Patterns {
    errors: Vec<Regex>,
    except: Vec<Regex>,
}

/// A log: whose, what stands there, and whether its beginning is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// Whose it is, in words.
    pub of: String,
    /// Its text.
    pub text: String,
    /// How many bytes of its end were read, if that is not all.
    pub cut: Option<usize>,
}

/// What a look at logs comes to.
#[derive(Debug, Clone, PartialEq)]
pub struct Looked {
    /// How they are.
    pub state: State,
    /// The first lines that look like errors, shortened.
    pub lines: Vec<String>,
}

impl Patterns {
    /// The usual errors or one's own, with exceptions.
    ///
    /// # Errors
    /// Which is no regular expression.
    pub fn new(errors: Option<&[String]>, except: &[String]) -> Result<Self, String> {
        let own = |text: &String| {
            Regex::new(text)
                .map_err(|error| format!("`{text}` is not a regular expression: {error}"))
        };
        let usual = || USUAL.iter().map(|text| Regex::new(text).map_err(|why| why.to_string()));
        Ok(Self {
            errors: match errors {
                Some(list) => list.iter().map(own).collect::<Result<_, _>>()?,
                None => usual().collect::<Result<_, _>>()?,
            },
            except: except.iter().map(own).collect::<Result<_, _>>()?,
        })
    }

    fn is_error(&self, line: &str) -> bool {
        self.errors.iter().any(|error| error.is_match(line))
            && !self.except.iter().any(|except| except.is_match(line))
    }
}

/// Whether errors stand in logs that could all be read.
pub fn judge(logs: &[Log], patterns: &Patterns) -> Looked {
    let mut lines = Vec::new();
    let (mut errors, mut read) = (0, 0);
    let mut warnings = Vec::new();
    for log in logs {
        for line in log.text.lines() {
            read += 1;
            if patterns.is_error(line) {
                errors += 1;
                if lines.len() < SHOWN {
                    lines.push(shorten(line.trim(), WIDTH));
                }
            }
        }
        if let Some(bytes) = log.cut {
            warnings.push(format!("only the last {bytes} bytes of {} were read", log.of));
        }
        if log.text.trim().is_empty() {
            warnings.push(format!("{} has written nothing", log.of));
        }
    }
    let first = lines.first().map(|line| shorten(line, 160)).unwrap_or_default();
    let (verdict, found) = match (logs.is_empty(), errors) {
        (true, _) => (Verdict::Inconclusive, "there was no log to read".to_owned()),
        (false, 0) => (Verdict::Pass, format!("no errors in {}", count(read, "line"))),
        (false, _) => {
            let which = count(errors, "line");
            let look = if errors == 1 { "looks like an error" } else { "look like errors" };
            (Verdict::Fail, format!("{which} of {read} {look}: {first}"))
        }
    };
    // What is written stays written.
    let terminal = (verdict == Verdict::Fail).then(|| Hopeless::Settled(found.clone()));
    let (code, elapsed) = (None, Duration::ZERO);
    let state = State { verdict, wanted: WANTED, found, warnings, terminal, code, elapsed };
    Looked { state, lines }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(text: &str) -> Log {
        Log { of: "container web".into(), text: text.into(), cut: None }
    }

    fn is_error(line: &str) -> bool {
        Patterns::new(None, &[]).unwrap().is_error(line)
    }

    #[test]
    fn p14_errors_as_programs_write_them() {
        for line in [
            "2026-01-01 12:00:00 ERROR db: no connection",
            "FATAL:  the database system is starting up",
            "panic: runtime error: index out of range",
            "thread 'main' panicked at src/main.rs:3:5:",
            "Traceback (most recent call last):",
            "java.lang.NullPointerException: x",
            "Exception in thread \"main\"",
            "Uncaught TypeError: x is not a function",
            r#"{"level":"error","msg":"x"}"#,
            r#"{"time":1,"severity": "CRITICAL"}"#,
            r#"{"level":50,"msg":"x"}"#,
            "time=x level=error msg=y",
            "time=x level=\"fatal\" msg=y",
            "2026/01/01 12:00:00 [error] 7#7: *1 open() failed",
        ] {
            assert!(is_error(line), "{line}");
        }
    }

    #[test]
    fn p14_what_only_sounds_like_errors() {
        for line in [
            "finished: errors=0 warnings=2",
            "ERROR_COUNT=0",
            "0 errors",
            r#"{"level":"info","error":null,"errors":0}"#,
            r#"{"level":"warning"}"#,
            r#"{"level":500}"#,
            "level=info msg=\"no errors\"",
            "GET /error 200",
            "loaded ErrorHandler and ExceptionMapper",
            "terror, TERRORS",
            "don't panic",
            "",
        ] {
            assert!(!is_error(line), "{line}");
        }
    }

    #[test]
    fn p14_own_patterns_and_exceptions() {
        let own = |errors: &[&str], except: &[&str]| {
            let list = |all: &[&str]| all.iter().map(|text| (*text).into()).collect::<Vec<_>>();
            Patterns::new(Some(list(errors)).filter(|l| !l.is_empty()).as_deref(), &list(except))
        };
        let text = log("ERROR: a\nERROR: known\nkaputt\n");
        let errors = |patterns: &Patterns| judge(std::slice::from_ref(&text), patterns).lines;
        assert_eq!(errors(&own(&[], &["known"]).unwrap()), ["ERROR: a"]);
        assert_eq!(errors(&own(&["^kaputt"], &[]).unwrap()), ["kaputt"]);
        assert!(own(&["("], &[]).unwrap_err().contains("not a regular expression"));
    }

    #[test]
    fn p14_what_logs_come_to() {
        let usual = Patterns::new(None, &[]).unwrap();
        let look = |logs: &[Log]| judge(logs, &usual).state;
        let good = look(&[log("ready\nserving\n")]);
        assert_eq!((good.verdict, good.found.as_str()), (Verdict::Pass, "no errors in 2 lines"));
        let bad = look(&[log("ready\n"), log("x\nERROR: a\nERROR: b\n")]);
        assert_eq!(bad.found, "2 lines of 4 look like errors: ERROR: a");
        assert!(matches!(bad.terminal, Some(Hopeless::Settled(_))));
        let empty = look(&[log("")]);
        assert_eq!(empty.verdict, Verdict::Pass);
        assert_eq!(empty.warnings, ["container web has written nothing"]);
        let cut = look(&[Log { cut: Some(1 << 20), ..log("x\n") }]);
        assert_eq!(cut.warnings, ["only the last 1048576 bytes of container web were read"]);
        assert_eq!(look(&[]).verdict, Verdict::Inconclusive, "nothing was observed");
        let many = "ERROR: x\n".repeat(1000);
        assert_eq!(judge(&[log(&many)], &usual).lines.len(), SHOWN);
    }
}
