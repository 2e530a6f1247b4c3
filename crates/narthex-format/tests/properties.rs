//! Whatever goes onto a page can be read back from it.

mod reader;

use narthex_format::Format;
use narthex_model::{MetricFamily, Number, Scrape};
use proptest::prelude::*;

use reader::{Line, read};

fn lines(family: MetricFamily) -> Vec<Line> {
    let mut page = Vec::new();
    Format::TEXT.encode(&Scrape::new(vec![family]), &mut page);
    read(std::str::from_utf8(&page).expect("a page is UTF-8")).expect("a page can be read")
}

/// Text with more than its share of what needs care.
fn text() -> impl Strategy<Value = String> {
    prop::collection::vec(
        prop_oneof![
            Just("\\".to_owned()),
            Just("\"".to_owned()),
            Just("\n".to_owned()),
            Just("} ".to_owned()),
            any::<char>().prop_map(String::from),
            "[a-z]{1,40}",
        ],
        0..8,
    )
    .prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a22_any_help_survives(help in text()) {
        let family = MetricFamily::gauge("g", help.as_str()).build().expect("a good family");
        let lines = lines(family);
        let read = lines.iter().find_map(|line| match line {
            Line::Help(text) => Some(text.as_str()),
            _ => None,
        });
        prop_assert_eq!(read.unwrap_or_default(), help);
    }

    #[test]
    fn a22_any_label_value_survives(values in prop::collection::vec(text(), 1..12), constant in text()) {
        let names: Vec<String> = (10..10 + values.len()).map(|n| format!("l{n}")).collect();
        let family = MetricFamily::gauge("g", "")
            .const_label("c", constant.as_str())
            .label_names(&names)
            .sample(&values, 1u64)
            .build()
            .expect("a good family");
        let mut expected = vec![("c".to_owned(), constant)];
        // A label with an empty value is the same as none.
        expected.extend(names.into_iter().zip(values).filter(|(_, value)| !value.is_empty()));
        prop_assert_eq!(
            lines(family).pop(),
            Some(Line::Sample { name: "g".into(), labels: expected, value: "1".into(), timestamp: None })
        );
    }

    #[test]
    fn a21_any_number_survives(bits: u64, whole: u64, timestamp: Option<i64>) {
        let float = f64::from_bits(bits);
        let mut family = MetricFamily::gauge("g", "").label_names(["l"]);
        for (label, number) in [("float", Number::Float(float)), ("whole", Number::Unsigned(whole))] {
            match timestamp {
                Some(timestamp) => family.push_at([label], number, timestamp),
                None => family.push([label], number),
            }
        }
        let lines = lines(family.build().expect("a good family"));
        let [.., Line::Sample { value: first, .. }, Line::Sample { value: second, timestamp: read, .. }] =
            &lines[..]
        else {
            panic!("two samples");
        };
        let first: f64 = first.parse().expect("a number");
        prop_assert!(first == float || (first.is_nan() && float.is_nan()));
        prop_assert_eq!(second, &whole.to_string());
        prop_assert_eq!(read, &timestamp.map(|t| t.to_string()));
    }

    #[test]
    fn a22_any_name_becomes_a_classic_one(name in text(), label in text()) {
        prop_assume!(!name.is_empty() && !label.is_empty() && !label.starts_with("__"));
        let family = MetricFamily::gauge(&*name, "")
            .utf8_names()
            .label_names([&label])
            .sample(["v"], 1u64)
            .build()
            .expect("any UTF-8 is a name here");
        let escaped = |name: &str, colon: bool| -> String {
            let fits = |at: usize, c: char| match c {
                'a'..='z' | 'A'..='Z' | '_' => true,
                '0'..='9' => at > 0,
                ':' => colon,
                _ => false,
            };
            name.chars().enumerate().map(|(at, c)| if fits(at, c) { c } else { '_' }).collect()
        };
        prop_assert_eq!(
            lines(family).pop(),
            Some(Line::Sample {
                name: escaped(&name, true),
                labels: vec![(escaped(&label, false), "v".into())],
                value: "1".into(),
                timestamp: None,
            })
        );
    }
}
