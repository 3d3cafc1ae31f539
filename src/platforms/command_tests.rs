use super::super::short;
use super::*;
use crate::commands::Session;
use crate::decide::history::Release;

fn argv(words: &[&str]) -> Argv {
    Argv(words.iter().map(|word| (*word).to_owned()).collect())
}

fn at(spec: CommandPlatformSpec, place: &Place) -> Command {
    Command::new(spec, place, &Scope::new("shop", "test").unwrap()).unwrap()
}

fn variable(command: &CommandSpec, name: &str) -> Option<String> {
    let found = command.env.iter().rfind(|(known, _)| known == name);
    found.map(|(_, value)| value.expose().to_owned())
}

#[test]
fn d11_going_back_is_the_same_command_unless_there_is_one_for_it() {
    let mut spec = short(&argv(&["./ship"]));
    let v1 = Release { version: "v1".into(), ..Release::default() };
    let v2 = Release { version: "v2".into(), sha: Some("0f".into()), ..Release::default() };
    let back = Order { release: &v1, previous: Some(&v2), direction: Direction::Back };
    let command = at(spec.clone(), &Place::default()).command(&back);
    assert_eq!(command.argv, argv(&["./ship"]));
    let variable = |name: &str| variable(&command, name);
    assert_eq!(variable("WAVEOFF_VERSION").as_deref(), Some("v1"));
    assert_eq!(variable("WAVEOFF_PREVIOUS_VERSION").as_deref(), Some("v2"));
    assert_eq!(variable("WAVEOFF_PREVIOUS_SHA").as_deref(), Some("0f"));
    assert_eq!(variable("WAVEOFF_SHA").as_deref(), Some(""), "not the caller's own");
    assert_eq!(variable("WAVEOFF_DIRECTION").as_deref(), Some("back"));
    assert_eq!(variable("WAVEOFF_INPUTS").as_deref(), Some(""), "our inputs are ours");
    spec.rollback = Some(argv(&["./unship"]));
    assert_eq!(at(spec, &Place::default()).command(&back).argv, argv(&["./unship"]));
}

#[test]
fn what_runs_is_what_the_command_prints() {
    let running = |words: &[&str]| {
        let running = Some(argv(words));
        let spec = CommandPlatformSpec { running, ..short(&argv(&["true"])) };
        at(spec, &Place::default()).running()
    };
    assert_eq!(running(&["echo", " v1 "]), Running::Version("v1".into()));
    assert_eq!(running(&["true"]), Running::Nothing);
    assert_eq!(running(&["false"]), Running::Unknown);
}

fn blue() -> Place {
    Place { component: Some("api".into()), slot: Some(("blue".into(), 8081)) }
}

#[test]
fn d4_a_command_cannot_be_used_in_a_slot_that_it_cannot_stop() {
    let scope = Scope::new("shop", "test").unwrap();
    let error = Command::new(short(&argv(&["./ship"])), &blue(), &scope).err().unwrap();
    let (_, hint) = crate::exit::classify(&error);
    assert!(error.to_string().contains("the slot blue is stopped"), "{error}");
    assert!(hint.unwrap().contains("stop: "), "{hint:?}");
}

#[test]
fn d4_the_commands_are_told_their_slot() {
    let folder = tempfile::tempdir().unwrap();
    let tell = |name: &str| {
        let script = format!(
            "echo $WAVEOFF_SLOT $WAVEOFF_PORT $PORT $WAVEOFF_COMPONENT $WAVEOFF_VERSION. | tee {name}"
        );
        Some(argv(&["sh", "-c", &script]))
    };
    let spec = CommandPlatformSpec {
        stop: tell("stopped"),
        running: tell("asked"),
        dir: Some(folder.path().display().to_string()),
        ..short(&tell("deployed").unwrap())
    };
    let platform = at(spec, &blue());
    assert_eq!(platform.base_url().as_deref(), Some("http://localhost:8081"));
    let session = Session::silent();
    let commands = Commands::new(&session, folder.path().join("command"));
    let v1 = Release { version: "v1".into(), ..Release::default() };
    let order = Order { release: &v1, previous: None, direction: Direction::Forward };
    platform.check(&order).unwrap();
    platform.start(&order, &commands).unwrap();
    assert_eq!(platform.diagnostics(), ["blue 8081 8081 api v1."]);
    let Log { text, is_cut } = platform.log("v1", 8).unwrap();
    assert_eq!((text.as_str(), is_cut), ("api v1.\n", true));
    platform.stop(&commands).unwrap();
    assert_eq!(platform.running(), Running::Version("blue 8081 8081 api .".into()));
    let read = |name: &str| crate::host::files::read_text(folder.path().join(name)).unwrap();
    assert_eq!(read("deployed"), "blue 8081 8081 api v1.\n");
    assert_eq!(read("stopped"), "blue 8081 8081 api .\n");
}

#[test]
fn d4_a_stop_that_fails_or_is_not_there_is_trouble() {
    let session = Session::silent();
    let commands = Commands::looking(&session);
    let spec = CommandPlatformSpec {
        stop: Some(argv(&["sh", "-c", "echo stuck; exit 3"])),
        ..short(&argv(&["true"]))
    };
    let trouble = at(spec, &blue()).stop(&commands).unwrap_err();
    assert!(trouble.reason.contains("exit code 3"), "{trouble:?}");
    assert_eq!(trouble.evidence.unwrap().body, "stuck");
    let plain = at(short(&argv(&["true"])), &Place::default());
    assert!(plain.stop(&commands).unwrap_err().reason.contains("no `stop`"));
    assert_eq!(variable(&plain.about_place(&argv(&["true"])), "WAVEOFF_SLOT").as_deref(), Some(""));
    assert_eq!(plain.base_url(), None);
}

#[test]
fn d4_a_stop_that_cannot_run_is_found_before_anything_is_touched() {
    let stop = Some(argv(&["./nowhere"]));
    let spec = CommandPlatformSpec { stop, ..short(&argv(&["true"])) };
    let v1 = Release { version: "v1".into(), ..Release::default() };
    let order = Order { release: &v1, previous: None, direction: Direction::Forward };
    let error = at(spec, &blue()).check(&order).unwrap_err();
    assert!(error.to_string().contains("the stop command cannot run"), "{error}");
}
