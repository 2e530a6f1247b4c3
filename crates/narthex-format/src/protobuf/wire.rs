//! The wire format: tags, varints, doubles, and messages after their length.

use narthex_model::{Escaping, Label, LabelName};

/// Field numbers of `io.prometheus.client`, by message.
pub(super) mod field {
    pub(crate) mod family {
        pub(crate) const NAME: u32 = 1;
        pub(crate) const HELP: u32 = 2;
        pub(crate) const TYPE: u32 = 3;
        pub(crate) const METRIC: u32 = 4;
        pub(crate) const UNIT: u32 = 5;
    }
    pub(crate) mod metric {
        pub(crate) const LABEL: u32 = 1;
        pub(crate) const GAUGE: u32 = 2;
        pub(crate) const COUNTER: u32 = 3;
        pub(crate) const SUMMARY: u32 = 4;
        pub(crate) const UNTYPED: u32 = 5;
        pub(crate) const TIMESTAMP: u32 = 6;
        pub(crate) const HISTOGRAM: u32 = 7;
    }
    pub(crate) mod label {
        pub(crate) const NAME: u32 = 1;
        pub(crate) const VALUE: u32 = 2;
    }
    /// Of counters, gauges and untyped metrics.
    pub(crate) mod number {
        pub(crate) const VALUE: u32 = 1;
        pub(crate) const EXEMPLAR: u32 = 2;
        pub(crate) const CREATED: u32 = 3;
    }
    pub(crate) mod summary {
        pub(crate) const COUNT: u32 = 1;
        pub(crate) const SUM: u32 = 2;
        pub(crate) const QUANTILE: u32 = 3;
        pub(crate) const CREATED: u32 = 4;
    }
    pub(crate) mod quantile {
        pub(crate) const QUANTILE: u32 = 1;
        pub(crate) const VALUE: u32 = 2;
    }
    pub(crate) mod histogram {
        pub(crate) const COUNT: u32 = 1;
        pub(crate) const SUM: u32 = 2;
        pub(crate) const BUCKET: u32 = 3;
        pub(crate) const SCHEMA: u32 = 5;
        pub(crate) const ZERO_THRESHOLD: u32 = 6;
        pub(crate) const ZERO_COUNT: u32 = 7;
        pub(crate) const NEGATIVE_SPAN: u32 = 9;
        pub(crate) const NEGATIVE_DELTA: u32 = 10;
        pub(crate) const POSITIVE_SPAN: u32 = 12;
        pub(crate) const POSITIVE_DELTA: u32 = 13;
        pub(crate) const CREATED: u32 = 15;
        pub(crate) const EXEMPLAR: u32 = 16;
    }
    pub(crate) mod span {
        pub(crate) const OFFSET: u32 = 1;
        pub(crate) const LENGTH: u32 = 2;
    }
    pub(crate) mod bucket {
        pub(crate) const COUNT: u32 = 1;
        pub(crate) const BOUND: u32 = 2;
        pub(crate) const EXEMPLAR: u32 = 3;
    }
    pub(crate) mod exemplar {
        pub(crate) const LABEL: u32 = 1;
        pub(crate) const VALUE: u32 = 2;
        pub(crate) const TIMESTAMP: u32 = 3;
    }
    pub(crate) mod timestamp {
        pub(crate) const SECONDS: u32 = 1;
        pub(crate) const NANOS: u32 = 2;
    }
}

/// The tag of a varint, one byte for all fields below 16.
pub(super) const fn varint_tag(field: u32) -> u8 {
    (field << 3) as u8
}

/// The tag of eight bytes.
pub(super) const fn double_tag(field: u32) -> u8 {
    (field << 3 | 1) as u8
}

/// The tag of a string or a message, which follows its length.
pub(super) const fn length_tag(field: u32) -> u8 {
    (field << 3 | 2) as u8
}

/// Bytes of a varint.
#[inline(always)]
pub(super) const fn varint_len(value: u64) -> usize {
    // Seven bits a byte: the division by 7 as a multiplication, exact up to 64.
    let bits = 64 - (value | 1).leading_zeros();
    ((bits * 9 + 64) / 64) as usize
}

