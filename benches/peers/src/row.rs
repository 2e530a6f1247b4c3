//! A row of the table: what is measured and what has to hold.

use std::fmt;

use crate::participant::Participant;
use crate::timing::{Effort, Sample};

pub struct Row {
    pub name: &'static str,
    pub unit: &'static str,
    pub gate: Gate,
    /// One sample a participant, in their order; none for who cannot do it.
    pub measure: Measure,
}

pub type Measure = Box<dyn Fn(&[Box<dyn Participant>], Effort) -> Vec<Option<Sample>>>;

/// Conditions that must all hold for narthex's median, even on a machine that is not quiet.
pub struct Gate(pub Vec<Condition>);

#[derive(Clone, Copy)]
pub enum Condition {
    AtMost(f64),
    /// That many times faster than a peer.
    Faster(f64, Peer),
    /// At most that share of a peer's value.
    ShareOf(f64, Peer),
}

#[derive(Clone, Copy)]
pub enum Peer {
    Named(&'static str),
    Best,
    /// The best of those that tell label sets apart by equality. `prometheus` goes by a hash of 64
    /// bits: two label sets that share it are one series.
    BestCorrect,
}

/// What each participant reached, by name.
pub struct Values<'a>(pub &'a [(&'static str, f64)]);

impl Values<'_> {
    pub fn narthex(&self) -> f64 {
        self.0[0].1
    }

    pub fn peers(&self) -> &[(&'static str, f64)] {
        &self.0[1..]
    }

    fn of(&self, peer: Peer) -> f64 {
        let values = self.peers().iter().filter(|(name, _)| match peer {
            Peer::Named(wanted) => *name == wanted,
            Peer::Best => true,
            Peer::BestCorrect => *name != "prometheus",
        });
        let best = values.map(|(_, value)| *value).min_by(f64::total_cmp);
        best.expect("a gate names a participant")
    }
}

impl Gate {
    pub fn holds(&self, values: &Values<'_>) -> bool {
        let narthex = values.narthex();
        self.0.iter().all(|condition| match *condition {
            Condition::AtMost(limit) => narthex <= limit,
            Condition::Faster(times, peer) => narthex * times <= values.of(peer),
            Condition::ShareOf(share, peer) => narthex <= share * values.of(peer),
        })
    }
}

impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, condition) in self.0.iter().enumerate() {
            let comma = if index > 0 { ", " } else { "" };
            match condition {
                Condition::AtMost(limit) => write!(f, "{comma}<= {limit}")?,
                Condition::Faster(times, peer) => {
                    write!(f, "{comma}>= {times}x faster than {peer}")?
                }
                Condition::ShareOf(share, peer) => write!(f, "{comma}<= {share}x {peer}")?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(name) => f.write_str(name),
            Self::Best => f.write_str("the best peer"),
            Self::BestCorrect => f.write_str("the best correct peer"),
        }
    }
}
