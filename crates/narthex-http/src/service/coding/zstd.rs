//! Zstandard (RFC 8878), by the reference implementation.

use std::io::{self, Write};

use zstd::stream::write::Encoder;

use super::super::chunks::ChunkWriter;

/// The fastest level that is not a special one.
const LEVEL: i32 = 1;

pub(in super::super) struct Writer(Encoder<'static, ChunkWriter>);

impl Writer {
    pub(super) fn new(page: ChunkWriter) -> Self {
        Self(Encoder::new(page, LEVEL).expect("the level exists"))
    }

    pub(super) fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    pub(super) fn finish(self) -> io::Result<ChunkWriter> {
        self.0.finish()
    }
}