pub(super) fn push_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub(super) fn push_unsigned(out: &mut Vec<u8>, field: u32, value: u64) {
    out.push(varint_tag(field));
    push_varint(out, value);
}

/// Appends an `int64`, whose negative values take ten bytes.
pub(super) fn push_signed(out: &mut Vec<u8>, field: u32, value: i64) {
    push_unsigned(out, field, value as u64);
}

/// Appends a `sint32` or `sint64`, of which small values of either sign are short.
pub(super) fn push_zigzag(out: &mut Vec<u8>, field: u32, value: i64) {
    push_unsigned(out, field, ((value << 1) ^ (value >> 63)) as u64);
}

pub(super) fn push_double(out: &mut Vec<u8>, field: u32, value: f64) {
    out.push(double_tag(field));
    out.extend_from_slice(&value.to_le_bytes());
}

pub(super) fn push_bytes(out: &mut Vec<u8>, field: u32, bytes: &[u8]) {
    out.push(length_tag(field));
    push_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Appends a message that `fill` appends the content of.
pub(super) fn push_message(out: &mut Vec<u8>, field: u32, fill: impl FnOnce(&mut Vec<u8>)) {
    // Of the exemplars of a native histogram even the tag takes two bytes.
    push_varint(out, u64::from(field << 3 | 2));
    // Most messages are short, so that their length takes the byte that is kept for it.
    let start = out.len();
    out.push(0);
    fill(out);
    let len = out.len() - start - 1;
    let surplus = varint_len(len as u64) - 1;
    if surplus > 0 {
        let end = out.len();
        out.resize(end + surplus, 0);
        out.copy_within(start + 1..end, start + 1 + surplus);
    }
    let mut rest = len as u64;
    for byte in &mut out[start..=start + surplus] {
        *byte = rest as u8 | 0x80;
        rest >>= 7;
    }
    out[start + surplus] &= 0x7f;
}

/// Appends a `google.protobuf.Timestamp`.
pub(super) fn push_timestamp(out: &mut Vec<u8>, field: u32, milliseconds: i64) {
    push_message(out, field, |out| {
        push_signed(out, field::timestamp::SECONDS, milliseconds.div_euclid(1000));
        let nanos = milliseconds.rem_euclid(1000) * 1_000_000;
        if nanos != 0 {
            push_signed(out, field::timestamp::NANOS, nanos);
        }
    });
}

/// Appends a `LabelPair` whose value `push_value` appends.
pub(super) fn push_label(
    out: &mut Vec<u8>,
    field: u32,
    name: &LabelName,
    escaping: Escaping,
    push_value: impl FnOnce(&mut Vec<u8>),
) {
    push_message(out, field, |out| {
        push_message(out, field::label::NAME, |out| name.escape_into(out, escaping));
        push_message(out, field::label::VALUE, push_value);
    });
}

/// Appends a `LabelPair`.
pub(super) fn push_constant_label(
    out: &mut Vec<u8>,
    field: u32,
    label: &Label,
    escaping: Escaping,
) {
    let push_value = |out: &mut Vec<u8>| out.extend_from_slice(label.value.as_bytes());
    push_label(out, field, &label.name, escaping, push_value);
}

#[cfg(test)]
mod tests {
    use super::{push_message, push_varint, varint_len};

    #[test]
    fn the_length_of_a_varint_is_known_before() {
        for bits in 0..64 {
            for value in [1u64 << bits, (1 << bits) - 1, u64::MAX >> bits] {
                let mut out = Vec::new();
                push_varint(&mut out, value);
                assert_eq!(out.len(), varint_len(value), "{value}");
            }
        }
    }

    #[test]
    fn messages_of_any_length_follow_their_length() {
        for len in [0, 1, 127, 128, 300, 16_383, 16_384, 100_000] {
            let content: Vec<u8> = (0..len).map(|n| n as u8).collect();
            let mut out = b"#".to_vec();
            push_message(&mut out, 1, |out| out.extend_from_slice(&content));
            let mut expected = b"#\x0a".to_vec();
            push_varint(&mut expected, len as u64);
            expected.extend_from_slice(&content);
            assert!(out == expected, "{len}");
        }
    }
}
