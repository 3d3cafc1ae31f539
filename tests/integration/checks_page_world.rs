//! What the examples of `docs/checks.md` look at: servers at the names and ports that stand there.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpStream, UdpSocket};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;
use tempfile::TempDir;

use crate::grpc::Real;
use crate::harness::{Program, Ran, Request, read_request, serve};
use crate::parts::part;
use crate::postgres;
use crate::services::{Running, redis_at, start, wait};
use crate::streams::{agreement, pong};
use crate::tls::Authority;
use crate::watched::{container, unit};

const PAGE: &str = "<!doctype html><title>The Shop</title><meta name=description content=All>\
                    <h1>Welcome to the shop</h1><div id=app></div>";
const METRICS: &str = "# TYPE http_requests_total counter\nhttp_requests_total{status=\"200\"} 7\n\
                       # TYPE service_info gauge\nservice_info{version=\"1.4.0\"} 1\n";

/// nginx: TLS, certificates of clients, and all of its ways to the servers behind it.
const NGINX: &str = "daemon off;
worker_processes 1;
pid FOLDER/nginx.pid;
events {}
http {
  access_log off;
  client_body_temp_path FOLDER/body; proxy_temp_path FOLDER/proxy; fastcgi_temp_path FOLDER/fastcgi;
  uwsgi_temp_path FOLDER/uwsgi; scgi_temp_path FOLDER/scgi;
  ssl_certificate FOLDER/server.pem;
  ssl_certificate_key FOLDER/server.key;
  server {
    listen 443 ssl http2;
    server_name shop.example.com;
    location / { proxy_pass http://127.0.0.1:8080; }
    location ~ ^/(live|chat|prices)$ {
      proxy_pass http://127.0.0.1:8080;
      proxy_http_version 1.1;
      proxy_buffering off;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection upgrade;
    }
  }
  server {
    listen 443 ssl http2;
    server_name api.example.com;
    location / {
      if ($http_x_api_key != key) { return 403; }
      grpc_pass grpc://127.0.0.1:50051;
    }
  }
  server {
    listen 443 ssl http2;
    server_name office.example.com;
    ssl_verify_client on;
    ssl_client_certificate FOLDER/clients.pem;
    location / { proxy_pass http://127.0.0.1:8080; }
  }
}
";

const DOCKER: &str = r#"#!/bin/sh
cd "${0%/*}" || exit
case "$*" in
  ps*) cat ids ;;
  logs*) echo 'ready' ;;
  *shop-db-1*) cat db ;;
  inspect*) cat all ;;
  *) exit 1 ;;
esac
"#;

/// All servers, as long as it is there.
pub(crate) struct World {
    folder: Arc<TempDir>,
    _running: Vec<Running>,
    _grpc: Real,
    _postgres: postgres::World,
}

impl World {
    /// None where a part is not installed.
    pub(crate) fn start() -> Option<Self> {
        let folder = Arc::new(TempDir::new().unwrap());
        let mut running = vec![redis_at(6379, &["--requirepass", "none", "--maxmemory", "100mb"])?];
        let postgres = postgres::World::new(5432, "none", &[("shop", &tables())])?;
        let grpc = Real::at(50051, &["health"])?;
        let nginx = part("nginx")?;
        certify(folder.path());
        let config = folder.path().join("nginx.conf");
        fs::write(&config, NGINX.replace("FOLDER", folder.path().to_str().unwrap())).unwrap();
        let mut command = Command::new(nginx);
        command.arg("-c").arg(config).arg("-e").arg(folder.path().join("nginx.log"));
        running.push(start(command));
        let is_awake = AtomicBool::new(false);
        serve("127.0.0.1:8080", move |stream| answer(stream, &is_awake));
        serve("127.0.0.1:25", |stream| says(stream, b"220 mail.example.com ESMTP\r\n"));
        serve("127.0.0.1:11211", |mut stream| {
            let _ = stream.read(&mut [0; 64]).is_ok_and(|count| count > 0);
            says(stream, b"VERSION 1.6.18\r\n");
        });
        names();
        keepers(folder.path());
        wait("tcp: localhost:443").expect_code(0);
        wait("postgres: localhost:5432").expect_code(0);
        wait("redis: { address: 'localhost:6379', password: none }").expect_code(0);
        let world = Self { folder, _running: running, _grpc: grpc, _postgres: postgres };
        Some(world)
    }

