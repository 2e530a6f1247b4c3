use super::{LabelName, MetricName};

#[test]
fn accepts_the_classic_set_only() {
    for good in ["a", "_", ":", "a:b_9", "Http_Requests"] {
        assert!(MetricName::new(good).is_ok(), "{good}");
    }
    for bad in ["", "9a", "a-b", "a b", "ä", "a\n", "a\0", "a.b"] {
        assert!(MetricName::new(bad).is_err(), "{bad:?}");
    }
    for good in ["a", "_a", "a9"] {
        assert!(LabelName::new(good).is_ok(), "{good}");
    }
    for bad in ["", "9a", "a:b", "__a", "a-b", "a\n", "é"] {
        assert!(LabelName::new(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn utf8_names_are_asked_for() {
    assert!(MetricName::new_utf8("http.requests").is_ok_and(|name| !name.is_classic()));
    assert!(MetricName::new_utf8("").is_err());
    assert!(LabelName::new_utf8("a:b").is_ok_and(|name| !name.is_classic()));
    assert!(LabelName::new_utf8("__name__").is_err());
}

#[test]
fn underscores_stand_for_what_the_classic_set_lacks() {
    let metric = |name| MetricName::new_utf8(name).unwrap().underscored().into_owned();
    assert_eq!(metric("http.requests_total"), "http_requests_total");
    assert_eq!(metric("1a:b"), "_a:b");
    assert_eq!(metric("a\u{1f631}b\u{e9}"), "a_b_");
    let label = |name| LabelName::new_utf8(name).unwrap().underscored().into_owned();
    assert_eq!(label("a:b.c"), "a_b_c");
}

#[test]
fn errors_name_the_offender() {
    let message = |name| MetricName::new(name).unwrap_err().to_string();
    assert_eq!(message(""), "`` is not a valid metric name: it is empty");
    assert_eq!(message("1st"), "`1st` is not a valid metric name: it starts with a digit");
    assert_eq!(
        message("a\nb"),
        "`a\\nb` is not a valid metric name: `\\n` at byte 1 is not a letter, digit, `_` or `:`"
    );
    assert_eq!(
        LabelName::new("a:b").unwrap_err().to_string(),
        "`a:b` is not a valid label name: `:` at byte 1 is not a letter, digit or `_`"
    );
}
