//! Whose certificates a registry may have besides those that everybody trusts, as Docker keeps them.

use crate::host::files;

/// Where Docker keeps the certificates of registries.
const FOLDER: &str = "/etc/docker/certs.d";
/// Where programs in Go look for certificates by themselves (`crypto/x509`, `root_linux.go`).
const USUAL: &str = "/etc/ssl/certs:/etc/pki/tls/certs";

/// Certificates that somebody put there for one registry.
#[derive(Debug)]
pub(super) struct Roots {
    /// Where.
    pub(super) folder: String,
    /// All of them, in PEM.
    pub(super) pem: Vec<u8>,
}

impl Roots {
    /// Those for a registry; none where there are none.
    ///
    /// # Errors
    /// When there are some that cannot be read.
    pub(super) fn of(host: &str) -> Result<Option<Self>, String> {
        Self::within(format!("{FOLDER}/{host}"))
    }

    /// All that end as Docker wants it: the rest is ours to show, or keys.
    fn within(folder: String) -> Result<Option<Self>, String> {
        let wrong = |file: &str, error| format!("cannot read {file}: {error}");
        let names = files::names(&folder).map_err(|error| wrong(&folder, error))?;
        let mut pem = Vec::new();
        for name in names.iter().filter(|name| name.ends_with(".crt")) {
            let file = format!("{folder}/{name}");
            pem.extend(files::read(&file).map_err(|error| wrong(&file, error))?);
            pem.push(b'\n');
        }
        Ok((!pem.is_empty()).then_some(Self { folder, pem }))
    }

    /// The folders in which a program in Go is to look, so that it trusts these too.
    pub(super) fn besides(&self, given: Option<&str>) -> String {
        format!("{}:{}", given.unwrap_or(USUAL), self.folder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d2_all_certificates_for_a_registry_are_read_and_none_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().display().to_string();
        let read = || Roots::within(path.clone()).map(|roots| roots.map(|roots| roots.pem));
        assert_eq!(Roots::within(format!("{path}/none")).map(|roots| roots.is_none()), Ok(true));
        assert_eq!(read(), Ok(None));
        for (name, text) in [("ours.crt", "one"), ("ca.crt", "two"), ("client.cert", "no")] {
            files::replace(folder.path().join(name), text.as_bytes()).unwrap();
        }
        assert_eq!(read(), Ok(Some(b"two\none\n".to_vec())));
        let roots = Roots::within(path.clone()).unwrap().unwrap();
        assert_eq!(roots.besides(Some("/a")), format!("/a:{path}"));
        assert_eq!(roots.besides(None), format!("{USUAL}:{path}"));
        // What cannot be read as a file.
        std::fs::create_dir(folder.path().join("new.crt")).unwrap();
        assert!(read().unwrap_err().contains("new.crt"));
    }
}