    /// Runs these checks as somebody would who has the page's files beside them.
    pub(crate) fn run(&self, text: &str) -> Ran {
        let path = std::env::var("PATH").unwrap();
        let path = format!("{}:{path}", self.folder.path().display());
        let authority = self.folder.path().join("ca.pem");
        Program::within("smoke-test", &self.folder)
            .file("waveoff.yml", text)
            .env("PATH", &path)
            .env("API_KEY", "key")
            .env("SSL_CERT_FILE", authority.to_str().unwrap())
            .args(["--expect-version", "1.4.0"])
            .run()
    }
}

fn tables() -> String {
    let others = (1..=9).map(|number| format!("CREATE TABLE other_{number} (id int)\n"));
    let own = "CREATE TABLE orders (id int)\nINSERT INTO orders VALUES (1)\n\
               CREATE TABLE flyway_schema_history (installed_rank int, version varchar(50), \
               description varchar(200), type varchar(20), success bool)\n\
               INSERT INTO flyway_schema_history VALUES (1, '5', 'a', 'SQL', true)\n";
    others.chain([own.to_owned()]).collect()
}

/// The certificates of the page, and the files that stand beside its examples.
fn certify(folder: &Path) {
    let put = |name: &str, text: &str| fs::write(folder.join(name), text).unwrap();
    let (authority, clients) = (Authority::new(), Authority::new());
    let names = ["shop.example.com", "api.example.com", "office.example.com"];
    let (certificate, key) = authority.certify_all(&names, Some((-1, 60)));
    put("ca.pem", &authority.pem());
    put("office-ca.pem", &authority.pem());
    put("server.pem", &certificate.pem());
    put("server.key", &key.serialize_pem());
    let (certificate, key) = clients.certify("smoke");
    put("clients.pem", &clients.pem());
    put("smoke.pem", &certificate.pem());
    put("smoke.key", &key.serialize_pem());
    put("order.xml", "<order item=\"7\"/>");
}

