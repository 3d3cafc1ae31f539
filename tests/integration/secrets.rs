//! Secrets of checks, and that they are in nothing that is printed or written.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::{Value, json};

use crate::deploy_world::World;
use crate::harness::{Program, Ran, Request, Server, serve};

/// Has something to say of each request: all of it, as a careless error page has.
fn careless(request: &Request, _: usize) -> (u16, String, String) {
    let all = format!("{} {:?} {}", request.line, request.headers, request.body);
    let body = json!({ "all": all, "token": "tok-captured-1234", "circuits": {} }).to_string();
    match request.path() {
        "/login" => (200, "Set-Cookie: sid=cookie-9876543210; Path=/; HttpOnly\r\n".into(), body),
        _ => (500, format!("X-Echo: {}\r\nX-Auth-Token: header-came-1234\r\n", request.line), body),
    }
}

/// A server of any protocol that repeats what it was told, as an error of that protocol.
fn parrot(before: &'static str) -> u16 {
    serve("127.0.0.1:0", move |mut stream| {
        use std::io::Read as _;
        let mut told = [0; 2048];
        let count = stream.read(&mut told).unwrap_or_default();
        let told = String::from_utf8_lossy(&told[..count]).replace(['\r', '\n'], " ");
        let _ = stream.write_all(format!("{before}{told}\r\n\r\n{told}").as_bytes());
    })
}

const SECRETS: &[&str] = &[
    "tok-captured-1234",
    "cookie-9876543210",
    "header-came-1234",
    "literal-key-1",
    "literal-bearer-2",
    "literal-basic-3",
    "bWU6bGl0ZXJhbC1iYXNpYy0z",
    "literal-query-4",
    "literal-json-5",
    "from-environment-6",
    "literal-redis-7",
    "literal-websocket-8",
    "literal-env-9",
    "literal-userinfo-10",
    "warm-up-key-11",
];

