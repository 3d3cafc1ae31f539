//! `bootstrap/` in surroundings that are against it: caches, environments, words.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use crate::bootstrap_world::{Machine, PLATFORM, Releases, stderr, stdout, under_every_shell};

/// Where a released program is kept.
fn kept(machine: &Machine) -> std::path::PathBuf {
    machine.path(&format!("tools/waveoff/1.2.3/{PLATFORM}/waveoff"))
}

#[test]
fn c4_a_poisoned_cache_is_replaced_by_the_release() {
    under_every_shell(|machine| {
        let server = Releases::of(&machine.publish("waveoff"));
        // With a marker that agrees with what it stands for.
        let evil = "#!/bin/sh\necho evil\n";
        let place = format!("tools/waveoff/1.2.3/{PLATFORM}/waveoff");
        machine.program(&place, evil);
        let digest = crate::bootstrap_world::sha256(evil.as_bytes());
        machine.write(&format!("{place}.complete"), &format!("{digest}\n"));
        let output = machine.installs("waveoff", &server, &["curl"]).output().unwrap();
        assert_eq!(fs::read(stdout(&output)).unwrap(), Machine::fake("waveoff"));
        assert!(stderr(&output).contains("not what was put there"), "{}", stderr(&output));
        assert_eq!(stdout(&output), kept(machine).to_str().unwrap());
    });
}

#[test]
fn c4_a_cache_that_cannot_be_written_to_leaves_it_to_the_next_folder() {
    under_every_shell(|machine| {
        let server = Releases::of(&machine.publish("waveoff"));
        machine.write("file", "");
        // Nobody writes to these, not even root.
        for folder in [machine.path("file"), "/proc/1".into(), "/sys/kernel".into()] {
            let mut command = machine.installs("waveoff", &server, &["curl"]);
            let output = command.env("RUNNER_TOOL_CACHE", folder).output().unwrap();
            let wanted = machine.path(&format!("temp/waveoff/1.2.3/{PLATFORM}/waveoff"));
            assert_eq!(stdout(&output), wanted.to_str().unwrap());
        }
        assert_eq!(server.asked().len(), 1, "it was found there afterwards");
    });
}

#[test]
fn c4_a_cache_that_can_only_be_read_is_read() {
    under_every_shell(|machine| {
        let server = Releases::of(&machine.publish("waveoff"));
        let install = || stdout(&machine.installs("waveoff", &server, &["curl"]).output().unwrap());
        let program = install();
        let folder = machine.path(&format!("tools/waveoff/1.2.3/{PLATFORM}"));
        let mode = |bits| fs::set_permissions(&folder, fs::Permissions::from_mode(bits)).unwrap();
        mode(0o555);
        assert_eq!(install(), program);
        mode(0o755);
        assert_eq!(server.asked().len(), 1);
    });
}

#[test]
fn c4_a_folder_that_somebody_else_made_for_us_is_not_used() {
    under_every_shell(|machine| {
        let server = Releases::of(&machine.publish("waveoff"));
        let user =
            String::from_utf8(Command::new("id").arg("-u").output().unwrap().stdout).unwrap();
        machine.write("elsewhere/.keep", "");
        machine.write("tmp/.keep", "");
        let ours = machine.path(&format!("tmp/waveoff-{}", user.trim()));
        std::os::unix::fs::symlink(machine.path("elsewhere"), &ours).unwrap();
        let mut command = machine.installs("waveoff", &server, &["curl"]);
        command.env("TMPDIR", machine.path("tmp")).env_remove("HOME");
        command.env_remove("RUNNER_TOOL_CACHE").env_remove("RUNNER_TEMP");
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(12), "{}", stderr(&output));
        assert!(stderr(&output).contains("no folder to keep waveoff in"), "{}", stderr(&output));
        fs::remove_file(&ours).unwrap();
        stdout(&command.output().unwrap());
        assert!(ours.is_dir());
    });
}

#[test]
fn c4_ten_at_once_all_get_the_one_program() {
    under_every_shell(|machine| {
        let server = Releases::of(&machine.publish("waveoff"));
        machine.tools(&["curl"]);
        let start = |_| machine.installs("waveoff", &server, &["curl"]).spawn().unwrap();
        let all: Vec<_> = (0..10).map(start).collect();
        for child in all {
            let program = stdout(&child.wait_with_output().unwrap());
            assert_eq!(program, kept(machine).to_str().unwrap());
            assert_eq!(fs::read(program).unwrap(), Machine::fake("waveoff"));
        }
        assert_eq!(Machine::leftovers(kept(machine).parent().unwrap()), [""; 0]);
        assert_eq!(Machine::leftovers(&machine.path("temp")), [""; 0]);
        let asked = server.asked().len();
        stdout(&machine.installs("waveoff", &server, &["curl"]).output().unwrap());
        assert_eq!(server.asked().len(), asked, "what they left is whole");
    });
}

