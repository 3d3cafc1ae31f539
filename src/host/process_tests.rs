use super::group::parse_stat;
use super::*;

fn sh(script: &str) -> CommandSpec {
    CommandSpec::new(Argv(["sh", "-c", script].map(Into::into).into()))
}

const LONG: Duration = Duration::from_secs(60);

#[test]
fn output_and_exit_code_are_kept() {
    let ran = run(&sh("echo out; echo err >&2; exit 3"), LONG, &Cancel::default(), None);
    let Ok(Ran::Ended(output)) = ran else { panic!("{ran:?}") };
    assert_eq!(
        (output.code, output.stdout, output.stderr),
        (Some(3), b"out\n".into(), b"err\n".into())
    );
}

#[test]
fn a_child_left_behind_does_not_hold_us_up() {
    let started = Moment::now();
    let ran = run(&sh("sleep 30 & echo done"), LONG, &Cancel::default(), None).unwrap();
    assert!(matches!(ran, Ran::Ended(output) if output.stdout == b"done\n"));
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_command_out_of_time_is_ended_with_its_children() {
    let ran = run(&sh("sleep 600 & wait"), Duration::from_millis(50), &Cancel::default(), None);
    assert!(matches!(ran, Ok(Ran::TimedOut(output)) if output.signal == Some(15)));
}

#[test]
fn endless_output_is_bounded() {
    let script = "head -c 3000000 /dev/zero | tr '\\0' x; echo; echo end";
    let ran = run(&sh(script), LONG, &Cancel::default(), None);
    let Ok(Ran::Ended(output)) = ran else { panic!("{ran:?}") };
    assert!(output.stdout.len() <= KEPT && output.stdout.ends_with(b"end\n"));
}

#[test]
fn d11_a_started_process_lives_until_it_is_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log").display().to_string();
    let process = start(&sh("echo up; exec sleep 600"), &log, |_| Ok(())).unwrap();
    assert!(is_alive(process));
    assert!(!is_alive(Started { ticks: Some(1), ..process }), "another start is another process");
    assert!(stop(process, Duration::from_secs(10)).unwrap());
    assert!(!is_alive(process));
    assert!(stop(process, Duration::ZERO).unwrap(), "stopping twice is no error");
}

#[test]
fn a_process_that_ignores_sigterm_is_killed_after_its_grace() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let spec = sh("trap '' TERM; echo ready; while :; do sleep 1; done");
    let process = start(&spec, &log.display().to_string(), |_| Ok(())).unwrap();
    while !crate::host::files::read_text(&log).unwrap_or_default().contains("ready") {
        std::thread::yield_now();
    }
    assert!(!stop(process, Duration::from_millis(50)).unwrap());
    assert!(!is_alive(process));
}

#[test]
fn d11_what_was_not_written_down_never_runs() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log").display().to_string();
    let mut seen = None;
    let refused = start(&sh("echo runs; exec sleep 600"), &log, |started| {
        assert!(is_alive(started) && crate::host::files::read_text(&log).unwrap().is_empty());
        seen = Some(started);
        Err(io::Error::other("the disk is full"))
    });
    assert!(refused.is_err());
    while is_alive(seen.unwrap()) {
        std::thread::yield_now();
    }
    assert_eq!(crate::host::files::read_text(&log).unwrap(), "");
}

#[test]
fn arguments_reach_a_started_program_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log").display().to_string();
    let words = ["printf", "<%s>\n", "", "a b", "$(id)", "-e", "`x`\n"];
    let spec = CommandSpec::new(Argv(words.map(Into::into).into()));
    let process = start(&spec, &log, |_| Ok(())).unwrap();
    while is_alive(process) {
        std::thread::yield_now();
    }
    let wanted = "<>\n<a b>\n<$(id)>\n<-e>\n<`x`\n>\n";
    assert_eq!(crate::host::files::read_text(&log).unwrap(), wanted);
}

#[test]
fn d11_a_process_lives_while_one_of_its_threads_does() {
    let stat = |state: char, threads: u32| {
        let text = format!("7 (a) b) {state} 1 7 7 0 -1 0 0 0 0 0 0 0 0 0 20 0 {threads} 0 4711 0");
        parse_stat(&text).unwrap()
    };
    assert_eq!((stat('S', 1).group, stat('S', 1).ticks), (7, 4711));
    assert!(stat('S', 1).lives() && stat('Z', 2).lives(), "its sockets are open");
    assert!(!stat('Z', 1).lives() && !stat('X', 2).lives());
}
