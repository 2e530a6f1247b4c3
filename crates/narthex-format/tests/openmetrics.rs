//! OpenMetrics 1.0: what every rule of it looks like on a page.

use std::sync::Arc;

use narthex_format::{CreatedLines, Encoder, Escaping, Format, OpenMetricsVersion};
use narthex_model::{
    Bounds, Column, Exemplar, FamilyBuilder, HistogramColumn, Metadata, MetricFamily, MetricName,
    MetricType, Number, Scrape, Series,
};

const WITH_CREATED: Format = Format::OpenMetrics {
    version: OpenMetricsVersion::V1_0_0,
    escaping: Escaping::Underscores,
    created: CreatedLines::Written,
};

const NONE: [&str; 0] = [];

fn encode(format: Format, families: impl IntoIterator<Item = FamilyBuilder>) -> String {
    let families = families.into_iter().map(|family| family.build().expect("a good family"));
    let mut page = Vec::new();
    format.encode(&Scrape::new(families.collect()), &mut page);
    String::from_utf8(page).expect("a page is UTF-8")
}

fn page(families: impl IntoIterator<Item = FamilyBuilder>) -> String {
    encode(Format::OPEN_METRICS, families)
}

#[track_caller]
fn check(family: FamilyBuilder, expected: &str) {
    assert_eq!(page([family]), expected);
}

fn exemplar(value: f64) -> Exemplar {
    Exemplar::new([("trace_id", "KOO5S4vxi0o")], value).expect("a short one")
}

fn escaped(escaping: Escaping) -> Format {
    let (version, created) = (OpenMetricsVersion::V1_0_0, CreatedLines::Omitted);
    Format::OpenMetrics { version, escaping, created }
}

#[test]
fn an_empty_scrape_has_an_end() {
    assert_eq!(page([]), "# EOF\n");
}

#[test]
fn both_versions_have_the_same_page() {
    let family = || MetricFamily::counter("a_total", "A.").sample(NONE, 1u64);
    let old = Format::OpenMetrics {
        version: OpenMetricsVersion::V0_0_1,
        escaping: Escaping::Underscores,
        created: CreatedLines::Omitted,
    };
    assert_eq!(encode(old, [family()]), page([family()]));
}

