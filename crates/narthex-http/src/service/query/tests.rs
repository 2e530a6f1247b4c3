use narthex_model::{MetricFamily, Scrape};

use super::{Filter, Query, QueryError};
use crate::gather::{Selection, SourceStatus};

fn filter(query: &str) -> Filter {
    Query::parse(query).expect("the query is well formed").filter().expect("it filters")
}

fn refusal(query: &str) -> String {
    Query::parse(query).expect_err(query).to_string()
}

#[test]
fn c10_malformed_queries_are_refused_with_the_reason() {
    for (query, reason) in [
        ("bad", "query parameter `bad` has no value: write `label=value`"),
        ("a=b=c", "query parameter `a=b=c` has a second `=`: write `%3D` where a value has one"),
        ("a=%", "query parameter `a=%` has a `%` without two hexadecimal digits"),
        ("a=%4", "query parameter `a=%4` has a `%` without two hexadecimal digits"),
        ("a=%+1", "query parameter `a=%+1` has a `%` without two hexadecimal digits"),
        ("a=%ff", "query parameter `a=%ff` is not UTF-8"),
        (
            "2x=1",
            "query parameter `2x=1` names neither `name[]`, `collect[]`, `exclude[]` nor a \
             label: `2x` is not a valid label name",
        ),
        (
            "names[]=1",
            "query parameter `names[]=1` names neither `name[]`, `collect[]`, `exclude[]` nor a \
             label: `names[]` is not a valid label name",
        ),
        (
            "collect[]=a&exclude[]=b",
            "the query has both `collect[]` and `exclude[]`: give one of them",
        ),
    ] {
        assert_eq!(refusal(query), reason);
    }
    assert_eq!(refusal(&"name[]=a&".repeat(1_001)), "the query has more than 1000 parameters");
    assert!(Query::parse(&"name[]=a&".repeat(1_000)).is_ok());
}

#[test]
fn c10_values_are_decoded() {
    for query in ["zone=a+b%3D%26%C3%A9", "zone=a%20b%3d%26é", "&zone=a+b%3D%26%C3%A9&"] {
        let (name, values) = filter(query).labels.pop_first().expect("one label");
        assert_eq!((name.as_str(), values.into_iter().next().as_deref()), ("zone", Some("a b=&é")));
    }
    assert_eq!(filter("name%5B%5D=x").names.pop_first().as_deref(), Some("x"));
    assert_eq!(Query::parse("").expect("nothing is asked").filter(), None);
}

fn scrape() -> Scrape {
    let jobs = MetricFamily::counter("jobs_total", "Jobs.").label_names(["zone", "kind"]);
    let jobs = jobs.sample(["a", "x"], 1_u64).sample(["a", "y"], 2_u64).sample(["b", "x"], 3_u64);
    let up = MetricFamily::gauge("up", "Up.").const_label("zone", "b").sample([""; 0], 1_u64);
    let mut wait = MetricFamily::histogram("wait_seconds", "Wait.", &[1.0]);
    wait.push_histogram([""; 0], vec![1, 0], 0.5);
    let families = [jobs, up, wait].map(|family| family.build().expect("a good family"));
    Scrape::new(families.into())
}

fn shown(query: &str) -> Vec<(String, usize)> {
    let scrape = filter(query).apply(&scrape());
    scrape.families().iter().map(|f| (f.name().as_str().to_owned(), f.len())).collect()
}

#[track_caller]
fn check(query: &str, expected: &[(&str, usize)]) {
    let expected: Vec<_> = expected.iter().map(|&(name, rows)| (name.to_owned(), rows)).collect();
    assert_eq!(shown(query), expected, "{query}");
}

#[test]
fn b26_families_are_chosen_by_name_or_by_the_name_of_a_sample() {
    check("name[]=jobs_total", &[("jobs_total", 3)]);
    check("name[]=jobs", &[("jobs_total", 3)]);
    check("name[]=up&name[]=jobs_total", &[("jobs_total", 3), ("up", 1)]);
    check("name[]=wait_seconds_bucket", &[("wait_seconds", 1)]);
    check("name[]=wait_seconds", &[("wait_seconds", 1)]);
    check("name[]=up_count", &[]);
    check("name[]=nothing", &[]);
}

#[test]
fn c10_series_are_chosen_by_label_and_repeated_labels_are_alternatives() {
    check("zone=a", &[("jobs_total", 2)]);
    check("zone=b", &[("jobs_total", 1), ("up", 1)]);
    check("zone=a&kind=x", &[("jobs_total", 1)]);
    check("zone=a&zone=b&kind=x", &[("jobs_total", 2)]);
    check("kind=", &[("up", 1), ("wait_seconds", 1)]);
    check("kind=z", &[]);
    check("name[]=up&zone=b", &[("up", 1)]);
}

#[test]
fn sources_are_chosen_by_name_and_an_unknown_one_is_refused() {
    let known = ["a", "b", "c"].map(SourceStatus::new);
    let select = |query: &str| Query::parse(query).expect("well formed").selection(&known);
    let only =
        |names: &[&str]| Ok(Selection::Only(names.iter().map(|&name| name.into()).collect()));
    assert_eq!(select("zone=a"), Ok(Selection::All));
    assert_eq!(select("collect[]=a&collect[]=c"), only(&["a", "c"]));
    assert_eq!(select("exclude[]=a"), only(&["b", "c"]));
    assert_eq!(select("collect[]=c&collect[]=b&collect[]=a"), Ok(Selection::All));
    assert_eq!(select("exclude[]=a&exclude[]=b&exclude[]=c"), only(&[]));
    for query in ["collect[]=a&collect[]=d", "exclude[]=d"] {
        assert_eq!(select(query), Err(QueryError::UnknownSource("d".into())));
    }
}
