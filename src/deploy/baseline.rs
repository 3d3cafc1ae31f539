//! What is kept of a failed release, and what a rollback is compared with.

use super::capture::{self, Subject};
use super::commands::Commands;
use super::forensics::{self, Evidence};
use super::hands::{Done, Hands};
use crate::checks::Target;
use crate::decide::capture::{Finding, Terms, compare};
use crate::decide::history::Release;
use crate::decide::journal::Begun;
use crate::decide::plan::Act;
use crate::decide::verdict::Severity;
use crate::host::clock;

impl Hands<'_> {
    /// Keeps what is known of the failed release, before anything is taken back. Nothing here may
    /// take long: what failed is still live.
    pub fn witness(&mut self, begun: &Begun, reason: &str) {
        let mut views = begun.plan.forward.iter().filter_map(|operation| match &operation.act {
            Act::Verify { view, .. } => Some(view),
            _ => None,
        });
        let lines = views.next_back().map(|view| self.parts.diagnostics(view, &begun.release));
        self.diagnostics = lines.unwrap_or_default();
        if self.keeping.forensics {
            self.keep_evidence(begun, reason);
        }
    }

    fn keep_evidence(&mut self, begun: &Begun, reason: &str) {
        let subject = Subject {
            scope: self.scope,
            spec: None,
            migrate: None,
            history: Err("it was not read".into()),
            serving: self.parts.serving_soon(self.session),
            target: None,
        };
        let state = capture::take(self.session, self.loaded, &subject);
        let back = begun.plan.back.as_ref().or(begun.target.as_ref());
        let journal = self.run.join("journal.jsonl");
        let evidence = Evidence {
            scope: self.scope,
            failed_version: &begun.release.version,
            target_version: back.map(|target| target.version.as_str()),
            rollback_reason: reason,
            deployment: &begun.deployment,
            started: &clock::rfc3339(self.session.wall()),
            by: begun.by.as_deref(),
            state: Some(&state),
            config: &self.loaded.text,
            places: self.parts.traces(),
            journal: Some(&journal),
        };
        let root = self.state.folder(self.scope).join("forensics");
        match forensics::take(self.session, &root, &evidence) {
            Ok(kept) => {
                let folder = kept.folder.display().to_string();
                self.session.say(&format!("          | evidence is kept in {folder}"));
                for missing in kept.missing {
                    self.session.say(&format!("          | not kept: {missing}"));
                }
                self.forensics = Some(folder);
            }
            Err(error) => self.session.say(&format!("          | no evidence is kept: {error}")),
        }
    }

    /// Compares what is with what was captured before the deployment.
    pub(super) fn compare(&self, release: &Release) -> Done {
        let folder = self.state.folder(self.scope);
        let before = match capture::load(&folder, &self.deployment) {
            Ok(Some(before)) => before,
            Ok(None) => return Ok("nothing was captured before to compare with".into()),
            Err(error) => return Ok(format!("what was captured before cannot be read: {error}")),
        };
        // As in a rollback over several releases.
        if let Some(other) = before.other_than(&release.version) {
            return Ok(format!("not compared: {other} ran when the state was captured"));
        }
        let view = self.parts.view();
        let target = Target {
            base_url: self.parts.base_url(&view),
            expected_version: Some(release.version.clone()),
            ..Target::default()
        };
        let subject = Subject {
            scope: self.scope,
            spec: self.spec.capture.as_ref(),
            migrate: self.spec.migrate.as_ref(),
            history: Err("it was not read".into()),
            serving: self.parts.serving(&Commands::looking(self.session)),
            target: Some(target),
        };
        let after = capture::take(self.session, self.loaded, &subject);
        let slower = self.spec.capture.as_ref().and_then(|spec| spec.slower);
        let usual = Terms::default();
        let slower = slower.map_or(usual.slower, |slower| slower.0);
        let terms = Terms { slower, preserve_data: self.keeping.preserve_data };
        judge(&compare(&before, &after, terms))
    }
}

/// What a comparison adds up to: what is lost is a failure, what is only slower is told.
fn judge(findings: &[Finding]) -> Done {
    let is_bad = |finding: &&Finding| !finding.verdict.is_pass();
    let told = |finding: &Finding| format!("{}: {}", finding.what, finding.text);
    let lost = findings.iter().filter(is_bad);
    let lost: Vec<String> =
        lost.clone().filter(|f| f.severity == Severity::Critical).map(told).collect();
    if !lost.is_empty() {
        return Err(format!("it is not as it was before: {}", lost.join("; ")));
    }
    let worse: Vec<String> = findings.iter().filter(is_bad).map(told).collect();
    let count = crate::decide::words::count(findings.len(), "thing");
    match worse.as_slice() {
        [] => Ok(format!("as before: {count} compared")),
        worse => Ok(format!("as before, but: {}", worse.join("; "))),
    }
}
