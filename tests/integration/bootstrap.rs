//! `bootstrap/`: the right program, verified, under every shell that a runner may call `sh`.

use std::fs;
use std::path::Path;

use crate::bootstrap_world::{stderr, stdout, under_every_shell};

#[test]
fn a_branch_is_built_once_and_then_found() {
    under_every_shell(|machine| {
        let first = stdout(&machine.install(&["wait-healthy"]));
        assert!(
            first.starts_with(machine.path("tools/waveoff/1.2.3-").to_str().unwrap()),
            "{first}"
        );
        assert!(first.ends_with("/aarch64-unknown-linux-musl/wait-healthy"), "{first}");
        assert_eq!(stdout(&machine.install(&["wait-healthy"])), first);
        assert_eq!(machine.builds(), 1);

        machine.write("own/src/a main.rs", "changed");
        assert_ne!(stdout(&machine.install(&["wait-healthy"])), first);
        assert_eq!(machine.builds(), 2);
    });
}

#[test]
fn every_name_of_an_architecture_is_one_folder() {
    under_every_shell(|machine| {
        let mut found: Vec<String> = Vec::new();
        for name in ["ARM64", "arm64", "aarch64"] {
            let mut command = machine.command("own/bootstrap/install.sh", &["waveoff"]);
            found.push(stdout(&command.env("RUNNER_ARCH", name).output().unwrap()));
        }
        found.dedup();
        assert_eq!(found.len(), 1, "{found:?}");
    });
}

#[test]
fn a_program_that_was_changed_or_cut_is_never_run() {
    under_every_shell(|machine| {
        let program = stdout(&machine.install(&["waveoff"]));
        fs::write(&program, "#!/bin/sh\necho evil\n").unwrap();
        let output = machine.install(&["waveoff"]);
        assert!(stderr(&output).contains("not what was put there"), "{}", stderr(&output));
        assert!(!fs::read_to_string(stdout(&output)).unwrap().contains("evil"));

        // Without the marker, somebody was still writing.
        fs::remove_file(format!("{program}.complete")).unwrap();
        stdout(&machine.install(&["waveoff"]));
        assert_eq!(machine.builds(), 3);
    });
}

#[test]
fn two_at_once_both_get_a_whole_program() {
    under_every_shell(|machine| {
        let one = machine.command("own/bootstrap/install.sh", &["waveoff"]).spawn().unwrap();
        let two = machine.command("own/bootstrap/install.sh", &["waveoff"]).spawn().unwrap();
        let one = stdout(&one.wait_with_output().unwrap());
        assert_eq!(one, stdout(&two.wait_with_output().unwrap()));
        assert_eq!(stdout(&machine.install(&["waveoff"])), one);
        let left: Vec<_> = fs::read_dir(Path::new(&one).parent().unwrap())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.starts_with('.'))
            .collect();
        assert!(left.is_empty(), "{left:?}");
    });
}

#[test]
fn the_program_takes_the_place_of_the_shell() {
    under_every_shell(|machine| {
        let arguments = ["waveoff", "a  b", "*", "$HOME"];
        let child = machine.command("own/bootstrap/run.sh", &arguments).spawn().unwrap();
        let id = child.id();
        let said = stdout(&child.wait_with_output().unwrap());
        assert_eq!(said, format!("waveoff {id} a  b * $HOME"));
    });
}

#[test]
fn one_folder_holds_all_that_was_asked_for() {
    under_every_shell(|machine| {
        let folder = stdout(&machine.install(&["--folder", "wait-healthy", "smoke-test"]));
        for name in ["wait-healthy", "smoke-test"] {
            assert!(Path::new(&folder).join(name).is_file(), "{folder}/{name}");
        }
    });
}

