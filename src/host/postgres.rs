//! Asks a PostgreSQL server whether it takes clients, and what its tables say.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::{SecureRandom as _, SystemRandom};
use serde_json::{Map, Value};

use super::talk::Talk;
use super::tls::Tls;
use crate::config::services::TlsMode;
use crate::config::values::Secret;
use crate::decide::observation::{FailureKind, ProbeFailure, Reply};
use crate::decide::postgres::{self, Authentication, Message};
use crate::decide::scram;
use crate::decide::words::shorten;

/// Whom to ask, and what.
pub struct Question {
    /// The host.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Who asks; nobody in particular finds out whether clients are taken at all.
    pub login: Option<Login>,
    /// Whether by TLS.
    pub mode: TlsMode,
    /// The settings of TLS.
    pub tls: Tls,
    /// Whether those verify the server.
    pub verifies: bool,
    /// Statements, and the names of the facts that they give; `rows` gives all, any other one value.
    pub asks: Vec<(String, String)>,
}

/// Who asks.
pub struct Login {
    /// The user.
    pub user: String,
    /// The password.
    pub password: Option<Secret>,
    /// The database.
    pub database: String,
}

/// Why there is nothing more to be had: nobody answers, or who does is not ready.
enum Stop {
    Failed(ProbeFailure),
    NotReady(String),
}

impl From<ProbeFailure> for Stop {
    fn from(failure: ProbeFailure) -> Self {
        Stop::Failed(failure)
    }
}

struct Session<'a> {
    question: &'a Question,
    talk: Talk,
    is_protected: bool,
    limit: Duration,
    facts: Map<String, Value>,
}

/// Logs in and asks; all of it within `limit`.
///
/// # Errors
/// When nobody answers, or not by that protocol. An error that the server tells is an answer.
pub fn ask(question: &Question, limit: Duration) -> Result<Reply, ProbeFailure> {
    let talk = Talk::dial(&question.host, question.port, limit, None)?;
    let began = talk.elapsed();
    let (elapsed, facts, end) = match begin(question, talk, limit) {
        Ok(mut session) => {
            let end = session.go();
            (session.talk.elapsed(), session.facts, end)
        }
        Err(stop) => (began, Map::new(), Err(stop)),
    };
    let not_ready = match end {
        Ok(()) => None,
        Err(Stop::NotReady(why)) => Some(why),
        Err(Stop::Failed(failure)) => return Err(failure),
    };
    let version = facts.get("server_version").and_then(Value::as_str);
    let said = version.map_or("takes clients".into(), |version| format!("PostgreSQL {version}"));
    let text = match facts.get("value") {
        Some(Value::String(text)) => text.clone(),
        value => value.map(Value::to_string).unwrap_or_default(),
    };
    Ok(Reply { document: facts.into(), text, said, not_ready, elapsed })
}

/// Goes on by TLS where it is wanted.
fn begin(question: &Question, mut talk: Talk, limit: Duration) -> Result<Session<'_>, Stop> {
    let asks_for_tls = match question.mode {
        TlsMode::Require => true,
        TlsMode::Prefer => question.login.is_some(),
        TlsMode::Disable => false,
    };
    let mut is_protected = false;
    if asks_for_tls {
        talk.say(&postgres::SSL_REQUEST)?;
        match talk
            .hear(1, |bytes| Ok(bytes.first().map(|byte| (*byte, usize::from(*byte != b'E')))))?
        {
            b'S' => {
                talk = talk.secure(&question.tls, &question.host)?;
                is_protected = question.verifies;
            }
            b'N' if question.mode == TlsMode::Require => {
                let message = "the server speaks no TLS, which `tls: require`, `ca` or \
                               `client-cert` asks for"
                    .to_owned();
                let elapsed = talk.elapsed();
                return Err(ProbeFailure { kind: FailureKind::Tls, message, elapsed }.into());
            }
            b'N' => {}
            b'E' => {
                return Err(match talk.hear(postgres::MOST, postgres::parse)? {
                    Message::Error(refusal) => Stop::NotReady(refusal.words()),
                    _ => talk.broken("the answer is not PostgreSQL's".into()).into(),
                });
            }
            _ => return Err(talk.broken("the answer is not PostgreSQL's".into()).into()),
        }
    }
    Ok(Session { question, talk, is_protected, limit, facts: Map::new() })
}

