//! The configurations of `examples/blue-green`, which people copy.

use std::process::Command;

use tempfile::TempDir;
use waveoff::config;
use waveoff::config::transaction::{PortsSpec, RouterSpec, StrategySpec, TransactionSpec};

use crate::parts::part;

const NGINX: &str = include_str!("../../examples/blue-green/nginx/nginx.conf");
const HAPROXY: &str = include_str!("../../examples/blue-green/haproxy/haproxy.cfg");

fn read(name: &str, text: &str) -> TransactionSpec {
    let loaded = config::parse(name, text, |name| Some(format!("the {name}"))).unwrap();
    loaded.transaction().unwrap()
}

#[test]
fn d12_the_example_for_nginx_is_taken_by_nginx() {
    let name = "examples/blue-green/nginx/waveoff.yml";
    let spec = read(name, include_str!("../../examples/blue-green/nginx/waveoff.yml"));
    let Some(RouterSpec::Nginx(router)) = &spec.router else { panic!("{spec:?}") };
    assert!(NGINX.contains(&format!("include {};", router.include)));
    assert!(NGINX.contains("proxy_pass http://shop;"));
    let Some(nginx) = part("nginx") else { return };
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(path("shop.conf"), "upstream shop { server 127.0.0.1:18081; }\n").unwrap();
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|what| format!("{what}_temp_path {};\n", path(what)))
        .concat();
    let text = NGINX
        .replace(&router.include, &path("shop.conf"))
        .replace("http {\n", &format!("http {{\naccess_log off;\n{temporary}"))
        .replace("# keepalive_timeout", "keepalive_timeout")
        // Nothing is bound by a test of the configuration, but the port is looked at.
        .replace("listen 80;", "listen 127.0.0.1:18080;");
    std::fs::write(path("nginx.conf"), format!("pid {};\n{text}", path("pid"))).unwrap();
    let mut command = Command::new(nginx);
    command.args(["-t", "-c", &path("nginx.conf"), "-e", &path("error.log")]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn d12_the_example_for_haproxy_is_taken_by_haproxy() {
    let name = "examples/blue-green/haproxy/waveoff.yml";
    let spec = read(name, include_str!("../../examples/blue-green/haproxy/waveoff.yml"));
    let Some(RouterSpec::Haproxy(router)) = &spec.router else { panic!("{spec:?}") };
    let state = router.state_file.as_deref().unwrap();
    assert!(HAPROXY.contains(&format!("stats socket {} ", router.socket)));
    assert!(HAPROXY.contains(&format!("server-state-file {state}\n")));
    assert!(HAPROXY.contains(&format!("\nbackend {}\n", router.backend)));
    let Some(StrategySpec::BlueGreen(blue_green)) = &spec.strategy else { panic!("{spec:?}") };
    for (slot, port) in &blue_green.slots {
        let PortsSpec::One(port) = port else { panic!("{port:?}") };
        assert!(HAPROXY.contains(&format!("server {slot} 127.0.0.1:{port} ")), "{slot}");
    }
    let Some(haproxy) = part("haproxy") else { return };
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let text = HAPROXY
        .replace(&router.socket, &path("socket"))
        .replace(" mode 660 group haproxy", "")
        .replace(state, &path("state"));
    std::fs::write(path("haproxy.cfg"), text).unwrap();
    let output = Command::new(haproxy).args(["-c", "-f", &path("haproxy.cfg")]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}
