//! A small service to deploy, watch and break: the release of the demo and of the tests.
//!
//! It answers the health documents that real services answer, says which version it is in every
//! response, and can be made to misbehave by `--fault NAME[=VALUE]`, by `POST /fault/NAME`, or by
//! being started as one of `--bad-versions`. It is a worker, a one-shot job and its own probe too,
//! so that an image with nothing else in it is a whole service.

#![expect(
    clippy::disallowed_methods,
    clippy::exit,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program of its own, not a part of waveoff"
)]

mod documents;
mod faults;
mod http;
mod options;
mod others;
mod pages;
mod service;
mod streams;

use std::io::Write;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use std::{env, fs, io, process, thread};

use crate::faults::Fault;
use crate::options::{Options, Role, USAGE};
use crate::pages::Pages;
use crate::service::Service;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--help" || argument == "-h") {
        print!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    let options = match Options::parse(arguments, |name| env::var(name).ok()) {
        Ok(options) => options,
        Err(problem) => {
            eprintln!("sample-service: {problem}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match run(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("sample-service: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: Options) -> io::Result<()> {
    // In a container, the probe is given the service's faults too, and they are not its own.
    if let Role::Probe(path) = &options.role {
        return others::probe(options.port, path);
    }
    if options.faults.has(Fault::ExitAtStart) {
        return Err(io::Error::other("exits at start, as --fault exit-at-start asks"));
    }
    if let Some(seconds) = options.faults.number(Fault::SlowStart) {
        thread::sleep(Duration::from_secs_f64(seconds));
    }
    if let Some(folder) = &options.data {
        others::remember(folder, &options.version)?;
    }
    match options.role {
        Role::Serve => serve_all(options),
        Role::Work => others::work(&options),
        Role::Once | Role::Probe(_) => {
            println!("did the work of {}", options.version);
            Ok(())
        }
    }
}

fn serve_all(options: Options) -> io::Result<()> {
    let pages = options.pages.as_deref().map_or(Ok(Pages::default()), Pages::read)?;
    let listeners = listen(&options.bind, options.port)?;
    let port = listeners[0].local_addr()?.port();
    if let Some(seconds) = options.faults.number(Fault::CrashAfter) {
        crash_after(seconds);
    }
    let deaf = options.faults.has(Fault::Deaf);
    let service = Arc::new(Service::new(options.version, options.faults, options.data, pages));
    let ending = Arc::clone(&service);
    others::at_the_end(deaf, move || ending.wait_for_answers())?;
    let mut servers = Vec::new();
    for listener in listeners {
        let address = listener.local_addr()?;
        let service = Arc::clone(&service);
        servers.push(thread::spawn(move || serve(&listener, &service)));
        println!("listening on {address}");
    }
    io::stdout().flush()?;
    if let Some(file) = &options.port_file {
        write_whole(file, &format!("{port}\n"))?;
    }
    for server in servers {
        server.join().map_err(|_| io::Error::other("a listener ended"))?;
    }
    Ok(())
}

/// Binds every address to one port; the first one decides when the kernel chooses it.
fn listen(addresses: &[IpAddr], port: u16) -> io::Result<Vec<TcpListener>> {
    let mut port = port;
    let mut listeners = Vec::new();
    for address in addresses {
        let address = SocketAddr::new(*address, port);
        let listener = TcpListener::bind(address).map_err(|error| {
            io::Error::new(error.kind(), format!("cannot listen on {address}: {error}"))
        })?;
        port = listener.local_addr()?.port();
        listeners.push(listener);
    }
    Ok(listeners)
}

fn serve(listener: &TcpListener, service: &Arc<Service>) {
    for stream in listener.incoming().flatten() {
        let service = Arc::clone(service);
        // A client that goes away, or too many threads, is not a reason to stop serving.
        let _ = thread::Builder::new().spawn(move || service.connection(stream));
    }
}

fn crash_after(seconds: f64) {
    thread::spawn(move || {
        thread::sleep(Duration::from_secs_f64(seconds));
        eprintln!("sample-service: crashes, as the fault crash-after asks");
        process::exit(134);
    });
}

/// A reader never sees half a file.
fn write_whole(file: &Path, text: &str) -> io::Result<()> {
    let temporary = file.with_extension(format!("{}.tmp", process::id()));
    fs::write(&temporary, text)?;
    fs::rename(&temporary, file)
}
