//! The Huffman code of HPACK (RFC 7541, appendix B). It is canonical, so that the lengths of the
//! codes say all of it.

/// The length of each byte's code, in bits; the last one is that of the end, which is never sent.
#[rustfmt::skip]
const LENGTHS: [u8; 257] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
    28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
    6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
    5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
    13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5,
    6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
    24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
    21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
    19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
    30,
];
const LONGEST: usize = 30;
/// The symbol that means the end.
const END: u16 = 256;

/// Reads texts in this code.
pub(super) struct Huffman {
    /// The symbols in the order of their codes.
    symbols: Vec<u16>,
    /// How many codes have each length.
    counts: [u32; LONGEST + 1],
}

impl Huffman {
    pub(super) fn new() -> Self {
        let mut symbols: Vec<u16> = (0..=END).collect();
        symbols.sort_by_key(|symbol| LENGTHS[usize::from(*symbol)]);
        let mut counts = [0; LONGEST + 1];
        LENGTHS.iter().for_each(|length| counts[usize::from(*length)] += 1);
        Self { symbols, counts }
    }

    /// The text, whose last byte is filled up with ones (RFC 7541 §5.2).
    pub(super) fn decode(&self, bytes: &[u8]) -> Result<Vec<u8>, String> {
        let wrong = || "headers: not the Huffman code of HPACK".to_owned();
        let bits = bytes.iter().flat_map(|byte| (0..8).rev().map(move |at| (byte >> at) & 1));
        let mut text = Vec::new();
        // The code so far, its length, the first code of this length, and that one's symbol.
        let (mut code, mut length, mut first, mut index) = (0_u32, 0_usize, 0_u32, 0_u32);
        let mut is_ones = true;
        for bit in bits {
            code = (code << 1) | u32::from(bit);
            first <<= 1;
            length += 1;
            is_ones &= bit == 1;
            let count = *self.counts.get(length).ok_or_else(wrong)?;
            if code < first + count {
                let symbol = self.symbols.get((index + code - first) as usize);
                let symbol = symbol.copied().filter(|symbol| *symbol != END).ok_or_else(wrong)?;
                text.push(symbol as u8);
                (code, length, first, index, is_ones) = (0, 0, 0, 0, true);
            } else {
                first += count;
                index += count;
            }
        }
        if length > 7 || !is_ones { Err(wrong()) } else { Ok(text) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p7_the_code_is_complete() {
        // Kraft's sum of a complete code is one.
        let sum: u64 = LENGTHS.iter().map(|length| 1_u64 << (LONGEST - usize::from(*length))).sum();
        assert_eq!(sum, 1 << LONGEST);
    }

    #[test]
    fn p7_the_examples_of_the_specification_are_read() {
        // RFC 7541, appendix C.4 and C.6.
        let huffman = Huffman::new();
        for (bytes, text) in [
            (&b"\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff"[..], "www.example.com"),
            (b"\xa8\xeb\x10\x64\x9c\xbf", "no-cache"),
            (b"\x25\xa8\x49\xe9\x5b\xb8\xe8\xb4\xbf", "custom-value"),
            (b"\x64\x02", "302"),
            (
                b"\xd0\x7a\xbe\x94\x10\x54\xd4\x44\xa8\x20\x05\x95\x04\x0b\x81\x66\xe0\x82\xa6\x2d\x1b\xff",
                "Mon, 21 Oct 2013 20:13:21 GMT",
            ),
            (b"", ""),
        ] {
            assert_eq!(huffman.decode(bytes).unwrap(), text.as_bytes());
        }
    }

    #[test]
    fn p8_a_text_that_is_filled_up_otherwise_is_refused() {
        // With zeros, with a whole byte, and with the end itself.
        for bytes in [&b"\x18"[..], b"\x1f\xff", b"\xff\xff\xff\xff", b"\x64\x02\xff"] {
            assert!(Huffman::new().decode(bytes).is_err(), "{bytes:?}");
        }
        assert_eq!(Huffman::new().decode(b"\x1f").unwrap(), b"a");
    }
}
