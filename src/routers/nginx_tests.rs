use super::super::real::{self, Running, World, argv, get, scope, served, slot, to, until};
use super::*;

const INCLUDE: &str = "waveoff.conf";

fn spec(world: &World) -> NginxSpec {
    NginxSpec { include: world.path(INCLUDE), upstream: None, reload: None, test: None, url: None }
}

fn router(spec: NginxSpec) -> Nginx {
    Nginx::new(spec, &scope(), Some("http://shop.test")).unwrap()
}

/// A router whose commands are scripts: `sh -c SCRIPT`.
fn scripted(world: &World, test: &str, reload: &str) -> Nginx {
    let sh = |script: &str| Some(argv(&["sh", "-c", script]));
    router(NginxSpec { test: sh(test), reload: sh(reload), ..spec(world) })
}

/// A real nginx, which includes the file and answers on a port.
struct Real {
    nginx: Option<Running>,
    world: World,
    router: Nginx,
    slots: Vec<Slot>,
    port: u16,
    start: Argv,
}

impl Real {
    /// The first slot has the traffic, as written by hand.
    fn new() -> Option<Self> {
        let nginx = real::part("nginx")?;
        let (world, slots, port) = (World::new(), served(&["blue", "green"]), real::closed_port());
        let include = Include::of(&slots[0], &"shop".parse().unwrap());
        world.write(INCLUDE, &include.render());
        let folder = world.path("");
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|what| format!("  {what}_temp_path {folder}{what};\n"))
            .concat();
        let conf = world.write(
            "nginx.conf",
            &format!(
                "daemon off;\npid {folder}nginx.pid;\nworker_processes 1;\nevents {{}}\nhttp {{\n\
                 {temporary}  access_log off;\n  include {folder}{INCLUDE};\n\
                 include {folder}other*.conf;\n  server {{\n    listen 127.0.0.1:{port};\n\
                 location / {{ proxy_pass http://shop; }}\n  }}\n}}\n"
            ),
        );
        let errors = world.path("error.log");
        let start = argv(&[nginx.as_str(), "-c", &conf, "-e", &errors]);
        let reload = Argv([start.0.clone(), vec!["-s".into(), "reload".into()]].concat());
        let router = router(NginxSpec { reload: Some(reload), ..spec(&world) });
        let nginx = Some(world.start(&start, port));
        Some(Self { world, router, slots, port, nginx, start })
    }

    fn switch(&self, route: &Route) -> Result<(), Trouble> {
        self.router.switch(route, &self.slots, &self.world.commands())
    }

    #[track_caller]
    fn answers(&self, name: &str) {
        until(&format!("an answer of {name}"), || get(self.port) == name);
    }

    fn active(&self) -> Active {
        self.router.active(&self.slots, &self.world.commands()).unwrap()
    }
}

#[test]
fn d12_nginx_switches_there_and_back() {
    let Some(real) = Real::new() else { return };
    let [blue, green] = &*real.slots else { panic!() };
    real.router.check(&real.slots).unwrap();
    assert_eq!(get(real.port), "blue");
    assert_eq!(real.active(), Active::Slot("blue".into()));
    let saved = real.router.save(&real.slots, &real.world.commands()).unwrap();
    let before = real.world.read(INCLUDE);
    for _ in 0..2 {
        real.switch(&to(green)).unwrap();
        assert_eq!(real.active(), Active::Slot("green".into()));
        real.answers("green");
    }
    real.switch(&Route::Saved { text: saved }).unwrap();
    real.answers("blue");
    assert_eq!(real.world.read(INCLUDE), before);
    real.switch(&to(green)).unwrap();
    real.switch(&to(blue)).unwrap();
    real.answers("blue");
}

