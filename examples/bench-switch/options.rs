//! The command line.

use std::path::PathBuf;

use crate::Problem;
use crate::world::Kind;

pub(crate) const USAGE: &str = "\
Usage: bench-switch --programs FOLDER [--json FILE] [--requests N] [--connections N] [--rate N] [ROUTER]...

  --programs FOLDER  where load and sample-service are
  --json FILE        write all figures there
  --requests N       requests at full speed, for each router [default: 200000]
  --connections N    keep-alive connections [default: 64]
  --rate N           requests per second of the second, paced run [default: 2000]
  ROUTER             nginx, nginx-close, haproxy [default: all]
";

#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) programs: PathBuf,
    pub(crate) json: Option<PathBuf>,
    pub(crate) requests: u32,
    pub(crate) connections: u32,
    pub(crate) rate: u32,
    routers: Vec<String>,
}

impl Options {
    /// None when help is wanted.
    pub(crate) fn parse(
        mut arguments: impl Iterator<Item = String>,
    ) -> Result<Option<Self>, Problem> {
        let mut options = Self {
            programs: PathBuf::new(),
            json: None,
            requests: 200_000,
            connections: 64,
            rate: 2000,
            routers: Vec::new(),
        };
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
            match argument.as_str() {
                "--help" | "-h" => return Ok(None),
                "--programs" => options.programs = value()?.into(),
                "--json" => options.json = Some(value()?.into()),
                "--requests" => options.requests = positive(&value()?)?,
                "--connections" => options.connections = positive(&value()?)?,
                "--rate" => options.rate = positive(&value()?)?,
                router if Kind::ALL.iter().any(|kind| kind.part() == router) => {
                    options.routers.push(router.into());
                }
                other => return Err(format!("{other} means nothing here").into()),
            }
        }
        if options.programs.as_os_str().is_empty() {
            return Err("--programs is missing".into());
        }
        Ok(Some(options))
    }

    pub(crate) fn wants(&self, router: &str) -> bool {
        self.routers.is_empty() || self.routers.iter().any(|wanted| wanted == router)
    }
}

fn positive(text: &str) -> Result<u32, Problem> {
    match text.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(format!("{text} is not a number above 0").into()),
    }
}
