use super::*;
use proptest::prelude::*;

const S: Duration = Duration::from_secs(1);

fn policy(mode: Mode) -> Policy {
    Policy {
        mode,
        interval: Interval::Fixed(S),
        timeout: S * 5,
        passes: 1,
        start_period: Duration::ZERO,
    }
}

fn outcome(verdict: Verdict) -> Outcome {
    Outcome { verdict, answered: true, unresolved: false, terminal: None }
}

/// Plays a list of outcomes, each taking no time, and returns the end with its time in seconds.
fn play(policy: Policy, outcomes: impl IntoIterator<Item = Outcome>) -> (End, u64) {
    let mut wait = Wait::new(policy, 1);
    let mut outcomes = outcomes.into_iter();
    let mut now = Duration::ZERO;
    loop {
        match wait.next(now) {
            Step::Probe { .. } => {
                wait.observe(now, &outcomes.next().expect("an outcome"));
            }
            Step::Sleep(pause) => now += pause,
            Step::Done(end) => return (end, now.as_secs()),
        }
    }
}

fn supervise() -> Policy {
    Policy {
        interval: Interval::Fixed(S * 10),
        start_period: S * 30,
        ..policy(Mode::Supervise { length: S * 300, failures: 3 })
    }
}

#[test]
fn p1_waiting_ends_at_the_first_pass() {
    let outcomes = [Verdict::Fail, Verdict::Error, Verdict::Pass].map(outcome);
    let (end, at) = play(policy(Mode::Wait { within: S * 60 }), outcomes);
    assert_eq!((end.verdict, at), (Verdict::Pass, 2));
}

#[test]
fn p1_failures_alone_never_end_a_wait_before_its_deadline() {
    let forever = std::iter::repeat_with(|| outcome(Verdict::Fail));
    let (end, at) = play(policy(Mode::Wait { within: S * 60 }), forever);
    assert_eq!((end.verdict, at), (Verdict::Fail, 60));
    assert!(end.reason.contains("60 attempts"), "{}", end.reason);
}

