//! Templates and spelling must give the same bytes.

use narthex_model::{Escaping, MetricFamily, Part};
use proptest::prelude::*;

use super::{Message, Template, Workspace, encode_part};
use crate::output::LINE;
use crate::shared_tests::{any_family, render};

fn check(family: &MetricFamily, workspace: &mut Workspace) {
    let escaping = Escaping::Underscores;
    let spelled = render(|output| {
        let (head, text) = (&mut Vec::new(), &mut Vec::new());
        let part = Part::whole(family);
        Message { part, family, escaping, head, text, output }.spell();
    });
    let encoded = render(|output| encode_part(Part::whole(family), escaping, workspace, output));
    assert_eq!(encoded, spelled, "{family:?}");
}

#[test]
fn a24_metrics_of_any_length_come_out_whole() {
    let mut workspace = Workspace::default();
    for len in (0..LINE + 40).step_by(7).chain(90..140).chain(LINE - 130..LINE + 20) {
        let long = "v".repeat(len);
        let gauge = MetricFamily::gauge("g", "").label_names(["a", "b"]);
        check(&gauge.sample(["x", &long], 0.5).build().unwrap(), &mut workspace);
        let gauge = MetricFamily::gauge("g", "").label_names(["a", "b"]);
        check(&gauge.sample([&*long, "x\\"], 0.5).build().unwrap(), &mut workspace);
        let constant = MetricFamily::counter("c", "").label_names(["b"]).const_label("a", &*long);
        check(&constant.sample(["x"], u64::MAX).build().unwrap(), &mut workspace);
        let mut histogram =
            MetricFamily::histogram("h", "", &[0.5]).label_names(["a"]).const_label("b", "x");
        histogram.push_histogram([&long], [u64::MAX, 0], f64::MIN);
        histogram.push_histogram(
            [if len == 0 { "x" } else { "" }],
            [1 << (len % 64), 1 << (len % 60)],
            f64::NAN,
        );
        check(&histogram.build().unwrap(), &mut workspace);
    }
}

#[test]
fn a24_templates_suit_what_has_nothing_beside_its_values() {
    let family = |constant: &str| {
        MetricFamily::counter("c_total", "").label_names(["d", "m"]).const_label(constant, "v")
    };
    let suits = |family: narthex_model::FamilyBuilder| Template::suits(&family.build().unwrap());
    assert!(suits(family("a").sample(["1", "2"], 1u64)));
    assert!(suits(family("z").sample(["1", "2"], 1u64)));
    assert!(!suits(family("e").sample(["1", "2"], 1u64)));
    let mut created = family("a").sample(["1", "2"], 1u64);
    created.push_created(1000);
    assert!(!suits(created));
    let mut stamped = family("a");
    stamped.push_at(["1", "2"], 1u64, 1000);
    assert!(!suits(stamped));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a24_any_family_comes_out_the_same_either_way(family in any_family()) {
        check(&family, &mut Workspace::default());
    }
}
