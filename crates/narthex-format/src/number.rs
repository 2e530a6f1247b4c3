//! Numbers as text, as Go's `strconv.FormatFloat(f, 'g', -1, 64)` writes them.
//!
//! That is the shortest text that reads back as the same `f64`, with an exponent where that of the
//! first digit is below -4 or at least 6: `999999.9` but `1e+06`, `0.0001` but `1e-05`. Scrapers
//! take any notation; label values such as `le="1e+06"` must have this one to stay the same series
//! from library to library. Whole numbers that were never floating-point keep all their digits.
//!
//! OpenMetrics wants floating-point numbers told apart from whole ones: the same, but `1.0`.

use narthex_model::Number;

/// Bytes a number and the line feed after it may take, with room for moves of fixed size.
pub(crate) const ROOM: usize = 32;

/// How floating-point numbers without a fraction are written.
pub(crate) trait Spelling {
    /// What follows the digits of a whole number, such as `.0`.
    const AFTER_WHOLE: &'static [u8];
}

/// `1`, as the text format has it.
pub(crate) enum Plain {}

impl Spelling for Plain {
    const AFTER_WHOLE: &'static [u8] = b"";
}

/// `1.0`, as OpenMetrics has it.
pub(crate) enum Pointed {}

impl Spelling for Pointed {
    const AFTER_WHOLE: &'static [u8] = b".0";
}

/// A number that can end a line.
pub(crate) trait Numeral: Copy {
    /// Writes the number and a line feed; returns the bytes of both.
    fn end_line<S: Spelling>(self, room: &mut [u8; ROOM]) -> usize;
}

impl Numeral for u64 {
    #[inline(always)]
    fn end_line<S: Spelling>(self, room: &mut [u8; ROOM]) -> usize {
        match u32::try_from(self) {
            Ok(value) if value < SHORT => end_line_short(value, room),
            _ => end_line_long(self, room),
        }
    }
}

impl Numeral for f64 {
    #[inline(always)]
    fn end_line<S: Spelling>(self, room: &mut [u8; ROOM]) -> usize {
        // Numbers of this size have no bits for a fraction, so the sum is rounded to a whole number,
        // and its lowest bits are those of that number.
        const NO_FRACTION: f64 = 1.5 * (1_u64 << 52) as f64;
        let rounded = self + NO_FRACTION;
        let is_whole = rounded - NO_FRACTION == self;
        if is_whole && (0.0..EXPONENT_FROM).contains(&self) {
            // Whole gauges are common, and many times faster as integers. Zero loses its sign here.
            put_after_whole::<S>(end_line_short(rounded.to_bits() as u32, room), room)
        } else if !is_whole && (EXPONENT_BELOW..EXPONENT_FROM).contains(&self.abs()) {
            end_line_fraction(self, room)
        } else {
            end_line_other::<S>(self, room)
        }
    }
}

impl Numeral for Number {
    #[inline(always)]
    fn end_line<S: Spelling>(self, room: &mut [u8; ROOM]) -> usize {
        match self {
            Self::Unsigned(value) => value.end_line::<S>(room),
            other => other.as_f64().end_line::<S>(room),
        }
    }
}

/// Appends the number.
pub(crate) fn push_number<S: Spelling>(out: &mut Vec<u8>, number: impl Numeral) {
    let mut room = [0; ROOM];
    let len = number.end_line::<S>(&mut room);
    out.extend_from_slice(&room[..len - 1]);
}

/// Appends milliseconds as seconds with three decimals, so that nothing is rounded and no exponent
/// is needed.
pub(crate) fn push_seconds(out: &mut Vec<u8>, milliseconds: i64) {
    if milliseconds < 0 {
        out.push(b'-');
    }
    let size = milliseconds.unsigned_abs();
    out.extend_from_slice(itoa::Buffer::new().format(size / 1000).as_bytes());
    let decimals = size % 1000;
    let digit = |power: u64| b'0' + (decimals / power % 10) as u8;
    out.extend_from_slice(&[b'.', digit(100), digit(10), digit(1)]);
}

