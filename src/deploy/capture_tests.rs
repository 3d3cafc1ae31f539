use std::time::Duration;

use super::*;
use crate::config;
use crate::host::clock::Moment;

/// What is looked at, from a `waveoff.yml`.
fn taken(session: &Session, text: &str, serving: Vec<(&str, Running)>) -> Capture {
    let text = format!("version: 1\n{text}");
    let loaded = config::parse("waveoff.yml", &text, |_| None).unwrap();
    let transaction = loaded.transaction().unwrap();
    let scope = Scope::new("shop", "test").unwrap();
    let history = History::default();
    let subject = Subject {
        scope: &scope,
        spec: transaction.capture.as_ref(),
        migrate: transaction.migrate.as_ref(),
        history: Ok(&history),
        serving,
        target: Some(Target::default()),
    };
    take(session, &loaded, &subject)
}

fn told(capture: &Capture) -> Vec<&str> {
    capture.unknown.iter().map(|unknown| unknown.what.as_str()).collect()
}

const DATA: &str = r#"
capture:
  services:
    redis: [sh, -c, "echo inactive; exit 3"]
    mail: [sh, -c, "exit 4"]
  data:
    orders: [sh, -c, "echo ' 42 '; echo $WAVEOFF_SERVICE >&2"]
    invoices: [sh, -c, "echo 7; exit 1"]
    users: ["true"]
migrate:
  command: ["true"]
  version: [sh, -c, "echo V7"]
"#;

#[test]
fn d1_everything_is_looked_at_and_what_is_not_known_is_told() {
    let serving = vec![("api", Running::Version("v1".into())), ("web", Running::Nothing)];
    let capture = taken(&Session::silent(), DATA, serving);
    let json = serde_json::to_value(&capture).unwrap();
    assert_eq!(json["format"], 1);
    assert_eq!(json["versions"].to_string(), r#"{"api":"v1","database":"V7","web":null}"#);
    let services = r#"{"api":"active","mail":null,"redis":"inactive","web":"inactive"}"#;
    assert_eq!(json["services"].to_string(), services);
    assert_eq!(json["data"].to_string(), r#"{"invoices":null,"orders":"42","users":null}"#);
    assert_eq!(json["history"].to_string(), "[]");
    let unknown = ["versions.web", "services.mail", "data.invoices", "data.users"];
    assert_eq!(told(&capture), unknown, "{:?}", capture.unknown);
    if cfg!(target_os = "linux") {
        assert!(json["system"]["uptime_since"].is_string());
        assert!(json["system"]["load_average"]["15min"].is_string());
        assert!(json["system"]["disk_usage"].as_str().unwrap().ends_with('%'));
    }
}

#[test]
fn d1_a_check_is_asked_once_and_nothing_is_waited_for() {
    let began = Moment::now();
    let folder = tempfile::tempdir().unwrap();
    let count = folder.path().join("count");
    let checks = format!(
        "checks:\n- {{ name: slow start, command: [sh, -c, 'echo x >>{}; exit 1'], within: 10m }}",
        count.display()
    );
    let capture = taken(&Session::silent(), &checks, Vec::new());
    let answers = capture.checks.unwrap();
    assert_eq!(answers.len(), 1);
    assert!(!answers[0].verdict.is_pass());
    assert_eq!(files::read_text(&count).unwrap(), "x\n");
    assert!(began.elapsed() < Duration::from_secs(60));
}

#[test]
fn d1_no_secret_is_kept() {
    let session = Session::silent();
    session.hide("hunter2hunter2");
    let text = "capture: { data: { dsn: [echo, 'pg://a:hunter2hunter2@db'] } }";
    let capture = taken(&session, text, Vec::new());
    assert_eq!(capture.data["dsn"].as_deref(), Some("pg://a:***@db"));
}

#[test]
fn d1_a_capture_comes_back_as_it_was_kept() {
    let folder = tempfile::tempdir().unwrap();
    let capture = taken(&Session::silent(), DATA, vec![("api", Running::Unknown)]);
    let file = save(folder.path(), "20251121-101112-ab12cd", &capture).unwrap();
    assert_eq!(file, folder.path().join("captures/20251121-101112-ab12cd.json"));
    assert_eq!(load(folder.path(), "20251121-101112-ab12cd").unwrap(), Some(capture.clone()));
    assert_eq!(load(folder.path(), "another").unwrap(), None);
    save(folder.path(), "../escape", &capture).unwrap_err();
    files::replace(&file, b"{}").unwrap();
    load(folder.path(), "20251121-101112-ab12cd").unwrap_err();
    save(folder.path(), "later", &Capture { format: 2, ..capture }).unwrap();
    let error = load(folder.path(), "later").unwrap_err().to_string();
    assert!(error.contains("format 2"), "{error}");
}
