//! XXH64 (Yann Collet, xxHash specification 0.1.1, section "XXH64 algorithm"): fast, and any change of a few bits
//! shows. A checksum, not a signature: who forges bytes can forge it.

const P1: u64 = 0x9E37_79B1_85EB_CA87;
const P2: u64 = 0xC2B2_AE3D_27D4_EB4F;
const P3: u64 = 0x1656_67B1_9E37_79F9;
const P4: u64 = 0x85EB_CA77_C2B2_AE63;
const P5: u64 = 0x27D4_EB2F_1656_67C5;

fn word(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte))
}

fn lane(bytes: &[u8; 8]) -> u64 {
    u64::from_le_bytes(*bytes)
}

fn round(state: u64, input: u64) -> u64 {
    state.wrapping_add(input.wrapping_mul(P2)).rotate_left(31).wrapping_mul(P1)
}

/// The hash of `bytes` from `seed`.
pub(super) fn xxh64(bytes: &[u8], seed: u64) -> u64 {
    let (lanes, mut rest) = bytes.as_chunks::<8>();
    let (stripes, singles) = lanes.as_chunks::<4>();
    let mut hash = seed.wrapping_add(P5);
    if !stripes.is_empty() {
        let [mut a, mut b, mut c, mut d] =
            [seed.wrapping_add(P1).wrapping_add(P2), seed.wrapping_add(P2), seed, seed.wrapping_sub(P1)];
        // One by one: as a loop over pairs it takes twice as long wherever that is not unrolled.
        for [first, second, third, fourth] in stripes {
            a = round(a, lane(first));
            b = round(b, lane(second));
            c = round(c, lane(third));
            d = round(d, lane(fourth));
        }
        hash = a.rotate_left(1).wrapping_add(b.rotate_left(7));
        hash = hash.wrapping_add(c.rotate_left(12)).wrapping_add(d.rotate_left(18));
        for state in [a, b, c, d] {
            hash = (hash ^ round(0, state)).wrapping_mul(P1).wrapping_add(P4);
        }
    }
    hash = hash.wrapping_add(bytes.len() as u64);
    for input in singles {
        hash = (hash ^ round(0, lane(input))).rotate_left(27).wrapping_mul(P1).wrapping_add(P4);
    }
    if let Some((four, after)) = rest.split_at_checked(4) {
        hash = (hash ^ word(four).wrapping_mul(P1)).rotate_left(23).wrapping_mul(P2).wrapping_add(P3);
        rest = after;
    }
    for byte in rest {
        hash = (hash ^ u64::from(*byte).wrapping_mul(P5)).rotate_left(11).wrapping_mul(P1);
    }
    hash = (hash ^ hash >> 33).wrapping_mul(P2);
    hash = (hash ^ hash >> 29).wrapping_mul(P3);
    hash ^ hash >> 32
}

#[cfg(test)]
mod tests {
    use super::xxh64;

    /// Values of the reference implementation (xxhsum -H1 and its sanity check).
    #[test]
    fn agrees_with_the_reference() {
        assert_eq!(xxh64(b"", 0), 0xEF46_DB37_51D8_E999);
        assert_eq!(xxh64(b"a", 0), 0xD24E_C4F1_A98C_6E5B);
        assert_eq!(xxh64(b"abc", 0), 0x44BC_2CF5_AD77_0999);
        let text = b"Nobody inspects the spammish repetition";
        assert_eq!(xxh64(text, 0), 0xFBCE_A83C_8A37_8BF1);
    }
}
