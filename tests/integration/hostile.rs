//! What comes from outside and must do no harm: secrets that look like our words, texts that give
//! commands, files that are no files.

use crate::harness::{Program, Server, read};

fn healthy() -> Server {
    Server::new(|_, _| (200, String::new(), "ok".into()))
}

#[test]
fn a_secret_that_is_one_of_our_words_breaks_no_report_and_no_gate() {
    let server = healthy();
    let (child, folder) = Program::new("smoke-test")
        .env("API_TOKEN", "pass")
        .env("OTHER_KEY", "true")
        .env("DB_PASSWORD", "verdict")
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_OUTPUT", "outputs")
        .args([&server.url("/"), "--json", "--report", "report.json", "--junit", "junit.xml"])
        .start();
    let ran = crate::harness::Ran::of(child.wait_with_output().unwrap()).expect_code(0);
    assert_eq!(ran.report()["verdict"], "pass");
    let report: serde_json::Value =
        serde_json::from_str(&read(folder.path(), "report.json")).unwrap();
    assert_eq!(report["checks"][0]["verdict"], "pass");
    let outputs = read(folder.path(), "outputs");
    assert!(outputs.contains("\npass\n"), "{outputs}");
    assert!(read(folder.path(), "junit.xml").contains("<testsuite "));
}

#[test]
fn a_secret_with_quotes_is_masked_in_every_form_of_report() {
    let secret = r#"hun"ter<2>&\end"#;
    let server = Server::new(move |request, _| match request.path() {
        "/login" => (200, String::new(), serde_json::json!({ "t": secret }).to_string()),
        _ => (500, String::new(), format!("you said {secret}, as JSON {}", request.body)),
    });
    let config = "version: 1\nchecks:\n  - name: login\n    url: ${BASE}/login\n    capture: { t: { jsonpath: $.t, secret: true } }\n  - name: use\n    url: ${BASE}/use\n    attempts: 1\n    json: { token: \"{{t}}\", list: [\"a {{t}}\"] }\n";
    let (child, folder) = Program::new("smoke-test")
        .file("waveoff.yml", config)
        .env("BASE", server.url("").trim_end_matches('/'))
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_STEP_SUMMARY", "summary.md")
        .env("GITHUB_OUTPUT", "outputs")
        .args(["--report", "report.json", "--junit", "junit.xml"])
        .start();
    let ran = crate::harness::Ran::of(child.wait_with_output().unwrap()).expect_code(10);
    let unmasked: String =
        ran.stderr.lines().filter(|line| !line.starts_with("::add-mask::")).collect();
    let all = ["report.json", "junit.xml", "summary.md", "outputs"]
        .map(|name| read(folder.path(), name))
        .join("\n");
    for text in [&all, &ran.stdout, &unmasked] {
        assert!(!text.contains("ter<2>") && !text.contains("hun"), "{text}");
        assert!(!text.contains("ter&lt;"), "{text}");
    }
    // The JSON that was sent is JSON, whatever was captured.
    let requests = server.requests.lock().unwrap();
    let body = &requests.iter().find(|request| request.path() == "/use").unwrap().body;
    let sent: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(sent, serde_json::json!({ "token": secret, "list": [format!("a {secret}")] }));
}

#[test]
fn an_error_moves_no_cursor_and_gives_no_command() {
    let evil = "x\n::set-output name=verdict::pass\n\u{1b}[31m\u{202e}";
    let config = format!("version: 1\n{}: 1\n", serde_json::to_string(evil).unwrap());
    for ran in [
        Program::new("smoke-test").file("waveoff.yml", &config).env("GITHUB_ACTIONS", "true").run(),
        Program::new("smoke-test").args(["--status", evil]).env("GITHUB_ACTIONS", "true").run(),
        Program::new("smoke-test")
            .env("WAVEOFF_INPUTS", &format!("{{\"{}\":\"x\"}}", evil.escape_default()))
            .env("GITHUB_ACTIONS", "true")
            .run(),
    ] {
        let ran = ran.expect_code(2);
        assert!(
            !ran.stderr.contains('\u{1b}') && !ran.stderr.contains('\u{202e}'),
            "{}",
            ran.stderr
        );
        let commands: Vec<_> = ran.stderr.lines().filter(|l| l.starts_with("::")).collect();
        assert!(commands.iter().all(|line| line.starts_with("::error title=")), "{commands:?}");
        assert!(commands.len() <= 1, "said once: {commands:?}");
    }
}

#[cfg(unix)]
#[test]
fn a_report_goes_into_what_is_there_and_never_takes_its_place() {
    use std::os::unix::fs::FileTypeExt as _;
    let server = healthy();
    let folder = std::sync::Arc::new(tempfile::tempdir().unwrap());
    let path = |name: &str| folder.path().join(name);
    // A pipe, as /dev/stdout or /dev/null would be; replaced, the machine would be broken.
    assert!(std::process::Command::new("mkfifo").arg(path("pipe")).status().unwrap().success());
    std::fs::write(path("real.json"), "old").unwrap();
    std::os::unix::fs::symlink("real.json", path("link.json")).unwrap();
    let reader = {
        let pipe = path("pipe");
        std::thread::spawn(move || std::fs::read_to_string(pipe).unwrap())
    };
    Program::within("smoke-test", &folder)
        .args([&server.url("/"), "--report", "link.json", "--junit", "pipe"])
        .run()
        .expect_code(0);
    assert!(std::fs::symlink_metadata(path("pipe")).unwrap().file_type().is_fifo());
    assert!(reader.join().unwrap().contains("<testsuite"));
    assert!(std::fs::symlink_metadata(path("link.json")).unwrap().is_symlink());
    assert!(read(folder.path(), "real.json").contains("\"verdict\""));
}

#[test]
fn a_report_that_cannot_be_written_keeps_nothing_else_from_being_written() {
    let server = healthy();
    let (child, folder) = Program::new("smoke-test")
        .file("a-folder/x", "")
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_OUTPUT", "outputs")
        .args([&server.url("/"), "--report", "a-folder", "--junit", "junit.xml"])
        .start();
    let ran = crate::harness::Ran::of(child.wait_with_output().unwrap()).expect_code(12);
    assert!(ran.stderr.contains("cannot write a-folder"), "{}", ran.stderr);
    assert!(read(folder.path(), "junit.xml").contains("<testsuite"));
    assert!(read(folder.path(), "outputs").contains("verdict<<"));
}

#[test]
fn a_report_that_nobody_could_read_is_no_pass() {
    let ran = std::process::Command::new(env!("CARGO_BIN_EXE_wait-healthy"))
        .args(["--json", "--command", "true"])
        .stdout(std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap())
        .output()
        .unwrap();
    let errors = String::from_utf8(ran.stderr).unwrap();
    assert_eq!(ran.status.code(), Some(12), "{errors}");
    assert!(errors.contains("cannot write to standard output"), "{errors}");
}

#[test]
fn a_mistake_in_a_flag_is_not_on_a_line() {
    let ran = Program::new("wait-healthy").args(["--tcp", "nowhere"]).run().expect_code(2);
    assert!(ran.stderr.contains("error: --tcp: check #1:"), "{}", ran.stderr);
}
