//! What the parsers say of single pages.

use narthex_format::Format;
use narthex_format::parse::{Event, Limits, Mode, Reader, Syntax, check, parse, parse_within};
use narthex_model::{MetricType, Scrape, Value};

fn strict(syntax: Syntax, page: &str) -> Scrape {
    parse(syntax, page.as_bytes(), Mode::Strict).unwrap_or_else(|error| panic!("{error}\n{page}"))
}

fn error(syntax: Syntax, page: impl AsRef<[u8]>) -> String {
    parse(syntax, page.as_ref(), Mode::Strict).expect_err("a bad page").to_string()
}

fn names(scrape: &Scrape) -> Vec<&str> {
    scrape.families().iter().map(|family| family.name().as_str()).collect()
}

#[test]
fn b29_a_newcomer_can_mend_a_page_from_the_messages() {
    for (page, message) in [
        (
            "http.requests 1\n",
            "line 1, column 5: expected a metric name of letters, digits, `_` and `:`; one with other characters is written in quotes within the braces, as in `{\"my.metric\"}`, found `.requests`",
        ),
        ("a{b=c} 1\n", "line 1, column 5: expected a label value in double quotes, found `c`"),
        (
            "a{b=\"c} 1\n",
            "line 1, column 5: expected a text in quotes that ends within the line; a quote in it is written `\\\"`, a backslash `\\\\` and a line feed `\\n`, found `\"`",
        ),
        (
            "a{b=\"C:\\dir\"} 1\n",
            "line 1, column 8: expected `\\\\`, `\\\"` or `\\n`: a backslash is itself written `\\\\`, found `\\dir`",
        ),
        (
            "a{b=\"c\" d=\"e\"} 1\n",
            "line 1, column 9: expected `,` and another label, or `}`, found `d=`",
        ),
        ("a{b=\"c\",b=\"d\"} 1\n", "line 1, column 9: label `b` is given twice"),
        (
            "a 1,5\n",
            "line 1, column 3: expected a number such as `1`, `2.5`, `+Inf` or `NaN`, found `1,5`",
        ),
        (
            "a\n",
            "line 1, column 2: expected a number such as `1`, `2.5`, `+Inf` or `NaN`, found the end of the line",
        ),
        (
            "a 1 1.5\n",
            "line 1, column 5: expected a time in whole milliseconds since 1970, such as `1395066363000`, found `1.5`",
        ),
        (
            "a 1 \n",
            "line 1, column 4: expected the line to end right after the value, found a blank",
        ),
        (
            "a 1",
            "line 1, column 4: the last line must end with a line feed: without it, the page may have been cut off",
        ),
        (
            "# TYPE a count\n",
            "line 1, column 10: `count` is not a metric type: use counter, gauge, histogram, summary or untyped",
        ),
        (
            "a 1\n# TYPE a counter\n",
            "line 2, column 1: TYPE of `a` comes twice or after its samples: give it once, before them",
        ),
        (
            "{b=\"c\"} 1\n",
            "line 1, column 2: the sample has no name: give it before the braces, or in quotes within them as in `{\"my.metric\"}`",
        ),
        (
            "é 1\r\n",
            "line 1, column 1: expected a metric name of letters, digits, `_` and `:`; one with other characters is written in quotes within the braces, as in `{\"my.metric\"}`, found `é`",
        ),
        (
            "a 1\r\n",
            "line 1, column 3: expected a number such as `1`, `2.5`, `+Inf` or `NaN`, found `1\\r`",
        ),
    ] {
        assert_eq!(error(Syntax::Text, page), message);
    }
    for (page, message) in [
        (
            "a 1\n",
            "line 2, column 1: the page ends without `# EOF`: add that line, or see whether the page was cut off",
        ),
        ("a 1\n\n# EOF\n", "line 2, column 1: OpenMetrics has no empty lines: remove this one"),
        (
            "# a comment\n# EOF\n",
            "line 1, column 3: expected one blank and `TYPE`, `UNIT`, `HELP` or a lone `EOF`: OpenMetrics has no other comments, found `a`",
        ),
        (
            "# TYPE a_total counter\na_total 1\n# EOF\n",
            "line 2, column 1: `a_total` is declared as the name of a counter and used as that of a sample: TYPE, HELP and UNIT leave `_total` out, as in `# TYPE a counter`, samples have it",
        ),
        (
            "# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_count 1\nh_sum 1\n# EOF\n",
            "line 2, column 1: the histogram that starts here lacks its last bucket, `le=\"+Inf\"`, which equals `_count`",
        ),
        (
            "# TYPE h histogram\nh_bucket{le=\"1\"} 2\nh_bucket{le=\"+Inf\"} 1\n# EOF\n",
            "line 3, column 21: a bucket counts what the one before it does, and more: its value cannot be smaller",
        ),
        (
            "# UNIT a seconds\na 1\n# EOF\n",
            "line 1, column 10: `a` does not end in its unit: name it `a_seconds` or drop the UNIT line",
        ),
        (
            "a 1 # {x=\"y\"} 1\n# EOF\n",
            "line 1, column 1: only the `_total` of a counter and the `_bucket` of a histogram may have an exemplar",
        ),
        (
            "a{b=\"1\"} 1\na 1\na{b=\"1\"} 2\n# EOF\n",
            "line 3, column 1: the samples of one metric of `a` must stand together, without those of others in between",
        ),
    ] {
        assert_eq!(error(Syntax::OpenMetrics, page), message);
    }
}

