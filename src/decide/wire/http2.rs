//! One exchange over HTTP/2 (RFC 9113): a request on a connection of its own, and its answer.

use super::hpack::{self, Decoder, Header};

/// What a client says first (RFC 9113 §3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// The longest frame and the most data that may come without a word of ours (RFC 9113 §6.5.2).
const FRAME: usize = 16_384;
const WINDOW: usize = 65_535;
/// All bytes of one exchange: pings and settings are bounded, too.
const ALL: usize = 512 << 10;
/// The stream of the only request.
const STREAM: u32 = 1;

/// Types of frames (RFC 9113 §6).
mod kind {
    pub(super) const DATA: u8 = 0;
    pub(super) const HEADERS: u8 = 1;
    pub(super) const RST_STREAM: u8 = 3;
    pub(super) const SETTINGS: u8 = 4;
    pub(super) const PUSH_PROMISE: u8 = 5;
    pub(super) const PING: u8 = 6;
    pub(super) const GOAWAY: u8 = 7;
    pub(super) const WINDOW_UPDATE: u8 = 8;
    pub(super) const CONTINUATION: u8 = 9;
}

/// Flags of frames; ACK is where END_STREAM is.
const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;
const PRIORITY: u8 = 0x20;

/// Names of error codes (RFC 9113 §7).
const ERRORS: [&str; 14] = [
    "NO_ERROR",
    "PROTOCOL_ERROR",
    "INTERNAL_ERROR",
    "FLOW_CONTROL_ERROR",
    "SETTINGS_TIMEOUT",
    "STREAM_CLOSED",
    "FRAME_SIZE_ERROR",
    "REFUSED_STREAM",
    "CANCEL",
    "COMPRESSION_ERROR",
    "CONNECT_ERROR",
    "ENHANCE_YOUR_CALM",
    "INADEQUATE_SECURITY",
    "HTTP_1_1_REQUIRED",
];

/// An answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// The headers, with `:status`.
    pub headers: Vec<Header>,
    /// The body.
    pub data: Vec<u8>,
    /// What came behind the body.
    pub trailers: Vec<Header>,
    /// Whether the headers were all of it: no body, no trailers.
    pub is_bare: bool,
}

impl Answer {
    /// The first value of this name in the headers.
    pub fn value(&self, name: &str) -> Option<&str> {
        first(&self.headers, name)
    }

    /// The first value of this name in the trailers, for which headers stand that were all of it.
    pub fn last_word(&self, name: &str) -> Option<&str> {
        first(if self.is_bare { &self.headers } else { &self.trailers }, name)
    }
}

fn first<'a>(headers: &'a [Header], name: &str) -> Option<&'a str> {
    headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

/// Puts the answer together, as it comes.
#[derive(Default)]
pub struct Exchange {
    bytes: Vec<u8>,
    seen: usize,
    decoder: Decoder,
    has_settings: bool,
    /// A block of headers that goes on, and whether it is the last thing on its stream.
    block: Option<(Vec<u8>, bool)>,
    answer: Answer,
    flow: usize,
    has_ended: bool,
}

/// All that a client says: the preface, its settings, and the request with its body.
///
/// # Errors
/// When the headers do not fit into one frame.
pub fn request(headers: &[Header], body: &[u8]) -> Result<Vec<u8>, String> {
    let mut block = Vec::new();
    headers.iter().for_each(|(name, value)| hpack::write(&mut block, name, value));
    if block.len() > FRAME || body.len() > FRAME {
        return Err(format!("the headers or the body have more than {FRAME} bytes"));
    }
    let mut bytes = PREFACE.to_vec();
    // SETTINGS_ENABLE_PUSH is 0 (RFC 9113 §6.5.2).
    frame(&mut bytes, kind::SETTINGS, 0, 0, &[0, 2, 0, 0, 0, 0]);
    frame(&mut bytes, kind::HEADERS, END_HEADERS, STREAM, &block);
    frame(&mut bytes, kind::DATA, END_STREAM, STREAM, body);
    Ok(bytes)
}

/// The last word of a client that has its answer.
pub fn goodbye() -> Vec<u8> {
    let mut bytes = Vec::new();
    frame(&mut bytes, kind::GOAWAY, 0, 0, &[0; 8]);
    bytes
}

fn frame(bytes: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    bytes.extend_from_slice(&(payload.len() as u32).to_be_bytes()[1..]);
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
}