/// The programs that are asked for containers and units, and one of the user's own.
fn keepers(folder: &Path) {
    let program = |name: &str, text: &str| {
        fs::write(folder.join(name), text).unwrap();
        fs::set_permissions(folder.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    };
    let all: Vec<_> = ["web-1", "web-2", "web-3", "worker-1", "worker-2", "worker-3"]
        .map(|name| container(name, &json!({}), 0, "always"))
        .into();
    fs::write(folder.join("all"), serde_json::to_string(&all).unwrap()).unwrap();
    let db = [container("db", &json!({}), 0, "always")];
    fs::write(folder.join("db"), serde_json::to_string(&db).unwrap()).unwrap();
    fs::write(folder.join("ids"), "a\nb\nc\nd\ne\nf\n").unwrap();
    let unit = unit("active", "running", 0).replace("shop.service", "shop-api.service");
    fs::write(folder.join("unit"), unit).unwrap();
    program("docker", DOCKER);
    program("systemctl", "#!/bin/sh\ncat \"${0%/*}/unit\"\n");
    program("queue-depth", "#!/bin/sh\necho '{\"depth\": 3}'\n");
}

fn says(mut stream: TcpStream, words: &[u8]) {
    let _ = stream.write_all(words);
    // Until he goes.
    let _ = stream.read_to_end(&mut Vec::new());
}

/// A name server that knows where mail goes.
fn names() {
    let socket = UdpSocket::bind("192.0.2.53:53").unwrap();
    std::thread::spawn(move || {
        let mut bytes = [0; 512];
        while let Ok((count, peer)) = socket.recv_from(&mut bytes) {
            let head = [&bytes[..2], &[0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]].concat();
            // The question's name stands at 12.
            let record = b"\xc0\x0c\0\x0f\0\x01\0\0\x0e\x10\0\x07\0\x0a\x02mx\xc0\x0c";
            let _ = socket.send_to(&[&head, &bytes[12..count], record].concat(), peer);
        }
    });
}

fn answer(mut stream: TcpStream, is_awake: &AtomicBool) {
    let Some(request) = read_request(&mut stream) else { return };
    match request.path() {
        "/live" | "/chat" => return upgrade(stream, &request),
        "/prices" => {
            let head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";
            let event = b"event: price\ndata: {\"amount\": 3}\n\n";
            return says(stream, &[&head[..], event].concat());
        }
        "/ask" => is_awake.store(true, Ordering::Relaxed),
        _ => {}
    }
    let is_awake = is_awake.load(Ordering::Relaxed);
    let (status, more, body) = page(&request, is_awake);
    let head = format!(
        "HTTP/1.1 {status} Test\r\nContent-Length: {}\r\nConnection: close\r\n{more}\r\n{body}",
        body.len()
    );
    let _ = stream.write_all(head.as_bytes());
}

fn upgrade(mut stream: TcpStream, request: &Request) {
    let more = match request.header("sec-websocket-protocol") {
        Some(_) => "Sec-WebSocket-Protocol: chat.v2\r\n",
        None => "",
    };
    let head = agreement(request.header("sec-websocket-key").unwrap(), more);
    let _ = stream.write_all(head.as_bytes()).and_then(|()| pong(&mut stream));
    let text = b"{\"type\": \"status\"}";
    says(stream, &[&[0x81, text.len() as u8][..], text].concat());
}

fn page(request: &Request, is_awake: bool) -> (u16, &'static str, String) {
    let json = |value: serde_json::Value| {
        (200, "Content-Type: application/json\r\nX-Version: 1.4.0\r\n", value.to_string())
    };
    let text = |text: &str| (200, "Content-Type: text/plain\r\n", text.to_owned());
    let is_user = request.header("authorization") == Some("Bearer t0ken");
    let mail = if request.path().ends_with("details") { "open" } else { "closed" };
    let availability = if is_awake { "ENABLED" } else { "NONE" };
    match request.path() {
        "/" | "/courses" | "/enrollment" | "/new" => {
            (200, "Content-Type: text/html\r\n", PAGE.into())
        }
        "/ready" | "/health" | "/ask" => json(json!({ "status": "ok" })),
        "/health/full" | "/health/details" => json(json!({
            "status": "healthy", "postgres": { "status": "healthy" }, "redis": { "status": "healthy" },
            "circuit_breakers": { "mail": { "state": mail }, "cards": { "state": "closed" } }
        })),
        "/health/engine" => json(json!({ "aiAvailability": availability })),
        "/api/items" => json(json!({ "items": [{}, {}, { "broken": false }] })),
        "/api/orders/7" => json(json!({
            "id": "ord-7", "state": "paid", "tags": ["express"], "items": [1], "total": 99.5, "note": null
        })),
        "/api/version" => json(json!({ "version": "v1.4.0" })),
        "/version.txt" => text("1.4.0\n"),
        "/metrics" => (200, "Content-Type: text/plain; version=0.0.4\r\n", METRICS.into()),
        "/openapi.json" => json(json!({
            "openapi": "3.1.0", "info": { "title": "Shop", "version": "1" },
            "paths": { "/orders": { "post": { "responses": { "201": { "description": "taken" } } } } }
        })),
        "/login" => (
            200,
            "Set-Cookie: __Host-sid=s3ss10n; Secure; HttpOnly; Path=/\r\n",
            json!({ "token": "t0ken" }).to_string(),
        ),
        "/account" if request.header("cookie") == Some("__Host-sid=s3ss10n") => text("smoke"),
        "/me" if is_user => json(json!({ "name": "smoke" })),
        "/moved" => (301, "Location: /new\r\n", String::new()),
        "/old" => (301, "Location: http://localhost:8080/new\r\n", String::new()),
        // `smoke:none`
        "/orders" if request.header("authorization") == Some("Basic c21va2U6bm9uZQ==") => {
            (201, "", request.body.clone())
        }
        _ => (404, "", "there is no such page".into()),
    }
}
