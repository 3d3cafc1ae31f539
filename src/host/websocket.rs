//! One conversation over a WebSocket (RFC 6455): a handshake, a ping, a message if wanted, the end.

use std::io::{Read as _, Write as _};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use ring::rand::{SecureRandom as _, SystemRandom};
use serde_json::{Value, json};
use ureq::http::Uri;

use super::http::parse;
use super::line::Line;
use super::tls::Tls;
use crate::config::values::Secret;
use crate::decide::jsonpath;
use crate::decide::observation::{FailureKind, Observation, ProbeFailure, Reply};
use crate::decide::wire::websocket::{Event, Reader, agreed, frame, opcode};

/// What a server's key is made with (RFC 6455 §1.3).
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// Bytes of an answer to the handshake.
const HEAD: usize = 16 << 10;
/// How long the other one may take to say good-bye: all that was asked has been answered by then.
const GOODBYE: Duration = Duration::from_millis(250);
/// Pings that are answered in one conversation.
const PINGS: usize = 100;

/// What to ask.
pub struct Question<'a> {
    /// `ws://` or `wss://`.
    pub url: String,
    /// How to speak TLS, for `wss://`.
    pub tls: Option<&'a Tls>,
    /// Headers with values that are never shown.
    pub headers: Vec<(String, Secret)>,
    /// The subprotocol that must be agreed to.
    pub subprotocol: Option<&'a str>,
    /// A text message to send when the ping is answered; then one is waited for.
    pub send: Option<String>,
    /// What the message that is waited for has in it; others are passed over.
    pub until: Option<String>,
    /// Bytes of a message at most.
    pub max_body: usize,
    /// The limit of everything together.
    pub timeout: Duration,
}

impl Question<'_> {
    /// Whether a message is waited for.
    fn waits(&self) -> bool {
        self.send.is_some() || self.until.is_some()
    }
}

/// What was said.
#[derive(Default)]
struct Talk {
    subprotocol: Option<String>,
    pong: Option<Duration>,
    /// The first message that was not the one that is waited for.
    greeting: Option<Vec<u8>>,
    message: Option<Vec<u8>>,
    close: Option<(Option<u16>, String)>,
}

/// Asks once.
pub fn ask(question: &Question<'_>) -> Observation {
    converse(question).unwrap_or_else(Observation::Failed)
}

fn converse(question: &Question<'_>) -> Result<Observation, ProbeFailure> {
    let not_asked = |message: &str| ProbeFailure {
        kind: FailureKind::NotAsked,
        message: message.into(),
        elapsed: Duration::ZERO,
    };
    let uri = parse(&question.url).ok_or_else(|| not_asked("the address is not a URL"))?;
    let host = uri.host().ok_or_else(|| not_asked("the address has no host"))?;
    let chance = || not_asked("there are no random numbers");
    let key = STANDARD.encode(random::<16>().ok_or_else(chance)?);
    let ping = random::<8>().ok_or_else(chance)?;
    let request = request(question, &uri, &key).map_err(|why| not_asked(&why))?;
    let port = uri.port_u16().unwrap_or(if question.tls.is_some() { 443 } else { 80 });
    let mut line = Line::dial(host, port, question.timeout)?;
    if let Some(tls) = question.tls {
        line = line.secure(tls, host)?;
    }
    let (head, rest) = shake(&mut line, &request)?;
    let accept = digest(&SHA1_FOR_LEGACY_USE_ONLY, format!("{key}{GUID}").as_bytes());
    let subprotocol = agreed(&head, &STANDARD.encode(accept), question.subprotocol);
    let subprotocol = subprotocol.map_err(|why| broken(&line, why))?;
    let mut reader = Reader::new(question.max_body);
    reader.push(&rest);
    let mut talk = Talk { subprotocol, ..Talk::default() };
    listen(&mut line, &mut reader, question, ping, &mut talk)?;
    let elapsed = line.elapsed();
    part(&mut line, &mut reader, &mut talk);
    Ok(Observation::Reply(talk.reply(question, elapsed)))
}

/// The opening handshake (RFC 6455 §4.1).
fn request(question: &Question<'_>, uri: &Uri, key: &str) -> Result<String, String> {
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    // Nobody's name goes there, though one may have been captured.
    let authority = authority.rsplit('@').next().unwrap_or_default();
    let mut request = format!(
        "GET {path} HTTP/1.1\r\nHost: {authority}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\
         User-Agent: waveoff/{}\r\n",
        env!("CARGO_PKG_VERSION")
    );
    if let Some(name) = question.subprotocol {
        request.push_str(&format!("Sec-WebSocket-Protocol: {name}\r\n"));
    }
    for (name, value) in &question.headers {
        // What was captured must not become another header.
        if value.expose().chars().any(|c| c.is_control() && c != '\t') {
            return Err(format!("the value of the header {name} has control characters"));
        }
        request.push_str(&format!("{name}: {}\r\n", value.expose()));
    }
    Ok(request + "\r\n")
}

/// Sends the handshake; the head of the answer, and what came behind it.
fn shake(line: &mut Line, request: &str) -> Result<(String, Vec<u8>), ProbeFailure> {
    let sent = line.write_all(request.as_bytes()).and_then(|()| line.flush());
    sent.map_err(|error| line.failure(&error))?;
    let mut bytes = Vec::new();
    loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let rest = bytes.split_off(at + 4);
            return Ok((String::from_utf8_lossy(&bytes).into_owned(), rest));
        }
        if bytes.len() > HEAD {
            return Err(broken(line, format!("the headers have more than {HEAD} bytes")));
        }
        if !more(line, |come| bytes.extend_from_slice(come))? {
            return Err(broken(line, "the connection was closed before the answer".into()));
        }
    }
}

