use super::Escaping::{self, AllowUtf8, Dots, Underscores, Values};
use crate::name::NameKind;
use crate::{LabelName, MetricName};

/// Every scheme's form of a name of which everything is escaped.
fn all(name: &str) -> [String; 4] {
    Escaping::ALL.map(|scheme| {
        let mut escaped = String::new();
        scheme.escape(name, NameKind::Metric, |part| escaped.push_str(part));
        escaped
    })
}

#[test]
fn every_scheme_has_its_form_of_a_name() {
    for (name, underscores, dots, values) in [
        ("", "", "", ""),
        ("a_b", "a_b", "a__b", "a_b"),
        ("a.b_c", "a_b_c", "a_dot_b__c", "U__a_2e_b__c"),
        ("http.status:sum", "http_status:sum", "http_dot_status:sum", "U__http_2e_status:sum"),
        ("label with \u{1f631}", "label_with__", "label__with____", "U__label_20_with_20__1f631_"),
        ("0a", "_a", "__a", "U___30_a"),
        ("a\0b", "a_b", "a__b", "U__a_0_b"),
        ("\u{10ffff}", "_", "__", "U___10ffff_"),
    ] {
        assert_eq!(all(name), [name, underscores, dots, values], "{name}");
    }
}

#[test]
fn escaping_into_a_buffer_gives_the_same() {
    for name in ["a_b", "a.b_c", "a:b", "\u{1f631}"] {
        let (metric, label) = (MetricName::new_utf8(name), LabelName::new_utf8(name));
        for scheme in Escaping::ALL {
            let (metric, label) = (metric.as_ref().unwrap(), label.as_ref().unwrap());
            let mut out = Vec::new();
            metric.escape_into(&mut out, scheme);
            label.escape_into(&mut out, scheme);
            let expected = [metric.escaped(scheme), label.escaped(scheme)].concat();
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }
}

#[test]
fn names_of_the_classic_set_stay_as_they_are() {
    for name in ["a_b", "_dot_", "U__a_2e_b", "a__"] {
        for scheme in Escaping::ALL {
            assert_eq!(MetricName::new_utf8(name).unwrap().escaped(scheme), name);
            assert_eq!(LabelName::new_utf8(name).unwrap().escaped(scheme), name);
        }
    }
}

#[test]
fn a_colon_may_stand_in_a_metric_name_only() {
    let (metric, label) = (MetricName::new_utf8("a:b.c"), LabelName::new_utf8("a:b"));
    let (metric, label) = (metric.unwrap(), label.unwrap());
    assert_eq!(metric.escaped(Values), "U__a:b_2e_c");
    assert_eq!(
        Escaping::ALL.map(|scheme| label.escaped(scheme).into_owned()),
        ["a:b", "a_b", "a__b", "U__a_3a_b"]
    );
}

#[test]
fn values_come_back_from_their_escaped_form() {
    for name in ["a.b", "_", "a__b.", "\u{1f631}", "\u{10ffff}", "0", "U__.", "a\tb\"\\\n"] {
        let name = MetricName::new_utf8(name).unwrap();
        assert_eq!(Values.unescape(&name.escaped(Values)), name.as_str());
    }
    assert_eq!(Values.unescape("U__capitals_2E_ok"), "capitals.ok");
}

#[test]
fn what_a_scheme_cannot_have_given_stays_as_it_is() {
    for name in [
        "",
        "U_a",
        "U__single_underscore_",
        "U__trailing_2e",
        "U__not_2eg_hexadecimal",
        "U__surrogate_D900_",
        "U__too_large_110000_",
        "U__too_long_0000041_",
        "U__signed_+41_",
    ] {
        assert_eq!(Values.unescape(name), name);
    }
    assert_eq!(Underscores.unescape("a_dot_b"), "a_dot_b");
    assert_eq!(AllowUtf8.unescape("U__a_2e_b"), "U__a_2e_b");
    assert_eq!(Dots.unescape("a_dot_b__c"), "a.b_c");
}
