//! Mutations that keep an input close to a valid index: they know where counts, links, sizes and fields are.

use crate::image::Image;
use crate::random::Random;

/// Offsets and sizes of the header's fields.
const FIELDS: [(usize, usize); 13] =
    [(0, 8), (8, 8), (16, 8), (24, 8), (32, 8), (40, 8), (48, 4), (52, 4), (56, 8), (64, 8), (72, 8), (80, 8), (88, 8)];

const FLOATS: [u32; 10] = [
    0,
    0x8000_0000,
    0x7F80_0000,
    0xFF80_0000,
    0x7FC0_0000,
    0xFFFF_FFFF,
    0x7F7F_FFFF,
    0x0000_0001,
    0x3F80_0000,
    0x5F00_0000,
];

fn interesting(random: &mut Random, near: u64) -> u64 {
    match random.below(10) {
        0 => 0,
        1 => u64::MAX,
        2 => near.wrapping_add(1),
        3 => near.wrapping_sub(1),
        4 => 1 << random.below(64),
        5 => (1 << random.below(64)) - 1,
        6 => near.wrapping_mul(2),
        7 => random.next(),
        _ => random.next() % 70,
    }
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    if let Some(to) = bytes.get_mut(at..at + value.len()) {
        to.copy_from_slice(value);
    }
}

/// Where each record's lists start (at their size), as far as the sizes lead.
fn list_starts(image: &Image) -> Vec<usize> {
    let (mut at, mut starts) = (0, Vec::new());
    while let Some(size) = image.lists.get(at..at + 4) {
        starts.push(at);
        let size = u32::from_le_bytes([size[0], size[1], size[2], size[3]]) as usize;
        at = at.saturating_add(4).saturating_add(size);
    }
    starts
}

/// Changes an image a little.
pub fn mutate(image: &mut Image, random: &mut Random) {
    let (count, stride, upper) = (image.count().min(1 << 16), image.stride().min(1 << 20), image.upper_list());
    let links = (image.field(64) as usize).min(1 << 16);
    let record = random.below(count) * stride;
    match random.below(14) {
        0 => {
            let (at, size) = FIELDS[random.below(FIELDS.len())];
            let value = interesting(random, image.field(at)).to_le_bytes();
            image.set_field(at, &value[..size]);
        }
        1 => {
            // The entry point and its level.
            image.set_field(52, &(random.below(count + 1) as u32).to_le_bytes());
            image.set_field(48, &(random.below(5) as u32).to_le_bytes());
        }
        2 => {
            let value = interesting(random, links as u64) as u16;
            put(&mut image.records, record, &value.to_le_bytes());
        }
        3 => {
            let value = interesting(random, count as u64) as u32;
            put(&mut image.records, record + 4 + 4 * random.below(links), &value.to_le_bytes());
        }
        4 => put(&mut image.records, record + 2, &[random.below(4) as u8]),
        5 => {
            // A label, often one that another record has.
            let offset = image.field(32).min(1 << 20) as usize;
            let from = random.below(count) * stride + offset;
            let mut label = random.next().to_le_bytes();
            if let Some(other) = image.records.get(from..from + 8).filter(|_| random.below(4) != 0) {
                label.copy_from_slice(other);
            }
            put(&mut image.records, record + offset, &label);
        }
        6 => {
            let at = record + image.field(40).min(1 << 20) as usize + 4 * random.below(4);
            put(&mut image.records, at, &FLOATS[random.below(FLOATS.len())].to_le_bytes());
        }
        7 => {
            // Another number of levels, with or without the bytes for them.
            let starts = list_starts(image);
            let Some(&at) = starts.get(random.below(starts.len())) else { return };
            let levels = random.below(4);
            let old = u32::from_le_bytes([0, 1, 2, 3].map(|i| image.lists[at + i])) as usize;
            let new = levels.saturating_mul(upper).min(1 << 14);
            put(&mut image.lists, at, &(new as u32).to_le_bytes());
            if random.below(4) != 0 {
                let end = at.saturating_add(4).saturating_add(old).min(image.lists.len());
                image.lists.splice(at + 4..end, vec![0; new]);
            }
        }
        8 => {
            // A link or a count on an upper level.
            let at = random.below(image.lists.len() / 4) * 4;
            put(&mut image.lists, at, &(interesting(random, count as u64) as u32).to_le_bytes());
        }
        9 => {
            // One record more: a copy.
            let copy = image.records.get(record..record + stride).map(<[u8]>::to_vec).unwrap_or_default();
            image.records.truncate(count.saturating_mul(stride));
            image.records.extend_from_slice(&copy);
            image.lengths.extend_from_slice(&[0, 0, 128, 63]);
            image.lists.extend_from_slice(&[0; 4]);
            image.set_field(16, &(count as u64 + 1).to_le_bytes());
        }
        10 => {
            let fewer = random.below(count);
            image.set_field(16, &(fewer as u64).to_le_bytes());
            image.records.truncate(fewer * stride);
            image.lengths.truncate(fewer * 4);
            if let Some(&end) = list_starts(image).get(fewer) {
                image.lists.truncate(end);
            }
        }
        11 => {
            let part = match random.below(4) {
                0 => &mut image.header,
                1 => &mut image.records,
                2 => &mut image.lengths,
                _ => &mut image.lists,
            };
            match random.below(2) {
                0 => part.truncate(random.below(part.len() + 1)),
                _ => part.extend((0..random.below(40)).map(|at| at as u8)),
            }
        }
        12 => {
            let byte = random.next() as u8;
            image.rest.insert(random.below(image.rest.len() + 1), byte);
        }
        _ => {
            let at = random.below(image.rest.len());
            put(&mut image.rest, at, &[random.next() as u8]);
        }
    }
}

/// A mutator for libFuzzer: half of the time its own bytes, half of the time [`mutate`].
pub fn mutator(
    data: &mut [u8],
    size: usize,
    max: usize,
    seed: u32,
    read: impl Fn(&[u8]) -> Image,
    write: impl Fn(&Image) -> Vec<u8>,
) -> usize {
    let mut random = Random::new(seed.into());
    if random.below(2) == 0 {
        return libfuzzer_sys::fuzzer_mutate(data, size, max);
    }
    let mut image = read(&data[..size]);
    for _ in 0..=random.below(4) {
        mutate(&mut image, &mut random);
    }
    let bytes = write(&image);
    if bytes.len() > max {
        return libfuzzer_sys::fuzzer_mutate(data, size, max);
    }
    data[..bytes.len()].copy_from_slice(&bytes);
    bytes.len()
}
