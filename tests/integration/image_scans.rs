//! `scripts/image`: what is in an image, and what must not be in it or in the history. gitleaks is real;
//! Syft and Trivy are stood in for, since they need the network.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::image_world::World;
use crate::parts::part;

/// Writes what it was asked, and a report with what `$FOUND` says.
const TRIVY: &str = r#"echo "$*" >>asked
case $1 in
  image) shift; while [ "$1" != --output ]; do shift; done
    [ -f down ] && exit 1
    [ -f silent ] || echo '{"SchemaVersion":2,"Results":[{"Severity":"HIGH"}]}' >"$2" ;;
  convert) case $* in
      *sarif*) while [ "$1" != --output ]; do shift; done; echo '{"version":"2.1.0"}' >"$2" ;;
      *HIGH*) exit 10 ;;
      *LOW*) exit 1 ;;
    esac ;;
esac
"#;

#[test]
fn vulnerabilities_fail_at_the_bar_and_are_reported_whatever_it_is() {
    let Some(world) = World::new() else { return };
    world.program("trivy", TRIVY);
    let digest = format!("sha256:{}", "a".repeat(64));
    let scan = |bar: &str, more: &[(&str, &str)]| {
        let mut all = vec![("DIGEST", digest.as_str()), ("BAR", bar), ("REPORT", "report.json")];
        all.extend([("SARIF", "report.sarif"), ("PLATFORM", "linux/arm64")]);
        all.extend_from_slice(more);
        world.run("scan", &all)
    };
    let ran = scan("CRITICAL,HIGH", &[]).expect_code(10);
    assert!(ran.stderr.contains("vulnerabilities that are CRITICAL,HIGH"), "{}", ran.stderr);
    assert!(fs::read_to_string(world.path("report.sarif")).unwrap().contains("2.1.0"));
    scan("CRITICAL", &[("IGNORE_UNFIXED", "true")]).expect_code(0);
    scan("LOW", &[]).expect_code(12);
    let asked = fs::read_to_string(world.path("asked")).unwrap();
    let image = format!("{}@{digest}", world.image());
    assert_eq!(
        asked.lines().collect::<Vec<_>>()[..4],
        [
            &format!(
                "image --scanners vuln --format json --output report.json --platform linux/arm64 {image}"
            ),
            "convert --format sarif --output report.sarif report.json",
            "convert --format table --severity CRITICAL,HIGH --exit-code 10 report.json",
            &format!(
                "image --scanners vuln --format json --output report.json --ignore-unfixed --platform linux/arm64 {image}"
            ),
        ]
    );
    for bar in ["", "critical", "HIGH,", "HIGH --exit-code 0"] {
        scan(bar, &[]).expect_code(2);
    }
    // What was built and not pushed is a file.
    scan("CRITICAL", &[("ARCHIVE", "nowhere.tar")]).expect_code(12);
    fs::write(world.path("image.tar"), "an image").unwrap();
    scan("CRITICAL", &[("ARCHIVE", "image.tar"), ("IMAGE", "")]).expect_code(0);
    // A report of the run before is not one of this.
    fs::write(world.path("silent"), "").unwrap();
    scan("CRITICAL", &[]).expect_code(12);
    fs::write(world.path("down"), "").unwrap();
    scan("CRITICAL", &[]).expect_code(12);
}

#[test]
fn every_platform_has_its_sbom() {
    let Some(world) = World::new() else { return };
    world.program(
        "syft",
        r#"printf '{"spdxVersion":"SPDX-2.3","name":"%s"}' "$2" >"${4#spdx-json=}""#,
    );
    let digests = [format!("sha256:{}", "a".repeat(64)), format!("sha256:{}", "b".repeat(64))];
    let both = digests.join(" ");
    let variables = [("DIGESTS", both.as_str()), ("FOLDER", "sboms")];
    world.run("sbom", &variables).expect_code(0);
    for digest in &digests {
        let hex = digest.strip_prefix("sha256:").unwrap();
        let text = fs::read_to_string(world.path(&format!("sboms/{hex}.spdx.json"))).unwrap();
        assert!(text.contains(&format!("registry:{}@{digest}", world.image())), "{text}");
    }
    world.program("syft", "exit 0");
    fs::remove_dir_all(world.path("sboms")).unwrap();
    world.run("sbom", &variables).expect_code(12);
}

