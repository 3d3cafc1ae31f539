//! Releases of archives, run by a real systemd.

use std::fs;
use std::io::Write as _;

use crate::crash_disk::Small;
use crate::crash_kills::Victim as _;
use crate::crash_router::Balancer;
use crate::crash_world::{self, Platform};
use crate::harness::Server;
use crate::systemd_world::{Shop, sha256};

#[test]
fn d11_archives_are_deployed_and_bad_ones_taken_back() {
    let Some(shop) = Shop::new() else { return };
    for version in ["v1", "v2"] {
        shop.pack(version);
        let ran = shop.deploy(version).run().expect_code(0);
        assert!(ran.stdout.contains("is live and verified"), "{}", ran.stdout);
        shop.runs(version);
    }
    // Each is bad in its own way, and each way is said.
    let bad = [
        ("v3", "exit 7", "exit code 7"),
        ("v4", "sleep 0.1; kill -9 $$", "signal 9"),
        // The journal finds a line's unit through the process that wrote it, while it is there.
        ("v5", "sleep 0.2; exit 0", "ended by itself"),
    ];
    for (version, web, said) in bad {
        shop.pack_with(
            version,
            "exec \"$SHOP\" --port \"$1\"",
            &format!("echo I am {version}; {web}"),
        );
        let ran = shop.deploy(version).run().expect_code(20);
        assert!(ran.stdout.contains(said), "{version}: {}", ran.stdout);
        assert!(ran.stdout.contains("v2 is back and verified"), "{}", ran.stdout);
        shop.runs("v2");
    }
    // What it wrote is kept, and nobody else's.
    let forensics = shop.folder().join("state/shop/production/forensics");
    let folder = fs::read_dir(forensics).unwrap().map(|entry| entry.unwrap().path());
    let folder =
        folder.into_iter().find(|path| path.display().to_string().contains("v5-")).unwrap();
    let log = fs::read_to_string(folder.join("logs/shop.log")).unwrap();
    assert!(log.contains("I am v5") && !log.contains("I am v4"), "{log}");

    // A person goes back further, though the archive is gone.
    fs::remove_dir_all(shop.folder().join("dist")).unwrap();
    shop.waveoff(&["rollback"]).run().expect_code(0);
    shop.runs("v1");
    let status = shop.waveoff(&["status", "--json"]).run().expect_code(0).report();
    assert_eq!(status["outputs"]["live-version"], "v1");
}

#[test]
fn d11_a_unit_that_is_active_without_running_is_no_release() {
    let Some(shop) = Shop::new() else { return };
    shop.pack("v1");
    shop.deploy("v1").run().expect_code(0);
    let ports = [crate::harness::closed_port(), shop.web];
    shop.units("RemainAfterExit=yes", ports);
    shop.pack_with("v2", "exit 0", "exec \"$SHOP\" --port \"$1\" --version VERSION");
    let ran = shop.deploy("v2").run();
    assert!(ran.stdout.contains("shop-api.service is active (exited)"), "{}", ran.stdout);
}

#[test]
fn d11_a_unit_that_ends_after_a_while_is_seen_though_its_checks_passed() {
    let Some(shop) = Shop::new() else { return };
    shop.pack("v1");
    shop.deploy("v1").run().expect_code(0);
    // Somebody else answers on its port once it is gone; here it is told directly.
    shop.manager.systemctl(&["stop", "shop-api.service"]);
    let status = shop.waveoff(&["status", "--json"]).run();
    assert_ne!(status.report()["outputs"]["running-version"], "v1", "{status:?}");
    // The same again is no nothing-to-do: half of it does not run.
    let ran = shop.deploy("v1").run().expect_code(0);
    assert!(ran.stdout.contains("v1 should be live"), "{}", ran.stdout);
    shop.runs("v1");
}

#[test]
fn d8_a_dry_run_changes_nothing_and_tells_each_command() {
    let Some(shop) = Shop::new() else { return };
    shop.pack("v1");
    let ran = shop.waveoff(&["deploy", "--version", "v1", "--dry-run"]).run().expect_code(0);
    for wanted in [
        "run systemctl --no-ask-password --user stop shop-web.service",
        "current lead to releases/v1-",
        "run systemctl --no-ask-password --user start shop-api.service",
    ] {
        assert!(ran.stdout.contains(wanted), "{wanted}: {}", ran.stdout);
    }
    assert!(!shop.folder().join("opt").exists());
}

