//! `--only` and `--skip`: some of the checks, by name or tag.

use super::Check;
use super::cookies::{pass_over, shown};
use super::order::provider;
use crate::exit::Fault;

/// The checks that are wanted, in their order, with those whose captures they need. What is skipped
/// is never among them: cookies pass over it.
///
/// # Errors
/// [`Fault`] with exit code 2 when a word means no check, when a check needs what one that is
/// skipped captures, or when nothing is left.
pub fn choose(
    mut checks: Vec<Check>,
    only: &[String],
    skip: &[String],
) -> anyhow::Result<Vec<Check>> {
    for (flag, word) in only.iter().map(|w| ("--only", w)).chain(skip.iter().map(|w| ("--skip", w)))
    {
        if !checks.iter().any(|check| is_meant(check, word)) {
            return Err(unknown(&checks, flag, word).into());
        }
    }
    let meant = |check: &Check, words: &[String]| words.iter().any(|word| is_meant(check, word));
    let skipped: Vec<bool> = checks.iter().map(|check| meant(check, skip)).collect();
    let wanted = checks.iter().map(|check| only.is_empty() || meant(check, only));
    let mut chosen: Vec<bool> =
        wanted.zip(&skipped).map(|(wanted, skip)| wanted && !skip).collect();
    if !chosen.contains(&true) {
        return Err(Fault::usage("--only and --skip leave no check")
            .hint("a run without a check proves nothing; skip less")
            .into());
    }
    pass_over(&mut checks, &skipped);
    // Whoever captures what is needed is needed as well, though it was not meant.
    loop {
        let mut more = Vec::new();
        for (check, _) in checks.iter().zip(&chosen).filter(|(_, chosen)| **chosen) {
            for name in &check.needs {
                match provider(&checks, name) {
                    Some(source) if skipped[source] => {
                        return Err(withheld(check, &checks[source], name).into());
                    }
                    Some(source) if !chosen[source] => more.push(source),
                    _ => {}
                }
            }
        }
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

fn withheld(check: &Check, source: &Check, name: &str) -> Fault {
    let (own, source) = (&check.name, &source.name);
    Fault::usage(format!("check {own} needs {} of {source}, which --skip leaves out", shown(name)))
        .hint(format!("skip {own} as well, or do not skip {source}"))
}

fn unknown(checks: &[Check], flag: &str, word: &str) -> Fault {
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
