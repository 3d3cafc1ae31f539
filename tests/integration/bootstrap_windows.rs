//! `bootstrap/*.ps1`: PowerShell runs them where releases are tested; here they are read.

use std::fs;
use std::path::Path;

const SCRIPTS: [&str; 3] = ["install.ps1", "obtain.ps1", "run.ps1"];

fn bootstrap(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("bootstrap").join(name)).unwrap()
}

/// A script without its comments and what its strings say; or where it is not whole.
fn code(text: &str) -> Result<String, String> {
    let mut code = String::new();
    let mut open = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let at = |what: &str| format!("line {}: {what}", number + 1);
        let mut chars = line.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '#' => break,
                '\'' | '"' => {
                    // A quote that is doubled ends one string and begins the next.
                    loop {
                        match chars.next().ok_or_else(|| at("a string without an end"))? {
                            '`' if c == '"' => drop(chars.next()),
                            end if end == c => break,
                            _ => {}
                        }
                    }
                    code.push(c);
                }
                '`' if chars.peek().is_some() => return Err(at("` is not the end")),
                '(' | '{' | '[' => open.push((c, number + 1)),
                ')' | '}' | ']' => match (open.pop(), c) {
                    (Some(('(', _)), ')') | (Some(('{', _)), '}') | (Some(('[', _)), ']') => {}
                    (before, _) => return Err(at(&format!("{c} after {before:?}"))),
                },
                _ => {}
            }
            if !matches!(c, '\'' | '"') {
                code.push(c);
            }
        }
        code.push('\n');
    }
    if open.is_empty() { Ok(code) } else { Err(format!("never closed: {open:?}")) }
}

#[test]
fn c4_the_reader_of_scripts_finds_what_is_not_whole() {
    assert_eq!(code("a 'b (' \"c`\" \" # {\n").unwrap(), "a ' \" \n");
    for broken in ["(", ")", "(}", "'a", "\"a`\"", "{\n[\n}\n]", "a ` b"] {
        assert!(code(broken).is_err(), "{broken}");
    }
}

#[test]
fn c4_the_scripts_for_windows_are_whole_and_run_no_text() {
    for name in SCRIPTS {
        let text = bootstrap(name);
        assert!(text.is_ascii(), "{name}: Windows PowerShell 5.1 reads something else");
        let code = code(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let words: Vec<_> = code.split(|c: char| !c.is_ascii_alphanumeric() && c != '-').collect();
        for word in ["Invoke-Expression", "iex", "Invoke-Command", "icm", "Set-Alias"] {
            assert!(!words.iter().any(|found| found.eq_ignore_ascii_case(word)), "{name}: {word}");
        }
        // What runs text, and what PowerShell 5.1 does not know.
        for sign in ["$(", "&&", "||", "??", "?.", " ? ", "ScriptBlock]", "DownloadString"] {
            assert!(!text.contains(sign), "{name}: {sign}");
        }
    }
    for name in ["install.ps1", "run.ps1"] {
        let text = bootstrap(name);
        assert!(text.contains("\nSet-StrictMode -Version Latest\n"), "{name}");
        assert!(text.contains("\n$ErrorActionPreference = 'Stop'\n"), "{name}");
    }
}

/// Every function that is called is there, since nothing else says so before Windows does.
#[test]
fn c4_the_scripts_for_windows_call_what_there_is() {
    const POWERSHELL: [&str; 12] = [
        "Set-StrictMode",
        "Get-Location",
        "New-Object",
        "Remove-Item",
        "Set-Item",
        "Start-Sleep",
        "Add-Type",
        "Get-Command",
        "Select-Object",
        "ForEach-Object",
        "Push-Location",
        "Pop-Location",
    ];
    let code: String = SCRIPTS.map(|name| code(&bootstrap(name)).unwrap()).concat();
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '$' || c == '.';
    let words = code.split(|c: char| !is_word(c));
    let defined: Vec<_> = code
        .lines()
        .filter_map(|line| line.strip_prefix("function "))
        .map(|rest| rest.split(['(', ' ']).next().unwrap())
        .collect();
    let mut called = 0;
    for word in words {
        let capital = |part: &str| part.starts_with(|c: char| c.is_ascii_uppercase());
        let is_command =
            word.split_once('-').is_some_and(|(verb, noun)| capital(verb) && capital(noun));
        if is_command {
            called += 1;
            assert!(POWERSHELL.contains(&word) || defined.contains(&word), "{word}");
        }
    }
    assert!(called > 40 && defined.len() > 15, "{called} {defined:?}");
    for name in &defined {
        assert!(code.matches(name).count() > 1, "{name} is never called");
    }
}

#[test]
fn c4_windows_has_the_same_names_as_everywhere() {
    let unix = bootstrap("install.sh") + &bootstrap("obtain.sh");
    let windows = bootstrap("install.ps1") + &bootstrap("obtain.ps1");
    for name in [
        "WAVEOFF_BIN_DIR",
        "RUNNER_TOOL_CACHE",
        "RUNNER_TEMP",
        "WAVEOFF_RELEASE_URL",
        "WAVEOFF_DOWNLOAD_TIMEOUT",
        "GITHUB_ACTIONS",
        "MANIFEST",
        "VERSION",
        "REPOSITORY",
        ".complete",
        "waveoff-build",
        "https://github.com/$slug/releases/download",
        "::error title=waveoff::",
        "build --quiet --release --locked --bin",
        "wait-healthy",
        "smoke-test",
        "evaluate-rollback",
        "notify-incident",
    ] {
        assert!(unix.contains(name), "{name} is not for Unix");
        assert!(windows.contains(name), "{name} is not for Windows");
    }
    // What identifies a source, and what of a job's environment is kept from cargo.
    let listed = |before: &str, text: &str| {
        let (_, rest) = text.split_once(before).unwrap_or_else(|| panic!("no {before}"));
        let rest = rest.split(['\n', ';', ')']).next().unwrap();
        rest.split_whitespace()
            .map(|word| word.trim_matches(['\'', ',']))
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(listed("for part in ", &unix), listed("foreach ($part in ", &windows));
    assert_eq!(
        listed("unset CARGO_BUILD_TARGET", &unix),
        listed("foreach ($variable in 'CARGO_BUILD_TARGET',", &windows)
    );
}
