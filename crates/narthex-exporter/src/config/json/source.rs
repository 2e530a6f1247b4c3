//! An endpoint as a source: asked once at a time, its answer kept for a while.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use narthex_http::{BoxError, ScrapeContext, Source};
use narthex_model::{FamilyError, MetricFamily};
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use super::client::{FetchError, JsonClient};
use super::extract::{Extract, Skipped};
use super::{ENDPOINT, Endpoint};

/// The metrics that an endpoint has beside those of the file.
pub(in crate::config) const OWN_METRICS: [&str; 2] = [REQUEST_TIME, SKIPPED];

const REQUEST_TIME: &str = "json_request_time";
const SKIPPED: &str = "narthex_json_skipped_values_total";

/// Answers of this size are read where blocking does no harm.
const LARGE: usize = 64 << 10;

/// An endpoint, and its last answer.
///
/// Those who ask while it is being asked share the answer, a failure included. A good answer is
/// shared until it is older than its life, a failure with nobody who asks afterwards.
pub(in crate::config) struct JsonSource {
    endpoint: Arc<Endpoint>,
    cache_life: Duration,
    client: JsonClient,
    last: tokio::sync::Mutex<Option<Last>>,
    skipped: Mutex<BTreeMap<String, Skipping>>,
}

struct Last {
    asked: Instant,
    answered: Instant,
    outcome: Result<Arc<[MetricFamily]>, FetchError>,
}

/// What was left out of a metric.
#[derive(Default)]
struct Skipping {
    values: u64,
    /// What was wrong the last time, so that it is not logged again.
    reason: Option<String>,
}

impl JsonSource {
    /// An endpoint whose answers live for `cache_life` where it has no other life of its own.
    pub(in crate::config) fn new(endpoint: Endpoint, cache_life: Duration) -> Self {
        Self {
            cache_life: endpoint.cache_life.unwrap_or(cache_life),
            client: JsonClient::new(endpoint.plan.clone()),
            endpoint: Arc::new(endpoint),
            last: tokio::sync::Mutex::default(),
            skipped: Mutex::default(),
        }
    }

    /// Whether a source that is made of the same would do the same.
    pub(in crate::config) fn is_for(&self, endpoint: &Endpoint, cache_life: Duration) -> bool {
        *self.endpoint == *endpoint && self.cache_life == endpoint.cache_life.unwrap_or(cache_life)
    }

    /// # Cancel safety
    /// What is asked when the future is dropped is given up, and the next one in line asks.
    async fn families(&self) -> Result<Arc<[MetricFamily]>, FetchError> {
        let came = Instant::now();
        let mut last = self.last.lock().await;
        if let Some(last) = &*last {
            let was_waited_for = last.answered >= came;
            let is_alive = last.outcome.is_ok() && last.asked.elapsed() < self.cache_life;
            if was_waited_for || is_alive {
                return last.outcome.clone();
            }
        }
        let asked = Instant::now();
        let outcome = self.fetch().await;
        *last = Some(Last { asked, answered: Instant::now(), outcome: outcome.clone() });
        outcome
    }

    async fn fetch(&self) -> Result<Arc<[MetricFamily]>, FetchError> {
        let start = Instant::now();
        let body = self.client.fetch().await?;
        let time = start.elapsed();
        let extract = if body.len() < LARGE {
            read(&self.endpoint, &body)
        } else {
            let endpoint = self.endpoint.clone();
            spawn_blocking(move || read(&endpoint, &body)).await.expect("nothing in it panics")
        };
        let mut extract = extract?;
        let skipped = self.note(&extract.skipped);
        let time = MetricFamily::gauge(REQUEST_TIME, "Seconds until the endpoint had answered.")
            .const_label(ENDPOINT, &*self.endpoint.name)
            .sample([""; 0], time.as_secs_f64());
        for family in [time.build(), skipped] {
            extract.families.push(family.expect("the names are valid and the series distinct"));
        }
        Ok(extract.families.into())
    }

    /// Takes down what was left out, logs what is new about it, and counts it.
    fn note(&self, now: &BTreeMap<String, Skipped>) -> Result<MetricFamily, FamilyError> {
        let mut family = MetricFamily::counter(
            SKIPPED,
            "Values in answers of the endpoint that could not be exported.",
        )
        .const_label(ENDPOINT, &*self.endpoint.name)
        .label_names(["metric"]);
        let mut news = Vec::new();
        let mut known = self.skipped.lock().unwrap_or_else(PoisonError::into_inner);
        for metric in &self.endpoint.metrics {
            let name = metric.name.as_str();
            let skipping = known.entry(name.to_owned()).or_default();
            let skipped = now.get(name);
            skipping.values += skipped.map_or(0, |skipped| skipped.values);
            family.push([name], skipping.values);
            let reason = skipped.map(|skipped| skipped.reason.clone());
            if skipping.reason != reason {
                skipping.reason.clone_from(&reason);
                news.push((name, reason));
            }
        }
        // A log layer is foreign code, so it runs without the lock.
        drop(known);
        let endpoint = &*self.endpoint.name;
        for (metric, reason) in news {
            match reason {
                Some(reason) => {
                    tracing::warn!(endpoint, metric, reason, "values cannot be exported");
                }
                None => tracing::info!(endpoint, metric, "all values can be exported again"),
            }
        }
        family.build()
    }
}

impl Source for JsonSource {
    async fn collect(&self, scrape: &ScrapeContext) -> Result<(), BoxError> {
        for family in &*self.families().await? {
            scrape.add(family.clone());
        }
        Ok(())
    }
}

fn read(endpoint: &Endpoint, body: &Bytes) -> Result<Extract, FetchError> {
    // The nesting that it takes is limited, and of several entries with one key the last counts.
    let answer = serde_json::from_slice(body)
        .map_err(|error| FetchError::not_json(&endpoint.plan, &error))?;
    Ok(Extract::new(endpoint, &answer))
}

#[cfg(test)]
mod tests;
