use super::*;
use crate::commands::Session;
use crate::config::values::Period;
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
    world_at(spec, &Place::default())
}

fn world_at(spec: ProcessSpec, place: &Place) -> World {
    let root = tempfile::tempdir().unwrap();
    let platform = at(spec, place, &State::at(root.path())).unwrap();
    World { root, platform }
}

fn at(spec: ProcessSpec, place: &Place, state: &State) -> anyhow::Result<Process> {
    Process::new(spec, place, &Scope::new("shop", "test").unwrap(), state)
}

fn place(component: Option<&str>, slot: Option<(&str, u16)>) -> Place {
    let slot = slot.map(|(name, port)| (name.to_owned(), port));
    Place { component: component.map(str::to_owned), slot }
}

impl World {
    /// What runs in the end, after this was begun and broken off.
    fn start(&self, version: &str) {
        let session = Session::silent();
        let commands = Commands::looking(&session);
        self.platform.start(&forward(&release(version)), &commands).unwrap();
        assert_eq!(self.platform.running(), Running::Version(version.into()));
    }

    /// The variable that tells a process which was started here.
    fn mark(&self) -> String {
        format!("WAVEOFF_RECORD={}", self.platform.pid_file)
    }

    /// The processes that were started here and live.
    fn count(&self) -> usize {
        let mark = self.mark();
        let ids = files::names("/proc").unwrap();
        let ids = ids.iter().filter_map(|name| name.parse::<u32>().ok());
        ids.filter(|pid| process::is_alive(Started { pid: *pid, ticks: None }))
            .map(process::environment)
            .filter(|all| all.split(|b| *b == 0).any(|one| one == mark.as_bytes()))
            .count()
    }
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
    for start in ["{{port}}", "{{verson}}", "{{slot}}", "{{component}}"] {
        let error = at(spec(&[start]), &Place::default(), &State::at("/nowhere")).err();
        assert!(error.unwrap().to_string().contains(start), "{start}");
    }
}

#[test]
fn d4_two_slots_do_not_know_of_each_other() {
    let root = tempfile::tempdir().unwrap();
    let state = State::at(root.path());
    let [blue, green] = ["blue", "green"].map(|name| place(Some("api"), Some((name, 8081))));
    let [blue, green] = [blue, green].map(|place| at(spec(SAYS), &place, &state).unwrap());
    blue.begin(&forward(&release("v1"))).unwrap();
    assert_eq!(green.running(), Running::Nothing);
    green.begin(&forward(&release("v2"))).unwrap();
    blue.end().unwrap();
    assert_eq!(
        (blue.running(), green.running()),
        (Running::Nothing, Running::Version("v2".into()))
    );
    green.end().unwrap();
    assert!(files::exists(state.folder(&green.scope).join("process-api-green.log")));
}

#[test]
fn d4_a_slot_has_its_port_and_its_name() {
    let given = ProcessSpec {
        port: Some(80),
        dir: Some("/srv/{{slot}}".into()),
        pid_file: Some("run/{{component}}-{{slot}}.pid".into()),
        ..spec(&["serve", "{{port}}", "{{slot}}", "{{component}}", "{{version}}"])
    };
    let in_slot = place(Some("api"), Some(("blue", 8081)));
    let platform = at(given, &in_slot, &State::at("/nowhere")).unwrap();
    let command = platform.command(&forward(&release("{{slot}}")));
    assert_eq!(command.argv.0, ["serve", "8081", "blue", "api", "{{slot}}"]);
    assert_eq!(command.dir.as_deref(), Some("/srv/blue"));
    let variable = |wanted: &str| {
        let found = command.env.iter().rfind(|(name, _)| name == wanted);
        found.map(|(_, value)| value.expose().to_owned()).unwrap()
    };
    let told = ["WAVEOFF_SLOT", "WAVEOFF_COMPONENT", "PORT", "WAVEOFF_PORT"].map(variable);
    assert_eq!(told, ["blue", "api", "8081", "8081"]);
    assert_eq!(platform.base_url().as_deref(), Some("http://localhost:8081"));
    assert_eq!(platform.pid_file, "run/api-blue.pid");
}

#[test]
fn d4_no_two_places_have_one_file() {
    let state = State::at("/state");
    let file = |component, slot: Option<&str>| {
        let place = place(component, slot.map(|name| (name, 1)));
        let file = at(spec(SAYS), &place, &state).unwrap().pid_file;
        file.strip_prefix("/state/shop/test/").unwrap().to_owned()
    };
    assert_eq!(file(None, None), "process.pid");
    assert_eq!(file(Some("api"), None), "process-api.pid");
    assert_eq!(file(Some("api"), Some("blue")), "process-api-blue.pid");
    assert_ne!(file(Some("a"), Some("b-c")), file(Some("a-b"), Some("c")));
    assert_ne!(file(Some("a-b"), None), file(Some("a"), Some("b")));
}

#[test]
fn d4_a_file_for_two_places_is_refused() {
    let blue = place(None, Some(("blue", 8081)));
    let api = place(Some("api"), None);
    let pid = |text: &str| ProcessSpec { pid_file: Some(text.into()), ..spec(SAYS) };
    let log = |text: &str| ProcessSpec { log_file: Some(text.into()), ..spec(SAYS) };
    for (spec, place, wrong) in [
        (pid("run/pid"), &blue, "one file for every slot"),
        (log("log"), &blue, "one file for every slot"),
        (pid("run/pid"), &api, "one file for every component"),
        (pid("{{slot}}"), &Place::default(), "not known"),
        (pid("{{slot}}{{version}}"), &blue, "not known"),
    ] {
        let error = at(spec, place, &State::at("/nowhere")).err().unwrap().to_string();
        assert!(error.contains(wrong), "{error}");
    }
    assert!(at(pid("{{slot}}"), &blue, &State::at("/nowhere")).is_ok());
}