#[test]
fn a_page_with_three_faults_shows_three_places() {
    let page = "# TYPE a counter\na{b=c} 1\nok 1\na{b=\"c\"} one\nok 2\n# TYPE x y\n";
    for mode in [Mode::Strict, Mode::Lenient] {
        let faults = check(Syntax::Text, page.as_bytes(), mode, &Limits::default());
        let places: Vec<_> = faults.iter().map(|fault| (fault.line(), fault.column())).collect();
        assert_eq!(places, [(Some(2), Some(5)), (Some(4), Some(10)), (Some(6), Some(10))]);
    }
    let two = check(Syntax::Text, page.as_bytes(), Mode::Strict, &Limits::default().faults(2));
    assert_eq!(two.len(), 2);
}

#[test]
fn strange_bytes_have_a_place() {
    for (page, line, column, token) in [
        (&b"a 1\n\0 1\n"[..], 2, 1, "\0"),
        (b"a 1\nb{l=\"\xff\"} 1\n", 2, 6, "\\xff"),
        (b"a 1\n# HELP b \xc3\xa9\xe2\x82 x\nc 1\n", 2, 11, "\\xe2\\x82"),
        (b"\xef\xbb\xbfa 1\n", 1, 1, "\u{feff}a"),
        (b"a\r\n", 1, 2, "\r"),
    ] {
        let error = parse(Syntax::Text, page, Mode::Strict).expect_err("a bad page");
        let got = (error.line(), error.column(), error.token());
        assert_eq!(got, (Some(line), Some(column), token), "{error}");
    }
    // What is no text may stand in a comment.
    let scrape = parse(Syntax::Text, b"# \xff\na 1\n", Mode::Strict).expect("a good page");
    assert_eq!(scrape.value("a", &[]), Some(1.0));
}

#[test]
fn numbers_that_are_none_are_refused() {
    for token in ["1e309", "+NaN", "-NaN", "0x1", "0x1p3", "1_0", "1.5f", "١", "--1", "1e", "Nan"]
    {
        let page = format!("a {token}\n");
        let place = format!(
            "line 1, column 3: expected a number such as `1`, `2.5`, `+Inf` or `NaN`, found `{token}`"
        );
        for mode in [Mode::Strict, Mode::Lenient] {
            let got = parse(Syntax::Text, page.as_bytes(), mode).map_err(|e| e.to_string());
            let go_takes_it = token == "Nan";
            assert_eq!(got.is_ok(), go_takes_it, "{token} {mode:?}");
            if let Err(got) = got {
                assert_eq!(got, place);
            }
        }
        let page = format!("a {token}\n# EOF\n");
        let lenient = parse(Syntax::OpenMetrics, page.as_bytes(), Mode::Lenient);
        assert_eq!(lenient.is_ok(), token == "Nan", "{token}");
        let json = format!(
            "{{\"families\": [{{\"name\": \"a\", \"metrics\": [{{\"value\": {token}}}]}}]}}"
        );
        assert!(parse(Syntax::Json, json.as_bytes(), Mode::Strict).is_err(), "{token}");
    }
    // Python's float() takes a number that is too large for infinity, and underscores for nothing.
    for (token, python) in [("1e309", true), ("1_0", false), ("0x1", false), ("+NaN", true)] {
        let page = format!("a {token}\n# EOF\n");
        let strict = parse(Syntax::OpenMetrics, page.as_bytes(), Mode::Strict);
        assert_eq!(strict.is_ok(), python, "{token}");
    }
}

