//! GitHub's API, asked one question at a time: plain data in and out, bounded in time, asked
//! again when that helps, and never told twice to make the same thing.

mod access;
mod deployments;
mod issues;
mod transport;

pub use access::Access;
pub use deployments::{Deployment, NewDeployment, NewStatus, Status};
pub use issues::{Change, Comment, Issue, NewIssue, State};
pub use transport::Trouble;

use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::clock::Moment;
use super::signals::Cancel;
use crate::decide::retry::Outcome;
use transport::{Answer, Transport};

/// Entries per page: the most that GitHub gives.
const PER_PAGE: usize = 100;
/// Pages that are read at most: a server that always names a next one does not keep us.
const PAGES: usize = 1000;

/// A repository on GitHub.
pub struct Github {
    transport: Transport,
    cancel: Cancel,
    started: Moment,
    within: Duration,
}

impl std::fmt::Debug for Github {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Github({})", self.transport.base())
    }
}

/// One page of a list, and where the next one is.
pub(super) struct Page<T> {
    pub(super) entries: Vec<T>,
    pub(super) next: Option<String>,
}

impl Github {
    /// Opens a repository. All that is asked of it together takes at most `within`.
    ///
    /// # Errors
    /// When the address or the token cannot be used; nothing was sent.
    pub fn open(access: &Access, within: Duration, cancel: &Cancel) -> anyhow::Result<Self> {
        let transport = Transport::new(access)?;
        Ok(Self { transport, cancel: cancel.clone(), started: Moment::now(), within })
    }

    /// The time that is left.
    fn left(&self) -> Duration {
        self.within.saturating_sub(self.started.elapsed())
    }

    /// Asks until there is an answer; for what may be asked again without harm.
    fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Answer, Trouble> {
        let mut tries = 0;
        loop {
            tries += 1;
            let trouble = match self.transport.send(method, path, body, self.left(), &self.cancel) {
                Ok(answer) => return Ok(answer),
                Err(trouble) => trouble,
            };
            self.wait(trouble, tries)?;
        }
    }

    /// Makes something once. After a request that may have been done though no answer came, `find`
    /// looks whether it was, before it is asked for again.
    fn make<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &Value,
        find: impl Fn() -> Result<Option<T>, Trouble>,
    ) -> Result<T, Trouble> {
        let mut tries = 0;
        loop {
            tries += 1;
            let sent = self.transport.send("POST", path, Some(body), self.left(), &self.cancel);
            let trouble = match sent {
                Ok(answer) => return answer.read(),
                Err(trouble) => trouble,
            };
            let unknown = trouble.outcome().is_some_and(Outcome::may_be_done);
            let waited = self.wait(trouble, tries);
            if unknown && let Ok(Some(found)) = find() {
                return Ok(found);
            }
            waited?;
        }
    }

    /// Waits before another try, or gives the trouble back when there is to be none.
    fn wait(&self, trouble: Trouble, tries: u32) -> Result<(), Trouble> {
        let pause = trouble.outcome().and_then(|outcome| outcome.pause(tries, self.left()));
        match pause {
            Some(pause) if self.cancel.sleep(pause) => Err(Trouble::Cancelled),
            Some(_) => Ok(()),
            None => Err(trouble),
        }
    }

    fn page<T: DeserializeOwned>(&self, path: &str) -> Result<Page<T>, Trouble> {
        let answer = self.ask("GET", path, None)?;
        Ok(Page { next: answer.next.clone(), entries: answer.read()? })
    }

    /// All entries of a list.
    fn all<T: DeserializeOwned>(&self, path: &str) -> Result<Vec<T>, Trouble> {
        let mut all = Vec::new();
        let mut path = Some(path.to_owned());
        for _ in 0..PAGES {
            let Some(here) = path else { return Ok(all) };
            let page: Page<T> = self.page(&here)?;
            all.extend(page.entries);
            path = page.next;
        }
        Err(Trouble::Broken(format!("a list has more than {PAGES} pages")))
    }
}
