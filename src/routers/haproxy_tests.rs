use super::super::real::{
    self, Running, World, argv, get, parts_of, serve, served, slot, to, until,
};
use super::*;
use crate::config::values::Argv;

fn spec(world: &World) -> HaproxySpec {
    HaproxySpec {
        socket: world.path("socket"),
        backend: "shop".into(),
        servers: BTreeMap::new(),
        state_file: Some(world.path("state")),
        url: None,
    }
}

/// The slots' lines of a backend: the first one has the traffic at first.
fn backend(name: &str, servers: &[(&str, u16, &str)]) -> String {
    let servers = servers.iter().map(|(name, port, rest)| {
        format!("  server {name} 127.0.0.1:{port} check inter 50ms {rest}\n")
    });
    format!("backend {name}\n{}", servers.collect::<String>())
}

/// A real HAProxy with this backend, which answers on a port.
struct Real {
    haproxy: Option<Running>,
    world: World,
    router: Haproxy,
    slots: Vec<Slot>,
    port: u16,
    start: Argv,
}

impl Real {
    fn new() -> Option<Self> {
        let slots = served(&["blue", "green"]);
        let port = |slot: &Slot| slot.ports["web"];
        let servers =
            [("blue", port(&slots[0]), "weight 10"), ("green", port(&slots[1]), "weight 0")];
        Self::with(&backend("shop", &servers), slots)
    }

    fn with(backends: &str, slots: Vec<Slot>) -> Option<Self> {
        let haproxy = real::part("haproxy")?;
        let (world, port) = (World::new(), real::closed_port());
        let folder = world.path("");
        let conf = world.write(
            "haproxy.cfg",
            &format!(
                "global\n  stats socket {folder}socket level admin\n  \
                 stats socket {folder}reader level operator\n  server-state-file {folder}state\n\
                 defaults\n  mode http\n  timeout connect 5s\n  timeout client 30s\n  \
                 timeout server 30s\n  load-server-state-from-file global\n\
                 frontend front\n  bind 127.0.0.1:{port}\n  default_backend shop\n{backends}"
            ),
        );
        let start = argv(&[haproxy.as_str(), "-db", "-f", &conf]);
        let router = Haproxy::new(spec(&world), None).unwrap();
        let mut real = Self { haproxy: None, world, router, slots, port, start };
        real.start();
        Some(real)
    }

    /// HAProxy makes its sockets after it listens on its ports.
    fn start(&mut self) {
        self.haproxy = Some(self.world.start(&self.start, self.port));
        for name in ["socket", "reader"] {
            let runtime = Runtime::new(self.world.path(name));
            until("HAProxy's socket", || runtime.ask("show cli level").is_ok());
        }
    }

    fn switch(&self, route: &Route) -> Result<(), Trouble> {
        self.router.switch(route, &self.slots, &self.world.commands())
    }

    fn active(&self) -> Active {
        self.router.active(&self.slots, &self.world.commands()).unwrap()
    }

    fn check(&self, change: impl FnOnce(&mut HaproxySpec)) -> String {
        let mut spec = spec(&self.world);
        change(&mut spec);
        let checked = Haproxy::new(spec, None).and_then(|router| router.check(&self.slots));
        checked.map_or_else(|error| error.to_string(), |()| "good".into())
    }
}

#[test]
fn d12_haproxy_switches_there_and_back() {
    let Some(real) = Real::new() else { return };
    let [blue, green] = &*real.slots else { panic!() };
    real.router.check(&real.slots).unwrap();
    assert_eq!((get(real.port).as_str(), real.active()), ("blue", Active::Slot("blue".into())));
    let saved = real.router.save(&real.slots, &real.world.commands()).unwrap();
    for _ in 0..2 {
        real.switch(&to(green)).unwrap();
        assert_eq!(
            (get(real.port).as_str(), real.active()),
            ("green", Active::Slot("green".into()))
        );
    }
    real.switch(&Route::Saved { text: saved.clone() }).unwrap();
    assert_eq!(get(real.port), "blue");
    assert_eq!(real.router.save(&real.slots, &real.world.commands()).unwrap(), saved);
    real.switch(&to(green)).unwrap();
    real.switch(&to(blue)).unwrap();
    assert_eq!((get(real.port).as_str(), real.active()), ("blue", Active::Slot("blue".into())));
}