impl Exchange {
    /// Takes what came; what is to be sent back at once.
    ///
    /// # Errors
    /// What a server must not send, or why it gives up.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<u8>, String> {
        self.seen += bytes.len();
        if self.seen > ALL {
            return Err(format!("the answer has more than {ALL} bytes"));
        }
        self.bytes.extend_from_slice(bytes);
        let mut back = Vec::new();
        while !self.has_ended && self.bytes.len() >= 9 {
            if !self.has_settings && self.bytes.starts_with(b"HTTP/") {
                return Err("the server speaks HTTP/1, not HTTP/2".into());
            }
            let head = &self.bytes[..9];
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
            let (kind, flags) = (head[3], head[4]);
            let stream = u32::from_be_bytes([head[5] & 0x7f, head[6], head[7], head[8]]);
            if length > FRAME
                || (!self.has_settings && (kind != kind::SETTINGS || flags & ACK != 0))
            {
                return Err("the answer is not HTTP/2".into());
            }
            if self.bytes.len() < 9 + length {
                break;
            }
            let payload = self.bytes[9..9 + length].to_vec();
            self.bytes.drain(..9 + length);
            self.frame(kind, flags, stream, &payload, &mut back)?;
        }
        Ok(back)
    }

    /// The answer, when all of it is there.
    pub fn answer(self) -> Option<Answer> {
        self.has_ended.then_some(self.answer)
    }

    /// Whether all of the answer is there.
    pub fn is_over(&self) -> bool {
        self.has_ended
    }

    fn frame(
        &mut self,
        kind: u8,
        flags: u8,
        stream: u32,
        payload: &[u8],
        back: &mut Vec<u8>,
    ) -> Result<(), String> {
        let wrong = |what: &str| Err(format!("not HTTP/2: {what}"));
        // Nothing stands between the pieces of a block (RFC 9113 §6.10).
        if self.block.is_some() != (kind == kind::CONTINUATION) {
            return wrong("headers in pieces that do not follow each other");
        }
        let is_ours = stream == STREAM;
        match kind {
            kind::SETTINGS if stream != 0 || !payload.len().is_multiple_of(6) => wrong("settings"),
            kind::SETTINGS => {
                self.has_settings = true;
                if flags & ACK == 0 {
                    frame(back, kind::SETTINGS, ACK, 0, &[]);
                }
                Ok(())
            }
            kind::PING if stream != 0 || payload.len() != 8 => wrong("a ping"),
            kind::PING => {
                if flags & ACK == 0 {
                    frame(back, kind::PING, ACK, 0, payload);
                }
                Ok(())
            }
            kind::GOAWAY => going(stream, payload),
            kind::RST_STREAM if !is_ours || payload.len() != 4 => wrong("a reset"),
            kind::RST_STREAM => {
                Err(format!("the server gave up the request: {}", error_name(payload)))
            }
            kind::WINDOW_UPDATE if payload.len() != 4 => wrong("a window"),
            kind::PUSH_PROMISE => wrong("a push, which was not allowed"),
            kind::DATA | kind::HEADERS | kind::CONTINUATION if !is_ours => {
                wrong("an answer to another request")
            }
            kind::DATA => self.data(flags, payload),
            kind::HEADERS => {
                let payload = without_padding(flags, payload)?;
                let skip = if flags & PRIORITY == 0 { 0 } else { 5 };
                let Some(block) = payload.get(skip..) else { return wrong("cut headers") };
                self.block = Some((Vec::new(), flags & END_STREAM != 0));
                self.headers(flags, block)
            }
            kind::CONTINUATION => self.headers(flags, payload),
            // What nobody knows is ignored (RFC 9113 §5.5), as are windows: what is asked fits into any.
            _ => Ok(()),
        }
    }

    fn data(&mut self, flags: u8, payload: &[u8]) -> Result<(), String> {
        if self.answer.headers.is_empty() {
            return Err("not HTTP/2: a body without headers".into());
        }
        self.flow += payload.len();
        if self.flow > WINDOW {
            return Err(format!("the answer has more than {WINDOW} bytes"));
        }
        self.answer.data.extend_from_slice(without_padding(flags, payload)?);
        self.has_ended = flags & END_STREAM != 0;
        Ok(())
    }

    fn headers(&mut self, flags: u8, piece: &[u8]) -> Result<(), String> {
        let Some((mut block, is_last)) = self.block.take() else { return Ok(()) };
        block.extend_from_slice(piece);
        if block.len() > WINDOW {
            return Err(format!("the headers have more than {WINDOW} bytes"));
        }
        if flags & END_HEADERS == 0 {
            self.block = Some((block, is_last));
            return Ok(());
        }
        let headers = self.decoder.block(&block)?;
        let status = headers.iter().find(|(name, _)| name == ":status").map(|(_, value)| value);
        match (self.answer.headers.is_empty(), status) {
            // What comes before the answer (RFC 9110 §15.2).
            (true, Some(status)) if status.starts_with('1') && !is_last => return Ok(()),
            (true, Some(_)) => (self.answer.headers, self.answer.is_bare) = (headers, is_last),
            (true, None) => return Err("not HTTP/2: headers without a status".into()),
            (false, None) if is_last => self.answer.trailers = headers,
            (false, _) => return Err("not HTTP/2: trailers that are none".into()),
        }
        self.has_ended = is_last;
        Ok(())
    }
}

/// The server takes nothing more (RFC 9113 §6.8); it may answer what it has taken.
fn going(stream: u32, payload: &[u8]) -> Result<(), String> {
    let [a, b, c, d, code @ ..] = payload else {
        return Err("not HTTP/2: a cut good-bye".into());
    };
    let last = u32::from_be_bytes([a & 0x7f, *b, *c, *d]);
    if stream != 0 || code.len() < 4 {
        return Err("not HTTP/2: a good-bye that is none".into());
    }
    if last >= STREAM && code[..4] == [0; 4] {
        return Ok(());
    }
    Err(format!("the server ended the connection: {}", error_name(code)))
}

fn error_name(payload: &[u8]) -> String {
    let [a, b, c, d, ..] = payload else { return "no code".into() };
    let code = u32::from_be_bytes([*a, *b, *c, *d]);
    ERRORS.get(code as usize).map_or_else(|| format!("error {code}"), |name| (*name).into())
}

/// RFC 9113 §6.1.
fn without_padding(flags: u8, payload: &[u8]) -> Result<&[u8], String> {
    if flags & PADDED == 0 {
        return Ok(payload);
    }
    let padded = payload.split_first().and_then(|(padding, rest)| {
        let end = rest.len().checked_sub(usize::from(*padding))?;
        rest.get(..end)
    });
    padded.ok_or_else(|| "not HTTP/2: more padding than frame".into())
}

#[cfg(test)]
#[path = "http2_tests.rs"]
mod tests;
