use narthex_model::Number;
use proptest::prelude::*;

use super::{Numeral, Plain, Pointed, ROOM, Spelling, push_number, push_seconds};

fn text(number: impl Numeral) -> String {
    spelled::<Plain>(number)
}

fn spelled<S: Spelling>(number: impl Numeral) -> String {
    let mut out = Vec::new();
    push_number::<S>(&mut out, number);
    String::from_utf8(out).unwrap()
}

/// Checks that `value` reads back and is laid out as the standard library's digits would be.
///
/// The last digit may differ: where two shortest texts are equally near, Go and we take the even
/// one, the standard library the larger.
#[track_caller]
fn check_layout(value: f64) {
    let (text, expected) = (text(value), go(value));
    let shape = |text: &str| text.replace(|c: char| c.is_ascii_digit(), "0");
    assert_eq!(shape(&text), shape(&expected), "{text} and {expected}");
    let read: f64 = text.parse().unwrap();
    assert!(read == value || (read.is_nan() && value.is_nan()), "{text} is not {value:e}");
}

/// Go's layout spelled out over the digits that the standard library prints.
fn go(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    if value == 0.0 {
        return "0".to_owned();
    }
    let scientific = format!("{:e}", value.abs());
    let (mantissa, exponent) = scientific.split_once('e').unwrap();
    let exponent: i32 = exponent.parse().unwrap();
    let sign = if value < 0.0 { "-" } else { "" };
    if (-4..6).contains(&exponent) {
        format!("{value}")
    } else {
        let direction = if exponent < 0 { '-' } else { '+' };
        format!("{sign}{mantissa}e{direction}{:02}", exponent.abs())
    }
}

#[test]
fn a21_floats_are_laid_out_as_go_does() {
    for (value, expected) in [
        (0.0, "0"),
        (-0.0, "0"),
        (1.0, "1"),
        (-1.0, "-1"),
        (400.0, "400"),
        (0.5, "0.5"),
        (-2.25, "-2.25"),
        (100000.0, "100000"),
        (-123456.0, "-123456"),
        (999999.9, "999999.9"),
        (999999.9999999999, "999999.9999999999"),
        (1e6, "1e+06"),
        (-1e6, "-1e+06"),
        (1000001.0, "1.000001e+06"),
        (1234567.0, "1.234567e+06"),
        (1395066363123.0, "1.395066363123e+12"),
        (1395066363.123, "1.395066363123e+09"),
        (9999999.999999998, "9.999999999999998e+06"),
        (123456789012345.6, "1.234567890123456e+14"),
        (9999999999999998.0, "9.999999999999998e+15"),
        (1e15, "1e+15"),
        (1e16, "1e+16"),
        (1e21, "1e+21"),
        (f64::MAX, "1.7976931348623157e+308"),
        (930973720636779.0 + 0.25, "9.309737206367792e+14"),
        (0.0001, "0.0001"),
        (0.00010000000000000002, "0.00010000000000000002"),
        (0.00009999999999999999, "9.999999999999999e-05"),
        (0.00001, "1e-05"),
        (-0.000012345678901234567, "-1.2345678901234568e-05"),
        (0.0000099, "9.9e-06"),
        (1e-9, "1e-09"),
        (1.5e-9, "1.5e-09"),
        (1e-10, "1e-10"),
        (f64::MIN_POSITIVE, "2.2250738585072014e-308"),
        (5e-324, "5e-324"),
        (f64::NAN, "NaN"),
        (f64::INFINITY, "+Inf"),
        (f64::NEG_INFINITY, "-Inf"),
    ] {
        assert_eq!(text(value), expected);
    }
}

#[test]
fn a21_whole_numbers_keep_every_digit() {
    for value in [0, 1, 9, 10, 999_999, 1_000_000, 9_999_999, 10_000_000, 1 << 53, u64::MAX] {
        for value in [value, value.saturating_add(1), value.saturating_sub(1)] {
            assert_eq!(text(value), value.to_string());
            assert_eq!(text(Number::Unsigned(value)), value.to_string());
        }
    }
    assert_eq!(text(Number::Float(1e6)), "1e+06");
}

#[test]
fn floats_without_a_fraction_have_one_in_openmetrics() {
    for (value, expected) in [
        (0.0, "0.0"),
        (-0.0, "0.0"),
        (1.0, "1.0"),
        (-1.0, "-1.0"),
        (100000.0, "100000.0"),
        (-999999.0, "-999999.0"),
        (1e6, "1e+06"),
        (-1e6, "-1e+06"),
        (0.5, "0.5"),
        (1e-5, "1e-05"),
        (1e16, "1e+16"),
        (f64::NAN, "NaN"),
        (f64::INFINITY, "+Inf"),
        (f64::NEG_INFINITY, "-Inf"),
    ] {
        assert_eq!(spelled::<Pointed>(value), expected);
        assert_eq!(spelled::<Pointed>(Number::Float(value)), expected);
    }
    assert_eq!(spelled::<Pointed>(Number::Unsigned(1)), "1");
    assert_eq!(spelled::<Pointed>(u64::MAX), u64::MAX.to_string());
}

#[test]
fn seconds_have_three_decimals() {
    for (milliseconds, expected) in [
        (0, "0.000"),
        (-2, "-0.002"),
        (1, "0.001"),
        (1_520_879_607_789, "1520879607.789"),
        (1_395_066_363_000, "1395066363.000"),
        (i64::MIN, "-9223372036854775.808"),
    ] {
        let mut out = Vec::new();
        push_seconds(&mut out, milliseconds);
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}

#[test]
fn a_line_feed_follows_and_fits() {
    for value in [f64::MIN, -2.2250738585072014e-308, -1.2345678901234567e-5, -0.0, f64::NAN] {
        let mut room = [b'#'; ROOM];
        let len = value.end_line::<Pointed>(&mut room);
        assert_eq!(room[len - 1], b'\n');
        assert_eq!(room[..len].iter().filter(|&&byte| byte == b'\n').count(), 1);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn a21_any_float_is_laid_out_as_go_does(bits: u64) {
        let value = f64::from_bits(bits);
        check_layout(value);
    }

    #[test]
    fn a21_floats_near_the_limits_are_laid_out_as_go_does(
        digits in 1u64..100_000_000_000_000_000,
        exponent in -30i32..12,
        negative: bool,
    ) {
        let value: f64 = format!("{}{digits}e{exponent}", if negative { "-" } else { "" })
            .parse()
            .unwrap();
        check_layout(value);
    }

    #[test]
    fn a21_any_whole_number_keeps_every_digit(value: u64, shift in 0u32..64) {
        prop_assert_eq!(text(value >> shift), (value >> shift).to_string());
    }
}
