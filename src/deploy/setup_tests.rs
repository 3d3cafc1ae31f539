use super::*;
use crate::config;

const DOCUMENTED: &str = include_str!("../../docs/configuration.md");

/// What the documentation says of a key that is absent, in the table with this first cell.
#[track_caller]
fn documented(table: &str, key: &str) -> &'static str {
    let (_, rows) = DOCUMENTED.split_once(&format!("| {table} |")).unwrap();
    let row = rows.lines().find(|line| line.starts_with(&format!("| `{key}` |"))).unwrap();
    row.split(" | ").nth(2).unwrap().trim_end_matches(" |")
}

/// The same, of a length of time.
#[track_caller]
fn length(table: &str, key: &str) -> Duration {
    humantime::parse_duration(documented(table, key).split('`').nth(1).unwrap()).unwrap()
}

/// The setup of a service with this strategy.
#[track_caller]
fn of(strategy: &str, told: &Overrides) -> (Setup, TransactionSpec) {
    let platform = "platform: { command: { deploy: [./ship.sh], stop: [./stop.sh] } }";
    let text = format!("version: 1\nservice: shop\n{platform}\n{strategy}");
    let loaded = config::parse("waveoff.yml", &text, |_| None).unwrap();
    let spec = loaded.transaction().unwrap();
    let (scope, state) = (Scope::new("shop", "test").unwrap(), State::at("/nonexistent"));
    let parts = Parts::of(&loaded, &spec, &scope, &state).unwrap();
    (setup(&spec, &parts, &scope, &state, told), spec)
}

fn blue_green(keys: &str, told: &Overrides) -> BlueGreen {
    let slots = "slots: { blue: 8001, green: 8002 }";
    let strategy = format!(
        "strategy: {{ blue-green: {{ {slots}{keys} }} }}\nrouter: {{ command: {{ switch: [./s] }} }}\n"
    );
    let Strategy::BlueGreen(blue_green) = of(&strategy, told).0.strategy else { panic!() };
    blue_green
}

fn rolling(strategy: &str, told: &Overrides) -> Rolling {
    let Strategy::Rolling(rolling) = of(strategy, told).0.strategy else { panic!() };
    rolling
}

#[test]
fn d4_what_blue_green_does_when_nobody_says_anything_is_what_is_documented() {
    let (table, usual) = ("Key of `blue-green`", blue_green("", &Overrides::default()));
    let seconds = Duration::from_secs;
    assert_eq!((usual.watch, length(table, "watch")), (seconds(300), seconds(300)));
    assert_eq!((usual.interval, length(table, "interval")), (seconds(10), seconds(10)));
    assert_eq!((usual.failures, documented(table, "failures")), (3, "`3`"));
    assert_eq!((usual.drain, length(table, "drain")), (seconds(30), seconds(30)));
    let delay = length(table, "traffic-switch-delay");
    assert_eq!((usual.traffic_switch_delay, delay), (Duration::ZERO, Duration::ZERO));
    assert_eq!((usual.keep_old, usual.health_check_timeout), (None, None));
    assert_eq!(documented(table, "keep-old"), "it is stopped after the watch");
    assert_eq!(documented(table, "health-check-timeout"), "the checks' own limits");
}

#[test]
fn d3_what_rolling_does_when_nobody_says_anything_is_what_is_documented() {
    let (table, usual) =
        ("Key of `rolling`", rolling("strategy: rolling\n", &Overrides::default()));
    let seconds = Duration::from_secs;
    assert_eq!((usual.watch, length(table, "watch")), (seconds(30), seconds(30)));
    assert_eq!((usual.interval, length(table, "interval")), (seconds(10), seconds(10)));
    assert_eq!((usual.failures, documented(table, "failures")), (3, "`3`"));
    assert_eq!((usual.settle, length(table, "settle")), (Duration::ZERO, Duration::ZERO));
    let (setup, spec) = of("strategy: rolling\n", &Overrides::default());
    assert_eq!(setup.tag_file, "/nonexistent/shop/test/.deploy-previous-tag");
    assert!(documented(table, "previous-tag").starts_with("`.deploy-previous-tag`"));
    let within = deploy_within(&spec);
    assert!(DOCUMENTED.contains("the old release comes back | `30m` |"));
    assert_eq!(within, seconds(30 * 60));
    // Who names no strategy gets the same without the watch.
    let unnamed = rolling("", &Overrides::default());
    assert_eq!(unnamed, Rolling { watch: Duration::ZERO, ..usual });
}

#[test]
fn d4_what_somebody_says_counts_and_the_command_line_counts_most() {
    let keys = ", watch: 1m, interval: 2s, failures: 4, drain: 5s, keep-old: 6h, \
                traffic-switch-delay: 7s, health-check-timeout: 8m";
    let seconds = Duration::from_secs;
    let said = blue_green(keys, &Overrides::default());
    assert_eq!((said.watch, said.interval, said.failures), (seconds(60), seconds(2), 4));
    assert_eq!((said.drain, said.keep_old), (seconds(5), Some(seconds(6 * 3600))));
    assert_eq!(said.traffic_switch_delay, seconds(7));
    assert_eq!(said.health_check_timeout, Some(seconds(480)));
    let told = Overrides {
        keep_old: Some(seconds(1)),
        health_check_timeout: Some(seconds(2)),
        traffic_switch_delay: Some(seconds(3)),
        watch: Some(seconds(4)),
        irreversible: true,
    };
    let most = blue_green(keys, &told);
    let (keep_old, health_check_timeout) = (told.keep_old, told.health_check_timeout);
    let (traffic_switch_delay, watch) = (seconds(3), seconds(4));
    assert_eq!(
        most,
        BlueGreen { keep_old, health_check_timeout, traffic_switch_delay, watch, ..said }
    );
    assert_eq!(rolling("strategy: rolling\n", &told).watch, seconds(4));
    let migrate = "migrate: { command: [./migrate] }\n";
    let allowed = |told: &Overrides| of(migrate, told).0.migration.unwrap().allowed;
    assert_eq!((allowed(&told), allowed(&Overrides::default())), (true, false));
}
