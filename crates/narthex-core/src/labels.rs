//! Labels as types: what `derive(Labels)` and `derive(LabelValue)` implement.

/// Anything that can be the value of a label.
///
/// The text is borrowed or built on the stack, so that looking up a series allocates nothing.
/// An empty text means that the series does not have the label.
///
/// ```
/// use narthex_core::LabelValue;
///
/// assert_eq!(200_u16.text().as_ref(), "200");
/// assert_eq!(LabelValue::text("GET"), "GET");
/// assert_eq!(None::<bool>.text().as_ref(), "");
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the value of a label",
    note = "derive `LabelValue` on an enum, use a string, an integer, `bool` or `char`, or write \
            `#[label(display)]` on the field of a type that has `Display`"
)]
pub trait LabelValue {
    /// The value as text.
    type Text<'a>: AsRef<str>
    where
        Self: 'a;

    /// How many values there are, where there are few; `None`, the default, where there is no end
    /// of them.
    ///
    /// Series whose labels all have few values are found by their [`index`](Self::index), without
    /// hashing any text.
    const CARDINALITY: Option<usize> = None;

    /// Gives the value as text.
    fn text(&self) -> Self::Text<'_>;

    /// The number of this value among all that there are: below [`CARDINALITY`](Self::CARDINALITY),
    /// and another for each text.
    #[inline(always)]
    fn index(&self) -> usize {
        0
    }
}

/// The number of label sets, where each label has few values and there are not many in all.
///
/// What `derive(Labels)` calls with the cardinality of each label.
pub const fn cardinality(labels: &[Option<usize>]) -> Option<usize> {
    let mut product: usize = 1;
    let mut k = 0;
    while k < labels.len() {
        let Some(values) = labels[k] else { return None };
        product = product.saturating_mul(values);
        k += 1;
    }
    if product == 0 || product > MOST_DENSE { None } else { Some(product) }
}

/// Label sets up to which a family keeps a slot for each: 8 KiB.
const MOST_DENSE: usize = 1024;

/// A set of labels with names known at compile time; derive it on a struct.
///
/// Written by hand it looks like this:
///
/// ```
/// use narthex_core::{LabelValue, LabelVisitor, Labels};
///
/// struct Request<'a> {
///     path: &'a str,
///     status: u16,
/// }
///
/// impl Labels for Request<'_> {
///     type Borrowed<'a> = Request<'a>;
///     const NAMES: &'static [&'static str] = &["path", "status"];
///
///     fn visit<V: LabelVisitor>(&self, visitor: V) -> V::Output {
///         visitor.values([self.path.text().as_ref(), self.status.text().as_ref()])
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a set of labels",
    note = "derive `Labels` on a struct whose fields are the labels"
)]
pub trait Labels {
    /// The same labels with any lifetime, so that a family of `Request<'static>` can be looked up
    /// with a borrowed path.
    type Borrowed<'a>: Labels;

    /// The names of the labels, sorted.
    const NAMES: &'static [&'static str];

    /// How many sets of values there are, where there are few: the [`cardinality`] of the labels.
    const CARDINALITY: Option<usize> = None;

    /// Hands the values to `visitor`, in the order of [`NAMES`](Self::NAMES).
    fn visit<V: LabelVisitor>(&self, visitor: V) -> V::Output;

    /// The number of this set among all that there are: below [`CARDINALITY`](Self::CARDINALITY),
    /// and another for each set.
    #[inline(always)]
    fn index(&self) -> usize {
        0
    }
}

/// What [`Labels::visit`] hands its values to.
pub trait LabelVisitor {
    /// What the visit gives back.
    type Output;

    /// Takes one text a label.
    fn values<const N: usize>(self, values: [&str; N]) -> Self::Output;
}

/// No labels.
impl Labels for () {
    type Borrowed<'a> = ();
    const NAMES: &'static [&'static str] = &[];
    const CARDINALITY: Option<usize> = Some(1);

    #[inline]
    fn visit<V: LabelVisitor>(&self, visitor: V) -> V::Output {
        visitor.values([])
    }
}

impl LabelValue for str {
    type Text<'a> = &'a str;

    #[inline(always)]
    fn text(&self) -> &str {
        self
    }
}

