//! The whole reader of `waveoff.yml`: it says where a mistake is, and never a secret.

#![no_main]

use libfuzzer_sys::fuzz_target;
use waveoff_fuzz::config::{Loaded, exchange, parse};
use waveoff_fuzz::exit::{Exit, classify};

const SECRET: &str = "tr0ub4dor&3-\"correct\" horse";

/// What the environment has.
fn variable(name: &str) -> Option<String> {
    match name {
        "TOKEN" => Some(SECRET.into()),
        "PORT" => Some("8080".into()),
        "EMPTY" => Some(String::new()),
        _ => None,
    }
}

fn read(text: &str) -> anyhow::Result<Loaded> {
    let loaded = parse("waveoff.yml", text, variable)?;
    let spec = loaded.transaction()?;
    loaded.remote()?;
    exchange::validate(&loaded, &spec, "shop")?;
    // With `host` it travels, which not every text can.
    drop(loaded.portable());
    Ok(loaded)
}

fuzz_target!(|text: &str| {
    let Err(error) = read(text) else { return };
    let (exit, hint) = classify(&error);
    let message = format!("{error:#}");
    assert_eq!(exit, Exit::Usage, "{message}");
    // Who knows its beginning may write it himself.
    if !text.contains(&SECRET[..4]) {
        let told = |text: &str| text.contains(&SECRET[..10]);
        assert!(!told(&message) && !hint.is_some_and(told), "{message} {hint:?}");
    }
    // What several keys together make has no line.
    let line = message.strip_prefix("waveoff.yml:").and_then(|place| place.split(':').next());
    let Some(Ok(line)) = line.map(str::parse::<usize>) else { return };
    let lines = text.matches(['\n', '\r']).count() + 1;
    assert!((1..=lines).contains(&line), "{lines} lines: {message}");
});