#[test]
fn values_of_json_are_nested_no_deeper_than_a_page_needs() {
    for open in ["[", "{\"a\":"] {
        let page = open.repeat(1_000_000);
        assert!(error(Syntax::Json, &page).ends_with("values are nested deeper than 32 levels"));
    }
}

#[test]
fn a_nul_in_a_text_is_data() {
    let scrape = strict(Syntax::Text, "a{l=\"\0\"} 1\n# HELP a x\0y\n");
    assert_eq!(scrape.value("a", &[("l", "\0")]), Some(1.0));
    assert_eq!(scrape.families()[0].metadata().help(), "x\0y");
}

#[test]
fn a_line_of_64_megabytes_is_refused_with_its_place() {
    let page = ["ok 1\na{l=\"", &"x".repeat(64 << 20), "\"} 1\nb 1\n"].concat();
    for (syntax, rest) in [(Syntax::Text, ""), (Syntax::OpenMetrics, "# EOF\n")] {
        let page = [&page, rest].concat();
        let faults = check(syntax, page.as_bytes(), Mode::Lenient, &Limits::default());
        let [fault] = &faults[..] else { panic!("{faults:?}") };
        assert_eq!(
            fault.to_string(),
            "line 2, column 1048577: the line has 67108873 bytes, but may have 1048576 at most"
        );
        let limits = Limits::default().line(128 << 20);
        assert!(parse_within(syntax, page.as_bytes(), Mode::Lenient, &limits).is_ok());
    }
}

#[test]
fn a_million_labels_are_refused_with_their_place() {
    let labels: Vec<String> = (0..1_000_000).map(|n| format!("l{n}=\"\"")).collect();
    let page = format!("a{{{}}} 1\n", labels.join(","));
    let limits = Limits::default().line(32 << 20);
    let fault = parse_within(Syntax::Text, page.as_bytes(), Mode::Strict, &limits);
    let fault = fault.expect_err("a bad page");
    assert_eq!(fault.to_string(), "line 1, column 8109: a sample may have at most 1024 labels");
    let limits = limits.labels(2_000_000);
    let read = parse_within(Syntax::Text, page.as_bytes(), Mode::Strict, &limits);
    assert_eq!(read.expect("a good page").value("a", &[]), Some(1.0));
}

#[test]
fn a_page_that_is_too_long_is_refused() {
    let limits = Limits::default().page(3);
    for syntax in [Syntax::Text, Syntax::OpenMetrics, Syntax::Protobuf, Syntax::Json] {
        let fault = parse_within(syntax, b"a 1\n", Mode::Strict, &limits).expect_err("a bad page");
        assert!(fault.to_string().ends_with("the page has 4 bytes, but may have 3 at most"));
        assert_eq!(check(syntax, b"a 1\n", Mode::Strict, &limits), [fault]);
    }
}

#[test]
fn labels_that_have_little_in_common_do_not_cost_the_square_of_the_page() {
    let page: String = (0..20_000).map(|n| format!("a{{l{n}=\"v\"}} 1\n")).collect();
    let scrape = strict(Syntax::Text, &page);
    assert!(scrape.families().is_empty());
    assert_eq!(
        scrape.problems()[0].to_string(),
        "family `a` is left out: its 20000 series have 20000 different labels, few of them in \
         common"
    );
}

#[test]
fn a_series_that_is_given_twice_counts_once() {
    let scrape = strict(Syntax::Text, "a{x=\"1\",y=\"\"} 1\na{x=\"1\"} 2\na 3\na 4\na 5\n");
    assert_eq!(scrape.value("a", &[("x", "1")]), Some(1.0));
    assert_eq!(scrape.value("a", &[]), Some(3.0));
    assert_eq!(
        scrape.problems()[0].to_string(),
        "family `a` has 3 series twice: the first of each stands, the rest are left out"
    );
}

