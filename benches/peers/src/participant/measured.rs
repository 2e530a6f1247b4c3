//! `measured`: families whose label values are interned.

use std::hint::black_box;
use std::io;

use measured::label::StaticLabelSet;
use measured::metric::counter::CounterState;
use measured::metric::gauge::FloatGaugeState;
use measured::metric::group::Encoding;
use measured::metric::histogram::{HistogramState, Thresholds};
use measured::metric::name::MetricName;
use measured::metric::{
    MetricEncoding, MetricFamilyEncoding, MetricLockGuard, MetricType, MetricVec,
};
use measured::text::TextEncoder;
use measured::{
    Counter, CounterVec, FixedCardinalityLabel, FloatGauge, FloatGaugeVec, Histogram, HistogramVec,
    LabelGroup,
};
use paracord::ParaCord;

use super::{Family, Kind, Looker, Participant, Work, cycle};
use crate::workload::{self, BUCKETS, COUNTER, GAUGE, HELP, HISTOGRAM, Labels, Typed};

pub struct Measured;

#[derive(Clone, Copy, Debug, PartialEq, LabelGroup)]
#[label(set = RequestSet)]
struct Request<'a> {
    #[label(dynamic_with = ParaCord)]
    method: &'a str,
    #[label(dynamic_with = ParaCord)]
    path: &'a str,
    #[label(dynamic_with = ParaCord)]
    status: &'a str,
}

impl From<Labels> for Request<'static> {
    fn from([method, path, status]: Labels) -> Self {
        Self { method, path, status }
    }
}

fn request_set() -> RequestSet {
    RequestSet {
        method: ParaCord::default(),
        path: ParaCord::default(),
        status: ParaCord::default(),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, FixedCardinalityLabel)]
enum Method {
    Get,
    Post,
    Put,
    Delete,
    Patch,
}

#[derive(Clone, Copy, Debug, PartialEq, FixedCardinalityLabel)]
enum Cache {
    Hit,
    Miss,
    Stale,
    Bypass,
}

#[derive(Clone, Copy, Debug, PartialEq, FixedCardinalityLabel)]
enum Outcome {
    Failed,
    Went,
}

#[derive(Clone, Copy, Debug, PartialEq, LabelGroup)]
#[label(set = TypedSet)]
struct TypedRequest {
    method: Method,
    cache: Cache,
    ok: Outcome,
}

const METHODS: [Method; 5] =
    [Method::Get, Method::Post, Method::Put, Method::Delete, Method::Patch];
const CACHES: [Cache; 4] = [Cache::Hit, Cache::Miss, Cache::Stale, Cache::Bypass];
const OUTCOMES: [Outcome; 2] = [Outcome::Failed, Outcome::Went];

impl Participant for Measured {
    fn name(&self) -> &'static str {
        "measured"
    }

    fn increment(&self) -> Work {
        let counter = Counter::new();
        Work::new(move |operations| {
            for _ in operations {
                black_box(&counter).inc();
            }
        })
    }

    fn increment_labelled(&self, labels: &'static [Labels]) -> Work {
        let family = CounterVec::with_label_set(request_set());
        Work::new(move |operations| {
            for at in operations {
                family.inc(Request::from(cycle(labels, at)));
            }
        })
    }

    fn set(&self) -> Work {
        let gauge = FloatGauge::new();
        let values = workload::values();
        Work::new(move |operations| {
            for at in operations {
                black_box(&gauge).set(cycle(values, at));
            }
        })
    }

    fn observe(&self) -> Work {
        let histogram = Histogram::with_metadata(Thresholds::with_buckets(BUCKETS));
        let values = workload::values();
        Work::new(move |operations| {
            for at in operations {
                black_box(&histogram).observe(cycle(values, at));
            }
        })
    }

    /// With so few label sets it keeps a cell for each, found by number.
    fn increment_typed(&self, labels: &'static [Typed]) -> Option<Work> {
        let set = TypedSet {
            method: StaticLabelSet::new(),
            cache: StaticLabelSet::new(),
            ok: StaticLabelSet::new(),
        };
        let family = CounterVec::with_label_set(set);
        let request = |&(m, c, ok): &Typed| TypedRequest {
            method: METHODS[m],
            cache: CACHES[c],
            ok: OUTCOMES[usize::from(ok)],
        };
        let labels: Vec<_> = labels.iter().map(request).collect();
        Some(Work::new(move |operations| {
            for at in operations {
                family.inc(cycle(&labels, at));
            }
        }))
    }

    fn family(&self, kind: Kind) -> Box<dyn Family> {
        let set = request_set();
        match kind {
            Kind::Counter => Box::new(Page::<CounterState> {
                name: COUNTER,
                family: CounterVec::with_label_set(set),
                record: |counter, value| counter.inc_by(value as u64),
            }),
            Kind::Gauge => Box::new(Page::<FloatGaugeState> {
                name: GAUGE,
                family: FloatGaugeVec::with_label_set(set),
                record: |gauge, value| gauge.set(value),
            }),
            Kind::Histogram => {
                let thresholds = Thresholds::with_buckets(BUCKETS);
                Box::new(Page::<HistogramState<12>> {
                    name: HISTOGRAM,
                    family: HistogramVec::with_label_set_and_metadata(set, thresholds),
                    record: |histogram, value| histogram.observe(value),
                })
            }
        }
    }
}

struct Page<M: MetricType> {
    name: &'static str,
    family: MetricVec<M, RequestSet>,
    record: fn(MetricLockGuard<'_, M>, f64),
}

impl<M: MetricType> Page<M> {
    /// What `derive(MetricGroup)` writes for a group of one family.
    fn encode<W: io::Write>(&self, sink: W)
    where
        M: MetricEncoding<TextEncoder<W>>,
    {
        let mut encoder = TextEncoder::new(sink);
        let name = MetricName::from_str(self.name);
        encoder.write_help(name, HELP).unwrap();
        self.family.collect_family_into(name, &mut encoder).unwrap();
        encoder.flush().unwrap();
    }
}

impl<M: MetricType<Metadata: Sync> + Send + Sync> Family for Page<M>
where
    M: for<'a> MetricEncoding<TextEncoder<&'a mut Vec<u8>>>,
    M: for<'a> MetricEncoding<TextEncoder<&'a mut Looker>>,
{
    fn record(&self, labels: &Labels, value: f64) {
        let series = self.family.with_labels(Request::from(*labels));
        (self.record)(self.family.get_metric(series), value);
    }

    fn render(&self, page: &mut Vec<u8>) {
        self.encode(page);
    }

    fn stream(&self, sink: &mut Looker) {
        self.encode(sink);
    }
}
