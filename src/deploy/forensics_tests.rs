use super::*;
use crate::config::pipeline::PlatformSpec;
use crate::deploy::State;
use crate::platforms::{self, Place};

/// A failed release of a process, in the slot blue.
struct World {
    root: tempfile::TempDir,
    scope: Scope,
    platform: Box<dyn Platform>,
    session: Session,
}

const CONFIG: &str = "token: ${TOKEN}\nother: hunter2hunter2\n";

impl World {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let scope = Scope::new("shop", "test").unwrap();
        let spec = "version: 1\nplatform: { process: { start: [serve] } }";
        let loaded = crate::config::parse("waveoff.yml", spec, |_| None).unwrap();
        let spec: PlatformSpec = loaded.transaction().unwrap().platform.unwrap();
        let place = Place { component: None, slot: Some(("blue".into(), 1)) };
        let state = State::at(root.path().join("state"));
        let platform = platforms::at(&spec, &place, &scope, &state).unwrap();
        let session = Session::silent();
        session.hide("hunter2hunter2");
        session.hide("a\"quoted\"secret");
        Self { root, scope, platform, session }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn wrote(&self, text: &str) {
        let log = self.path("state/shop/test/process-blue.log");
        files::replace(log, text.as_bytes()).unwrap();
    }

    fn evidence(&self) -> Evidence<'_> {
        let trace = || Trace { component: "shop", slot: Some("blue"), platform: &*self.platform };
        Evidence {
            scope: &self.scope,
            failed_version: "v2",
            target_version: Some("v1"),
            rollback_reason: "health: 500, token hunter2hunter2",
            deployment: "20251211-103000-abcdef",
            started: "2025-12-11T10:30:00.000Z",
            by: Some("ada"),
            state: None,
            config: CONFIG,
            places: vec![trace()],
            journal: None,
        }
    }

    fn take(&self, evidence: &Evidence<'_>) -> Kept {
        take(&self.session, &self.path("forensics"), evidence).unwrap()
    }
}

fn read(kept: &Kept, name: &str) -> String {
    files::read_text(kept.folder.join(name)).unwrap()
}

fn metadata_of(kept: &Kept) -> Metadata {
    serde_json::from_str(&read(kept, "metadata.json")).unwrap()
}

#[test]
fn r2_the_failed_release_is_kept_with_state_logs_configuration_and_metadata() {
    let world = World::new();
    let old = clock::rfc3339(clock::wall() - Duration::from_secs(301));
    let new = clock::rfc3339(clock::wall() - Duration::from_secs(200));
    world.wrote(&format!(
        "--- waveoff starts v1 at x ---\nof v1\n--- waveoff starts v2 at y ---\n\
         {old} too old\n{new} broken\nwith hunter2hunter2\n"
    ));
    let journal = world.path("journal.jsonl");
    let line = r#"{"seq":1,"why":"a\"quoted\"secret"}"#;
    files::replace(&journal, format!("{line}\ntorn hunter2hunter2").as_bytes()).unwrap();
    let state = Capture { format: 1, ..Capture::default() };
    let evidence = Evidence { state: Some(&state), journal: Some(&journal), ..world.evidence() };
    let kept = world.take(&evidence);
    assert_eq!(kept.missing, Vec::<String>::new());
    assert!(kept.folder.file_name().unwrap().to_str().unwrap().starts_with("v2-2"));
    let metadata = metadata_of(&kept);
    assert_eq!((&*metadata.failed_version, metadata.target_version.as_deref()), ("v2", Some("v1")));
    assert_eq!(metadata.rollback_reason, "health: 500, token ***");
    assert_eq!((&*metadata.service, &*metadata.environment), ("shop", "test"));
    assert_eq!(metadata.by.as_deref(), Some("ada"));
    let files = ["state.json", "config/waveoff.yml", "logs/shop-blue.log", "journal.jsonl"];
    assert_eq!(metadata.files, files);
    assert_eq!(read(&kept, "logs/shop-blue.log"), format!("{new} broken\nwith ***\n"));
    assert_eq!(read(&kept, "config/waveoff.yml"), "token: ${TOKEN}\nother: ***\n");
    assert_eq!(read(&kept, "journal.jsonl"), "{\"seq\":1,\"why\":\"***\"}\ntorn ***\n");
    assert_eq!(serde_json::from_str::<Capture>(&read(&kept, "state.json")).unwrap(), state);
}

