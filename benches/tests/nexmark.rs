//! Every graph of Nexmark gives what a plain loop gives, on one thread and on two. No figure is asserted.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use clap::ValueEnum;
use watershed::graphs::{SchemaMode, load};
use watershed_benches::nexmark::{Measured, Query, Wanted, nexmark};

fn small(threads: usize) -> Wanted {
    Wanted {
        events: 20_000,
        // Forty seconds of event time, in which a day ends.
        events_per_second: 500,
        epoch_events: 4_000,
        seed: 1,
        only: Vec::new(),
        threads,
        runs: 0,
    }
}

#[test]
fn graph_and_loop_agree() {
    for threads in [1, 2] {
        let mut seen: Vec<Measured> = Vec::new();
        nexmark(&small(threads), &mut |measured| seen.push(measured.clone())).expect("both sides agree");
        assert_eq!(seen.len(), Query::value_variants().len());
        for measured in seen {
            assert!(measured.rows_out > 0, "{:?} answers nothing", measured.query);
        }
    }
}

/// The queries that the benchmark asks without a time after which anything could be forgotten.
const KEEP_FOR_EVER: [Query; 8] =
    [Query::Q3, Query::Q4, Query::Q15, Query::Q16, Query::Q17, Query::Q18, Query::Q19, Query::Q20];

#[test]
fn state_is_bounded_where_the_query_has_a_bound() {
    let mut wrong = Vec::new();
    for &query in Query::value_variants() {
        let checked =
            load(query.text(), &query.name(), &|_| Some("side_input.csv".to_owned())).check(SchemaMode::Offline);
        let warned = checked.diagnostics.iter().any(|item| item.code.ends_with("::unbounded_state"));
        if checked.plan.is_none() || warned != KEEP_FOR_EVER.contains(&query) {
            wrong.push(checked.diagnostics.render(false));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_graph_is_a_query_and_every_query_is_explained() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../graphs/nexmark");
    let files = fs::read_dir(&folder).expect("the graphs").map(|file| file.expect("a file").file_name());
    let files: BTreeSet<String> = files.map(|file| file.to_string_lossy().into_owned()).collect();
    let graphs: BTreeSet<String> =
        files.iter().filter_map(|file| file.strip_suffix(".ron").map(str::to_owned)).collect();
    let queries: BTreeSet<String> = Query::value_variants().iter().map(|query| query.name()).collect();
    assert_eq!(graphs, queries);
    let readme = fs::read_to_string(folder.join("README.md")).expect("the readme");
    for number in 0..=23 {
        assert!(readme.contains(&format!("| q{number} |")), "the readme says nothing of q{number}");
    }
}