#[test]
fn a_name_that_the_model_reserves_leaves_its_family_out() {
    let scrape = strict(Syntax::Text, "a{__x=\"1\"} 1\nb 1\n");
    assert_eq!(names(&scrape), ["b"]);
    assert!(scrape.problems()[0].to_string().contains("`__x` is not a valid label name"));
}

#[test]
fn histograms_are_put_together() {
    let scrape = strict(
        Syntax::Text,
        "# TYPE h histogram\nh_sum{a=\"1\"} 5\nh_bucket{le=\"2\",a=\"1\"} 3\nother 1\n\
         h_bucket{a=\"1\",le=\"1e0\"} 1\nh_bucket{a=\"2\",le=\"1\"} 0\nh_bucket{a=\"2\",le=\"2\"} 0\n\
         h_bucket{a=\"2\",le=\"+Inf\"} 0\nh_count{a=\"1\"} 4\nh_count{a=\"2\"} 0\nh_sum{a=\"2\"} 0\n",
    );
    let family = scrape.family("h").expect("it is there");
    assert_eq!((family.metric_type(), family.len()), (MetricType::Histogram, 2));
    let Some(Value::Histogram(histogram)) = family.metric(0).map(|metric| metric.value()) else {
        panic!("a histogram")
    };
    let buckets: Vec<_> = histogram.buckets().collect();
    assert_eq!(buckets, [(1.0, 1), (2.0, 3), (f64::INFINITY, 4)]);
    assert_eq!(histogram.sum(), 5.0);
}

#[test]
fn a_family_that_comes_twice_is_the_same_fault_each_time() {
    let page = "# HELP x X.\n# TYPE x_total counter\n# TYPE x counter\n# EOF\n";
    for _ in 0..20 {
        assert_eq!(
            error(Syntax::OpenMetrics, page),
            "line 3, column 8: `x` is already taken by another family: the lines of a family must \
             stand together, and its name with `_total`, `_count` and the like must be free"
        );
    }
}

#[test]
fn a_metric_is_the_same_in_whichever_way_its_labels_are_spelled() {
    let start = "# TYPE x gauge\nx{a=\"1\",b=\"q\"} 1\nx{c=\"2\"} 1\n";
    for labels in [
        "{a=\"1\",b=\"q\"}",
        "{b=\"q\",a=\"1\"}",
        "{\"a\"=\"1\",b=\"q\"}",
        "{ a = \"1\" , b = \"q\" }",
        "{\"x\",b=\"q\",a=\"1\"}",
    ] {
        let line = if labels.contains("\"x\"") { labels.to_owned() } else { format!("x{labels}") };
        let page = format!("{start}{line} 2\n# EOF\n");
        let message = error(Syntax::OpenMetrics, &page);
        assert!(message.starts_with("line 4, column 1: the samples of one metric"), "{message}");
    }
    for labels in ["{a=\"1\",b=\"q\\\\\"}", "{a=\"1,b=\\\"q\\\"\"}", "{a=\"1\"}", "{}"] {
        strict(Syntax::OpenMetrics, &format!("{start}x{labels} 2\n# EOF\n"));
    }
}

#[test]
fn a_histogram_may_have_no_bucket_but_that_for_infinity() {
    let page = "# TYPE h histogram\nh_bucket{le=\"+Inf\"} 3\nh_sum 5\nh_count 3\n";
    let scrape = strict(Syntax::Text, page);
    for format in [Format::TEXT, Format::OPEN_METRICS, Format::PROTOBUF, Format::Json] {
        let mut page = Vec::new();
        format.encode(&scrape, &mut page);
        let read = parse(format.into(), &page, Mode::Strict).expect("a good page");
        assert_eq!(read, scrape, "{}", String::from_utf8_lossy(&page));
    }
    let Some(Value::Histogram(histogram)) = scrape.families()[0].metric(0).map(|m| m.value())
    else {
        panic!("a histogram")
    };
    assert_eq!((histogram.counts(), histogram.sum()), (&[3][..], 5.0));
}