/// Asks, and listens until all is answered or the other one ends it.
fn listen(
    line: &mut Line,
    reader: &mut Reader,
    question: &Question<'_>,
    ping: [u8; 8],
    talk: &mut Talk,
) -> Result<(), ProbeFailure> {
    let asked = line.elapsed();
    say(line, opcode::PING, &ping)?;
    let mut pings = 0;
    loop {
        while let Some(event) = reader.event().map_err(|why| broken(line, why))? {
            match event {
                Event::Ping(payload) => {
                    pings += 1;
                    if pings > PINGS {
                        return Err(broken(line, format!("more than {PINGS} pings")));
                    }
                    say(line, opcode::PONG, &payload)?;
                }
                // Another one is nobody's answer (RFC 6455 §5.5.3).
                Event::Pong(payload) if payload == ping && talk.pong.is_none() => {
                    talk.pong = Some(line.elapsed().saturating_sub(asked));
                    // Whatever was said before this is no answer to it.
                    if let Some(text) = &question.send {
                        say(line, opcode::TEXT, text.as_bytes())?;
                    }
                }
                Event::Pong(_) => {}
                Event::Message(message) => talk.take(question, message),
                Event::Close(code, reason) => {
                    talk.close = Some((code, reason));
                    return Ok(());
                }
            }
            if talk.pong.is_some() && (!question.waits() || talk.message.is_some()) {
                return Ok(());
            }
        }
        let wanted = if talk.pong.is_none() { "a pong" } else { "a message" };
        let there = more(line, |come| reader.push(come));
        let there = there.map_err(|failure| ProbeFailure {
            message: format!("connected, but no answer with {wanted}: {}", failure.message),
            ..failure
        })?;
        if !there {
            return Err(broken(line, format!("the connection was closed before {wanted} came")));
        }
    }
}

/// Says good-bye, and waits a moment for the other one to say so, too (RFC 6455 §7.1.1).
fn part(line: &mut Line, reader: &mut Reader, talk: &mut Talk) {
    line.hurry(GOODBYE);
    let code = talk.close.as_ref().map_or(Some(1000), |(code, _)| *code);
    let payload = code.map_or_else(Vec::new, |code| code.to_be_bytes().to_vec());
    // Whatever fails from here on, what was asked is answered.
    if say(line, opcode::CLOSE, &payload).is_err() {
        return;
    }
    while talk.close.is_none() {
        match reader.event() {
            Ok(Some(Event::Close(code, _))) => talk.close = Some((code, String::new())),
            Ok(Some(_)) => {}
            Ok(None) if matches!(more(line, |come| reader.push(come)), Ok(true)) => {}
            _ => return,
        }
    }
}

impl Talk {
    /// Whether this message is the one that is waited for: nothing was said before, and it has in
    /// it what it should.
    fn take(&mut self, question: &Question<'_>, message: Vec<u8>) {
        let is_answer = question.send.is_none() || self.pong.is_some();
        let until = question.until.as_deref().unwrap_or_default();
        let fits = || String::from_utf8_lossy(&message).contains(until);
        if question.waits() && is_answer && fits() {
            self.message.get_or_insert(message);
        } else {
            self.greeting.get_or_insert(message);
        }
    }

    fn reply(self, question: &Question<'_>, elapsed: Duration) -> Reply {
        let text = self.message.as_deref().map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        let not_ready = match (self.pong, question.waits(), &self.message) {
            (None, ..) => Some("it was closed before a pong came".to_owned()),
            (Some(_), true, None) => Some("it was closed before a message came".to_owned()),
            _ => None,
        };
        let closed = self.close.as_ref().filter(|(_, reason)| !reason.is_empty());
        let ms = |time: Duration| (time.as_secs_f64() * 1e5).round() / 1e2;
        let code = self.close.as_ref().and_then(|(code, _)| *code);
        Reply {
            document: json!({
                "subprotocol": self.subprotocol,
                "pong_ms": self.pong.map(ms),
                "greeting": self.greeting.as_deref().map(fact),
                "message": self.message.as_deref().map(fact),
                "close_code": code,
            }),
            text: text.unwrap_or_default(),
            said: "pong".into(),
            not_ready: not_ready.map(|why| match (closed, code) {
                (Some((_, reason)), Some(code)) => format!("{why}: {code} {reason}"),
                (_, Some(code)) => format!("{why}: {code}"),
                _ => why,
            }),
            elapsed,
        }
    }
}

/// A message as JSON, where it is some, or as a text.
fn fact(message: &[u8]) -> Value {
    let text = || String::from_utf8_lossy(message).into_owned().into();
    jsonpath::read(message).unwrap_or_else(|_| text())
}

fn say(line: &mut Line, opcode: u8, payload: &[u8]) -> Result<(), ProbeFailure> {
    let mask = random().ok_or_else(|| broken(line, "there are no random numbers".into()))?;
    let sent = line.write_all(&frame(opcode, payload, mask)).and_then(|()| line.flush());
    sent.map_err(|error| line.failure(&error))
}

/// Reads what comes next; false at the end.
fn more(line: &mut Line, mut take: impl FnMut(&[u8])) -> Result<bool, ProbeFailure> {
    let mut bytes = [0; 4096];
    let read = line.read(&mut bytes).map_err(|error| line.failure(&error))?;
    take(&bytes[..read]);
    Ok(read > 0)
}

fn broken(line: &Line, message: String) -> ProbeFailure {
    ProbeFailure { kind: FailureKind::Broken, message, elapsed: line.elapsed() }
}

/// Bytes that nobody can foretell (RFC 6455 §10.3).
fn random<const N: usize>() -> Option<[u8; N]> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).ok().map(|()| bytes)
}
