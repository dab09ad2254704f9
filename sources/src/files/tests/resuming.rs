//! Which files a run reads that goes on where an earlier one stopped.

use watershed_core::node::{Available, Limit, Offset, OffsetRange, Source};
use watershed_core::state::StateStore;

use super::{files_of, line, opened, put, range, rows};
use crate::files::Files;

/// What a checkpoint keeps of one source.
struct Checkpoint {
    committed: Offset,
    state: StateStore,
}

impl Checkpoint {
    fn of(source: &dyn Source) -> Self {
        Self { committed: Offset::default(), state: StateStore::new(source.tables()) }
    }

    /// Plans, reads and commits an epoch; its rows.
    fn run_epoch(&mut self, source: &mut dyn Source) -> String {
        let range = range(source, &self.committed, Limit::Epoch);
        let text = rows(source, &range).expect("rows").lines().join(" ");
        self.commit(source, &range);
        text
    }

    fn commit(&mut self, source: &mut dyn Source, range: &OffsetRange) {
        source.remember(range, &mut self.state).expect("a list of files");
        self.state.commit().expect("memory");
        self.committed = range.end.clone();
        source.release(&range.end).expect("a count");
    }

    /// Another process goes on.
    fn resume(&mut self, files: &Files) -> Box<dyn Source> {
        let mut source = opened(files);
        source.resume(&self.committed, &mut self.state).expect("a list of files");
        source
    }

    fn all_that_is_left(&mut self, source: &mut dyn Source) -> Vec<String> {
        source.freeze().expect("a directory");
        let mut epochs = Vec::new();
        while let Available::Range(range) = source.available(&self.committed, Limit::Epoch).expect("an answer") {
            epochs.push(rows(source, &range).expect("rows").lines().join(" "));
            self.commit(source, &range);
        }
        assert_eq!(source.available(&self.committed, Limit::Epoch).expect("an answer"), Available::Finished);
        epochs
    }
}

fn five_files() -> (tempfile::TempDir, Files) {
    let directory = tempfile::tempdir().expect("a directory");
    for value in 0..5 {
        put(&directory, &format!("{value}.json"), 10 + value as u64, line(value));
    }
    let files = Files { max_files_per_epoch: Some(1), ..files_of(directory.path()) };
    (directory, files)
}

#[test]
fn a_resumed_source_offers_the_files_of_no_committed_epoch_and_all_others() {
    for committed in 0..=5 {
        let (_directory, files) = five_files();
        let mut source = opened(&files);
        let mut checkpoint = Checkpoint::of(source.as_ref());
        for epoch in 0..committed {
            assert_eq!(checkpoint.run_epoch(source.as_mut()), epoch.to_string());
        }
        // Planned and not committed: nothing of it is in the checkpoint.
        let planned = source.available(&checkpoint.committed, Limit::Epoch).expect("an answer");
        assert_eq!(matches!(planned, Available::Range(_)), committed < 5);
        assert_eq!(checkpoint.state.rows(), committed);

        let mut resumed = checkpoint.resume(&files);
        assert_eq!(resumed.remaining(&checkpoint.committed), Some((5 - committed as u64) * line(0).len() as u64));
        let expected: Vec<String> = (committed..5).map(|value| value.to_string()).collect();
        assert_eq!(checkpoint.all_that_is_left(resumed.as_mut()), expected, "after {committed} epochs");
        assert_eq!(checkpoint.committed, Offset(5.into()));
    }
}

#[test]
fn changed_files_are_not_read_again_and_new_ones_are_however_old() {
    let (directory, files) = five_files();
    let mut source = opened(&files);
    let mut checkpoint = Checkpoint::of(source.as_ref());
    for _ in 0..3 {
        checkpoint.run_epoch(source.as_mut());
    }
    put(&directory, "0.json", 99, line(100) + &line(101));
    put(&directory, "1.json", 0, line(102));
    put(&directory, "older.json", 1, line(7));
    put(&directory, "newer.json", 50, line(8));
    let mut resumed = checkpoint.resume(&files);
    assert_eq!(checkpoint.all_that_is_left(resumed.as_mut()), ["7", "3", "4", "8"]);
}

