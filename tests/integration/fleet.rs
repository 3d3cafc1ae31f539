//! One release on several hosts: all of them or none, whichever of them fails and whoever dies.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::deploy_world::World;
use crate::harness::Program;
use crate::sshd::Sshd;

/// Fails where somebody says so, and waits where somebody says so.
const SHIP: &str = "#!/bin/sh
set -eu
touch \"$HOME/began\"
if [ \"$WAVEOFF_DIRECTION\" = forward ]; then
  while [ -e \"$HOME/wait\" ]; do sleep 0.02; done
  if [ -e \"$HOME/bad\" ]; then exit 1; fi
fi
echo \"$WAVEOFF_VERSION\" >>\"$HOME/ran\"
echo \"$WAVEOFF_VERSION\" >\"$HOME/live\"
";

const CONFIG: &str = "\
version: 1
service: shop
upload: [ship.sh, look.sh]
platform:
  command: { deploy: [./ship.sh] }
checks:
  - name: is-there
    command: [./look.sh]
    attempts: 1
ssh:
  key: \"${DEPLOY_KEY}\"
  known-hosts: known_hosts
";

const LOOK: &str = "#!/bin/sh\ntest \"$(cat \"$HOME/live\")\" != ''\n";

pub(crate) struct Fleet {
    pub(crate) world: World,
    pub(crate) hosts: Vec<Sshd>,
}

impl Fleet {
    /// Several hosts that have v1; none where there is no sshd.
    pub(crate) fn new(count: usize, more: &str) -> Option<Self> {
        let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("ssh-cache");
        let start = || Sshd::with(&[("XDG_CACHE_HOME", cache.display().to_string())]);
        let hosts: Option<Vec<Sshd>> = (0..count).map(|_| start()).collect();
        let mut hosts = hosts?;
        // The first one keeps the lock for all of them.
        hosts.sort_by_key(Sshd::url);
        let urls: Vec<String> = hosts.iter().map(Sshd::url).collect();
        let world = World::with(&format!("{CONFIG}hosts: [{}]\n{more}", urls.join(", ")));
        for (name, text) in [("ship.sh", SHIP), ("look.sh", LOOK)] {
            world.write(name, text);
        }
        // One key opens all of them.
        let key = hosts[0].public_key();
        hosts.iter().for_each(|host| host.take_key(&key));
        let known: String = hosts.iter().map(|host| host.known_hosts(host.port)).collect();
        world.write("known_hosts", &known);
        let fleet = Self { world, hosts };
        fleet.waveoff(&["deploy", "--version", "v1"]).run().expect_code(0);
        assert_eq!(fleet.live(), vec!["v1"; count]);
        Some(fleet)
    }

    pub(crate) fn waveoff(&self, arguments: &[&str]) -> Program {
        let program = Program::within("waveoff", &self.world.folder).args(arguments);
        let program = self.world.surroundings(program);
        program.env("DEPLOY_KEY", self.hosts[0].private_key().trim_end())
    }

    pub(crate) fn deploy(&self, version: &str) -> Program {
        self.waveoff(&["deploy", "--version", version, "--json"])
    }

    pub(crate) fn file(&self, host: usize, name: &str) -> PathBuf {
        self.hosts[host].home().join(name)
    }

    pub(crate) fn say(&self, host: usize, name: &str) {
        std::fs::write(self.file(host, name), "").unwrap();
    }

    /// What each host has.
    pub(crate) fn live(&self) -> Vec<String> {
        let all = 0..self.hosts.len();
        let text = all.map(|host| std::fs::read_to_string(self.file(host, "live")));
        text.map(|text| text.unwrap_or_default().trim().to_owned()).collect()
    }

    /// What a host ran, in order.
    pub(crate) fn ran(&self, host: usize) -> Vec<String> {
        let text = std::fs::read_to_string(self.file(host, "ran")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// On how many hosts a deployment is open.
    pub(crate) fn open(&self) -> usize {
        let mark = ".local/state/waveoff/shop/production/fleet.json";
        let text = |host| std::fs::read_to_string(self.file(host, mark)).unwrap_or_default();
        let kept = |host| serde_json::from_str::<Value>(&text(host)).unwrap_or_default();
        (0..self.hosts.len()).filter(|host| kept(*host)["open"].is_object()).count()
    }

    pub(crate) fn until(&self, what: &str, holds: impl Fn() -> bool) {
        let started = std::time::Instant::now();
        while !holds() {
            assert!(started.elapsed().as_secs() < 30, "{what} within 30 s");
            std::thread::park_timeout(std::time::Duration::from_millis(10));
        }
    }
}

fn details(report: &Value, name: &str) -> Vec<String> {
    let steps = report["steps"].as_array().unwrap().iter().filter(|step| step["name"] == name);
    steps.map(|step| step["detail"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn d11_a_release_goes_to_all_hosts_or_to_none() {
    let Some(fleet) = Fleet::new(3, "") else { return };
    let report = fleet.deploy("v2").run().expect_code(0).report();
    assert_eq!(fleet.live(), ["v2", "v2", "v2"]);
    assert_eq!(details(&report, "host").len(), 3);
    assert_eq!((fleet.open(), &report["outputs"]["fleet"]), (0, &Value::Null));

    // The last one fails: those before it get back what they had, the last one first.
    fleet.say(2, "bad");
    let report = fleet.deploy("v3").run().expect_code(20).report();
    assert_eq!(fleet.live(), ["v2", "v2", "v2"]);
    assert_eq!(
        (fleet.ran(0).join(" "), fleet.ran(1).join(" ")),
        ("v1 v2 v3 v2".into(), "v1 v2 v3 v2".into())
    );
    let back = details(&report, "bring back");
    assert!(
        back[0].contains(&fleet.hosts[1].url()) && back[1].contains(&fleet.hosts[0].url()),
        "{back:?}"
    );
    assert!(
        report["summary"].as_str().unwrap().contains("2 other hosts were brought back"),
        "{report}"
    );
    assert_eq!(fleet.open(), 0);

    // The same version again is nothing to do.
    std::fs::remove_file(fleet.file(2, "bad")).unwrap();
    fleet.deploy("v2").run().expect_code(0);
    assert_eq!(fleet.ran(0).join(" "), "v1 v2 v3 v2");
    // And one that is good goes everywhere.
    fleet.deploy("v4").run().expect_code(0);
    assert_eq!(fleet.live(), ["v4", "v4", "v4"]);
    let told = fleet.waveoff(&["status"]).run().expect_code(0);
    assert_eq!(told.stdout.matches("v4").count() / 3 * 3, told.stdout.matches("v4").count());
}

#[test]
fn d11_in_batches_the_ones_behind_a_failure_are_never_touched() {
    let Some(fleet) = Fleet::new(3, "batch: 2\n") else { return };
    fleet.say(0, "bad");
    fleet.deploy("v2").run().expect_code(20);
    assert_eq!(fleet.live(), ["v1", "v1", "v1"]);
    assert_eq!(fleet.ran(1).join(" "), "v1 v2 v1");
    assert_eq!(fleet.ran(2).join(" "), "v1");
    assert_eq!(fleet.open(), 0);
}

#[test]
fn d11_a_caller_that_dies_between_two_hosts_leaves_what_recover_ends() {
    let Some(fleet) = Fleet::new(3, "") else { return };
    fleet.say(1, "wait");
    let _ = std::fs::remove_file(fleet.file(1, "began"));
    let mut caller = fleet.deploy("v2").start().0;
    fleet.until("the second host began", || fleet.file(1, "began").exists());
    caller.kill().unwrap();
    caller.wait().unwrap();
    assert_eq!(fleet.live(), ["v2", "v1", "v1"]);
    std::fs::remove_file(fleet.file(1, "wait")).unwrap();
    let told = fleet.waveoff(&["status"]).run().expect_code(11);
    assert!(told.stdout.contains("the deployment of v2 is not over on all hosts"), "{told:?}");
    assert!(told.stdout.contains("`waveoff recover` finishes it"), "{told:?}");
    // The second host's engine ends by itself; the third one was never come to.
    let ran = fleet.waveoff(&["recover"]).run().expect_code(0);
    assert_eq!(fleet.live(), ["v1", "v1", "v1"], "{ran:?}");
    assert_eq!(fleet.ran(2).join(" "), "v1");
    assert_eq!(fleet.open(), 0);
    // Recovered once, there is nothing to do any more.
    fleet.waveoff(&["recover"]).run().expect_code(0);
    assert_eq!(fleet.ran(0).join(" "), "v1 v2 v1");
}

#[test]
fn d11_a_host_that_cannot_be_reached_keeps_all_from_being_touched() {
    let Some(mut fleet) = Fleet::new(2, "") else { return };
    fleet.hosts[1].stop();
    let ran = fleet.waveoff(&["deploy", "--version", "v2"]).run().expect_code(12);
    assert!(ran.stderr.contains(&fleet.hosts[1].url()), "{ran:?}");
    assert_eq!(fleet.live(), ["v1", "v1"]);
    assert_eq!(fleet.ran(0).join(" "), "v1");
}

#[test]
fn d11_hosts_that_do_not_fit_together_are_refused() {
    for (keys, says) in [
        ("host: ssh://a\nhosts: [ssh://b]\n", "`host` stands beside it"),
        ("hosts: [ssh://a, ssh://a]\n", "ssh://a stands twice"),
        ("hosts: [ssh://a]\nbatch: 0\n", "batch: it is 0"),
        ("batch: 2\n", "there are no `hosts`"),
        ("hosts: []\n", "hosts"),
    ] {
        let config = format!("version: 1\nservice: shop\ndeploy: [\"true\"]\n{keys}");
        let ran = Program::new("waveoff").file("waveoff.yml", &config);
        let ran = ran.args(["deploy", "--version", "v1"]).run().expect_code(2);
        assert!(ran.stderr.contains(says), "{keys}: {ran:?}");
    }
}

#[test]
fn d2_d11_no_host_is_touched_when_one_of_them_is_not_ready() {
    let more = "preflight:\n  dependencies:\n    - { name: open, command: [sh, -c, 'test ! -e \"$HOME/closed\"'], attempts: 1 }\n";
    let Some(fleet) = Fleet::new(2, more) else { return };
    fleet.say(1, "closed");
    let ran = fleet.deploy("v2").run().expect_code(10);
    let report = ran.report();
    assert!(report["summary"].as_str().unwrap().contains("dependencies: open"), "{report:#}");
    assert_eq!((fleet.live(), fleet.ran(0)), (vec!["v1".to_owned(); 2], vec!["v1".to_owned()]));
    assert_eq!(report["deployment"]["outcome"], "nothing");
    let asked = fleet.waveoff(&["preflight", "--version", "v2", "--json"]).run().expect_code(10);
    let checks = asked.report()["checks"].as_array().unwrap().len();
    assert!(checks > 8, "both are asked for all: {checks}");
    std::fs::remove_file(fleet.file(1, "closed")).unwrap();
    fleet.deploy("v2").run().expect_code(0);
    assert_eq!(fleet.live(), ["v2"; 2]);
}