#[test]
fn p2_who_was_not_given_his_time_at_the_end_has_not_failed() {
    let ends = |last: Duration, given: Duration| {
        let mut wait = Wait::new(supervise(), 1);
        assert_eq!(wait.next(last - S * 10), Step::Probe { timeout: S * 5 });
        wait.observe(last - S * 10, &outcome(Verdict::Pass));
        assert_eq!(wait.next(last), Step::Probe { timeout: given });
        wait.observe(last + given, &outcome(Verdict::Fail));
        match wait.next(S * 300) {
            Step::Done(end) => end.verdict,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(ends(S * 298, S * 2), Verdict::Pass);
    // Who was given all of it has.
    assert_ne!(ends(S * 295, S * 5), Verdict::Pass);
}

#[test]
fn p1_what_the_deadline_cuts_off_does_not_decide() {
    let policy = policy(Mode::Wait { within: S * 10 });
    let mut wait = Wait::new(policy.clone(), 1);
    assert!(wait.observe(S, &outcome(Verdict::Fail)));
    assert!(!wait.observe(S * 10, &outcome(Verdict::Error)), "it had no time to find out");
    let Step::Done(end) = wait.next(S * 10) else { panic!("it is over") };
    assert_eq!(end.verdict, Verdict::Fail);
    // The only one does: never having found out is no failure.
    let mut wait = Wait::new(policy, 1);
    assert!(wait.observe(S * 10, &outcome(Verdict::Error)));
    let Step::Done(end) = wait.next(S * 10) else { panic!("it is over") };
    assert_eq!(end.verdict, Verdict::Error);
}

#[test]
fn p5_a_crash_is_a_condition_and_not_asked_in_the_start_period() {
    let crashed = || Outcome {
        terminal: Some(Terminal::Crashed("it crashed".into())),
        ..outcome(Verdict::Fail)
    };
    let wait = policy(Mode::Wait { within: S * 60 });
    let (end, at) = play(wait.clone(), [crashed()]);
    assert_eq!((end.verdict, at, end.reason.as_str()), (Verdict::Fail, 0, "it crashed"));
    let patient = Policy { start_period: S * 2, ..wait };
    let (end, _) = play(patient, [crashed(), crashed(), outcome(Verdict::Pass)]);
    assert_eq!(end.verdict, Verdict::Pass);
}

#[test]
fn p2_a_flap_is_not_enough_when_several_passes_are_wanted() {
    let wanted = Policy { passes: 3, ..policy(Mode::Wait { within: S * 60 }) };
    let flapping = [Verdict::Pass, Verdict::Pass, Verdict::Fail, Verdict::Pass, Verdict::Pass];
    let steady = std::iter::repeat_with(|| outcome(Verdict::Pass));
    let (end, at) = play(wanted, flapping.map(outcome).into_iter().chain(steady));
    assert_eq!((end.verdict, at), (Verdict::Pass, 5));
}

#[test]
fn p2_three_failures_in_a_row_decide_and_the_start_period_does_not_count() {
    let failing = std::iter::repeat_with(|| outcome(Verdict::Fail));
    let (end, at) = play(supervise(), failing);
    // Failures at 0, 10 and 20 s do not count; those at 30, 40 and 50 s do.
    assert_eq!((end.verdict, at), (Verdict::Fail, 50));
}

#[test]
fn p2_two_failures_then_a_pass_start_the_count_again() {
    let rhythm = [Verdict::Fail, Verdict::Fail, Verdict::Pass].map(outcome);
    let (end, _) = play(supervise(), rhythm.into_iter().cycle());
    assert_eq!(end.verdict, Verdict::Pass);
}

#[test]
fn p5_a_gone_process_ends_it_even_in_the_start_period() {
    let gone = Outcome {
        terminal: Some(Terminal::Gone("process 42 is gone".into())),
        ..outcome(Verdict::Fail)
    };
    let patient = Policy { start_period: S * 30, ..policy(Mode::Wait { within: S * 60 }) };
    let (end, at) = play(patient, [gone]);
    assert_eq!((end, at), (End { verdict: Verdict::Fail, reason: "process 42 is gone".into() }, 0));
}

#[test]
fn p5_a_fail_fast_condition_waits_for_the_start_period() {
    let terminal = || Outcome {
        terminal: Some(Terminal::Condition("status 410".into())),
        ..outcome(Verdict::Fail)
    };
    let patient = Policy { start_period: S * 5, ..policy(Mode::Wait { within: S * 60 }) };
    let (end, at) = play(patient, std::iter::repeat_with(terminal));
    assert_eq!((end.verdict, at), (Verdict::Fail, 5));
}

#[test]
fn p5_a_name_that_never_resolves_ends_the_wait_as_an_error() {
    let unresolved = || Outcome { unresolved: true, answered: false, ..outcome(Verdict::Error) };
    let (end, at) = play(policy(Mode::Wait { within: S * 60 }), std::iter::repeat_with(unresolved));
    assert_eq!((end.verdict, at), (Verdict::Error, u64::from(NAME_TRIES) - 1));
}

#[test]
fn p11_attempts_are_bounded_and_the_last_one_speaks() {
    let tries = || policy(Mode::Attempts { attempts: 3 });
    let (end, at) = play(tries(), [Verdict::Fail, Verdict::Fail, Verdict::Error].map(outcome));
    assert_eq!((end.verdict, at), (Verdict::Error, 2));
    let (end, at) = play(tries(), [Verdict::Fail, Verdict::Pass].map(outcome));
    assert_eq!((end.verdict, at), (Verdict::Pass, 1));
}

#[test]
fn an_attempt_never_outlives_the_deadline() {
    let mut wait = Wait::new(policy(Mode::Wait { within: S * 2 }), 1);
    assert_eq!(wait.next(Duration::from_millis(1500)), Step::Probe { timeout: S / 2 });
}

#[test]
fn nothing_observed_is_not_a_pass() {
    let mut wait = Wait::new(policy(Mode::Wait { within: Duration::ZERO }), 1);
    let Step::Done(end) = wait.next(Duration::ZERO) else { panic!("not done") };
    assert_eq!(end.verdict, Verdict::Inconclusive);
}

proptest! {
    /// Whatever happens, a wait ends by its deadline, and passes only after the passes it wanted.
    #[test]
    fn a_wait_ends_in_time_and_passes_only_with_enough_passes(
        seed: u64,
        passes in 1u32..4,
        verdicts in prop::collection::vec(0u8..4, 1..200),
    ) {
        let all = [Verdict::Pass, Verdict::Inconclusive, Verdict::Error, Verdict::Fail];
        let wanted = Policy {
            passes,
            interval: Interval::Adaptive,
            ..policy(Mode::Wait { within: S * 20 })
        };
        let mut wait = Wait::new(wanted, seed);
        let mut verdicts = verdicts.into_iter().map(|i| all[i as usize]).cycle();
        let (mut now, mut row) = (Duration::ZERO, 0);
        let end = loop {
            match wait.next(now) {
                Step::Probe { timeout } => {
                    prop_assert!(now + timeout <= S * 20);
                    let verdict = verdicts.next().expect("a cycle never ends");
                    row = if verdict.is_pass() { row + 1 } else { 0 };
                    wait.observe(now, &outcome(verdict));
                }
                Step::Sleep(pause) => {
                    prop_assert!(pause > Duration::ZERO && now + pause <= S * 20);
                    now += pause;
                }
                Step::Done(end) => break end,
            }
        };
        prop_assert_eq!(end.verdict.is_pass(), row >= passes);
    }
}
