//! How long an action takes to come to its program, when that is on the machine already.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::Problem;
use crate::figures::Figures;
use crate::options::Options;
use crate::run::{World, time};
use crate::serve::{Answer, serve};
use crate::table::{Row, Unit};

const RUNS: usize = 100;
/// The smallest, and the largest one: each is hashed on every start.
const PROGRAMS: [&str; 2] = ["wait-healthy", "waveoff"];

/// The bootstrap beside the program that it starts, in turns.
pub(crate) fn start(world: &World, _: &Options) -> Result<Vec<Row>, Problem> {
    PROGRAMS.into_iter().map(|name| warm(world, name)).collect()
}

fn warm(world: &World, name: &str) -> Result<Row, Problem> {
    let mut action = installed(world, name)?;
    let mut program = world.ours(name);
    program.arg("--version");
    let (mut all, mut alone) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        all.push(time(&mut action)?);
        alone.push(time(&mut program)?);
    }
    let alone = Figures::of_times(&alone).ok_or("nothing was started")?.median;
    let what = format!("warm start of the action {name}, beyond the program");
    Ok(Row::new(&what, Unit::Time, 50.0)
        .ours(Figures::of_times(&all).map(|figures| figures.beyond(alone)))
        .note(format!("the program itself: {alone:.2} ms")))
}

/// What an action runs, in a checkout of a release that has been used on this machine before.
fn installed(world: &World, name: &str) -> Result<Command, Problem> {
    let checkout = world.folder.path().join("checkout").join(name);
    let bootstrap = checkout.join("bootstrap");
    fs::create_dir_all(&bootstrap)?;
    for file in ["install.sh", "obtain.sh", "run.sh", "VERSION", "REPOSITORY"] {
        let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("bootstrap").join(file);
        fs::copy(own, bootstrap.join(file))?;
    }
    let program = world.program(name);
    let archive = checkout.join("archive.gz");
    fs::write(&archive, told(world.command(Path::new("gzip")).arg("-c").arg(&program))?)?;
    let entry = format!("{}-unknown-linux-musl/{name}", std::env::consts::ARCH);
    let manifest = format!(
        "{}  {entry}\n{}  {entry}.gz\n",
        sha256(world, &program)?,
        sha256(world, &archive)?
    );
    fs::write(bootstrap.join("MANIFEST"), manifest)?;
    let release = serve(Answer::new("application/gzip", &fs::read(&archive)?))?;
    let mut action = world.command(Path::new("sh"));
    action.arg(bootstrap.join("run.sh")).args([name, "--version"]);
    action.env("RUNNER_TOOL_CACHE", checkout.join("cache"));
    // Only the first one may download.
    action.env("WAVEOFF_RELEASE_URL", format!("http://{release}"));
    time(&mut action)?;
    action.env("WAVEOFF_RELEASE_URL", "http://localhost:9");
    Ok(action)
}

fn sha256(world: &World, file: &Path) -> Result<String, Problem> {
    let said = told(world.command(Path::new("sha256sum")).arg(file))?;
    let said = String::from_utf8(said)?;
    Ok(said.split_whitespace().next().ok_or("sha256sum says nothing")?.to_owned())
}

/// What a program prints that must succeed.
fn told(command: &mut Command) -> Result<Vec<u8>, Problem> {
    let output = command.stdout(Stdio::piped()).output()?;
    if !output.status.success() {
        return Err(format!("{command:?} ended with {}", output.status).into());
    }
    Ok(output.stdout)
}