#[test]
fn d4_a_slot_with_a_path_for_a_name_is_refused() {
    let scope = Scope::new("shop", "test").unwrap();
    let platform = crate::config::pipeline::PlatformSpec::Process(spec(SAYS));
    for place in [place(None, Some(("../blue", 1))), place(Some("a/b"), None)] {
        assert!(super::super::at(&platform, &place, &scope, &State::at("/nowhere")).is_err());
    }
}

#[test]
fn d11_a_start_after_one_that_was_broken_off_ends_with_one_process() {
    let world = world_at(spec(SAYS), &place(None, Some(("blue", closed_port()))));
    let platform = &world.platform;
    world.start("v1");
    // The old one was stopped, and no more.
    platform.end().unwrap();
    world.start("v2");
    assert_eq!(world.count(), 1);
    // The next one waits, is written down, and is never let go.
    platform.end().unwrap();
    let command = platform.command(&forward(&release("v3")));
    process::start(&command, &platform.log, |started| {
        let line = format!("{} {} v3\n", started.pid, started.ticks.unwrap());
        files::replace(&platform.pid_file, line.as_bytes())?;
        assert_eq!(world.count(), 1);
        Err(std::io::Error::other("killed here"))
    })
    .unwrap_err();
    assert_eq!((platform.running(), world.count()), (Running::Nothing, 0));
    world.start("v3");
    assert_eq!(world.count(), 1);
    // It was begun, and that was not noted.
    let (before, _) = platform.alive().unwrap();
    world.start("v3");
    assert_eq!(world.count(), 1);
    assert!(!process::is_alive(before), "the same version is started again");
}

#[test]
fn d11_a_process_that_becomes_another_program_is_known_all_the_time() {
    let world = world(spec(&["sh", "-c", "exec sh -c \"$0\" \"$0\"", "exec sh -c \"$0\" \"$0\""]));
    world.platform.begin(&forward(&release("v1"))).unwrap();
    let (started, _) = world.platform.alive().unwrap();
    let is_whole = |all: Vec<u8>| all.split(|b| *b == 0).any(|one| one == world.mark().as_bytes());
    for _ in 0..2000 {
        assert!(is_whole(process::environment(started.pid)));
    }
}

#[test]
fn d11_what_a_leader_left_that_is_gone_is_stopped_before_the_next_start() {
    let script = "sleep 600 & echo child; case $WAVEOFF_VERSION in v1) exit;; esac; exec sleep 600";
    let world = world(spec(&["sh", "-c", script]));
    world.platform.begin(&forward(&release("v1"))).unwrap();
    let (leader, _) = world.platform.alive().unwrap_or_else(|| {
        (process::read_pid_file(&world.platform.pid_file).unwrap(), String::new())
    });
    while process::is_alive(leader) {
        std::thread::yield_now();
    }
    assert_eq!((world.platform.running(), world.count()), (Running::Nothing, 1));
    world.start("v2");
    while world.platform.diagnostics().is_empty() {
        std::thread::yield_now();
    }
    assert!(files::read_text(&world.platform.log).unwrap().matches("child").count() == 2);
    world.platform.end().unwrap();
    assert_eq!(world.count(), 0, "of v1 nothing is left, nor of v2");
}

#[test]
fn d4_a_slot_is_not_started_over_somebody_elses_port() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let free = ProcessSpec { port: Some(closed_port()), ..spec(SAYS) };
    let world = world_at(free, &place(None, Some(("blue", port))));
    let error = world.platform.check(&forward(&release("v1"))).unwrap_err().to_string();
    assert!(error.contains(&format!("port {port} is taken")), "{error}");
}

#[test]
fn r2_the_log_of_a_version_is_what_it_wrote_when_it_was_started_last() {
    let log = "before\n--- waveoff starts v1 at x ---\nold\n--- waveoff starts v2 at x ---\nbad\n\
               --- waveoff starts v1 at x ---\nnew\n";
    let of = |version: &str, log: &str, is_cut| {
        let Log { text, is_cut } = written_by(version, log, is_cut);
        (text, is_cut)
    };
    assert_eq!(of("v1", log, true), ("new\n".into(), false));
    assert_eq!(of("v2", log, true), ("bad\n".into(), false));
    assert_eq!(of("v", log, false), (String::new(), false));
    assert_eq!(of("v9", "in the middle\n", true), ("in the middle\n".into(), true));
}

/// A port on which nothing listens.
fn closed_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn d3_an_old_release_has_thirty_seconds_to_end_when_nobody_says_otherwise() {
    let of = |grace| world(ProcessSpec { grace, ..spec(&["shop"]) }).platform.grace();
    assert_eq!(of(None), Duration::from_secs(30));
    let documented = include_str!("../../docs/configuration.md");
    assert!(
        documented.contains("grace: 30s                            # between SIGTERM and SIGKILL")
    );
    assert_eq!(of(Some(Period(Duration::from_secs(2)))), Duration::from_secs(2));
}
