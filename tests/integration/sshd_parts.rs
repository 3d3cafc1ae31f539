//! What the tests over ssh stand on: a machine that can be in trouble, and a line that can.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::proxy::Proxy;
use crate::sshd::{Sshd, USER};

#[test]
fn a_machine_over_ssh_has_a_home_of_its_own_and_can_be_in_trouble() {
    let Some(mut sshd) = Sshd::with(&[("SHOP", "a b".to_owned())]) else { return };
    let ran = sshd.ran("echo \"$SHOP\" >here; pwd; ls -A ~").expect_code(0);
    assert_eq!(ran.stdout, "/root\nhere\n");
    assert_eq!(std::fs::read_to_string(sshd.home().join("here")).unwrap(), "a b\n");
    let processes = sshd.ran("ls /proc | grep -c '^[0-9]'").stdout;
    assert!(processes.trim().parse::<u32>().unwrap() < 20, "{processes}");
    assert_eq!(sshd.url(), format!("ssh://root@127.0.0.1:{}", sshd.port));

    sshd.refuse_key(true);
    let ran = sshd.ran("true").expect_code(255);
    assert!(ran.stderr.contains("Permission denied"), "{ran:?}");
    sshd.refuse_key(false);

    // What was started there outlives the connection.
    let folder = TempDir::new().unwrap();
    let mut session = client(&sshd, sshd.port, &folder, "(touch now; sleep 1; touch later) & wait");
    until("it runs there", || sshd.home().join("now").exists());
    sshd.kill_sessions();
    assert_eq!(session.wait().unwrap().code(), Some(255));
    until("it goes on there", || sshd.home().join("later").exists());

    sshd.stop();
    let ran = sshd.ran("true").expect_code(255);
    assert!(ran.stderr.contains("Connection refused"), "{ran:?}");
    sshd.again();
    let before = sshd.known_hosts(sshd.port);
    sshd.change_host_key();
    assert_ne!(sshd.known_hosts(sshd.port), before);
    sshd.ran("true").expect_code(0);
}

#[test]
fn a_line_can_be_slow_frozen_and_cut() {
    let Some(sshd) = Sshd::start() else { return };
    let proxy = Proxy::to(sshd.port);
    let folder = TempDir::new().unwrap();
    let through = |line: &str| client(&sshd, proxy.port, &folder, line);
    assert!(through("true").wait().unwrap().success());
    let quick = proxy.sent();
    assert!(quick > 1000, "{quick}");

    proxy.slow(quick * 2);
    let started = Instant::now();
    assert!(through("true").wait().unwrap().success());
    assert!(started.elapsed() > Duration::from_millis(250), "{:?}", started.elapsed());
    proxy.open();

    let mut session = through("touch began; sleep 1; touch ended");
    until("it began", || sshd.home().join("began").exists());
    proxy.freeze();
    until("it ended there", || sshd.home().join("ended").exists());
    assert!(session.try_wait().unwrap().is_none(), "nobody tells the client");
    proxy.open();
    assert!(session.wait().unwrap().success());

    let mut session = through("touch third; sleep 30");
    until("it runs there", || sshd.home().join("third").exists());
    proxy.cut();
    assert_eq!(session.wait().unwrap().code(), Some(255));

    proxy.cut_after(quick / 2);
    assert_eq!(through("true").wait().unwrap().code(), Some(255));
    assert!(through("true").wait().unwrap().success());
    proxy.refuse();
    assert_eq!(through("true").wait().unwrap().code(), Some(255));
}

/// An `ssh` on its way to the machine by this port.
fn client(sshd: &Sshd, port: u16, folder: &TempDir, line: &str) -> std::process::Child {
    let [known, key] = ["known_hosts", "key"].map(|name| folder.path().join(name));
    std::fs::write(&known, sshd.known_hosts(port)).unwrap();
    std::fs::write(&key, sshd.private_key()).unwrap();
    assert!(Command::new("chmod").arg("600").arg(&key).status().unwrap().success());
    let mut ssh = Command::new("ssh");
    ssh.args(["-F", "none", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-i"]).arg(key);
    ssh.arg("-o").arg(format!("UserKnownHostsFile={}", known.display()));
    ssh.args(["-p", &port.to_string(), &format!("{USER}@127.0.0.1"), line]);
    ssh.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn until(what: &str, holds: impl Fn() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < Duration::from_secs(30), "{what} within 30 s");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}
