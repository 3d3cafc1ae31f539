//! Where in an observation a text is found, for versions and captures.

use serde_json::Value;

use super::jsonpath::{self, JsonPath};
use super::observation::{HttpResponse, Observation};

/// Where in an observation a text is found: for versions and captures.
#[derive(Debug, Clone)]
pub enum Source {
    /// What a path selects.
    JsonPath(Box<JsonPath>),
    /// A header.
    Header(String),
    /// The whole body or standard output, without surrounding white space.
    Body,
    /// The cookies that are kept, as [`Jar::write`](super::cookies::Jar::write) has them.
    Cookies,
}

impl Source {
    /// The text at this place, or why there is none. Numbers and booleans become text.
    pub fn find(&self, observation: &Observation) -> Result<String, String> {
        match (self, observation) {
            (Source::JsonPath(path), Observation::Http(response)) => {
                one(path, &response.select(path)?)
            }
            (Source::JsonPath(path), Observation::Exit(output)) => {
                one(path, &select_of(path, &output.stdout)?)
            }
            (Source::JsonPath(path), Observation::Reply(reply)) => one(path, &reply.select(path)),
            (Source::Body, Observation::Reply(reply)) => Ok(reply.text.trim().into()),
            (Source::Header(name), Observation::Http(response)) => {
                response.header(name).map(str::to_owned).ok_or(format!("there is no header {name}"))
            }
            (Source::Body, Observation::Http(response)) => match response.text()? {
                (text, is_whole) if is_whole || response.truncated => Ok(text.trim().into()),
                _ => Err("the body is not UTF-8".into()),
            },
            (Source::Body, Observation::Exit(output)) => {
                Ok(String::from_utf8_lossy(&output.stdout).trim().into())
            }
            (Source::Cookies, Observation::Http(HttpResponse { cookies: Some(jar), .. })) => {
                Ok(jar.write())
            }
            _ => Err("there is nothing to read it from".into()),
        }
    }

    /// The place in words.
    pub(super) fn words(&self) -> String {
        match self {
            Source::JsonPath(path) => format!("jsonpath {path}"),
            Source::Header(name) => format!("header {name}"),
            Source::Body => "the body".into(),
            Source::Cookies => "the cookies".into(),
        }
    }
}

/// What a path selects in a program's output.
pub(super) fn select_of(path: &JsonPath, output: &[u8]) -> Result<Vec<Value>, String> {
    jsonpath::select(path, output).map_err(|error| format!("the output is not JSON: {error}"))
}

fn one(path: &JsonPath, nodes: &[Value]) -> Result<String, String> {
    match nodes {
        [Value::String(text)] => Ok(text.clone()),
        [value @ (Value::Number(_) | Value::Bool(_))] => Ok(value.to_string()),
        [] => Err(format!("{path} selects nothing")),
        [_] => Err(format!("{path} selects no text, number or boolean")),
        several => Err(format!("{path} selects {} values, one is needed", several.len())),
    }
}
