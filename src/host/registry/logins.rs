//! Where logins are kept: Docker's configuration, Podman's, and programs that keep them.

use std::time::Duration;

use crate::config::values::Argv;
use crate::decide::image::logins::Login;
use crate::decide::words::shorten;
use crate::host::process::{self, CommandSpec, Ran};
use crate::host::signals::Cancel;
use crate::host::{env, files};

/// The limit of a program that keeps logins.
const PATIENCE: Duration = Duration::from_secs(30);

/// Characters of what such a program says that are told.
const LONGEST: usize = 200;

/// The login for a registry, as Docker and Podman would find it here; none when there is none.
///
/// # Errors
/// When there is something and it cannot be read.
pub fn find(registry: &str, cancel: &Cancel) -> Result<Option<Login>, String> {
    for file in files_here() {
        let text = match files::read_text(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(format!("cannot read {file}: {error}")),
        };
        let found = Login::read(&text, registry).map_err(|why| format!("{file}: {why}"))?;
        match found {
            Some(Login::Helper { name, server }) => {
                if let Some(login) = ask(&name, &server, cancel)? {
                    return Ok(Some(login));
                }
            }
            Some(login) => return Ok(Some(login)),
            None => {}
        }
    }
    Ok(None)
}

fn files_here() -> Vec<String> {
    let home = env::var("HOME");
    let docker = env::var("DOCKER_CONFIG")
        .or_else(|| home.as_ref().map(|home| format!("{home}/.docker")))
        .map(|folder| format!("{folder}/config.json"));
    let runtime = env::var("XDG_RUNTIME_DIR").map(|run| format!("{run}/containers/auth.json"));
    let own = home.map(|home| format!("{home}/.config/containers/auth.json"));
    [env::var("REGISTRY_AUTH_FILE"), docker, runtime, own].into_iter().flatten().collect()
}

fn ask(name: &str, server: &str, cancel: &Cancel) -> Result<Option<Login>, String> {
    let program = format!("docker-credential-{name}");
    if name.contains(std::path::is_separator) {
        return Err(format!("{program} is not the name of a program"));
    }
    let command = CommandSpec::new(Argv(vec![program.clone(), "get".into()]));
    if let Some(missing) = process::missing(&command) {
        return Err(format!("a Docker configuration names {program}, and {missing}"));
    }
    match process::run_told(&command, server, PATIENCE, cancel) {
        Ok(Ran::Ended(output)) if output.code == Some(0) => {
            let text = String::from_utf8_lossy(&output.stdout);
            Login::told(&text).map(Some).map_err(|why| format!("{program}: {why}"))
        }
        Ok(Ran::Ended(output)) => {
            // Most say it on standard output, some on the other one.
            let said = [&output.stdout, &output.stderr].map(|said| String::from_utf8_lossy(said));
            if said.iter().any(|said| Login::is_unknown(said)) {
                return Ok(None);
            }
            // A secret may be on standard output even so.
            let why = said[1].lines().rfind(|line| !line.trim().is_empty());
            let why = why.unwrap_or("it does not say why");
            Err(format!("{program} failed: {}", shorten(why.trim(), LONGEST)))
        }
        Ok(_) => Err(format!("{program}: no answer within {}s", PATIENCE.as_secs())),
        Err(error) => Err(format!("{program} could not be run: {error}")),
    }
}