#[test]
fn secrets_in_the_history_are_found_and_not_shown() {
    let Some(world) = World::new() else { return };
    let (Some(_), Some(_)) = (part("gitleaks"), part("git")) else { return };
    let git = |arguments: &[&str]| {
        let mut git = Command::new("git");
        git.args(["-c", "user.name=t", "-c", "user.email=t@example.com"]).args(arguments);
        git.env("GIT_CONFIG_GLOBAL", "/dev/null").current_dir(world.folder.path());
        assert!(git.output().unwrap().status.success(), "git {arguments:?}");
    };
    let commit = |text: &str| {
        fs::write(world.path("settings"), text).unwrap();
        git(&["add", "settings"]);
        git(&["commit", "--quiet", "-m", "x"]);
    };
    let scan = || world.run("secrets", &[("SARIF", "secrets.sarif")]);
    scan().expect_code(12);
    git(&["init", "--quiet"]);
    commit("port = 8080\n");
    scan().expect_code(0);

    // Taken out in the next commit: it is known to everybody all the same.
    let secret = format!("ghp_{}", "0a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R");
    commit(&format!("token = \"{secret}\"\n"));
    commit("port = 8080\n");
    let ran = scan().expect_code(10);
    let sarif = fs::read_to_string(world.path("secrets.sarif")).unwrap();
    assert!(sarif.contains("github-pat"), "{sarif}");
    assert!(!format!("{}{}{sarif}", ran.stdout, ran.stderr).contains(&secret), "{sarif}");

    let shallow = world.path("shallow");
    git(&["clone", "--quiet", "--depth=1", &format!("file://{}", world.path(".")), &shallow]);
    let file = world.path("shallow/secrets.sarif");
    let mut command = Command::new("sh");
    command.arg(crate::image_world::scripts().join("secrets.sh")).env("SARIF", file);
    let path = std::env::var("PATH").unwrap_or_default();
    let tools = crate::parts::tools().join("bin").display().to_string();
    command.env("PATH", format!("{tools}:{path}")).current_dir(&shallow);
    assert_eq!(command.output().unwrap().status.code(), Some(12));
}

#[test]
fn what_was_built_is_told_by_name() {
    let Some(world) = World::new() else { return };
    let (web, worker) =
        (format!("sha256:{}", "a".repeat(64)), format!("sha256:{}", "b".repeat(64)));
    fs::create_dir(world.path("digests")).unwrap();
    fs::write(world.path("digests/web"), &web).unwrap();
    let digests = |names| world.run("digests", &[("NAMES", names), ("FOLDER", "digests")]);
    let ran = digests("web worker").expect_code(10);
    assert!(ran.stderr.contains("there is no digest of worker"), "{}", ran.stderr);
    fs::write(world.path("digests/worker"), format!("{worker}\n")).unwrap();
    let ran = digests("web worker").expect_code(0);
    let told = ran.stdout.trim().strip_prefix("digests=").unwrap();
    let json: Value = serde_json::from_str(told).unwrap();
    assert_eq!(json, serde_json::json!({ "web": web, "worker": worker }));
    // Where it is deployed, the names come back to it.
    let pins_of = |digests, images| {
        let all = [("REGISTRY", "ghcr.io"), ("REPOSITORY", "Acme/Shop"), ("DIGESTS", digests)];
        world.run("pins", &[&all[..], &[("IMAGES", images)]].concat())
    };
    let pins = |digests| pins_of(digests, "[]");
    let wanted = format!("ghcr.io/acme/shop/web@{web},ghcr.io/acme/shop/worker@{worker}");
    assert_eq!(pins(told).expect_code(0).stdout, format!("pins={wanted}\n"));
    assert_eq!(pins("").expect_code(0).stdout, "pins=\n", "nothing was built");
    let images = r#"[{"name": "web"}]"#;
    let ran = pins_of("", images).expect_code(10);
    assert!(ran.stderr.contains("nobody says which digests"), "{}", ran.stderr);
    assert_eq!(pins_of(told, images).expect_code(0).stdout, format!("pins={wanted}\n"));
    for digests in ["{}", "latest", r#"{"web":"latest"}"#, &format!("{told}x")] {
        pins(digests).expect_code(2);
    }

    digests("").expect_code(2);
    digests("web web").expect_code(2);
    digests("../web").expect_code(2);
    fs::write(world.path("digests/worker"), "latest").unwrap();
    digests("web worker").expect_code(2);
}

#[test]
fn an_image_has_one_name_in_small_letters() {
    let Some(world) = World::new() else { return };
    let name = |registry, repository, name| {
        let all = [("REGISTRY", registry), ("REPOSITORY", repository), ("NAME", name)];
        world.run("name", &all)
    };
    let ran = name("ghcr.io", "Acme/Shop", "web").expect_code(0);
    assert_eq!(ran.stdout, "image=ghcr.io/acme/shop/web\n");
    name("ghcr.io", "", "web").expect_code(2);
    name("ghcr.io", "acme/shop", "").expect_code(2);
    name("ghcr.io", "acme/shop", "Web").expect_code(2);
    name("ghcr.io", "acme/shop", "web:latest").expect_code(2);
}
