//! Whom a client trusts.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::*;

/// A server with a certificate by an authority of its own: its address, and the authority's
/// certificate.
fn https() -> (String, Vec<u8>) {
    let authority_key = KeyPair::generate().unwrap();
    let mut authority = CertificateParams::new(Vec::<String>::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_certificate = authority.self_signed(&authority_key).unwrap();
    let issuer = Issuer::new(authority, authority_key);
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = certificate.signed_by(&key, &issuer).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider);
    let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let config = config.with_single_cert(vec![certificate.der().clone()], key).unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://localhost:{}/", listener.local_addr().unwrap().port());
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let session = ServerConnection::new(config.clone()).unwrap();
            let mut stream = StreamOwned::new(session, stream);
            // A client that does not trust us goes away here.
            if stream.read(&mut [0; 4096]).is_ok_and(|count| count > 0) {
                let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
                let _ = stream.write_all(answer).and_then(|()| stream.flush());
            }
        }
    });
    (url, authority_certificate.pem().into_bytes())
}

#[test]
fn d2_a_certificate_is_trusted_that_either_of_two_clients_trusts() {
    let (own, own_authority) = https();
    let (other, other_authority) = https();
    let trusting =
        |ca: &[u8]| Client::new(&Trust { ca: Some(ca.to_owned()), ..Trust::default() }).unwrap();
    let ask = |client: &Client, url: &str| {
        let request = Request {
            url: url.to_owned(),
            method: "GET".into(),
            headers: Vec::new(),
            body: None,
            redirects: true,
            max_body: 0,
            timeout: Duration::from_secs(20),
        };
        let answer = client.answer(&request, Moment::now());
        answer.map(|(answer, _, _)| answer.status().as_u16()).map_err(|(kind, _)| kind)
    };
    let one = trusting(&own_authority);
    assert_eq!((ask(&one, &own), ask(&one, &other)), (Ok(200), Err(FailureKind::Tls)));
    let both = one.or(trusting(&other_authority));
    assert_eq!((ask(&both, &own), ask(&both, &other)), (Ok(200), Ok(200)));
    let (strange, _) = https();
    assert_eq!(ask(&both, &strange), Err(FailureKind::Tls));
}

#[test]
fn p6_who_trusts_the_same_is_one_client() {
    let (_, authority) = https();
    let trust = Trust { ca: Some(authority), ..Trust::default() };
    let clients = Clients::default();
    let made = || {
        clients.trusting(&trust).unwrap();
        clients.0.lock().unwrap().len()
    };
    assert_eq!((made(), made()), (1, 1));
    assert_ne!(trust, Trust { insecure: true, ..trust.clone() });
}