#[test]
fn an_explicit_folder_is_all_that_is_looked_at() {
    under_every_shell(|machine| {
        let install = |folder: &str| {
            let mut command = machine.command("own/bootstrap/install.sh", &["waveoff"]);
            command.env("WAVEOFF_BIN_DIR", folder).output().unwrap()
        };
        assert_eq!(install("not there").status.code(), Some(2));
        machine.write("mine/README", "");
        assert_eq!(install("mine").status.code(), Some(2));
        machine.program("mine/waveoff", "#!/bin/sh\n");
        let wanted = machine.path("mine/waveoff");
        assert_eq!(stdout(&install("mine")), wanted.to_str().unwrap());

        let hash = "0123456789abcdef".repeat(4);
        let entry = format!("{hash}  aarch64-unknown-linux-musl/waveoff\n");
        machine.write("own/bootstrap/MANIFEST", &entry);
        let output = install("mine");
        assert_eq!(output.status.code(), Some(12));
        assert!(stderr(&output).contains(&hash), "{}", stderr(&output));

        // sha256 of "#!/bin/sh\n".
        let hash = "a8076d3d28d21e02012b20eaf7dbf75409a6277134439025f282e368e3305abf";
        let entry = format!("{}  aarch64-unknown-linux-musl/waveoff\n", hash.to_uppercase());
        machine.write("own/bootstrap/MANIFEST", &entry);
        assert_eq!(stdout(&install("mine")), wanted.to_str().unwrap());
        assert_eq!(machine.builds(), 0);
    });
}

#[test]
fn what_a_release_left_in_the_cache_needs_the_hash_of_the_manifest() {
    under_every_shell(|machine| {
        let folder = "tools/waveoff/1.2.3/aarch64-unknown-linux-musl";
        let hash = "a8076d3d28d21e02012b20eaf7dbf75409a6277134439025f282e368e3305abf";
        machine.program(&format!("{folder}/waveoff"), "#!/bin/sh\n");
        machine.write(&format!("{folder}/waveoff.complete"), &format!("{hash}\n"));
        let entry = format!("{hash}  aarch64-unknown-linux-musl/waveoff\n");
        machine.write("own/bootstrap/MANIFEST", &entry);
        let found = stdout(&machine.install(&["waveoff"]));
        assert_eq!(found, machine.path(folder).join("waveoff").to_str().unwrap());

        // Another release's. What is there is not used, and not replaced by something else.
        machine.write("own/bootstrap/MANIFEST", &entry.replace("a80", "b80"));
        let output = machine.install(&["waveoff"]);
        assert_eq!(output.status.code(), Some(12), "{}", stderr(&output));
        assert!(stderr(&output).contains("not what was put there"), "{}", stderr(&output));
    });
}

#[test]
fn what_cannot_be_had_is_one_error_with_a_remedy() {
    under_every_shell(|machine| {
        for name in ["awk", "cat", "cut", "dirname", "mkdir", "sed", "sh", "sha256sum", "uname"] {
            let program = format!("#!/bin/sh\nPATH=/usr/bin:/bin exec {name} \"$@\"\n");
            machine.program(&format!("without-cargo/{name}"), &program);
        }
        let mut command = machine.command("own/bootstrap/run.sh", &["waveoff", "status"]);
        command.env("PATH", machine.path("without-cargo")).env("GITHUB_ACTIONS", "true");
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(12));
        let said = stderr(&output);
        for word in ["waveoff 1.2.3", "WAVEOFF_BIN_DIR", "MANIFEST", "no cargo", "hint: use"] {
            assert!(said.contains(word), "{word} is not in: {said}");
        }
        assert_eq!(said.lines().filter(|line| line.starts_with("::error ")).count(), 1, "{said}");
    });
}

#[test]
fn only_our_programs_have_names() {
    under_every_shell(|machine| {
        for arguments in [&[][..], &["bash"], &["../waveoff"], &["--folder"]] {
            assert_eq!(machine.install(arguments).status.code(), Some(2), "{arguments:?}");
        }
        assert_eq!(machine.builds(), 0);
    });
}

#[test]
fn c4_windows_is_told_that_there_is_nothing_for_it() {
    under_every_shell(|machine| {
        let mut command = machine.command("own/bootstrap/run.sh", &["waveoff", "status"]);
        let output = command.env("RUNNER_OS", "Windows").output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr(&output).contains("no program for Windows"), "{}", stderr(&output));
        assert_eq!(machine.builds(), 0);
    });
}
