//! The protobuf wire format: fields of a message, one after the other.

use super::error::ParseError;

/// A message, with where it starts on the page.
#[derive(Clone, Copy, Debug)]
pub(super) struct Message<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// The value of a field, with where it starts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field<'a> {
    pub(super) at: usize,
    payload: Payload<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Payload<'a> {
    Varint(u64),
    Fixed64(u64),
    Fixed32,
    Bytes(Message<'a>),
}

impl<'a> Message<'a> {
    /// The whole page.
    pub(super) fn new(page: &'a [u8]) -> Self {
        Self { bytes: page, at: 0 }
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Takes a message that its length stands before.
    pub(super) fn take_delimited(&mut self) -> Result<Self, ParseError> {
        let start = self.at;
        let len = self.take_varint()?;
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        if len > self.bytes.len() {
            let message = format!(
                "{len} bytes were announced, but only {} are left: the page was cut off, or is no \
                 length-delimited protobuf",
                self.bytes.len()
            );
            return Err(ParseError::at_byte(start, message));
        }
        Ok(self.take(len))
    }

    /// The fields, up to the first that cannot be read.
    pub(super) fn fields(self) -> impl Iterator<Item = Result<(u64, Field<'a>), ParseError>> {
        let mut rest = self;
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let field = rest.take_field();
            if field.is_err() {
                rest.bytes = &[];
            }
            Some(field)
        })
    }

    fn take_field(&mut self) -> Result<(u64, Field<'a>), ParseError> {
        let start = self.at;
        let key = self.take_varint()?;
        let (number, kind) = (key >> 3, key & 7);
        if number == 0 || number >= 1 << 29 {
            let message = format!("{number} is not a field number");
            return Err(ParseError::at_byte(start, message));
        }
        let at = self.at;
        let payload = match kind {
            0 => Payload::Varint(self.take_varint()?),
            1 => Payload::Fixed64(u64::from_le_bytes(self.take_fixed()?)),
            2 => Payload::Bytes(self.take_delimited()?),
            5 => {
                self.take_fixed::<4>()?;
                Payload::Fixed32
            }
            3 | 4 => {
                let message = format!("field {number} is a group, which metrics never have");
                return Err(ParseError::at_byte(start, message));
            }
            _ => {
                let message = format!("field {number} has wire type {kind}, which there is not");
                return Err(ParseError::at_byte(start, message));
            }
        };
        Ok((number, Field { at, payload }))
    }

    fn take_varint(&mut self) -> Result<u64, ParseError> {
        let start = self.at;
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let [byte] = self.take_fixed()?;
            // The tenth byte has room for one bit only.
            if shift == 63 && byte > 1 {
                break;
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(ParseError::at_byte(start, "a number has more than 64 bits"))
    }

    fn take_fixed<const N: usize>(&mut self) -> Result<[u8; N], ParseError> {
        match self.bytes.first_chunk() {
            Some(bytes) => {
                self.take(N);
                Ok(*bytes)
            }
            None => Err(ParseError::at_byte(self.at, "the page ends within a field")),
        }
    }

    fn take(&mut self, len: usize) -> Self {
        let (taken, rest) = self.bytes.split_at(len);
        let taken = Self { bytes: taken, at: self.at };
        self.bytes = rest;
        self.at += len;
        taken
    }
}

impl<'a> Field<'a> {
    pub(super) fn unsigned(self) -> Result<u64, ParseError> {
        match self.payload {
            Payload::Varint(value) => Ok(value),
            _ => Err(self.expected("a whole number")),
        }
    }

    /// A `sint32` or `sint64`.
    pub(super) fn signed(self) -> Result<i64, ParseError> {
        self.unsigned().map(from_zigzag)
    }

    /// The number as one that has 32 bits.
    pub(super) fn narrow<T>(self, value: impl TryInto<T>) -> Result<T, ParseError> {
        let narrow = value.try_into();
        narrow.map_err(|_| ParseError::at_byte(self.at, "a number has more than 32 bits"))
    }

    /// Calls `each` with the numbers of a repeated `sint64`: one, or several packed together.
    pub(super) fn each_signed(self, mut each: impl FnMut(i64)) -> Result<(), ParseError> {
        let Payload::Bytes(mut packed) = self.payload else {
            return self.signed().map(each);
        };
        while !packed.is_empty() {
            each(from_zigzag(packed.take_varint()?));
        }
        Ok(())
    }

    /// Calls `each` with the numbers of a repeated `double`: one, or several packed together.
    pub(super) fn each_double(self, mut each: impl FnMut(f64)) -> Result<(), ParseError> {
        let Payload::Bytes(mut packed) = self.payload else {
            return self.double().map(each);
        };
        while !packed.is_empty() {
            each(f64::from_le_bytes(packed.take_fixed()?));
        }
        Ok(())
    }

    pub(super) fn double(self) -> Result<f64, ParseError> {
        match self.payload {
            Payload::Fixed64(bits) => Ok(f64::from_bits(bits)),
            _ => Err(self.expected("a floating-point number")),
        }
    }

    pub(super) fn message(self) -> Result<Message<'a>, ParseError> {
        match self.payload {
            Payload::Bytes(message) => Ok(message),
            _ => Err(self.expected("a message")),
        }
    }

    pub(super) fn text(self) -> Result<&'a str, ParseError> {
        let Payload::Bytes(message) = self.payload else {
            return Err(self.expected("text"));
        };
        std::str::from_utf8(message.bytes).map_err(|error| {
            ParseError::at_byte(message.at + error.valid_up_to(), "a text is not UTF-8")
        })
    }

    fn expected(self, what: &str) -> ParseError {
        ParseError::at_byte(self.at, format!("a field should be {what}, but has another wire type"))
    }
}

/// The number that zigzag encoding makes positive, so that small ones of either sign are short.
fn from_zigzag(encoded: u64) -> i64 {
    (encoded >> 1).cast_signed() ^ -(encoded & 1).cast_signed()
}
