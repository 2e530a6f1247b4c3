//! What the compiler says about types that cannot be labels or the value of one.
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