#[test]
fn what_makes_no_histogram_is_kept_sample_by_sample() {
    for lines in [
        // No sum.
        "h_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 1\nh_count 1\n",
        // The count is not that of the last bucket.
        "h_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 2\n",
        // The counts fall.
        "h_bucket{le=\"1\"} 2\nh_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 1\n",
        // No whole number.
        "h_bucket{le=\"1\"} 0.5\nh_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 1\n",
        // A bucket twice.
        "h_bucket{le=\"1\"} 1\nh_bucket{le=\"1.0\"} 1\nh_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 1\n",
        // No bucket at all.
        "h_sum 1\nh_count 1\n",
        // Bounds that differ.
        "h_bucket{le=\"1\"} 1\nh_sum 1\nh_count 1\nh_bucket{a=\"b\",le=\"2\"} 1\nh_sum{a=\"b\"} 1\nh_count{a=\"b\"} 1\n",
        // A sample that a histogram has not.
        "h 1\nh_bucket{le=\"1\"} 1\nh_sum 1\nh_count 1\n",
    ] {
        let scrape = strict(Syntax::Text, &format!("# TYPE h histogram\n{lines}"));
        assert_eq!(scrape.problems(), [], "{lines}");
        let samples: usize = scrape.families().iter().map(narthex_model::MetricFamily::len).sum();
        assert_eq!(samples, lines.lines().count(), "{lines}");
        for family in scrape.families() {
            assert_eq!(family.metric_type(), MetricType::Unknown, "{lines}");
        }
    }
}

#[test]
fn openmetrics_families_have_the_names_of_their_samples() {
    let scrape = strict(
        Syntax::OpenMetrics,
        "# TYPE a counter\n# HELP a A.\na_total{x=\"1\"} 1.0 # {t=\"i\"} 0.5 1.25\n\
         a_created{x=\"1\"} 1520430000.123\n# TYPE b info\nb_info{v=\"1\"} 1\n# TYPE c_s gauge\n\
         # UNIT c_s s\nc_s 1 -1.0005\nd 2\n# EOF\n",
    );
    assert_eq!(names(&scrape), ["a_total", "b_info", "c_s", "d"]);
    let metric = scrape.families()[0].metric(0).expect("a series");
    assert_eq!(metric.created(), Some(1_520_430_000_123));
    let (_, exemplar) = metric.exemplars().next().expect("an exemplar");
    assert_eq!((exemplar.value(), exemplar.timestamp()), (0.5, Some(1250)));
    assert_eq!(scrape.families()[2].metadata().unit(), "s");
    let stamped = scrape.families()[2].metric(0).expect("a series");
    assert_eq!(stamped.timestamp(), Some(-1001), "rounded down");
}

