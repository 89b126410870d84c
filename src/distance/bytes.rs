//! Squared L2 of rows of bytes, exact in i32 (which wraps beyond 33,025 values, as hnswlib's int does).

/// Distance of `q` and `row`. Plain Rust: inlined into a function with an instruction set, the compiler uses it.
///
/// # Safety
/// Both point to `dim` readable bytes.
#[inline(always)]
pub(crate) unsafe fn l2(q: *const u8, row: *const u8, dim: usize) -> i32 {
    // SAFETY: the caller's promise.
    let (q, row) = unsafe { (std::slice::from_raw_parts(q, dim), std::slice::from_raw_parts(row, dim)) };
    let mut sum = 0i32;
    for (a, b) in q.iter().zip(row) {
        let d = i16::from(*a) - i16::from(*b);
        sum = sum.wrapping_add(i32::from(d) * i32::from(d));
    }
    sum
}
