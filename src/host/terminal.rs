//! What is printed, and where.

use std::io::{IsTerminal, Write};

/// Whether standard error is a terminal, for progress.
pub fn stderr_is_terminal() -> bool {
    std::io::stderr().is_terminal()
}

/// Whether standard output shows colours: a terminal, and nobody said `NO_COLOR` or `TERM=dumb`.
pub fn stdout_has_colour() -> bool {
    std::io::stdout().is_terminal()
        && super::env::var("NO_COLOR").is_none()
        && super::env::var("TERM").as_deref() != Some("dumb")
}

/// Writes to standard output. A reader that has gone away is no error of ours.
pub fn out(text: &str) {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).unwrap_or_default();
}

/// Writes data to standard output, which somebody is going to read. A reader that has gone away
/// is no error of ours.
///
/// # Errors
/// When it could not be written whole.
pub fn data(text: &str) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// Writes to standard error. A reader that has gone away is no error of ours.
pub fn err(text: &str) {
    let mut stderr = std::io::stderr().lock();
    stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush()).unwrap_or_default();
}