/// Puts what follows a whole number between it and the line feed that ends `room[..len]`.
#[inline(always)]
fn put_after_whole<S: Spelling>(len: usize, room: &mut [u8; ROOM]) -> usize {
    let after = S::AFTER_WHOLE;
    if after.is_empty() {
        return len;
    }
    room[len - 1..][..after.len()].copy_from_slice(after);
    room[len - 1 + after.len()] = b'\n';
    len + after.len()
}

/// Integers below this have at most seven digits: with their line feed they fill one word.
const SHORT: u32 = 10_000_000;

/// Floating-point numbers from here on are written with an exponent.
const EXPONENT_FROM: f64 = 1e6;

/// And so are those below this one. Here and there the first digit moves: a number and its shortest
/// text lie on the same side of a power of ten, for the text of that power would read back as the
/// power.
const EXPONENT_BELOW: f64 = 1e-4;

#[inline(always)]
fn end_line_short(value: u32, room: &mut [u8; ROOM]) -> usize {
    debug_assert!(value < SHORT);
    let digits = seven_digits(value);
    // Bits of leading zeros in whole bytes; the last digit of 0 is kept.
    let zeros = (digits | 1 << 48).trailing_zeros() & !7;
    let text = (digits | 0x0a30_3030_3030_3030) >> zeros;
    room[..8].copy_from_slice(&text.to_le_bytes());
    8 - zeros as usize / 8
}

/// The seven decimal digits of `value`, a byte each, the first in the lowest byte.
///
/// Eight are computed side by side in one word: two groups of four digits are split into four of
/// two and those into eight of one. The divisions are multiplications by rounded reciprocals, exact
/// for operands this small: `10486 / 2^20` is 1/100 up to 9999, `103 / 2^10` is 1/10 up to 99.
#[inline(always)]
fn seven_digits(value: u32) -> u64 {
    let fours = split(u64::from(value), u64::from(value / 10_000), 10_000, 32);
    let hundreds = ((fours * 10_486) >> 20) & 0x0000_007f_0000_007f;
    let twos = split(fours, hundreds, 100, 16);
    // The last split leaves out the first of the eight, which is 0: it does not move the groups up,
    // and takes the tens a byte further down.
    let tens = ((twos * 103) >> 18) & 0x0000_0f00_0f00_0f00;
    twos - tens * ((10 << 8) - 1)
}

/// The `quotients` of groups of digits, and `bits` higher the remainders.
///
/// That is `quotients | (groups - divisor * quotients) << bits`, rearranged so that there is one
/// multiplication and one subtraction.
#[inline(always)]
fn split(groups: u64, quotients: u64, divisor: u64, bits: u32) -> u64 {
    (groups << bits) - quotients * ((divisor << bits) - 1)
}

#[inline(never)]
fn end_line_long(value: u64, room: &mut [u8; ROOM]) -> usize {
    let mut buffer = itoa::Buffer::new();
    copy_short(buffer.format(value), room) + 1
}

/// A number with a fraction and without an exponent, which `zmij` prints as Go does.
#[inline(never)]
fn end_line_fraction(value: f64, room: &mut [u8; ROOM]) -> usize {
    let mut buffer = zmij::Buffer::new();
    copy_short(buffer.format_finite(value), room) + 1
}

/// Any other number: negative whole ones, large and small ones, and what is no number.
#[inline(never)]
fn end_line_other<S: Spelling>(value: f64, room: &mut [u8; ROOM]) -> usize {
    let is_whole = (1.0..EXPONENT_FROM).contains(&value.abs());
    let len = if is_whole { put_whole(value, room) } else { put_large_or_small(value, room) };
    room[len] = b'\n';
    if is_whole { put_after_whole::<S>(len + 1, room) } else { len + 1 }
}

/// Writes what `zmij` prints for a whole number, but for the `.0` after it; returns its length.
fn put_whole(value: f64, room: &mut [u8; ROOM]) -> usize {
    let mut buffer = zmij::Buffer::new();
    copy_short(buffer.format_finite(value), room) - ".0".len()
}

/// Writes what is not in the range that Go writes without an exponent; returns its length.
#[inline(never)]
fn put_large_or_small(value: f64, room: &mut [u8; ROOM]) -> usize {
    if value.is_finite() {
        put_with_exponent(value, room)
    } else if value.is_nan() {
        copy_short("NaN", room)
    } else {
        copy_short(if value > 0.0 { "+Inf" } else { "-Inf" }, room)
    }
}

