//! What was seen, as JSON.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::client::{Outcome, Run, Sample};
use crate::exchange::Failure;
use crate::options::Options;

/// The width of a place in the series.
const PLACE: u128 = 10;
/// Failures that are listed one by one.
const LISTED: usize = 20;

pub(crate) fn json(run: &Run, options: &Options) -> Value {
    let phases = phases(run);
    let all: Vec<&Sample> = run.samples.iter().collect();
    let mut names: BTreeMap<&str, Vec<&Sample>> = BTreeMap::new();
    for (_, _, name, samples) in &phases {
        names.entry(name).or_default().extend(samples);
    }
    let by_name = names.into_iter().map(|(name, samples)| (name.to_owned(), sum(&samples)));
    let phases = phases.iter().map(|(from, to, name, samples)| {
        let mut phase = sum(samples);
        phase["name"] = json!(name);
        phase["start_ms"] = json!(ms(*from));
        phase["end_ms"] = json!(ms(*to));
        phase["versions"] = versions(samples, *from, options);
        phase
    });
    let mut whole = sum(&all);
    whole["duration_ms"] = json!(ms(run.took));
    whole["connections_opened"] = json!(run.opened);
    whole["versions"] = versions(&all, Duration::ZERO, options);
    whole["by_name"] = Value::Object(by_name.collect());
    whole["phases"] = Value::Array(phases.collect());
    whole["failed"] = all.iter().filter_map(failed).take(LISTED).collect();
    whole["series"] = series(&all, options);
    whole
}

type Phase<'a> = (Duration, Duration, &'a str, Vec<&'a Sample>);

/// A request belongs to the phase in which it ended.
fn phases(run: &Run) -> Vec<Phase<'_>> {
    let ends = run.phases.iter().skip(1).map(|(at, _)| *at).chain([run.took]);
    let phases = run.phases.iter().zip(ends).map(|((from, name), to)| {
        let start = run.samples.partition_point(|sample| sample.at < *from);
        let end = run.samples.partition_point(|sample| sample.at < to);
        (*from, to, name.as_str(), run.samples[start..end.max(start)].iter().collect())
    });
    phases.collect()
}

fn sum(samples: &[&Sample]) -> Value {
    let mut failures: Map<_, _> =
        KINDS.map(|kind| (kind.to_owned(), json!(0))).into_iter().collect();
    let mut statuses: BTreeMap<String, u64> = BTreeMap::new();
    let mut times = Vec::with_capacity(samples.len());
    for sample in samples {
        match kind(sample.outcome) {
            None => times.push(sample.took),
            Some(kind) => failures[kind] = json!(failures[kind].as_u64().unwrap_or(0) + 1),
        }
        if let Outcome::Status(status) = sample.outcome {
            *statuses.entry(status.to_string()).or_default() += 1;
        }
    }
    times.sort_unstable();
    json!({
        "requests": samples.len(),
        "ok": times.len(),
        "failures": failures,
        "statuses": statuses,
        "closed_idle": samples.iter().filter(|sample| sample.again).count(),
        "latency_ms": {
            "p50": percentile(&times, 0.50),
            "p95": percentile(&times, 0.95),
            "p99": percentile(&times, 0.99),
            "max": percentile(&times, 1.0),
        },
    })
}

const KINDS: [&str; 7] =
    ["status", "wrong", "refused", "cut", "unanswered", "timed_out", "garbled"];

/// The kind of a failure. What was closed idle is none: it is one only when the second attempt
/// fails, and then it is of that one's kind.
fn kind(outcome: Outcome) -> Option<&'static str> {
    Some(match outcome {
        Outcome::Right(_) => return None,
        Outcome::Status(_) => "status",
        Outcome::Wrong => "wrong",
        Outcome::Failed(Failure::Refused) => "refused",
        Outcome::Failed(Failure::Cut) => "cut",
        Outcome::Failed(Failure::ClosedIdle | Failure::Unanswered) => "unanswered",
        Outcome::Failed(Failure::TimedOut) => "timed_out",
        Outcome::Failed(Failure::Garbled) => "garbled",
    })
}

fn failed(sample: &&Sample) -> Option<Value> {
    let status = match sample.outcome {
        Outcome::Status(status) => json!(status),
        _ => Value::Null,
    };
    let kind = kind(sample.outcome)?;
    Some(json!({ "ms": ms(sample.at), "kind": kind, "status": status, "took_ms": ms(sample.took) }))
}

/// How many answers there were of each version, and when the first and the last.
fn versions(samples: &[&Sample], from: Duration, options: &Options) -> Value {
    let all = options.versions.iter().enumerate().map(|(number, version)| {
        let mut times = samples.iter().filter(|sample| is_of(sample, number)).map(|s| s.at);
        let first = times.next();
        let (count, last) =
            times.fold((u64::from(first.is_some()), first), |(count, _), at| (count + 1, Some(at)));
        let since = |at: Option<Duration>| at.map(|at| ms(at.saturating_sub(from)));
        (
            version.clone(),
            json!({ "count": count, "first_ms": since(first), "last_ms": since(last) }),
        )
    });
    Value::Object(all.collect())
}

fn is_of(sample: &Sample, number: usize) -> bool {
    matches!(sample.outcome, Outcome::Right(version) if usize::from(version) == number)
}

/// Which version answered when: for each place of 10 ms, how many answers of each.
fn series(samples: &[&Sample], options: &Options) -> Value {
    let mut places: BTreeMap<u128, Vec<u64>> = BTreeMap::new();
    for sample in samples {
        if let Outcome::Right(version) = sample.outcome {
            let place = sample.at.as_millis() / PLACE * PLACE;
            let counts = places.entry(place).or_insert_with(|| vec![0; options.versions.len()]);
            counts[usize::from(version)] += 1;
        }
    }
    let places: Vec<Value> =
        places.into_iter().map(|(place, counts)| json!([place as u64, counts])).collect();
    json!({ "versions": options.versions, "place_ms": PLACE as u64, "places": places })
}

/// By nearest rank, in milliseconds.
fn percentile(sorted: &[Duration], share: f64) -> Value {
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.max(1) - 1).map_or(Value::Null, |time| json!(ms(*time)))
}

/// Milliseconds, to the microsecond.
fn ms(time: Duration) -> f64 {
    time.as_micros() as f64 / 1000.0
}
