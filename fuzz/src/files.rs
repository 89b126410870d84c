//! Inputs as files in memory.

use std::ffi::CString;
use std::fs::{self, File};
use std::io::Write;
use std::os::fd::{AsRawFd, FromRawFd};
use std::path::{Path, PathBuf};

use crate::image::Image;

/// A file without a name, and a path to it.
pub struct MemoryFile {
    file: File,
}

impl MemoryFile {
    pub fn new(bytes: &[u8]) -> Self {
        // SAFETY: a valid name; the descriptor is ours alone.
        let mut file = unsafe { File::from_raw_fd(libc::memfd_create(c"fuzz".as_ptr(), libc::MFD_CLOEXEC)) };
        file.write_all(bytes).expect("a memory file");
        Self { file }
    }

    pub fn path(&self) -> CString {
        CString::new(format!("/proc/self/fd/{}", self.file.as_raw_fd())).expect("no NUL")
    }
}

/// A folder in memory for this process, emptied when it goes.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
        let parent = if Path::new("/dev/shm").is_dir() { PathBuf::from("/dev/shm") } else { std::env::temp_dir() };
        let path = parent.join(format!("hnx-fuzz-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).expect("a folder");
        Self(path)
    }

    /// A directory of Chroma's with the sections of an image.
    pub fn write(&self, image: &Image) {
        let files = [
            ("header.bin", &image.header),
            ("data_level0.bin", &image.records),
            ("length.bin", &image.lengths),
            ("link_lists.bin", &image.lists),
        ];
        for (name, bytes) in files {
            fs::write(self.0.join(name), bytes).expect("a file");
        }
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn c_path(&self) -> CString {
        c_path(&self.0)
    }

    /// A path inside.
    pub fn inside(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

/// A path for C.
pub fn c_path(path: &Path) -> CString {
    CString::new(path.as_os_str().as_encoded_bytes()).expect("no NUL")
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