/// Writes what `zmij` prints for a number other than 0, laid out as Go does; returns its length.
///
/// `zmij` prints the same digits as Go, but without an exponent from 1e-5 up to 1e16, with `.0`
/// after whole numbers and with one digit in small exponents.
#[inline(always)]
fn put_with_exponent(value: f64, room: &mut [u8; ROOM]) -> usize {
    let mut buffer = zmij::Buffer::new();
    let len = copy_short(buffer.format_finite(value), room);
    let sign = usize::from(value.is_sign_negative());
    let size = value.abs();
    if size >= 1e16 {
        len
    } else if size >= 1e6 {
        put_exponent_after_point(size, sign, len, room)
    } else if size >= 1e-5 {
        // `0.00001234` becomes `1.234e-05`.
        let digits = sign + "0.0000".len();
        let mut text = [0; ROOM];
        text[..len - digits].copy_from_slice(&room[digits..len]);
        room[sign] = text[0];
        room[sign + 1] = b'.';
        room[sign + 2..][..ROOM - 8].copy_from_slice(&text[1..][..ROOM - 8]);
        let end = sign + (len - digits) + 1;
        push_exponent(room, without_trailing_zeros(room, end), *b"e-05")
    } else {
        put_two_exponent_digits(len, room)
    }
}

/// Turns `1234567.89` into `1.23456789e+06`; the digits after the point stay where they are.
#[inline(always)]
fn put_exponent_after_point(size: f64, sign: usize, len: usize, room: &mut [u8; ROOM]) -> usize {
    let exponent = (size as u64).ilog10();
    // The bytes after the first digit: `exponent` digits, then the point, then the fraction.
    let moved = &mut room[sign + 1..sign + 17];
    let text = u128::from_le_bytes((&*moved).try_into().expect("the slice has 16 bytes"));
    let digits = text & !(u128::MAX << (8 * exponent));
    let fraction = text & (u128::MAX << (8 * exponent)) << 8;
    let text = u128::from(b'.') | digits << 8 | fraction;
    moved.copy_from_slice(&text.to_le_bytes());
    let (tens, ones) = (b'0' + (exponent / 10) as u8, b'0' + (exponent % 10) as u8);
    push_exponent(room, without_trailing_zeros(room, len), [b'e', b'+', tens, ones])
}

/// Turns `1e-7` into `1e-07`.
fn put_two_exponent_digits(len: usize, room: &mut [u8; ROOM]) -> usize {
    if room[len - 2] != b'-' {
        return len;
    }
    room[len] = room[len - 1];
    room[len - 1] = b'0';
    len + 1
}

/// The length of `room[..len]` without the zeros at its end, and the point before them.
#[inline(always)]
fn without_trailing_zeros(room: &[u8; ROOM], mut len: usize) -> usize {
    while room[len - 1] == b'0' {
        len -= 1;
    }
    if room[len - 1] == b'.' { len - 1 } else { len }
}

#[inline(always)]
fn push_exponent(room: &mut [u8; ROOM], at: usize, exponent: [u8; 4]) -> usize {
    room[at..at + 4].copy_from_slice(&exponent);
    at + 4
}

/// Copies `text` and a line feed to the start of `room` and returns the length of the text.
///
/// Copies of a length known only at run time are function calls; two that overlap in the middle
/// have fixed lengths and cost next to nothing.
#[inline(always)]
fn copy_short(text: &str, room: &mut [u8; ROOM]) -> usize {
    let (text, len) = (text.as_bytes(), text.len());
    // First, so that one check of the length does for all moves.
    room[len] = b'\n';
    if let (Some(head), Some(tail)) = (text.first_chunk::<16>(), text.last_chunk::<16>()) {
        room[..16].copy_from_slice(head);
        room[len - 16..len].copy_from_slice(tail);
    } else if let (Some(head), Some(tail)) = (text.first_chunk::<8>(), text.last_chunk::<8>()) {
        room[..8].copy_from_slice(head);
        room[len - 8..len].copy_from_slice(tail);
    } else {
        for (to, &from) in room.iter_mut().zip(text) {
            *to = from;
        }
    }
    len
}

#[cfg(test)]
mod tests;
