//! Rows of figures, as an aligned table (which is also Markdown) and as JSON.

use serde_json::{Value, json};

use crate::Problem;
use crate::figures::Figures;

/// What the figures count.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Unit {
    /// Milliseconds.
    Time,
    /// Bytes.
    Size,
}

impl Unit {
    fn show(self, value: f64) -> String {
        match self {
            Unit::Time if value < 20.0 => format!("{value:.2} ms"),
            Unit::Time => format!("{value:.0} ms"),
            Unit::Size => format!("{:.2} MB", value / 1e6),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Unit::Time => "ms",
            Unit::Size => "bytes",
        }
    }
}

/// One line of the table.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    what: String,
    unit: Unit,
    budget: f64,
    ours: Option<Figures>,
    peers: Vec<(&'static str, Option<Figures>)>,
    note: String,
}

impl Row {
    /// Nothing is measured yet.
    pub(crate) fn new(what: &str, unit: Unit, budget: f64) -> Self {
        let (what, note) = (what.to_owned(), String::new());
        Self { what, unit, budget, ours: None, peers: Vec::new(), note }
    }

    pub(crate) fn ours(self, ours: Option<Figures>) -> Self {
        Self { ours, ..self }
    }

    pub(crate) fn peer(mut self, name: &'static str, figures: Option<Figures>) -> Self {
        self.peers.push((name, figures));
        self
    }

    pub(crate) fn note(self, note: String) -> Self {
        Self { note, ..self }
    }

    /// What was not measured is not met.
    pub(crate) fn is_met(&self) -> bool {
        self.ours.is_some_and(|ours| ours.median <= self.budget)
    }

    fn verdict(&self) -> &'static str {
        match (self.ours, self.is_met()) {
            (None, _) => "not measured",
            (Some(_), true) => "met",
            (Some(_), false) => "MISSED",
        }
    }

    fn cells(&self) -> [String; 6] {
        let show = |value: f64| self.unit.show(value);
        let of =
            |part: fn(&Figures) -> f64| self.ours.map_or("–".into(), |ours| show(part(&ours)));
        let mut others: Vec<String> = self
            .peers
            .iter()
            .filter_map(|(name, figures)| Some(format!("{name} {}", show((*figures)?.median))))
            .collect();
        if !self.note.is_empty() {
            others.push(format!("({})", self.note));
        }
        [
            self.what.clone(),
            of(|ours| ours.median),
            of(|ours| ours.p95),
            format!("≤ {}", show(self.budget)),
            self.verdict().into(),
            others.join(", "),
        ]
    }
}

const HEADS: [&str; 6] = ["What", "Median", "p95", "Budget", "Verdict", "Peers (median)"];

/// The table, and the names of peers that could not be compared with.
pub(crate) fn render(rows: &[Row], absent: &[&str]) -> String {
    let lines: Vec<[String; 6]> =
        std::iter::once(HEADS.map(str::to_owned)).chain(rows.iter().map(Row::cells)).collect();
    let width =
        |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; 6] = std::array::from_fn(width);
    let mut text = String::new();
    for (index, line) in lines.iter().enumerate() {
        let cells: Vec<String> =
            line.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        text.push_str(&format!("| {} |\n", cells.join(" | ")));
        if index == 0 {
            let rules: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
            text.push_str(&format!("| {} |\n", rules.join(" | ")));
        }
    }
    for name in absent {
        text.push_str(&format!("\nabsent: {name} is not installed\n"));
    }
    text
}

/// All figures.
pub(crate) fn json(rows: &[Row], absent: &[&str]) -> Result<String, Problem> {
    let show = |figures: &Option<Figures>| {
        figures.map_or(Value::Null, |f| json!({"median": f.median, "p95": f.p95, "runs": f.runs}))
    };
    let rows: Vec<Value> = rows
        .iter()
        .map(|row| {
            let peers = row.peers.iter().map(|(name, figures)| ((*name).to_owned(), show(figures)));
            json!({
                "what": row.what,
                "unit": row.unit.name(),
                "ours": show(&row.ours),
                "budget": row.budget,
                "met": row.is_met(),
                "peers": Value::Object(peers.collect()),
                "note": row.note,
            })
        })
        .collect();
    let whole = json!({"version": 1, "rows": rows, "absent": absent});
    Ok(serde_json::to_string_pretty(&whole)? + "\n")
}
