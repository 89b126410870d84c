//! A vector's bytes outside a record, on cache lines.

/// A cache line.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; 64]);

/// Bytes that start on a cache line; as many as a record's vector has.
pub(crate) struct Data {
    lines: Box<[Line]>,
    len: usize,
}

impl Data {
    /// Zeros.
    pub(crate) fn new(len: usize) -> Self {
        Self { lines: vec![Line([0; 64]); len.div_ceil(64)].into_boxed_slice(), len }
    }

    /// All bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: a Line is 64 bytes without padding, and `len` is no more than all of them.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.len) }
    }

    /// All bytes, to be written.
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.len) }
    }

    /// The bytes as floats; a remainder of less than four bytes is left out.
    pub(crate) fn floats(&self) -> &[f32] {
        // SAFETY: as above; the address is divisible by 64, and any bytes are a float.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.len / 4) }
    }

    /// The bytes as floats, to be written.
    pub(crate) fn floats_mut(&mut self) -> &mut [f32] {
        // SAFETY: as above.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.len / 4) }
    }
}
