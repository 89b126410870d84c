//! Compared with the library itself: a C++ program prints what `std::unordered_set<unsigned>` does.

use std::io::Write;
use std::process::{Command, Stdio};

use rand::{rngs::SmallRng, Rng, SeedableRng};

use super::HashOrder;

const PROGRAM: &str = r#"
#include <cstdio>
#include <unordered_set>
int main() {
    std::unordered_set<unsigned> set;
    char op; unsigned id;
    while (std::scanf(" %c %u", &op, &id) == 2) {
        if (op == '+') set.insert(id);
        if (op == '-') set.erase(id);
        if (op == '?') { for (unsigned x : set) std::printf("%u ", x); std::printf("\n"); }
    }
}
"#;

#[test]
fn iterates_as_libstdcxx_does() {
    let dir = std::env::temp_dir().join(format!("hnx-hash-order-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let (source, program) = (dir.join("set.cpp"), dir.join("set"));
    std::fs::write(&source, PROGRAM).unwrap();
    let compiler = std::env::var("CXX").unwrap_or("g++".into());
    let status = Command::new(compiler).arg("-O1").arg(&source).arg("-o").arg(&program).status();
    assert!(status.expect("a C++ compiler with libstdc++ (apt-get install g++)").success());

    let mut rng = SmallRng::seed_from_u64(3);
    for (operations, ids) in [(50, 40u32), (400, 60), (3000, 100_000), (60_000, 3_000_000_000)] {
        let (mut set, mut input, mut expected) = (HashOrder::default(), String::new(), String::new());
        let mut known = Vec::new();
        for step in 0..operations {
            let id = rng.random_range(0..ids);
            if rng.random_range(0..3) > 0 || known.is_empty() {
                set.insert(id);
                known.push(id);
                input += &format!("+ {id}\n");
            } else {
                let id = known.swap_remove(rng.random_range(0..known.len()));
                set.remove(id);
                input += &format!("- {id}\n");
            }
            if step % (operations / 20) == 0 || step + 1 == operations {
                input += "? 0\n";
                expected += &set.iter().map(|id| format!("{id} ")).collect::<String>();
                expected.push('\n');
            }
        }
        let mut child = Command::new(&program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let output = std::thread::scope(|scope| {
            scope.spawn(move || stdin.write_all(input.as_bytes()).unwrap());
            child.wait_with_output().unwrap()
        });
        assert!(String::from_utf8(output.stdout).unwrap() == expected, "{operations} operations on {ids} ids");
    }
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn reset_is_as_good_as_new() {
    let mut set = HashOrder::default();
    (0..1000).for_each(|id| assert!(set.insert(id * 7)));
    set.reset();
    assert!(set.len() == 0 && !set.contains(7) && set.first().is_none());
    let mut fresh = HashOrder::default();
    for id in [5, 1, 27, 14, 3] {
        assert!(set.insert(id) && fresh.insert(id) && !set.insert(id));
    }
    assert!(set.iter().eq(fresh.iter()));
}
