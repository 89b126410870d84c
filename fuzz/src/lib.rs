//! What the fuzz targets share: inputs as files, indexes opened from them, and mutations that know the formats.
//!
//! All calls go through the C ABI, as a host's do. A target fails on a crash, on a report of AddressSanitizer, on a
//! panic inside the library, on an allocation or a run time out of proportion, and on answers that the header rules out.

pub mod files;
pub mod image;
pub mod index;
pub mod mutate;
pub mod random;
