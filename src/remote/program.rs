//! Which program a host needs: this very one, or a published one for its kind of machine.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::exit::Fault;
use crate::host::{detach, files};

/// The name of the program in a folder of published ones.
const NAME: &str = "waveoff";
/// The folder, as a variable.
const FOLDER: &str = "WAVEOFF_REMOTE_BINARIES";

/// A program to be on the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Program {
    pub(super) file: PathBuf,
    /// SHA-256, in lower-case hexadecimal.
    pub(super) digest: String,
}

/// The kind of a machine, by what `uname -sm` says of it: Rust's names of system and processor.
fn kind<'a>(system: &'a str, machine: &'a str) -> (&'a str, &'a str) {
    let system = match system {
        "Linux" => "linux",
        "Darwin" => "macos",
        other => other,
    };
    let machine = match machine {
        "amd64" => "x86_64",
        "arm64" => "aarch64",
        other => other,
    };
    (system, machine)
}

/// The name of a kind of machine in `MANIFEST`.
fn target(system: &str, machine: &str) -> Option<String> {
    match system {
        "linux" => Some(format!("{machine}-unknown-linux-musl")),
        "macos" => Some(format!("{machine}-apple-darwin")),
        _ => None,
    }
}

/// The digest that a manifest has for a program: lines of `HASH  TARGET/NAME`.
fn listed(manifest: &str, target: &str) -> Option<String> {
    let wanted = format!("{target}/{NAME}");
    manifest.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        let (digest, name) = (words.next()?, words.next()?);
        let is_digest = digest.len() == 64 && digest.chars().all(|c| c.is_ascii_hexdigit());
        (is_digest && name == wanted).then(|| digest.to_ascii_lowercase())
    })
}

/// The program for a host of which `uname -sm` says this.
///
/// # Errors
/// When there is none for that kind of machine, or it is not the one that the manifest names.
pub(super) fn for_host(
    folder: Option<&str>,
    system: &str,
    machine: &str,
) -> anyhow::Result<Program> {
    let (os, arch) = kind(system, machine);
    if let Some(folder) = folder {
        return published(Path::new(folder), os, arch);
    }
    if (os, arch) != (std::env::consts::OS, std::env::consts::ARCH) {
        let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
        return Err(Fault::usage(format!(
            "the host is {system} on {machine}, and this program is for {os} on {arch}"
        ))
        .hint(format!("name a folder with the release's programs and its MANIFEST in {FOLDER}"))
        .into());
    }
    own()
}

/// This very program, which is read once, however many hosts there are.
fn own() -> anyhow::Result<Program> {
    static OWN: Mutex<Option<Program>> = Mutex::new(None);
    let mut known = OWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(program) = &*known {
        return Ok(program.clone());
    }
    let file = detach::program()
        .map_err(|error| Fault::error(format!("this program cannot be found: {error}")))?;
    let digest = digest(&file)?;
    Ok(known.insert(Program { file, digest }).clone())
}

fn published(folder: &Path, os: &str, arch: &str) -> anyhow::Result<Program> {
    let target = target(os, arch)
        .ok_or_else(|| Fault::usage(format!("there is no waveoff for {os} on {arch}")))?;
    let manifest = folder.join("MANIFEST");
    let text = files::read_text(&manifest).map_err(|error| {
        Fault::usage(format!("{FOLDER}: cannot read {}: {error}", manifest.display()))
            .hint("it lies beside the release's programs, and says what they are")
    })?;
    let wanted = listed(&text, &target).ok_or_else(|| {
        Fault::usage(format!("{} has no entry {target}/{NAME}", manifest.display()))
            .hint("use the files of one release")
    })?;
    let file = folder.join(&target).join(NAME);
    let digest = digest(&file)?;
    if digest != wanted {
        return Err(Fault::error(format!(
            "{} is not what MANIFEST says: its sha256 is {digest}, and not {wanted}",
            file.display()
        ))
        .hint("fetch the release again")
        .into());
    }
    Ok(Program { file, digest })
}

fn digest(file: &Path) -> anyhow::Result<String> {
    Ok(files::digest(file)
        .map_err(|error| Fault::usage(format!("cannot read {}: {error}", file.display())))?)
}

/// The folder of published programs, when one is named.
pub(super) fn folder() -> Option<String> {
    crate::host::env::var(FOLDER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d11_machines_have_one_name_each() {
        assert_eq!(kind("Linux", "x86_64"), ("linux", "x86_64"));
        assert_eq!(kind("Darwin", "arm64"), ("macos", "aarch64"));
        assert_eq!(target("linux", "aarch64").unwrap(), "aarch64-unknown-linux-musl");
        assert_eq!(target("FreeBSD", "x86_64"), None);
    }

    #[test]
    fn d11_a_published_program_is_what_its_manifest_says_or_is_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let name = "aarch64-unknown-linux-musl/waveoff";
        files::replace(folder.path().join(name), b"program").unwrap();
        let known = digest(&folder.path().join(name)).unwrap();
        let at = folder.path().display().to_string();
        let found = || for_host(Some(&at), "Linux", "aarch64");
        assert!(found().is_err(), "there is no manifest");
        let manifest = |text: &str| files::replace(folder.path().join("MANIFEST"), text.as_bytes());
        manifest(&format!("# x\n{known}  {name}\n")).unwrap();
        assert_eq!(found().unwrap().digest, known);
        manifest(&format!("{}  {name}\n", known.replace(['a', '1'], "2"))).unwrap();
        assert!(found().unwrap_err().to_string().contains("is not what MANIFEST says"));
        manifest(&format!("{known}  {name}-x\nshort  {name}\n")).unwrap();
        assert!(found().unwrap_err().to_string().contains("no entry"));
        let other = if std::env::consts::ARCH == "x86_64" { "aarch64" } else { "x86_64" };
        let error = for_host(None, "Linux", other).unwrap_err();
        assert!(error.to_string().contains("this program is for"), "{error}");
    }
}
