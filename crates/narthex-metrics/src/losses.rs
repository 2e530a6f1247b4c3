//! What could not be exported: nothing is lost silently.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use metrics::{CounterFn, GaugeFn, HistogramFn};
use narthex_core::Collector;
use narthex_model::{Metadata, MetricFamily, MetricName, MetricType, Problem};
use parking_lot::Mutex;

const REFUSED: &str = "narthex_metrics_refused_total";
const REFUSED_HELP: &str = "Updates through the metrics facade that could not be exported, by the family they were meant for.";
const OVERFLOW: &str = "narthex_metrics_overflow_total";
const OVERFLOW_HELP: &str = "Lookups of series through the metrics facade that a family had no room for and gave its overflow series.";

/// Problems that are told; a program that makes up names has no end of them.
const MOST_TOLD: usize = 100;

/// The losses of all families, and what they came of.
#[derive(Debug, Default)]
pub(crate) struct Losses {
    families: Mutex<BTreeMap<String, Arc<Loss>>>,
    problems: Mutex<Vec<Problem>>,
}

/// What one family lost. It is also the handle of a metric that is not exported.
#[derive(Debug, Default)]
pub(crate) struct Loss {
    refused: AtomicU64,
    overflowed: AtomicU64,
}

impl Losses {
    pub(crate) fn of(&self, family: &str) -> Arc<Loss> {
        let mut families = self.families.lock();
        match families.get(family) {
            Some(loss) => loss.clone(),
            None => families.entry(family.to_owned()).or_default().clone(),
        }
    }

    /// Tells of a refusal, and gives the handle that counts what it costs.
    pub(crate) fn refuse(&self, family: &MetricName, reason: &str) -> Arc<Loss> {
        let problem = Problem::new(family.clone(), reason);
        let mut problems = self.problems.lock();
        if problems.len() < MOST_TOLD && !problems.contains(&problem) {
            problems.push(problem);
        }
        self.of(family.as_str())
    }
}

impl Collector for Losses {
    fn describe(&self) -> Vec<Metadata> {
        let all = [(REFUSED, REFUSED_HELP), (OVERFLOW, OVERFLOW_HELP)];
        let metadata = all.into_iter().filter_map(|(name, help)| {
            let name = MetricName::new(name).ok()?;
            Some(Metadata::new(name, MetricType::Counter, help))
        });
        metadata.collect()
    }

    fn collect(&self, families: &mut Vec<MetricFamily>) {
        let mut refused = MetricFamily::counter(REFUSED, REFUSED_HELP).label_names(["family"]);
        let mut overflowed = MetricFamily::counter(OVERFLOW, OVERFLOW_HELP).label_names(["family"]);
        for (family, loss) in &*self.families.lock() {
            let losses = [(&mut refused, &loss.refused), (&mut overflowed, &loss.overflowed)];
            for (builder, count) in losses {
                let count = count.load(Relaxed);
                if count > 0 {
                    builder.push([family], count);
                }
            }
        }
        let built = [refused, overflowed].into_iter().filter_map(|builder| builder.build().ok());
        families.extend(built.filter(|family| !family.is_empty()));
    }

    fn problems(&self) -> Vec<Problem> {
        self.problems.lock().clone()
    }
}

impl Loss {
    #[cold]
    pub(crate) fn refuse(&self, updates: u64) {
        self.refused.fetch_add(updates, Relaxed);
    }

    pub(crate) fn overflow(&self) {
        self.overflowed.fetch_add(1, Relaxed);
    }
}

impl CounterFn for Loss {
    fn increment(&self, _: u64) {
        self.refuse(1);
    }

    fn absolute(&self, _: u64) {
        self.refuse(1);
    }
}

impl GaugeFn for Loss {
    fn increment(&self, _: f64) {
        self.refuse(1);
    }

    fn decrement(&self, _: f64) {
        self.refuse(1);
    }

    fn set(&self, _: f64) {
        self.refuse(1);
    }
}

impl HistogramFn for Loss {
    fn record(&self, _: f64) {
        self.refuse(1);
    }

    fn record_many(&self, _: f64, count: usize) {
        self.refuse(count as u64);
    }
}
