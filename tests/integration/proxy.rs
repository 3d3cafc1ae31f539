//! A network between a client and a server on loopback, with its troubles.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::harness::serve;

/// What goes to its port comes out at another one, as fast as it is told to let it through.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    line: Arc<Line>,
}

/// How often a slow line lets something through.
const TICK: Duration = Duration::from_millis(20);
const NO_LIMIT: u64 = u64::MAX;

struct Line {
    /// Bytes a second in each direction; none pass while it is 0.
    rate: AtomicU64,
    refuses: AtomicBool,
    /// How many bytes went to the server, and after how many the line is cut.
    sent: AtomicU64,
    cut_at: AtomicU64,
    open: Mutex<Vec<TcpStream>>,
}

impl Proxy {
    /// A good line to a port of this machine.
    pub(crate) fn to(target: u16) -> Self {
        let line = Arc::new(Line {
            rate: AtomicU64::new(NO_LIMIT),
            refuses: AtomicBool::new(false),
            sent: AtomicU64::new(0),
            cut_at: AtomicU64::new(NO_LIMIT),
            open: Mutex::default(),
        });
        let shared = line.clone();
        let port = serve("127.0.0.1:0", move |client| shared.connect(client, target));
        Self { port, line }
    }

    /// Lets so many bytes through in a second, in each direction.
    pub(crate) fn slow(&self, bytes: u64) {
        self.line.rate.store(bytes, Ordering::SeqCst);
    }

    /// Lets nothing through, and says nothing: as a cable that was pulled.
    pub(crate) fn freeze(&self) {
        self.slow(0);
    }

    /// Lets everything through again: what was on its way, and new connections.
    pub(crate) fn open(&self) {
        self.slow(NO_LIMIT);
        self.line.refuses.store(false, Ordering::SeqCst);
    }

    /// Ends the connections that there are; new ones are let through.
    pub(crate) fn cut(&self) {
        self.line.cut();
    }

    /// Ends the connections that there are, and takes no new one until it is opened.
    pub(crate) fn refuse(&self) {
        self.line.refuses.store(true, Ordering::SeqCst);
        self.line.cut();
    }

    /// Cuts once so many more bytes went to the server.
    pub(crate) fn cut_after(&self, bytes: u64) {
        self.line.cut_at.store(self.sent() + bytes, Ordering::SeqCst);
    }

    /// How many bytes went to the server in all.
    pub(crate) fn sent(&self) -> u64 {
        self.line.sent.load(Ordering::SeqCst)
    }
}

impl Line {
    fn connect(self: &Arc<Self>, client: TcpStream, target: u16) {
        if self.refuses.load(Ordering::SeqCst) {
            return;
        }
        let Ok(server) = TcpStream::connect(("127.0.0.1", target)) else { return };
        for stream in [&client, &server] {
            let _ = stream.set_nodelay(true);
            self.open.lock().unwrap().push(stream.try_clone().unwrap());
        }
        let (from, to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
        let line = self.clone();
        std::thread::spawn(move || line.pass(from, to, false));
        self.pass(client, server, true);
    }

    /// Passes on what comes until either end goes away.
    fn pass(&self, mut from: TcpStream, mut to: TcpStream, counted: bool) {
        let mut block = [0; 1 << 14];
        loop {
            let rate = self.rate.load(Ordering::SeqCst);
            if rate == 0 {
                std::thread::park_timeout(TICK);
                continue;
            }
            let ticks = (1000 / TICK.as_millis()) as u64;
            let room = (rate / ticks).clamp(1, block.len() as u64) as usize;
            let Ok(count @ 1..) = from.read(&mut block[..room]) else { break };
            // It may have been frozen since it began to wait for these.
            while self.rate.load(Ordering::SeqCst) == 0 {
                std::thread::park_timeout(TICK);
            }
            if to.write_all(&block[..count]).is_err() {
                break;
            }
            if counted {
                self.count(count as u64);
            }
            if rate != NO_LIMIT {
                std::thread::sleep(TICK);
            }
        }
        let _ = to.shutdown(Shutdown::Write);
    }

    fn count(&self, bytes: u64) {
        let sent = self.sent.fetch_add(bytes, Ordering::SeqCst) + bytes;
        if sent >= self.cut_at.load(Ordering::SeqCst) {
            self.cut_at.store(NO_LIMIT, Ordering::SeqCst);
            self.cut();
        }
    }

    fn cut(&self) {
        for stream in self.open.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}
