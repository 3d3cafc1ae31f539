//! Deployments and their statuses.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Github, PER_PAGE, Page, Trouble};

/// Deployments per page: each costs a question about its statuses, and the newest few are enough.
const FEW: usize = 30;

/// A deployment as GitHub tells it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Deployment {
    /// GitHub's number of it.
    pub id: u64,
    /// When it was made.
    pub created_at: String,
    /// What its maker wrote into it: an object, or a text that holds one.
    #[serde(default)]
    pub payload: Value,
    /// Its address.
    #[serde(default)]
    pub url: String,
}

/// A status of a deployment as GitHub tells it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Status {
    /// GitHub's number of it.
    pub id: u64,
    /// When it was made.
    pub created_at: String,
    /// Its state.
    pub state: String,
    /// What its maker wrote into it.
    #[serde(default)]
    pub description: Option<String>,
}

/// A deployment to be.
#[derive(Debug, Clone, PartialEq)]
pub struct NewDeployment {
    /// The commit, branch or tag.
    pub reference: String,
    /// What kind of deployment it is.
    pub task: &'static str,
    /// The environment.
    pub environment: String,
    /// In one line.
    pub description: String,
    /// What else is to be kept.
    pub payload: Value,
}

/// A status to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewStatus {
    /// `in_progress`, `success`, `failure`, `error` or `inactive`.
    pub state: &'static str,
    /// At most 140 characters.
    pub description: String,
}

impl NewDeployment {
    /// What is sent. Nothing is merged and no check is asked for: what is deployed was decided.
    pub fn payload(&self) -> Value {
        json!({
            "ref": self.reference,
            "task": self.task,
            "environment": self.environment,
            "description": self.description,
            "payload": self.payload,
            "auto_merge": false,
            "required_contexts": [],
        })
    }
}

impl NewStatus {
    /// What is sent. GitHub would call other deployments inactive by itself: what is live is for
    /// the ledger to say.
    pub fn payload(&self) -> Value {
        json!({ "state": self.state, "description": self.description, "auto_inactive": false })
    }
}

impl Github {
    /// Deployments of a task in an environment, a page at a time, the newest first. `take` says
    /// whether it wants more.
    ///
    /// # Errors
    /// When they cannot be listed, or when `take` fails.
    pub fn deployments<E: From<Trouble>>(
        &self,
        task: &str,
        environment: &str,
        mut take: impl FnMut(Vec<Deployment>) -> Result<bool, E>,
    ) -> Result<(), E> {
        let mut path =
            Some(format!("/deployments?task={task}&environment={environment}&per_page={FEW}"));
        while let Some(here) = path {
            let Page { entries, next } = self.page(&here)?;
            path = next;
            if !take(entries)? {
                break;
            }
        }
        Ok(())
    }

    /// Makes a deployment, once: `is_it` knows it again.
    ///
    /// # Errors
    /// When it could not be made for certain.
    pub fn create_deployment(
        &self,
        deployment: &NewDeployment,
        is_it: impl Fn(&Deployment) -> bool,
    ) -> Result<Deployment, Trouble> {
        self.make("/deployments", &deployment.payload(), || {
            let mut found = None;
            // The newest page is enough: it was made just now.
            self.deployments(deployment.task, &deployment.environment, |page| {
                found = page.into_iter().find(&is_it);
                Ok::<_, Trouble>(false)
            })?;
            Ok(found)
        })
    }

    /// A deployment's statuses, the oldest first.
    ///
    /// # Errors
    /// When they cannot be listed.
    pub fn statuses(&self, deployment: u64) -> Result<Vec<Status>, Trouble> {
        let mut all: Vec<Status> =
            self.all(&format!("/deployments/{deployment}/statuses?per_page={PER_PAGE}"))?;
        all.sort_by_key(|status| status.id);
        Ok(all)
    }

    /// Adds a status to a deployment, once: no other has its description.
    ///
    /// # Errors
    /// When that could not be done for certain.
    pub fn create_status(&self, deployment: u64, status: &NewStatus) -> Result<Status, Trouble> {
        self.make(&format!("/deployments/{deployment}/statuses"), &status.payload(), || {
            let known = self.statuses(deployment)?;
            Ok(known.into_iter().find(|s| s.description.as_deref() == Some(&status.description)))
        })
    }
}