#[test]
fn d12_a_restart_of_haproxy_agrees() {
    let Some(mut real) = Real::new() else { return };
    for name in ["green", "blue", "green"] {
        let slot = real.slots.iter().find(|slot| slot.name == name).unwrap();
        real.switch(&to(slot)).unwrap();
        real.haproxy = None;
        real.start();
        assert_eq!(real.active(), Active::Slot(name.into()));
        for _ in 0..4 {
            assert_eq!(get(real.port), name);
        }
    }
}

#[test]
fn d12_a_slot_that_haproxy_does_not_see_running_gets_no_requests() {
    // Nobody listens there, and nobody who runs beside this takes it.
    let (blue, port) = (serve("blue"), 1);
    let servers = [("blue", blue, ""), ("green", port, "weight 0")];
    let slots = vec![slot("blue", blue), slot("green", port)];
    let Some(real) = Real::with(&backend("shop", &servers), slots) else { return };
    let running = || {
        let servers = real.router.look_at(&real.slots[1..]).unwrap();
        servers[0].is_up()
    };
    until("HAProxy's health check", || !running());
    let before = real.router.save(&real.slots, &real.world.commands()).unwrap();
    let cancel = real.world.session.cancel.clone();
    cancel.set("SIGTERM");
    let trouble = real.switch(&to(&real.slots[1])).unwrap_err();
    assert!(trouble.reason.contains("cancelled while"), "{}", trouble.reason);
    assert!(trouble.reason.ends_with("HAProxy goes on as before"), "{}", trouble.reason);
    assert_eq!(real.router.save(&real.slots, &real.world.commands()).unwrap(), before);
    assert_eq!(get(real.port), "blue");
    // What did not run is not waited for on the way back.
    cancel.shield();
    let text = format!("shop/blue {blue} 2 0 0 1\nshop/green {port} 0 0 1 0\n");
    real.switch(&Route::Saved { text }).unwrap();
    assert_eq!(real.active(), Active::Slot("green".into()));
}

#[test]
fn d12_a_slot_that_comes_up_late_is_waited_for() {
    let (blue, port) = (serve("blue"), real::closed_port());
    let servers = [("blue", blue, ""), ("green", port, "weight 0")];
    let slots = vec![slot("blue", blue), slot("green", port)];
    let Some(real) = Real::with(&backend("shop", &servers), slots) else { return };
    let up = || real.router.look_at(&real.slots[1..]).unwrap()[0].is_up();
    until("HAProxy's health check", || !up());
    std::thread::scope(|scope| {
        let switched = scope.spawn(|| real.switch(&to(&real.slots[1])));
        real::serve_on(port, "green");
        switched.join().unwrap().unwrap();
    });
    assert_eq!(get(real.port), "green");
}

#[test]
fn d12_all_components_of_a_slot_are_switched() {
    let ports = ["api-blue", "web-blue", "api-green", "web-green"].map(serve);
    let [api_blue, web_blue, api_green, web_green] = ports;
    let shop = backend("shop-web", &[("b", web_blue, ""), ("g", web_green, "weight 0")]);
    let api = backend("shop-api", &[("b", api_blue, ""), ("g", api_green, "weight 0")]);
    let slots = vec![
        parts_of("blue", &[("api", api_blue), ("web", web_blue)]),
        parts_of("green", &[("api", api_green), ("web", web_green)]),
    ];
    let front = "backend shop\n  server none 127.0.0.1:1\n";
    let Some(mut real) = Real::with(&format!("{front}{shop}{api}"), slots) else { return };
    let servers = [("blue", "b"), ("green", "g")].map(|(slot, name)| (slot.into(), name.into()));
    let backend = "shop-{{component}}".into();
    let several = HaproxySpec { backend, servers: servers.into(), ..spec(&real.world) };
    real.router = Haproxy::new(several, None).unwrap();
    real.router.check(&real.slots).unwrap();
    let before = real.router.save(&real.slots, &real.world.commands()).unwrap();
    real.switch(&to(&real.slots[1])).unwrap();
    assert_eq!(real.active(), Active::Slot("green".into()));
    real.router.runtime.set("shop-api/g", "weight", "0").unwrap();
    assert_eq!(real.active(), Active::Other("only a part of slot green".into()));
    real.router.runtime.set("shop-api/b", "weight", "1").unwrap();
    assert_eq!(real.active(), Active::Other("blue, green at once".into()));
    real.switch(&Route::Saved { text: before }).unwrap();
    assert_eq!(real.active(), Active::Slot("blue".into()));
    real.router.runtime.set("shop-api/b", "state", "maint").unwrap();
    real.router.runtime.set("shop-web/b", "state", "drain").unwrap();
    assert_eq!(real.active(), Active::Other("none of the slots".into()));
    let away = real.router.save(&real.slots, &real.world.commands()).unwrap();
    real.switch(&to(&real.slots[0])).unwrap();
    assert_eq!(real.active(), Active::Slot("blue".into()));
    real.switch(&Route::Saved { text: away }).unwrap();
    assert_eq!(real.active(), Active::Other("none of the slots".into()));
}