#[test]
fn c4_settings_of_the_user_change_nothing() {
    under_every_shell(|machine| {
        let server = Releases::of(&machine.publish("waveoff"));
        machine.write("evil", "echo evil; exit 0\n");
        let stolen = machine.path("stolen").display().to_string();
        machine.write("home/.curlrc", &format!("output = \"{stolen}\"\nproxy = 127.0.0.1:9\n"));
        machine.write(
            "home/.wgetrc",
            &format!("output_document = {stolen}\nuse_proxy = on\nhttp_proxy = 127.0.0.1:9\n"),
        );
        // A shim, as version managers leave them in PATH: bash would read BASH_ENV first.
        machine.program("shims/sha256sum", "#!/bin/bash\nexec /usr/bin/sha256sum \"$@\"\n");
        for downloader in ["curl", "wget", "busybox"] {
            let mut command = machine.installs("waveoff", &server, &[downloader]);
            let path = [machine.path("shims"), machine.tools(&[downloader])];
            command.env("PATH", std::env::join_paths(path).unwrap());
            let evil = machine.path("evil");
            for name in ["BASH_ENV", "ENV", "WGETRC", "CURL_HOME"] {
                let home = machine.path("home");
                command.env(name, if name == "CURL_HOME" { &home } else { &evil });
            }
            command.env("CDPATH", machine.path("home")).env("IFS", "/w");
            command.env("GREP_OPTIONS", "-v").env("LC_ALL", "tr_TR.UTF-8").env("PWD", "/elsewhere");
            assert_eq!(stdout(&command.output().unwrap()), kept(machine).to_str().unwrap());
            fs::remove_file(kept(machine)).unwrap();
        }
        assert!(!machine.path("stolen").exists());
        assert_eq!(server.asked().len(), 3);
    });
}

#[test]
fn c4_a_relative_path_does_not_run_what_lies_in_the_workspace() {
    under_every_shell(|machine| {
        let server = Releases::of(&machine.publish("waveoff"));
        for name in ["awk", "curl", "sha256sum", "uname"] {
            machine.program(&format!("work/{name}"), "#!/bin/sh\necho evil >&2\nexit 1\n");
        }
        let mut command = machine.installs("waveoff", &server, &["curl"]);
        let path = format!(":.:work:{}", machine.tools(&["curl"]).display());
        command.current_dir(machine.path("work")).env("PATH", path);
        command.env("RUNNER_TOOL_CACHE", "../tools");
        let output = command.output().unwrap();
        assert!(stdout(&output).ends_with(&format!("tools/waveoff/1.2.3/{PLATFORM}/waveoff")));
        assert!(!stderr(&output).contains("evil"), "{}", stderr(&output));
        assert!(kept(machine).exists(), "a relative folder is the caller's");
    });
}

#[test]
fn c4_words_stay_words() {
    let words = ["a'b", "a\"b", "line\nbreak", "$(touch stolen)", "`touch stolen`", "", "-n", "\\"];
    under_every_shell(|machine| {
        let server = Releases::of(&machine.publish("waveoff"));
        let mut command = machine.command("own/bootstrap/run.sh", &["waveoff"]);
        command.args(words).env("PATH", machine.tools(&["curl"]));
        command.env("WAVEOFF_RELEASE_URL", server.url()).env("WAVEOFF_INPUTS", words.join("\n"));
        let said = stdout(&command.output().unwrap());
        let (_, said) = said.split_once(' ').unwrap();
        let (_, said) = said.split_once(' ').unwrap();
        assert_eq!(said, words.join(" "));

        for seconds in ["a[$(touch stolen)]", "-1", "08", "0", "1 + 1"] {
            fs::remove_file(kept(machine)).unwrap_or_default();
            let mut command = machine.installs("waveoff", &server, &["curl"]);
            let output = command.env("WAVEOFF_DOWNLOAD_TIMEOUT", seconds).output().unwrap();
            assert_eq!(output.status.code(), Some(2), "{seconds}: {}", stderr(&output));
        }
        assert!(!machine.path("stolen").exists());
        assert!(!machine.path("own/bootstrap/stolen").exists());
    });
}

#[test]
fn c4_a_folder_with_a_line_break_would_be_another_output() {
    under_every_shell(|machine| {
        machine.program("my\npath=evil/waveoff", "#!/bin/sh\n");
        let mut command = machine.command("own/bootstrap/install.sh", &["--folder", "waveoff"]);
        let output =
            command.env("WAVEOFF_BIN_DIR", machine.path("my\npath=evil")).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        assert!(stderr(&output).contains("line break"), "{}", stderr(&output));
    });
}

