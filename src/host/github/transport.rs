//! One request to GitHub by octocrab, and one bounded answer.

use std::fmt;
use std::pin::pin;
use std::time::Duration;

use octocrab::Octocrab;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::runtime::Runtime;

use super::Access;
use crate::decide::retry::Outcome;
use crate::decide::words::shorten;
use crate::exit::Fault;
use crate::host::clock::{self, Moment};
use crate::host::signals::Cancel;
use crate::host::tcp;

/// The limit of one request.
const REQUEST: Duration = Duration::from_secs(20);
/// How often a request in flight looks whether it is to stop.
const LOOK: Duration = Duration::from_millis(50);

/// A client with its own runtime.
pub(super) struct Transport {
    runtime: Runtime,
    client: Octocrab,
    base: String,
    server: String,
}

/// An answer that is a success.
pub(super) struct Answer {
    body: String,
    /// Where the next page is.
    pub(super) next: Option<String>,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// No answer came.
    Silent(String),
    /// GitHub said no.
    Refused {
        /// The HTTP status.
        status: u16,
        /// What GitHub said.
        message: String,
        /// When to ask again, if ever.
        outcome: Outcome,
    },
    /// The answer is not what GitHub answers.
    Broken(String),
    /// A signal came first.
    Cancelled,
}

impl Transport {
    pub(super) fn new(access: &Access) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        // The client's worker lives in the runtime.
        let client = runtime.block_on(async {
            Octocrab::builder()
                .base_uri(access.api.as_str())?
                .personal_token(access.token.expose().to_owned())
                .set_connect_timeout(Some(REQUEST))
                .build()
        });
        let client = client.map_err(|_| {
            Fault::usage("GitHub's API cannot be asked: its address or the certificates are wrong")
                .hint("GITHUB_API_URL is something like https://api.github.com")
        })?;
        let base = format!("{}/repos/{}", access.api, access.repository);
        Ok(Self { runtime, client, base, server: access.api.clone() })
    }

    pub(super) fn base(&self) -> &str {
        &self.base
    }

    /// Sends a request to a path of the repository, or to a whole address of the same server.
    pub(super) fn send(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
        left: Duration,
        cancel: &Cancel,
    ) -> Result<Answer, Trouble> {
        let address = self.address(path)?;
        let limit = REQUEST.min(left);
        if limit.is_zero() {
            return Err(Trouble::Silent("there was no time left to ask".into()));
        }
        self.runtime.block_on(async {
            let started = Moment::now();
            let mut exchange = pin!(self.exchange(method, &address, body));
            loop {
                if let Ok(done) = tokio::time::timeout(LOOK, &mut exchange).await {
                    return done;
                }
                if cancel.reason().is_some() {
                    return Err(Trouble::Cancelled);
                }
                if started.elapsed() >= limit {
                    let limit = humantime::format_duration(limit);
                    return Err(Trouble::Silent(format!("no answer within {limit}")));
                }
            }
        })
    }

    /// The token goes to this server only.
    fn address(&self, path: &str) -> Result<String, Trouble> {
        if path.starts_with('/') {
            return Ok(format!("{}{path}", self.base));
        }
        match path.strip_prefix(self.server.as_str()) {
            Some(rest) if rest.starts_with('/') => Ok(path.to_owned()),
            _ => Err(Trouble::Broken("the next page is on another server".into())),
        }
    }

    async fn exchange(
        &self,
        method: &str,
        address: &str,
        body: Option<&Value>,
    ) -> Result<Answer, Trouble> {
        let sent = match method {
            "POST" => self.client._post(address, body).await,
            "PATCH" => self.client._patch(address, body).await,
            _ => self.client._get(address).await,
        };
        let response = sent.map_err(|error| silent(&error))?;
        let status = response.status().as_u16();
        let header = |name: &str| {
            response.headers().get(name).and_then(|value| Some(value.to_str().ok()?.to_owned()))
        };
        let next = header("link").and_then(|links| next_of(&links));
        let limits = Limits {
            retry_after: header("retry-after"),
            remaining: header("x-ratelimit-remaining"),
            reset: header("x-ratelimit-reset"),
        };
        let body = self.client.body_to_string(response).await.map_err(|error| silent(&error))?;
        if (200..300).contains(&status) {
            return Ok(Answer { body, next });
        }
        Err(refused(status, &body, &limits))
    }
}

impl Answer {
    pub(super) fn read<T: DeserializeOwned>(&self) -> Result<T, Trouble> {
        serde_json::from_str(&self.body).map_err(|error| {
            Trouble::Broken(format!("the answer is not what GitHub answers: {error}"))
        })
    }
}

/// What an answer says about asking too much.
struct Limits {
    retry_after: Option<String>,
    remaining: Option<String>,
    reset: Option<String>,
}

