//! Whom a check trusts, and who it is: the keys that all checks have which may speak TLS.

use crate::config::CheckSpec;
use crate::config::values::Secret;
use crate::host::files;
use crate::host::tls::{Identity, Tls, Trust};

/// The keys.
pub(super) const KEYS: &[&str] = &["ca", "insecure", "client-cert", "client-key"];
/// The warning of a check that verifies nothing.
pub(super) const INSECURE: &str = "insecure: the certificate is not verified";

/// Reads the files that they name. What comes of it works: the library panics where it does not.
pub(super) fn read(spec: &CheckSpec) -> Result<Trust, String> {
    let file = |key: &str, name: &String| {
        files::read(name).map_err(|error| format!("{key}: cannot read {name}: {error}"))
    };
    let ca = spec.ca.as_ref().map(|name| file("ca", name)).transpose()?;
    let insecure = spec.insecure.unwrap_or(false);
    if insecure && ca.is_some() {
        return Err("insecure and ca contradict each other; keep ca".into());
    }
    let trust = Trust { ca, insecure, identity: None };
    if trust.ca.is_some() {
        Tls::new(&trust, &[]).map_err(|why| format!("ca: {why}"))?;
    }
    let identity = match (&spec.client_cert, &spec.client_key) {
        (None, None) => return Ok(trust),
        (Some(cert), Some(key)) => {
            let text = String::from_utf8(file("client-key", key)?);
            let key = text.map_err(|_| format!("client-key: {key} is not PEM"))?;
            Identity { chain: file("client-cert", cert)?, key: Secret::new(key) }
        }
        (Some(_), None) => return Err("client-cert needs a client-key beside it".into()),
        (None, Some(_)) => return Err("client-key needs a client-cert beside it".into()),
    };
    let trust = Trust { identity: Some(identity), ..trust };
    Tls::new(&trust, &[]).map_err(|why| format!("client-cert and client-key: {why}"))?;
    Ok(trust)
}