#[test]
fn a_reader_gives_one_event_a_line() {
    let page = b"# HELP \"a.b\" x\\ny\n# TYPE \"a.b\" gauge\n# comment\n\n{\"a.b\",\"c d\"=\"\\\"\", e=\"f\" , } 1 5\n";
    let events: Vec<_> = Reader::text(page).collect::<Result<_, _>>().expect("a good page");
    let [Event::Help { family, text }, Event::Type { metric_type, .. }, Event::Sample(sample)] =
        &events[..]
    else {
        panic!("{events:?}")
    };
    assert_eq!((&**family, &**text, *metric_type), ("a.b", "x\ny", MetricType::Gauge));
    assert_eq!((sample.name(), sample.value().as_f64()), ("a.b", 1.0));
    let labels: Vec<_> = sample.labels().into_iter().collect();
    assert_eq!(labels, [("c d".into(), "\"".into()), ("e".into(), "f".into())]);
    assert_eq!(sample.timestamp().map(narthex_format::parse::Timestamp::as_millis), Some(5));
    assert_eq!(format!("{:?}", sample.labels()), r#"{"c d": "\"", "e": "f"}"#);
}

#[test]
fn the_server_reads_what_the_libraries_refuse_and_the_other_way_round() {
    for (syntax, page, strict, lenient) in [
        (Syntax::Text, "a 1", false, true),
        (Syntax::Text, "a 1 \n", false, true),
        (Syntax::Text, "a 1 2 \n", false, true),
        (Syntax::Text, "a{b=\"c\" d=\"e\"} 1\n", false, true),
        (Syntax::Text, "a{b=\"\\x\"} 1\n", false, true),
        (Syntax::Text, "# HELP a \\x\n", false, true),
        (Syntax::Text, "a 1 -1\n", true, false),
        (Syntax::Text, "a 1 +1\n", true, false),
        (Syntax::Text, "# TYPE a gaugehistogram\n", true, false),
        (Syntax::Text, "# TYPE a COUNTER\n", true, false),
        (Syntax::Text, "# TYPE  a  counter\n", true, false),
        (Syntax::Text, "#TYPE a nonsense\n", false, true),
        (Syntax::Text, "# TYPE\n", true, true),
        (Syntax::Text, "# TYPE a\n", true, false),
        (Syntax::Text, "{a} 1\n", true, false),
        (Syntax::Text, "# HELP a x\n# HELP a x\n", false, true),
        (Syntax::Text, "a{,} 1\n", false, false),
        (Syntax::Text, "a{b=\"c\",} 1\n", true, true),
        (Syntax::Text, " \ta { b = \"c\" }\t1\n \t", true, true),
        (Syntax::OpenMetrics, "a{b=\"c\",} 1\n# EOF\n", false, true),
        (Syntax::OpenMetrics, "a{ b = \"c\" } 1\n# EOF\n", true, false),
        (Syntax::OpenMetrics, "a +NaN\n# EOF", true, false),
        (Syntax::OpenMetrics, "a 1e309\n# EOF\n", true, false),
        (Syntax::OpenMetrics, "a 1\na 2\na 3\n# EOF\n", true, true),
        (Syntax::OpenMetrics, "a{b=\"c\"}1\n# EOF\n", false, false),
        (Syntax::OpenMetrics, "{\"a.b\"} 1\n# EOF\n", false, true),
    ] {
        for (mode, accept) in [(Mode::Strict, strict), (Mode::Lenient, lenient)] {
            let got = parse(syntax, page.as_bytes(), mode);
            assert_eq!(got.is_ok(), accept, "{page:?} {mode:?}: {got:?}");
        }
    }
}

#[test]
fn protobuf_faults_have_a_place() {
    // A family `a` with a gauge of 1: 1 = name, 3 = type, 4 = metric, in which 2 = gauge.
    let good =
        [&[0x12, 0x0a, 1, b'a', 0x18, 1, 0x22, 0x0b, 0x12, 9, 9][..], &1.0_f64.to_le_bytes()]
            .concat();
    let scrape = parse(Syntax::Protobuf, &good, Mode::Strict).expect("a good page");
    assert_eq!(scrape.value("a", &[]), Some(1.0));

    let mut nested = vec![0x0b; 1_000_000];
    nested.splice(0..0, [0xc0, 0x84, 0x3d]);
    let with = |change: fn(&mut Vec<u8>)| {
        let mut page = good.clone();
        change(&mut page);
        page
    };
    for (page, message) in [
        (
            good[..10].to_vec(),
            "byte 0: 18 bytes were announced, but only 9 are left: the page was cut off, or is no length-delimited protobuf",
        ),
        (
            with(|page| page[0] = 0x11),
            "byte 7: 11 bytes were announced, but only 10 are left: the page was cut off, or is no length-delimited protobuf",
        ),
        (with(|page| page[5] = 9), "byte 5: 9 is not a metric type"),
        (with(|page| page[5] = 0), "byte 8: a metric lacks its value, which is that of a counter"),
        (with(|page| page[3] = 0xff), "byte 3: a text is not UTF-8"),
        (with(|page| page[1] = 0x08), "byte 2: a field should be text, but has another wire type"),
        (with(|page| page[1] = 0x02), "byte 1: 0 is not a field number"),
        (with(|page| page[1] = 0x0f), "byte 1: field 1 has wire type 7, which there is not"),
        (vec![3, 0x18, 0xff, 0xff], "byte 4: the page ends within a field"),
        (vec![2, 0x18, 1], "byte 1: a metric family has no name"),
        ([&[12, 0x18][..], &[0xff; 10], &[1]].concat(), "byte 2: a number has more than 64 bits"),
        (nested, "byte 3: field 1 is a group, which metrics never have"),
    ] {
        assert_eq!(error(Syntax::Protobuf, &page), message, "{:x?}", &page[..page.len().min(30)]);
    }
    assert_eq!(
        error(Syntax::Protobuf, b"# HELP a b\n"),
        "byte 0: 35 bytes were announced, but only 10 are left: the page was cut off, or is no length-delimited protobuf"
    );
}

#[test]
fn protobuf_fields_that_narthex_does_not_know_are_left_alone() {
    // A field of four bytes, and those of a native histogram without what would make it one.
    let histogram = [
        &[0x08, 3, 0x28, 6, 0x6a, 2, 2, 4, 0x68, 2, 0x8d, 1, 0, 0, 0, 0][..],
        &[0x1a, 11, 0x08, 2, 0x11],
        &0.5_f64.to_le_bytes(),
        &[0x11],
        &4.5_f64.to_le_bytes(),
    ]
    .concat();
    let metric = [&[0x3a, histogram.len() as u8][..], &histogram].concat();
    let family =
        [&[0x22, metric.len() as u8][..], &metric, &[0x0a, 1, b'h', 0x18, 4, 0xf8, 1, 7]].concat();
    let page = [&[family.len() as u8][..], &family].concat();
    let scrape = parse(Syntax::Protobuf, &page, Mode::Strict).expect("a good page");
    let Some(Value::Histogram(histogram)) = scrape.families()[0].metric(0).map(|m| m.value())
    else {
        panic!("{scrape:?}")
    };
    assert_eq!(histogram.counts(), [2, 1]);
    assert_eq!(histogram.sum(), 4.5);
}

#[test]
fn json_may_leave_out_what_a_family_need_not_have() {
    let scrape = strict(
        Syntax::Json,
        r#"{"families": [
            {"name": "a", "metrics": [{"value": 18446744073709551615}, {"labels": {"b": "\u00e9"}, "value": "NaN", "exemplar": null}]},
            {"name": "c", "metrics": [], "more": [true, false, {}]},
            {"name": "h", "type": "histogram", "metrics": [
                {"histogram": {"sum": 1.5, "buckets": [{"le": 1, "count": 1}, {"le": "+Inf", "count": 2}]}}
            ]},
            {"name": "s", "type": "summary", "metrics": [{"summary": {"count": 2, "sum": "-Inf"}}]}
        ]}"#,
    );
    assert_eq!(names(&scrape), ["a", "c", "h", "s"]);
    assert_eq!(scrape.value("a", &[]), Some(u64::MAX as f64));
    assert!(scrape.value("a", &[("b", "é")]).is_some_and(f64::is_nan));
    assert_eq!(scrape.families()[2].metric_type(), MetricType::Histogram);
}

