//! What is done on which side: checks that are asked from the caller, and people who are told by the
//! one with the credentials.

use std::fmt::Write as _;

use crate::github::Github;
use crate::harness::{Program, Ran, Server, signal};
use crate::parts::github_description;
use crate::ssh_world::{FILE, Far, SECRET, SSH, holding};

/// With a check of what the public sees, and one of the host, with whose help it is seen where each
/// of them was asked from.
fn with_public(server: &Server) -> Option<Far> {
    let far = Far::new(FILE)?;
    let mut config = FILE.to_owned();
    let url = server.url("/");
    writeln!(
        config,
        "  - {{ name: public, url: \"{url}\", attempts: 1, headers: {{ X: \"${{SIDE}}\" }} }}"
    )
    .unwrap();
    writeln!(config, "  - {{ name: own, url: \"{url}own\", attempts: 1, from: host }}").unwrap();
    far.world.write("waveoff.yml", &format!("{config}{SSH}"));
    Some(far)
}

/// Who asks: a caller says so by himself, from what only he has.
fn server() -> Server {
    Server::new(|request, _| {
        let is_well = request.header("X").is_none_or(|side| !side.contains("bad"));
        (if is_well { 200 } else { 500 }, String::new(), String::new())
    })
}

#[test]
fn p8_what_the_public_sees_is_asked_from_the_caller() {
    let server = server();
    let Some(far) = with_public(&server) else { return };
    let ran = far.deploy("v1").env("SIDE", "caller").run().expect_code(0);
    assert!(!ran.stdout.contains("no caller is there"), "{}", ran.stdout);
    let checks = far.world.report()["checks"].clone();
    let names: Vec<_> = checks.as_array().unwrap().iter().map(|c| c["name"].as_str()).collect();
    assert_eq!(names, [Some("is-there"), Some("own"), Some("public")], "{checks}");
    // What fails for the public is not well, whatever the host says.
    let ran = far.deploy("v2").env("SIDE", "bad").run();
    assert!(matches!(ran.code, Some(20 | 21)), "{ran:?}");
    assert!(ran.stdout.contains("public"), "{}", ran.stdout);
}

#[test]
fn p11_files_of_checks_are_on_the_side_that_asks() {
    let server = Server::new(|request, _| {
        let is_well = request.body.contains("<order/>");
        (if is_well { 200 } else { 500 }, String::new(), String::new())
    });
    let Some(far) = Far::new(FILE) else { return };
    let mut config = FILE.to_owned();
    for side in ["caller", "host"] {
        let url = server.url("/");
        let keys = format!("url: \"{url}\", attempts: 1, body-file: data/o.xml, from: {side}");
        writeln!(config, "  - {{ name: of the {side}, {keys} }}").unwrap();
    }
    far.world.write("waveoff.yml", &format!("{config}{SSH}"));
    far.world.write("data/o.xml", "<order/>");
    let ran = far.deploy("v1").run().expect_code(0);
    assert!(!ran.stdout.contains("no caller is there"), "{}", ran.stdout);
    assert_eq!(far.world.report()["checks"].as_array().unwrap().len(), 3, "{ran:?}");
}

#[test]
fn p8_without_a_caller_the_host_asks_and_says_so() {
    let server = server();
    let Some(far) = with_public(&server) else { return };
    far.deploy("v1").env("SIDE", "caller").run().expect_code(0);
    std::fs::write(far.home("wait"), "").unwrap();
    std::fs::remove_file(far.home("began")).unwrap();
    let child = far.deploy("v2").env("SIDE", "caller").start().0;
    far.until("the command began", || far.home("began").exists());
    signal(&child, "-KILL");
    drop(child.wait_with_output());
    far.go_on();
    let ran = far.waveoff(&["attach"]).env("SIDE", "caller").run().expect_code(0);
    assert!(ran.stdout.contains("began v2"), "{}", ran.stdout);
    // Whoever attaches before the checks are asked answers them; else the host has asked.
    let runs = far.state().join("shop/production/runs");
    let last = std::fs::read_dir(runs).unwrap().map(|run| run.unwrap().path()).max().unwrap();
    assert!(last.join("end.json").exists() && far.live() == "v2");

    std::fs::write(far.home("wait"), "").unwrap();
    std::fs::remove_file(far.home("began")).unwrap();
    let child = far.deploy("v3").env("SIDE", "caller").start().0;
    far.until("the command began", || far.home("began").exists());
    signal(&child, "-KILL");
    drop(child.wait_with_output());
    far.go_on();
    let ends = || {
        let status = far.waveoff(&["status"]).env("SIDE", "caller").run();
        status.stdout.contains("v3 is live, verified")
    };
    far.until("the engine ended alone", ends);
    let ran = far.waveoff(&["attach"]).env("SIDE", "caller").run().expect_code(0);
    assert!(
        ran.stdout.contains("no caller is there: 1 check asked from the host"),
        "{}",
        ran.stdout
    );
}

fn github(program: Program, github: &Github) -> Program {
    program
        .env("GITHUB_TOKEN", "token-of-the-runner")
        .env("GITHUB_REPOSITORY", crate::github::REPOSITORY)
        .env("GITHUB_API_URL", &github.url())
}

#[test]
fn n1_the_caller_tells_with_a_token_that_never_leaves_it() {
    let Some(far) = Far::new(FILE) else { return };
    let hub = Github::start(github_description().as_deref());
    let text = format!("{FILE}notify: [github-issue, file]\n{SSH}");
    far.world.write("waveoff.yml", &text.replace("-q, v,", "-q, v1,"));
    github(far.deploy("v1"), &hub).run().expect_code(0);
    let ran = github(far.deploy("v2"), &hub).run().expect_code(20);
    assert_eq!(hub.state().issues.len(), 1, "{}", ran.stdout);
    let outputs = far.world.report()["outputs"].clone();
    let places = outputs["incident"].as_str().unwrap().to_owned();
    assert!(places.contains("/issues/") && places.contains("/incidents/"), "{places}");
    assert!(far.state().join("shop/production/incidents").exists(), "the file is the host's");
    assert!(holding(&far.host.home(), "token-of-the-runner").is_empty());

    // A caller who was killed told nothing; the next one does, once.
    let child = {
        std::fs::write(far.home("wait"), "").unwrap();
        std::fs::remove_file(far.home("began")).unwrap();
        let child = github(far.deploy("v3"), &hub).start().0;
        far.until("the command began", || far.home("began").exists());
        child
    };
    signal(&child, "-KILL");
    drop(child.wait_with_output());
    far.go_on();
    let ended = || far.waveoff(&["status"]).run().stdout.contains("v3  was rolled back");
    far.until("the engine ended alone", ended);
    assert_eq!(hub.state().issues.len(), 1);
    for _ in 0..2 {
        let ran =
            Ran::of(github(far.waveoff(&["recover"]), &hub).start().0.wait_with_output().unwrap());
        ran.expect_code(0);
        assert_eq!(hub.state().issues.len(), 2);
    }
    assert!(hub.state().violations.is_empty(), "{:?}", hub.state().violations);
    assert!(!hub.state().issues.iter().any(|issue| issue.to_string().contains(SECRET)));
}
