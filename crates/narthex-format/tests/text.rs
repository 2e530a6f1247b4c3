//! The text format 0.0.4: what every rule of it looks like on a page.

use std::io;
use std::sync::Arc;

use narthex_format::{Encoder, Format};
use narthex_model::{
    Bounds, Column, FamilyBuilder, HistogramColumn, Metadata, MetricFamily, MetricName, MetricType,
    Scrape, Series,
};

fn page(families: impl IntoIterator<Item = FamilyBuilder>) -> String {
    let families = families.into_iter().map(|family| family.build().expect("a good family"));
    let mut page = Vec::new();
    Format::TEXT.encode(&Scrape::new(families.collect()), &mut page);
    String::from_utf8(page).expect("a page is UTF-8")
}

#[track_caller]
fn check(family: FamilyBuilder, expected: &str) {
    assert_eq!(page([family]), expected);
}

const NONE: [&str; 0] = [];

#[test]
fn a19_content_type() {
    assert_eq!(Format::TEXT.content_type(), "text/plain; version=0.0.4; charset=utf-8");
}

#[test]
fn a19_any_scraper_gets_text() {
    for accept in [&[][..], &["*/*"], &["application/json"], &["a/b;q=0", "\u{0};;="]] {
        assert_eq!(Format::negotiate(accept.iter().copied()), Format::TEXT);
    }
}

