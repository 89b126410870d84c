//! Codes beside an index, with bytes replaced: mapped, read, added to, written again. The input is a flag byte, then places
//! and what to put there.
#![no_main]

use std::cell::OnceCell;
use std::fs;
use std::mem::zeroed;
use std::path::PathBuf;
use std::ptr::null_mut;

use hnx::ffi::*;
use hnx_fuzz::files::{c_path, Folder};
use hnx_fuzz::index::{check, floats, open, Index, Way, DIM};
use hnx_fuzz::random::Random;
use libfuzzer_sys::fuzz_target;

const ROWS: usize = 1000;

/// An index in a file, and the codes beside it.
struct Base {
    folder: Folder,
    path: PathBuf,
    codes: Vec<u8>,
}

impl Base {
    fn new() -> Self {
        let folder = Folder::new("codes");
        let path = folder.inside("index");
        let mut random = Random::new(1);
        let rows: Vec<f32> = (0..ROWS).flat_map(|_| floats(&mut random)).collect();
        let labels: Vec<u64> = (0..ROWS as u64).collect();
        // SAFETY: all zeros are a value of the struct; as many rows and labels as said.
        unsafe {
            let mut options: hnx_options = zeroed();
            (options.struct_size, options.dim, options.m) = (size_of::<hnx_options>(), DIM, 4);
            options.ef_construction = 10;
            let mut index = null_mut();
            check(hnx_init(&options, &mut index));
            check(hnx_add(index, rows.as_ptr(), labels.as_ptr(), ROWS, std::ptr::null(), null_mut()));
            let _freed = Index::from_raw(index);
            check(hnx_save(index, c_path(&path).as_ptr(), HNX_FORMAT_HNSWLIB));
            assert_eq!(hnx_save_codes(index, c_path(&path).as_ptr()), hnx_status::HNX_OK);
        }
        let codes = fs::read(folder.inside("index.hnx.codes")).expect("codes");
        Self { folder, path, codes }
    }
}

thread_local! {
    static BASE: OnceCell<Base> = const { OnceCell::new() };
}

fuzz_target!(|data: &[u8]| {
    let Some((&flags, data)) = data.split_first() else { return };
    BASE.with(|base| {
        let base = base.get_or_init(Base::new);
        let mut bytes = base.codes.clone();
        // Of the head three bytes in four, since there is most to get wrong.
        for patch in data.chunks_exact(4) {
            let at = usize::from(u16::from_le_bytes([patch[1], patch[2]]));
            let len = if patch[0] & 3 == 0 { bytes.len() } else { 300.min(bytes.len()) };
            let at = if len > 65_536 { at * len / 65_536 } else { at % len };
            bytes[at] = patch[3];
        }
        let cut = if flags & 16 != 0 { bytes.len() - data.len().min(bytes.len()) } else { bytes.len() };
        let name = base.folder.inside("index.hnx.codes");
        // Never written in place: an index that maps it would die.
        let _ = fs::remove_file(&name);
        fs::write(&name, &bytes[..cut]).expect("a file");
        let read_only = if flags & 1 != 0 { HNX_LOAD_READ_ONLY } else { 0 };
        let check = [HNX_CHECK_DEFAULT, HNX_CHECK_FAST, HNX_CHECK_DEFAULT, HNX_CHECK_DEEP][usize::from(flags >> 1 & 3)];
        let way = Way { metric: HNX_METRIC_L2, flags: HNX_LOAD_MMAP | read_only, check };
        let Some(index) = open(&c_path(&base.path), way) else { return };
        let mut random = Random::new(data.len() as u64);
        index.read(&mut random);
        index.add(&floats(&mut random), 7, 0);
        index.add(&floats(&mut random), 5000, HNX_ADD_GUIDED);
        index.delete(9);
        index.read(&mut random);
        index.save(&c_path(&base.folder.inside("saved")), HNX_FORMAT_CHROMA);
    });
});
