//! A series of measurements and what is told of it.

use std::time::Duration;

/// Median, 95th percentile and number of runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Figures {
    pub(crate) median: f64,
    pub(crate) p95: f64,
    pub(crate) runs: usize,
}

impl Figures {
    /// None of nothing.
    pub(crate) fn of(mut series: Vec<f64>) -> Option<Self> {
        series.sort_by(f64::total_cmp);
        let runs = series.len();
        // The nearest rank: a value that was measured.
        let rank = |share: f64| ((runs as f64 * share).ceil() as usize).saturating_sub(1);
        Some(Self { median: *series.get(rank(0.5))?, p95: *series.get(rank(0.95))?, runs })
    }

    /// Milliseconds.
    pub(crate) fn of_times(series: &[Duration]) -> Option<Self> {
        Self::of(series.iter().map(|time| time.as_secs_f64() * 1e3).collect())
    }

    /// What is left beyond a part that costs the same for everybody.
    pub(crate) fn beyond(self, part: f64) -> Self {
        Self { median: self.median - part, p95: self.p95 - part, ..self }
    }
}
