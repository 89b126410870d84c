//! The index from Rust, without the C ABI: `cargo run --release --example core`.

use hnx::{AddMode, Index, Params};

const DIM: usize = 16;
const COUNT: usize = 5000;
const K: usize = 3;

fn main() -> hnx::Result<()> {
    let index = Index::new(&Params { m: 16, ef_construction: 100, ..Params::new(DIM) }.validated()?)?;

    // Points on a spiral; the label of a point is its number.
    let vectors: Vec<f32> = (0..COUNT).flat_map(point).collect();
    let labels: Vec<u64> = (0..COUNT as u64).collect();
    index.add(&vectors, &labels, AddMode::default(), 1, false, &mut |_, _| {})?;

    index.mark_deleted(1000)?;
    let mut found = [0; K];
    let mut distances = [0.0; K];
    index.query(&point(1000), K, 50, 1, &mut found, Some(&mut distances), None)?;
    report(&format!("nearest to point 1000, which is deleted: {found:?}"));
    report(&format!("squared distances: {distances:?}"));
    assert_eq!(
        {
            found.sort_unstable();
            found[..2].to_vec()
        },
        [999, 1001]
    );

    report(&format!("{} points, {} of them deleted", index.count(), index.deleted_count()));
    Ok(())
}

fn point(number: usize) -> [f32; DIM] {
    let angle = number as f32 * 0.01;
    std::array::from_fn(|axis| angle * (angle + axis as f32).sin())
}

#[expect(clippy::print_stdout, reason = "an example, not the library")]
fn report(line: &str) {
    println!("{line}");
}
