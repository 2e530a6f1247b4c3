//! Scrapes and pages that are made to go wrong, the same on every machine.

#![allow(dead_code, reason = "each test uses a part, and so does the fuzz target for round trips")]

use narthex_model::{
    Bounds, Exemplar, FamilyBuilder, FamilyError, MetricFamily, MetricType, NativeBuckets,
    NativeHistogram, Number, Schema, ZeroBucket,
};

/// A stream of numbers: those of a fuzzer, and then of the generator SplitMix64.
#[derive(Clone, Debug)]
pub(crate) struct Random {
    given: Vec<u64>,
    state: u64,
}

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self { given: Vec::new(), state: seed }
    }

    /// Numbers that the input decides.
    pub(crate) fn from_bytes(input: &[u8]) -> Self {
        let words = input.rchunks(2).map(|pair| {
            // Two bytes, so that a small change of the input is a small change of the scrape.
            pair.iter().fold(0, |word, byte| word << 8 | u64::from(*byte))
        });
        Self { given: words.collect(), state: 0 }
    }

    pub(crate) fn next(&mut self) -> u64 {
        if let Some(given) = self.given.pop() {
            return given;
        }
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ self.state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }

    pub(crate) fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// Text with more than its share of what needs care.
    pub(crate) fn text(&mut self, parts: usize) -> String {
        const PIECES: [&str; 24] = [
            "\\",
            "\"",
            "\n",
            "\r",
            "\0",
            " ",
            "\t",
            "{",
            "}",
            "=",
            ",",
            "#",
            "# EOF",
            "\\n",
            "é",
            "\u{1f631}",
            "\u{2028}",
            "\u{feff}",
            "a",
            "_",
            "total",
            "le",
            "0",
            ".",
        ];
        let mut text = String::new();
        for _ in 0..self.below(parts + 1) {
            if self.one_in(8) {
                text.extend(char::from_u32((self.next() % 0x11_0000) as u32));
            } else {
                text.push_str(self.pick(&PIECES));
            }
        }
        text
    }

    fn name(&mut self) -> String {
        let tail = if self.one_in(2) { self.text(4) } else { "b_c".to_owned() };
        format!("{}{tail}", self.pick(&["a", "x_", "é", "n:"]))
    }

    pub(crate) fn float(&mut self) -> f64 {
        match self.below(6) {
            0 => f64::from_bits(self.next()),
            1 => self.pick(&[f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, 1e-300, 5e-324]),
            2 => self.below(1000) as f64,
            _ => self.below(1_000_000) as f64 / 1000.0 - 500.0,
        }
    }

    fn whole(&mut self) -> u64 {
        let bits = self.below(64);
        self.next() >> bits
    }

    fn time(&mut self) -> Option<i64> {
        match self.below(6) {
            0 => Some(self.next().cast_signed() >> self.below(64)),
            1 => Some(1_520_879_607_789),
            _ => None,
        }
    }
}

/// A family as data, to be built as it is or as a format degrades it.
#[derive(Clone, Debug)]
pub(crate) struct Spec {
    pub(crate) metric_type: MetricType,
    pub(crate) name: String,
    pub(crate) help: String,
    pub(crate) unit: String,
    pub(crate) label_names: Vec<String>,
    pub(crate) bounds: Vec<f64>,
    /// Whether histograms are native ones.
    pub(crate) native: bool,
    pub(crate) rows: Vec<SpecRow>,
}

#[derive(Clone, Debug)]
pub(crate) struct SpecRow {
    pub(crate) labels: Vec<String>,
    pub(crate) number: Number,
    /// The counts of buckets, or the values of quantiles as bits.
    pub(crate) points: Vec<u64>,
    pub(crate) native: Option<NativeHistogram>,
    pub(crate) sum: f64,
    pub(crate) count: u64,
    pub(crate) timestamp: Option<i64>,
    pub(crate) created: Option<i64>,
    pub(crate) exemplar: Option<Exemplar>,
}

