//! Label values as text, escaped once.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, OnceLock};

use crate::name::LabelName;

/// Bytes a [`Fragment`] block holds; encoders copy whole blocks.
pub const BLOCK: usize = 32;

/// One label with its value as the text formats write it, such as `,path="/a"`.
///
/// The text is escaped when the value is first seen, so that a scrape only copies. It is kept in
/// zero-padded blocks of [`BLOCK`] bytes and followed by `} ` in the padding: an encoder may copy
/// whole blocks and find the end of the label set already written.
#[derive(Clone)]
pub struct Fragment {
    first: [u8; BLOCK],
    rest: Box<[[u8; BLOCK]]>,
    len: u32,
    /// Where the value begins, and in the highest bit whether anything in it is escaped.
    value_at: u32,
    pair_len: u16,
}

/// The bit of `value_at` that says that the value is escaped.
const ESCAPED: u32 = 1 << 31;

impl Fragment {
    /// The text for `value`, with a comma before it unless the label is its row's `first`.
    ///
    /// Backslash, quote and line feed are escaped (text format 0.0.4 and OpenMetrics 1.0 agree).
    pub fn new(name: &LabelName, value: &str, first: bool) -> Self {
        let mut text = Vec::with_capacity(name.as_str().len() + value.len() + 8);
        if !first {
            text.push(b',');
        }
        if name.is_classic() {
            text.extend_from_slice(name.as_str().as_bytes());
        } else {
            text.push(b'"');
            escape_into(&mut text, name.as_str());
            text.push(b'"');
        }
        text.extend_from_slice(b"=\"");
        let value_at = text.len();
        escape_into(&mut text, value);
        let escaped = if text.len() - value_at == value.len() { 0 } else { ESCAPED };
        text.push(b'"');
        let pair_len = match 6 + name.as_str().len() + value.len() {
            len if len <= Self::LONGEST_PAIR && escaped == 0 && name.is_classic() => len as u16,
            _ => Self::OTHER_PAIR,
        };
        Self::from_text(text, value_at as u32 | escaped, pair_len)
    }

