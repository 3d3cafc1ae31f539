//! Going with a verb on a host: its lines, its questions, what it wants told, over as many
//! connections as it takes.

use std::collections::BTreeMap;
use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use super::call::Notify;
use super::leaving::Leaving;
use super::link::{Link, Way};
use super::pack::Pack;
use super::trouble::Trouble;
use super::words::{Answer, Ask, Call, News, Seen, ToCaller, ToHost};
use crate::channels::Telling;
use crate::checks::{self, Target};
use crate::commands::{Session, tell_news};
use crate::config::Loaded;
use crate::decide::verdict::Verdict;
use crate::decide::words::show_duration;
use crate::deploy::runs::End;
use crate::deploy::story::Story;
use crate::exit::Fault;
use crate::host::clock::Moment;
use crate::host::signals::Cancel;
use crate::report::v1::{Check, Report, Step};

/// How often things are looked at.
const TICK: Duration = Duration::from_millis(20);
/// How often the host hears that we are here.
const BEAT: Duration = Duration::from_secs(5);
/// The first pause before another connection is tried, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));

/// What was told of a run.
#[derive(Default)]
struct Told {
    locations: Vec<String>,
    steps: Vec<Step>,
}

/// The caller's side of a verb that is done elsewhere.
pub(super) struct Talk<'a> {
    session: &'a Session,
    loaded: &'a Loaded,
    way: Way,
    call: Call,
    telling: Telling,
    pack: Option<(Pack, u64)>,
    begins: bool,
    patience: Duration,
    /// What was asked of us, and what we saw as far as that is known.
    asked: BTreeMap<String, Option<Answer>>,
    answers: (Sender<Answer>, Receiver<Answer>),
    told: BTreeMap<String, Told>,
    /// Who wants to know that the hosts are held.
    held: Option<Notify>,
    /// How long the first connection is tried.
    entering: Duration,
}

/// How a connection ended.
enum Ended {
    With(Box<End>),
    Left(&'static str),
}

impl<'a> Talk<'a> {
    pub(super) fn new(
        session: &'a Session,
        loaded: &'a Loaded,
        way: Way,
        call: Call,
        telling: Telling,
    ) -> Self {
        Self {
            session,
            loaded,
            way,
            call,
            telling,
            pack: None,
            begins: false,
            patience: Duration::ZERO,
            asked: BTreeMap::new(),
            answers: channel(),
            told: BTreeMap::new(),
            held: None,
            entering: Duration::ZERO,
        }
    }

    /// The same, saying when the hosts are held.
    pub(super) fn saying(self, held: Option<Notify>) -> Self {
        Self { held, ..self }
    }

    /// The same, trying for so long to be let in.
    pub(super) fn entering(self, entering: Duration) -> Self {
        Self { entering, ..self }
    }

    /// The same with files, and with how it is gone with: a verb that begins a run is cancelled by a
    /// signal, any other one is only left; a lost connection is tried again for so long.
    pub(super) fn with(self, pack: Option<(Pack, u64)>, begins: bool, patience: Duration) -> Self {
        Self { pack, begins, patience, ..self }
    }

    /// Goes with it to its end.
    pub(super) fn go(mut self) -> anyhow::Result<Report> {
        // Nothing was said yet of what is wanted.
        let mut link = self.enter().map_err(|trouble| trouble.fault.untouched())?;
        if link.uploaded > 0 {
            let size = link.uploaded / 1024;
            let host = &self.way.host;
            self.session.say(&format!("          | waveoff was sent to {host}: {size} KiB, once"));
        }
        // However often we are asked to end: the host hears of it, and we go along until it has.
        self.session.cancel.stay();
        loop {
            let trouble = match self.over(&mut link) {
                Ok(Ended::With(end)) => return self.conclude(*end),
                Ok(Ended::Left(signal)) => {
                    return Err(self.left(&format!("left by {signal}")).into());
                }
                Err(trouble) if self.goes_on() => trouble,
                Err(trouble) => return Err(trouble.fault.into()),
            };
            drop(link);
            link = self.again(trouble)?;
        }
    }

    /// The first connection.
    fn enter(&self) -> Result<Link, Trouble> {
        let (started, cancel) = (Moment::now(), &self.session.cancel);
        let (mut pause, longest) = PAUSES;
        let mut told = false;
        loop {
            let trouble = match self.way.connect(&|| cancel.reason()) {
                Err(trouble) if trouble.may_pass && started.elapsed() < self.entering => trouble,
                entered => return entered,
            };
            if !told {
                let limit = show_duration(self.entering);
                let text = format!("{}; that is tried again for {limit}", trouble.fault);
                self.session.say(&format!("          | {text}"));
                told = true;
            }
            if cancel.sleep(pause) {
                return Err(trouble);
            }
            pause = (pause * 2).min(longest);
        }
    }

