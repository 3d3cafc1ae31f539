//! The host's side: the verb that a caller wants, done here, with every word of it passed on. It keeps
//! nothing of its own: it may be killed at any moment, and the next one goes on.

use std::collections::BTreeMap;
use std::io::{BufReader, Read, Stdin};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::words::{Answer, Call, Seen, ToCaller, ToHost};
use super::{asking, news, uploads};
use crate::commands::far::{self, Errand};
use crate::commands::{Session, Wire};
use crate::deploy::runs::{self, Run};
use crate::exit::{Exit, Fault, untouched};
use crate::host::clock::Moment;
use crate::host::signals::Cancel;
use crate::host::{detach, env, files, lock, pid, process, ssh, terminal};
use crate::report::v1::Report;

/// The word that makes this program the host's side.
pub const WORD: &str = "serve";

/// A caller who says nothing for so long is gone, though his connection seems to be there.
const SILENCE: Duration = Duration::from_secs(30);
/// How long he may take to tell everybody what is to be told.
const TELLING: Duration = Duration::from_secs(10 * 60);
/// How long whoever came before may take to end.
const GRACE: Duration = Duration::from_millis(200);
/// How often questions are looked for.
const TICK: Duration = Duration::from_millis(20);

/// The way to the caller.
struct Line {
    seen: Option<Seen>,
    shared: Mutex<Shared>,
    cancel: Cancel,
}

#[derive(Default)]
struct Shared {
    /// Runs that were begun by this caller, with the lock that says that he is here.
    runs: Vec<(Run, Option<lock::Held>)>,
    /// Questions that were passed on, by the word for them on the wire.
    asked: BTreeMap<String, PathBuf>,
    /// Runs that were told, and whether everybody was.
    told: BTreeMap<String, bool>,
    heard: Option<Moment>,
    /// Nothing more than telling is left.
    is_over: bool,
}

impl Line {
    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn say(&self, word: &ToCaller) {
        if let Ok(text) = serde_json::to_string(word) {
            // When nobody listens any more, the other end says so.
            terminal::out(&format!("{text}\n"));
        }
    }

    fn announce(&self, run: &Run) {
        let folder = run.folder.display().to_string();
        self.say(&ToCaller::Run { run: run.id.clone(), folder });
    }

    /// Passes on what engines ask.
    fn relay_questions(&self) {
        let folders: Vec<(String, PathBuf)> = {
            let shared = self.shared();
            let own = shared.runs.iter().filter(|(_, held)| held.is_some());
            own.map(|(run, _)| (run.id.clone(), run.folder.clone())).collect()
        };
        for (run, folder) in folders {
            for mut ask in asking::open(&folder) {
                let word = format!("{run}/{}", ask.id);
                if self.shared().asked.insert(word.clone(), folder.clone()).is_none() {
                    ask.id = word;
                    self.say(&ToCaller::Ask(Box::new(ask)));
                }
            }
        }
    }

    fn take(&self, word: ToHost) {
        match word {
            ToHost::Signal { name } if name == "SIGINT" => self.cancel.set("SIGINT"),
            ToHost::Signal { .. } => self.cancel.set("SIGTERM"),
            ToHost::Answer(answer) => {
                let Some(folder) = self.shared().asked.get(&answer.id).cloned() else { return };
                let id = answer.id.rsplit('/').next().unwrap_or_default().to_owned();
                asking::answer(&folder, &Answer { id, ..*answer });
            }
            ToHost::Told { run, all } => {
                self.shared().told.insert(run, all);
            }
            ToHost::Beat | ToHost::Call(_) | ToHost::Files { .. } => {}
        }
    }
}

impl Wire for Line {
    fn line(&self, text: &str, at: Option<u64>) {
        self.say(&ToCaller::Line { text: text.to_owned(), at });
    }

    /// One connection at a time: one that came before hangs, since its caller calls again.
    fn begins(&self, run: &Run) -> anyhow::Result<()> {
        let file = asking::caller_file(&run.folder);
        let wrong = |error: std::io::Error| {
            Fault::error(format!("cannot lock {}: {error}", file.display()))
                .hint("is the state folder writable, and is there space left?")
        };
        let mut held = lock::take_within(&file, GRACE).map_err(wrong)?;
        if held.is_none() {
            let before = lock::text_of_holder(&file).map_err(wrong)?;
            if let Some(before) = before.and_then(|text| process::read_pid(&text)) {
                pid::end(before, GRACE).map_err(wrong)?;
            }
            held = lock::take_within(&file, GRACE).map_err(wrong)?;
        }
        let held = held.ok_or_else(|| {
            Fault::error(format!("another connection goes with the run {} already", run.id))
        })?;
        held.write(&pid::this().to_string()).map_err(wrong)?;
        self.shared().runs.push((run.clone(), Some(held)));
        self.announce(run);
        Ok(())
    }

    fn holds(&self, turn: u64) {
        self.say(&ToCaller::Held { turn });
    }

    fn joins(&self, run: &Run) {
        // Whoever began it answers its questions, unless he is gone.
        let held = lock::try_take(&asking::caller_file(&run.folder)).ok().flatten();
        if let Some(held) = &held {
            held.write(&pid::this().to_string()).unwrap_or_default();
        }
        self.shared().runs.push((run.clone(), held));
        self.announce(run);
    }

    fn seen(&self, run: &Run) -> u64 {
        self.seen.as_ref().filter(|seen| seen.run == run.id).map_or(0, |seen| seen.offset)
    }
}

