use super::super::real::{World, argv, parts_of, scope, slot, to};
use super::*;

fn spec(switch: &str) -> CommandRouterSpec {
    CommandRouterSpec {
        switch: argv(&["sh", "-c", switch]),
        active: None,
        env: std::collections::BTreeMap::from([("COLOUR".into(), Secret::new("red"))]),
        dir: None,
        timeout: None,
        url: None,
    }
}

fn router(world: &World, spec: CommandRouterSpec) -> Command {
    Command::new(spec, &scope(), &world.state(), Some("http://shop.test"))
}

fn slots() -> [Slot; 2] {
    [slot("blue", 8081), slot("green", 8082)]
}

#[test]
fn d12_the_command_gets_the_slot_and_its_port() {
    let world = World::new();
    let out = world.path("out");
    let says = format!(
        "echo $WAVEOFF_SLOT:$WAVEOFF_PORT:$WAVEOFF_PORT_API_V2:$WAVEOFF_PORT_WEB:\
         $WAVEOFF_SERVICE:$WAVEOFF_ENVIRONMENT:$WAVEOFF_INPUTS:$COLOUR >> {out}"
    );
    let router = router(&world, spec(&says));
    router.switch(&to(&slot("green", 8082)), &slots(), &world.commands()).unwrap();
    let several = parts_of("green", &[("api-v2", 1), ("web", 2)]);
    router.switch(&to(&several), &slots(), &world.commands()).unwrap();
    assert_eq!(world.read("out"), "green:8082:::shop:test::red\ngreen::1:2:shop:test::red\n");
    assert_eq!(
        router.plan(&to(&several))[0].split(" with ").nth(1),
        Some("WAVEOFF_SLOT=green WAVEOFF_PORT_API_V2=1 WAVEOFF_PORT_WEB=2")
    );
}

#[test]
fn d12_what_was_switched_last_is_remembered_when_nothing_tells_it() {
    let world = World::new();
    let (slots, commands) = (slots(), world.commands());
    let router = router(&world, spec("true"));
    let active = || router.active(&slots, &commands).unwrap();
    let Active::Other(words) = active() else { panic!("{:?}", active()) };
    assert!(words.contains("nothing was switched yet"), "{words}");
    let nothing = router.save(&slots, &commands).unwrap();
    router.switch(&to(&slots[0]), &slots, &commands).unwrap();
    assert_eq!(active(), Active::Slot("blue".into()));
    let blue = router.save(&slots, &commands).unwrap();
    router.switch(&to(&slots[1]), &slots, &commands).unwrap();
    assert_eq!(active(), Active::Slot("green".into()));
    router.switch(&Route::Saved { text: blue }, &slots, &commands).unwrap();
    assert_eq!(active(), Active::Slot("blue".into()));
    let route = Route::Saved { text: nothing };
    assert!(router.plan(&route)[0].contains("nothing to switch back to"));
    router.switch(&route, &slots, &commands).unwrap();
    assert_eq!(active(), Active::Slot("blue".into()), "nothing was done");
}

#[test]
fn d12_a_failed_switch_is_not_remembered() {
    let world = World::new();
    let (slots, commands) = (slots(), world.commands());
    router(&world, spec("true")).switch(&to(&slots[0]), &slots, &commands).unwrap();
    let router = router(&world, spec("echo no; exit 7"));
    let trouble = router.switch(&to(&slots[1]), &slots, &commands).unwrap_err();
    assert!(trouble.reason.contains("exit code 7"), "{}", trouble.reason);
    assert!(trouble.evidence.is_some_and(|seen| seen.body == "no"));
    assert_eq!(router.active(&slots, &commands).unwrap(), Active::Slot("blue".into()));
    let gone = Route::Saved { text: "purple".into() };
    let trouble = router.switch(&gone, &slots, &commands).unwrap_err();
    assert!(trouble.reason.contains("none of blue, green"), "{}", trouble.reason);
}

#[test]
fn d12_the_command_that_tells_is_believed_and_not_the_memory() {
    let world = World::new();
    let (slots, commands) = (slots(), world.commands());
    let active = |script: &str| {
        let active = Some(argv(&["sh", "-c", script]));
        let router = router(&world, CommandRouterSpec { active, ..spec("true") });
        router.switch(&to(&slots[0]), &slots, &commands).unwrap();
        router.active(&slots, &commands)
    };
    assert_eq!(active("echo ' green '").unwrap(), Active::Slot("green".into()));
    assert!(
        matches!(active("echo purple").unwrap(), Active::Other(words) if words.contains("purple"))
    );
    assert!(matches!(active("true").unwrap(), Active::Other(words) if words.contains("nothing")));
    assert!(active("echo green; exit 1").is_err(), "not to know is no answer");
}

#[test]
fn d12_a_command_is_checked_before_anything_is_touched() {
    let world = World::new();
    let why = |spec: CommandRouterSpec, slots: &[Slot]| {
        router(&world, spec).check(slots).unwrap_err().to_string()
    };
    router(&world, spec("true")).check(&slots()).unwrap();
    let missing = CommandRouterSpec { switch: argv(&["no-such-router"]), ..spec("true") };
    assert!(why(missing, &slots()).contains("no-such-router"));
    let missing = CommandRouterSpec { active: Some(argv(&["no-such-asker"])), ..spec("true") };
    assert!(why(missing, &slots()).contains("active"));
    let same = parts_of("green", &[("a-b", 1), ("a.b", 2)]);
    assert!(why(spec("true"), &[same]).contains("WAVEOFF_PORT_A_B"));
}