    /// Whether something goes on there that can be gone with again.
    fn goes_on(&self) -> bool {
        self.begins || self.call.seen.is_some()
    }

    /// Waits until the host can be reached again, and no longer than makes sense.
    fn again(&self, trouble: Trouble) -> anyhow::Result<Link> {
        let say = |text: &str| self.session.say(&format!("          | {text}"));
        say(&format!("{}; the run goes on there, and another connection is tried", trouble.fault));
        let (lost, nobody) = (Moment::now(), Cancel::default());
        let (mut pause, longest) = PAUSES;
        let mut last = trouble;
        let leaving = Leaving::of(&self.session.cancel, self.begins);
        loop {
            let until = Moment::now();
            while until.elapsed() < pause && leaving.by().is_none() {
                nobody.sleep(TICK);
            }
            if let Some(signal) = leaving.by() {
                return Err(self.left(&format!("left by {signal}")).into());
            }
            if !last.may_pass || lost.elapsed() >= self.patience {
                return Err(self.left(&last.fault.to_string()).into());
            }
            match self.way.connect(&|| leaving.by()) {
                Ok(link) => return Ok(link),
                Err(trouble) => last = trouble,
            }
            pause = (pause * 2).min(longest);
        }
    }

    fn left(&self, why: &str) -> Fault {
        match &self.call.seen {
            Some(Seen { run, .. }) => Fault::error(format!(
                "{why}; the engine goes on there with the run {run}"
            ))
            .hint(format!(
                "see how it ends with `waveoff attach --run {run}`, from any machine with \
                         this configuration"
            )),
            None => Fault::error(format!("{why}; whether anything was begun is not known"))
                .hint("`waveoff status` tells, when the host can be reached again"),
        }
    }

    /// Over one connection, from the first word to the last.
    fn over(&mut self, link: &mut Link) -> Result<Ended, Trouble> {
        link.say(&ToHost::Call(Box::new(self.call.clone())))?;
        let (mut beat, mut passed) = (Moment::now(), None);
        loop {
            if let Some(word) = link.hear(TICK)?
                && let Some(ended) = self.take(link, word)?
            {
                return Ok(ended);
            }
            while let Ok(answer) = self.answers.1.try_recv() {
                link.say(&ToHost::Answer(Box::new(answer.clone())))?;
                self.asked.insert(answer.id.clone(), Some(answer));
            }
            match self.session.cancel.reason() {
                Some(signal) if !self.begins || signal == "SIGHUP" => {
                    return Ok(Ended::Left(signal));
                }
                Some(signal) if passed != Some(signal) => {
                    passed = Some(signal);
                    link.say(&ToHost::Signal { name: signal.into() })?;
                }
                _ => {}
            }
            if beat.elapsed() >= BEAT {
                beat = Moment::now();
                link.say(&ToHost::Beat)?;
            }
        }
    }

    fn take(&mut self, link: &mut Link, word: ToCaller) -> Result<Option<Ended>, Trouble> {
        match word {
            ToCaller::Want => return self.send_files(link),
            ToCaller::Run { run, .. } => {
                if self.call.seen.as_ref().is_none_or(|seen| seen.run != run) {
                    self.call.seen = Some(Seen { run, offset: 0 });
                }
            }
            ToCaller::Line { text, at } => self.show(&text, at),
            ToCaller::Ask(ask) => self.answer(link, *ask)?,
            ToCaller::News { run, news } => {
                let all = self.tell(&run, &news);
                link.say(&ToHost::Told { run, all })?;
            }
            ToCaller::End(end) => return Ok(Some(Ended::With(end))),
            ToCaller::Held { turn } => self.held.iter().for_each(|held| held(turn)),
            ToCaller::Hello { .. } => {}
        }
        Ok(None)
    }

    /// Shows a line, unless it was shown over an earlier connection.
    fn show(&mut self, text: &str, at: Option<u64>) {
        if let (Some(at), Some(seen)) = (at, &mut self.call.seen) {
            if at <= seen.offset {
                return;
            }
            seen.offset = at;
        }
        self.session.say(text);
    }

    fn send_files(&self, link: &mut Link) -> Result<Option<Ended>, Trouble> {
        let Some((pack, size)) = &self.pack else { return Ok(None) };
        link.say(&ToHost::Files { size: *size })?;
        // Nothing is begun without them; what was begun before must hear of a signal.
        let leave = || self.session.cancel.reason().filter(|_| self.call.seen.is_none());
        let watch = || leave().map_or(Ok(()), |signal| Err(io::Error::other(signal)));
        // What changes on the way is noticed by its digest; what is short, by the connection's end.
        let sent = pack.write(&mut link.writer(&watch));
        match (sent, leave()) {
            (Ok(()), _) => Ok(None),
            (Err(_), Some(signal)) => Ok(Some(Ended::Left(signal))),
            (Err(error), None) => Err(link.unsent(&error, &leave)),
        }
    }

