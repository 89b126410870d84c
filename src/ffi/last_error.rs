//! The text of a thread's last failure, in a fixed buffer: nothing to allocate, nothing to destroy at thread exit.

use std::cell::RefCell;
use std::fmt::{self, Write};

const CAPACITY: usize = 512;

struct Text {
    bytes: [u8; CAPACITY],
    len: usize,
}

impl Write for Text {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        let mut take = s.len().min(CAPACITY - self.len);
        while !s.is_char_boundary(take) {
            take -= 1;
        }
        self.bytes[self.len..self.len + take].copy_from_slice(&s.as_bytes()[..take]);
        self.len += take;
        if take < s.len() {
            return Err(fmt::Error); // full: what follows would not make sense any more
        }
        Ok(())
    }
}

thread_local! {
    static LAST: RefCell<Text> = const { RefCell::new(Text { bytes: [0; CAPACITY], len: 0 }) };
}

/// Keeps the text, cut at the end of the buffer.
pub(super) fn set(text: fmt::Arguments<'_>) {
    let _ = LAST.try_with(|last| {
        if let Ok(mut last) = last.try_borrow_mut() {
            last.len = 0;
            let _ = last.write_fmt(text);
        }
    });
}

/// Copies the text and a NUL, as much as fits; returns the whole length.
///
/// # Safety
/// `buffer` is NULL or writable for `capacity` bytes.
pub(super) unsafe fn copy(buffer: *mut u8, capacity: usize) -> usize {
    LAST.try_with(|last| {
        let Ok(last) = last.try_borrow() else { return 0 };
        if !buffer.is_null() && capacity > 0 {
            let mut take = last.len.min(capacity - 1);
            while take > 0 && take < last.len && last.bytes[take] & 0xC0 == 0x80 {
                take -= 1; // not in the middle of a character
            }
            // SAFETY: take < capacity, and the buffer is writable for that many bytes.
            unsafe {
                std::ptr::copy_nonoverlapping(last.bytes.as_ptr(), buffer, take);
                buffer.add(take).write(0);
            }
        }
        last.len
    })
    .unwrap_or(0)
}