#[test]
fn r2_a_long_log_loses_its_beginning_between_lines_and_says_so() {
    let world = World::new();
    let secret = "password=hunter2hunter2\n";
    let lines = secret.repeat(2 * MOST as usize / secret.len());
    world.wrote(&format!("--- waveoff starts v2 at y ---\n{lines}the end\n"));
    let kept = world.take(&world.evidence());
    let log = read(&kept, "logs/shop-blue.log");
    assert!(log.len() as u64 <= MOST && log.len() > 100_000, "{}", log.len());
    assert!(log.starts_with("[the log is longer") && log.ends_with("the end\n"));
    let between = log.lines().skip(1).take_while(|line| *line != "the end");
    assert!(between.clone().count() > 1000 && between.clone().all(|l| l == "password=***"));
}

#[test]
fn r2_what_cannot_be_kept_is_told_and_the_rest_is_kept() {
    let world = World::new();
    // Neither of them can be read.
    let log = world.path("state/shop/test/process-blue.log");
    let journal = world.path("journal");
    files::replace(log.join("file"), b"").unwrap();
    files::replace(journal.join("file"), b"").unwrap();
    let kept = world.take(&Evidence { journal: Some(&journal), ..world.evidence() });
    assert_eq!(kept.missing.len(), 2, "{:?}", kept.missing);
    assert!(kept.missing[0].starts_with("logs/shop-blue.log: "), "{:?}", kept.missing);
    assert!(kept.missing[1].starts_with("journal.jsonl: "), "{:?}", kept.missing);
    let metadata = metadata_of(&kept);
    assert_eq!(metadata.files, ["config/waveoff.yml"]);
    assert_eq!(metadata.missing, kept.missing);
}

#[test]
fn r2_when_nothing_can_be_kept_that_is_an_error() {
    let world = World::new();
    files::replace(world.path("forensics"), b"a file").unwrap();
    take(&world.session, &world.path("forensics"), &world.evidence()).unwrap_err();
}

#[test]
fn r2_no_name_from_outside_leaves_the_folder() {
    let world = World::new();
    let root = world.path("forensics");
    for version in ["../../../etc/x", "/abs", "..", "", "a\0b", "sha256:12ab", &"9".repeat(500)] {
        let mut evidence = world.evidence();
        evidence.failed_version = version;
        evidence.places[0].component = version;
        evidence.places[0].slot = Some("../blue");
        let kept = world.take(&evidence);
        assert_eq!(kept.folder.parent(), Some(&*root), "{version}");
        assert_eq!(kept.missing, Vec::<String>::new(), "{version}");
        let name = kept.folder.file_name().unwrap().to_str().unwrap();
        assert!(!name.contains(['/', ':', '\0']) && made(name).is_some(), "{name}");
    }
    let inside = files::names(world.root.path()).unwrap();
    assert_eq!(inside, ["forensics"]);
}

#[test]
fn r2_two_logs_never_have_one_file() {
    let world = World::new();
    let mut evidence = world.evidence();
    for (component, slot) in [("shop-blue", None), ("shop", Some("blue"))] {
        evidence.places.push(Trace { component, slot, platform: &*world.platform });
    }
    let files = metadata_of(&world.take(&evidence)).files;
    let logs = ["logs/shop-blue.log", "logs/shop-blue-2.log", "logs/shop-blue-3.log"];
    assert_eq!(files[1..], logs);
}

#[test]
fn r2_the_newest_twenty_are_kept_and_what_is_not_ours_too() {
    let world = World::new();
    let root = world.path("forensics");
    for day in 1..=25 {
        // The clock has gone back since.
        let name = format!("v{}-299901{day:02}T000000000Z", 100 - day);
        files::replace(root.join(name).join("metadata.json"), b"{}").unwrap();
    }
    files::replace(root.join("notes-of-ada/x"), b"").unwrap();
    let kept = world.take(&world.evidence());
    assert_eq!(kept.missing, Vec::<String>::new());
    assert!(files::exists(kept.folder.join("config/waveoff.yml")));
    let names = files::names(&root).unwrap();
    let ours: Vec<_> = names.iter().filter_map(|name| made(name)).collect();
    assert_eq!(ours.len(), KEPT);
    assert!(!ours.contains(&"29990106T000000000Z") && ours.contains(&"29990107T000000000Z"));
    assert!(names.contains(&"notes-of-ada".to_owned()));
}

#[test]
fn r2_two_of_one_moment_have_a_folder_each() {
    let world = World::new();
    let now = clock::wall();
    let first = new_folder(world.root.path(), "v2", now);
    files::replace(first.join("x"), b"").unwrap();
    let second = new_folder(world.root.path(), "v2", now);
    assert_ne!(first, second);
    assert!(made(second.file_name().unwrap().to_str().unwrap()).is_some());
}