#[test]
fn d12_a_configuration_that_nginx_refuses_leaves_file_and_answers_as_they_were() {
    let Some(real) = Real::new() else { return };
    let before = real.world.read(INCLUDE);
    real.world.write("other.conf", "upstream { nonsense\n");
    let trouble = real.switch(&to(&real.slots[1])).unwrap_err();
    assert!(trouble.reason.contains("[emerg]"), "nginx's own words: {}", trouble.reason);
    assert!(trouble.reason.contains("is as it was"), "{}", trouble.reason);
    assert!(trouble.evidence.is_some_and(|seen| seen.body.contains("test failed")));
    assert_eq!(real.world.read(INCLUDE), before);
    assert_eq!(get(real.port), "blue");
    let why = real.router.check(&real.slots).unwrap_err().to_string();
    assert!(why.contains("wrong as it is") && why.contains("other.conf"), "{why}");
}

#[test]
fn d12_a_switch_that_was_killed_before_the_reload_is_finished_by_doing_it_again() {
    let Some(real) = Real::new() else { return };
    let green = &real.slots[1];
    let written = real.router.wanted(&to(green)).unwrap();
    real.router.write(written.as_deref()).unwrap();
    assert_eq!(get(real.port), "blue", "nothing was reloaded");
    real.switch(&to(green)).unwrap();
    real.answers("green");
}

#[test]
fn d12_an_nginx_that_does_not_run_is_a_failed_switch() {
    let Some(mut real) = Real::new() else { return };
    let before = real.world.read(INCLUDE);
    real.nginx = None;
    let trouble = real.switch(&to(&real.slots[1])).unwrap_err();
    assert!(trouble.reason.contains("is as it was but was not loaded again"), "{}", trouble.reason);
    assert_eq!(real.world.read(INCLUDE), before);
    real.nginx = Some(real.world.start(&real.start, real.port));
    assert_eq!(get(real.port), "blue");
}

#[test]
fn d12_a_failed_reload_is_followed_by_one_of_the_old_file_even_when_cancelled() {
    let world = World::new();
    let (file, log) = (world.write(INCLUDE, "by hand\n"), world.path("log"));
    let router = scripted(&world, "true", &format!("cat {file} >> {log}; exit 3"));
    let slots = [slot("green", 8082)];
    let trouble = router.switch(&to(&slots[0]), &slots, &world.commands()).unwrap_err();
    assert!(trouble.reason.contains("exit code 3"), "{}", trouble.reason);
    assert!(world.read("log").ends_with("}\nby hand\n"), "{}", world.read("log"));
    assert_eq!(world.read(INCLUDE), "by hand\n");

    world.write("log", "");
    let hangs = format!("cat {file} >> {log}; grep -q upstream {file} && sleep 600; exit 0");
    let router = scripted(&world, "true", &hangs);
    let cancel = world.session.cancel.clone();
    let trouble = std::thread::scope(|scope| {
        scope.spawn(|| {
            until("the reload", || world.read("log").contains("upstream"));
            cancel.set("SIGTERM");
        });
        router.switch(&to(&slots[0]), &slots, &world.commands()).unwrap_err()
    });
    assert!(trouble.reason.contains("is as it was and was loaded again"), "{}", trouble.reason);
    assert!(world.read("log").ends_with("by hand\n"));
}

#[test]
fn d12_where_there_was_no_file_there_is_none_after_a_failure_or_on_the_way_back() {
    let world = World::new();
    let slots = [slot("green", 8082)];
    let failing = scripted(&world, "echo no >&2; exit 1", "true");
    let trouble = failing.switch(&to(&slots[0]), &slots, &world.commands()).unwrap_err();
    assert!(trouble.reason.contains("exit code 1: no"), "{}", trouble.reason);
    assert!(!files::exists(world.path(INCLUDE)));
    let router = scripted(&world, "true", "true");
    let text = router.save(&slots, &world.commands()).unwrap();
    assert_eq!(text, "absent");
    router.switch(&to(&slots[0]), &slots, &world.commands()).unwrap();
    assert!(files::exists(world.path(INCLUDE)));
    router.switch(&Route::Saved { text }, &slots, &world.commands()).unwrap();
    assert!(!files::exists(world.path(INCLUDE)));
}