    /// Asks checks from here, while everything else goes on.
    fn answer(&mut self, link: &mut Link, ask: Ask) -> Result<(), Trouble> {
        match self.asked.get(&ask.id) {
            Some(Some(answer)) => return link.say(&ToHost::Answer(Box::new(answer.clone()))),
            Some(None) => return Ok(()),
            None => {}
        }
        self.asked.insert(ask.id.clone(), None);
        let (session, loaded) = (self.session.aside(), self.loaded.clone());
        let sender = self.answers.0.clone();
        std::thread::spawn(move || {
            let checks = look(&session, &loaded, &ask);
            sender.send(Answer { id: ask.id, checks }).unwrap_or_default();
        });
        Ok(())
    }

    /// Tells it, unless that was done over an earlier connection; whether everybody was told.
    fn tell(&mut self, run: &str, news: &News) -> bool {
        if !self.told.contains_key(run) {
            // What has been cancelled is still told.
            self.session.cancel.shield();
            let mut story = Story::new(self.session);
            let locations = tell_news(&mut story, &self.telling, news);
            self.session.cancel.stay();
            self.told.insert(run.to_owned(), Told { locations, steps: story.steps });
        }
        self.told[run].steps.iter().all(|step| step.verdict.is_pass())
    }

    fn conclude(mut self, end: End) -> anyhow::Result<Report> {
        if let Some(wrong) = end.error {
            return Err(wrong.fault().into());
        }
        let mut report = end.report;
        let own = self.call.seen.as_ref().and_then(|seen| self.told.remove(&seen.run));
        if let Some(told) = own {
            let known = report.outputs.get("incident").cloned().unwrap_or_default();
            let known = known.lines().map(str::to_owned).chain(told.locations);
            let locations: Vec<String> = known.collect();
            report.outputs.insert("incident".into(), locations.join("\n"));
            report.steps.extend(told.steps);
        }
        if let Some(file) = report.outputs.get_mut("report-file") {
            self.session.report_file().unwrap_or_default().clone_into(file);
        }
        Ok(report)
    }
}

/// What is seen from here, when the same is meant there.
fn look(session: &Session, loaded: &Loaded, ask: &Ask) -> Result<Vec<Check>, String> {
    let wrong = |error: anyhow::Error| session.masked(&format!("{error:#}"));
    if checks::digest(loaded, &ask.checks).map_err(wrong)? != ask.digest {
        let names = ask.checks.join(", ");
        return Err(format!("the configuration that began this has other checks ({names})"));
    }
    let target = Target {
        expected_version: ask.version.clone(),
        limit: ask.limit_ms.map(Duration::from_millis),
        once: ask.once,
        settling: ask.settling,
        only: Some(ask.checks.clone()),
        ..Target::default()
    };
    let seen = checks::verify(session, loaded, &target);
    let seen = seen.map_err(wrong)?;
    let mut report = session.report(Verdict::Pass, "");
    report.checks = seen.checks;
    // What is secret here is shown on no other machine.
    session.masked_report(&report).map(|report| report.checks).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p8_who_means_another_check_does_not_answer() {
        let loaded = |text: &str| {
            let text = format!("version: 1\nchecks: [{{ command: [\"{text}\"], attempts: 1 }}]\n");
            crate::config::parse("waveoff.yml", &text, |_| None).unwrap()
        };
        let checks = vec!["#1".to_owned()];
        let digest = checks::digest(&loaded("true"), &checks).unwrap();
        let ask = Ask {
            id: "1".into(),
            checks,
            digest,
            version: None,
            limit_ms: None,
            once: true,
            settling: false,
        };
        let look = |text: &str, ask: &Ask| look(&Session::silent(), &loaded(text), ask);
        assert!(look("true", &ask).unwrap()[0].verdict.is_pass());
        let error = look("/bin/true", &ask).unwrap_err();
        assert_eq!(error, "the configuration that began this has other checks (#1)");
        let unknown = Ask { checks: vec!["#2".into()], ..ask.clone() };
        let error = look("true", &unknown).unwrap_err();
        assert!(error.contains("there is no check #2"), "{error}");
        // An engine of an earlier program does not say what it means.
        assert!(look("true", &Ask { digest: String::new(), ..ask }).is_err());
    }
}
