//! What the compiler says about types that cannot be what they derive, and about functions that
//! cannot take an attribute.
//!
//! After a change to a message, `TRYBUILD=overwrite cargo test -p narthex --test ui` writes the
//! `.stderr` files anew; read each as a newcomer would: does it say what to write?

#[test]
fn labels() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/labels/pass_*.rs");
    cases.compile_fail("tests/ui/labels/fail_*.rs");
}

#[test]
fn label_value() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/label_value/pass_*.rs");
    cases.compile_fail("tests/ui/label_value/fail_*.rs");
}

#[test]
fn metrics() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/metrics/pass_*.rs");
    cases.compile_fail("tests/ui/metrics/fail_*.rs");
}

#[test]
fn timer() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/timer/pass_*.rs");
    cases.compile_fail("tests/ui/timer/fail_*.rs");
}

#[test]
fn in_progress() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/in_progress/pass_*.rs");
    cases.compile_fail("tests/ui/in_progress/fail_*.rs");
}

#[test]
fn count_errors() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/count_errors/pass_*.rs");
    cases.compile_fail("tests/ui/count_errors/fail_*.rs");
}
