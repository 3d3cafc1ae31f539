//! TLS: whom to trust, who we are, and a client's settings made of both.

use std::sync::Arc;

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use crate::config::values::Secret;

/// Whom to trust, and who we are.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Trust {
    /// PEM certificates to trust instead of the platform's.
    pub ca: Option<Vec<u8>>,
    /// Verify nothing.
    pub insecure: bool,
    /// Who we are to a server that asks.
    pub identity: Option<Identity>,
}

/// Who a client is: a certificate with its chain, and the key of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Identity {
    /// PEM certificates, the own one first.
    pub chain: Vec<u8>,
    /// The PEM key: PKCS #8, PKCS #1 or SEC 1.
    pub key: Secret,
}

/// The settings of a TLS client.
#[derive(Debug, Clone)]
pub struct Tls {
    /// As the library has them.
    pub(super) config: Arc<ClientConfig>,
}

impl Tls {
    /// Makes the settings; `protocols` are offered by ALPN (RFC 7301), the first one first.
    ///
    /// # Errors
    /// When certificates or the key cannot be read, or do not belong to each other.
    pub fn new(trust: &Trust, protocols: &[&str]) -> Result<Self, String> {
        let provider = Arc::new(ring::default_provider());
        let wrong = |error: rustls::Error| error.to_string();
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(rustls::ALL_VERSIONS)
            .map_err(wrong)?;
        let builder = match (&trust.ca, trust.insecure) {
            (_, true) => {
                builder.dangerous().with_custom_certificate_verifier(Arc::new(Anybody(provider)))
            }
            (None, false) => {
                let verifier = rustls_platform_verifier::Verifier::new(provider).map_err(wrong)?;
                builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier))
            }
            (Some(pem), false) => {
                let mut roots = RootCertStore::empty();
                for certificate in certificates(pem)? {
                    roots.add(certificate).map_err(wrong)?;
                }
                builder.with_root_certificates(roots)
            }
        };
        let mut config = match &trust.identity {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                let chain = certificates(&identity.chain)?;
                let key = PrivateKeyDer::from_pem_slice(identity.key.expose().as_bytes())
                    .map_err(|_| "there is no PEM key in it".to_owned())?;
                builder.with_client_auth_cert(chain, key).map_err(wrong)?
            }
        };
        // A session that is resumed shows no certificate, which may have become another one.
        config.resumption = Resumption::disabled();
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        Ok(Self { config: Arc::new(config) })
    }
}

/// Why TLS was not agreed upon, as the library has it, with what would help where that is known.
pub(super) fn words(why: &dyn std::fmt::Display) -> String {
    let why = why.to_string();
    // What `openssl req -x509` makes when it is told nothing else.
    match why.contains("CaUsedAsEndEntity") {
        true => "TLS: the server shows the certificate of an authority (CaUsedAsEndEntity); it \
                 needs one with basicConstraints=CA:FALSE"
            .into(),
        false => format!("TLS: {why}"),
    }
}

/// All certificates of a PEM file.
///
/// # Errors
/// When there is none, or one that cannot be read.
pub(super) fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let all: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|error| error.to_string())?;
    if all.is_empty() { Err("there is no PEM certificate in it".into()) } else { Ok(all) }
}

/// Trusts whoever answers, if the answer is one of TLS.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