#[test]
fn d11_what_is_wrong_is_noticed_before_anything_is_touched() {
    let Some(shop) = Shop::new() else { return };
    let archive = shop.pack("v1");
    shop.deploy("v1").run().expect_code(0);
    let started = shop.manager.property("shop-web.service", "InvocationID");
    let refused = |arguments: &[&str], code: i32, said: &str| {
        let all = [&["deploy", "--version", "v2"], arguments].concat();
        let ran = shop.waveoff(&all).run().expect_code(code);
        assert!(format!("{}{}", ran.stdout, ran.stderr).contains(said), "{said}: {ran:?}");
        assert_eq!(shop.manager.property("shop-web.service", "InvocationID"), started);
        assert_eq!(shop.releases().len(), 1, "{:?}", shop.releases());
    };
    refused(&[], 12, "shop-v2.tar.gz");
    let second = shop.pack("v2");
    refused(&["--digest", &format!("sha256:{}", sha256(&archive))], 12, "and it must be");
    let sums = shop.folder().join("dist/SHA256SUMS");
    fs::write(&sums, format!("{}  shop-v2.tar.gz\n", sha256(&archive))).unwrap();
    refused(&[], 12, "and it must be");
    fs::write(&sums, format!("{}  shop-v1.tar.gz\n", sha256(&archive))).unwrap();
    refused(&[], 12, "has no SHA-256 of shop-v2.tar.gz");
    fs::write(&sums, format!("{}  shop-v2.tar.gz\n", sha256(&second))).unwrap();
    let whole = fs::read(&second).unwrap();
    fs::write(&second, &whole[..whole.len() / 2]).unwrap();
    refused(&[], 12, "and it must be");
    fs::remove_file(&sums).unwrap();
    refused(&[], 12, "cannot be unpacked");
    fs::write(&second, "<html>not found</html>").unwrap();
    refused(&[], 12, "cannot be unpacked");
    fs::write(&second, whole).unwrap();
    let config = fs::read_to_string(shop.folder().join("waveoff.yml")).unwrap();
    shop.world.write("waveoff.yml", &config.replace("shop-api.service", "shop-nobody.service"));
    let ran = shop.deploy("v2").run().expect_code(2);
    assert!(ran.stderr.contains("there is no unit shop-nobody.service"), "{ran:?}");
    assert!(ran.stderr.contains("daemon-reload"), "{ran:?}");
    shop.world.write("waveoff.yml", &config);
    shop.deploy("v2").run().expect_code(0);
    shop.runs("v2");
}

#[test]
fn d11_archives_are_fetched_and_their_checksum_is_asked_for() {
    let Some(shop) = Shop::new() else { return };
    let archive = fs::read(shop.pack("v1")).unwrap();
    let digest = format!("sha256:{}", sha256(&shop.folder().join("dist/shop-v1.tar.gz")));
    let half = archive.len() / 2;
    let bytes = archive.clone();
    let server = Server::raw(move |mut stream| {
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            bytes.len()
        );
        let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&bytes));
    });
    let cut = Server::raw(move |mut stream| {
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            archive.len()
        );
        let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&archive[..half]));
    });
    let (there, lost) = (server.url("/real"), "Location: /elsewhere\r\n".to_owned());
    let redirect = Server::new(move |request, _| match request.path() {
        "/shop-v1.tar.gz" => (302, format!("Location: {there}\r\n"), String::new()),
        "/loop/shop-v1.tar.gz" => (302, lost.clone(), String::new()),
        _ => (404, String::new(), "nothing".into()),
    });
    let config = fs::read_to_string(shop.folder().join("waveoff.yml")).unwrap();
    let from = |url: &str| {
        let text = config.replace("dist/shop-{{version}}.tar.gz", url);
        shop.world.write("waveoff.yml", &text);
    };
    let fails = |arguments: &[&str], said: &str| {
        let ran = shop.waveoff(&[&["deploy", "--version", "v1"], arguments].concat()).run();
        let ran = ran.expect_code(12);
        assert!(ran.stderr.contains(said), "{said}: {ran:?}");
        assert!(shop.releases().is_empty(), "{:?}", shop.releases());
    };
    let pinned = ["--digest", &digest];
    from(&redirect.url("/shop-{{version}}.tar.gz"));
    fails(&[], "nothing says what");
    fails(&["--digest", &format!("sha256:{}", "0".repeat(64))], "and it must be");
    from(&redirect.url("/missing.tar.gz"));
    fails(&pinned, "status 404");
    from(&redirect.url("/loop/shop-{{version}}.tar.gz"));
    fails(&pinned, "status 404");
    from(&cut.url("/shop.tar.gz"));
    fails(&pinned, "127.0.0.1");
    from(&format!("http://127.0.0.1:{}/x", crate::harness::closed_port()));
    fails(&pinned, "connection refused");
    from(&redirect.url("/shop-{{version}}.tar.gz"));
    shop.waveoff(&[&["deploy", "--version", "v1"][..], &pinned].concat()).run().expect_code(0);
    shop.runs("v1");
    // It is there now, and nobody is asked for it again.
    from(&cut.url("/shop.tar.gz"));
    shop.waveoff(&[&["deploy", "--version", "v1", "--force"][..], &pinned].concat())
        .run()
        .expect_code(0);
    shop.runs("v1");
}

