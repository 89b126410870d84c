//! Sparse files: which parts of a file are stored. A file of a few kilobytes can say that it has terabytes, and what
//! torn writes leave behind does.

use std::fs::File;

use crate::platform::stored;

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
    use super::*;
    use crate::platform::FileExt;

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