    /// No text at all: a label the series does not have.
    pub fn absent() -> &'static Self {
        static ABSENT: OnceLock<Fragment> = OnceLock::new();
        ABSENT.get_or_init(|| Self::from_text(Vec::new(), 0, 0))
    }

    fn from_text(mut text: Vec<u8>, value_at: u32, pair_len: u16) -> Self {
        let len = text.len() as u32;
        text.extend_from_slice(b"} ");
        let mut blocks = text.chunks(BLOCK).map(|bytes| {
            let mut block = [0; BLOCK];
            block[..bytes.len()].copy_from_slice(bytes);
            block
        });
        let first = blocks.next().unwrap_or([0; BLOCK]);
        Self { first, rest: blocks.collect(), len, value_at, pair_len }
    }

    /// The first block of the padded text.
    #[inline(always)]
    pub fn first_block(&self) -> &[u8; BLOCK] {
        &self.first
    }

    /// The blocks after the first; empty for most labels.
    #[inline(always)]
    pub fn rest_blocks(&self) -> &[[u8; BLOCK]] {
        &self.rest
    }

    /// Bytes of text, without the padding.
    #[inline(always)]
    pub fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether this is the text of an absent label.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// What [`pair_len`](Self::pair_len) is at most, where the text shows the name and value.
    const LONGEST_PAIR: usize = 2 + 0x7f;

    /// What [`pair_len`](Self::pair_len) is otherwise: more than a hundred labels have together.
    pub const OTHER_PAIR: u16 = 1 << 15;

    /// Bytes that protobuf takes for the label: a tag and a length around the pair, around the name
    /// and around the value, each of a byte.
    ///
    /// It is 0 where the label is absent, and [`OTHER_PAIR`](Self::OTHER_PAIR) where the length of
    /// the pair takes more bytes or the text has more than a comma, the name, `="`, the value, and
    /// a quote.
    #[inline(always)]
    pub fn pair_len(&self) -> usize {
        self.pair_len.into()
    }

    /// Appends the text without its leading comma.
    pub fn push_bare(&self, out: &mut Vec<u8>) {
        let start = out.len();
        self.push_text(out);
        if out.get(start) == Some(&b',') {
            out.remove(start);
        }
    }

    /// Appends the value as it stands in the text, escaped and in quotes.
    pub fn push_quoted_value(&self, out: &mut Vec<u8>) {
        let start = out.len();
        self.push_text(out);
        if !self.is_empty() {
            out.drain(start..start + self.value_at() - 1);
        }
    }

    /// Appends the value as it was given.
    pub fn push_value(&self, out: &mut Vec<u8>) {
        let start = out.len();
        self.push_text(out);
        if self.is_empty() {
            return;
        }
        out.pop();
        out.drain(start..start + self.value_at());
        if self.is_verbatim() {
            return;
        }
        let (mut kept, mut escaped) = (start, false);
        for at in start..out.len() {
            let byte = out[at];
            let begins_escape = byte == b'\\' && !escaped;
            if !begins_escape {
                out[kept] = if escaped && byte == b'n' { b'\n' } else { byte };
                kept += 1;
            }
            escaped = begins_escape;
        }
        out.truncate(kept);
    }

    /// Whether the value stands in the text as it was given, for there was nothing to escape.
    fn is_verbatim(&self) -> bool {
        self.value_at & ESCAPED == 0
    }

    #[inline(always)]
    fn value_at(&self) -> usize {
        (self.value_at & !ESCAPED) as usize
    }

    fn push_text(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.first[..self.len().min(BLOCK)]);
        let rest = self.rest.as_flattened();
        out.extend_from_slice(&rest[..self.len().saturating_sub(BLOCK)]);
    }

    /// The label's value as it was given.
    pub fn value(&self) -> Cow<'_, str> {
        if self.is_empty() {
            return Cow::Borrowed("");
        }
        let value = self.value_at()..self.len() - 1;
        if self.len() <= BLOCK {
            unescape(&self.first[value])
        } else {
            let mut text = Vec::with_capacity(self.len());
            self.push_text(&mut text);
            Cow::Owned(unescape(&text[value]).into_owned())
        }
    }

    /// Heap bytes this fragment owns.
    pub fn heap_bytes(&self) -> usize {
        size_of_val(&*self.rest)
    }
}

impl PartialEq for Fragment {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.first == other.first && self.rest == other.rest
    }
}

impl Eq for Fragment {}

impl fmt::Debug for Fragment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = Vec::new();
        self.push_text(&mut text);
        write!(f, "Fragment({})", String::from_utf8_lossy(&text))
    }
}

/// Appends `text` with backslash, quote and line feed escaped.
pub fn escape_into(out: &mut Vec<u8>, text: &str) {
    for byte in text.bytes() {
        match byte {
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'"' => out.extend_from_slice(b"\\\""),
            b'\n' => out.extend_from_slice(b"\\n"),
            byte => out.push(byte),
        }
    }
}

/// The inverse of [`escape_into`].
fn unescape(escaped: &[u8]) -> Cow<'_, str> {
    const WHOLE: &str = "escaping keeps UTF-8 whole";
    if !escaped.contains(&b'\\') {
        return Cow::Borrowed(std::str::from_utf8(escaped).expect(WHOLE));
    }
    let mut raw = Vec::with_capacity(escaped.len());
    let mut bytes = escaped.iter();
    while let Some(&byte) = bytes.next() {
        let byte = match byte {
            b'\\' => match bytes.next() {
                Some(b'n') => b'\n',
                Some(&escaped) => escaped,
                None => b'\\',
            },
            byte => byte,
        };
        raw.push(byte);
    }
    Cow::Owned(String::from_utf8(raw).expect(WHOLE))
}

/// Fragments by id, in chunks that snapshots share.
///
/// Cloning shares everything; changing a shared list copies the list of chunks and the one chunk
/// that changes, once for every snapshot.
#[derive(Clone)]
pub struct Fragments(Arc<Lists>);

