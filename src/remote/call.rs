//! The caller's side: what travels, who is told, and what becomes of the report.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::files::named as files_of;
use super::link::Way;
use super::pack::Pack;
use super::talk::Talk;
use super::words::{Call, Caller, Variables};
use crate::channels::Telling;
use crate::checks;
use crate::commands::Session;
use crate::config::Loaded;
use crate::config::ssh::{Address, RemoteSpec};
use crate::deploy::{State, lock, new_id, setup};
use crate::exit::{Fault, untouched};
use crate::host::{env, files};
use crate::report::v1::Report;

/// Somebody who is told the number of a turn.
pub(crate) type Notify = Arc<dyn Fn(u64) + Send + Sync>;

/// What is wanted of a host.
pub(crate) struct Wanted {
    /// The verb.
    pub(crate) verb: &'static str,
    /// Whether it starts a run, which goes on without us.
    pub(crate) begins: bool,
    /// Its arguments.
    pub(crate) args: Value,
    /// The host.
    pub(crate) host: Address,
    /// The folder of published programs, when a flag names one.
    pub(crate) programs: Option<String>,
    /// Who is told when the hosts are held.
    pub(crate) held: Option<Notify>,
    /// How long it is tried to be let in, when that may become possible.
    pub(crate) entering: Duration,
}

/// Has a verb done on a host, and goes with it to its end.
///
/// # Errors
/// When the host cannot be reached, the connection is lost for good, or the verb ended with one.
pub(crate) fn call(
    session: &Session,
    loaded: &Loaded,
    spec: &RemoteSpec,
    wanted: Wanted,
) -> anyhow::Result<Report> {
    // What is refused here has never left.
    let talk = prepare(session, loaded, spec, wanted).map_err(|error| untouched(&error))?;
    talk.go()
}

fn prepare<'a>(
    session: &'a Session,
    loaded: &'a Loaded,
    spec: &RemoteSpec,
    wanted: Wanted,
) -> anyhow::Result<Talk<'a>> {
    checks::refuse_crossing(loaded)?;
    let folder = Path::new(&loaded.file).parent().unwrap_or(Path::new("")).to_owned();
    let folder = if folder.as_os_str().is_empty() { Path::new(".").to_owned() } else { folder };
    let way = Way::of(wanted.host.clone(), spec, &folder, wanted.programs.clone())?;
    let named = files_of(loaded, spec, &folder, &wanted)?;
    let pack = (!named.is_empty()).then(|| Pack::of(&folder, &named)).transpose()?;
    let packed = pack
        .as_ref()
        .map(Pack::digest)
        .transpose()
        .map_err(|error| Fault::usage(format!("upload: cannot read the files: {error}")))?;
    let portable = loaded.portable()?;
    let variables = portable.names.iter();
    let variables = variables.filter_map(|name| Some((name.clone(), env::var(name)?)));
    let mut telling = telling(session, loaded)?;
    let (files_incidents, tells) = telling.without_files();
    let caller = Caller {
        run: new_id(),
        by: lock::who(),
        repository: env::var("GITHUB_REPOSITORY"),
        files_incidents,
        tells,
        variables: Variables(variables.collect()),
    };
    // What reads as a mistake there is one here, where it costs nothing.
    caller.read(&loaded.file, &portable.text)?;
    let call = Call {
        verb: wanted.verb.into(),
        args: wanted.args,
        file: loaded.file.clone(),
        text: portable.text,
        caller,
        files: packed.as_ref().map(|(digest, _)| digest.clone()),
        seen: None,
    };
    let size = packed.map_or(0, |(_, size)| size);
    let patience = match wanted.begins {
        true => setup::deploy_within(&loaded.transaction()?),
        false => Duration::from_secs(60),
    };
    let talk = Talk::new(session, loaded, way, call, telling);
    let talk = talk.saying(wanted.held).entering(wanted.entering);
    Ok(talk.with(pack.map(|pack| (pack, size)), wanted.begins, patience))
}

/// Who is told from here.
fn telling(session: &Session, loaded: &Loaded) -> anyhow::Result<Telling> {
    // Where nobody else could be told, it is written down here, too: a machine's log is soon gone.
    let state =
        State::named(None).map_or_else(|_| files::absolute("."), |state| state.root().into());
    Telling::of(Some(&loaded.config), state.join("incidents"), None, session)
}
