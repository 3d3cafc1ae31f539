//! The command line of the measuring program.

use std::path::PathBuf;

use crate::Problem;

pub(crate) const USAGE: &str = "\
Usage: scripts/bench WHAT --programs FOLDER [--json FILE] [--rounds N]

  --programs FOLDER  where waveoff is, as it is downloaded
  --json FILE        write all figures there
  --rounds N         deployments that are timed, of each kind [default: 10]
";

#[derive(Debug)]
pub(crate) struct Options {
    programs: PathBuf,
    pub(crate) json: Option<PathBuf>,
    pub(crate) rounds: usize,
}

impl Options {
    /// None when help is wanted.
    pub(crate) fn parse(
        mut arguments: impl Iterator<Item = String>,
    ) -> Result<Option<Self>, Problem> {
        let mut options = Self { programs: PathBuf::new(), json: None, rounds: 10 };
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
            match argument.as_str() {
                "--help" | "-h" => return Ok(None),
                "--programs" => options.programs = PathBuf::from(value()?).canonicalize()?,
                "--json" => options.json = Some(value()?.into()),
                "--rounds" => match value()?.parse() {
                    Ok(rounds) if rounds > 0 => options.rounds = rounds,
                    _ => return Err("--rounds is not a number of deployments".into()),
                },
                // Cargo says what it runs this for.
                "--bench" => {}
                other => return Err(format!("{other} means nothing here").into()),
            }
        }
        if options.programs.as_os_str().is_empty() {
            return Err("--programs is missing".into());
        }
        Ok(Some(options))
    }

    /// The program that is measured.
    pub(crate) fn program(&self) -> PathBuf {
        self.programs.join("waveoff")
    }
}