impl Spec {
    /// A random family that keeps the rules of its type, so that every format can carry it.
    pub(crate) fn random(random: &mut Random) -> Self {
        use MetricType::{
            Counter, Gauge, GaugeHistogram, Histogram, Info, StateSet, Summary, Unknown,
        };
        let types = [Counter, Gauge, Unknown, Info, StateSet, Histogram, GaugeHistogram, Summary];
        let metric_type = random.pick(&types);
        let unit = match metric_type {
            Info | StateSet => "",
            _ => random.pick(&["", "", "seconds"]),
        };
        let suffix = match metric_type {
            Counter => "_total",
            Info => "_info",
            _ => "",
        };
        let separator = if unit.is_empty() { "" } else { "_" };
        let name = format!("{}{separator}{unit}{suffix}", random.name());
        let mut label_names: Vec<String> = (0..random.below(4)).map(|_| random.name()).collect();
        if metric_type == StateSet {
            label_names.push(name.clone());
        }
        let native = matches!(metric_type, Histogram | GaugeHistogram) && random.one_in(2);
        let bounds = match metric_type {
            Histogram | GaugeHistogram => {
                ascending(random, 0, |random| random.below(999) as f64 / 8.0)
            }
            Summary => ascending(random, 0, |random| random.below(1001) as f64 / 1000.0),
            _ => Vec::new(),
        };
        let help = random.text(8);
        let unit = unit.to_owned();
        let mut spec =
            Self { metric_type, name, help, unit, label_names, bounds, native, rows: Vec::new() };
        for _ in 0..random.below(4) {
            let row = spec.random_row(random);
            // Two series with the same labels make no family.
            if spec.rows.iter().all(|other| other.labels != row.labels) {
                spec.rows.push(row);
            }
        }
        if metric_type == StateSet {
            // The states of a set stand together.
            spec.rows.sort_by(|a, b| a.labels.cmp(&b.labels));
        }
        spec
    }

    fn random_row(&self, random: &mut Random) -> SpecRow {
        use MetricType::{Counter, Histogram, Info, StateSet, Summary};
        let states = usize::from(self.metric_type == StateSet);
        let mut labels: Vec<String> =
            (states..self.label_names.len()).map(|_| random.text(4)).collect();
        if states > 0 {
            labels.push(format!("s{}", random.text(3)));
        }
        let number = match self.metric_type {
            Info => Number::Unsigned(1),
            StateSet => Number::Unsigned(random.below(2) as u64),
            _ if random.one_in(2) => Number::Unsigned(random.whole()),
            Counter => Number::Float(random.below(1_000_000) as f64 / 64.0),
            _ => Number::Float(random.float()),
        };
        let counts = matches!(self.metric_type, Counter | Histogram);
        let points = (0..=self.bounds.len()).map(|_| match self.metric_type {
            Summary => (random.below(1000) as f64 / 16.0).to_bits(),
            _ => random.next() >> (8 + random.below(56)),
        });
        let mut points: Vec<_> = points.collect();
        let sum = random.below(1_000_000) as f64 / 128.0;
        let native = self.native.then(|| random_native(random, sum));
        if let Some(native) = &native {
            // Both kinds of buckets have the same observations.
            let mut left = native.count();
            for point in &mut points[..self.bounds.len()] {
                *point = random.next() % left.saturating_add(1).max(1);
                left -= *point;
            }
            points[self.bounds.len()] = left;
        }
        SpecRow {
            labels,
            number,
            points,
            native,
            sum,
            count: random.next() >> (11 + random.below(53)),
            // All series of an info, and all states of a set, count as one metric.
            timestamp: random.time().filter(|_| !matches!(self.metric_type, Info | StateSet)),
            created: random.time().filter(|_| counts || self.metric_type == Summary),
            exemplar: random_exemplar(random).filter(|_| counts),
        }
    }

