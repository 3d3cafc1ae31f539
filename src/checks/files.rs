//! The files that checks name: where they are, and which of them a host is sent.

use std::path::{Component, Path};

use super::verify::as_written;
use crate::config::preflight::PreflightSpec;
use crate::config::{CheckSpec, Loaded, Place, Side};

fn of(spec: &mut CheckSpec) -> impl Iterator<Item = &mut String> {
    let all = [&mut spec.body_file, &mut spec.ca, &mut spec.client_cert, &mut spec.client_key];
    all.into_iter().flatten()
}

/// Whether it is in the folder of the configuration, and goes where that goes.
pub(super) fn travels(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    parts.all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
}

/// The check with its files where they are: names are relative to the configuration. What came from
/// elsewhere has them in the working folder.
pub fn beside(loaded: &Loaded, mut spec: CheckSpec) -> CheckSpec {
    if let Some(folder) = &loaded.folder {
        of(&mut spec).for_each(|name| *name = folder.join(&*name).display().to_string());
    }
    spec
}

/// The names of the files that a host needs for all checks: without a caller it asks them all. What
/// is absolute is on the side that asks, and what is elsewhere than here is only for here.
pub fn sent(loaded: &Loaded, preflight: Option<&PreflightSpec>) -> Vec<String> {
    let dependencies = preflight.and_then(|own| own.dependencies.as_ref());
    let all = as_written(loaded).into_iter().map(|(_, spec)| (spec.side(), spec));
    let all = all.chain(dependencies.iter().flat_map(|l| &l.0).map(|s| (Side::Host, s.clone())));
    let needed = |(side, mut spec): (Side, CheckSpec)| {
        let names = of(&mut spec).filter(|name| side == Side::Host || travels(name));
        names.map(|name| name.clone()).collect::<Vec<_>>()
    };
    all.flat_map(needed).collect()
}

/// Leaves out the files that only the other side has, of checks that only it asks.
pub fn without_those_of(side: Side, loaded: &Loaded) -> Vec<(Place, CheckSpec)> {
    let mut all = as_written(loaded);
    for (_, spec) in all.iter_mut().filter(|(_, spec)| spec.side() == side) {
        let is_away = |name: &Option<String>| name.as_ref().is_some_and(|name| !travels(name));
        if is_away(&spec.body_file) {
            spec.body_file = None;
            spec.body = Some(String::new());
        }
        if is_away(&spec.ca) {
            spec.ca = None;
        }
        let is_pair = spec.client_cert.is_some() && spec.client_key.is_some();
        if is_pair && (is_away(&spec.client_cert) || is_away(&spec.client_key)) {
            (spec.client_cert, spec.client_key) = (None, None);
        }
    }
    all.into_iter().map(|(place, spec)| (place, beside(loaded, spec))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::{digest, refuse_crossing, specs};
    use crate::host::files;

    fn loaded(file: &str, checks: &str) -> Loaded {
        let text = format!("version: 1\nservice: shop\nchecks:\n{checks}");
        crate::config::parse(file, &text, |_| None).unwrap()
    }

    #[test]
    fn p11_names_are_relative_to_the_configuration() {
        let text = "  - { url: \"http://a\", body-file: o.xml, ca: /etc/ca.pem }\n";
        let near = loaded("sub/waveoff.yml", text);
        let of = |loaded: &Loaded| specs(loaded).remove(0).1;
        assert_eq!(of(&near).body_file.as_deref(), Some("sub/o.xml"));
        assert_eq!(of(&near).ca.as_deref(), Some("/etc/ca.pem"));
        let mut far = near;
        far.folder = None;
        assert_eq!(of(&far).body_file.as_deref(), Some("o.xml"));
        let own = loaded("waveoff.yml", text);
        assert_eq!(of(&own).body_file.as_deref(), Some("o.xml"));
    }

    #[test]
    fn p11_the_same_check_has_the_same_body() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("waveoff.yml").display().to_string();
        let text = "  - { name: a, url: \"http://a\", body-file: o.xml }\n";
        let digest = || digest(&loaded(&file, text), &["a".to_owned()]).map_err(|e| e.to_string());
        assert!(digest().unwrap_err().contains("o.xml"), "what nobody can read is not the same");
        files::replace(folder.path().join("o.xml"), b"1").unwrap();
        let first = digest().unwrap();
        assert_eq!(digest().unwrap(), first);
        files::replace(folder.path().join("o.xml"), b"2").unwrap();
        assert_ne!(digest().unwrap(), first);
    }

    #[test]
    fn p11_files_of_the_other_side_are_not_needed_here() {
        let text = "  - { tls: \"a:443\", ca: /nowhere/ca.pem }\n  - { name: b, url: \"http://a\", \
                    from: host, body-file: /nowhere/o, client-cert: /nowhere/a, client-key: /nowhere/b }\n";
        refuse_crossing(&loaded("waveoff.yml", text)).unwrap();
        let here = text.replace("from: host", "from: caller");
        let error = refuse_crossing(&loaded("waveoff.yml", &here)).unwrap_err().to_string();
        assert!(error.contains("cannot read /nowhere/o"), "{error}");
    }
}
