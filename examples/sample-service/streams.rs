//! Connections that stay: a WebSocket that says what it hears, and a stream of events.

use std::io::{self, Read, Write};
use std::thread;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

/// What a server's key is made with (RFC 6455 §1.3).
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// Sends every message back, piece by piece, until the client says good-bye (RFC 6455).
pub(crate) fn echo(input: &mut impl Read, output: &mut impl Write, key: &str) -> io::Result<()> {
    let accept = digest(&SHA1_FOR_LEGACY_USE_ONLY, format!("{key}{GUID}").as_bytes());
    write!(
        output,
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\n\r\n",
        STANDARD.encode(accept)
    )?;
    loop {
        let mut head = [0; 2];
        input.read_exact(&mut head)?;
        let mut long = [0; 2];
        let length = match head[1] & 0x7f {
            126 => {
                input.read_exact(&mut long)?;
                usize::from(u16::from_be_bytes(long))
            }
            127 => return Err(io::Error::other("the message is too long")),
            short => usize::from(short),
        };
        let mut mask = [0; 4];
        input.read_exact(&mut mask)?;
        let mut payload = vec![0; length];
        input.read_exact(&mut payload)?;
        payload.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
        match head[0] & 0x0f {
            PING => answer(output, 0x80 | PONG, &payload)?,
            PONG => {}
            opcode => {
                answer(output, head[0], &payload)?;
                if opcode == CLOSE {
                    return Ok(());
                }
            }
        }
    }
}

fn answer(output: &mut impl Write, first: u8, payload: &[u8]) -> io::Result<()> {
    let mut frame = vec![first];
    match payload.len() {
        short @ 0..=125 => frame.push(short as u8),
        long => {
            frame.push(126);
            frame.extend((long as u16).to_be_bytes());
        }
    }
    frame.extend(payload);
    output.write_all(&frame)
}

/// Says which version it is, and then every second that it is there, until the client leaves.
pub(crate) fn events(output: &mut impl Write, version: &str) -> io::Result<()> {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\
                Cache-Control: no-store\r\nTransfer-Encoding: chunked\r\n\r\n";
    output.write_all(head.as_bytes())?;
    let first =
        format!("retry: 1000\nevent: version\nid: 1\ndata: {{\"version\":\"{version}\"}}\n\n");
    write!(output, "{:x}\r\n{first}\r\n", first.len())?;
    for number in 2_u64.. {
        let event = format!("event: tick\nid: {number}\ndata: {number}\n\n");
        write!(output, "{:x}\r\n{event}\r\n", event.len())?;
        thread::sleep(Duration::from_secs(1));
    }
    Ok(())
}