#[test]
fn d12_haproxy_is_checked_before_anything_is_touched() {
    let Some(mut real) = Real::new() else { return };
    assert_eq!(real.check(|_| {}), "good");
    let why = real.check(|spec| spec.backend = "shopp".into());
    assert!(why.contains("Can't find backend") && why.contains("haproxy.cfg"), "{why}");
    let why = real.check(|spec| spec.servers = [("blue".into(), "b".into())].into());
    assert!(why.contains("no server shop/b; it has shop/blue, shop/green"), "{why}");
    let why = real.check(|spec| spec.servers = [("red".into(), "b".into())].into());
    assert!(why.contains("red is no slot"), "{why}");
    let why = real.check(|spec| spec.servers = [("blue".into(), "green".into())].into());
    assert!(why.contains("both shop/green"), "{why}");
    let why = real.check(|spec| spec.state_file = Some("/no/such/folder/state".into()));
    assert!(why.contains("state-file"), "{why}");
    let reader = real.world.path("reader");
    let why = real.check(|spec| spec.socket = reader);
    assert!(why.contains("level operator"), "{why}");
    let why = real.check(|spec| spec.socket = "/no/such/socket".into());
    assert!(why.contains("/no/such/socket") && why.contains("stats socket"), "{why}");
    let why = real.check(|spec| spec.backend = "shop; quit".into());
    assert!(why.contains("not the name"), "{why}");
    let why = real.check(|spec| spec.backend = "{{slot}}".into());
    assert!(why.contains("`{{slot}}` is not known"), "{why}");
    real.slots[1] = slot("green", 9);
    let why = real.check(|_| {});
    assert!(why.contains("slot green has 9"), "{why}");
    assert!(matches!(real.active(), Active::Other(words) if words.contains("slot green has 9")));
    real.slots[1] = parts_of("green", &[("a", 1), ("b", 2)]);
    let why = real.check(|_| {});
    assert!(why.contains("the same for every component"), "{why}");
}

#[test]
fn d12_a_socket_that_only_reads_changes_nothing_and_says_so() {
    let Some(real) = Real::new() else { return };
    let socket = real.world.path("reader");
    let reader = Haproxy::new(HaproxySpec { socket, ..spec(&real.world) }, None).unwrap();
    let trouble = reader.switch(&to(&real.slots[1]), &real.slots, &real.world.commands());
    let reason = trouble.unwrap_err().reason;
    assert!(reason.contains("Permission denied") && reason.contains("level admin"), "{reason}");
    assert_eq!((get(real.port).as_str(), real.active()), ("blue", Active::Slot("blue".into())));
}

#[test]
fn d12_haproxy_s_own_refusal_is_told() {
    let (blue, green) = (serve("blue"), serve("green"));
    let fixed = backend("shop", &[("blue", blue, ""), ("green", green, "weight 0")]);
    let slots = vec![slot("blue", blue), slot("green", green)];
    let Some(real) = Real::with(&fixed.replace("shop\n", "shop\n  balance source\n"), slots) else {
        return;
    };
    let reason = real.switch(&to(&real.slots[1])).unwrap_err().reason;
    assert!(reason.contains("static LB algorithm") && reason.contains("`weight`"), "{reason}");
    assert!(reason.ends_with("HAProxy goes on as before"), "{reason}");
    assert_eq!((get(real.port).as_str(), real.active()), ("blue", Active::Slot("blue".into())));
    let route = Route::Saved { text: "shop/blue; quit 1 2 3 4 5".into() };
    assert!(real.switch(&route).unwrap_err().reason.contains("what was saved"));
}

