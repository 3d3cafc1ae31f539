//! Releases that fail with the traffic on them are taken back, and nobody who asks notices.

use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::crash_router::Balancer;
use crate::crash_world::{Platform, Shop};
use crate::harness::read;
use crate::load;

/// Somebody who asks through a router all the time.
pub(crate) struct Asking(Child);

impl Asking {
    /// So many times a second, for one of these versions.
    pub(crate) fn start(port: u16, rate: u32, versions: &[&str]) -> Self {
        let mut load = Command::new(load::program());
        load.args(["--connections", "8", "--for", "300", "--timeout", "5"]);
        load.args(["--rate", &rate.to_string()]);
        load.args(versions.iter().flat_map(|version| ["--version", version]));
        load.arg(format!("http://127.0.0.1:{port}/version"));
        Self(load.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap())
    }

    /// What was seen until now.
    pub(crate) fn end(mut self) -> Value {
        self.0.stdin.take().unwrap().write_all(b"stop\n").unwrap();
        let mut text = String::new();
        self.0.stdout.take().unwrap().read_to_string(&mut text).unwrap();
        assert!(self.0.wait().unwrap().success());
        serde_json::from_str(&text).unwrap()
    }
}

/// The failures among what was seen.
pub(crate) fn failures(seen: &Value) -> u64 {
    seen["failures"].as_object().unwrap().values().filter_map(Value::as_u64).sum()
}

/// Behind a router that opens a connection to the slot for each request, as nginx does unless it
/// is told otherwise; the second version is ill, which is only seen through the router.
pub(crate) fn behind(balancer: Balancer) -> Option<Shop> {
    let shop = Shop::blue_green(Platform::Process, balancer)?;
    let public = format!("url: http://127.0.0.1:{}/health/full", shop.public);
    let config = read(&shop.folder(), "waveoff.yml").replace("path: /health/full", &public);
    shop.world.write("waveoff.yml", &config.replace("drain: 200ms", "drain: 10s"));
    Some(shop)
}

#[test]
fn d4_what_is_taken_back_costs_nobody_a_request() {
    let balancers = [Balancer::Nginx, Balancer::Haproxy];
    for shop in balancers.into_iter().filter_map(behind) {
        shop.world.deploy("v1").run().expect_code(0);
        let asking = Asking::start(shop.public, 400, &["v1", "v2"]);
        for _ in 0..3 {
            let ran = shop.world.deploy("v2").run().expect_code(20);
            // What failed is live for no longer than it takes to know: evidence comes later.
            let back = ran.stdout.rfind("the traffic goes to").expect("it had the traffic");
            let kept = ran.stdout.find("evidence is kept in").expect("evidence is kept");
            let stopped = ran.stdout.rfind("is empty").expect("its slot is cleared");
            assert!(back < kept && kept < stopped, "{}", ran.stdout);
        }
        let seen = asking.end();
        assert_eq!(failures(&seen), 0, "{}\n{seen}", read(&shop.folder(), "waveoff.yml"));
        for version in ["v1", "v2"] {
            assert_ne!(seen["versions"][version]["count"], 0, "{version}: {seen}");
        }
    }
}
