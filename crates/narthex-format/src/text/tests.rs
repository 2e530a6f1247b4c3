//! Templates and spelling must give the same bytes.

use narthex_model::{Escaping, MetricFamily};
use proptest::prelude::*;

use super::{Dialect, Shown, Syntax, Template, Workspace, spell_rows, write_all_rows};
use crate::format::CreatedLines;
use crate::number::{Plain, Pointed};
use crate::output::{LINE, Output};
use crate::shared_tests::{self, any_family};

const DIALECTS: [Dialect; 4] = [
    Dialect { syntax: Syntax::Prometheus, escaping: Escaping::Underscores },
    Dialect { syntax: Syntax::Prometheus, escaping: Escaping::AllowUtf8 },
    Dialect { syntax: Syntax::OpenMetrics(CreatedLines::Omitted), escaping: Escaping::Underscores },
    Dialect { syntax: Syntax::OpenMetrics(CreatedLines::Written), escaping: Escaping::AllowUtf8 },
];

fn render(encode: impl FnOnce(&mut Output<'_>)) -> String {
    String::from_utf8(shared_tests::render(encode)).unwrap()
}

fn check(family: &MetricFamily, workspace: &mut Workspace) {
    for dialect in DIALECTS {
        let shown = Shown::new(family, dialect);
        let spelled = render(|output| spell_rows(shown, &mut Vec::new(), output));
        let templated = render(|output| match dialect.syntax {
            Syntax::Prometheus => write_all_rows::<Plain>(shown, workspace, output),
            Syntax::OpenMetrics(_) => write_all_rows::<Pointed>(shown, workspace, output),
        });
        assert_eq!(templated, spelled);
    }
}

#[test]
fn templates_suit_a_family_unless_labels_would_be_out_of_order() {
    let suits = |constants: &[&str]| {
        let mut family =
            MetricFamily::gauge("g", "").label_names(["m", "p"]).sample(["", "x"], 1.0);
        for name in constants {
            family = family.const_label(name, "v");
        }
        let family = family.build().unwrap();
        check(&family, &mut Workspace::default());
        Template::suits(&Shown::new(&family, DIALECTS[0]))
    };
    assert!(suits(&[]));
    assert!(suits(&["a", "b"]));
    assert!(suits(&["a", "z"]));
    assert!(suits(&["z"]));
    assert!(!suits(&["n"]));
    assert!(!suits(&["a", "n", "z"]));
}

#[test]
fn lines_around_the_length_of_the_window_come_out_whole() {
    let mut workspace = Workspace::default();
    for len in (0..LINE + 40).step_by(7).chain(LINE - 130..LINE + 20) {
        let long = "v".repeat(len);
        let gauge = MetricFamily::gauge("g", "").label_names(["a", "b"]);
        check(&gauge.sample(["x", &long], 0.5).build().unwrap(), &mut workspace);
        let constant = MetricFamily::gauge("g", "").label_names(["b"]).const_label("a", &*long);
        check(&constant.sample(["x"], u64::MAX).build().unwrap(), &mut workspace);
        let mut histogram =
            MetricFamily::histogram("h", "", &[0.5]).label_names(["a"]).const_label("b", "x");
        histogram.push_histogram([&long], [u64::MAX, 0], f64::MIN);
        check(&histogram.build().unwrap(), &mut workspace);
    }
}

#[test]
fn memory_of_one_family_does_not_show_in_the_next() {
    let mut workspace = Workspace::default();
    for buckets in [5, 1, 3] {
        let bounds: Vec<f64> = (0..buckets).map(f64::from).collect();
        let mut family = MetricFamily::histogram("h", "H.", &bounds).label_names(["a"]);
        family.push_histogram(["x"], [1], 0.5);
        check(&family.build().unwrap(), &mut workspace);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_family_comes_out_the_same_either_way(family in any_family()) {
        check(&family, &mut Workspace::default());
    }
}
