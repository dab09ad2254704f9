//! The source over texts that arrive in pieces.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::thread;

use crossbeam_channel::{Receiver, bounded};
use watershed_core::error::Result;
use watershed_core::node::{Available, Limit, Offset, Source, SourceSchema, SourceSpec};
use watershed_core::schema::Ddl;

use super::source::StdinSource;
use super::{Stdin, StdinFormat};
use crate::records::testing::Collected;
use crate::records::{OnBadRecord, text_schema};

/// Hands out one text per read, as a pipe does, and then ends.
struct Pipe(VecDeque<&'static str>);

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(text) = self.0.pop_front() else { return Ok(0) };
        buffer[..text.len()].copy_from_slice(text.as_bytes());
        Ok(text.len())
    }
}

fn opened(spec: &Stdin, texts: &[&'static str]) -> StdinSource {
    let Ok(SourceSchema::Declared(schema)) = spec.schema() else { panic!("declared columns") };
    spec.open_over(Box::new(Pipe(texts.iter().copied().collect())), schema, 2).expect("a thread")
}

/// Hands out what is sent to it, when it is sent.
struct Slow(Receiver<Vec<u8>>);
impl Read for Slow {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Ok(text) = self.0.recv() else { return Ok(0) };
        buffer[..text.len()].copy_from_slice(&text);
        Ok(text.len())
    }
}

/// What there is once the reading thread has come far enough to tell.
fn awaited(source: &mut StdinSource, after: &Offset, limit: Limit) -> Result<Available> {
    loop {
        match source.available(after, limit)? {
            Available::Later => thread::yield_now(),
            known => return Ok(known),
        }
    }
}

/// The rows of each epoch when nobody hurries.
fn epochs(source: &mut StdinSource) -> Result<Vec<Vec<String>>> {
    source.freeze()?;
    let mut after = Offset::default();
    let mut epochs = Vec::new();
    while let Available::Range(range) = awaited(source, &after, Limit::Epoch)? {
        epochs.push(Collected::of(source.splits(&range)?)?.lines());
        after = range.end;
    }
    Ok(epochs)
}

#[test]
fn epochs_are_cut_by_rows_however_the_text_arrives() {
    let spec = Stdin { max_rows_per_epoch: Some(2), ..Stdin::default() };
    for texts in [["a\nb\nc\n", "\nd"].as_slice(), &["a", "\nb\n", "c\n\n", "d"], &["a\n", "b\n", "c\n", "\n", "d"]] {
        let mut source = opened(&spec, texts);
        assert_eq!(epochs(&mut source).expect("text"), [vec!["a", "b"], vec!["c", ""], vec!["d"]]);
    }
}

#[test]
fn once_takes_everything_up_to_the_end() {
    let mut source = opened(&Stdin::default(), &["a\n", "b\n", "c"]);
    let Available::Range(all) = awaited(&mut source, &Offset::default(), Limit::Everything).expect("text") else {
        panic!("no rows")
    };
    assert_eq!(all.size, 3);
    assert_eq!(source.available(&all.end, Limit::Everything).expect("an answer"), Available::Finished);
}

#[test]
fn a_source_that_is_not_frozen_does_not_wait() {
    let (sender, receiver) = bounded::<Vec<u8>>(1);
    let spec = Stdin::default();
    let mut source = spec.open_over(Box::new(Slow(receiver)), text_schema(), 10).expect("a thread");
    assert_eq!(source.available(&Offset::default(), Limit::Epoch).expect("an answer"), Available::Nothing);
    sender.send(b"a\nb".to_vec()).expect("a reader");
    let range = loop {
        match source.available(&Offset::default(), Limit::Epoch).expect("an answer") {
            Available::Range(range) => break range,
            other => assert_eq!(other, Available::Nothing),
        }
        thread::yield_now();
    };
    assert_eq!(range.size, 1, "the second line is not whole yet");
    drop(sender);
    let rest = loop {
        match source.available(&range.end, Limit::Epoch).expect("an answer") {
            Available::Range(range) => break range,
            other => assert_eq!(other, Available::Nothing),
        }
        thread::yield_now();
    };
    assert_eq!(Collected::of(source.splits(&rest).expect("splits")).expect("rows").lines(), ["b"]);
}

#[test]
fn json_and_csv_are_decoded_as_in_files() {
    let schema = Some(Ddl("a STRING, i INT".to_owned()));
    let json = Stdin { format: StdinFormat::Json, schema: schema.clone(), ..Stdin::default() };
    let rows = epochs(&mut opened(&json, &["{\"i\":1,", "\"a\":\"x\"}\n\n{\"i\":2}"])).expect("good records");
    assert_eq!(rows, [["x | 1", "∅ | 2"]]);

    let format = StdinFormat::Csv { delimiter: ';', header: true, quote: '"', null: String::new() };
    let csv = Stdin { format, schema, max_rows_per_epoch: Some(1), ..Stdin::default() };
    let rows = epochs(&mut opened(&csv, &["\u{feff}i;\"a\"\n1;\"x", "\ny\"\n2;z\n"])).expect("good records");
    assert_eq!(rows, [["x\ny | 1"], ["z | 2"]]);
}

#[test]
fn a_bad_record_is_named_by_its_line() {
    let schema = Some(Ddl("i INT".to_owned()));
    let spec = Stdin { format: StdinFormat::Json, schema, max_rows_per_epoch: Some(2), ..Stdin::default() };
    let texts = ["{\"i\":1}\n{\"i\":2}\n{\"i\":3}\n", "{\"i\":\"x\"}\n"];
    let error = epochs(&mut opened(&spec, &texts)).expect_err("a bad record").to_string();
    assert!(error.contains("standard input, line 4: column `i` is INT"), "{error}");

    let kept = Stdin { on_bad_record: OnBadRecord::Keep("text".to_owned()), ..spec };
    let rows = epochs(&mut opened(&kept, &texts)).expect("bad records are kept");
    assert_eq!(rows, [["1 | ∅", "2 | ∅"], ["3 | ∅", "∅ | {\"i\":\"x\"}"]]);
}

#[test]
fn records_are_held_until_they_are_released() {
    let spec = Stdin { max_rows_per_epoch: Some(2), ..Stdin::default() };
    let mut source = opened(&spec, &["a\nb\nc\n"]);
    source.freeze().expect("a pipe");
    let Available::Range(first) = awaited(&mut source, &Offset::default(), Limit::Epoch).expect("text") else {
        panic!("no rows")
    };
    for _ in 0..2 {
        assert_eq!(Collected::of(source.splits(&first).expect("held")).expect("rows").lines(), ["a", "b"]);
    }
    source.release(&first.end).expect("a count");
    assert!(source.splits(&first).is_err());
}

#[test]
fn every_fault_is_found() {
    let format = StdinFormat::Csv { delimiter: 'é', header: true, quote: '\n', null: String::new() };
    let spec = Stdin { format, max_rows_per_epoch: Some(0), ..Stdin::default() };
    assert_eq!(spec.schema().expect_err("four faults").len(), 4);
    let spec = Stdin { schema: Some(Ddl("a STRING".to_owned())), ..Stdin::default() };
    assert!(spec.schema().is_err());
}