#[test]
fn r1_a_release_that_is_not_whole_is_unpacked_again_or_not_gone_back_to() {
    let Some(shop) = Shop::new() else { return };
    for version in ["v1", "v2"] {
        shop.pack(version);
        shop.deploy(version).run().expect_code(0);
    }
    let v1 = shop.releases().into_iter().find(|name| name.starts_with("v1-")).unwrap();
    let file = shop.folder().join("opt/releases").join(v1).join("bin/web");
    let whole = fs::read(&file).unwrap();
    fs::write(&file, "#!/bin/sh\n").unwrap();
    // While its archive is there it can be mended.
    shop.waveoff(&["rollback"]).run().expect_code(0);
    shop.runs("v1");
    assert_eq!(fs::read(&file).unwrap(), whole);
    shop.waveoff(&["deploy", "--version", "v2"]).run().expect_code(0);
    fs::remove_file(&file).unwrap();
    fs::remove_dir_all(shop.folder().join("dist")).unwrap();
    let ran = shop.waveoff(&["rollback"]).run().expect_code(12);
    let said = format!("{}{}", ran.stdout, ran.stderr);
    assert!(said.contains("bin/web is missing"), "{said}");
    shop.runs("v2");
}

#[test]
fn d11_releases_are_kept_as_long_as_they_may_be_gone_back_to() {
    let Some(shop) = Shop::with("    keep: 2") else { return };
    for version in ["v1", "v2"] {
        shop.pack(version);
        shop.deploy(version).run().expect_code(0);
    }
    // Failed ones do not push out what the ledger would go back to.
    for version in ["v3", "v4", "v5"] {
        shop.pack_with(version, "exit 1", "exit 1");
        shop.deploy(version).run().expect_code(20);
    }
    let names: Vec<String> = shop.releases().iter().map(|name| name[..2].to_owned()).collect();
    assert_eq!(names, ["v1", "v2", "v5"]);
    shop.pack("v6");
    shop.deploy("v6").run().expect_code(0);
    shop.pack("v7");
    shop.deploy("v7").run().expect_code(0);
    let names: Vec<String> = shop.releases().iter().map(|name| name[..2].to_owned()).collect();
    assert_eq!(names, ["v2", "v6", "v7"]);
    shop.waveoff(&["rollback"]).run().expect_code(0);
    shop.runs("v6");
}

#[test]
fn d11_a_full_disk_is_noticed_before_anything_is_written() {
    let mut disk = None;
    let shop = Shop::prepared("", |world| {
        disk = Small::of(&world.folder.path().join("opt"), "size=20m");
        disk.is_some().then_some(())
    });
    let Some(shop) = shop else { return };
    shop.pack("v1");
    shop.deploy("v1").run().expect_code(0);
    fs::write(shop.folder().join("build/zeros"), vec![0; 8 << 20]).unwrap();
    shop.pack("v2");
    let ran = shop.deploy("v2").run().expect_code(12);
    assert!(ran.stderr.contains("there is no room"), "{ran:?}");
    assert!(ran.stderr.contains("nothing was touched"), "{ran:?}");
    assert_eq!(shop.releases().len(), 1, "{:?}", shop.releases());
    shop.runs("v1");
    fs::remove_file(shop.folder().join("build/zeros")).unwrap();
    shop.pack("v2");
    shop.deploy("v2").run().expect_code(0);
    shop.runs("v2");
}

#[test]
fn d4_releases_take_turns_in_the_slots_of_template_units() {
    let shop = crash_world::Shop::blue_green(Platform::Systemd, Balancer::Command);
    let Some(shop) = shop.and_then(crash_world::Shop::under_systemd) else { return };
    for version in ["v1", "v3"] {
        shop.deploy(version).run().expect_code(0);
        assert_eq!(shop.proven(), version);
    }
    // Its critical services are down: it is cleared away, and the other slot went on.
    shop.deploy("v2").run().expect_code(20);
    assert_eq!(shop.proven(), "v3");
    let links = fs::read_dir(shop.folder().join("opt/slots")).unwrap();
    let links: Vec<_> = links.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(links.len(), 2, "the empty slot has neither link nor environment: {links:?}");
    shop.waveoff(&["rollback"]).run().expect_code(0);
    assert_eq!(shop.proven(), "v1");
}
