//! JSON: the scrape as it is.

use narthex_format::Format;
use narthex_model::{Exemplar, FamilyBuilder, MetricFamily, Number, Scrape};
use serde_json::{Value, json};

const NONE: [&str; 0] = [];

fn page(families: impl IntoIterator<Item = FamilyBuilder>) -> String {
    let families = families.into_iter().map(|family| family.build().expect("a good family"));
    let mut page = Vec::new();
    Format::Json.encode(&Scrape::new(families.collect()), &mut page);
    String::from_utf8(page).expect("a page is UTF-8")
}

#[track_caller]
fn check(family: FamilyBuilder, expected: &Value) {
    let page: Value = serde_json::from_str(&page([family])).expect("the page is JSON");
    assert_eq!(page["families"], json!([expected]));
}

#[test]
fn an_empty_scrape_has_no_families() {
    assert_eq!(page([]), "{\"families\":[]}\n");
    assert_eq!(Format::Json.content_type(), "application/json");
}

#[test]
fn numbers_stay_what_they_are() {
    let mut family = MetricFamily::gauge("g_seconds", "G.").label_names(["l"]).unit("seconds");
    for (label, number) in [
        ("whole", Number::Unsigned(u64::MAX)),
        ("float", 1.0.into()),
        ("nan", f64::NAN.into()),
        ("inf", f64::INFINITY.into()),
        ("minus", f64::NEG_INFINITY.into()),
        ("small", 5e-324.into()),
    ] {
        family.push([label], number);
    }
    assert_eq!(
        page([family]),
        "{\"families\":[{\"name\":\"g_seconds\",\"type\":\"gauge\",\"help\":\"G.\",\
         \"unit\":\"seconds\",\"metrics\":[\
         {\"labels\":{\"l\":\"whole\"},\"value\":18446744073709551615},\
         {\"labels\":{\"l\":\"float\"},\"value\":1.0},\
         {\"labels\":{\"l\":\"nan\"},\"value\":\"NaN\"},\
         {\"labels\":{\"l\":\"inf\"},\"value\":\"+Inf\"},\
         {\"labels\":{\"l\":\"minus\"},\"value\":\"-Inf\"},\
         {\"labels\":{\"l\":\"small\"},\"value\":5e-324}]}]}\n"
    );
}

#[test]
fn counters_have_what_stands_beside_them() {
    let mut family = MetricFamily::counter("a.total", "").utf8_names().const_label("zone", "z");
    family.push_at(NONE, 3u64, -5);
    family.push_created(1_000);
    family.push_exemplar(Exemplar::new([("id", "x")], 0.5).expect("a short one").at(7));
    check(
        family,
        &json!({
            "name": "a.total", "type": "counter", "help": "", "unit": "",
            "metrics": [{
                "labels": {"zone": "z"}, "value": 3, "timestamp": -5, "created": 1000,
                "exemplar": {"labels": {"id": "x"}, "value": 0.5, "timestamp": 7},
            }],
        }),
    );
}

#[test]
fn histograms_and_summaries_are_objects() {
    let mut histogram = MetricFamily::histogram("h", "", &[0.5]);
    histogram.push_histogram(NONE, [2, 1], 1.5);
    histogram.push_exemplar(Exemplar::new([("id", "x")], 9.0).expect("a short one"));
    check(
        histogram,
        &json!({
            "name": "h", "type": "histogram", "help": "", "unit": "",
            "metrics": [{"labels": {}, "histogram": {"count": 3, "sum": 1.5, "buckets": [
                {"le": 0.5, "count": 2},
                {"le": "+Inf", "count": 3, "exemplar": {"labels": {"id": "x"}, "value": 9.0}},
            ]}}],
        }),
    );
    let mut summary = MetricFamily::summary("s", "", &[0.5, 0.99]);
    summary.push_summary(NONE, [1.25], 3, 4.0);
    check(
        summary,
        &json!({
            "name": "s", "type": "summary", "help": "", "unit": "",
            "metrics": [{"labels": {}, "summary": {"count": 3, "sum": 4.0, "quantiles": [
                {"quantile": 0.5, "value": 1.25}, {"quantile": 0.99, "value": "NaN"},
            ]}}],
        }),
    );
}

#[test]
fn any_text_survives() {
    let text: String = (0u8..128).map(char::from).chain("é\u{2028}\u{1f631}".chars()).collect();
    let family = MetricFamily::gauge(&*text, &*text).utf8_names().label_names([&text]);
    let page = page([family.sample([&text], 1u64), MetricFamily::gauge("z", "")]);
    let page: Value = serde_json::from_str(&page).expect("the page is JSON");
    let family = &page["families"][0];
    assert_eq!((&family["name"], &family["help"]), (&json!(text), &json!(text)));
    assert_eq!(family["metrics"][0]["labels"][&text], json!(text));
    assert_eq!(
        page["families"][1],
        json!({
            "name": "z", "type": "gauge", "help": "", "unit": "", "metrics": [],
        })
    );
}