#[test]
fn json_faults_have_a_place() {
    for (page, message) in [
        ("[]", "line 1, column 1: expected an object with the key `families`"),
        ("{}", "line 1, column 1: the key `families` is missing"),
        ("{\"families\": {}}", "line 1, column 14: expected a list"),
        ("{\"families\": [{\"metrics\": []}]}", "line 1, column 15: the key `name` is missing"),
        (
            "{\"families\": [\n{\"name\": \"a\", \"type\": \"x\", \"metrics\": []}]}",
            "line 2, column 23: `x` is not a metric type: use counter, gauge, histogram, gaugehistogram, stateset, info, summary or unknown",
        ),
        (
            "{\"families\": [{\"name\": \"a\", \"metrics\": [{}]}]}",
            "line 1, column 41: the key `value` is missing",
        ),
        (
            "{\"families\": [{\"name\": \"a\", \"metrics\": [{\"value\": 1e309}]}]}",
            "line 1, column 51: expected a number, or one of the texts \"NaN\", \"+Inf\" and \"-Inf\"",
        ),
        (
            "{\"families\": [{\"name\": \"a\", \"metrics\": [{\"value\": 1, \"timestamp\": 1.5}]}]}",
            "line 1, column 67: `timestamp` is a time in whole milliseconds since 1970",
        ),
        (
            "{\"families\": [{\"name\": \"a\", \"metrics\": [{\"value\": 1, \"labels\": {\"b\": 1}}]}]}",
            "line 1, column 70: the value of a label is a text",
        ),
    ] {
        assert_eq!(error(Syntax::Json, page), message);
    }
}
