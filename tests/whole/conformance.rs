//! What Spark Structured Streaming answered, row for row and epoch for epoch: every file of `tests/conformance`.
//!
//! Two lists stand beside the files. `later.txt` names those that this version cannot pass yet, each with the reason; one
//! that begins to pass must be taken off it. `refused.txt` says for every graph that must be refused with which fault, so
//! that none is refused for the wrong reason.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use watershed::core::fault::Severity;
use watershed::graphs::Diagnostics;
use watershed::testing::{FileReport, Options, Way, discover, run_file};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance")
}

/// The lines of a list: a path, and what is said of it.
fn list(name: &str) -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(folder().join(name)).expect("the list is there");
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let entry = |line: &str| {
        let (path, said) = line.split_once(' ').expect("a line holds a path and, after a blank, what is said of it");
        (path.to_owned(), said.trim().to_owned())
    };
    lines.map(entry).collect()
}

/// The codes of the errors for which a graph was refused, and their messages.
fn faults(report: &FileReport) -> Vec<(String, String)> {
    let items = report.diagnostics.iter().flat_map(Diagnostics::iter);
    let errors = items.filter(|item| item.severity == Severity::Error);
    errors.map(|error| (error.code.rsplit("::").next().unwrap_or_default().to_owned(), error.message.clone())).collect()
}

#[test]
fn every_recorded_case_comes_out_as_recorded_in_every_way() {
    let (mut later, mut refused) = (list("later.txt"), list("refused.txt"));
    let options = Options { ways: Way::ALL.to_vec(), ..Options::default() };
    let (mut files, mut cases, mut refusals, mut postponed, mut complaints) = (0, 0, 0, 0, String::new());
    for path in discover(&[folder()]).expect("the folder holds tests") {
        let name = path.strip_prefix(folder()).expect("below the folder").display().to_string();
        let report = run_file(&path, &options);
        files += 1;
        let is_refusal = report.cases.iter().any(|case| case.name == "refused");
        if let Some(reason) = later.remove(&name) {
            postponed += 1;
            // A graph that must be refused always is while its nodes are not there; see what it is refused for.
            let unknown = |(code, _): &(String, String)| code.starts_with("unknown_");
            if report.passed() && !(is_refusal && faults(&report).iter().any(unknown)) {
                writeln!(complaints, "{name} passes: take it off later.txt ({reason})")
                    .expect("a string can be written");
            }
            continue;
        }
        if !report.passed() {
            writeln!(complaints, "{}", report.render(false)).expect("a string can be written");
        }
        cases += report.cases.len();
        if is_refusal {
            refusals += 1;
            let seen = faults(&report);
            let wanted = refused.remove(&name).unwrap_or_default();
            let (code, text) = wanted.split_once(' ').unwrap_or((&wanted, ""));
            if seen.len() != 1 || seen[0].0 != code || text.is_empty() || !seen[0].1.contains(text.trim()) {
                writeln!(complaints, "{name} should be refused for `{wanted}` alone, but it is for {seen:?}")
                    .expect("a string can be written");
            }
        }
    }
    for name in later.keys().chain(refused.keys()) {
        writeln!(complaints, "{name} is on a list, but there is no such file, or none that is refused")
            .expect("a string can be written");
    }
    println!(
        "{cases} cases ({refusals} of them refusals) in {} of {files} files, each in {} ways; {postponed} files postponed",
        files - postponed,
        options.ways.len()
    );
    assert!(complaints.is_empty(), "\n{complaints}");
}
