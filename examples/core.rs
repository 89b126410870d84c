//! The index from Rust, without the C ABI: `cargo run --release --example core`.

use hnx::params::Exactness;
use hnx::{AddMode, Index, Params};

const DIM: usize = 16;
const COUNT: usize = 5000;
const K: usize = 3;

fn main() -> hnx::Result<()> {
    let index = Index::new(&Params { m: 16, ef_construction: 100, ..Params::new(DIM) }.validated()?)?;

    // Random points; the label of a point is its row.
    let mut state = 1;
    let vectors: Vec<f32> = (0..COUNT * DIM).map(|_| random(&mut state)).collect();
    let labels: Vec<u64> = (0..COUNT as u64).collect();
    index.add(&vectors, &labels, AddMode::default(), 1, false, &mut |_, _| {})?;

    // A point is its own nearest neighbour, until it is deleted.
    let query = &vectors[1000 * DIM..1001 * DIM];
    let (mut before, mut after) = ([0; K], [0; K]);
    let mut distances = [0.0; K];
    index.query(query, K, 50, 1, Exactness::Default, None, &mut before, Some(&mut distances), None)?;
    index.mark_deleted(1000)?;
    index.query(query, K, 50, 1, Exactness::Default, None, &mut after, None, None)?;
    report(&format!("nearest to point 1000: {before:?}, squared distances {distances:?}"));
    report(&format!("after its deletion:    {after:?}"));
    assert_eq!((before[0], distances[0]), (1000, 0.0));
    assert!(!after.contains(&1000));

    report(&format!("{} points, {} of them deleted", index.count(), index.deleted_count()));
    Ok(())
}

/// Numbers from 0 to 1 that are the same on every machine.
fn random(state: &mut u32) -> f32 {
    *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
    (*state >> 8) as f32 / 16_777_216.0
}

#[expect(clippy::print_stdout, reason = "an example, not the library")]
fn report(line: &str) {
    println!("{line}");
}
