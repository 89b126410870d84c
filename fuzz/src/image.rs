//! An index as four sections of bytes, and as one input of a fuzzer.

/// Header without version, records, lengths, lists, and what the input holds beside them.
#[derive(Clone, Default)]
pub struct Image {
    pub header: Vec<u8>,
    pub records: Vec<u8>,
    pub lengths: Vec<u8>,
    pub lists: Vec<u8>,
    pub rest: Vec<u8>,
}

/// Bytes of the header in a file.
pub const HEADER: usize = 96;

fn take<'a>(data: &mut &'a [u8], len: usize) -> &'a [u8] {
    let (first, rest) = data.split_at(len.min(data.len()));
    *data = rest;
    first
}

fn u16_of(data: &mut &[u8]) -> usize {
    let bytes = take(data, 2);
    bytes.iter().rev().fold(0, |n, byte| n << 8 | usize::from(*byte))
}

impl Image {
    /// From an input in sections: four u16 lengths, then header, records, lengths, lists, and the rest.
    pub fn from_sections(mut data: &[u8]) -> Self {
        let sizes = [u16_of(&mut data), u16_of(&mut data), u16_of(&mut data), u16_of(&mut data)];
        let [header, records, lengths, lists] = sizes.map(|size| take(&mut data, size).to_vec());
        Self { header, records, lengths, lists, rest: data.to_vec() }
    }

    /// The input that [`Image::from_sections`] reads.
    pub fn to_sections(&self) -> Vec<u8> {
        let mut data = Vec::new();
        let parts = [&self.header, &self.records, &self.lengths, &self.lists];
        for part in parts {
            data.extend_from_slice(&(part.len().min(0xFFFF) as u16).to_le_bytes());
        }
        for part in parts {
            data.extend_from_slice(&part[..part.len().min(0xFFFF)]);
        }
        data.extend_from_slice(&self.rest);
        data
    }

    /// A file of hnswlib's, or of Chroma's with `lengths`, taken apart by what its header says.
    pub fn from_file(mut data: &[u8], lengths: bool) -> Self {
        let data = &mut data;
        let header = take(data, HEADER).to_vec();
        let image = Self { header, ..Self::default() };
        let records = image.count().saturating_mul(image.stride());
        let records = take(data, records).to_vec();
        let lengths = take(data, if lengths { image.count().saturating_mul(4) } else { 0 }).to_vec();
        Self { records, lengths, lists: data.to_vec(), ..image }
    }

    /// The file.
    pub fn to_file(&self) -> Vec<u8> {
        [&self.header[..], &self.records, &self.lengths, &self.lists].concat()
    }

    /// `header.bin`: a version before the header.
    pub fn directory_header(&self) -> Vec<u8> {
        self.header.clone()
    }

    /// The u64 of the header at `at` of a file; a directory's header has four bytes more in front.
    pub fn field(&self, at: usize) -> u64 {
        let at = at + self.shift();
        let bytes = self.header.get(at..at + 8).and_then(|bytes| bytes.try_into().ok());
        u64::from_le_bytes(bytes.unwrap_or_default())
    }

    /// Sets it, if it is there.
    pub fn set_field(&mut self, at: usize, value: &[u8]) {
        let at = at + self.shift();
        if let Some(to) = self.header.get_mut(at..at + value.len()) {
            to.copy_from_slice(value);
        }
    }

    fn shift(&self) -> usize {
        if self.header.len() == HEADER {
            0
        } else {
            4
        }
    }

    /// Records as stated.
    pub fn count(&self) -> usize {
        self.field(16) as usize
    }

    /// Bytes of a record as stated.
    pub fn stride(&self) -> usize {
        self.field(24) as usize
    }

    /// Bytes of an upper-level list as stated.
    pub fn upper_list(&self) -> usize {
        (self.field(56) as usize).saturating_mul(4).saturating_add(4)
    }
}
