//! The command line of the measuring program.

use std::path::PathBuf;

use crate::Problem;

pub(crate) const USAGE: &str = "\
Usage: bench --programs FOLDER [--sizes FILE] [--json FILE] [--at-once N] [--rounds N] [PART]...

  --programs FOLDER  where wait-healthy and smoke-test are
  --sizes FILE       what scripts/size printed
  --json FILE        write all figures there
  --at-once N        waiting programs at the same time [default: 16]
  --rounds N         rounds of waiting programs [default: 4]
  PART               once, port, suite, many, start, memory, size [default: all]
";

#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) programs: PathBuf,
    pub(crate) sizes: Option<PathBuf>,
    pub(crate) json: Option<PathBuf>,
    pub(crate) at_once: usize,
    pub(crate) rounds: usize,
    parts: Vec<String>,
}

impl Options {
    /// None when help is wanted.
    pub(crate) fn parse(
        mut arguments: impl Iterator<Item = String>,
    ) -> Result<Option<Self>, Problem> {
        let mut options = Self {
            programs: PathBuf::new(),
            sizes: None,
            json: None,
            at_once: 16,
            rounds: 4,
            parts: Vec::new(),
        };
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
            match argument.as_str() {
                "--help" | "-h" => return Ok(None),
                "--programs" => options.programs = value()?.into(),
                "--sizes" => options.sizes = Some(value()?.into()),
                "--json" => options.json = Some(value()?.into()),
                "--at-once" => options.at_once = positive(&value()?)?,
                "--rounds" => options.rounds = positive(&value()?)?,
                part if crate::PARTS.iter().any(|(name, _)| *name == part) => {
                    options.parts.push(part.into());
                }
                other => return Err(format!("{other} means nothing here").into()),
            }
        }
        if options.programs.as_os_str().is_empty() {
            return Err("--programs is missing".into());
        }
        Ok(Some(options))
    }

    pub(crate) fn wants(&self, part: &str) -> bool {
        self.parts.is_empty() || self.parts.iter().any(|wanted| wanted == part)
    }
}

fn positive(text: &str) -> Result<usize, Problem> {
    match text.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(format!("{text} is not a number of runs").into()),
    }
}
