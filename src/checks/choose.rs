//! `--only` and `--skip`: some of the checks, by name or tag.

use std::sync::Arc;

use super::Check;
use super::order::provider;
use crate::exit::Fault;

/// The checks that are wanted, in their order, with those whose captures they need.
///
/// # Errors
/// [`Fault`] with exit code 2 when a word means no check, or nothing is left.
pub fn choose(
    checks: Vec<Arc<Check>>,
    only: &[String],
    skip: &[String],
) -> anyhow::Result<Vec<Arc<Check>>> {
    for (flag, word) in only.iter().map(|w| ("--only", w)).chain(skip.iter().map(|w| ("--skip", w)))
    {
        if !checks.iter().any(|check| is_meant(check, word)) {
            return Err(unknown(&checks, flag, word).into());
        }
    }
    let meant = |check: &Check, words: &[String]| words.iter().any(|word| is_meant(check, word));
    let mut chosen: Vec<bool> = checks
        .iter()
        .map(|check| (only.is_empty() || meant(check, only)) && !meant(check, skip))
        .collect();
    if !chosen.contains(&true) {
        return Err(Fault::usage("--only and --skip leave no check")
            .hint("a run without a check proves nothing; skip less")
            .into());
    }
    // Whoever captures what is needed is needed as well, though it was not meant.
    loop {
        let needed = checks.iter().zip(&chosen).filter(|(_, chosen)| **chosen);
        let sources: Vec<usize> = needed
            .flat_map(|(check, _)| &check.needs)
            .filter_map(|name| provider(&checks, name))
            .collect();
        let more: Vec<usize> = sources.into_iter().filter(|index| !chosen[*index]).collect();
        if more.is_empty() {
            break;
        }
        more.into_iter().for_each(|index| chosen[index] = true);
    }
    Ok(checks
        .into_iter()
        .zip(chosen)
        .filter(|(_, chosen)| *chosen)
        .map(|(check, _)| check)
        .collect())
}

fn is_meant(check: &Check, word: &str) -> bool {
    check.name == word || check.tags.iter().any(|tag| tag == word)
}

fn unknown(checks: &[Arc<Check>], flag: &str, word: &str) -> Fault {
    let names = checks.iter().map(|check| check.name.as_str());
    let tags = checks.iter().flat_map(|check| &check.tags).map(String::as_str);
    let mut known: Vec<&str> = tags.chain(names).collect();
    known.sort_unstable();
    known.dedup();
    let close = known.iter().min_by_key(|known| strsim::levenshtein(word, known));
    let hint = match close.filter(|close| strsim::levenshtein(word, close) <= 2) {
        Some(close) => format!("did you mean `{close}`?"),
        None => format!("known are: {}", known.join(", ")),
    };
    Fault::usage(format!("{flag} {word}: no check has that name or tag")).hint(hint)
}
