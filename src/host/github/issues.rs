//! Issues and their comments.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Github, PER_PAGE, Trouble};

/// An issue as GitHub tells it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Issue {
    /// Its number.
    pub number: u64,
    /// Its title.
    pub title: String,
    /// Its body.
    #[serde(default)]
    pub body: Option<String>,
    /// Whether it is open.
    pub state: State,
    /// Its address for people.
    pub html_url: String,
    /// Who wrote it.
    #[serde(default)]
    pub user: Option<User>,
    /// Its labels.
    #[serde(default)]
    pub labels: Vec<Label>,
    /// There for what is a pull request: GitHub lists those as issues too.
    #[serde(default)]
    pub pull_request: Option<Value>,
}

/// Who wrote something.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct User {
    /// The name.
    pub login: String,
}

/// A label.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Label {
    /// Its name.
    pub name: String,
}

/// Whether an issue is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It is.
    Open,
    /// It is not.
    Closed,
}

/// A comment.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Comment {
    /// What it says.
    #[serde(default)]
    pub body: Option<String>,
}

/// An issue to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewIssue {
    /// Its title.
    pub title: String,
    /// Its body.
    pub body: String,
    /// Its labels.
    pub labels: Vec<String>,
}

/// What becomes of an issue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Closed, since it is done.
    Complete,
    /// Closed, since another issue is about the same.
    Duplicate,
    /// Open again.
    Reopen,
}

impl Issue {
    /// Whether a line of its body is this one.
    pub fn has_line(&self, line: &str) -> bool {
        has_line(self.body.as_deref(), line)
    }
}

impl Comment {
    /// Whether a line of it is this one.
    pub fn has_line(&self, line: &str) -> bool {
        has_line(self.body.as_deref(), line)
    }
}

/// GitHub stores what a browser sends with CR LF.
fn has_line(body: Option<&str>, line: &str) -> bool {
    body.is_some_and(|body| body.lines().any(|found| found.trim() == line))
}

impl NewIssue {
    /// What is sent.
    pub fn payload(&self) -> Value {
        json!({ "title": self.title, "body": self.body, "labels": self.labels })
    }
}

impl Change {
    fn payload(self) -> Value {
        let (state, reason) = match self {
            Change::Complete => ("closed", "completed"),
            Change::Duplicate => ("closed", "duplicate"),
            Change::Reopen => ("open", "reopened"),
        };
        json!({ "state": state, "state_reason": reason })
    }
}

impl Github {
    /// All issues that have a line, open or closed, the oldest first; `since` leaves out what
    /// nobody has touched since then. They are listed and not searched for, since the search index
    /// lags behind, and not by label, since labels are dropped without the right to push.
    ///
    /// # Errors
    /// When they cannot be listed.
    pub fn issues_with(&self, line: &str, since: Option<&str>) -> Result<Vec<Issue>, Trouble> {
        // The newest first: what comes in meanwhile moves others to later pages and hides none.
        let mut path = format!("/issues?state=all&sort=created&direction=desc&per_page={PER_PAGE}");
        if let Some(since) = since {
            path += &format!("&since={since}");
        }
        let mut found: Vec<Issue> = self.all(&path)?;
        found.retain(|issue| issue.pull_request.is_none() && issue.has_line(line));
        found.sort_by_key(|issue| issue.number);
        found.dedup_by_key(|issue| issue.number);
        Ok(found)
    }

    /// Makes an issue, once: `line` is in its body, and in no other.
    ///
    /// # Errors
    /// When it could not be made for certain.
    pub fn create_issue(
        &self,
        issue: &NewIssue,
        line: &str,
        since: Option<&str>,
    ) -> Result<Issue, Trouble> {
        self.make("/issues", &issue.payload(), || {
            Ok(self.issues_with(line, since)?.into_iter().next())
        })
    }

    /// Opens or closes an issue.
    ///
    /// # Errors
    /// When that could not be done.
    pub fn change_issue(&self, number: u64, change: Change) -> Result<Issue, Trouble> {
        self.ask("PATCH", &format!("/issues/{number}"), Some(&change.payload()))?.read()
    }

    /// An issue's comments, the oldest first.
    ///
    /// # Errors
    /// When they cannot be listed.
    pub fn comments(&self, number: u64) -> Result<Vec<Comment>, Trouble> {
        self.all(&format!("/issues/{number}/comments?per_page={PER_PAGE}"))
    }

    /// Comments an issue, once: `line` is in the comment, and in no other.
    ///
    /// # Errors
    /// When that could not be done for certain.
    pub fn create_comment(&self, number: u64, body: &str, line: &str) -> Result<Comment, Trouble> {
        let mut payload = Map::new();
        payload.insert("body".into(), body.into());
        self.make(&format!("/issues/{number}/comments"), &payload.into(), || {
            Ok(self.comments(number)?.into_iter().find(|comment| comment.has_line(line)))
        })
    }
}