#[test]
fn an_epoch_run_again_reads_its_own_files_and_the_next_goes_on_after_them() {
    let (directory, files) = five_files();
    let mut source = opened(&Files { max_files_per_epoch: Some(2), ..files.clone() });
    let mut checkpoint = Checkpoint::of(source.as_ref());
    checkpoint.run_epoch(source.as_mut());
    let intended = range(source.as_mut(), &checkpoint.committed, Limit::Epoch);
    put(&directory, "older.json", 1, line(7));

    let mut resumed = checkpoint.resume(&files);
    assert_eq!(rows(resumed.as_mut(), &intended).expect("rows").lines(), ["2", "3"]);
    checkpoint.commit(resumed.as_mut(), &intended);
    assert_eq!(checkpoint.state.rows(), 4);
    assert_eq!(checkpoint.all_that_is_left(resumed.as_mut()), ["7", "4"]);

    // And once more, now that all of it is committed.
    let mut again = checkpoint.resume(&files);
    assert_eq!(checkpoint.all_that_is_left(again.as_mut()), Vec::<String>::new());
}

#[test]
fn a_frozen_source_replays_and_then_offers_what_was_there_at_the_freeze() {
    let (directory, files) = five_files();
    let mut source = opened(&files);
    let mut checkpoint = Checkpoint::of(source.as_ref());
    checkpoint.run_epoch(source.as_mut());
    let intended = range(source.as_mut(), &checkpoint.committed, Limit::Epoch);

    let mut resumed = checkpoint.resume(&files);
    resumed.freeze().expect("a directory");
    put(&directory, "later.json", 1, line(7));
    assert_eq!(rows(resumed.as_mut(), &intended).expect("rows").lines(), ["1"]);
    checkpoint.commit(resumed.as_mut(), &intended);
    assert_eq!(checkpoint.all_that_is_left(resumed.as_mut()), ["2", "3", "4"]);

    let mut next_run = checkpoint.resume(&files);
    assert_eq!(checkpoint.all_that_is_left(next_run.as_mut()), ["7"]);
}

#[test]
fn a_single_file_that_was_read_is_at_its_end() {
    let (directory, _) = five_files();
    let files = files_of(&directory.path().join("0.json"));
    let mut source = opened(&files);
    let mut checkpoint = Checkpoint::of(source.as_ref());
    checkpoint.run_epoch(source.as_mut());
    let mut resumed = checkpoint.resume(&files);
    let answer = resumed.available(&checkpoint.committed, Limit::Epoch).expect("an answer");
    assert_eq!(answer, Available::Finished);
}

#[test]
fn a_file_of_the_epoch_to_be_run_again_that_is_gone_is_an_error_that_names_it() {
    let (directory, files) = five_files();
    let mut source = opened(&files);
    let mut checkpoint = Checkpoint::of(source.as_ref());
    let intended = range(source.as_mut(), &Offset::default(), Limit::Epoch);
    std::fs::remove_file(directory.path().join("0.json")).expect("a file");
    let mut resumed = checkpoint.resume(&files);
    let error = rows(resumed.as_mut(), &intended).err().expect("no file").to_string();
    assert!(error.contains("0.json`: it was there when it was listed, and is gone"), "{error}");
}

#[test]
fn a_list_of_files_that_does_not_fit_the_offset_is_an_error() {
    let (_directory, files) = five_files();
    let mut source = opened(&files);
    let mut checkpoint = Checkpoint::of(source.as_ref());
    checkpoint.run_epoch(source.as_mut());
    let mut other = opened(&files);
    let error = other.resume(&Offset(2.into()), &mut checkpoint.state).expect_err("one file is not two").to_string();
    assert_eq!(error, "go on after file 2: the checkpoint names 1 files as read");
}
