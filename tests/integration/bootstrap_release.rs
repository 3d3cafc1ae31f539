//! `bootstrap/` and a release: what comes over the network is the right program, or one clear error.

use std::fs;
use std::path::Path;
use std::process::Output;
use std::time::{Duration, Instant};

use crate::bootstrap_world::{
    Answer, Machine, PLATFORM, Releases, gzip, stderr, stdout, under_every_shell,
};
use crate::harness::closed_port;
use crate::parts::part;

/// Every way to download that is here: curl, GNU's wget, BusyBox under both names.
const DOWNLOADERS: [&[&str]; 4] = [&["curl"], &["wget"], &["wget=busybox"], &["busybox"]];

/// Runs a test on a new machine for each shell and each way to download.
fn by_every_downloader(test: impl Fn(&Machine, &[&str])) {
    for downloader in DOWNLOADERS {
        let program = downloader[0].rsplit('=').next().unwrap();
        if part(program).is_some() {
            under_every_shell(|machine| test(machine, downloader));
        }
    }
}

/// Nothing was installed, nothing else was tried, and the reason is told once.
#[track_caller]
fn refused(machine: &Machine, output: &Output, reasons: &[&str]) {
    let said = stderr(output);
    assert_eq!(output.status.code(), Some(12), "{said}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
    for reason in reasons {
        assert!(said.contains(reason), "{reason} is not in: {said}");
    }
    assert_eq!(said.matches("  hint: ").count(), 1, "{said}");
    assert!(!machine.path(&format!("tools/waveoff/1.2.3/{PLATFORM}/waveoff")).exists());
    assert_eq!(machine.builds(), 0, "a release is never replaced by something else");
    assert_eq!(Machine::leftovers(&machine.path("temp")), [""; 0]);
}

#[test]
fn c4_a_release_is_downloaded_once_and_then_found() {
    by_every_downloader(|machine, downloader| {
        let server = Releases::of(&machine.publish("waveoff"));
        let install = || machine.installs("waveoff", &server, downloader).output().unwrap();
        let program = stdout(&install());
        let wanted = machine.path(&format!("tools/waveoff/1.2.3/{PLATFORM}/waveoff"));
        assert_eq!(program, wanted.to_str().unwrap());
        assert_eq!(fs::read(&program).unwrap(), Machine::fake("waveoff"));
        assert_eq!(stdout(&install()), program);

        let requests = server.requests();
        let path = format!("GET /downloads/v1.2.3/waveoff-{PLATFORM}.gz HTTP/1.1");
        assert_eq!(requests.iter().map(|r| r.line.as_str()).collect::<Vec<_>>(), [path]);
        assert_eq!(Machine::leftovers(wanted.parent().unwrap()), [""; 0]);
        assert_eq!(Machine::leftovers(&machine.path("temp")), [""; 0]);
        assert_eq!(machine.builds(), 0);
    });
}

#[test]
fn c4_one_changed_byte_is_never_installed() {
    by_every_downloader(|machine, downloader| {
        let mut archive = machine.publish("waveoff");
        *archive.last_mut().unwrap() ^= 1;
        let server = Releases::of(&archive);
        let output = machine.installs("waveoff", &server, downloader).output().unwrap();
        refused(machine, &output, &["not what was released", "sha256"]);
        assert_eq!(server.asked().len(), 2, "once may be a proxy's mishap");
    });
}

#[test]
fn c4_an_archive_of_another_program_is_never_installed() {
    under_every_shell(|machine| {
        let archive = gzip(b"#!/bin/sh\necho evil\n");
        machine.release("waveoff", &Machine::fake("waveoff"), &archive);
        let server = Releases::of(&archive);
        let output = machine.installs("waveoff", &server, &["curl"]).output().unwrap();
        refused(machine, &output, &["not the program of MANIFEST"]);
    });
}

#[test]
fn c4_what_passes_is_tried_again() {
    by_every_downloader(|machine, downloader| {
        let archive = machine.publish("waveoff");
        let server = Releases::new(move |_, before| match before {
            0 => Answer::Status(403),
            1 => Answer::Status(429),
            2 => Answer::Status(502),
            3 => Answer::Cut(archive.clone()),
            _ => Answer::Whole(archive.clone()),
        });
        let output = machine.installs("waveoff", &server, downloader).output().unwrap();
        let program = stdout(&output);
        assert_eq!(fs::read(program).unwrap(), Machine::fake("waveoff"));
        assert_eq!(server.asked().len(), 5, "{}", stderr(&output));
    });
}

#[test]
fn c4_what_does_not_pass_ends_in_one_error() {
    by_every_downloader(|machine, downloader| {
        for (status, requests, remedy) in [(404, 1, "WAVEOFF_RELEASE_URL"), (503, 6, "https_proxy")]
        {
            machine.publish("waveoff");
            let server = Releases::new(move |_, _| Answer::Status(status));
            let output = machine.installs("waveoff", &server, downloader).output().unwrap();
            refused(machine, &output, &[&status.to_string(), &server.url(), remedy]);
            assert_eq!(server.asked().len(), requests, "{}", stderr(&output));
        }
    });
}

#[test]
fn c4_a_download_that_is_always_cut_is_never_installed() {
    by_every_downloader(|machine, downloader| {
        let archive = machine.publish("waveoff");
        let server = Releases::new(move |_, _| Answer::Cut(archive.clone()));
        let output = machine.installs("waveoff", &server, downloader).output().unwrap();
        refused(machine, &output, &["cannot download waveoff 1.2.3 from http://127.0.0.1:"]);
    });
}

#[test]
fn c4_a_server_that_stalls_takes_its_time_and_no_more() {
    for downloader in DOWNLOADERS {
        let Some(shell) = part("dash") else { return };
        let machine = Machine::new(&[shell]);
        machine.publish("waveoff");
        let server = Releases::new(|_, _| Answer::Stall);
        let mut command = machine.installs("waveoff", &server, downloader);
        let started = Instant::now();
        let output = command.env("WAVEOFF_DOWNLOAD_TIMEOUT", "1").output().unwrap();
        assert!(started.elapsed() < Duration::from_secs(8), "{downloader:?}");
        refused(&machine, &output, &["cannot download waveoff 1.2.3"]);
    }
}

#[test]
fn c4_nobody_at_the_other_end_is_one_error() {
    by_every_downloader(|machine, downloader| {
        machine.publish("waveoff");
        let server = Releases::of(b"");
        let mut command = machine.installs("waveoff", &server, downloader);
        let url = format!("http://somebody:s3cret@127.0.0.1:{}/", closed_port());
        let output = command.env("WAVEOFF_RELEASE_URL", url).output().unwrap();
        refused(machine, &output, &["onnect", "https_proxy"]);
        assert!(!stderr(&output).contains("s3cret"), "{}", stderr(&output));
    });
}

#[test]
fn c4_files_may_be_on_another_host_and_get_no_token() {
    by_every_downloader(|machine, downloader| {
        let archive = machine.publish("waveoff");
        let storage = Releases::of(&archive);
        let place = format!("{}storage", storage.url());
        let server = Releases::new(move |_, _| Answer::At(place.clone()));
        machine.write("home/.netrc", "machine 127.0.0.1\nlogin me\npassword s3cret\n");
        let mut command = machine.installs("waveoff", &server, downloader);
        command.env("GITHUB_TOKEN", "ghs_token").env("ACTIONS_RUNTIME_TOKEN", "token");
        stdout(&command.output().unwrap());
        assert_eq!(storage.asked(), ["storage"]);
        for request in server.requests().iter().chain(&storage.requests()) {
            assert_eq!(request.header("authorization"), None, "{request:?}");
        }
    });
}

#[test]
fn c4_what_cannot_start_here_is_not_kept() {
    under_every_shell(|machine| {
        let program = b"\x7fELF of another machine";
        let archive = gzip(program);
        machine.release("waveoff", program, &archive);
        let server = Releases::of(&archive);
        let output = machine.installs("waveoff", &server, &["curl"]).output().unwrap();
        refused(machine, &output, &["does not start on this machine"]);
    });
}

#[test]
fn c4_without_anything_to_download_with_it_says_so() {
    under_every_shell(|machine| {
        let server = Releases::of(&machine.publish("waveoff"));
        let output = machine.installs("waveoff", &server, &[]).output().unwrap();
        refused(machine, &output, &["neither curl nor wget"]);
        assert_eq!(server.asked(), [""; 0]);
    });
}

#[test]
fn c4_a_downloader_that_does_not_run_leaves_it_to_the_next() {
    under_every_shell(|machine| {
        let server = Releases::of(&machine.publish("waveoff"));
        let mut command = machine.installs("waveoff", &server, &["wget"]);
        machine.program("broken/curl", "#!/bin/sh\nexit 127\n");
        let path = [machine.path("broken"), machine.tools(&["wget"])];
        stdout(&command.env("PATH", std::env::join_paths(path).unwrap()).output().unwrap());
    });
}

/// .NET makes files of its own memory, beyond every limit, and is ended by it.
#[test]
fn c4_a_downloader_that_a_limit_ends_leaves_it_to_the_next_and_powershell_has_none() {
    under_every_shell(|machine| {
        let archive = machine.path("archive");
        fs::write(&archive, machine.publish("waveoff")).unwrap();
        let server = Releases::of(&[]);
        machine.program("ended/curl", "#!/bin/sh\nkill -XFSZ $$\n");
        let copies = format!("cat '{}' >\"$WAVEOFF_FILE\"", archive.display());
        let pwsh =
            format!("#!/bin/sh\n[ \"$(ulimit -f)\" = unlimited ] || kill -XFSZ $$\n{copies}\n");
        let mut command = machine.installs("waveoff", &server, &[]);
        let path = [machine.path("ended"), machine.tools(&[])];
        command.env("PATH", std::env::join_paths(path).unwrap());
        // Nothing else is there: what was said is why, and no remedy for a missing program.
        let output = command.output().unwrap();
        refused(machine, &output, &["curl was ended at the limit", "run the job again"]);
        machine.program("ended/pwsh", &pwsh);
        let program = stdout(&command.output().unwrap());
        assert_eq!(fs::read(program).unwrap(), Machine::fake("waveoff"));
    });
}

#[test]
fn c4_the_smaller_archive_is_taken_where_it_can_be_opened() {
    if part("xz").is_none() {
        return;
    }
    under_every_shell(|machine| {
        let archive = machine.publish("waveoff");
        let packed = machine.path("packed");
        fs::write(&packed, Machine::fake("waveoff")).unwrap();
        let output = std::process::Command::new("xz").arg("-c").arg(&packed).output().unwrap();
        let smaller = output.stdout;
        let manifest = machine.path("own/bootstrap/MANIFEST");
        let digest = crate::bootstrap_world::sha256(&smaller);
        let text = fs::read_to_string(&manifest).unwrap();
        fs::write(&manifest, format!("{digest}  {PLATFORM}/waveoff.xz\n{text}")).unwrap();
        let server = Releases::new(move |path, _| {
            let smaller = smaller.clone();
            Answer::Whole(if path.ends_with(".xz") { smaller } else { archive.clone() })
        });
        let program = stdout(&machine.installs("waveoff", &server, &["curl"]).output().unwrap());
        assert_eq!(server.asked(), [format!("waveoff-{PLATFORM}.xz")]);

        // BusyBox's xz cannot open all that xz can: it does not know its version either.
        fs::remove_file(Path::new(&program)).unwrap();
        machine.program("busy/xz", "#!/bin/sh\nexit 1\n");
        let mut command = machine.installs("waveoff", &server, &["curl"]);
        let path = [machine.path("busy"), machine.tools(&["curl"])];
        stdout(&command.env("PATH", std::env::join_paths(path).unwrap()).output().unwrap());
        assert_eq!(server.asked()[1..], [format!("waveoff-{PLATFORM}.gz")]);

        // One that says it can, and cannot.
        fs::remove_file(Path::new(&program)).unwrap();
        machine.program("busy/xz", "#!/bin/sh\n[ \"$1\" = --version ]\n");
        stdout(&command.output().unwrap());
        assert_eq!(server.asked().len(), 4);
    });
}
