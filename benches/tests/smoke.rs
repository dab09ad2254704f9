//! Both sides of every comparison give the same answer, on one thread and on two. No figure is asserted.

use watershed_benches::compare::{Compare, Measured, compare};

fn small(threads: usize) -> Compare {
    Compare {
        rows: 20_000,
        users: 50,
        minutes: 300,
        threads,
        runs: 1,
        epoch_rows: 7_000,
        only: Vec::new(),
        from: Vec::new(),
        side: None,
    }
}

#[test]
fn graph_and_loop_agree() {
    for threads in [1, 2] {
        let mut seen: Vec<Measured> = Vec::new();
        compare(&small(threads), &mut |measured| seen.push(measured.clone())).expect("both sides agree");
        assert_eq!(seen.len(), 36, "twelve questions from three places");
        assert!(seen.iter().all(|measured| measured.answer_rows > 0));
    }
}
