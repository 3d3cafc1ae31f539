//! Why a host cannot be reached, told apart by what `ssh` and the host's shell said: each with what
//! to do about it.

use crate::config::ssh::Address;
use crate::exit::{Exit, Fault};

/// Why a connection could not be had, or was lost.
#[derive(Debug)]
pub(super) struct Trouble {
    /// What to tell people.
    pub(super) fault: Fault,
    /// Whether the same may work a moment later.
    pub(super) may_pass: bool,
}

/// The shell's exit codes on the host: see `link::SCRIPT`.
pub(super) const CANNOT_KEEP: i32 = 82;
/// What arrived is not what was sent.
pub(super) const DAMAGED: i32 = 83;

/// With this code `ssh` says that something of its own failed.
const LOST: i32 = 255;

/// How far a connection had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// The host has not said anything yet.
    Outside,
    /// It had let us in: what its login said is no word of `ssh` about that.
    Inside,
}

/// Names what `ssh` said, and how it ended.
pub(super) fn of(
    to: &Address,
    code: Option<i32>,
    said: &str,
    stage: Stage,
    is_pinned: bool,
) -> Trouble {
    let refused = match stage {
        Stage::Outside => not_let_in(to, code, said, is_pinned),
        Stage::Inside => None,
    };
    refused.unwrap_or_else(|| lost(to, code, said))
}

/// Why a host lets nobody in, or is not let near.
fn not_let_in(to: &Address, code: Option<i32>, said: &str, is_pinned: bool) -> Option<Trouble> {
    let has = |words: &str| said.contains(words);
    let trouble = |what: &str, hint: String| {
        let fault = Fault::error(format!("{to}: {what}")).hint(hint);
        Some(Trouble { fault, may_pass: false })
    };
    let known = if is_pinned { "`known-hosts`" } else { "~/.ssh/known_hosts" };
    if has("REMOTE HOST IDENTIFICATION HAS CHANGED") || has("Host key for") && has("has changed") {
        return trouble(
            "its host key is not the one that is known",
            format!(
                "somebody may be in between: nothing was sent. If it was set up anew, put its new \
                 key into {known} (ssh-keyscan, compared on the machine itself)"
            ),
        );
    }
    if has("Host key verification failed") || has("host key is known for") {
        return trouble(
            "its host key is not known",
            format!(
                "put it into {known}: `ssh-keyscan -p PORT HOST`, compared on the machine itself; \
                 with a port that is not 22 its line begins with [HOST]:PORT"
            ),
        );
    }
    if has("error in libcrypto") || has("invalid format") {
        return trouble(
            "the key cannot be read",
            "`ssh.key` is the text of a private key without a passphrase, with all its lines"
                .into(),
        );
    }
    if code == Some(LOST) && said.lines().any(is_refusal) {
        return trouble(
            "it refuses the key",
            "is the public key in the authorized_keys of that user, and `ssh.key` the private one?"
                .into(),
        );
    }
    None
}

/// Whether a line is the one with which `ssh` gives up: `user@host: Permission denied (publickey).`
/// What a login's profile may not do says so, too, in other words.
fn is_refusal(line: &str) -> bool {
    let who = line.trim_end().strip_suffix(").").and_then(|line| {
        let (who, methods) = line.split_once(": Permission denied (")?;
        (!methods.is_empty() && !methods.contains(['(', ' '])).then_some(who)
    });
    let names = who.and_then(|who| who.rsplit_once('@'));
    names.is_some_and(|(user, host)| {
        !user.is_empty() && !host.is_empty() && !host.contains(char::is_whitespace)
    })
}

