//! Live progress on a terminal; a few quiet lines elsewhere.

use std::sync::Arc;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::Check;
use super::record::Told;
use crate::commands::Session;
use crate::decide::words::{shorten, show_duration};
use crate::report::v1;

/// How often a log is told that something is still being waited for.
const REMINDER: Duration = Duration::from_secs(30);

/// The progress of a run.
pub(super) struct Progress<'a> {
    session: &'a Session,
    names: Vec<String>,
    width: usize,
    live: Option<(MultiProgress, Vec<ProgressBar>)>,
    told: Vec<Option<Duration>>,
}

impl<'a> Progress<'a> {
    pub(super) fn new(checks: &[Arc<Check>], session: &'a Session) -> Self {
        let names: Vec<String> = checks.iter().map(|check| shorten(&check.name, 40)).collect();
        let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
        let live = session.has_progress().then(|| {
            let all = MultiProgress::new();
            let style = ProgressStyle::with_template("{spinner} {prefix}  {elapsed:>5}  {msg}")
                .unwrap_or_else(|_| ProgressStyle::default_spinner());
            let bars = names.iter().map(|name| {
                let bar = all.add(ProgressBar::new_spinner().with_style(style.clone()));
                bar.set_prefix(format!("{name:<width$}"));
                bar
            });
            let bars = bars.collect();
            (all, bars)
        });
        Self { session, width, live, told: vec![None; names.len()], names }
    }

    pub(super) fn tick(&self) {
        for bar in self.live.iter().flat_map(|(_, bars)| bars).filter(|bar| !bar.is_finished()) {
            bar.tick();
        }
    }

    pub(super) fn attempt(&mut self, index: usize, told: &Told) {
        let note = self.session.masked(&shorten(&told.judgement.reason(), 120));
        if let Some((_, bars)) = &self.live {
            bars[index].set_message(note);
            bars[index].tick();
            return;
        }
        let due = self.told[index].is_none_or(|before| told.at >= before + REMINDER);
        if due && !told.judgement.verdict.is_pass() {
            self.told[index] = Some(told.at);
            let (name, width, at) = (&self.names[index], self.width, show_duration(told.at));
            self.session.say(&format!("… {name:<width$}  {at:>8}  {note}"));
        }
    }

    pub(super) fn done(&mut self, index: usize, check: &v1::Check) {
        if let Some((_, bars)) = &self.live {
            bars[index].finish_and_clear();
        } else if self.told[index].is_some() && check.verdict.is_pass() {
            let (name, width) = (&self.names[index], self.width);
            let after = show_duration(Duration::from_millis(check.duration_ms));
            self.session.say(&format!("✓ {name:<width$}  {after:>8}"));
        }
    }

    /// Takes everything off the terminal again: the result follows.
    pub(super) fn end(&self) {
        for bar in self.live.iter().flat_map(|(_, bars)| bars) {
            bar.finish_and_clear();
        }
    }
}
