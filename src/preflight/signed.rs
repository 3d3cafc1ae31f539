//! Signatures and attestations, as Cosign verifies them.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;

use super::{Finding, Subject};
use crate::config::preflight::{Kind, SignerSpec};
use crate::config::values::{Argv, Secret};
use crate::decide::verdict::Verdict;
use crate::host::env;
use crate::host::process::{self, CommandSpec, Ran};
use crate::host::scratch::Scratch;

/// The limit of one verification.
const PATIENCE: Duration = Duration::from_secs(120);
/// Cosign's exit code when there is no signature (cosign, `cmd/cosign/errors/exit_code_lookup.go`).
const UNSIGNED: i32 = 10;
/// Its exit code when there are some, and none is by whom it should be.
const BY_OTHERS: i32 = 12;
/// Bytes of an answer that are read.
const LONGEST: usize = 4 << 20;
/// Cosign keeps the keys that it trusts in one folder, which it renews without looking whether
/// another one does so too.
static ONE_BY_ONE: Mutex<()> = Mutex::new(());
/// What a signature says that it is; Cosign 3 takes any attestation for one.
const SIGNATURES: [&str; 2] =
    ["https://sigstore.dev/cosign/sign/v1", "cosign container image signature"];
/// What mends it when there is none.
const SIGN: &str = "sign it by its digest: `cosign sign IMAGE@DIGEST`; what Cosign 3 signed, only \
                    Cosign 3 finds";
/// Where signatures are, when they are not beside the image.
const ELSEWHERE: &str = "COSIGN_REPOSITORY";
/// The folders with the certificates that programs in Go trust.
const TRUSTED: &str = "SSL_CERT_DIR";
/// What is attested, where nobody says it.
const PROVENANCE: &str = "slsaprovenance1";
/// How a signature may be stored: as this Cosign does by itself, and in the newer way, which older
/// ones look for only when they are told.
const FORMATS: [Option<&str>; 2] = [None, Some("--new-bundle-format=true")];

/// Each image is signed by whom it should be.
pub(super) fn signature(subject: &Subject<'_>) -> Vec<Finding> {
    let Some(signer) = &subject.spec.signature else { return Vec::new() };
    let order = Order { kind: Kind::Signature, words: vec!["verify".into()], signer };
    order.of_all(subject)
}

/// Each image is attested.
pub(super) fn provenance(subject: &Subject<'_>) -> Vec<Finding> {
    let Some(spec) = &subject.spec.provenance else { return Vec::new() };
    let Some(signer) = spec.signer.as_ref().or(subject.spec.signature.as_ref()) else {
        return Vec::new();
    };
    let kind = spec.r#type.clone().unwrap_or_else(|| PROVENANCE.into());
    let words = vec!["verify-attestation".into(), "--type".into(), kind];
    Order { kind: Kind::Provenance, words, signer }.of_all(subject)
}

struct Order<'a> {
    kind: Kind,
    words: Vec<String>,
    signer: &'a SignerSpec,
}

