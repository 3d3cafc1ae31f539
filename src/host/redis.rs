//! Asks a Redis server whether it is ready.

use std::time::Duration;

use super::talk::Talk;
use super::tls::Tls;
use crate::config::values::Secret;
use crate::decide::observation::{ProbeFailure, Reply};
use crate::decide::resp::{self, Said};

/// Whom to ask, and what.
pub struct Question {
    /// The host.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Whose password it is; the default user's, if none.
    pub user: Option<String>,
    /// The password.
    pub password: Option<Secret>,
    /// By TLS.
    pub tls: Option<Tls>,
    /// Ask for INFO, too.
    pub info: bool,
}

/// Logs in, says PING, and asks for INFO; all of it within `limit`.
///
/// # Errors
/// When nobody answers, or not by that protocol. An error that the server tells is an answer.
pub fn ask(question: &Question, limit: Duration) -> Result<Reply, ProbeFailure> {
    let mut talk = Talk::dial(&question.host, question.port, limit, question.tls.as_ref())?;
    let mut words = |words: &[&str]| {
        talk.say(&resp::command(words))?;
        talk.hear(resp::MOST + 64, resp::parse)
    };
    if let Some(password) = &question.password {
        let user = question.user.as_deref();
        let mut auth = vec!["AUTH"];
        auth.extend(user);
        auth.push(password.expose());
        if let Said::Error(error) = words(&auth)? {
            // A server that does not know the command tells what was given to it.
            let error = error.replace(password.expose(), "***");
            let refused = resp::reply(Said::Error(error), None);
            return Ok(Reply { elapsed: talk.elapsed(), ..refused });
        }
    }
    let pong = words(&["PING"])?;
    let info = if question.info { Some(words(&["INFO"])?) } else { None };
    Ok(Reply { elapsed: talk.elapsed(), ..resp::reply(pong, info) })
}
