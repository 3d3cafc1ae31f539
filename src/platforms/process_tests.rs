use super::*;
use crate::decide::history::Release;

struct World {
    root: tempfile::TempDir,
    platform: Process,
}

fn spec(start: &[&str]) -> ProcessSpec {
    ProcessSpec {
        start: Argv(start.iter().map(|word| (*word).to_owned()).collect()),
        dir: None,
        port: None,
        env: BTreeMap::new(),
        pid_file: None,
        log_file: None,
        grace: None,
    }
}

fn world(spec: ProcessSpec) -> World {
    let root = tempfile::tempdir().unwrap();
    let scope = Scope::new("shop", "test").unwrap();
    let platform = Process::new(spec, &scope, &State::at(root.path())).unwrap();
    World { root, platform }
}

impl Drop for World {
    fn drop(&mut self) {
        self.platform.end().unwrap();
    }
}

fn release(version: &str) -> Release {
    Release { version: version.into(), ..Release::default() }
}

fn forward(release: &Release) -> Order<'_> {
    Order { release, previous: None, direction: Direction::Forward }
}

const SAYS: &[&str] = &["sh", "-c", "echo I am $WAVEOFF_VERSION; exec sleep 600", "{{version}}"];

#[test]
fn d11_a_release_takes_the_place_of_the_one_that_runs() {
    let world = world(spec(SAYS));
    let platform = &world.platform;
    assert_eq!(platform.running(), Running::Nothing);
    for version in ["v1", "v2"] {
        platform.begin(&forward(&release(version))).unwrap();
        assert_eq!(platform.running(), Running::Version(version.into()));
        let (process, _) = platform.alive().unwrap();
        while platform.diagnostics() != [format!("I am {version}")] {
            std::thread::yield_now();
        }
        platform.end().unwrap();
        assert!(!process::is_alive(process));
    }
    assert_eq!(platform.running(), Running::Nothing);
}

#[test]
fn a_process_id_that_another_process_has_by_now_is_left_alone() {
    let world = world(spec(SAYS));
    let file = &world.platform.pid_file;
    let me = std::process::id();
    for text in [format!("{me} 1 v1\n"), format!("{me}\n"), "garbage".into(), "0 0 v1".into()] {
        files::replace(file, text.as_bytes()).unwrap();
        assert_eq!(world.platform.running(), Running::Nothing, "{text}");
        world.platform.end().unwrap();
    }
}

#[test]
fn a_version_is_one_argument_and_nothing_else() {
    let world =
        world(ProcessSpec { port: Some(8080), ..spec(&["serve", "--v={{version}}", "{{port}}"]) });
    let hostile = release("$(touch /tmp/x) {{port}}");
    let command = world.platform.command(&forward(&hostile));
    assert_eq!(command.argv.0, ["serve", "--v=$(touch /tmp/x) {{port}}", "8080"]);
}

#[test]
fn what_is_missing_is_said_before_anything_is_touched() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("{{version}}").display().to_string();
    let world = world(ProcessSpec { dir: Some(dir), ..spec(&["./serve"]) });
    let error = world.platform.check(&forward(&release("v9"))).unwrap_err().to_string();
    assert!(error.contains("v9 cannot be started") && error.contains("/v9"), "{error}");
    assert!(!files::exists(world.root.path().join("shop")));
}

#[test]
fn unknown_places_are_refused() {
    let scope = Scope::new("shop", "test").unwrap();
    for start in ["{{port}}", "{{verson}}"] {
        assert!(Process::new(spec(&[start]), &scope, &State::at("/nowhere")).is_err(), "{start}");
    }
}
