//! Event streams (WHATWG HTML, "Server-sent events"): what a stream says, read as it comes.

use std::rc::Rc;

/// The first character of a stream, which is none of it.
const BOM: &[u8] = "\u{feff}".as_bytes();

/// What a stream has told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its type: `message` where the stream names none.
    pub name: String,
    /// What it says, without the line feed behind its last line.
    pub data: String,
    /// The last id that was told, with this event or before it. Events share it: it may be long,
    /// and they many.
    pub id: Rc<str>,
    /// The pause before connecting again that was told last, in milliseconds.
    pub retry: Option<u64>,
}

/// Reads a stream in pieces.
#[derive(Debug)]
pub struct Parser {
    line: Vec<u8>,
    /// Whether the last byte was a CR, to which an LF may belong.
    after_cr: bool,
    is_begun: bool,
    name: String,
    data: String,
    id: Rc<str>,
    retry: Option<u64>,
    most: usize,
}

impl Parser {
    /// For events of at most so many bytes.
    pub fn new(most: usize) -> Self {
        Self {
            line: Vec::new(),
            after_cr: false,
            is_begun: false,
            name: String::new(),
            data: String::new(),
            id: Rc::default(),
            retry: None,
            most,
        }
    }

    /// The events that end in these bytes. One that has not ended is none.
    ///
    /// # Errors
    /// When an event, or a line, is too long.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<Event>, String> {
        let mut events = Vec::new();
        for byte in bytes {
            let after_cr = std::mem::replace(&mut self.after_cr, *byte == b'\r');
            match byte {
                b'\n' if after_cr => {}
                b'\r' | b'\n' => events.extend(self.end_line()),
                _ => self.line.push(*byte),
            }
            if self.line.len() + self.data.len() > self.most {
                return Err(format!("an event is longer than {} bytes", self.most));
            }
        }
        Ok(events)
    }

    fn end_line(&mut self) -> Option<Event> {
        let bytes = std::mem::take(&mut self.line);
        let is_first = !std::mem::replace(&mut self.is_begun, true);
        let bytes = bytes.strip_prefix(BOM).filter(|_| is_first).unwrap_or(&bytes);
        // No character has a line's end within it, so that a line is decoded as the whole would be.
        let line = String::from_utf8_lossy(bytes);
        if line.is_empty() {
            return self.dispatch();
        }
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => self.name = value.into(),
            "data" => {
                self.data.push_str(value);
                self.data.push('\n');
            }
            "id" if !value.contains('\0') => self.id = value.into(),
            "retry" if value.bytes().all(|byte| byte.is_ascii_digit()) => {
                self.retry = value.parse().ok().or(self.retry);
            }
            // A comment, which has no field before its colon, or what nobody knows.
            _ => {}
        }
        None
    }

    fn dispatch(&mut self) -> Option<Event> {
        let (name, mut data) = (std::mem::take(&mut self.name), std::mem::take(&mut self.data));
        data.pop()?;
        let name = if name.is_empty() { "message".into() } else { name };
        Some(Event { name, data, id: Rc::clone(&self.id), retry: self.retry })
    }
}

#[cfg(test)]
#[path = "events_tests.rs"]
mod tests;