impl Session<'_> {
    fn go(&mut self) -> Result<(), Stop> {
        let Some(login) = &self.question.login else { return self.knock() };
        let settings = [
            ("user", login.user.as_str()),
            ("database", login.database.as_str()),
            ("application_name", "waveoff"),
            ("client_encoding", "UTF8"),
        ];
        self.talk.say(&postgres::start_up(&settings))?;
        while !self.authenticate(login)? {}
        while !matches!(self.hear()?, Message::Ready) {}
        if !self.question.asks.is_empty() {
            // By statements, not as options at the start, which poolers in between refuse. A little
            // less than we wait: an error tells more than silence.
            let limit = (self.limit.as_millis() * 9 / 10).clamp(1, 1 << 30);
            self.answer("transaction", "BEGIN READ ONLY")?;
            self.answer("transaction", &format!("SET LOCAL statement_timeout = {limit}"))?;
        }
        for (fact, statement) in &self.question.asks {
            self.answer(fact, statement)?;
        }
        // It goes either way.
        self.talk.say(&postgres::TERMINATE).unwrap_or_default();
        Ok(())
    }

    /// Comes as somebody whom it need not know.
    fn knock(&mut self) -> Result<(), Stop> {
        let settings = [("user", "waveoff"), ("database", "postgres")];
        self.talk.say(&postgres::start_up(&settings))?;
        match self.next()? {
            Message::Authentication(_) => Ok(()),
            Message::Error(refusal) if refusal.is_about_the_client() => Ok(()),
            Message::Error(refusal) => Err(Stop::NotReady(refusal.words())),
            _ => Err(self.talk.broken("the answer is not PostgreSQL's".into()).into()),
        }
    }

    /// The next message; an error ends everything.
    fn hear(&mut self) -> Result<Message, Stop> {
        match self.next()? {
            Message::Error(refusal) => Err(Stop::NotReady(refusal.words())),
            message => Ok(message),
        }
    }

    /// The next message besides notices and settings, which may come at any time.
    fn next(&mut self) -> Result<Message, ProbeFailure> {
        loop {
            match self.talk.hear(postgres::MOST + 1, postgres::parse)? {
                Message::Notice => {}
                Message::Parameter(name, value) => match name.as_str() {
                    "server_version" => drop(self.facts.insert(name, value.into())),
                    "in_hot_standby" => {
                        drop(self.facts.insert("standby".into(), (value == "on").into()));
                    }
                    _ => {}
                },
                message => return Ok(message),
            }
        }
    }

    /// Takes one step of proving who asks; true when that is done.
    fn authenticate(&mut self, login: &Login) -> Result<bool, Stop> {
        let Message::Authentication(wanted) = self.hear()? else { return Ok(false) };
        if wanted == Authentication::Done {
            return Ok(true);
        }
        let Some(password) = &login.password else {
            return Err(Stop::NotReady("the server wants a password; write `password`".into()));
        };
        let password = password.expose();
        let reply = match wanted {
            Authentication::Md5(_) | Authentication::Cleartext if !self.may_tell() => {
                let how = if wanted == Authentication::Cleartext { "as it is" } else { "by MD5" };
                return Err(Stop::NotReady(format!(
                    "the server wants the password {how}, and nothing shows who it is; write \
                     `tls: require`, or `tls: disable` to tell it even so"
                )));
            }
            Authentication::Md5(salt) => scram::md5(&login.user, password, &salt),
            Authentication::Cleartext => password.to_owned(),
            Authentication::Sasl(ways) if ways.iter().any(|way| way == "SCRAM-SHA-256") => {
                self.prove(&login.user, password)?;
                return Ok(false);
            }
            other => {
                let wanted = shorten(&format!("{other:?}"), 100);
                return Err(Stop::NotReady(format!(
                    "the server wants {wanted}; password, MD5 and SCRAM-SHA-256 are known"
                )));
            }
        };
        self.talk.say(&postgres::message(b'p', &[reply.as_bytes(), &[0]]))?;
        Ok(false)
    }

    /// Whether a password may be told as it is, or by MD5, which whoever hears it may guess from.
    fn may_tell(&self) -> bool {
        self.is_protected || self.question.mode == TlsMode::Disable
    }

    fn prove(&mut self, user: &str, password: &str) -> Result<(), Stop> {
        let mut random = [0; 18];
        let filled = SystemRandom::new().fill(&mut random);
        filled.map_err(|_| self.talk.broken("there is no randomness for SCRAM".into()))?;
        let nonce = STANDARD.encode(random);
        let first = scram::first(user, &nonce);
        let size = postgres::length(first.len());
        self.talk.say(&postgres::message(b'p', &[b"SCRAM-SHA-256\0", &size, first.as_bytes()]))?;
        let Message::Authentication(Authentication::Continue(challenge)) = self.hear()? else {
            return Err(self.talk.broken("SCRAM has no challenge".into()).into());
        };
        let (talk, limit) = (&self.talk, self.limit);
        let goes_on = || talk.elapsed() < limit;
        let proof = scram::prove(user, password, &nonce, &challenge, &goes_on);
        let proof = proof.map_err(|why| match goes_on() {
            true => talk.broken(why),
            false => ProbeFailure { kind: FailureKind::Timeout, ..talk.broken(why) },
        })?;
        self.talk.say(&postgres::message(b'p', &[proof.message.as_bytes()]))?;
        match self.next()? {
            Message::Authentication(Authentication::Final(last)) if proof.accepts(&last) => Ok(()),
            Message::Error(refusal) if refusal.code == "28P01" && !password.is_ascii() => {
                let form = "; its letters beyond ASCII must be in Unicode's form NFKC";
                Err(Stop::NotReady(refusal.words() + form))
            }
            Message::Error(refusal) => Err(Stop::NotReady(refusal.words())),
            _ => Err(self
                .talk
                .broken("the server does not prove that it knows the password".into())
                .into()),
        }
    }

    /// Runs one statement.
    fn answer(&mut self, fact: &str, statement: &str) -> Result<(), Stop> {
        self.talk.say(&postgres::query(statement))?;
        let (mut columns, mut rows, mut bytes) = (Vec::new(), Vec::new(), 0);
        let mut first = None;
        let named = |stop| match stop {
            Stop::NotReady(why) => Stop::NotReady(format!("{fact}: {why}")),
            failed => failed,
        };
        loop {
            match self.hear().map_err(named)? {
                Message::Columns(next) => (columns, rows, first) = (next, Vec::new(), None),
                Message::Row(values) => {
                    bytes += postgres::weight(&columns, &values);
                    if rows.len() == postgres::MOST_ROWS || bytes > postgres::MOST {
                        let why = format!(
                            "{fact}: the answer has more than {} rows or {} bytes; write LIMIT",
                            postgres::MOST_ROWS,
                            postgres::MOST
                        );
                        return Err(Stop::NotReady(why));
                    }
                    let row = postgres::row(&columns, values);
                    // A statement of ours tells there why its value does not count.
                    if let (false, Some((_, Value::String(why)))) = (fact == "rows", row.get(1)) {
                        return Err(Stop::NotReady(format!("{fact}: {}", shorten(why, 300))));
                    }
                    first = first.or_else(|| row.first().map(|(_, value)| value.clone()));
                    rows.push(Value::Object(row.into_iter().collect()));
                }
                Message::Ready => break,
                _ => {}
            }
        }
        if fact == "rows" {
            self.facts.extend(first.map(|value| ("value".to_owned(), value)));
            self.facts.insert(fact.into(), rows.into());
        } else {
            self.facts.extend(first.map(|value| (fact.to_owned(), value)));
        }
        Ok(())
    }
}