fn checks() -> String {
    let (redis, websocket) = (parrot("-ERR you said "), parrot("HTTP/1.1 403 "));
    let echo = "attempts: 1, expect: [{ body: { equals: x } }, { jsonpath: { path: $.all, equals: x } }, \
                { header: { name: X-Echo, equals: x } }, { header: { name: X-Auth-Token, equals: x } }], \
                warn: [{ jsonpath: { path: $.token, equals: y } }]";
    format!(
        "  - {{ name: fails before it captures, path: /login, attempts: 1, severity: warning, expect: [{{ body: {{ equals: x }} }}], capture: {{ never: {{ jsonpath: $.token, secret: true }} }} }}
  - {{ name: login, path: /login, cookies: shop, json: {{ user: me, password: literal-json-5 }}, capture: {{ token: {{ jsonpath: $.token, secret: true }} }} }}
  - {{ name: cookie, path: /me, cookies: shop, {echo} }}
  - {{ name: query, path: \"/q?t={{{{token}}}}\", {echo} }}
  - {{ path: \"/q?access_token=literal-query-4\", {echo} }}
  - {{ name: header, path: /h, headers: {{ X-Api-Key: literal-key-1, X-Any: \"{{{{token}}}}\" }}, {echo} }}
  - {{ name: bearer, path: /h, auth: {{ bearer: literal-bearer-2 }}, {echo} }}
  - {{ name: basic, path: /h, auth: {{ basic: {{ user: me, password: literal-basic-3 }} }}, {echo} }}
  - {{ name: environment, path: /h, body: \"${{SHOP_TOKEN}}\", {echo} }}
  - {{ name: warm, path: /h, warm-up: {{ path: /w, headers: {{ X-Api-Key: warm-up-key-11 }} }}, headers: {{ X-Api-Key: warm-up-key-11 }}, {echo} }}
  - {{ name: redis, redis: {{ address: \"127.0.0.1:{redis}\", password: literal-redis-7 }}, attempts: 1 }}
  - {{ name: socket, websocket: \"ws://127.0.0.1:{websocket}/\", headers: {{ X-Api-Key: literal-websocket-8 }}, attempts: 1 }}
  - {{ name: program, command: [sh, -c, 'echo \"$DB_PASSWORD $1\"; exit 3', x, 'https://me:literal-userinfo-10@a.test/'], env: {{ DB_PASSWORD: literal-env-9 }}, attempts: 1 }}\n"
    )
}

#[track_caller]
fn tells_none(what: &str, text: &str) {
    for secret in SECRETS {
        assert!(!text.contains(secret), "{what} has {secret}:\n{text}");
    }
}

fn files(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if !path.ends_with("waveoff.yml") || path.parent().unwrap().ends_with("config") {
            let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
            found.push((path.display().to_string(), text));
        }
    }
}

/// What was printed, without what tells GitHub to mask it.
fn printed(ran: &Ran) -> String {
    let lines = ran.stdout.lines().chain(ran.stderr.lines());
    lines.filter(|line| !line.starts_with("::add-mask::")).collect::<Vec<_>>().join("\n")
}

#[test]
fn x4_no_secret_of_a_check_is_in_what_is_printed_or_written() {
    let server = Server::new(careless);
    let config = format!("version: 1\npublic: ${{BASE}}\nchecks:\n{}", checks());
    for github in [false, true] {
        let folder = std::sync::Arc::new(tempfile::TempDir::new().unwrap());
        let mut program = Program::within("smoke-test", &folder)
            .file("waveoff.yml", &config)
            .env("BASE", server.url("").trim_end_matches('/'))
            .env("SHOP_TOKEN", "from-environment-6")
            .args(["--report", "report.json", "--junit", "junit.xml", "--metrics", "all.prom"]);
        if github {
            program = program
                .env("GITHUB_ACTIONS", "true")
                .env("GITHUB_STEP_SUMMARY", "summary.md")
                .env("GITHUB_OUTPUT", "outputs");
        }
        let ran = program.run().expect_code(10);
        tells_none("the output", &printed(&ran));
        let mut found = Vec::new();
        files(folder.path(), &mut found);
        assert_eq!(found.len(), if github { 5 } else { 3 }, "{found:?}");
        found.iter().for_each(|(file, text)| tells_none(file, text));
        let report: Value = serde_json::from_str(
            &std::fs::read_to_string(folder.path().join("report.json")).unwrap(),
        )
        .unwrap();
        let asked = report["checks"].as_array().unwrap().iter();
        let unasked: Vec<_> = asked.filter(|check| check["attempts"] != 1).collect();
        assert!(unasked.is_empty(), "each has said something: {unasked:?}");
        let text = report.to_string();
        assert!(text.matches("***").count() > 20, "it was about them: {text}");
    }
}

#[test]
fn x4_what_is_ours_stays_whatever_a_server_or_the_file_has_as_a_secret() {
    let server = Server::new(|_: &Request, _| {
        let years = (2024..2060).map(|year| format!("Set-Cookie: y{year}={year}; HttpOnly\r\n"));
        let all = years.collect::<String>()
            + "Set-Cookie: build=v1.4.0\r\nSet-Cookie: s=smoke-test; HttpOnly\r\n";
        (200, all, "v1.4.0".into())
    });
    let config = "version: 1\npublic: ${BASE}\nchecks:
  - { path: /, cookies: shop, json: { user: me, password: test, pin: none }, attempts: 1 }
  - { name: critical, path: /, attempts: 1, warn: [{ body: { contains: v1.5.0 } }] }\n";
    let folder = std::sync::Arc::new(tempfile::TempDir::new().unwrap());
    let ran = Program::within("smoke-test", &folder)
        .file("waveoff.yml", config)
        .env("BASE", server.url("").trim_end_matches('/'))
        .env("GITHUB_ACTIONS", "true")
        .env("DB_PASSWORD", "http")
        .args(["--report", "report.json", "--junit", "junit.xml"])
        .run()
        .expect_code(0);
    let told: Vec<_> = ran.stderr.lines().filter(|line| line.starts_with("::add-mask::")).collect();
    assert_eq!(told, ["::add-mask::smoke-test"], "{ran:?}");
    let text = std::fs::read_to_string(folder.path().join("report.json")).unwrap();
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(report["program"], "smoke-test", "{text}");
    assert!(report["started"].as_str().unwrap().starts_with("20"), "{text}");
    assert_eq!(report["checks"][0]["kind"], "http", "{text}");
    assert!(text.contains("v1.4.0") && text.contains("critical"), "{text}");
    let junit = std::fs::read_to_string(folder.path().join("junit.xml")).unwrap();
    assert!(junit.contains("timestamp=\"20"), "{junit}");
}

#[test]
fn x4_no_secret_of_a_flag_is_in_what_is_printed_or_written() {
    // Nobody could know that its own token is one.
    let server = Server::new(|request, number| {
        let (status, headers, body) = careless(request, number);
        (status, headers, body.replace("tok-captured-1234", ""))
    });
    let url = server.url("/q?access_token=literal-query-4");
    for more in [["--bearer", "literal-bearer-2"], ["--basic", "me:literal-basic-3"]] {
        let ran = Program::new("smoke-test")
            .args([
                url.as_str(),
                "--attempts",
                "1",
                "--json",
                "--header",
                "X-Api-Key: literal-key-1",
            ])
            .args(["--body-contains", "nothing like it"])
            .args(more)
            .run()
            .expect_code(10);
        tells_none("the output", &printed(&ran));
    }
}

#[test]
fn x4_no_secret_of_a_check_is_in_what_a_deployment_leaves() {
    let server = Server::new(careless);
    let world = World::with(&format!(
        "version: 1\nservice: shop\npublic: ${{BASE}}\ndeploy: [sh, -c, 'true']\nchecks:\n{}",
        checks()
    ));
    let ran = world
        .deploy("v1")
        .env("BASE", server.url("").trim_end_matches('/'))
        .env("SHOP_TOKEN", "from-environment-6")
        .run();
    assert_ne!(ran.code, Some(0), "{ran:?}");
    tells_none("the output", &printed(&ran));
    let mut found = Vec::new();
    files(world.folder.path(), &mut found);
    assert!(found.iter().any(|(file, _)| file.ends_with("ledger.jsonl")), "{ran:?}");
    for (file, text) in &found {
        if file.ends_with("/commission.json") {
            // It is for its owner alone, and has the text of the file as it is.
            let mode = std::fs::metadata(file).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
            let came = ["tok-captured", "cookie-98", "header-came", "from-environment"];
            assert!(!came.iter().any(|secret| text.contains(secret)), "{text}");
        } else {
            tells_none(file, text);
        }
    }
}