impl LabelValue for String {
    type Text<'a> = &'a str;

    #[inline(always)]
    fn text(&self) -> &str {
        self
    }
}

impl<T: LabelValue + ?Sized> LabelValue for &T {
    type Text<'a>
        = T::Text<'a>
    where
        Self: 'a;
    const CARDINALITY: Option<usize> = T::CARDINALITY;

    #[inline(always)]
    fn text(&self) -> T::Text<'_> {
        (**self).text()
    }

    #[inline(always)]
    fn index(&self) -> usize {
        (**self).index()
    }
}

impl<T: LabelValue + ?Sized + ToOwned> LabelValue for std::borrow::Cow<'_, T> {
    type Text<'a>
        = T::Text<'a>
    where
        Self: 'a;

    #[inline(always)]
    fn text(&self) -> T::Text<'_> {
        (**self).text()
    }
}

macro_rules! pointer_label_value {
    ($($pointer:ident)*) => { $(
        impl<T: LabelValue + ?Sized> LabelValue for $pointer<T> {
            type Text<'a>
                = T::Text<'a>
            where
                Self: 'a;

            #[inline(always)]
            fn text(&self) -> T::Text<'_> {
                (**self).text()
            }
        }
    )* };
}

use std::rc::Rc;
use std::sync::Arc;
pointer_label_value!(Box Rc Arc);

impl LabelValue for bool {
    type Text<'a> = &'static str;
    const CARDINALITY: Option<usize> = Some(2);

    #[inline(always)]
    fn text(&self) -> &'static str {
        if *self { "true" } else { "false" }
    }

    #[inline(always)]
    fn index(&self) -> usize {
        usize::from(*self)
    }
}

impl LabelValue for char {
    type Text<'a> = CharText;

    #[inline]
    fn text(&self) -> CharText {
        let mut bytes = [0; 4];
        let len = self.encode_utf8(&mut bytes).len();
        CharText { bytes, len }
    }
}

/// A character as text, on the stack.
#[derive(Clone, Copy, Debug)]
pub struct CharText {
    bytes: [u8; 4],
    len: usize,
}

impl AsRef<str> for CharText {
    fn as_ref(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.len]).unwrap_or_default()
    }
}

/// The label is absent where the option is `None`.
impl<T: LabelValue> LabelValue for Option<T> {
    type Text<'a>
        = OptionText<T::Text<'a>>
    where
        Self: 'a;
    const CARDINALITY: Option<usize> = match T::CARDINALITY {
        Some(values) => Some(values + 1),
        None => None,
    };

    #[inline]
    fn text(&self) -> Self::Text<'_> {
        OptionText(self.as_ref().map(LabelValue::text))
    }

    #[inline(always)]
    fn index(&self) -> usize {
        self.as_ref().map_or(0, |value| value.index() + 1)
    }
}

/// The text of an optional value: empty where there is none.
#[derive(Clone, Copy, Debug)]
pub struct OptionText<T>(Option<T>);

impl<T: AsRef<str>> AsRef<str> for OptionText<T> {
    #[inline]
    fn as_ref(&self) -> &str {
        self.0.as_ref().map_or("", AsRef::as_ref)
    }
}

/// An integer as text, on the stack.
#[derive(Clone, Copy, Debug)]
pub struct IntegerText {
    /// Digits, right-aligned; enough for `i128::MIN`.
    digits: [u8; 40],
    start: u8,
}

impl AsRef<str> for IntegerText {
    #[inline]
    fn as_ref(&self) -> &str {
        std::str::from_utf8(&self.digits[usize::from(self.start)..]).unwrap_or_default()
    }
}

macro_rules! integer_label_value {
    ($($integer:ty)*) => { $(
        impl LabelValue for $integer {
            type Text<'a> = IntegerText;

            #[inline]
            fn text(&self) -> IntegerText {
                let mut buffer = itoa::Buffer::new();
                let text = buffer.format(*self).as_bytes();
                let mut digits = [0; 40];
                let start = digits.len() - text.len();
                digits[start..].copy_from_slice(text);
                IntegerText { digits, start: start as u8 }
            }
        }
    )* };
}

integer_label_value!(u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize);
