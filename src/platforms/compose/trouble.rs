//! What engines say when they do not answer a question, and what to do about it. Pure.

use crate::config::values::Argv;
use crate::host::process::CommandSpec;
use crate::platforms::Trouble;

/// Why a question had no answer, with the last thing that was said.
pub(super) fn refused(command: &CommandSpec, said: &str) -> Trouble {
    // Where help is to be found is said behind what is wrong.
    let helps = ["Run '", "See '", "Usage:"];
    let tells = |line: &&str| !line.is_empty() && !helps.iter().any(|word| line.starts_with(word));
    let last = said.lines().rev().map(str::trim).find(tells).unwrap_or("no answer");
    Trouble::new(format!("{}: {last}{}", short(&command.argv), remedy(last)))
}

/// What whoever cannot reach an engine has to do, as most who set up a machine have once.
fn remedy(said: &str) -> &'static str {
    let said = said.to_lowercase();
    let about = ["docker daemon", "docker api", "docker.sock"];
    if said.contains("permission denied") && about.iter().any(|words| said.contains(words)) {
        "; this user may not use it: as root, `usermod -aG docker USER`, and log in anew. Rootless: \
         `docker context use rootless`"
    } else if said.contains("cannot connect to the docker daemon") {
        "; does it run? Docker: `systemctl enable --now docker`; rootless: `docker context use \
         rootless`; Podman: `systemctl enable --now podman.socket`"
    } else {
        ""
    }
}

/// Whether all that is wrong is that some of the containers have gone since they were listed: on a
/// machine where others come and go that is always so. Those that are there are told even so.
pub(super) fn tells_only_of_gone(said: &str) -> bool {
    let gone = ["no such container", "no such object", "no container with name or id"];
    let mut lines = said.lines().filter(|line| !line.trim().is_empty()).peekable();
    lines.peek().is_some()
        && lines.all(|line| gone.iter().any(|words| line.to_lowercase().contains(words)))
}

/// Whether Compose did not get a container removed since it ran again. Docker and Podman both say
/// what they could not remove, and that it is running.
pub(super) fn was_running_again(trouble: &Trouble) -> bool {
    let said = trouble.evidence.as_ref().map_or("", |evidence| evidence.body.as_str());
    let words = ["remove", "container", "running"];
    said.lines().any(|line| {
        let line = line.to_lowercase();
        words.iter().all(|word| line.contains(word))
    })
}

/// A question without its template and its many ids.
pub(super) fn short(argv: &Argv) -> String {
    let words = argv.0.iter().filter(|word| !word.contains("{{")).take(12).cloned();
    Argv(words.collect()).show()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::v1::Response;

    #[test]
    fn d11_who_cannot_reach_the_engine_is_told_what_to_do() {
        let command = CommandSpec::new(Argv(vec!["docker".into(), "ps".into()]));
        let told = |said: &str| refused(&command, said).reason;
        let denied = told(
            "permission denied while trying to connect to the Docker daemon socket at \
             unix:///var/run/docker.sock: connect: permission denied\n",
        );
        assert!(denied.contains("usermod -aG docker"), "{denied}");
        let gone = told(
            "Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?\n",
        );
        assert!(gone.contains("systemctl enable --now docker"), "{gone}");
        for help in ["Run 'docker --help' for more information", "See 'docker --help'"] {
            let said = told(&format!(
                "docker: unknown command: docker compose\n\nUsage:  docker [OPTIONS]\n\n{help}\n"
            ));
            assert_eq!(said, "docker ps: docker: unknown command: docker compose");
        }
        assert_eq!(told("\n"), "docker ps: no answer");
        assert_eq!(told("ö is no word\n"), "docker ps: ö is no word");
    }

    #[test]
    fn d11_containers_that_have_gone_meanwhile_are_no_error_and_everything_else_is_one() {
        let gone =
            "Error: No such container: 1f\nError response from daemon: No such container: 2e\n";
        assert!(tells_only_of_gone(gone));
        assert!(tells_only_of_gone("Error: no such object: \"1f\"\n"));
        for said in
            ["", "Cannot connect to the Docker daemon", &format!("{gone}permission denied\n")]
        {
            assert!(!tells_only_of_gone(said), "{said}");
        }
    }

    #[test]
    fn d11_a_container_that_runs_again_is_told_from_other_trouble() {
        let told = |said: &str| {
            let body = format!("Container shop-worker-1  Recreate\n{said}\n");
            let evidence = Some(Response { status: Some(1), headers: Vec::new(), body });
            was_running_again(&Trouble { evidence, ..Trouble::new("exit code 1") })
        };
        assert!(told(
            "Error response from daemon: cannot remove container 1f as it is running - running or \
             paused containers cannot be removed without force: container state improper"
        ));
        assert!(told(
            "Error response from daemon: cannot remove container \"/shop-worker-1\": container is \
             running: stop the container before removing or force remove"
        ));
        assert!(!told("Error response from daemon: driver failed: port is already allocated"));
        assert!(!was_running_again(&Trouble::new("container is running, remove it")));
    }
}
