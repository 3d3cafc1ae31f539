//! A deployment of a Compose project whose engine is killed at each call by which it changes
//! anything about containers or images: afterwards all is old or all is new.

use crate::compose_failures::in_place;
use crate::compose_rounds::behind_nginx;
use crate::compose_world::ComposeWorld;
use crate::crash_world::full;
use crate::harness::Program;
use crate::parts::part;

/// Counts the calls that change something, and kills its caller at one of them; Docker then goes on
/// without it, or never hears of it.
const KILLER: &str = r#"#!/bin/sh
case " $* " in
  *" config "*|*" inspect "*) exec DOCKER "$@" ;;
  VERBS)
    echo "$*" >>"$SHOP_DIR/calls"
    if [ "$(wc -l <"$SHOP_DIR/calls")" -eq "$(cat "$SHOP_DIR/at")" ]; then
      kill -KILL "$PPID"
      [ -e "$SHOP_DIR/goes-on" ] || exit 1
    fi ;;
esac
exec DOCKER "$@"
"#;

/// What changes what runs, and what is done before with images.
const RUNS: &str = r#"*" up "*|*" stop "*|*" rm "*|*" down "*"#;
const IMAGES: &str = r#"*" pull "*|*" create "*|*" tag "*"#;

/// No deployment has so many.
const MOST: usize = 40;

fn killed(shop: &ComposeWorld, program: Program) -> Program {
    let folder = shop.world.folder.path().join("killer").display().to_string();
    program.env("PATH", &format!("{folder}:{}", std::env::var("PATH").unwrap()))
}

/// Kills twice at each call; the names are those of all containers that there may
/// be when a deployment is over.
fn matrix(shop: &ComposeWorld, names: &dyn Fn(&[String]) -> bool) {
    let verbs = if full() { format!("{RUNS}|{IMAGES}") } else { RUNS.to_owned() };
    let docker = part("docker").unwrap().display().to_string();
    shop.world.write("killer/docker", &KILLER.replace("DOCKER", &docker).replace("VERBS", &verbs));
    let (mut old, mut n) = ("v1", 2);
    let (mut olds, mut news) = (0, 0);
    while n < MOST {
        let new = if old == "v1" { "v2" } else { "v1" };
        let _ = std::fs::remove_file(shop.world.folder.path().join("calls"));
        let _ = std::fs::remove_file(shop.world.folder.path().join("goes-on"));
        shop.world.write("at", &(n / 2).to_string());
        if n % 2 == 1 {
            shop.world.write("goes-on", "");
        }
        let words = ["deploy", "--version", new, "--allow-downgrade"];
        let ran = killed(shop, shop.waveoff(&words)).run();
        let calls = shop.read("calls");
        let at = calls.lines().nth(n / 2 - 1).map(str::to_owned);
        let recovered = shop.waveoff(&["recover"]).run();
        assert!(matches!(recovered.code, Some(0 | 12 | 20)), "{n} {at:?}: {recovered:?}");
        let again = shop.waveoff(&["recover"]).run().expect_code(0);
        assert!(again.stdout.contains("nothing was interrupted"), "{n} {at:?}: {again:?}");
        let status = shop.waveoff(&["status", "--json"]).run().expect_code(0).report();
        let live = status["outputs"]["live-version"].as_str().unwrap().to_owned();
        assert!([old, new].contains(&live.as_str()), "{n} {at:?}: {live}");
        shop.world.until("the live version serves", |world| {
            world.version().as_deref() == Some(live.as_str())
        });
        let worker = shop.container("worker");
        let worker = shop.engine.tell(&["inspect", "--format", "{{.Config.Env}}", &worker]);
        assert!(worker.contains(&format!("VERSION={live}")), "{n} {at:?}: {live}: {worker}");
        assert!(names(&shop.all_containers()), "{n} {at:?}: {:?}", shop.all_containers());
        if live == new {
            news += 1
        } else {
            olds += 1
        }
        old = if live == "v1" { "v1" } else { "v2" };
        let Some(at) = at else {
            ran.expect_code(0);
            break;
        };
        eprintln!("{n} {at}: {live}");
        n += 1;
    }
    assert!(olds > 0 && news > 0, "{olds} old, {news} new");
}

#[test]
fn t064_rolling_compose_is_all_old_or_all_new() {
    let Some(shop) = in_place("killed", "0s") else { return };
    let names = ["killed-cache-1", "killed-db-1", "killed-web", "killed-worker-1"];
    matrix(&shop, &|all| all == names);
}

#[test]
fn t064_blue_green_compose_is_all_old_or_all_new() {
    let Some((shop, _router)) = behind_nginx("slain") else { return };
    let count = |all: &[String]| all.len() == 4;
    matrix(&shop, &count);
}
