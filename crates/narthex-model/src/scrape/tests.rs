use super::Scrape;
use crate::MetricFamily;

fn gauge(name: &str, value: f64) -> MetricFamily {
    MetricFamily::gauge(name, "Help.").sample([""; 0], value).build().unwrap()
}

#[test]
fn a_family_given_twice_is_merged_or_told_of() {
    let labelled = |label: &str| {
        MetricFamily::gauge("g", "Help.").label_names(["l"]).sample([label], 1.0).build().unwrap()
    };
    let scrape = Scrape::new(vec![labelled("a"), gauge("f", 0.0), labelled("b"), labelled("a")]);
    assert_eq!(scrape.families().len(), 2);
    assert_eq!(scrape.value("g", &[("l", "b")]), Some(1.0));
    assert_eq!(
        scrape.problems()[0].to_string(),
        "family `g` was given twice: 1 series that both have are left out"
    );

    let counter = MetricFamily::counter("g", "Help.").sample([""; 0], 1u64).build().unwrap();
    let scrape = Scrape::new(vec![gauge("g", 2.0), counter]);
    assert_eq!(scrape.value("g", &[]), Some(2.0));
    assert_eq!(scrape.problems().len(), 1);
}

#[test]
fn a_sample_name_of_a_histogram_is_taken() {
    let mut histogram = MetricFamily::histogram("h", "H.", &[1.0]);
    histogram.push_histogram([""; 0], [1], 1.0);
    let scrape =
        Scrape::new(vec![gauge("h_count", 1.0), gauge("h_total", 1.0), histogram.build().unwrap()]);
    let names: Vec<_> = scrape.families().iter().map(|f| f.name().as_str()).collect();
    assert_eq!(names, ["h", "h_total"]);
    assert_eq!(
        scrape.problems()[0].to_string(),
        "family `h_count` is left out: `h` writes samples of that name"
    );
}

#[test]
fn values_are_found_by_all_labels_in_any_order() {
    let family = MetricFamily::gauge("g", "G.")
        .const_label("zone", "z")
        .label_names(["a", "b"])
        .sample(["1", "2"], 5.0)
        .build()
        .unwrap();
    let scrape = Scrape::new(vec![family]);
    assert_eq!(scrape.value("g", &[("b", "2"), ("zone", "z"), ("a", "1")]), Some(5.0));
    assert_eq!(scrape.value("g", &[("a", "1"), ("b", "2")]), None);
}

#[test]
fn names_that_escape_to_the_same_text_do_not_share_a_page() {
    let dotted =
        MetricFamily::gauge("a.b", "Help.").utf8_names().sample([""; 0], 1.0).build().unwrap();
    let scrape = Scrape::new(vec![dotted, gauge("a_b", 2.0), gauge("c", 3.0)]);
    let names: Vec<_> = scrape.families().iter().map(|f| f.name().as_str()).collect();
    assert_eq!(names, ["a_b", "c"]);
    assert!(scrape.problems()[0].to_string().contains("cannot tell it from `a_b`"));
    let labels = MetricFamily::gauge("g", "").utf8_names().label_names(["a.b", "a_b"]).build();
    assert!(labels.is_err());
}

#[test]
fn a17_names_that_any_scheme_escapes_to_the_same_text_do_not_share_a_page() {
    let utf8 = |name: &str| {
        MetricFamily::gauge(name, "").utf8_names().sample([""; 0], 1.0).build().unwrap()
    };
    for (name, twin) in
        [("a.b", "a_dot_b"), ("a.b", "U__a_2e_b"), ("a b", "a\u{e9}b"), ("a.b", "a_b")]
    {
        let scrape = Scrape::new(vec![utf8(name), utf8(twin), utf8("c")]);
        assert_eq!(scrape.families().len(), 2, "{name} {twin}");
        assert_eq!(scrape.problems().len(), 1, "{name} {twin}");
        let labels = MetricFamily::gauge("g", "").utf8_names().label_names([name, twin]).build();
        assert!(labels.is_err(), "{name} {twin}");
    }
    let apart = Scrape::new(vec![utf8("a.b"), utf8("a.c"), utf8("b")]);
    assert_eq!((apart.families().len(), apart.problems().len()), (3, 0));
}

#[test]
fn a17_a_sample_name_is_taken_by_whatever_scheme() {
    let mut dotted = MetricFamily::histogram("h.x", "", &[1.0]).utf8_names();
    dotted.push_histogram([""; 0], [1], 1.0);
    let dotted = dotted.build().unwrap();
    for name in ["h_x_count", "h_dot_x_sum", "U__h_2e_x_bucket"] {
        let scrape = Scrape::new(vec![dotted.clone(), gauge(name, 1.0), gauge("h_x_total", 1.0)]);
        assert_eq!(scrape.problems().len(), 1, "{name}");
        assert_eq!(scrape.problems()[0].family(), name);
    }
}

#[test]
fn a_family_may_be_there_in_part() {
    let name = crate::MetricName::new("h").unwrap();
    assert_eq!(
        crate::Problem::in_part(name, "its native buckets are left out").to_string(),
        "family `h` is there in part: its native buckets are left out"
    );
}

#[test]
fn many_families_of_one_name_are_merged_where_they_fit() {
    let of = |n: usize| {
        let family = MetricFamily::gauge("g", "").const_label("source", n.to_string());
        family.sample([""; 0], n as f64).build().unwrap()
    };
    let mut families: Vec<_> = (0..100).map(of).collect();
    let scrape = Scrape::new(families.clone());
    assert_eq!((scrape.families().len(), scrape.families()[0].len()), (1, 100));
    assert!(scrape.problems().is_empty());
    assert_eq!(scrape.value("g", &[("source", "99")]), Some(99.0));

    // One that does not fit costs nobody else, wherever it is.
    families.insert(50, MetricFamily::counter("g", "").sample([""; 0], 1.0).build().unwrap());
    families.push(of(7));
    let scrape = Scrape::new(families);
    assert_eq!((scrape.families().len(), scrape.families()[0].len()), (1, 100));
    assert_eq!(scrape.problems().len(), 2, "{:?}", scrape.problems());
}
