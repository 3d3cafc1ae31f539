//! HPACK (RFC 7541): headers of HTTP/2, written without an index and read in all their forms.

use std::collections::VecDeque;

use super::huffman::Huffman;

/// Name and value.
pub type Header = (String, String);

/// The size of the dynamic table, as it is when nobody says otherwise (RFC 9113 §6.5.2).
const TABLE: usize = 4096;
/// All headers of a block together, counted as in RFC 7541 §4.1: a short block can name a long
/// entry very often.
const MOST: usize = 64 << 10;
/// What an entry costs besides its texts (RFC 7541 §4.1).
const ENTRY: usize = 32;

/// Reads blocks of headers, one after the other.
pub struct Decoder {
    huffman: Huffman,
    /// The newest one first.
    dynamic: VecDeque<Header>,
    limit: usize,
}

impl Default for Decoder {
    fn default() -> Self {
        Self { huffman: Huffman::new(), dynamic: VecDeque::new(), limit: TABLE }
    }
}

impl Decoder {
    /// The headers of a block.
    ///
    /// # Errors
    /// When it is not HPACK, or too long; no block behind it can be read.
    pub fn block(&mut self, mut bytes: &[u8]) -> Result<Vec<Header>, String> {
        let mut headers: Vec<Header> = Vec::new();
        let mut size = 0;
        while let Some(first) = bytes.first().copied() {
            let header = match first {
                // Indexed (RFC 7541 §6.1).
                0x80.. => {
                    let index = integer(&mut bytes, 7)?;
                    self.entry(index)?
                }
                // With incremental indexing (§6.2.1).
                0x40..0x80 => {
                    let header = self.literal(&mut bytes, 6)?;
                    self.dynamic.push_front(header.clone());
                    self.evict();
                    header
                }
                // A new size of the table (§6.3), at the beginning of a block only (§4.2).
                0x20..0x40 => {
                    let limit = integer(&mut bytes, 5)?;
                    if limit > TABLE || !headers.is_empty() {
                        return Err("headers: a size of the table that is not allowed".into());
                    }
                    self.limit = limit;
                    self.evict();
                    continue;
                }
                // Without indexing, or never to be indexed (§6.2.2, §6.2.3).
                _ => self.literal(&mut bytes, 4)?,
            };
            size += cost(&header);
            if size > MOST {
                return Err(format!("the headers have more than {MOST} bytes"));
            }
            headers.push(header);
        }
        Ok(headers)
    }

    fn literal(&self, bytes: &mut &[u8], prefix: u32) -> Result<Header, String> {
        let name = match integer(bytes, prefix)? {
            0 => self.text(bytes)?,
            index => self.entry(index)?.0,
        };
        Ok((name, self.text(bytes)?))
    }

    /// RFC 7541 §2.3.3: the static table, and the dynamic one behind it.
    fn entry(&self, index: usize) -> Result<Header, String> {
        let Some(index) = index.checked_sub(1) else { return Err("headers: an index of 0".into()) };
        if let Some((name, value)) = STATIC.get(index) {
            return Ok(((*name).into(), (*value).into()));
        }
        let entry = self.dynamic.get(index - STATIC.len());
        entry.cloned().ok_or_else(|| "headers: an index behind the tables".into())
    }

    /// RFC 7541 §5.2.
    fn text(&self, bytes: &mut &[u8]) -> Result<String, String> {
        let is_huffman = bytes.first().is_some_and(|first| first & 0x80 != 0);
        let length = integer(bytes, 7)?;
        let (text, rest) = bytes.split_at_checked(length).ok_or_else(cut)?;
        *bytes = rest;
        let text = if is_huffman { &self.huffman.decode(text)? } else { text };
        Ok(String::from_utf8_lossy(text).into_owned())
    }

    fn evict(&mut self) {
        while self.dynamic.iter().map(cost).sum::<usize>() > self.limit {
            self.dynamic.pop_back();
        }
    }
}

fn cost((name, value): &Header) -> usize {
    name.len() + value.len() + ENTRY
}

/// RFC 7541 §5.1.
fn integer(bytes: &mut &[u8], prefix: u32) -> Result<usize, String> {
    let mask = (1_usize << prefix) - 1;
    let (first, mut rest) = bytes.split_first().ok_or_else(cut)?;
    let mut value = usize::from(*first) & mask;
    if value == mask {
        // No length of ours needs more.
        for shift in [0, 7, 14] {
            let (next, after) = rest.split_first().ok_or_else(cut)?;
            rest = after;
            value += usize::from(next & 0x7f) << shift;
            if next & 0x80 == 0 {
                *bytes = rest;
                return Ok(value);
            }
        }
        return Err("headers: a number is too large".into());
    }
    *bytes = rest;
    Ok(value)
}

fn cut() -> String {
    "headers: the block is cut".into()
}

/// Adds a header that nobody keeps: never to be indexed (RFC 7541 §6.2.3), since it may be a
/// secret.
pub fn write(block: &mut Vec<u8>, name: &str, value: &str) {
    block.push(0x10);
    for text in [name, value] {
        let mut left = text.len();
        if left < 127 {
            block.push(left as u8);
        } else {
            block.push(127);
            left -= 127;
            while left >= 128 {
                block.push((left & 0x7f) as u8 | 0x80);
                left >>= 7;
            }
            block.push(left as u8);
        }
        block.extend(text.as_bytes());
    }
}

/// RFC 7541, appendix A.
#[rustfmt::skip]
const STATIC: [(&str, &str); 61] = [
    (":authority", ""), (":method", "GET"), (":method", "POST"), (":path", "/"),
    (":path", "/index.html"), (":scheme", "http"), (":scheme", "https"), (":status", "200"),
    (":status", "204"), (":status", "206"), (":status", "304"), (":status", "400"),
    (":status", "404"), (":status", "500"), ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"), ("accept-language", ""), ("accept-ranges", ""),
    ("accept", ""), ("access-control-allow-origin", ""), ("age", ""), ("allow", ""),
    ("authorization", ""), ("cache-control", ""), ("content-disposition", ""),
    ("content-encoding", ""), ("content-language", ""), ("content-length", ""),
    ("content-location", ""), ("content-range", ""), ("content-type", ""), ("cookie", ""),
    ("date", ""), ("etag", ""), ("expect", ""), ("expires", ""), ("from", ""), ("host", ""),
    ("if-match", ""), ("if-modified-since", ""), ("if-none-match", ""), ("if-range", ""),
    ("if-unmodified-since", ""), ("last-modified", ""), ("link", ""), ("location", ""),
    ("max-forwards", ""), ("proxy-authenticate", ""), ("proxy-authorization", ""), ("range", ""),
    ("referer", ""), ("refresh", ""), ("retry-after", ""), ("server", ""), ("set-cookie", ""),
    ("strict-transport-security", ""), ("transfer-encoding", ""), ("user-agent", ""),
    ("vary", ""), ("via", ""), ("www-authenticate", ""),
];

#[cfg(test)]
#[path = "hpack_tests.rs"]
mod tests;
