//! Sparse files: which parts of a file are stored. A file of a few kilobytes can say that it has terabytes, and what
//! torn writes leave behind does.

use std::fs::File;
use std::ops::Range;
use std::os::fd::AsRawFd;

/// The parts of `start..end` that are stored, ascending; what lies between them reads as zeros. Where the system cannot
/// tell, that is all of it. Moves the file's offset.
pub(super) fn stored(file: &File, start: u64, end: u64) -> impl Iterator<Item = Range<u64>> + '_ {
    let seek = move |at: u64, whence: i32| -> Result<u64, i32> {
        // SAFETY: a descriptor that is open; no memory is involved.
        let found = unsafe { libc::lseek(file.as_raw_fd(), at as libc::off_t, whence) };
        u64::try_from(found).map_err(|_| std::io::Error::last_os_error().raw_os_error().unwrap_or(0))
    };
    let mut at = start;
    std::iter::from_fn(move || {
        if at >= end {
            return None;
        }
        let data = match seek(at, libc::SEEK_DATA) {
            Ok(data) => data,
            Err(libc::ENXIO) => end,
            Err(_) => at,
        };
        if data >= end {
            at = end;
            return None;
        }
        let hole = seek(data, libc::SEEK_HOLE).unwrap_or(end).min(end);
        at = hole.max(data + 1);
        Some(data..at)
    })
}

/// Bytes that may be read from `start..end`: memory is taken in proportion to what is stored there, not to what a file
/// says of itself. Nothing that writes indexes leaves holes in what counts; the proportion is for file systems that
/// turn long runs of zeros into holes.
pub(super) fn readable(file: &File, start: u64, end: u64) -> u64 {
    let (mut readable, most) = (16u64 << 20, end.saturating_sub(start));
    for part in stored(file, start, end) {
        readable = readable.saturating_add(16 * (part.end - part.start));
        if readable >= most {
            break;
        }
    }
    readable
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use super::*;

    #[test]
    fn tells_what_is_stored() {
        let path = std::env::temp_dir().join(format!("hnx-holes-{}", std::process::id()));
        let file = File::options().read(true).write(true).create(true).truncate(true).open(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(stored(&file, 0, 0).count(), 0);
        file.set_len(1 << 40).unwrap();
        assert_eq!(stored(&file, 0, 1 << 40).count(), 0);
        assert_eq!(readable(&file, 0, 1 << 40), 16 << 20);
        file.write_all_at(&[1; 100], 1 << 30).unwrap();
        let parts: Vec<_> = stored(&file, 0, 1 << 40).collect();
        assert!(parts.iter().any(|part| part.contains(&(1 << 30)) && part.contains(&((1 << 30) + 99))), "{parts:?}");
        let bytes: u64 = parts.iter().map(|part| part.end - part.start).sum();
        assert!((100..1 << 22).contains(&bytes), "{bytes}");
        assert!(stored(&file, 1 << 30, (1 << 30) + 7).eq([(1 << 30, (1 << 30) + 7)].map(|(a, b)| a..b)));
        assert!(readable(&file, 1 << 30, (1 << 30) + 100) >= 100);
        assert!(readable(&file, 0, 1 << 40) < 1 << 27);
    }
}
