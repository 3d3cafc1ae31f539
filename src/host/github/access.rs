//! Which repository, where, and by what right.

use crate::config::values::Secret;
use crate::exit::Fault;
use crate::host::env;

/// The public API.
const PUBLIC: &str = "https://api.github.com";

/// What it takes to ask about a repository.
#[derive(Debug, Clone)]
pub struct Access {
    /// Where the API is, without a slash at the end.
    pub api: String,
    /// `owner/name`.
    pub repository: String,
    /// The token.
    pub token: Secret,
}

impl Access {
    /// Of the environment that GitHub gives a job: `GITHUB_API_URL`, `GITHUB_REPOSITORY` and
    /// `GITHUB_TOKEN`, unless a repository or a token is named. None when there is no token, or
    /// when the environment has one and no repository: then it is a person's, for other things.
    ///
    /// # Errors
    /// When a token is named and the rest is missing, or something is not what it should be.
    pub fn of(repository: Option<&str>, token: Option<&Secret>) -> anyhow::Result<Option<Self>> {
        let variable = || env::var("GITHUB_TOKEN").or_else(|| env::var("GH_TOKEN"));
        let is_named = token.is_some();
        let Some(token) = token.cloned().or_else(|| variable().map(Secret::new)) else {
            return Ok(None);
        };
        let named = repository.map(str::to_owned).or_else(|| env::var("GITHUB_REPOSITORY"));
        let Some(repository) = named else {
            if !is_named {
                return Ok(None);
            }
            return Err(Fault::usage("there is a GitHub token and no repository")
                .hint("set GITHUB_REPOSITORY to owner/name, or give --repository")
                .into());
        };
        let api = env::var("GITHUB_API_URL").unwrap_or_else(|| PUBLIC.into());
        Self::new(&api, &repository, token).map(Some)
    }

    /// Of its parts.
    ///
    /// # Errors
    /// When one of them is not what it should be.
    pub fn new(api: &str, repository: &str, token: Secret) -> anyhow::Result<Self> {
        let api = api.trim_end_matches('/').to_owned();
        if !api.starts_with("https://") && !api.starts_with("http://") {
            return Err(Fault::usage("the address of GitHub's API is not a URL")
                .hint("GITHUB_API_URL is something like https://api.github.com")
                .into());
        }
        let fits = |part: &str| {
            let word = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            (1..=100).contains(&part.len())
                && part.chars().all(word)
                && !part.trim_matches('.').is_empty()
        };
        let parts = repository.split_once('/');
        if !parts.is_some_and(|(owner, name)| fits(owner) && fits(name)) {
            return Err(Fault::usage(format!("{repository:?} is not a repository"))
                .hint("write it as owner/name")
                .into());
        }
        // What is no header value would end the library in a panic.
        if !token.expose().bytes().all(|byte| byte.is_ascii_graphic()) || token.expose().is_empty()
        {
            return Err(Fault::usage("the GitHub token has characters that no token has")
                .hint("a line's end that was copied with it?")
                .into());
        }
        Ok(Self { api, repository: repository.into(), token })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_asked_is_refused_before_it_is() {
        let access = |api: &str, repository: &str, token: &str| {
            Access::new(api, repository, Secret::new(token))
        };
        assert_eq!(
            access("http://a.test/api/v3/", "o/n", "t").unwrap().api,
            "http://a.test/api/v3"
        );
        for repository in ["o", "o/n/x", "/n", "o/", "o/..", "o/a b", "o/n?x=1", "../n"] {
            assert!(access(PUBLIC, repository, "t").is_err(), "{repository}");
        }
        for token in ["", "ghp_x\n", "gh p", "ä"] {
            let error = access(PUBLIC, "o/n", token).unwrap_err();
            assert!(token.is_empty() || !format!("{error:?}").contains(token), "{error:?}");
        }
        assert!(access("ftp://a.test", "o/n", "t").is_err());
    }
}
