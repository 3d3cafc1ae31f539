//! Deployments of a Compose project on this machine, beside plain Compose.

use std::time::{Duration, Instant};

use crate::compose_world::ComposeWorld;
use crate::engines::Engine;
use crate::figures::Figures;
use crate::options::Options;
use crate::peak::Peaks;
use crate::table::{Row, Unit};
use crate::{Problem, deploy};

/// In place: what plain Compose does as well.
pub(crate) const PLATFORM: &str =
    "platform:\n  compose: { restart: [web, worker], shared: [db, cache] }\n";
/// The version that answers, asked as often as a person would have it.
pub(crate) const CHECKS: &str = "\
checks:
  - path: /version
    within: 20s
    interval: 100ms
    expect: [{ status: 200 }, { version: { header: X-Version } }]
";
/// Deployments whose memory is watched, which takes time of its own.
pub(crate) const WATCHED: usize = 3;

/// How long a deployment takes beyond plain Compose, and what its engine needs.
pub(crate) fn rows(options: &Options) -> Result<Vec<Row>, Problem> {
    let time = Row::new("rolling Compose deployment, beyond plain Compose", Unit::Time, 1000.0);
    let memory = Row::new("peak memory, engine of a Compose deployment", Unit::Size, 15e6);
    let Some((ours, plain)) = worlds() else { return Ok(vec![time, memory]) };
    let own = ours.waveoff(&[]);
    deploy(options, &own, "v1")?;
    up(&plain, "v1")?;
    let (mut with, mut without) = (Vec::new(), Vec::new());
    let versions = ["v2", "v1"].into_iter().cycle();
    // Both take turns, so that a busy moment of the machine is everybody's.
    for version in versions.clone().take(options.rounds) {
        with.push(deploy(options, &own, version)?.0);
        without.push(up(&plain, version)?);
    }
    let mut peaks = Vec::new();
    for version in versions.skip(options.rounds).take(WATCHED) {
        let watch = Peaks::below(options.program().parent().ok_or("a program has a folder")?);
        deploy(options, &own, version)?;
        peaks.extend(watch.of(["engine"]).map(|[engine]| engine));
    }
    let (with, without) = (Figures::of_times(&with), Figures::of_times(&without));
    let whole = with.map_or(0.0, |with| with.median);
    let beyond = with.zip(without).map(|(with, without)| with.beyond(without.median));
    Ok(vec![
        time.ours(beyond)
            .peer("docker compose up --wait", without)
            .note(format!("the whole of ours: {whole:.0} ms")),
        memory.ours(Figures::of(peaks)),
    ])
}

/// Two shops with the same images, none of them started.
fn worlds() -> Option<(ComposeWorld, ComposeWorld)> {
    let engine = Engine::docker()?;
    let ours = ComposeWorld::new(engine, "ours")?;
    let head = "version: 1\nservice: shop\nenvironment: ours\n";
    ours.world.write("waveoff.yml", &format!("{head}{PLATFORM}{CHECKS}"));
    Some((ours, ComposeWorld::new(engine, "plain")?))
}

/// Plain Compose, until all are healthy.
fn up(shop: &ComposeWorld, version: &str) -> Result<Duration, Problem> {
    let started = Instant::now();
    let ran = shop.compose(version, &["up", "--detach", "--wait"]);
    let took = started.elapsed();
    match ran.code {
        Some(0) => Ok(took),
        code => Err(format!("compose up ended with {code:?}: {}", ran.stderr).into()),
    }
}
