//! Certificates, credentials and proxies.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};

use rcgen::{BasicConstraints, Certificate, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use crate::harness::{Program, Server, serve};

/// An authority of its own, and whom it has certified.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub(crate) certificate: Certificate,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // Whoever is named like his authority looks as if he had certified himself.
        params.distinguished_name.push(DnType::CommonName, "an authority");
        let certificate = params.self_signed(&key).unwrap();
        Self { issuer: Issuer::new(params, key), certificate }
    }

    /// Its own certificate.
    pub(crate) fn pem(&self) -> String {
        self.certificate.pem()
    }

    pub(crate) fn certify(&self, name: &str) -> (Certificate, KeyPair) {
        self.certify_for(name, None)
    }

    /// Valid from and until so many days from now.
    fn certify_for(&self, name: &str, days: Option<(i64, i64)>) -> (Certificate, KeyPair) {
        self.certify_all(&[name], days)
    }

    /// For several names.
    pub(crate) fn certify_all(
        &self,
        names: &[&str],
        days: Option<(i64, i64)>,
    ) -> (Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        if let Some((from, until)) = days {
            let day = |days: i64| {
                let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs() as i64;
                let epoch = rcgen::date_time_ymd(1970, 1, 1);
                // Not at midnight, and not on the edge of a day.
                epoch + std::time::Duration::from_secs((now + days * 86_400 + 60) as u64)
            };
            (params.not_before, params.not_after) = (day(from), day(until));
        }
        (params.signed_by(&key, &self.issuer).unwrap(), key)
    }
}

/// A server with a certificate for `name` by an authority of its own, whose certificate is returned.
fn https(name: &str) -> (u16, String) {
    let authority = Authority::new();
    (certified(&authority, name, None, None), authority.certificate.pem())
}

/// A server with a certificate for `name`, which wants one of these of its clients.
pub(crate) fn certified(
    authority: &Authority,
    name: &str,
    clients: Option<&Authority>,
    days: Option<(i64, i64)>,
) -> u16 {
    let config = settings(authority, name, clients, days);
    serve("127.0.0.1:0", move |stream| answer(stream, config.clone()))
}

/// The settings of a server with a certificate for `name`.
pub(crate) fn settings(
    authority: &Authority,
    name: &str,
    clients: Option<&Authority>,
    days: Option<(i64, i64)>,
) -> Arc<ServerConfig> {
    let (certificate, key) = authority.certify_for(name, days);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap();
    let config = match clients {
        None => config.with_no_client_auth(),
        Some(clients) => {
            let mut roots = RootCertStore::empty();
            roots.add(clients.certificate.der().clone()).unwrap();
            let wanted = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
            config.with_client_cert_verifier(wanted.build().unwrap())
        }
    };
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = config.with_single_cert(vec![certificate.der().clone()], key).unwrap();
    Arc::new(config)
}

fn answer(stream: TcpStream, config: Arc<ServerConfig>) {
    let mut stream = StreamOwned::new(ServerConnection::new(config).unwrap(), stream);
    let mut request = [0; 4096];
    // A client that does not trust us goes away here.
    if stream.read(&mut request).is_ok_and(|count| count > 0) {
        let _ = stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nsecret");
        let _ = stream.flush();
    }
}

#[test]
fn p6_a_certificate_is_trusted_only_by_a_word_of_the_user() {
    let (port, authority) = https("localhost");
    let url = format!("https://localhost:{port}/");
    let run = |more: &[&str]| {
        Program::new("wait-healthy")
            .file("ca.pem", &authority)
            .args([
                "--within",
                "2s",
                "--interval",
                "1s",
                "--body-contains",
                "secret",
                "--url",
                &url,
            ])
            .args(more)
            .run()
    };
    let unknown = run(&[]).expect_code(10);
    assert!(unknown.stdout.contains("TLS: "), "{}", unknown.stdout);
    run(&["--ca", "ca.pem"]).expect_code(0);
    let insecure = run(&["--insecure", &url]).expect_code(0);
    assert!(insecure.stdout.contains("certificate is not verified"), "{}", insecure.stdout);
    let other = run(&["--insecure", "https://localhost/"]).expect_code(2);
    assert!(other.stderr.contains("no such target"), "{}", other.stderr);
    let missing = run(&["--ca", "nowhere.pem"]).expect_code(2);
    assert!(missing.stderr.contains("cannot read nowhere.pem"), "{}", missing.stderr);
}

#[test]
fn p6_a_certificate_for_another_name_is_not_trusted() {
    let (port, authority) = https("shop.test");
    let ran = Program::new("wait-healthy")
        .file("ca.pem", &authority)
        .args(["--within", "1s", "--interval", "1s", "--ca", "ca.pem"])
        .args([format!("https://localhost:{port}/")])
        .run()
        .expect_code(10);
    assert!(ran.stdout.contains("TLS: "), "{}", ran.stdout);
}

