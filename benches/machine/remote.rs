//! Deployments on a host over ssh: what goes there, and what it needs there.

use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;

use crate::compose::{CHECKS, PLATFORM, WATCHED};
use crate::compose_world::ComposeWorld;
use crate::engines::Engine;
use crate::figures::Figures;
use crate::options::Options;
use crate::peak::Peaks;
use crate::ssh_world::{FILE, Far, SSH};
use crate::sshd::Sshd;
use crate::table::{Row, Unit};
use crate::{Problem, deploy};

/// Deployments to a host that has the program since the first one.
const LATER: usize = 4;
/// Hosts that have never seen the program.
const HOSTS: usize = 3;

/// What the host needs for a deployment, and how often the program goes there.
pub(crate) fn rows(options: &Options) -> Result<Vec<Row>, Problem> {
    Ok(vec![memory(options)?, uploads(options)?])
}

/// Of the two processes that a host has of us: the engine, and what connects it with its caller.
fn memory(options: &Options) -> Result<Row, Problem> {
    let row = Row::new("peak memory on a host over ssh, engine + serve", Unit::Size, 15e6);
    let Some(engine) = Engine::docker() else { return Ok(row) };
    let Some(shop) = ComposeWorld::new(engine, "far") else { return Ok(row) };
    let cache = TempDir::new()?;
    let mut variables = engine.variables();
    variables.push(("XDG_CACHE_HOME", cache.path().display().to_string()));
    let Some(host) = Sshd::with(&variables) else { return Ok(row) };
    let head = "version: 1\nservice: shop\nenvironment: far\nupload: [shop.env]\n";
    shop.world.write("waveoff.yml", &format!("{head}{PLATFORM}{CHECKS}{SSH}"));
    let own = shop
        .waveoff(&[])
        .env("LINE", &host.port.to_string())
        .env("DEPLOY_KEY", host.private_key().trim_end())
        .env("HOST_KEYS", host.known_hosts(host.port).trim_end())
        .env("HOST_STATE", &host.home().join("state").display().to_string());
    deploy(options, &own, "v1")?;
    let (mut both, mut engines) = (Vec::new(), Vec::new());
    for version in ["v2", "v1"].into_iter().cycle().take(WATCHED) {
        let watch = Peaks::below(cache.path());
        deploy(options, &own, version)?;
        if let Some([engine, serve]) = watch.of(["engine", "serve"]) {
            both.push(engine + serve);
            engines.push(engine);
        }
    }
    let alone = Figures::of(engines).map_or(0.0, |engines| engines.median / 1e6);
    Ok(row.ours(Figures::of(both)).note(format!("the engine alone: {alone:.2} MB")))
}

/// Several deployments each to hosts that have never seen the program: the first one sends it, and
/// all others together send next to nothing.
fn uploads(options: &Options) -> Result<Row, Problem> {
    let what = format!("sent to a host by {LATER} deployments after the first");
    let row = Row::new(&what, Unit::Size, 0.5e6);
    let size = std::fs::metadata(options.program())?.len();
    let (mut worst, mut first, mut later) = (0.0_f64, Sent::default(), Sent::default());
    for _ in 0..HOSTS {
        let cache = TempDir::new()?;
        let Some(far) = Far::with_cache(FILE, cache.path().to_owned(), &[]) else { return Ok(row) };
        let mut sum = 0;
        for number in 0..=LATER {
            let before = far.line.sent();
            let (took, ran) = deploy(options, &far.waveoff(&[]), &format!("v{number}"))?;
            let bytes = far.line.sent() - before;
            // What it says is held against what went over the line, either way.
            let said = ran.stdout.contains("waveoff was sent to");
            if said != (bytes >= size) || number == 0 && !said {
                return Err(format!("v{number}: was sent is {said}, of {bytes} bytes").into());
            }
            if number == 0 {
                first.add(took, bytes);
            } else {
                later.add(took, bytes);
                sum += bytes;
            }
        }
        check_kept(cache.path())?;
        worst = worst.max(sum as f64);
    }
    let note = format!("the first: {}; each later one: {}", first.show(), later.show());
    Ok(row.ours(Figures::of(vec![worst])).note(note))
}

/// The host keeps the one program that it was sent.
fn check_kept(cache: &Path) -> Result<(), Problem> {
    match std::fs::read_dir(cache.join("waveoff/bin"))?.count() {
        1 => Ok(()),
        count => Err(format!("the host keeps {count} programs").into()),
    }
}

/// What deployments took and sent.
#[derive(Default)]
struct Sent {
    times: Vec<Duration>,
    bytes: Vec<f64>,
}

impl Sent {
    fn add(&mut self, took: Duration, bytes: u64) {
        self.times.push(took);
        self.bytes.push(bytes as f64);
    }

    fn show(&self) -> String {
        let time = Figures::of_times(&self.times).map_or(0.0, |time| time.median);
        let bytes = Figures::of(self.bytes.clone()).map_or(0.0, |bytes| bytes.median);
        format!("{:.3} MB, {time:.0} ms", bytes / 1e6)
    }
}
