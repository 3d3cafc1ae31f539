//! The user's commands that change the database, and take that back.

use super::commands::Commands;
use super::state::Scope;
use crate::config::transaction::MigrateSpec;
use crate::config::values::Argv;
use crate::decide::history::Release;
use crate::host::process::CommandSpec;
use crate::platforms::{Place, ours, surroundings};

/// A command of the migration, with what it may know.
pub fn command(spec: &MigrateSpec, argv: &Argv, release: &Release, scope: &Scope) -> CommandSpec {
    let known = [
        ("VERSION", release.version.clone()),
        ("SHA", release.sha.clone().unwrap_or_default()),
        ("DIGESTS", release.digests.join(" ")),
    ];
    let around = surroundings(scope, &Place::default());
    let env = known.map(ours).into_iter().chain(around).chain(spec.env.clone()).collect();
    CommandSpec { argv: argv.clone(), env, dir: spec.dir.clone() }
}

/// The version of the database schema; none when no command tells it.
///
/// # Errors
/// When there is a command, and it cannot tell.
pub fn schema(
    spec: &MigrateSpec,
    commands: &Commands<'_>,
    scope: &Scope,
) -> Result<Option<String>, String> {
    let Some(argv) = &spec.version else { return Ok(None) };
    let command = command(spec, argv, &Release::default(), scope);
    match commands.ask(&command) {
        Ok(version) if version.is_empty() => {
            Err(format!("{} printed no version of the schema", argv.show()))
        }
        Ok(version) => Ok(Some(version)),
        Err(trouble) => Err(trouble.reason),
    }
}
