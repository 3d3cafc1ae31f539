//! WebSocket (RFC 6455): the answer to a handshake, and frames in both directions.

/// The longest payload of a control frame (RFC 6455 §5.5).
const CONTROL: usize = 125;

/// The opcodes of frames (RFC 6455 §5.2).
pub mod opcode {
    /// More of the message that was begun.
    pub const CONTINUATION: u8 = 0;
    /// A text, or its beginning.
    pub const TEXT: u8 = 1;
    /// Bytes, or their beginning.
    pub const BINARY: u8 = 2;
    /// The end, with a code and a reason.
    pub const CLOSE: u8 = 8;
    /// A question whether the other one is there.
    pub const PING: u8 = 9;
    /// The answer to a ping, with its payload.
    pub const PONG: u8 = 10;
}

/// What a server has said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A whole message.
    Message(Vec<u8>),
    /// A ping, to be answered with its payload.
    Ping(Vec<u8>),
    /// A pong with its payload.
    Pong(Vec<u8>),
    /// The end, with the code where one was given, and the reason.
    Close(Option<u16>, String),
}

/// Puts a server's frames together, as they come.
#[derive(Debug)]
pub struct Reader {
    bytes: Vec<u8>,
    /// The message that was begun: whether it is text, and what came of it.
    message: Option<(bool, Vec<u8>)>,
    most: usize,
}

/// The head of a frame.
struct Head {
    is_last: bool,
    opcode: u8,
    from: usize,
    length: usize,
}

impl Reader {
    /// For messages of at most so many bytes.
    pub fn new(most: usize) -> Self {
        Self { bytes: Vec::new(), message: None, most }
    }

    /// Takes what came.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next event, when all of it is there.
    ///
    /// # Errors
    /// What a server must not send; nothing behind it can be read.
    pub fn event(&mut self) -> Result<Option<Event>, String> {
        while let Some(head) = self.head()? {
            let end = head.from + head.length;
            if self.bytes.len() < end {
                return Ok(None);
            }
            let payload = self.bytes[head.from..end].to_vec();
            self.bytes.drain(..end);
            if let Some(event) = self.frame(&head, payload)? {
                return Ok(Some(event));
            }
        }
        Ok(None)
    }

    /// The head of the next frame (RFC 6455 §5.2), refused before its payload is waited for.
    fn head(&self) -> Result<Option<Head>, String> {
        let wrong = |why: &str| Err(format!("not a WebSocket frame: {why}"));
        let [first, second, rest @ ..] = self.bytes.as_slice() else { return Ok(None) };
        let (is_last, opcode) = (first & 0x80 != 0, first & 0x0f);
        if first & 0x70 != 0 {
            return wrong("a reserved bit is set");
        }
        if second & 0x80 != 0 {
            return wrong("a server must not mask");
        }
        if !matches!(opcode, 0..=2 | 8..=10) {
            return wrong("its opcode is not known");
        }
        let (from, length) = match (second & 0x7f, rest) {
            (126, [a, b, ..]) => (4, u64::from(u16::from_be_bytes([*a, *b]))),
            (127, [a, b, c, d, e, f, g, h, ..]) => {
                (10, u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]))
            }
            (126 | 127, _) => return Ok(None),
            (short, _) => (2, u64::from(short)),
        };
        if (from == 4 && length < 126) || (from == 10 && length <= 0xffff) {
            return wrong("its length is written longer than needed");
        }
        if opcode >= opcode::CLOSE && (!is_last || length > CONTROL as u64) {
            return wrong("a control frame is in pieces or too long");
        }
        let begun = self.message.as_ref().map_or(0, |(_, begun)| begun.len());
        let room = if opcode >= opcode::CLOSE { CONTROL } else { self.most - begun };
        match usize::try_from(length) {
            Ok(length) if length <= room => Ok(Some(Head { is_last, opcode, from, length })),
            _ => Err(format!("the message is longer than {} bytes", self.most)),
        }
    }

    fn frame(&mut self, head: &Head, payload: Vec<u8>) -> Result<Option<Event>, String> {
        let (is_text, message) = match (head.opcode, self.message.take()) {
            (opcode::CLOSE, _) => return close(&payload).map(Some),
            // A control frame may stand between the pieces of a message (RFC 6455 §5.4).
            (opcode::PING, begun) => {
                self.message = begun;
                return Ok(Some(Event::Ping(payload)));
            }
            (opcode::PONG, begun) => {
                self.message = begun;
                return Ok(Some(Event::Pong(payload)));
            }
            (opcode::CONTINUATION, Some((is_text, mut begun))) => {
                begun.extend(payload);
                (is_text, begun)
            }
            (opcode::CONTINUATION, None) => return Err("more of no message".into()),
            (_, Some(_)) => return Err("a message begins within another one".into()),
            (opcode, None) => (opcode == opcode::TEXT, payload),
        };
        if !head.is_last {
            self.message = Some((is_text, message));
            return Ok(None);
        }
        if is_text && std::str::from_utf8(&message).is_err() {
            return Err("a text message is not UTF-8".into());
        }
        Ok(Some(Event::Message(message)))
    }
}