#[test]
fn a20_families_are_sorted_and_labels_too() {
    let families = [
        MetricFamily::gauge("b", "Second.").sample(NONE, 2u64),
        MetricFamily::counter("a_total", "First.")
            .label_names(["path", "method"])
            .sample(["/x", "get"], 1u64)
            .sample(["/a", "post"], 20u64),
    ];
    assert_eq!(
        page(families),
        "\
# HELP a_total First.
# TYPE a_total counter
a_total{method=\"get\",path=\"/x\"} 1
a_total{method=\"post\",path=\"/a\"} 20
# HELP b Second.
# TYPE b gauge
b 2
"
    );
}

#[test]
fn a20_a_family_without_series_has_its_head() {
    let family = MetricFamily::counter("a_total", "A.").label_names(["l"]);
    check(family, "# HELP a_total A.\n# TYPE a_total counter\n");
}

#[test]
fn a20_an_empty_scrape_is_an_empty_page() {
    assert_eq!(page([]), "");
}

#[test]
fn a20_help_is_left_out_where_there_is_none() {
    check(MetricFamily::unknown("a", "").sample(NONE, 1u64), "# TYPE a untyped\na 1\n");
}

#[test]
fn a20_histograms_have_cumulative_buckets_then_sum_then_count() {
    let mut family = MetricFamily::histogram("h_seconds", "H.", &[0.005, 1.0, 1e6])
        .label_names(["path"])
        .const_label("zone", "z");
    family.push_histogram(["/a"], [1, 2, 0, 4], 17.25);
    family.push_histogram([""], [0, 0, 0, 0], 0.0);
    check(
        family,
        "\
# HELP h_seconds H.
# TYPE h_seconds histogram
h_seconds_bucket{path=\"/a\",zone=\"z\",le=\"0.005\"} 1
h_seconds_bucket{path=\"/a\",zone=\"z\",le=\"1\"} 3
h_seconds_bucket{path=\"/a\",zone=\"z\",le=\"1e+06\"} 3
h_seconds_bucket{path=\"/a\",zone=\"z\",le=\"+Inf\"} 7
h_seconds_sum{path=\"/a\",zone=\"z\"} 17.25
h_seconds_count{path=\"/a\",zone=\"z\"} 7
h_seconds_bucket{zone=\"z\",le=\"0.005\"} 0
h_seconds_bucket{zone=\"z\",le=\"1\"} 0
h_seconds_bucket{zone=\"z\",le=\"1e+06\"} 0
h_seconds_bucket{zone=\"z\",le=\"+Inf\"} 0
h_seconds_sum{zone=\"z\"} 0
h_seconds_count{zone=\"z\"} 0
",
    );
}

#[test]
fn a20_a_histogram_without_labels_has_le_alone() {
    let mut family = MetricFamily::histogram("h", "", &[f64::NEG_INFINITY, -0.0]);
    family.push_histogram(NONE, [0, 1, 1], -3.5);
    check(
        family,
        "\
# TYPE h histogram
h_bucket{le=\"-Inf\"} 0
h_bucket{le=\"0\"} 1
h_bucket{le=\"+Inf\"} 2
h_sum -3.5
h_count 2
",
    );
}

#[test]
fn b31_infos_and_state_sets_are_gauges() {
    let info = MetricFamily::info("build_info", "Build.").label_names(["version", "path"]);
    check(
        info.sample(["1.0", "C:\\a\"\n"], 1u64),
        "\
# HELP build_info Build.
# TYPE build_info gauge
build_info{path=\"C:\\\\a\\\"\\n\",version=\"1.0\"} 1
",
    );
    let states = MetricFamily::state_set("job_state", "State.")
        .label_names(["job", "job_state"])
        .const_label("job_zone", "z");
    check(
        states.sample(["a", "idle"], false).sample(["a", "running"], true),
        "\
# HELP job_state State.
# TYPE job_state gauge
job_state{job=\"a\",job_state=\"idle\",job_zone=\"z\"} 0
job_state{job=\"a\",job_state=\"running\",job_zone=\"z\"} 1
",
    );
}

#[test]
fn a20_types_the_format_lacks_become_the_nearest() {
    for (metric_type, word) in [
        (MetricType::Counter, "counter"),
        (MetricType::Gauge, "gauge"),
        (MetricType::Info, "gauge"),
        (MetricType::StateSet, "gauge"),
        (MetricType::Unknown, "untyped"),
    ] {
        let family = FamilyBuilder::new(metric_type, "a", "").sample(NONE, 1u64);
        check(family, &format!("# TYPE a {word}\na 1\n"));
    }
    let name = MetricName::new("g").expect("a good name");
    let mut column = HistogramColumn::new(Bounds::new(&[1.0]).expect("good bounds"));
    column.push([1, 1], 2.5);
    let family = MetricFamily::from_parts(
        Arc::new(Metadata::new(name, MetricType::GaugeHistogram, "")),
        Series::unlabelled(),
        Column::Histogram(column),
    );
    let mut page = Vec::new();
    Format::TEXT.encode(&Scrape::new(vec![family.expect("one of each")]), &mut page);
    let expected = "\
# TYPE g histogram
g_bucket{le=\"1\"} 1
g_bucket{le=\"+Inf\"} 2
g_sum 2.5
g_count 2
";
    assert_eq!(String::from_utf8_lossy(&page), expected);
}

#[test]
fn a20_absent_labels_leave_no_commas_behind() {
    let family = MetricFamily::gauge("g", "")
        .label_names(["a", "b", "c"])
        .sample(["1", "2", "3"], 1u64)
        .sample(["", "2", "3"], 2u64)
        .sample(["1", "", "3"], 3u64)
        .sample(["1", "2", ""], 4u64)
        .sample(["", "", "3"], 5u64)
        .sample(["", "", ""], 6u64);
    check(
        family,
        "\
# TYPE g gauge
g{a=\"1\",b=\"2\",c=\"3\"} 1
g{b=\"2\",c=\"3\"} 2
g{a=\"1\",c=\"3\"} 3
g{a=\"1\",b=\"2\"} 4
g{c=\"3\"} 5
g 6
",
    );
}

#[test]
fn a20_constant_labels_are_sorted_in() {
    let rows = |constants: &[&str]| {
        let mut family = MetricFamily::gauge("g", "").label_names(["d", "m"]);
        for name in constants {
            family = family.const_label(name, format!("{name}\n"));
        }
        let text = page([family.sample(["1", "2"], 0.5).sample(["", "2"], 1.5)]);
        text.strip_prefix("# TYPE g gauge\n").expect("the head").to_owned()
    };
    assert_eq!(rows(&["a"]), "g{a=\"a\\n\",d=\"1\",m=\"2\"} 0.5\ng{a=\"a\\n\",m=\"2\"} 1.5\n");
    assert_eq!(rows(&["e"]), "g{d=\"1\",e=\"e\\n\",m=\"2\"} 0.5\ng{e=\"e\\n\",m=\"2\"} 1.5\n");
    assert_eq!(rows(&["z"]), "g{d=\"1\",m=\"2\",z=\"z\\n\"} 0.5\ng{m=\"2\",z=\"z\\n\"} 1.5\n");
    assert_eq!(
        rows(&["z", "e", "a"]),
        "g{a=\"a\\n\",d=\"1\",e=\"e\\n\",m=\"2\",z=\"z\\n\"} 0.5\n\
         g{a=\"a\\n\",e=\"e\\n\",m=\"2\",z=\"z\\n\"} 1.5\n"
    );
    let alone = MetricFamily::gauge("g", "").const_label("a", "1").const_label("b", "");
    check(alone.sample(NONE, 1u64), "# TYPE g gauge\ng{a=\"1\",b=\"\"} 1\n");
}

#[test]
fn a20_more_labels_than_are_unrolled_come_out_too() {
    let names: Vec<String> = (10..30).map(|n| format!("l{n}")).collect();
    let labels: Vec<String> = names.iter().map(|name| format!("{name}=\"{name}\"")).collect();
    for count in 1..=names.len() {
        let family = MetricFamily::gauge("g", "").label_names(&names[..count]);
        let expected = format!("# TYPE g gauge\ng{{{}}} 1\n", labels[..count].join(","));
        check(family.sample(&names[..count], 1u64), &expected);
    }
}

#[test]
fn a21_numbers_are_written_as_go_does() {
    let family = MetricFamily::gauge("g", "")
        .label_names(["l"])
        .sample(["whole"], 400u64)
        .sample(["exact"], u64::MAX)
        .sample(["float"], 4.0)
        .sample(["exponent"], 1234567.0)
        .sample(["nan"], f64::NAN)
        .sample(["inf"], f64::INFINITY)
        .sample(["minus inf"], f64::NEG_INFINITY)
        .sample(["minus zero"], -0.0);
    check(
        family,
        "\
# TYPE g gauge
g{l=\"whole\"} 400
g{l=\"exact\"} 18446744073709551615
g{l=\"float\"} 4
g{l=\"exponent\"} 1.234567e+06
g{l=\"nan\"} NaN
g{l=\"inf\"} +Inf
g{l=\"minus inf\"} -Inf
g{l=\"minus zero\"} 0
",
    );
}

#[test]
fn a22_label_values_are_escaped() {
    let value = "C:\\DIR\n\"q\" é\t\r";
    let family = MetricFamily::gauge("g", "").label_names(["l"]).const_label("c", value);
    check(
        family.sample([value], 1u64),
        "# TYPE g gauge\n\
         g{c=\"C:\\\\DIR\\n\\\"q\\\" é\t\r\",l=\"C:\\\\DIR\\n\\\"q\\\" é\t\r\"} 1\n",
    );
}

#[test]
fn a22_help_is_escaped_but_for_quotes() {
    check(
        MetricFamily::gauge("g", "two\nlines, a \\ and \"quotes\""),
        "# HELP g two\\nlines, a \\\\ and \"quotes\"\n# TYPE g gauge\n",
    );
}

#[test]
fn a22_names_outside_the_classic_set_get_underscores() {
    let family = MetricFamily::gauge("http.réqs:rate", "H.")
        .utf8_names()
        .label_names(["1.a", "b:c", "plain"])
        .const_label("x.y", "z")
        .sample(["\\one", "two", "3"], 1u64)
        .sample(["", "a value that is longer than one block of text", "3"], 2u64);
    check(
        family,
        "\
# HELP http_r_qs:rate H.
# TYPE http_r_qs:rate gauge
http_r_qs:rate{__a=\"\\\\one\",b_c=\"two\",plain=\"3\",x_y=\"z\"} 1
http_r_qs:rate{b_c=\"a value that is longer than one block of text\",plain=\"3\",x_y=\"z\"} 2
",
    );
    let mut histogram = MetricFamily::histogram("花火", "", &[1.0]).utf8_names();
    histogram.push_histogram(NONE, [1], 0.5);
    assert!(page([histogram]).contains("\n___bucket{le=\"1\"} 1\n"));
}

#[test]
fn a23_timestamps_are_written_where_they_are_given() {
    let mut family = MetricFamily::gauge("g", "").label_names(["l"]);
    family.push_at(["a"], 1.5, 1_395_066_363_000);
    family.push(["b"], 2u64);
    family.push_at(["c"], 3u64, -2);
    check(family, "# TYPE g gauge\ng{l=\"a\"} 1.5 1395066363000\ng{l=\"b\"} 2\ng{l=\"c\"} 3 -2\n");
}

#[test]
fn lines_of_any_length_come_out_whole() {
    let long = "x".repeat(200_000);
    let family = MetricFamily::gauge("g", &*long).label_names(["l"]);
    check(
        family.sample([&*long], 1u64).sample(["short"], 2u64),
        &format!("# HELP g {long}\n# TYPE g gauge\ng{{l=\"{long}\"}} 1\ng{{l=\"short\"}} 2\n"),
    );
}

fn many(series: usize) -> Scrape {
    let mut family = MetricFamily::counter("a_total", "A.").label_names(["n"]);
    for n in 0..series {
        family.push([n.to_string()], n as u64);
    }
    Scrape::new(vec![family.build().expect("the labels differ")])
}

#[test]
fn a_long_page_comes_in_chunks_of_bounded_size() {
    let scrape = many(50_000);
    let mut whole = Vec::new();
    Format::TEXT.encode(&scrape, &mut whole);
    assert_eq!(whole.iter().filter(|&&byte| byte == b'\n').count(), 50_002);
    let mut encoder = Encoder::new(Format::TEXT);
    for _ in 0..2 {
        let (mut joined, mut chunks) = (Vec::new(), 0);
        let mut page = encoder.page(|chunk: &[u8]| {
            assert!(!chunk.is_empty() && chunk.len() <= 64 * 1024);
            joined.extend_from_slice(chunk);
            chunks += 1;
            Ok::<(), io::Error>(())
        });
        for family in scrape.families() {
            page.encode_family(family).expect("the sink takes all");
        }
        page.finish().expect("the sink takes all");
        assert!(joined == whole);
        assert_eq!(chunks, whole.len().div_ceil(64 * 1024 - 1024));
    }
}

#[test]
fn the_first_error_of_a_sink_ends_the_page() {
    let mut calls = 0;
    let result = Encoder::new(Format::TEXT).encode(&many(50_000), |_| {
        calls += 1;
        if calls == 2 { Err("full") } else { Ok(()) }
    });
    assert_eq!((result, calls), (Err("full"), 2));
}

#[test]
fn an_abandoned_page_leaves_nothing_behind() {
    let mut encoder = Encoder::new(Format::TEXT);
    let mut page = encoder.page(|_: &[u8]| Ok::<(), io::Error>(()));
    page.encode_family(&many(3).families()[0]).expect("the sink takes all");
    drop(page);
    let mut next = Vec::new();
    let scrape = Scrape::new(Vec::new());
    encoder
        .encode(&scrape, |chunk| io::Write::write_all(&mut next, chunk))
        .expect("the sink takes all");
    assert!(next.is_empty());
}

#[test]
fn write_gives_what_encode_gives() {
    let (mut written, mut encoded) = (Vec::new(), Vec::new());
    Format::TEXT.write(&many(10_000), &mut written).expect("a vector takes all");
    Format::TEXT.encode(&many(10_000), &mut encoded);
    assert!(written == encoded);
    let mut short = [0u8; 10];
    assert!(Format::TEXT.write(&many(1), &mut &mut short[..]).is_err());
}
