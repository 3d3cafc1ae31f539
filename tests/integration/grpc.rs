//! gRPC's health service: of a real server, and of ones that do not keep to the rules.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustls::{ServerConnection, StreamOwned};

use crate::harness::{closed_port, serve};
use crate::parts;
use crate::streams::{once, once_with, reason};
use crate::tls::{Authority, settings};

/// A server of grpcio, until the test ends.
pub(crate) struct Real {
    child: Child,
    port: u16,
}

impl Real {
    /// None where it is not installed.
    fn start(arguments: &[&str]) -> Option<Self> {
        Self::at(0, arguments)
    }

    /// On this port, or on any.
    pub(crate) fn at(port: u16, arguments: &[&str]) -> Option<Self> {
        let python = parts::tools().join("python/bin/python");
        let found = Command::new(&python).args(["-c", "import grpc_health.v1"]).output();
        if !found.is_ok_and(|ran| ran.status.success()) {
            parts::skip("grpc-health", "not installed");
            return None;
        }
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/integration/grpc_server.py");
        let mut command = Command::new(python);
        command.env("GRPC_PORT", port.to_string());
        let mut child = command.arg(script).args(arguments).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let port = line.trim().parse().unwrap();
        Some(Self { child, port })
    }
}

impl Drop for Real {
    fn drop(&mut self) {
        let _ = self.child.kill().and_then(|()| self.child.wait());
    }
}

#[test]
fn p7_a_grpc_server_says_whether_it_serves() {
    let Some(server) = Real::start(&["health"]) else { return };
    let at = format!("127.0.0.1:{}", server.port);
    let ran = once(&format!("    grpc: {at}\n")).expect_code(0);
    assert_eq!(ran.report()["checks"][0]["kind"], "grpc");
    let check = |service: &str| {
        once(&format!(
            "    grpc: {{ address: '{at}', service: '{service}' }}\n    auth: {{ bearer: t0ken }}\n    \
             expect:\n      - jsonpath: {{ path: $.status, equals: SERVING }}\n"
        ))
    };
    check("shop.v1.Orders").expect_code(0);
    let silent = format!("    grpc: {{ address: '{at}', service: down }}\n");
    assert!(reason(&once(&silent).expect_code(10)).contains("NOT_SERVING"));
    let down = check("down").expect_code(10);
    assert!(reason(&down).contains("NOT_SERVING"), "{down:?}");
    let unknown = check("nowhere").expect_code(10);
    assert!(reason(&unknown).contains("NOT_FOUND: the service `nowhere`"), "{unknown:?}");
    // What speaks TLS is not spoken to without, and the other way round.
    let tls = once(&format!("    grpc: {{ address: '{at}', tls: true }}\n    insecure: true\n"));
    assert!(reason(&tls.expect_code(10)).contains("TLS"));
}

#[test]
fn p7_a_grpc_server_without_a_health_service_is_an_error() {
    let Some(server) = Real::start(&["none"]) else { return };
    let ran = once(&format!("    grpc: 127.0.0.1:{}\n", server.port)).expect_code(12);
    assert!(reason(&ran).contains("no health service is there"), "{ran:?}");
}

#[test]
fn p7_a_grpc_server_is_asked_by_tls() {
    let authority = Authority::new();
    let (certificate, key) = authority.certify("localhost");
    let folder = tempfile::TempDir::new().unwrap();
    let file = |name: &str, text: String| {
        let file = folder.path().join(name);
        std::fs::write(&file, text).unwrap();
        file.display().to_string()
    };
    let (key, cert) = (file("key.pem", key.serialize_pem()), file("cert.pem", certificate.pem()));
    let Some(server) = Real::start(&["health", &key, &cert]) else { return };
    let check = format!("    grpc: {{ address: 'localhost:{}', tls: true }}\n", server.port);
    let ca = [("ca.pem", authority.pem())];
    once_with(&format!("{check}    ca: ca.pem\n"), &ca).expect_code(0);
    once(&format!("{check}    insecure: true\n")).expect_code(0);
    assert!(reason(&once(&check).expect_code(10)).contains("TLS: "));
    let plain = once(&format!("    grpc: localhost:{}\n", server.port)).expect_code(10);
    assert!(!reason(&plain).is_empty(), "{plain:?}");
}