impl Order<'_> {
    fn of_all(&self, subject: &Subject<'_>) -> Vec<Finding> {
        let program = subject.spec.cosign.clone().unwrap_or_else(|| Argv(vec!["cosign".into()]));
        if let Some(missing) = process::missing(&CommandSpec::new(program.clone())) {
            let remedy = "install Cosign, in a workflow with sigstore/cosign-installer, or name it \
                          under `preflight.cosign`";
            return vec![Finding::bad(self.kind, "", Verdict::Error, missing, remedy)];
        }
        subject.of_images(self.kind, |about, image, found| {
            let looked = subject.images.iter().find(|looked| looked.image == *image);
            // Where signatures are elsewhere, only what Cosign finds by itself may be for there.
            let is_for_it = looked.is_some_and(|looked| looked.is_login_given)
                || env::var(ELSEWHERE).is_none_or(|repository| repository.is_empty());
            let login = found.registry.login().filter(|_| is_for_it);
            let login = login.and_then(|login| login.alone(&image.registry));
            let command = |format: Option<&str>| {
                let mut argv = program.0.clone();
                argv.extend(self.words.iter().cloned());
                argv.extend(words_of(self.signer));
                argv.extend(format.map(str::to_owned));
                if subject.is_plain(image) {
                    argv.push("--allow-http-registry".into());
                }
                argv.push(image.by(&found.digest).to_string());
                let mut command = CommandSpec::new(Argv(argv));
                let folders = found.registry.certificates(env::var(TRUSTED).as_deref());
                command.env.extend(folders.map(|all| (TRUSTED.to_owned(), Secret::new(all))));
                command
            };
            match self.verify(subject, &command, login.as_ref()) {
                Ok(()) => Finding::pass(self.kind, about, self.who()),
                Err(Refusal { verdict, reason, remedy, .. }) => {
                    Finding::bad(self.kind, about, verdict, reason, remedy)
                }
            }
        })
    }

    /// Whatever the way in which it is stored, one good signature is enough.
    fn verify(
        &self,
        subject: &Subject<'_>,
        command: &dyn Fn(Option<&str>) -> CommandSpec,
        login: Option<&Secret>,
    ) -> Result<(), Refusal> {
        let kept = login.map(keep).transpose().map_err(|error| {
            Refusal::unknown(format!("cannot keep the registry's login for Cosign: {error}"))
        })?;
        let mut refusal: Option<Refusal> = None;
        for format in FORMATS {
            let mut command = command(format);
            let folder = kept.as_ref().map(|kept| kept.folder().display().to_string());
            command.env.extend(folder.map(|f| ("DOCKER_CONFIG".to_owned(), Secret::new(f))));
            match self.once(subject, &command) {
                Ok(()) => return Ok(()),
                Err(found) => {
                    refusal = Some(match refusal {
                        None if !found.is_absence => return Err(found),
                        None => found,
                        Some(first) => first.and(found),
                    });
                }
            }
        }
        Err(refusal.unwrap_or_else(|| Refusal::unknown("it was not looked at".into())))
    }

    fn once(&self, subject: &Subject<'_>, command: &CommandSpec) -> Result<(), Refusal> {
        let _alone = ONE_BY_ONE.lock().unwrap_or_else(PoisonError::into_inner);
        let output = match process::run_keeping(command, PATIENCE, &subject.cancel, LONGEST) {
            Ok(Ran::Ended(output)) => output,
            Ok(Ran::TimedOut(_)) => {
                return Err(Refusal::unknown(format!("no answer within {}s", PATIENCE.as_secs())));
            }
            Ok(Ran::Cancelled(_)) => return Err(Refusal::unknown("cancelled".into())),
            Err(error) => return Err(Refusal::unknown(format!("cannot be run: {error}"))),
        };
        if output.code == Some(0) {
            return match self.kind == Kind::Signature && !tells_signature(&output.stdout) {
                false => Ok(()),
                true => {
                    let reason = format!("it is attested by {}, and not signed", self.who());
                    let refusal = Refusal::new(Verdict::Fail, reason, SIGN);
                    Err(Refusal { is_absence: true, ..refusal })
                }
            };
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(self.refusal(output.code, &said))
    }

    fn refusal(&self, code: Option<i32>, said: &str) -> Refusal {
        let signed = if self.kind == Kind::Signature { "signed" } else { "attested" };
        let last = last_words(said);
        let is_absence = code == Some(UNSIGNED)
            || ["no signatures found", "no matching attestations", "no attestations found"]
                .iter()
                .any(|words| said.contains(words))
                && !said.contains("none of the");
        if is_absence {
            let reason = format!("it is not {signed}, or not by {}: {last}", self.who());
            let remedy = match self.kind {
                Kind::Signature => {
                    "sign it by its digest: `cosign sign IMAGE@DIGEST`; what Cosign 3 signed, only Cosign 3 finds"
                }
                _ => {
                    "attest it by its digest: `cosign attest`, or actions/attest in the build; what Cosign 3 attested, only Cosign 3 finds"
                }
            };
            let refusal = Refusal::new(Verdict::Fail, reason, remedy);
            return Refusal { is_absence: true, ..refusal };
        }
        let by_others = ["none of the", "no matching", "failed to verify signature"];
        if code == Some(BY_OTHERS) || by_others.iter().any(|words| said.contains(words)) {
            let reason = format!("it is {signed}, and not by {}: {last}", self.who());
            let remedy = "find out who built and signed it, before it goes anywhere";
            return Refusal::new(Verdict::Fail, reason, remedy);
        }
        let unasked = said.contains("unknown flag");
        Refusal { is_unasked: unasked, ..Refusal::unknown(format!("cosign: {last}")) }
    }

    /// By whom it should be, in words.
    fn who(&self) -> String {
        let signer = self.signer;
        let issuer = signer.issuer.as_deref().unwrap_or_default();
        match (&signer.key, &signer.identity, &signer.identity_regexp) {
            (Some(key), ..) => format!("the key {key}"),
            (None, Some(identity), _) => format!("{identity} of {issuer}"),
            (None, None, Some(pattern)) => format!("one who matches {pattern} of {issuer}"),
            (None, None, None) => "anybody known".into(),
        }
    }
}