#[test]
#[cfg(unix)]
fn d12_a_socket_that_hangs_is_an_error_in_time() {
    let world = World::new();
    let router = Haproxy::new(spec(&world), None).unwrap();
    let limit = Duration::from_millis(100);
    let router = Haproxy { runtime: Runtime::new(world.path("socket")).limited(limit), ..router };
    let slots = [slot("blue", 1), slot("green", 2)];
    let _silent = std::os::unix::net::UnixListener::bind(world.path("socket")).unwrap();
    let commands = world.commands();
    for reason in [
        router.active(&slots, &commands).unwrap_err().reason,
        router.save(&slots, &commands).unwrap_err().reason,
        router.switch(&to(&slots[0]), &slots, &commands).unwrap_err().reason,
        router.check(&slots).unwrap_err().to_string(),
    ] {
        assert!(reason.contains("timed out"), "{reason}");
    }
}

#[test]
fn d12_haproxy_s_plan_says_what_will_be_told() {
    let world = World::new();
    let router = Haproxy::new(spec(&world), Some("http://shop.test")).unwrap();
    let socket = world.path("socket");
    let tell = |what: &str| format!("tell {socket}: set server {what}");
    assert_eq!(
        router.plan(&to(&slot("green", 8082))),
        [
            tell("shop/green state ready"),
            tell("shop/green weight 100%"),
            tell("shop/… weight 0%, for the servers of the other slots"),
            format!("write {}", world.path("state")),
        ]
    );
    let route = Route::Saved { text: "shop/green 1 2 0 0 1\n".into() };
    let told = router.plan(&route);
    assert_eq!(told[..2], [tell("shop/green weight 0%"), tell("shop/green state ready")]);
    assert_eq!(router.url().as_deref(), Some("http://shop.test"));
}

/// A stand-in that tells its two servers and keeps what it was told.
fn recording(world: &World, told: std::sync::Arc<std::sync::Mutex<Vec<String>>>) {
    use std::io::{BufRead as _, BufReader, Write as _};
    let listener = std::os::unix::net::UnixListener::bind(world.path("socket")).unwrap();
    std::thread::spawn(move || {
        let mut weights = BTreeMap::from([("blue".to_owned(), 1), ("green".to_owned(), 0)]);
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut line = String::new();
            BufReader::new(&stream).read_line(&mut line).unwrap();
            let line = line.trim();
            let answer = if line.starts_with("show") {
                let servers =
                    weights.iter().map(|(name, weight)| format!("shop {name} 1 2 0 {weight} 1\n"));
                "1\n# be_name srv_name srv_port srv_op_state srv_admin_state srv_uweight \
                 srv_iweight\n"
                    .to_owned()
                    + &servers.collect::<String>()
            } else {
                told.lock().unwrap().push(line.to_owned());
                if let [_, _, server, "weight", weight] = *line.split(' ').collect::<Vec<_>>() {
                    let name = server.trim_start_matches("shop/").to_owned();
                    weights.insert(name, i32::from(weight != "0%"));
                }
                "\n".to_owned()
            };
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
}

#[test]
fn d12_the_new_slot_is_raised_before_the_old_one_is_lowered() {
    let world = World::new();
    let told = std::sync::Arc::default();
    recording(&world, std::sync::Arc::clone(&told));
    let router = Haproxy::new(HaproxySpec { state_file: None, ..spec(&world) }, None).unwrap();
    let slots = [slot("blue", 1), slot("green", 1)];
    let commands = world.commands();
    let lines = || std::mem::take(&mut *told.lock().unwrap());
    let saved = router.save(&slots, &commands).unwrap();
    router.switch(&to(&slots[1]), &slots, &commands).unwrap();
    let (first, last) = ("set server shop/green weight 100%", "set server shop/blue weight 0%");
    let weights = |lines: Vec<String>| {
        lines.into_iter().filter(|line| line.contains("weight")).collect::<Vec<_>>()
    };
    assert_eq!(weights(lines()), [first, last]);
    router.switch(&Route::Saved { text: saved }, &slots, &commands).unwrap();
    let (first, last) = ("set server shop/blue weight 100%", "set server shop/green weight 0%");
    assert_eq!(weights(lines()), [first, last]);
}