#[derive(Clone, Default)]
struct Lists {
    /// All fragments, where they are few, so that a family of one series stays small.
    few: Vec<Slot>,
    /// All fragments otherwise.
    chunks: Vec<Arc<Chunk>>,
}

/// Of one length, so that no lookup has to ask for it.
type Chunk = [Slot; 1 << Fragments::LOG];

/// Where a fragment is, or the absent one. It fills one cache line, on whose edge it begins: at the
/// places where an allocator would put it, each would lie in two.
#[derive(Clone)]
#[repr(align(64))]
struct Slot(Fragment);

impl Default for Slot {
    fn default() -> Self {
        Self(Fragment::absent().clone())
    }
}

/// No fragments; every such list shares its memory, for a scrape makes one for each instrument that
/// has no labels.
impl Default for Fragments {
    fn default() -> Self {
        static NONE: OnceLock<Fragments> = OnceLock::new();
        NONE.get_or_init(|| Self(Arc::default())).clone()
    }
}

impl Fragments {
    /// Fragments in a chunk, as a power of two.
    const LOG: u32 = 6;
    /// Fragments that are few.
    const FEW: usize = 4;

    /// The fragment `id`, or the absent one.
    #[inline(always)]
    pub fn get(&self, id: u32) -> &Fragment {
        self.view().get(id)
    }

    /// The same for a loop, with what every call would look up again.
    #[inline(always)]
    pub(crate) fn view(&self) -> FragmentsView<'_> {
        FragmentsView { chunks: &self.0.chunks, few: &self.0.few }
    }

    /// Stores `fragment` under `id`, where ids count from 0 on; snapshots taken before keep what they
    /// had.
    pub fn set(&mut self, id: u32, fragment: Fragment) {
        let Lists { few, chunks } = Arc::make_mut(&mut self.0);
        if chunks.is_empty() && (id as usize) < Self::FEW {
            few.resize_with(Self::FEW, Slot::default);
            few[id as usize] = Slot(fragment);
            return;
        }
        let (chunk, at) = Self::place(id);
        while chunks.len() <= chunk {
            let mut slots = std::mem::take(few).into_iter();
            chunks.push(Arc::new(std::array::from_fn(|_| slots.next().unwrap_or_default())));
        }
        Arc::make_mut(&mut chunks[chunk])[at] = Slot(fragment);
    }

    /// Forgets the text under `id`; snapshots taken before keep it.
    pub fn forget(&mut self, id: u32) {
        let Lists { few, chunks } = Arc::make_mut(&mut self.0);
        let (chunk, at) = Self::place(id);
        let slot = match chunks.get_mut(chunk) {
            Some(chunk) => Some(&mut Arc::make_mut(chunk)[at]),
            None => few.get_mut(id as usize),
        };
        if let Some(slot) = slot {
            *slot = Slot::default();
        }
    }

    #[inline(always)]
    fn place(id: u32) -> (usize, usize) {
        let id = id as usize;
        (id >> Self::LOG, id % (1 << Self::LOG))
    }
}

/// [`Fragments`] as a loop reads them.
#[derive(Clone, Copy)]
pub(crate) struct FragmentsView<'a> {
    chunks: &'a [Arc<Chunk>],
    few: &'a [Slot],
}

impl<'a> FragmentsView<'a> {
    /// The fragment `id`, or the absent one.
    #[inline(always)]
    pub(crate) fn get(self, id: u32) -> &'a Fragment {
        let (chunk, at) = Fragments::place(id);
        match self.chunks.get(chunk) {
            Some(chunk) => &chunk[at].0,
            None => self.few_or_absent(id),
        }
    }

    /// Out of line, for where it is called there are not many series.
    #[cold]
    #[inline(never)]
    fn few_or_absent(self, id: u32) -> &'a Fragment {
        self.few.get(id as usize).map_or_else(|| Fragment::absent(), |Slot(fragment)| fragment)
    }
}