#[test]
fn c4_one_explicit_folder_may_have_the_programs_of_every_platform() {
    under_every_shell(|machine| {
        machine.program(&format!("air gap/{PLATFORM}/waveoff"), "#!/bin/sh\n");
        let mut command = machine.command("own/bootstrap/install.sh", &["waveoff"]);
        let output = command.env("WAVEOFF_BIN_DIR", "air gap").output().unwrap();
        let wanted = machine.path(&format!("air gap/{PLATFORM}/waveoff"));
        assert_eq!(stdout(&output), wanted.to_str().unwrap());
    });
}

#[test]
fn c4_a_folder_with_the_name_of_a_program_is_no_place_for_it() {
    for name in ["waveoff", "waveoff.complete"] {
        under_every_shell(|machine| {
            let server = Releases::of(&machine.publish("waveoff"));
            let place = format!("tools/waveoff/1.2.3/{PLATFORM}");
            machine.write(&format!("{place}/waveoff.complete"), "something\n");
            fs::remove_file(machine.path(&format!("{place}/waveoff.complete"))).unwrap();
            machine.write(&format!("{place}/{name}/.keep"), "");
            let wanted = machine.path(&format!("temp/waveoff/1.2.3/{PLATFORM}/waveoff"));
            for _ in 0..2 {
                let output = machine.installs("waveoff", &server, &["curl"]).output().unwrap();
                assert_eq!(stdout(&output), wanted.to_str().unwrap());
            }
            assert_eq!(server.asked().len(), 1, "it was found there afterwards");
            assert_eq!(fs::read_dir(machine.path(&format!("{place}/{name}"))).unwrap().count(), 1);
        });
    }
}

/// The marker alone does not make a folder a program.
#[test]
fn c4_a_folder_in_place_of_a_program_that_was_complete_is_not_handed_out() {
    under_every_shell(|machine| {
        let program = stdout(&machine.install(&["waveoff"]));
        fs::remove_file(&program).unwrap();
        fs::create_dir(&program).unwrap();
        let output = machine.install(&["waveoff"]);
        assert!(stdout(&output).starts_with(machine.path("temp").to_str().unwrap()));
    });
}

#[test]
fn c4_a_program_of_another_machine_is_one_error_and_no_script() {
    under_every_shell(|machine| {
        machine.program("mine/waveoff", "\x7fELF\necho evil >&2\n(\n");
        let mut command = machine.command("own/bootstrap/run.sh", &["waveoff", "status"]);
        let output = command.env("WAVEOFF_BIN_DIR", machine.path("mine")).output().unwrap();
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(12), "{said}");
        assert!(said.contains("mine/waveoff does not start on this machine"), "{said}");
        assert!(said.contains(PLATFORM) && said.matches("  hint: ").count() == 1, "{said}");
        assert!(!said.contains("evil"), "{said}");
    });
}

/// Makes a cache one that can only be read, for root, too.
fn read_only(machine: &Machine, command: &mut Command) {
    let text = "#!/bin/sh\ncase $2 in */tools/waveoff/*) exit 1 ;; esac\nPATH=/usr/bin:/bin exec mktemp \"$@\"\n";
    machine.program("read only/mktemp", text);
    let path = [machine.path("read only"), machine.path("cargo"), "/usr/bin".into(), "/bin".into()];
    command.env("PATH", std::env::join_paths(path).unwrap());
}

#[test]
fn c4_a_cache_that_has_some_and_can_only_be_read_is_left_for_one_that_takes_all() {
    let names = ["--folder", "waveoff", "smoke-test", "wait-healthy"];
    under_every_shell(|machine| {
        let program = machine.path(&stdout(&machine.install(&["waveoff"])));
        for _ in 0..2 {
            let mut command = machine.command("own/bootstrap/install.sh", &names);
            read_only(machine, &mut command);
            let folder = stdout(&command.output().unwrap());
            assert!(folder.starts_with(machine.path("temp").to_str().unwrap()), "{folder}");
            for name in &names[1..] {
                assert!(machine.path(&folder).join(name).is_file(), "{folder}/{name}");
            }
            let copy = machine.path(&folder).join("waveoff");
            assert_eq!(fs::read(&copy).unwrap(), fs::read(&program).unwrap());
        }
        assert_eq!(machine.builds(), 3, "each was built once");
    });
}

#[test]
fn c4_a_cache_whose_name_has_an_equals_sign_is_a_folder_like_any_other() {
    under_every_shell(|machine| {
        let server = Releases::of(&machine.publish("waveoff"));
        let mut command = machine.installs("waveoff", &server, &["curl"]);
        let program =
            stdout(&command.env("RUNNER_TOOL_CACHE", machine.path("a=b")).output().unwrap());
        assert!(program.starts_with(machine.path("a=b").to_str().unwrap()), "{program}");
    });
}