impl Limits {
    /// See "Rate limits for the REST API" in GitHub's documentation.
    fn outcome(&self, status: u16, message: &str) -> Outcome {
        let number = |text: &Option<String>| text.as_deref()?.trim().parse::<u64>().ok();
        let retry_after = number(&self.retry_after).map(Duration::from_secs);
        let used_up = number(&self.remaining) == Some(0);
        let now = clock::wall().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let reset = number(&self.reset).filter(|_| used_up);
        let reset_in = reset.map(|at| Duration::from_secs(at).saturating_sub(now));
        let said = message.to_ascii_lowercase().contains("rate limit");
        let limited =
            status == 429 || (status == 403 && (used_up || retry_after.is_some() || said));
        Outcome::Refused { status, retry_after, reset_in, limited }
    }
}

fn refused(status: u16, body: &str, limits: &Limits) -> Trouble {
    let said: Option<Value> = serde_json::from_str(body).ok();
    let message = said.as_ref().and_then(|said| said.get("message")?.as_str()).unwrap_or_default();
    let details = said.as_ref().and_then(|said| said.get("errors")).map(Value::to_string);
    let outcome = limits.outcome(status, message);
    let whole = [Some(message.to_owned()).filter(|text| !text.is_empty()), details];
    let whole = whole.into_iter().flatten().collect::<Vec<_>>().join(" ");
    Trouble::Refused { status, message: shorten(&whole, 300), outcome }
}

/// Where the `Link` header says that the next page is (RFC 8288).
fn next_of(links: &str) -> Option<String> {
    links.split(',').find_map(|link| {
        let (address, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
        let is_next = parameters.split(';').any(|p| p.trim().replace('"', "") == "rel=next");
        is_next.then(|| address.to_owned())
    })
}

/// A library's error in words of ours: its own speaks of services and quotes addresses.
fn silent(error: &octocrab::Error) -> Trouble {
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    let mut last = String::new();
    while let Some(this) = cause {
        if let Some(error) = this.downcast_ref::<std::io::Error>().filter(|e| e.get_ref().is_none())
        {
            return Trouble::Silent(tcp::words(error));
        }
        last = this.to_string();
        cause = this.source();
    }
    Trouble::Silent(shorten(&last, 200))
}

impl Trouble {
    pub(super) fn outcome(&self) -> Option<Outcome> {
        match self {
            Trouble::Silent(_) => Some(Outcome::Silence),
            Trouble::Refused { outcome, .. } => Some(*outcome),
            Trouble::Broken(_) | Trouble::Cancelled => None,
        }
    }

    /// The HTTP status, when there was an answer.
    pub fn status(&self) -> Option<u16> {
        match self {
            Trouble::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// As an error for people; `permission` is what the token needs.
    pub fn fault(self, doing: &str, permission: &str) -> Fault {
        let fault = Fault::error(format!("cannot {doing}: {self}"));
        match self.status() {
            Some(401) => fault.hint("the token is wrong, or its job has ended"),
            Some(403 | 404) => fault.hint(format!(
                "the token needs `{permission}`: in a workflow, under `permissions:`"
            )),
            _ => fault,
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::Silent(why) => write!(f, "GitHub did not answer: {why}"),
            Trouble::Refused { status, message, .. } if message.is_empty() => {
                write!(f, "GitHub answered {status}")
            }
            Trouble::Refused { status, message, .. } => {
                write!(f, "GitHub answered {status}: {message}")
            }
            Trouble::Broken(why) => f.write_str(why),
            Trouble::Cancelled => f.write_str("cancelled by a signal"),
        }
    }
}

impl std::error::Error for Trouble {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_the_one_that_is_called_so() {
        let links =
            r#"<https://a.test/x?page=1>; rel="prev", <https://a.test/x?page=3>; rel="next""#;
        assert_eq!(next_of(links).as_deref(), Some("https://a.test/x?page=3"));
        assert_eq!(next_of(r#"<https://a.test/x?page=1>; rel="first""#), None);
        assert_eq!(next_of("nonsense, <, rel=next"), None);
    }

    #[test]
    fn a_403_is_a_limit_only_when_it_says_so() {
        let none = || Limits { retry_after: None, remaining: None, reset: None };
        let limited = |limits: &Limits, message: &str| {
            matches!(limits.outcome(403, message), Outcome::Refused { limited: true, .. })
        };
        assert!(!limited(&none(), "Resource not accessible by integration"));
        assert!(limited(&none(), "You have exceeded a secondary rate limit."));
        assert!(limited(&Limits { retry_after: Some("5".into()), ..none() }, ""));
        assert!(limited(&Limits { remaining: Some("0".into()), ..none() }, ""));
    }

    #[test]
    fn the_token_stays_with_its_server() {
        let access =
            Access::new("http://a.test/api", "o/n", crate::config::values::Secret::new("t"));
        let transport = Transport::new(&access.unwrap()).unwrap();
        assert_eq!(transport.address("/issues").unwrap(), "http://a.test/api/repos/o/n/issues");
        assert!(transport.address("http://a.test/api/repositories/1/issues?page=2").is_ok());
        for elsewhere in
            ["http://b.test/api/x", "http://a.test/api.evil.test/x", "http://a.test/apix"]
        {
            assert!(transport.address(elsewhere).is_err(), "{elsewhere}");
        }
    }
}