/// Whether a signature is among what Cosign verified, each of which it prints.
fn tells_signature(printed: &[u8]) -> bool {
    let all = serde_json::Deserializer::from_slice(printed).into_iter::<Value>();
    all.map_while(Result::ok).any(|told| {
        let list = told.as_array().map_or(std::slice::from_ref(&told), Vec::as_slice);
        let kinds = list.iter().filter_map(|one| one["critical"]["type"].as_str());
        kinds.into_iter().any(|kind| SIGNATURES.contains(&kind))
    })
}

struct Refusal {
    verdict: Verdict,
    reason: String,
    remedy: String,
    /// Whether nothing was found, which another way of looking may.
    is_absence: bool,
    /// Whether this Cosign does not know that way.
    is_unasked: bool,
}

impl Refusal {
    fn new(verdict: Verdict, reason: String, remedy: &str) -> Self {
        Self { verdict, reason, remedy: remedy.into(), is_absence: false, is_unasked: false }
    }

    /// What both ways of looking say, when the first one found nothing.
    fn and(self, other: Self) -> Self {
        match other {
            // By others, in the second way: that is more than nothing.
            Refusal { verdict: Verdict::Fail, is_absence: false, .. } => other,
            // Nothing there either, or this Cosign knows no second way.
            Refusal { is_absence: true, .. } | Refusal { is_unasked: true, .. } => self,
            other => {
                let reason = format!(
                    "{}; as a bundle, it could not be looked for: {}",
                    self.reason, other.reason
                );
                Self { reason, ..self }
            }
        }
    }

    /// It could not be found out.
    fn unknown(reason: String) -> Self {
        Self::new(Verdict::Error, reason, "see what it says; `cosign verify` by hand tells more")
    }
}

fn words_of(signer: &SignerSpec) -> Vec<String> {
    let flags = [
        ("--key", &signer.key),
        ("--certificate-identity", &signer.identity),
        ("--certificate-identity-regexp", &signer.identity_regexp),
        ("--certificate-oidc-issuer", &signer.issuer),
        ("--certificate-github-workflow-repository", &signer.repository),
    ];
    // As one word each, so that no value is an option.
    let given = flags
        .iter()
        .filter_map(|(flag, value)| value.as_ref().map(|value| format!("{flag}={value}")));
    let log =
        (signer.transparency_log == Some(false)).then(|| "--insecure-ignore-tlog=true".into());
    given.chain(log).collect()
}

/// The last line of what was said that says something.
fn last_words(said: &str) -> String {
    let lines = said.lines().map(str::trim).filter(|line| !line.is_empty());
    let mut useful =
        lines.filter(|line| !line.starts_with("main.go:") && !line.starts_with("WARNING"));
    let last = useful.next_back().unwrap_or("it said nothing");
    last.trim_start_matches("Error: ").chars().take(300).collect()
}

/// A login for Cosign alone, gone when this is dropped: it takes one out of no variable.
fn keep(login: &Secret) -> std::io::Result<Scratch> {
    let kept = Scratch::new()?;
    kept.write("config.json", login.expose().as_bytes())?;
    Ok(kept)
}