#[test]
fn d12_the_file_says_which_slot_is_active_if_it_is_ours() {
    let world = World::new();
    let router = scripted(&world, "true", "true");
    let slots = [slot("blue", 8081), slot("green", 8082)];
    let active = || router.active(&slots, &world.commands()).unwrap();
    let other = |part: &str| match active() {
        Active::Other(words) => assert!(words.contains(part), "{words}"),
        slot @ Active::Slot(_) => panic!("{slot:?}, and not {part}"),
    };
    other("there is no");
    world.write(INCLUDE, "upstream shop { server 127.0.0.1:8081; }\n");
    other("waveoff did not write");
    router.switch(&to(&slots[1]), &slots, &world.commands()).unwrap();
    assert_eq!(active(), Active::Slot("green".into()));
    router.switch(&to(&slot("green", 9)), &slots, &world.commands()).unwrap();
    other("127.0.0.1:9; configured is");
    router.switch(&to(&slot("purple", 9)), &slots, &world.commands()).unwrap();
    other("none of blue, green");
}

#[test]
fn d12_what_is_saved_comes_back_to_the_byte() {
    for content in [None, Some(Vec::new()), Some(b"absent".to_vec()), Some(vec![0xff, 0, b'\n'])] {
        assert_eq!(decode(&encode(content.clone())).unwrap(), content);
    }
    assert!(decode("green").is_err());
    assert!(decode("base64:?").is_err());
}

#[test]
fn d12_a_reload_says_how_to_test_if_it_is_nginx_s_own() {
    let test = |words: &[&str]| test_of(&argv(words)).map(|argv| argv.show());
    assert_eq!(test(&["nginx", "-s", "reload"]).as_deref(), Some("nginx -t"));
    let sudo = ["sudo", "-n", "nginx", "-c", "/x", "-s", "reload"];
    assert_eq!(test(&sudo).as_deref(), Some("sudo -n nginx -c /x -t"));
    assert_eq!(test(&["systemctl", "reload", "nginx"]), None);
    assert_eq!(test(&["-s", "reload"]), None);
}

#[test]
fn d12_nginx_is_checked_before_anything_is_touched() {
    let world = World::new();
    let slots = [slot("green", 8082)];
    let why = |spec: NginxSpec, slots: &[Slot]| router(spec).check(slots).unwrap_err().to_string();
    let yes = || Some(argv(&["true"]));
    let untested = NginxSpec { reload: yes(), ..spec(&world) };
    assert!(why(untested, &slots).contains("tested"));
    let good = || NginxSpec { reload: yes(), test: yes(), ..spec(&world) };
    router(good()).check(&slots).unwrap();
    let missing = NginxSpec { reload: Some(argv(&["no-such-nginx"])), ..good() };
    assert!(why(missing, &slots).contains("no-such-nginx"));
    let nowhere = NginxSpec { include: world.path("no/such/folder"), ..good() };
    assert!(why(nowhere, &slots).contains("no folder"));
    assert!(why(good(), &[slot("gr een", 1)]).contains("gr een"));
    assert!(why(good(), &[real::parts_of("green", &[])]).contains("no port"));
    world.write(INCLUDE, "x");
    let broken = NginxSpec { test: Some(argv(&["false"])), ..good() };
    assert!(why(broken, &slots).contains("wrong as it is"));
    let upstream = Some("shop; }".into());
    assert!(Nginx::new(NginxSpec { upstream, ..good() }, &scope(), None).is_err());
}

#[test]
fn d12_nginx_s_plan_says_what_will_be_written_and_run() {
    let world = World::new();
    let (router, file) = (router(spec(&world)), world.path(INCLUDE));
    assert_eq!(
        router.plan(&to(&slot("green", 8082))),
        [
            format!("write {file}: upstream shop is 127.0.0.1:8082"),
            "run nginx -t".into(),
            "run nginx -s reload".into()
        ]
    );
    let back = |text: &str| router.plan(&Route::Saved { text: text.into() }).remove(0);
    assert_eq!(back("absent"), format!("remove {file}, which was not there before"));
    assert_eq!(back("text:x"), format!("write {file} as it was before"));
    assert_eq!(router.url().as_deref(), Some("http://shop.test"));
}