#[test]
fn p8_tls_without_http_2_is_not_grpc() {
    let authority = Authority::new();
    let config = settings(&authority, "localhost", None, None);
    let port = serve("127.0.0.1:0", move |stream| {
        let mut stream = StreamOwned::new(ServerConnection::new(config.clone()).unwrap(), stream);
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let check = format!("    grpc: {{ address: 'localhost:{port}', tls: true }}\n    ca: ca.pem\n");
    let ran = once_with(&check, &[("ca.pem", authority.pem())]).expect_code(10);
    assert!(reason(&ran).contains("did not agree to HTTP/2"), "{ran:?}");
}

/// A server that answers whatever it is asked with these bytes.
fn says(bytes: &'static [u8]) -> u16 {
    serve("127.0.0.1:0", move |mut stream| {
        let mut asked = [0; 24];
        if stream.read_exact(&mut asked).is_ok() {
            assert_eq!(&asked, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
            let _ = stream.write_all(bytes);
            let _ = stream.read_to_end(&mut Vec::new());
        }
    })
}

#[test]
fn p8_what_no_grpc_server_may_send_is_never_healthy() {
    const OPEN: &[u8] = b"\0\0\0\x04\0\0\0\0\0";
    for (bytes, why) in [
        (&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], "speaks HTTP/1, not HTTP/2"),
        (OPEN, "timed out"),
        (b"\0\0\0\x04\0\0\0\0\0\0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0\x0b", "ENHANCE_YOUR_CALM"),
        (b"\0\0\0\x04\0\0\0\0\0\0\0\x04\x03\0\0\0\0\x01\0\0\0\x07", "REFUSED_STREAM"),
        (b"\0\0\0\x04\0\0\0\0\0\0\0\x01\x01\x05\0\0\0\x01\x8d", "status 404, wanted 200"),
        (b"\0\0\0\x04\0\0\0\0\0\0\0\x01\x01\x05\0\0\0\x01\x88", "wanted application/grpc"),
        (b"\0\0\0\x04\0\0\0\0\0\0\0\x01\x01\x04\0\0\0\x01\xff", "the block is cut"),
        (b"\xff\xff\xff\x04\0\0\0\0\0", "not HTTP/2"),
    ] {
        let ran = once(&format!("    grpc: 127.0.0.1:{}\n", says(bytes)));
        assert!(reason(&ran).contains(why), "{why}: {ran:?}");
        ran.expect_code(10);
    }
    let endless =
        serve("127.0.0.1:0", |mut stream| while stream.write_all(&OPEN.repeat(1000)).is_ok() {});
    let ran = once(&format!("    grpc: 127.0.0.1:{endless}\n")).expect_code(10);
    assert!(!reason(&ran).is_empty(), "{ran:?}");
    once(&format!("    grpc: 127.0.0.1:{}\n", closed_port())).expect_code(10);
}

#[test]
fn p8_a_grpc_check_that_nobody_can_mean_is_refused() {
    for (check, why) in [
        ("    grpc: http://a.test/\n", "is not host:port"),
        ("    grpc: { service: x }\n", "address"),
        ("    grpc: { address: 'a:1', service: 'a b' }\n", "not the name of a service"),
        ("    grpc: a:1\n    insecure: true\n", "need `tls: true`"),
        ("    grpc: a:1\n    headers: { TE: x }\n", "belongs to the call itself"),
        ("    grpc: a:1\n    max-body: 5\n", "does not belong to a grpc check"),
    ] {
        let ran = once(check).expect_code(2);
        assert!(ran.stderr.contains(why), "{why}: {ran:?}");
    }
}
