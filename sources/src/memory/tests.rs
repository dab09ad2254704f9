//! Pushed rows, over one run and over several.

use arrow::array::{ArrayRef, Int64Array, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use proptest::prelude::*;
use watershed_core::node::Handles;
use watershed_core::time::SystemClock;

use super::*;
use crate::records::testing::Collected;

fn spec(max_rows_per_epoch: Option<u64>, capacity: Option<u64>) -> Memory {
    Memory { schema: Ddl("v BIGINT NOT NULL".to_owned()), max_rows_per_epoch, capacity }
}

fn context(resumes: bool, batch_rows: usize, handles: Handles) -> OpenContext {
    OpenContext { resumes, node: "rows".into(), batch_rows, clock: Arc::new(SystemClock), handles }
}

fn opened(spec: &Memory, batch_rows: usize) -> (Box<dyn Source>, Arc<MemoryFeed>) {
    let cx = context(false, batch_rows, Handles::default());
    let source = spec.open(spec.infer_schema().expect("a schema"), &cx).expect("nothing to open");
    (source, cx.handles.get("rows").expect("an open source leaves its feed"))
}

fn numbers(values: Range<i64>) -> RecordBatch {
    let column: ArrayRef = Arc::new(Int64Array::from_iter_values(values));
    RecordBatch::try_from_iter_with_nullable([("v", column, true)]).expect("a batch")
}

fn epochs(source: &mut dyn Source) -> Vec<Vec<String>> {
    let mut after = Offset::default();
    let mut epochs = Vec::new();
    while let Available::Range(range) = source.available(&after, Limit::Epoch).expect("an answer") {
        epochs.push(Collected::of(source.splits(&range).expect("splits")).expect("rows").lines());
        after = range.end;
    }
    epochs
}

#[test]
fn pushed_rows_come_out_in_order_until_the_feed_is_closed() {
    let (mut source, feed) = opened(&spec(Some(3), None), 2);
    assert_eq!(source.available(&Offset::default(), Limit::Epoch).expect("an answer"), Available::Nothing);
    feed.push(&numbers(0..2)).expect("room");
    feed.push(&numbers(2..7)).expect("room");
    assert_eq!(source.remaining(&Offset::default()), Some(7));
    let expected = [vec!["0", "1", "2"], vec!["3", "4", "5"], vec!["6"]];
    assert_eq!(epochs(source.as_mut()), expected);
    assert_eq!(epochs(source.as_mut()), expected, "kept until they are released");
    feed.close();
    assert!(matches!(feed.push(&numbers(0..1)), Err(PushError::Closed)));
    assert_eq!(source.available(&Offset(7.into()), Limit::Epoch).expect("an answer"), Available::Finished);
}

#[test]
fn released_rows_are_gone() {
    let (mut source, feed) = opened(&spec(None, None), 2);
    feed.push(&numbers(0..4)).expect("room");
    let Available::Range(all) = source.available(&Offset::default(), Limit::Epoch).expect("an answer") else {
        panic!("no rows")
    };
    source.release(&Offset(3.into())).expect("a count");
    assert_eq!(feed.held_rows(), 1);
    assert!(source.splits(&all).is_err());
    source.release(&all.end).expect("a count");
    assert_eq!(feed.held_rows(), 0);
}

#[test]
fn a_full_source_refuses_rows() {
    let (mut source, feed) = opened(&spec(None, Some(5)), 2);
    feed.push(&numbers(0..9)).expect("a batch is always taken when there is none before it");
    assert!(matches!(feed.try_push(&numbers(0..1)), Err(PushError::Full { rows: 1, held: 9, capacity: 5 })));
    source.release(&Offset(6.into())).expect("a count");
    feed.push(&numbers(0..2)).expect("room again");
}

#[test]
fn rows_with_other_columns_are_refused() {
    let (_source, feed) = opened(&spec(None, None), 2);
    let strings: ArrayRef = Arc::new(StringArray::from(vec!["a"]));
    let nulls: ArrayRef = Arc::new(Int64Array::from(vec![None]));
    for (name, column, words) in [
        ("w", Arc::clone(&strings), "the columns are `w STRING`, and should be `v BIGINT NOT NULL`"),
        ("v", strings, "expected Int64 but found Utf8"),
        ("v", nulls, "non-nullable"),
    ] {
        let schema = Arc::new(Schema::new(vec![Field::new(name, column.data_type().clone(), true)]));
        let error =
            feed.push(&RecordBatch::try_new(schema, vec![column]).expect("a batch")).expect_err("refused").to_string();
        assert!(error.contains(words), "{error}");
    }
    assert_eq!(feed.schema().field(0).data_type(), &DataType::Int64);
}

#[test]
fn a_feed_may_be_filled_before_the_start() {
    let spec = spec(None, None);
    let schema = spec.infer_schema().expect("a schema");
    let feed = Arc::new(MemoryFeed::new(SchemaRef::clone(&schema)));
    feed.push(&numbers(0..2)).expect("room");
    let handles = Handles::default();
    handles.publish("rows", Arc::clone(&feed));
    let mut source = spec.open(schema, &context(false, 10, handles)).expect("the feed fits");
    source.freeze().expect("a count");
    feed.push(&numbers(2..3)).expect("room");
    assert_eq!(epochs(source.as_mut()), [["0", "1"]]);
    assert_eq!(source.available(&Offset(2.into()), Limit::Epoch).expect("an answer"), Available::Finished);
}

/// A source of another process that goes on at row `committed`, and its feed: `left`, or its own.
fn resumed(committed: u64, left: Option<MemoryFeed>) -> (Result<Box<dyn Source>>, Arc<MemoryFeed>) {
    let (spec, handles) = (spec(Some(3), None), Handles::default());
    if let Some(feed) = left {
        handles.publish("rows", Arc::new(feed));
    }
    let cx = context(true, 2, handles);
    let mut source = spec.open(spec.infer_schema().expect("a schema"), &cx).expect("nothing to open");
    let answer = source.resume(&Offset(committed.into()), &mut StateStore::default());
    (answer.map(|()| source), cx.handles.get("rows").expect("an open source leaves its feed"))
}

fn left(first_row: u64, values: Range<i64>) -> MemoryFeed {
    let schema = spec(None, None).infer_schema().expect("a schema");
    let feed = if first_row == 0 { MemoryFeed::new(schema) } else { MemoryFeed::from_row(schema, first_row) };
    for value in values {
        feed.push(&numbers(value..value + 1)).expect("room");
    }
    feed
}

fn rest(source: &mut dyn Source, mut after: Offset) -> Vec<String> {
    let mut rows = Vec::new();
    while let Available::Range(range) = source.available(&after, Limit::Epoch).expect("an answer") {
        rows.extend(Collected::of(source.splits(&range).expect("splits")).expect("rows").lines());
        after = range.end;
    }
    rows
}

#[test]
fn a_resumed_feed_begins_with_the_first_row_that_is_not_committed() {
    let (source, feed) = resumed(5, None);
    let mut source = source.expect("nothing is missing");
    assert_eq!((feed.next_row(), feed.held_rows()), (5, 0));
    assert_eq!(source.available(&Offset(5.into()), Limit::Epoch).expect("an answer"), Available::Nothing);
    feed.push(&numbers(5..9)).expect("room");
    assert_eq!((feed.next_row(), feed.held_rows()), (9, 4));
    assert_eq!(rest(source.as_mut(), Offset(5.into())), ["5", "6", "7", "8"]);
}

#[test]
fn a_feed_left_before_the_start_says_where_it_begins() {
    for (first_row, values, expected) in
        [(0, 0..9, vec!["5", "6", "7", "8"]), (3, 3..7, vec!["5", "6"]), (5, 5..6, vec!["5"]), (0, 0..2, vec![])]
    {
        let (source, feed) = resumed(5, Some(left(first_row, values.clone())));
        let mut source = source.expect("nothing is missing");
        assert_eq!(rest(source.as_mut(), Offset(5.into())), expected, "row {first_row} on: {values:?}");
        assert_eq!(feed.held_rows(), expected.len() as u64);
        // What is still missing may be pushed later, the committed rows among it.
        feed.push(&numbers(values.end..9)).expect("room");
        assert_eq!(rest(source.as_mut(), Offset(5.into())), ["5", "6", "7", "8"]);
    }
    let (refused, _) = resumed(5, Some(left(7, 7..9)));
    let error = refused.err().expect("two rows are missing").to_string();
    let expected = "go on with row 5: the feed that was left begins with row 7, without rows 5 to 6";
    assert_eq!(error, expected);
}

#[test]
fn an_epoch_is_run_again_when_its_rows_were_pushed_again() {
    let (mut first_run, feed) = opened(&spec(Some(3), None), 2);
    feed.push(&numbers(0..7)).expect("room");
    let intended = first_run.available(&Offset(3.into()), Limit::Epoch).expect("an answer");
    let Available::Range(intended) = intended else { panic!("no rows") };
    let read = Collected::of(first_run.splits(&intended).expect("splits")).expect("rows").lines();

    let (source, feed) = resumed(3, None);
    let mut source = source.expect("nothing is missing");
    feed.push(&numbers(3..5)).expect("room");
    let error = source.splits(&intended).err().expect("a row is missing").to_string();
    assert_eq!(error, "read rows 3 to 5 again: push row 5 into the feed before the run, as the first time");
    feed.push(&numbers(5..9)).expect("room");
    assert_eq!(Collected::of(source.splits(&intended).expect("splits")).expect("rows").lines(), read);
    assert_eq!(rest(source.as_mut(), intended.end), ["6", "7", "8"]);
}

#[test]
fn every_fault_is_found() {
    let spec = Memory { schema: Ddl("v BIGIN".to_owned()), max_rows_per_epoch: Some(0), capacity: Some(0) };
    assert_eq!(spec.schema().expect_err("three faults").len(), 3);
}

proptest! {
    #[test]
    fn rows_and_their_order_do_not_depend_on_batches(
        pushes in proptest::collection::vec(0_i64..9, 0..9),
        batch_rows in 1_usize..9,
        most in 1_u64..9,
    ) {
        let (mut source, feed) = opened(&spec(Some(most), None), batch_rows);
        let mut next = 0;
        for rows in pushes {
            feed.push(&numbers(next..next + rows)).expect("room");
            next += rows;
        }
        let rows = epochs(source.as_mut());
        prop_assert!(rows.iter().rev().skip(1).all(|epoch| epoch.len() as u64 == most));
        prop_assert_eq!(rows.concat(), (0..next).map(|value| value.to_string()).collect::<Vec<_>>());
    }
}
