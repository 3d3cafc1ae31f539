//! A request before the first look: what is loaded by its first use is not ready before that.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::{Attempt, Probe};
use crate::config::CheckSpec;
use crate::config::check::WarmUpSpec;
use crate::decide::cookies::Jar;
use crate::decide::observation::{FailureKind, Observation, ProbeFailure};
use crate::host::clock::Moment;

/// It is sent until it is answered once, and by one at a time.
pub(super) struct WarmUp {
    probe: Box<dyn Probe>,
    stage: Mutex<Stage>,
    changed: Condvar,
}

/// How far it has come.
enum Stage {
    Cold,
    /// Somebody has sent it, and waits for the answer.
    Asked,
    /// With the cookies that came.
    Answered(Jar),
}

/// The check that the request would be, without what is for the origin of its own check alone.
pub(super) fn as_check(spec: &CheckSpec, own: &WarmUpSpec) -> CheckSpec {
    CheckSpec {
        url: own.url.clone(),
        path: own.path.clone(),
        method: own.method.clone(),
        headers: own.headers.clone(),
        body: own.body.clone(),
        json: own.json.clone(),
        cookies: spec.cookies.clone(),
        ca: spec.ca.clone(),
        ..CheckSpec::default()
    }
}

/// The same at the origin of its own check: with the headers, the credentials and the trust of that.
pub(super) fn with_credentials(bare: CheckSpec, spec: &CheckSpec) -> CheckSpec {
    CheckSpec {
        headers: bare.headers.or_else(|| spec.headers.clone()),
        auth: spec.auth.clone(),
        insecure: spec.insecure,
        client_cert: spec.client_cert.clone(),
        client_key: spec.client_key.clone(),
        ..bare
    }
}

impl WarmUp {
    pub(super) fn new(probe: Box<dyn Probe>) -> Self {
        Self { probe, stage: Mutex::new(Stage::Cold), changed: Condvar::new() }
    }

    /// The captured values that it needs.
    pub(super) fn names(&self) -> Vec<String> {
        self.probe.names()
    }

    /// Sends it, if it was not answered yet; gives what went wrong, or how long it took. While
    /// another one sends it, that is waited for instead, at most for the time of the attempt. What it
    /// has brought is added to the cookies each time.
    pub(super) fn send(
        &self,
        attempt: &Attempt<'_>,
        cookies: Option<&mut Jar>,
    ) -> Result<Duration, ProbeFailure> {
        let began = Moment::now();
        let stage = self.stage.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut stage, _) = self
            .changed
            .wait_timeout_while(stage, attempt.timeout, |stage| matches!(stage, Stage::Asked))
            .unwrap_or_else(PoisonError::into_inner);
        match *stage {
            Stage::Answered(_) => {}
            Stage::Asked => return Err(unanswered(began.elapsed())),
            Stage::Cold => {
                *stage = Stage::Asked;
                drop(stage);
                let timeout = attempt.timeout.saturating_sub(began.elapsed());
                let asked = self.ask(&Attempt { timeout, ..*attempt }, cookies.as_deref());
                stage = self.stage.lock().unwrap_or_else(PoisonError::into_inner);
                let (next, failure) = match asked {
                    Ok(news) => (Stage::Answered(news), None),
                    Err(failure) => (Stage::Cold, Some(failure)),
                };
                *stage = next;
                self.changed.notify_all();
                if let Some(failure) = failure {
                    return Err(failure);
                }
            }
        }
        if let (Some(jar), Stage::Answered(news)) = (cookies, &*stage) {
            jar.add(news);
        }
        Ok(began.elapsed())
    }

    /// The cookies that its answer brought.
    fn ask(&self, attempt: &Attempt<'_>, before: Option<&Jar>) -> Result<Jar, ProbeFailure> {
        let (kind, message, elapsed) = match self.probe.look(attempt) {
            // Whatever a server says that is not about itself, it has begun to work.
            Observation::Http(response) if response.status < 500 => {
                let jar = response.cookies.unwrap_or_default();
                return Ok(before.map(|before| jar.since(before)).unwrap_or_default());
            }
            Observation::Http(response) => {
                (FailureKind::Broken, format!("status {}", response.status), response.elapsed)
            }
            Observation::Failed(failure) => (failure.kind, failure.message, failure.elapsed),
            other => (FailureKind::Broken, "no answer over HTTP".into(), other.elapsed()),
        };
        let message = format!("the warm-up request: {message}");
        Err(ProbeFailure { kind, message, elapsed })
    }
}

/// Another attempt has sent it, and had no answer for as long as this one could wait.
fn unanswered(elapsed: Duration) -> ProbeFailure {
    let message = "the warm-up request: sent, and not answered in time".into();
    ProbeFailure { kind: FailureKind::Timeout, message, elapsed }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;
    use crate::decide::expect::Expect;
    use crate::host::room::Room;
    use crate::host::signals::Cancel;

    /// Tells that it is asked, and answers when it may.
    struct Slow(Mutex<Sender<()>>, Mutex<Receiver<Observation>>);

    impl Probe for Slow {
        fn kind(&self) -> &'static str {
            "slow"
        }
        fn target(&self) -> String {
            String::new()
        }
        fn look(&self, _: &Attempt<'_>) -> Observation {
            self.0.lock().unwrap().send(()).unwrap();
            self.1.lock().unwrap().recv().unwrap()
        }
        fn usual(&self, _: &[Expect]) -> Vec<Expect> {
            Vec::new()
        }
    }

    #[test]
    fn p3_one_at_a_time_warms_up_and_the_others_wait_for_their_own_time() {
        let ((told, asked), (answer, answers)) = (channel(), channel());
        let warm_up = WarmUp::new(Box::new(Slow(Mutex::new(told), Mutex::new(answers))));
        let send = |timeout: Duration| {
            let (room, variables, cancel) = (Room::default(), BTreeMap::new(), Cancel::default());
            let place = room.place();
            let attempt =
                Attempt { timeout, variables: &variables, cancel: &cancel, place: &place };
            warm_up.send(&attempt, None)
        };
        let (short, long) = (Duration::from_millis(20), Duration::from_secs(60));
        let broken = |message: &str| {
            let (kind, message) = (FailureKind::Broken, message.into());
            Observation::Failed(ProbeFailure { kind, message, elapsed: Duration::ZERO })
        };
        let well = Observation::Http(crate::decide::observation::HttpResponse {
            status: 200,
            ..Default::default()
        });
        std::thread::scope(|scope| {
            let first = scope.spawn(|| send(long));
            asked.recv().unwrap();
            let late = send(short).unwrap_err();
            assert_eq!(late.kind, FailureKind::Timeout);
            assert!(late.elapsed >= short && late.elapsed < long, "{late:?}");
            let second = scope.spawn(|| send(long));
            answer.send(broken("gone")).unwrap();
            let message = first.join().unwrap().unwrap_err().message;
            assert_eq!(message, "the warm-up request: gone");
            asked.recv().unwrap();
            answer.send(well).unwrap();
            assert!(second.join().unwrap().unwrap() < long, "it was its turn then");
        });
        assert!(send(short).is_ok() && asked.try_recv().is_err(), "it is asked no more");
    }
}