#[test]
fn p6_basic_credentials_are_sent_and_a_wrong_pair_is_refused() {
    let server = Server::new(|request, _| match request.header("authorization") {
        // me:open sesame, by RFC 7617.
        Some("Basic bWU6b3BlbiBzZXNhbWU=") => (200, String::new(), String::new()),
        _ => (401, String::new(), String::new()),
    });
    let run = |pair: &str| {
        Program::new("wait-healthy")
            .env("WAVEOFF_BASIC", pair)
            .args(["--within", "200ms", &server.url("/")])
            .run()
    };
    run("me:open sesame").expect_code(0);
    run("me:closed").expect_code(10);
    assert!(run("nobody").expect_code(2).stderr.contains("user:password"));
}

#[test]
fn p6_proxies_come_from_the_environment_and_never_stand_before_the_loopback() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = asked.clone();
    // A tunnel (RFC 9110 §9.3.6) whose other end answers by itself.
    let port = serve("127.0.0.1:0", move |mut stream| {
        for answer in ["", "Content-Length: 0\r\nConnection: close\r\n"] {
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|n| n > 0) {
                head.push(byte[0]);
            }
            let line = String::from_utf8_lossy(&head).lines().next().map(str::to_owned);
            seen.lock().unwrap().extend(line);
            let _ = stream.write_all(format!("HTTP/1.1 200 OK\r\n{answer}\r\n").as_bytes());
        }
    });
    let proxy_url = format!("http://127.0.0.1:{port}");
    let run = |target: &str, within: &str, more: &[(&str, &str)]| {
        let program = Program::new("wait-healthy")
            .env("HTTP_PROXY", &proxy_url)
            .env("http_proxy", &proxy_url)
            .args(["--within", within, "--interval", "100ms", "--url", target]);
        more.iter().fold(program, |program, (name, value)| program.env(name, value)).run()
    };
    // Nothing resolves this name: only the proxy can have answered.
    run("http://shop.invalid/health", "60s", &[]).expect_code(0);
    let lines = asked.lock().unwrap().clone();
    assert_eq!(lines, ["CONNECT shop.invalid:80 HTTP/1.1", "GET /health HTTP/1.1"]);
    let around = [("NO_PROXY", "shop.invalid"), ("no_proxy", "shop.invalid")];
    run("http://shop.invalid/", "60s", &around).expect_code(12);
    let own = Server::new(|_, _| (204, String::new(), String::new()));
    run(&own.url("/"), "60s", &[]).expect_code(0);
    assert_eq!((asked.lock().unwrap().len(), own.count()), (2, 1));
}

#[test]
fn p8_a_client_says_who_it_is_to_a_server_that_asks() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let port = certified(&authority, "localhost", Some(&clients), None);
    let (certificate, key) = clients.certify("probe");
    let (stranger, other) = Authority::new().certify("probe");
    let run = |more: &str| {
        let check = format!(
            "version: 1\nchecks:\n  - url: https://localhost:{port}/\n    ca: ca.pem\n    attempts: 1\n{more}"
        );
        Program::new("smoke-test")
            .file("ca.pem", &authority.certificate.pem())
            .file("probe.pem", &certificate.pem())
            .file("probe.key", &key.serialize_pem())
            .file("stranger.pem", &stranger.pem())
            .file("stranger.key", &other.serialize_pem())
            .file("waveoff.yml", &check)
            .run()
    };
    let with = |cert: &str, key: &str| format!("    client-cert: {cert}\n    client-key: {key}\n");
    run(&with("probe.pem", "probe.key")).expect_code(0);
    for nobody in [String::new(), with("stranger.pem", "stranger.key")] {
        let ran = run(&nobody).expect_code(10);
        assert!(ran.stdout.contains("TLS"), "{ran:?}");
    }
    for (wrong, why) in [
        (with("probe.pem", "stranger.key"), "client-cert and client-key: "),
        (with("probe.key", "probe.key"), "there is no PEM certificate in it"),
        (with("probe.pem", "probe.pem"), "there is no PEM key in it"),
        (with("probe.pem", "nowhere.key"), "client-key: cannot read nowhere.key"),
        ("    client-cert: probe.pem\n".into(), "client-cert needs a client-key beside it"),
    ] {
        let ran = run(&wrong).expect_code(2);
        assert!(ran.stderr.contains(why), "{why}: {ran:?}");
    }
}

#[test]
fn p6_a_server_with_the_certificate_of_an_authority_is_told_what_it_needs() {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let own = params.self_signed(&key).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth();
    let der = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = Arc::new(config.with_single_cert(vec![own.der().clone()], der).unwrap());
    let port = serve("127.0.0.1:0", move |stream| answer(stream, config.clone()));
    for check in [format!("url: https://localhost:{port}/"), format!("tls: localhost:{port}")] {
        let text = format!("version: 1\nchecks:\n  - {check}\n    ca: ca.pem\n    attempts: 1\n");
        let program = Program::new("smoke-test").file("waveoff.yml", &text);
        let ran = program.file("ca.pem", &own.pem()).run().expect_code(10);
        assert!(ran.stdout.contains("shows the certificate of an authority"), "{ran:?}");
    }
}