/// Does what a caller on standard input wants.
pub fn main() -> ExitCode {
    let hello = ToCaller::Hello { version: env!("CARGO_PKG_VERSION").into() };
    let (cancel, shared) = (Cancel::default(), Mutex::default());
    let mut input = BufReader::new(detach::stdin());
    Line { seen: None, shared, cancel }.say(&hello);
    let call = match next(&mut input) {
        Some(ToHost::Call(call)) => *call,
        _ => return Exit::Usage.into(),
    };
    let session = Session::unsignalled(far::name(&call.verb));
    let (cancel, seen) = (session.cancel.clone(), call.seen.clone());
    let line = Arc::new(Line { seen, shared: Mutex::default(), cancel });
    let (session, result) = match prepare(&call, &line, input) {
        Ok(errand) => {
            let session = errand.session(session, line.clone());
            let result = perform(&errand, &call, &session);
            untold(&errand, &line);
            (session, result)
        }
        Err(error) => (session, Err(error)),
    };
    line.say(&ToCaller::End(Box::new(far::end_of(&session, result))));
    wait_for_telling(&line);
    Exit::Pass.into()
}

fn next(input: &mut BufReader<Stdin>) -> Option<ToHost> {
    let line = ssh::read_line(input).ok().flatten()?;
    serde_json::from_str(&line).ok()
}

/// Reads what is wanted, takes the files, goes to where they are, and listens from there on.
fn prepare(call: &Call, line: &Arc<Line>, mut input: BufReader<Stdin>) -> anyhow::Result<Errand> {
    let loaded = call.caller.read(&call.file, &call.text)?;
    let errand = Errand::of(&call.verb, call.args.clone(), loaded, call.caller.clone())?;
    take_files(&errand, call, line, &mut input).map_err(|error| of_run(&errand, call, error))?;
    listen(line.clone(), input);
    Ok(errand)
}

/// Takes the files, and goes to where they are.
fn take_files(
    errand: &Errand,
    call: &Call,
    line: &Line,
    input: &mut BufReader<Stdin>,
) -> anyhow::Result<()> {
    if let Some(digest) = &call.files {
        let all = uploads::folder(&errand.scope, &errand.state);
        if digest.len() != 64 || !digest.chars().all(|c| c.is_ascii_hexdigit()) {
            return Err(Fault::usage(format!("{digest:?} is no digest")).into());
        }
        let folder = match uploads::find(&all, digest) {
            Some(folder) => folder,
            None => {
                line.say(&ToCaller::Want);
                let Some(ToHost::Files { size }) = next(input) else {
                    return Err(Fault::error("the caller sent no files").into());
                };
                uploads::take(&all, digest, input.take(size))?
            }
        };
        let name = folder.display().to_string();
        detach::enter(&name)
            .map_err(|error| Fault::error(format!("cannot go to the folder {name}: {error}")))?;
    }
    Ok(())
}

/// An error of this call: nothing was begun where its run has no folder, over an earlier connection
/// neither.
fn of_run(errand: &Errand, call: &Call, error: anyhow::Error) -> anyhow::Error {
    let own = runs::of(&errand.scope, &errand.state, &call.caller.run);
    if files::exists(own.folder) { error } else { untouched(&error) }
}

/// Hears the caller, passes on what engines ask, and ends when he is gone.
fn listen(line: Arc<Line>, mut input: BufReader<Stdin>) {
    line.shared().heard = Some(Moment::now());
    let listener = line.clone();
    std::thread::spawn(move || {
        while let Some(word) = next(&mut input) {
            listener.shared().heard = Some(Moment::now());
            listener.take(word);
        }
        // The engine goes on; nothing here is worth keeping, and the line may block for ever.
        env::exit(Exit::Error);
    });
    std::thread::spawn(move || {
        let nobody = Cancel::default();
        loop {
            nobody.sleep(TICK);
            let (heard, is_over) = {
                let shared = line.shared();
                (shared.heard, shared.is_over)
            };
            if is_over {
                return;
            }
            if heard.is_some_and(|heard| heard.elapsed() > SILENCE) {
                env::exit(Exit::Error);
            }
            line.relay_questions();
        }
    });
}

/// Goes on with the run of this call when it was begun already, else does what is wanted.
fn perform(errand: &Errand, call: &Call, session: &Session) -> anyhow::Result<Report> {
    let of = |id: &String| runs::of(&errand.scope, &errand.state, id);
    let was_begun = |run: &Run| files::exists(run.commission());
    let own = of(&call.caller.run);
    let last = call.seen.as_ref().map_or_else(|| own.clone(), |seen| of(&seen.run));
    match was_begun(&last) || was_begun(&own) {
        true => errand.rejoin(session, &own, &last),
        false => errand.perform(session).map_err(|error| of_run(errand, call, error)),
    }
}

/// Passes on what nobody has told yet.
fn untold(errand: &Errand, line: &Line) {
    if !errand.tells() {
        return;
    }
    let mut open = Vec::new();
    for (run, news, held) in news::untold(&errand.scope, &errand.state) {
        line.say(&ToCaller::News { run: run.id.clone(), news: Box::new(news) });
        open.push((run, held));
    }
    line.shared().is_over = true;
    let (started, nobody) = (Moment::now(), Cancel::default());
    while !open.is_empty() && started.elapsed() < TELLING {
        nobody.sleep(TICK);
        let told = line.shared().told.clone();
        open.retain(|(run, _)| {
            if told.get(&run.id) == Some(&true) {
                news::told(run);
            }
            // What somebody was not told is told again by the next caller.
            !told.contains_key(&run.id)
        });
    }
}

/// The caller ends the connection, when he has heard the last word.
fn wait_for_telling(line: &Line) {
    line.shared().is_over = true;
    let nobody = Cancel::default();
    nobody.sleep(SILENCE);
}