/// The end as it was said (RFC 6455 §5.5.1, §7.4).
fn close(payload: &[u8]) -> Result<Event, String> {
    let [a, b, reason @ ..] = payload else {
        let none = payload.is_empty().then(|| Event::Close(None, String::new()));
        return none.ok_or_else(|| "a close frame has half a code".into());
    };
    let code = u16::from_be_bytes([*a, *b]);
    if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return Err(format!("a close frame has the code {code}, which must not be sent"));
    }
    let reason = std::str::from_utf8(reason).map_err(|_| "a close reason is not UTF-8")?;
    Ok(Event::Close(Some(code), reason.into()))
}

/// A client's frame, whole and masked (RFC 6455 §5.3).
pub fn frame(opcode: u8, payload: &[u8], mask: [u8; 4]) -> Vec<u8> {
    let mut frame = vec![0x80 | opcode];
    match payload.len() {
        short @ 0..=125 => frame.push(0x80 | short as u8),
        long @ 126..=0xffff => {
            frame.push(0x80 | 126);
            frame.extend((long as u16).to_be_bytes());
        }
        longer => {
            frame.push(0x80 | 127);
            frame.extend((longer as u64).to_be_bytes());
        }
    }
    frame.extend(mask);
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// What a server's answer to the handshake agrees to (RFC 6455 §4.1): the subprotocol, if any.
/// `accept` is what it must have made of our key, `wanted` the subprotocol that was asked for.
///
/// # Errors
/// Why it does not agree.
pub fn agreed(head: &str, accept: &str, wanted: Option<&str>) -> Result<Option<String>, String> {
    let mut lines = head.lines();
    let mut words = lines.next().unwrap_or_default().split(' ');
    let status = match (words.next(), words.next()) {
        (Some("HTTP/1.1"), Some(status)) if status.parse::<u16>().is_ok() => status,
        _ => return Err("the answer is not HTTP/1.1".into()),
    };
    if status != "101" {
        return Err(format!("status {status}, wanted 101: no WebSocket is there"));
    }
    let headers: Vec<_> = lines.filter_map(|line| line.split_once(':')).collect();
    let values = |name: &str| {
        let of_name = headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        of_name.map(|(_, value)| value.trim()).collect::<Vec<_>>().join(", ")
    };
    let names = |name: &str, token: &str| {
        values(name).split(',').any(|value| value.trim().eq_ignore_ascii_case(token))
    };
    if !names("upgrade", "websocket") || !names("connection", "upgrade") {
        return Err("status 101, but not for a WebSocket".into());
    }
    if values("sec-websocket-accept") != accept {
        return Err("Sec-WebSocket-Accept is not made of our key".into());
    }
    if !values("sec-websocket-extensions").is_empty() {
        return Err("the server uses an extension that was not asked for".into());
    }
    let subprotocol = values("sec-websocket-protocol");
    match wanted {
        Some(wanted) if subprotocol != wanted => {
            Err(format!("the server did not agree to the subprotocol {wanted}"))
        }
        None if !subprotocol.is_empty() => {
            Err("the server uses a subprotocol that was not asked for".into())
        }
        _ => Ok(wanted.map(str::to_owned)),
    }
}

#[cfg(test)]
#[path = "websocket_tests.rs"]
mod tests;