    pub(crate) fn build(&self) -> Result<MetricFamily, FamilyError> {
        let (name, help) = (self.name.as_str(), self.help.as_str());
        let builder = match self.metric_type {
            MetricType::Histogram | MetricType::GaugeHistogram => {
                let bounds = match &self.bounds[..] {
                    [] => Bounds::none(),
                    bounds => Bounds::new(bounds).expect("they ascend"),
                };
                let builder = FamilyBuilder::new(self.metric_type, name, help);
                if self.native {
                    builder.native_histograms(bounds)
                } else {
                    builder.histograms(bounds)
                }
            }
            MetricType::Summary => MetricFamily::summary(name, help, &self.bounds),
            metric_type => FamilyBuilder::new(metric_type, name, help),
        };
        let mut builder = builder.utf8_names().unit(&*self.unit).label_names(&self.label_names);
        for row in &self.rows {
            let points = row.points.iter().copied();
            match self.metric_type {
                MetricType::Histogram | MetricType::GaugeHistogram if self.native => {
                    let native = row.native.clone().expect("a row of a native histogram has one");
                    builder.push_native_histogram(&row.labels, points, native);
                }
                MetricType::Histogram | MetricType::GaugeHistogram => {
                    builder.push_histogram(&row.labels, points, row.sum);
                }
                MetricType::Summary => {
                    let values = points.map(f64::from_bits);
                    builder.push_summary(&row.labels, values, row.count, row.sum);
                }
                _ => builder.push(&row.labels, row.number),
            }
            if let Some(timestamp) = row.timestamp {
                builder.push_timestamp(timestamp);
            }
            if let Some(created) = row.created {
                builder.push_created(created);
            }
            if let Some(exemplar) = &row.exemplar {
                builder.push_exemplar(exemplar.clone());
            }
        }
        builder.build()
    }
}

fn random_native(random: &mut Random, sum: f64) -> NativeHistogram {
    let side = |random: &mut Random| {
        let mut index = if random.one_in(20) { i32::MIN } else { -20 };
        let mut counts = Vec::new();
        for _ in 0..random.below(6) {
            let step = if random.one_in(20) { random.next() as i32 >> 1 } else { 0 };
            index = index.saturating_add(1 + random.below(5) as i32).saturating_add(step.max(0));
            if counts.last().is_none_or(|(last, _)| *last < index) && index < i32::MAX {
                counts.push((index, random.next() >> (16 + random.below(48))));
            }
        }
        NativeBuckets::from_counts(counts)
    };
    let positive = side(random);
    let negative = if random.one_in(4) { side(random) } else { NativeBuckets::default() };
    let threshold = random.pick(&[0.0, ZeroBucket::DEFAULT_THRESHOLD, 0.5, f64::MAX]);
    let zero = ZeroBucket { threshold, count: random.next() >> (16 + random.below(49).min(47)) };
    let counts = positive.counts().iter().chain(negative.counts());
    let count = zero.count + counts.sum::<u64>();
    let schema = Schema::new(random.below(13) as i32 - 4).expect("-4 to 8");
    let native = NativeHistogram::new(schema, zero, positive, negative, count, sum);
    native.expect("the buckets add up to the count")
}

fn ascending(
    random: &mut Random,
    least: usize,
    mut value: impl FnMut(&mut Random) -> f64,
) -> Vec<f64> {
    let mut values: Vec<f64> = (0..least + random.below(4)).map(|_| value(random)).collect();
    values.sort_by(f64::total_cmp);
    values.dedup();
    values
}

fn random_exemplar(random: &mut Random) -> Option<Exemplar> {
    if !random.one_in(3) {
        return None;
    }
    let labels: Vec<_> = (0..random.below(3)).map(|_| (random.name(), random.text(4))).collect();
    let exemplar = Exemplar::new(labels, random.below(1000) as f64 / 8.0).ok()?;
    Some(match random.time() {
        Some(time) => exemplar.at(time),
        None => exemplar,
    })
}
