//! The table: Markdown, or one JSON object a line.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::participant::Participant;
use crate::row::{Row, Values};
use crate::timing::Sample;

#[derive(Clone, Copy)]
pub enum Report {
    Markdown,
    Json,
}

#[derive(Serialize)]
struct Line<'a> {
    row: &'a str,
    unit: &'a str,
    narthex: f64,
    peers: BTreeMap<&'a str, f64>,
    gate: String,
    holds: bool,
}

impl Report {
    pub fn start(self, participants: &[Box<dyn Participant>]) {
        match self {
            Self::Json => {}
            Self::Markdown => {
                let names: Vec<_> = participants.iter().map(|p| p.name()).collect();
                println!("| row | unit | {} | gate | verdict |", names.join(" | "));
                println!("|---|---|{}---|---|", "--:|".repeat(names.len()));
            }
        }
    }

    pub fn row(self, row: &Row, participants: &[Box<dyn Participant>], samples: &[Option<Sample>]) {
        let names = participants.iter().map(|p| p.name());
        let values =
            names.zip(samples).filter_map(|(name, sample)| Some((name, sample.as_ref()?.median)));
        let values: Vec<_> = values.collect();
        let values = Values(&values);
        let holds = row.gate.holds(&values);
        match self {
            Self::Json => {
                let line = Line {
                    row: row.name,
                    unit: row.unit,
                    narthex: values.narthex(),
                    peers: values.peers().iter().copied().collect(),
                    gate: row.gate.to_string(),
                    holds,
                };
                println!("{}", serde_json::to_string(&line).expect("numbers and text"));
            }
            Self::Markdown => {
                let cell = |sample: &Option<Sample>| sample.as_ref().map_or_else(String::new, cell);
                let cells: Vec<_> = samples.iter().map(cell).collect();
                let verdict = match holds {
                    // Shown beside a row that has one.
                    _ if row.gate.0.is_empty() => "",
                    true => "holds",
                    false => "**missed**",
                };
                let (name, unit) = (row.name, row.unit);
                println!("| {name} | {unit} | {} | {} | {verdict} |", cells.join(" | "), row.gate);
            }
        }
    }
}

/// The median, and the least where that differs.
fn cell(sample: &Sample) -> String {
    let [median, least] = [number(sample.median), number(sample.least)];
    if median == least { median } else { format!("{median} ({least})") }
}

/// Three digits that count.
fn number(value: f64) -> String {
    match value.abs() {
        _ if value.fract() == 0.0 => format!("{value}"),
        ..10.0 => format!("{value:.2}"),
        ..100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}
