//! How a host's name becomes addresses.

use std::time::Duration;

use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;
use ureq::{Error, config::Config, http::Uri};

use crate::host::tcp;

/// Resolves names as [`tcp::resolve`] does: `localhost` is both loopback addresses.
#[derive(Debug)]
pub(super) struct Names;

impl Resolver for Names {
    fn resolve(
        &self,
        uri: &Uri,
        _: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let host = uri.host().ok_or(Error::HostNotFound)?;
        let default = if uri.scheme_str() == Some("https") { 443 } else { 80 };
        let limit =
            if timeout.after.is_not_happening() { Duration::from_secs(30) } else { *timeout.after };
        let found =
            tcp::resolve(host, uri.port_u16().unwrap_or(default), limit).map_err(|error| {
                match error.kind() {
                    std::io::ErrorKind::TimedOut => Error::Timeout(timeout.reason),
                    _ => Error::HostNotFound,
                }
            })?;
        let mut addresses = self.empty();
        for address in found.into_iter().take(16) {
            addresses.push(address);
        }
        if addresses.is_empty() { Err(Error::HostNotFound) } else { Ok(addresses) }
    }
}