#[test]
fn b28_the_suffix_of_a_counter_is_not_in_its_head() {
    check(
        MetricFamily::counter("a_total", "A \\ \"quoted\"\nhelp.")
            .label_names(["l"])
            .sample(["v"], 1027u64)
            .sample(["w"], u64::MAX),
        "\
# HELP a A \\\\ \\\"quoted\\\"\\nhelp.
# TYPE a counter
a_total{l=\"v\"} 1027
a_total{l=\"w\"} 18446744073709551615
# EOF
",
    );
}

#[test]
fn b28_a_counter_without_the_suffix_is_unknown() {
    for name in ["a", "_total", "a_totals"] {
        check(
            MetricFamily::counter(name, "").sample(NONE, 1u64),
            &format!("# TYPE {name} unknown\n{name} 1\n# EOF\n"),
        );
    }
}

#[test]
fn a_counter_with_a_value_that_no_counter_has_is_unknown() {
    for (value, text) in [(-0.5, "-0.5"), (f64::NAN, "NaN"), (f64::NEG_INFINITY, "-Inf")] {
        check(
            MetricFamily::counter("a_total", "").label_names(["l"]).sample(["v"], value),
            &format!("# TYPE a_total unknown\na_total{{l=\"v\"}} {text}\n# EOF\n"),
        );
    }
    check(
        MetricFamily::counter("a_total", "")
            .label_names(["l"])
            .sample(["v"], 1u64)
            .sample(["w"], -1.0),
        "# TYPE a_total unknown\na_total{l=\"v\"} 1\na_total{l=\"w\"} -1.0\n# EOF\n",
    );
    check(
        MetricFamily::counter("a_total", "").sample(NONE, f64::INFINITY),
        "# TYPE a counter\na_total +Inf\n# EOF\n",
    );
}

#[test]
fn a_counter_whose_short_name_is_taken_is_unknown() {
    let families = [
        MetricFamily::gauge("alloc_bytes", "").sample(NONE, 1u64),
        MetricFamily::counter("alloc_bytes_total", "").sample(NONE, 2u64),
        MetricFamily::gauge("b_created", "").sample(NONE, 3u64),
        MetricFamily::counter("b_total", "").sample(NONE, 4u64),
        MetricFamily::gauge("c", "").sample(NONE, 5u64),
        MetricFamily::info("c_info", "").sample(NONE, 1u64),
    ];
    assert_eq!(
        page(families),
        "\
# TYPE alloc_bytes gauge
alloc_bytes 1
# TYPE alloc_bytes_total unknown
alloc_bytes_total 2
# TYPE b_created gauge
b_created 3
# TYPE b_total unknown
b_total 4
# TYPE c gauge
c 5
# TYPE c_info unknown
c_info 1
# EOF
"
    );
}

#[test]
fn what_only_this_format_must_leave_out_is_told_of() {
    let mut histogram = MetricFamily::histogram("h", "", &[1.0]);
    histogram.push_histogram(NONE, [1], 0.5);
    let created = MetricFamily::gauge("h_created", "").sample(NONE, 3u64);
    let families = [histogram, created].map(|family| family.build().expect("a good family"));
    let scrape = Scrape::new(families.into());
    let mut encoder = Encoder::new(Format::OPEN_METRICS);
    for _ in 0..2 {
        let mut page = Vec::new();
        let sink = |chunk: &[u8]| std::io::Write::write_all(&mut page, chunk);
        encoder.encode(&scrape, sink).expect("a vector takes all");
        assert!(!String::from_utf8_lossy(&page).contains("h_created"));
        let problems: Vec<_> = encoder.problems().iter().map(ToString::to_string).collect();
        assert_eq!(
            problems,
            ["family `h_created` is left out: another family of this page has samples of that \
              name in OpenMetrics"]
        );
    }
    let mut text = Encoder::new(Format::TEXT);
    text.encode(&scrape, |_| Ok::<(), ()>(())).expect("the sink takes all");
    assert!(text.problems().is_empty());
}

#[test]
fn floats_have_a_point_and_whole_numbers_none() {
    let numbers: [(&str, Number); 7] = [
        ("whole", 17u64.into()),
        ("float", 17.0.into()),
        ("minus", (-17.0).into()),
        ("half", 0.5.into()),
        ("large", 1e6.into()),
        ("inf", f64::INFINITY.into()),
        ("nan", f64::NAN.into()),
    ];
    let mut family = MetricFamily::gauge("g", "").label_names(["l"]);
    for (label, number) in numbers {
        family.push([label], number);
    }
    check(
        family,
        "\
# TYPE g gauge
g{l=\"whole\"} 17
g{l=\"float\"} 17.0
g{l=\"minus\"} -17.0
g{l=\"half\"} 0.5
g{l=\"large\"} 1e+06
g{l=\"inf\"} +Inf
g{l=\"nan\"} NaN
# EOF
",
    );
}

#[test]
fn a_unit_is_given_where_the_name_ends_with_it() {
    let head = |family: FamilyBuilder| {
        let page = page([family]);
        let lines = page.lines().filter(|line| line.starts_with("# UNIT"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let gauge = |name: &str, unit: &str| MetricFamily::gauge(name, "").unit(unit);
    assert_eq!(head(gauge("a_seconds", "seconds")), ["# UNIT a_seconds seconds"]);
    let counter = MetricFamily::counter("a_seconds_total", "").unit("seconds");
    assert_eq!(head(counter), ["# UNIT a_seconds seconds"]);
    for (name, unit) in
        [("a", "seconds"), ("aseconds", "seconds"), ("seconds", "seconds"), ("a_s", "m/s")]
    {
        assert_eq!(head(gauge(name, unit)), NONE);
    }
    let odd = MetricFamily::gauge("a_\n# EOF", "").utf8_names().unit("\n# EOF");
    let lines = encode(escaped(Escaping::AllowUtf8), [odd]);
    assert_eq!(lines, "# TYPE \"a_\\n# EOF\" gauge\n# EOF\n");
    let info = MetricFamily::info("a_seconds_info", "").unit("seconds").sample(NONE, 1u64);
    assert_eq!(head(info), NONE);
}

#[test]
fn b31_infos_lose_their_suffix_in_the_head() {
    let info = |name: &str, value: f64| {
        MetricFamily::info(name, "I.").label_names(["version"]).sample(["1.2"], value)
    };
    check(
        info("build_info", 1.0),
        "# HELP build I.\n# TYPE build info\nbuild_info{version=\"1.2\"} 1.0\n# EOF\n",
    );
    for (name, value) in [("build", 1.0), ("_info", 1.0), ("build_info", 2.0)] {
        check(
            info(name, value),
            &format!(
                "# HELP {name} I.\n# TYPE {name} gauge\n{name}{{version=\"1.2\"}} {value:.1}\n# EOF\n"
            ),
        );
    }
}

#[test]
fn b31_infos_with_a_timestamp_here_and_there_are_gauges() {
    let rows = |timestamps: [Option<i64>; 2]| {
        let mut info = MetricFamily::info("build_info", "").label_names(["version"]);
        for (version, timestamp) in ["1", "2"].into_iter().zip(timestamps) {
            info.push([version], 1u64);
            if let Some(timestamp) = timestamp {
                info.push_timestamp(timestamp);
            }
        }
        page([info])
    };
    assert!(rows([Some(5), None]).starts_with("# TYPE build_info gauge\n"));
    assert!(rows([Some(5), Some(4)]).starts_with("# TYPE build info\n"));
}

#[test]
fn b31_state_sets_keep_their_rules_or_are_gauges() {
    let word = |rows: &[([&str; 2], f64)]| {
        let mut family = MetricFamily::state_set("job_state", "").label_names(["job", "job_state"]);
        for (labels, value) in rows {
            family.push(labels, *value);
        }
        let page = page([family]);
        page.split(['\n', ' ']).nth(3).expect("the type").to_owned()
    };
    assert_eq!(word(&[(["a", "on"], 1.0), (["a", "off"], 0.0), (["b", "on"], 0.0)]), "stateset");
    assert_eq!(word(&[]), "stateset");
    // Other values, a series without a state, states that do not stand together.
    assert_eq!(word(&[(["a", "on"], 0.5)]), "gauge");
    assert_eq!(word(&[(["a", "on"], 1.0), (["a", ""], 0.0)]), "gauge");
    assert_eq!(word(&[(["a", "on"], 1.0), (["b", "on"], 1.0), (["a", "off"], 0.0)]), "gauge");
    let mut stamped = MetricFamily::state_set("s", "").label_names(["s"]);
    stamped.push_at(["on"], 1u64, 1000);
    stamped.push_at(["off"], 0u64, 1000);
    assert!(page([stamped]).starts_with("# TYPE s stateset\n"));
    let mut mixed = MetricFamily::state_set("s", "").label_names(["s"]);
    mixed.push_at(["on"], 1u64, 1000);
    mixed.push(["off"], 0u64);
    assert!(page([mixed]).starts_with("# TYPE s gauge\n"));
}

#[test]
fn histograms_have_canonical_bounds_and_whole_counts() {
    let mut family = MetricFamily::histogram("h_seconds", "H.", &[0.005, 1.0, 10.0])
        .label_names(["path"])
        .unit("seconds");
    family.push_histogram(["/a"], [1, 2, 0, 4], 17.0);
    family.push_histogram([""], [], 0.0);
    check(
        family,
        "\
# HELP h_seconds H.
# TYPE h_seconds histogram
# UNIT h_seconds seconds
h_seconds_bucket{path=\"/a\",le=\"0.005\"} 1
h_seconds_bucket{path=\"/a\",le=\"1.0\"} 3
h_seconds_bucket{path=\"/a\",le=\"10.0\"} 3
h_seconds_bucket{path=\"/a\",le=\"+Inf\"} 7
h_seconds_sum{path=\"/a\"} 17.0
h_seconds_count{path=\"/a\"} 7
h_seconds_bucket{le=\"0.005\"} 0
h_seconds_bucket{le=\"1.0\"} 0
h_seconds_bucket{le=\"10.0\"} 0
h_seconds_bucket{le=\"+Inf\"} 0
h_seconds_sum 0.0
h_seconds_count 0
# EOF
",
    );
}

#[test]
fn default_buckets_are_the_same_series_as_everywhere() {
    let bounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
    let family = || {
        let mut family = MetricFamily::histogram("h", "", &bounds);
        family.push_histogram(NONE, [], 0.0);
        family
    };
    let bounds_of = |page: &str| {
        let bounds = page.lines().filter_map(|line| line.split("le=\"").nth(1)?.split('"').next());
        bounds.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(
        bounds_of(&page([family()])),
        [
            "0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1.0", "2.5", "5.0", "10.0",
            "+Inf"
        ]
    );
    assert_eq!(
        bounds_of(&encode(Format::TEXT, [family()])),
        ["0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "+Inf"]
    );
}

#[test]
fn a_histogram_that_counts_negative_values_comes_apart() {
    let expected = |first: &str, sum: &str| {
        format!(
            "\
# HELP h_bucket H.
# TYPE h_bucket unknown
h_bucket{{l=\"v\",le=\"{first}\"}} 1
h_bucket{{l=\"v\",le=\"+Inf\"}} 3
h_bucket{{l=\"w\",le=\"{first}\"}} 0
h_bucket{{l=\"w\",le=\"+Inf\"}} 0
# HELP h_sum H.
# TYPE h_sum unknown
h_sum{{l=\"v\"}} {sum}
h_sum{{l=\"w\"}} 0.0
# HELP h_count H.
# TYPE h_count unknown
h_count{{l=\"v\"}} 3
h_count{{l=\"w\"}} 0
# EOF
"
        )
    };
    for (bound, sum, first, text) in
        [(-1.0, 2.0, "-1.0", "2.0"), (1.0, -2.0, "1.0", "-2.0"), (1.0, f64::NAN, "1.0", "NaN")]
    {
        let mut family = MetricFamily::histogram("h", "H.", &[bound]).label_names(["l"]).unit("h");
        family.push_histogram(["v"], [1, 2], sum);
        family.push_exemplar(exemplar(0.0));
        family.push_created(5);
        family.push_histogram(["w"], [], 0.0);
        assert_eq!(encode(WITH_CREATED, [family]), expected(first, text));
    }
}

#[test]
fn gauge_histograms_have_suffixes_of_their_own() {
    let family = |bound: f64, sum: f64| {
        let mut family = MetricFamily::gauge_histogram("age_seconds", "", &[bound]);
        family.push_histogram(NONE, [3, 1], sum);
        family.push_exemplar(exemplar(bound));
        page([family])
    };
    assert_eq!(
        family(1.0, 7.5),
        "\
# TYPE age_seconds gaugehistogram
age_seconds_bucket{le=\"1.0\"} 3 # {trace_id=\"KOO5S4vxi0o\"} 1.0
age_seconds_bucket{le=\"+Inf\"} 4
age_seconds_gsum 7.5
age_seconds_gcount 4
# EOF
"
    );
    assert!(family(-1.0, -7.5).starts_with("# TYPE age_seconds gaugehistogram\n"));
    assert!(family(1.0, -7.5).contains("# TYPE age_seconds_gsum unknown\nage_seconds_gsum -7.5\n"));
    assert!(family(-1.0, f64::NAN).contains("age_seconds_gsum NaN\n"));
}

#[test]
fn summaries_have_quantiles_sum_and_count() {
    let family = |quantile: f64, sum: f64| {
        let mut family = MetricFamily::summary("s_seconds", "S.", &[0.5, 1.0]).label_names(["l"]);
        family.push_summary(["v"], [quantile, f64::NAN], 3, sum);
        family.push_created(1_500);
        encode(WITH_CREATED, [family])
    };
    assert_eq!(
        family(0.25, 2.0),
        "\
# HELP s_seconds S.
# TYPE s_seconds summary
s_seconds{l=\"v\",quantile=\"0.5\"} 0.25
s_seconds{l=\"v\",quantile=\"1.0\"} NaN
s_seconds_sum{l=\"v\"} 2.0
s_seconds_count{l=\"v\"} 3
s_seconds_created{l=\"v\"} 1.5
# EOF
"
    );
    let apart = "\
# HELP s_seconds S.
# TYPE s_seconds unknown
s_seconds{l=\"v\",quantile=\"0.5\"} -0.25
s_seconds{l=\"v\",quantile=\"1.0\"} NaN
# HELP s_seconds_sum S.
# TYPE s_seconds_sum unknown
s_seconds_sum{l=\"v\"} 2.0
# HELP s_seconds_count S.
# TYPE s_seconds_count unknown
s_seconds_count{l=\"v\"} 3
# EOF
";
    assert_eq!(family(-0.25, 2.0), apart);
    assert_eq!(family(0.25, -1.0), apart.replace("-0.25", "0.25").replace(" 2.0\n", " -1.0\n"));
}

#[test]
fn a_type_that_says_something_else_than_the_values_is_unknown() {
    for metric_type in [MetricType::Histogram, MetricType::GaugeHistogram, MetricType::Summary] {
        let family = || FamilyBuilder::new(metric_type, "a", "").sample(NONE, 1u64);
        check(family(), "# TYPE a unknown\na 1\n# EOF\n");
        assert_eq!(encode(Format::TEXT, [family()]), "# TYPE a untyped\na 1\n");
    }
    let mut column = HistogramColumn::new(Bounds::new(&[1.0]).expect("good bounds"));
    column.push([1], 0.5);
    let metadata = Metadata::new(MetricName::new("a").expect("a good name"), MetricType::Gauge, "");
    let column = Column::Histogram(column);
    let family = MetricFamily::from_parts(Arc::new(metadata), Series::unlabelled(), column);
    let mut page = Vec::new();
    Format::OPEN_METRICS.encode(&Scrape::new(vec![family.expect("one of each")]), &mut page);
    assert!(page.starts_with(b"# TYPE a histogram\n"));
}

#[test]
fn timestamps_are_seconds_without_exponents() {
    let mut family = MetricFamily::gauge("g", "").label_names(["l"]);
    family.push_at(["a"], 1.5, 1_520_879_607_789);
    family.push(["b"], 2u64);
    family.push_at(["c"], 3u64, -2);
    check(
        family,
        "\
# TYPE g gauge
g{l=\"a\"} 1.5 1520879607.789
g{l=\"b\"} 2
g{l=\"c\"} 3 -0.002
# EOF
",
    );
}

#[test]
fn b29_creation_times_are_written_where_they_are_asked_for() {
    let counter = || {
        let mut family = MetricFamily::counter("a_total", "x").label_names(["l"]);
        family.push_at(["v"], 1027.0, 1_395_066_363_000);
        family.push_created(1_395_060_000_500);
        family.push(["w"], 3u64);
        family
    };
    let total = "\
# HELP a x
# TYPE a counter
a_total{l=\"v\"} 1027.0 1395066363.000
";
    assert_eq!(page([counter()]), format!("{total}a_total{{l=\"w\"}} 3\n# EOF\n"));
    assert_eq!(
        encode(WITH_CREATED, [counter()]),
        format!(
            "{total}a_created{{l=\"v\"}} 1395060000.5 1395066363.000\na_total{{l=\"w\"}} 3\n# EOF\n"
        )
    );
    assert!(!encode(Format::TEXT, [counter()]).contains("created"));
    let mut histogram = MetricFamily::histogram("h", "", &[1.0]);
    histogram.push_histogram(NONE, [1], 0.5);
    histogram.push_created(12_000);
    let with_created = encode(WITH_CREATED, [histogram]);
    assert!(with_created.ends_with("h_sum 0.5\nh_count 1\nh_created 12.0\n# EOF\n"));
    let mut gauge = MetricFamily::gauge("g", "").sample(NONE, 1u64);
    gauge.push_created(12_000);
    assert_eq!(encode(WITH_CREATED, [gauge]), "# TYPE g gauge\ng 1\n# EOF\n");
}

#[test]
fn b32_exemplars_stand_behind_counters_and_buckets() {
    let mut counter = MetricFamily::counter("a_total", "").label_names(["l"]);
    counter.push(["v"], 3u64);
    counter.push_exemplar(exemplar(0.67).at(1_520_879_607_789));
    counter.push(["w"], 4u64);
    check(
        counter,
        "\
# TYPE a counter
a_total{l=\"v\"} 3 # {trace_id=\"KOO5S4vxi0o\"} 0.67 1520879607.789
a_total{l=\"w\"} 4
# EOF
",
    );
    let mut histogram = MetricFamily::histogram("h", "", &[0.5, 1.0]);
    histogram.push_histogram(NONE, [1, 0, 1], 2.5);
    histogram.push_exemplar(exemplar(0.25));
    histogram.push_exemplar(Exemplar::new([("", ""); 0], 2.0).expect("no labels"));
    check(
        histogram,
        "\
# TYPE h histogram
h_bucket{le=\"0.5\"} 1 # {trace_id=\"KOO5S4vxi0o\"} 0.25
h_bucket{le=\"1.0\"} 1
h_bucket{le=\"+Inf\"} 2 # {} 2.0
h_sum 2.5
h_count 2
# EOF
",
    );
}

#[test]
fn b32_exemplars_are_left_out_where_there_is_no_room() {
    let mut untyped = MetricFamily::counter("a", "").sample(NONE, 3u64);
    untyped.push_exemplar(exemplar(1.0));
    check(untyped, "# TYPE a unknown\na 3\n# EOF\n");
    let long = || {
        let mut family = MetricFamily::counter("a_total", "").sample(NONE, 3u64);
        let label = ("\u{e9}".repeat(60), "v");
        family.push_exemplar(Exemplar::new([label], 1.0).expect("61 code points"));
        family
    };
    let values = encode(escaped(Escaping::Values), [long()]);
    assert_eq!(values, "# TYPE a counter\na_total 3\n# EOF\n");
    let underscores = format!("a_total 3 # {{{}=\"v\"}} 1.0\n", "_".repeat(60));
    assert!(page([long()]).contains(&underscores));
}

#[test]
fn a17_names_are_escaped_as_the_scraper_asks() {
    let family = || {
        let family = MetricFamily::counter("http.requests_total", "H.").utf8_names();
        let mut family =
            family.label_names(["svc.name"]).const_label("1st", "z").sample(["x"], 1u64);
        family.push_exemplar(Exemplar::new([("trace.id", "y")], 1.0).expect("a short one"));
        family
    };
    for (escaping, expected) in [
        (
            Escaping::AllowUtf8,
            "\
# HELP \"http.requests\" H.
# TYPE \"http.requests\" counter
{\"http.requests_total\",\"1st\"=\"z\",\"svc.name\"=\"x\"} 1 # {\"trace.id\"=\"y\"} 1.0
# EOF
",
        ),
        (
            Escaping::Underscores,
            "\
# HELP http_requests H.
# TYPE http_requests counter
http_requests_total{_st=\"z\",svc_name=\"x\"} 1 # {trace_id=\"y\"} 1.0
# EOF
",
        ),
        (
            Escaping::Dots,
            "\
# HELP http_dot_requests_ H.
# TYPE http_dot_requests_ counter
http_dot_requests__total{__st=\"z\",svc_dot_name=\"x\"} 1 # {trace_dot_id=\"y\"} 1.0
# EOF
",
        ),
        (
            Escaping::Values,
            "\
# HELP U__http_2e_requests_ H.
# TYPE U__http_2e_requests_ counter
U__http_2e_requests__total{U___31_st=\"z\",U__svc_2e_name=\"x\"} 1 # {U__trace_2e_id=\"y\"} 1.0
# EOF
",
        ),
    ] {
        assert_eq!(encode(escaped(escaping), [family()]), expected);
    }
}

#[test]
fn a17_quoted_names_stand_in_the_braces_with_any_labels() {
    let family = |names: &[&str]| {
        let mut family = MetricFamily::histogram("my \"h\"", "", &[1.0]).utf8_names();
        family = family.label_names(names);
        family.push_histogram(names, [1], 0.5);
        encode(escaped(Escaping::AllowUtf8), [family])
    };
    let expected = |labels: &str| {
        format!(
            "\
# TYPE \"my \\\"h\\\"\" histogram
{{\"my \\\"h\\\"_bucket\"{labels},le=\"1.0\"}} 1
{{\"my \\\"h\\\"_bucket\"{labels},le=\"+Inf\"}} 1
{{\"my \\\"h\\\"_sum\"{labels}}} 0.5
{{\"my \\\"h\\\"_count\"{labels}}} 1
# EOF
"
        )
    };
    assert_eq!(family(&[]), expected(""));
    assert_eq!(family(&["a"]), expected(",a=\"a\""));
    assert_eq!(family(&["a", "b:c"]), expected(",a=\"a\",\"b:c\"=\"b:c\""));
}
