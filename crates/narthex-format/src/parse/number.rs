//! Numbers and times as pages spell them.

use narthex_model::Number;

/// Whose rules say what a number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Numbers {
    /// Go's: no sign on NaN, and a number too large for an `f64` is none.
    Go,
    /// Python's: NaN may have a sign, and a number too large is an infinity.
    Python,
}

/// Reads a number; whole numbers that are no longer than a `u64` keep every digit.
///
/// Neither Go's nor Python's parser takes hexadecimal or `1_000` on a page.
#[inline]
pub(super) fn number(token: &str, rules: Numbers) -> Option<Number> {
    let bytes = token.as_bytes();
    if bytes.is_empty() {
        return None;
    }
    if bytes.len() < 20 && bytes.iter().all(u8::is_ascii_digit) {
        let value = bytes.iter().fold(0, |value, digit| 10 * value + u64::from(digit - b'0'));
        return Some(Number::Unsigned(value));
    }
    spelled_number(token, rules)
}

/// The same as an `f64`.
pub(super) fn float(token: &str, rules: Numbers) -> Option<f64> {
    number(token, rules).map(Number::as_f64)
}

fn spelled_number(token: &str, rules: Numbers) -> Option<Number> {
    if token.bytes().all(|byte| byte.is_ascii_digit())
        && let Ok(value) = token.parse()
    {
        return Some(Number::Unsigned(value));
    }
    if !token.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E')) {
        return named_number(token, rules).map(Number::Float);
    }
    // What is left of Rust's grammar here is that of Go and Python.
    let value: f64 = token.parse().ok()?;
    (value.is_finite() || rules == Numbers::Python).then_some(Number::Float(value))
}

fn named_number(token: &str, rules: Numbers) -> Option<f64> {
    let (sign, name) = match token.as_bytes()[0] {
        b'-' => (-1.0, &token[1..]),
        b'+' => (1.0, &token[1..]),
        _ => (1.0, token),
    };
    if name.eq_ignore_ascii_case("inf") || name.eq_ignore_ascii_case("infinity") {
        Some(sign * f64::INFINITY)
    } else if name.eq_ignore_ascii_case("nan") {
        (name.len() == token.len() || rules == Numbers::Python).then_some(f64::NAN)
    } else {
        None
    }
}

/// A time since the Unix epoch: milliseconds, and what a page said beyond them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp {
    millis: i64,
    nanos: u32,
}

impl Timestamp {
    /// Whole milliseconds since the Unix epoch.
    pub fn from_millis(millis: i64) -> Self {
        Self { millis, nanos: 0 }
    }

    /// Milliseconds since the Unix epoch, rounded down.
    pub fn as_millis(self) -> i64 {
        self.millis
    }

    /// Nanoseconds beyond the milliseconds, below 1,000,000.
    pub fn subsec_nanos(self) -> u32 {
        self.nanos
    }

    /// Reads seconds, as OpenMetrics writes times; one out of range becomes the last one in range.
    pub(super) fn from_seconds(token: &str, rules: Numbers) -> Option<Self> {
        if let Some(exact) = exact_seconds(token) {
            return Some(exact);
        }
        let seconds = float(token, rules).filter(|seconds| seconds.is_finite())?;
        Some(Self::from_millis((seconds * 1000.0).floor() as i64))
    }
}

/// Reads `-12.345`: such a time is exact, where an `f64` would lose its last digits.
fn exact_seconds(token: &str) -> Option<Timestamp> {
    let (negative, digits) = match token.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, token.strip_prefix('+').unwrap_or(token)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || whole.len() > 18 || !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    let seconds: i128 = whole.parse().ok()?;
    let shown = &fraction[..fraction.len().min(9)];
    let nanos: i128 = format!("{shown:0<9}").parse().ok()?;
    let nanos = seconds * 1_000_000_000 + nanos;
    let nanos = if negative { -nanos } else { nanos };
    let millis = i64::try_from(nanos.div_euclid(1_000_000)).ok()?;
    Some(Timestamp { millis, nanos: nanos.rem_euclid(1_000_000) as u32 })
}

#[cfg(test)]
mod tests {
    use super::{Numbers, Timestamp, number};
    use narthex_model::Number;

    #[test]
    fn go_and_python_differ_in_nan_and_overflow_only() {
        for token in ["+NaN", "-nan", "1e309", "-1e400", "1e999999999"] {
            assert_eq!(number(token, Numbers::Go), None, "{token}");
            assert!(number(token, Numbers::Python).is_some(), "{token}");
        }
        for token in ["", "-", ".", "e5", "0x1F", "0x1p4", "1_0", "1 ", "1f", "１", "++1", "infin"]
        {
            assert_eq!(number(token, Numbers::Go), None, "{token}");
            assert_eq!(number(token, Numbers::Python), None, "{token}");
        }
        for (token, value) in [
            ("1", 1.0),
            (".5", 0.5),
            ("5.", 5.0),
            ("+.5", 0.5),
            ("1E5", 1e5),
            ("-inf", f64::NEG_INFINITY),
            ("+Infinity", f64::INFINITY),
            ("nan", f64::NAN),
            ("2.4e-324", 0.0),
        ] {
            assert_eq!(number(token, Numbers::Go), Some(Number::Float(value)), "{token}");
        }
    }

    #[test]
    fn whole_numbers_keep_their_digits() {
        for value in [0, 7, 9_007_199_254_740_993, 9_999_999_999_999_999_999, u64::MAX] {
            let Some(Number::Unsigned(read)) = number(&value.to_string(), Numbers::Go) else {
                panic!("{value} is whole")
            };
            assert_eq!(read, value);
        }
        let beyond = number("18446744073709551616", Numbers::Go);
        assert_eq!(beyond, Some(Number::Float(18_446_744_073_709_551_616.0)));
        assert_eq!(number(&"9".repeat(400), Numbers::Go), None);
    }

    #[test]
    fn seconds_are_exact_to_the_millisecond() {
        fn millis(token: &str) -> Option<i64> {
            Timestamp::from_seconds(token, Numbers::Go).map(Timestamp::as_millis)
        }
        for value in [0, 1, -1, 999, -1001, 1_520_879_607_789, i64::MAX, i64::MIN] {
            let sign = if value < 0 { "-" } else { "" };
            let size = value.unsigned_abs();
            let token = format!("{sign}{}.{:03}", size / 1000, size % 1000);
            assert_eq!(millis(&token), Some(value), "{token}");
        }
        assert_eq!(millis("1.5e3"), Some(1_500_000));
        assert_eq!(millis("0.0005"), Some(0));
        assert_eq!(millis("-0.0005"), Some(-1));
        assert_eq!(millis("12345678901234567890.5"), Some(i64::MAX));
        assert_eq!(millis("-1e300"), Some(i64::MIN));
        for token in ["NaN", "Inf", "1e309", "", "1.1.1", "+", "1."] {
            assert_eq!(millis(token).is_some(), token == "1.", "{token}");
        }
        let order = ["-1.1", "-1", "0.00005", "0.0001", "1.1"];
        let order = order.map(|token| Timestamp::from_seconds(token, Numbers::Go));
        assert!(order.is_sorted_by(|a, b| a < b));
    }
}
