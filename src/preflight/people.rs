//! What people must have said before: that they reviewed it, that whoever is on call knows.

use super::{Finding, Subject};
use crate::config::preflight::Kind;
use crate::decide::verdict::Verdict;

/// Somebody said each of them, by name.
pub(super) fn said(subject: &Subject<'_>) -> Vec<Finding> {
    let names = subject.spec.sign_offs.iter().flat_map(|list| &list.0);
    let one = |name: &String| {
        let who: Vec<&str> =
            subject.sign_offs.iter().filter(|(of, _)| of == name).map(|(_, who)| &**who).collect();
        if who.is_empty() {
            let remedy = format!("whoever vouches for it says so: --sign-off {name}=NAME");
            let reason = "nobody has said so";
            return Finding::bad(Kind::SignOffs, name, Verdict::Fail, reason, remedy);
        }
        Finding::pass(Kind::SignOffs, name, format!("by {}", who.join(", ")))
    };
    names.map(one).collect()
}
