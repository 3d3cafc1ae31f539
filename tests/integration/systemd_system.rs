//! Releases that the system's own manager runs, as it does on a server: systemd is process 1.

use std::fs;
use std::process::Command;

use crate::booted::Booted;
use crate::deploy_world::{World, sample_service};
use crate::manager::write_program;
use crate::parts::part;

const PAGE: &str = include_str!("../../docs/systemd.md");
const RECOVER: &str = include_str!("../../examples/systemd/waveoff-recover.service");
const WEB: &str = include_str!("../../examples/systemd/shop-web.service");

/// What a release of the shop runs; `$PORT` is what waveoff writes down for its unit.
const GOOD: &str = "exec SERVICE --port \"$PORT\" --version VERSION";

const CONFIG: &str = "\
version: 1
service: shop
platform:
  systemd:
    artifact: dist/shop-{{version}}.tar.gz
    folder: /opt/shop
    units: [shop-web.service]
    port: PORT
    settle: 300ms
KEYS
checks:
  - path: /version
    within: 20s
    expect: [{ version: { header: X-Version } }]
";

/// A machine on which `shop-web.service` is a unit of the system.
struct Shop {
    machine: Booted,
    world: World,
}

impl Shop {
    fn new(keys: &str) -> Option<Self> {
        let world = World::with("");
        let machine = Booted::new(&world.folder)?;
        let config = CONFIG.replace("PORT", &world.port.to_string()).replace("KEYS", keys);
        world.write("waveoff.yml", &config);
        // Whoever deploys, and the units, look into it.
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(world.folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        Some(Self { machine, world })
    }

    fn unit(&self, name: &str, text: &str) {
        self.machine.write(&format!("/etc/systemd/system/{name}"), text);
        self.machine.tell(&["systemctl", "daemon-reload"]);
    }

    /// An archive whose program does this.
    fn pack(&self, version: &str, web: &str) {
        let folder = self.world.folder.path();
        for sub in ["build/bin", "dist"] {
            fs::create_dir_all(folder.join(sub)).unwrap();
        }
        let web = web.replace("SERVICE", &sample_service()).replace("VERSION", version);
        write_program(&folder.join("build/bin/web"), &format!("#!/bin/sh\n{web}\n"));
        let mut tar = Command::new("tar");
        tar.arg("-czf").arg(folder.join(format!("dist/shop-{version}.tar.gz")));
        assert!(tar.arg("-C").arg(folder.join("build")).arg(".").status().unwrap().success());
    }

    /// What serves, as whom, and what the link says.
    #[track_caller]
    fn runs(&self, version: &str, user: &str) {
        assert_eq!(self.world.version().as_deref(), Some(version));
        let link = self.machine.tell(&["readlink", "/opt/shop/current"]);
        assert!(link.starts_with(&format!("releases/{version}-")), "{link}");
        assert_eq!(self.machine.property("shop-web.service", "SubState"), "running");
        let pid = self.machine.property("shop-web.service", "MainPID");
        assert_eq!(self.machine.tell(&["stat", "-c", "%U", &format!("/proc/{pid}")]), user);
    }
}

/// The block of the page that begins so.
fn block(begins: &str) -> String {
    let blocks = PAGE.split("```").map(|block| block.split_once('\n').map_or("", |(_, text)| text));
    blocks.filter(|block| block.starts_with(begins)).collect()
}

#[test]
fn d11_a_user_who_may_do_no_more_deploys_as_the_page_says() {
    if part("sudo").is_none() {
        return;
    }
    let Some(shop) = Shop::new("    systemctl: [sudo, -n, systemctl]") else { return };
    let machine = &shop.machine;
    shop.unit("shop-web.service", &block("# /etc/systemd/system/shop-web.service"));
    let rules = block("# /etc/sudoers.d/shop");
    assert!(rules.contains("stop shop-web.service"), "{rules}");
    machine.write("/etc/sudoers.d/shop", &rules);
    machine.tell(&["chmod", "440", "/etc/sudoers.d/shop"]);
    machine.tell(&["visudo", "-c"]);
    machine.tell(&["sh", "-euc", &block("install -d -o deploy")]);
    let deploy = |version: &str| {
        let state = "/home/deploy/state";
        let words = ["waveoff", "deploy", "--state", state, "--version", version, "--no-progress"];
        machine.ran(&[&["runuser", "-u", "deploy", "--"][..], &words].concat())
    };
    for version in ["v1", "v2"] {
        shop.pack(version, GOOD);
        deploy(version).expect_code(0);
        shop.runs(version, "shop");
    }
    shop.pack("v3", "echo I am VERSION; exit 7");
    let ran = deploy("v3").expect_code(20);
    for said in ["exit code 7", "I am v3", "v2 is back and verified"] {
        assert!(ran.stdout.contains(said), "{said}: {}", ran.stdout);
    }
    shop.runs("v2", "shop");
    // It may do no more.
    let other =
        ["runuser", "-u", "deploy", "--", "sudo", "-n", "systemctl", "stop", "dbus.service"];
    assert_ne!(machine.ran(&other).code, Some(0));
}

#[test]
fn d7_a_machine_that_lost_its_power_finishes_the_story_when_it_boots() {
    boots_in_the_middle(Booted::cut_power);
}

#[test]
fn d7_a_machine_that_is_rebooted_in_the_middle_finishes_the_story() {
    boots_in_the_middle(Booted::shut_down);
}

fn boots_in_the_middle(end: fn(&mut Booted)) {
    let Some(mut shop) = Shop::new("") else { return };
    shop.unit("shop-web.service", WEB);
    shop.unit("waveoff-recover.service", RECOVER);
    let enable = ["systemctl", "enable", "shop-web.service", "waveoff-recover.service"];
    shop.machine.tell(&enable);
    let words = ["waveoff", "deploy", "--state", "/var/lib/waveoff", "--version"];
    let deploy = |version| [&words[..], &[version, "--no-progress"]].concat();
    shop.pack("v1", GOOD);
    shop.machine.ran(&deploy("v1")).expect_code(0);
    // One that answers, and is not the version that it should be: it is waited for.
    shop.pack("v2", "exec SERVICE --port \"$PORT\" --version other");
    let caller = shop.machine.command(&deploy("v2")).spawn().unwrap();
    shop.world.until("v2 is looked at", |world| world.version().as_deref() == Some("other"));
    end(&mut shop.machine);
    drop(caller.wait_with_output());
    assert_eq!(shop.world.version(), None, "nothing of it runs");
    shop.machine.boot().unwrap();
    shop.machine.until("it is finished", |machine| {
        machine.property("waveoff-recover.service", "ActiveState") == "inactive"
    });
    assert_eq!(shop.machine.property("waveoff-recover.service", "Result"), "success");
    shop.runs("v1", "shop");
    let status = ["waveoff", "status", "--state", "/var/lib/waveoff", "--json"];
    let status = shop.machine.ran(&status).expect_code(0).report();
    assert_eq!(status["outputs"]["live-version"], "v1");
}