impl fmt::Debug for Fragments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Lists { few, chunks } = &*self.0;
        let slots = few.iter().chain(chunks.iter().flat_map(|chunk| chunk.iter()));
        let set = slots.map(|Slot(fragment)| fragment).filter(|fragment| !fragment.is_empty());
        f.debug_list().entries(set).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::{BLOCK, Fragment, Fragments};
    use crate::LabelName;

    fn fragment(value: &str) -> Fragment {
        Fragment::new(&LabelName::new("path").unwrap(), value, false)
    }

    fn text(fragment: &Fragment) -> String {
        let mut out = Vec::new();
        fragment.push_text(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn escapes_once_and_gives_the_value_back() {
        let long = "x".repeat(100);
        for value in ["", "/a", "C:\\DIR", "a\nb", "\"q\"", "\u{2028}é\0\r\t", "\\n", &long] {
            let fragment = fragment(value);
            assert_eq!(fragment.value(), value);
            assert_eq!(fragment.len(), text(&fragment).len());
            let mut quoted = Vec::new();
            fragment.push_quoted_value(&mut quoted);
            let mut raw = b"#".to_vec();
            fragment.push_value(&mut raw);
            assert_eq!(raw, format!("#{value}").into_bytes());
            assert_eq!(fragment.is_verbatim(), quoted == format!("\"{value}\"").into_bytes());
        }
        let mut quoted = Vec::new();
        Fragment::absent().push_quoted_value(&mut quoted);
        Fragment::absent().push_value(&mut quoted);
        assert!(quoted.is_empty());
        assert_eq!(text(&fragment("a\\\"\n")), r#",path="a\\\"\n""#);
    }

    #[test]
    fn knows_what_protobuf_takes_for_a_short_label_as_it_was_given() {
        let other = usize::from(Fragment::OTHER_PAIR);
        let longest = "v".repeat(119);
        let longer = "v".repeat(120);
        let long = [("", 10), ("/a", 12), (&*longest, 129), (&*longer, other), ("\n", other)];
        for (value, len) in long {
            assert_eq!(fragment(value).pair_len(), len, "{value}");
        }
        let quoted = LabelName::new_utf8("a b").unwrap();
        assert_eq!(Fragment::new(&quoted, "v", false).pair_len(), other);
        assert_eq!(Fragment::absent().pair_len(), 0);
    }

    #[test]
    fn pads_with_the_end_of_the_label_set() {
        for len in 0..80 {
            let fragment = fragment(&"v".repeat(len));
            let mut padded = fragment.first_block().to_vec();
            padded.extend_from_slice(fragment.rest_blocks().as_flattened());
            assert_eq!(&padded[fragment.len()..fragment.len() + 2], b"} ");
            assert_eq!(padded.len() % BLOCK, 0);
        }
    }

    #[test]
    fn quotes_a_name_outside_the_classic_set() {
        let name = LabelName::new_utf8("a:\"b").unwrap();
        assert_eq!(text(&Fragment::new(&name, "v", true)), r#""a:\"b"="v""#);
    }

    #[test]
    fn snapshots_keep_what_they_saw() {
        let mut live = Fragments::default();
        (0..200).for_each(|id| live.set(id, fragment(&id.to_string())));
        let seen = live.clone();
        live.set(7, fragment("seven"));
        live.forget(150);
        assert_eq!(seen.get(7).value(), "7");
        assert_eq!(seen.get(150).value(), "150");
        assert_eq!(live.get(7).value(), "seven");
        assert!(live.get(150).is_empty());
        assert_eq!(live.get(199).value(), "199");
        assert!(live.get(u32::MAX).is_empty());
    }

    #[test]
    fn few_fragments_stay_where_ids_find_them_when_more_come() {
        let mut live = Fragments::default();
        (0..4).for_each(|id| live.set(id, fragment(&id.to_string())));
        let seen = live.clone();
        live.forget(2);
        assert!(live.get(2).is_empty() && live.get(4).is_empty() && live.get(u32::MAX).is_empty());
        live.set(64, fragment("64"));
        live.set(1, fragment("one"));
        let values = |all: &Fragments| [0, 1, 2, 3, 64].map(|id| all.get(id).value().into_owned());
        assert_eq!(values(&live), ["0", "one", "", "3", "64"]);
        assert_eq!(values(&seen), ["0", "1", "2", "3", ""]);
    }
}