/// Why there is no connection any more, or none yet.
fn lost(to: &Address, code: Option<i32>, said: &str) -> Trouble {
    let has = |words: &str| said.contains(words);
    let trouble = |may_pass: bool, what: &str, hint: String| Trouble {
        fault: Fault::error(format!("{to}: {what}")).hint(hint),
        may_pass,
    };
    if has("Could not resolve hostname") {
        let hint = "is the name right, and can this machine look it up?".into();
        // A machine without its network for a moment finds no names either.
        let may_pass = has("Temporary failure");
        return trouble(may_pass, "there is no such name", hint);
    }
    if has("Connection refused") {
        let hint = "does sshd run there, and on this port?".into();
        return trouble(true, "it refuses the connection", hint);
    }
    if has("No route to host") || has("Network is unreachable") {
        let hint = "can this machine reach it at all? a `jump` may be needed".into();
        return trouble(true, "there is no way to it", hint);
    }
    if has("timed out") || has("Timeout, server") || has("not responding") {
        let hint = "is it up, and does no firewall drop the packets?".into();
        return trouble(true, "it does not answer in time", hint);
    }
    if has("No space left on device") || has("quota exceeded") {
        let hint = "make room for the program in ~/.cache/waveoff there".into();
        return trouble(false, "there is no space left on its disk", hint);
    }
    let last = last_line(said).map(|line| format!(": {line}")).unwrap_or_default();
    match code {
        Some(CANNOT_KEEP) => trouble(
            false,
            &format!("the program cannot be kept there{last}"),
            "the user needs a folder to write to: $XDG_CACHE_HOME, or ~/.cache".into(),
        ),
        Some(DAMAGED) => trouble(
            true,
            &format!("the program did not arrive whole{last}"),
            "the host needs `head`, and sha256sum, shasum or openssl".into(),
        ),
        Some(126 | 127) => trouble(
            false,
            &format!("nothing can be run there{last}"),
            "the user needs a login shell and /bin/sh, a cache folder that is not mounted noexec, \
             and a program for this kind of machine (the static one of a release)"
                .into(),
        ),
        // It left by itself, as it does when nobody is heard; or it is broken, and stays so.
        Some(code) if code != LOST && code != i32::from(Exit::Error.code()) => trouble(
            false,
            &format!("waveoff ended there with code {code}{last}"),
            "run `waveoff status`; if it says the same, please report it".into(),
        ),
        _ => trouble(
            true,
            &format!("the connection was lost{last}"),
            "try the same by hand with ssh, as the same user".into(),
        ),
    }
}

/// The last thing that was said.
fn last_line(said: &str) -> Option<&str> {
    said.lines().map(str::trim).rfind(|line| !line.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d11_what_is_wrong_is_told_apart() {
        let to = "ssh://deploy@vm".parse().unwrap();
        let cases = [
            (
                "@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed.",
                255,
                "not the one",
                false,
            ),
            (
                "No ED25519 host key is known for vm and you have requested strict checking.\r\nHost key verification failed.\r\n",
                255,
                "key is not known",
                false,
            ),
            ("deploy@vm: Permission denied (publickey).\r\n", 255, "refuses the key", false),
            (
                "Load key \"/run/k\": error in libcrypto\r\nd@vm: Permission denied (publickey).",
                255,
                "cannot be read",
                false,
            ),
            (
                "ssh: Could not resolve hostname vm: Name or service not known",
                255,
                "no such name",
                false,
            ),
            (
                "ssh: Could not resolve hostname vm: Temporary failure in name resolution",
                255,
                "no such name",
                true,
            ),
            (
                "ssh: connect to host vm port 22: Connection refused",
                255,
                "refuses the connection",
                true,
            ),
            ("ssh: connect to host vm port 22: Connection timed out", 255, "in time", true),
            ("Timeout, server vm not responding.", 255, "in time", true),
            ("mkdir: cannot create directory: No space left on device", 82, "no space", false),
            ("mkdir: cannot create directory '/x': Permission denied", 82, "cannot be kept", false),
            ("sh: 1: exec: /x/waveoff: Permission denied", 126, "nothing can be run", false),
            ("client_loop: send disconnect: Broken pipe", 255, "was lost: client_loop", true),
            ("", 255, "was lost", true),
            ("", 12, "was lost", true),
            ("error: this is a bug", 1, "code 1: error: this is a bug", false),
        ];
        for (said, code, words, may_pass) in cases {
            let trouble = of(&to, Some(code), said, Stage::Outside, true);
            let text = trouble.fault.to_string();
            assert!(
                text.contains(words) && text.starts_with("ssh://deploy@vm: "),
                "{said}: {text}"
            );
            assert_eq!(trouble.may_pass, may_pass, "{said}");
            assert!(trouble.fault.hint.is_some(), "{said}");
        }
    }

    #[test]
    fn d7_what_a_login_says_is_no_refusal() {
        let to = "ssh://deploy@vm".parse().unwrap();
        for said in [
            "bash: /etc/profile.d/x.sh: Permission denied",
            "mkdir: cannot create directory '/a@b': Permission denied\nConnection reset",
            "cat: a@b: Permission denied (really)",
            "Permission denied (publickey).",
        ] {
            let trouble = of(&to, Some(255), said, Stage::Outside, true);
            assert!(trouble.may_pass, "{said}: {}", trouble.fault);
        }
        for said in [
            "deploy@10.0.0.1: Permission denied (publickey,password).\r\n",
            // On the way through another machine, the last word is of the connection behind it.
            "j@b: Permission denied (publickey).\nConnection closed by UNKNOWN port 65535",
        ] {
            let trouble = of(&to, Some(255), said, Stage::Outside, true);
            assert!(trouble.fault.to_string().contains("refuses the key"), "{said}");
            // Whoever had let us in refused somebody else, whom a login asked.
            let trouble = of(&to, Some(255), said, Stage::Inside, true);
            assert!(trouble.may_pass, "{said}: {}", trouble.fault);
        }
    }
}
