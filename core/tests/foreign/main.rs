//! Files of state say the same to a reader that shares nothing with the code that writes them.

mod reader;

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Float64Array, Int32Array, Int64Array, ListArray, StringArray,
    TimestampMicrosecondArray, UInt64Array,
};
use arrow::datatypes::{DataType, Field, Int64Type, TimeUnit};
use serde_json::{Value, json};
use watershed_core::checkpoint::{StateContent, StateFile, TableContent, encode_state};
use watershed_core::epoch::Epoch;
use watershed_core::state::{PlacedBy, Slot, StateStore, TableSchema};
use watershed_core::time::{Timestamp, Watermark};

use self::reader::Foreign;

/// A table with a column of each type that state is kept in.
fn table() -> TableSchema {
    let list = DataType::new_list(DataType::Int64, true);
    let instant = DataType::Timestamp(TimeUnit::Microsecond, None);
    TableSchema {
        name: "groups",
        keys: vec![Field::new("user", DataType::Utf8, true), Field::new("day", DataType::Int32, false)].into(),
        values: vec![
            Field::new("n", DataType::Int64, false),
            Field::new("rows", DataType::UInt64, false),
            Field::new("mean", DataType::Float64, true),
            Field::new("sure", DataType::Boolean, true),
            Field::new("newest", instant, true),
            Field::new("sketch", DataType::Binary, true),
            Field::new("ids", list, true),
        ]
        .into(),
        placed_by: PlacedBy::Keys,
        slots: String::new(),
    }
}

/// Keeps rows of these users and numbers; other columns follow from the number.
fn keep(store: &mut StateStore, slot: Slot, rows: &[(Option<&str>, i64)]) {
    let groups = group(store, slot, rows);
    let each = || rows.iter().map(|(_, n)| *n);
    let odd = |n: i64| (n % 2 == 1).then_some(n);
    let values: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from_iter_values(each())),
        Arc::new(UInt64Array::from_iter_values(each().map(|n| n as u64 + (1 << 60)))),
        Arc::new(each().map(|n| odd(n).map(|n| n as f64 / 4.0)).collect::<Float64Array>()),
        Arc::new(each().map(|n| odd(n).map(|n| n > 4)).collect::<BooleanArray>()),
        Arc::new(each().map(|n| odd(n).map(|n| -n)).collect::<TimestampMicrosecondArray>()),
        Arc::new(each().map(|n| odd(n).map(|n| vec![n as u8, 255])).collect::<BinaryArray>()),
        Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>(
            each().map(|n| odd(n).map(|n| (0..n % 4).map(odd))),
        )),
    ];
    store.table(0).upsert(&groups, values).expect("rows of the table's columns");
}

fn group(store: &mut StateStore, slot: Slot, rows: &[(Option<&str>, i64)]) -> watershed_core::state::Groups {
    let users: ArrayRef = Arc::new(rows.iter().map(|(user, _)| *user).collect::<StringArray>());
    let days: ArrayRef = Arc::new(Int32Array::from_iter_values(rows.iter().map(|_| -7)));
    store.table(0).group(slot, &[users, days], rows.len()).expect("keys of the table's columns")
}

/// The row that [`keep`] makes of a number, as JSON.
fn row(user: Option<&str>, n: i64) -> Value {
    let rows = n as u64 + (1 << 60);
    if n % 2 == 0 {
        return json!([user, -7, n, rows, null, null, null, null, null]);
    }
    let ids: Vec<Option<i64>> = (0..n % 4).map(|at| (at % 2 == 1).then_some(at)).collect();
    json!([user, -7, n, rows, n as f64 / 4.0, n > 4, -n, [n as u8, 255], ids])
}

fn foreign(content: StateContent, epoch: u64, rows: &TableContent, compressed: bool) -> Foreign {
    let (node, table_name) = ("per user".to_owned(), "groups".to_owned());
    let name = StateFile { node, partition: 1, table: table_name, epoch: Epoch(epoch), content };
    let file = encode_state(&name, 3, &table(), rows, compressed).expect("state can be written");
    reader::read(&file.content.concat())
}

fn header(content: &str, epoch: u64, entries: &Value) -> Value {
    json!({
        "format": 1, "node": "per user", "table": "groups", "partition": 1, "partitions": 3, "epoch": epoch,
        "content": content, "key_columns": 2, "entries": entries,
    })
}

const MINUTE: i64 = 60_000_000;

/// A store with a slot that ends at a minute, one at two, and one that never ends; and the version after it as changes.
fn versions() -> (StateStore, TableContent, TableContent) {
    let [first, second] = [MINUTE, 2 * MINUTE].map(|micros| Slot::at(Timestamp::from_micros(micros)));
    let mut store = StateStore::new(vec![table()]);
    keep(&mut store, second, &[(Some("b"), 1), (None, 2)]);
    keep(&mut store, first, &[(Some("a"), 3)]);
    keep(&mut store, Slot::NEVER, &[(Some("é"), 7), (Some(""), 4)]);
    store.commit().expect("a version");
    let all = TableContent::Rows(store.tables()[0].freeze());
    store.table(0).drop_slots(Watermark(Some(Timestamp::from_micros(MINUTE))));
    keep(&mut store, second, &[(Some("b"), 11)]);
    let groups = group(&mut store, Slot::NEVER, &[(Some("é"), 0)]);
    store.table(0).remove(&groups, &[true]).expect("a key of the table");
    let mut changes = store.commit().expect("a version");
    (store, all, TableContent::Changes(changes.remove(0)))
}

#[test]
fn a_stranger_reads_all_rows_of_a_snapshot_compressed_or_not() {
    let (_, all, _) = versions();
    for compressed in [false, true] {
        let foreign = foreign(StateContent::Snapshot, 4, &all, compressed);
        let entries = json!([["upsert", MINUTE, 1], ["upsert", 2 * MINUTE, 2], ["upsert", null, 2]]);
        assert_eq!(foreign.header, header("snapshot", 4, &entries));
        let rows = [row(Some("a"), 3), row(Some("b"), 1), row(None, 2), row(Some("é"), 7), row(Some(""), 4)];
        assert_eq!(foreign.batches.concat(), rows);
        assert_eq!(foreign.compressed, compressed);
        let columns: Vec<(&str, bool, &str)> =
            foreign.columns.iter().map(|(name, nullable, kind)| (name.as_str(), *nullable, kind.as_str())).collect();
        let expected = [
            ("user", true, "Utf8"),
            ("day", false, "Int 32 signed"),
            ("n", true, "Int 64 signed"),
            ("rows", true, "Int 64 unsigned"),
            ("mean", true, "FloatingPoint"),
            ("sure", true, "Bool"),
            ("newest", true, "Timestamp Microsecond None"),
            ("sketch", true, "Binary"),
            ("ids", true, "List of Int 64 signed"),
        ];
        assert_eq!(columns, expected);
    }
}

#[test]
fn a_stranger_reads_what_an_epoch_changed() {
    let (_, _, changes) = versions();
    let foreign = foreign(StateContent::Delta, 5, &changes, false);
    let gone = json!(["é", -7, null, null, null, null, null, null, null]);
    let entries = json!([["drop", MINUTE, 0], ["upsert", 2 * MINUTE, 1], ["remove", null, 1]]);
    assert_eq!(foreign.header, header("delta", 5, &entries));
    assert_eq!(foreign.batches.concat(), [row(Some("b"), 11), gone]);
    assert!(!foreign.compressed);
}

#[test]
fn a_stranger_reads_many_rows_and_none() {
    let mut store = StateStore::new(vec![table()]);
    let names: Vec<String> = (0..70_000).map(|user| format!("user {user}")).collect();
    let rows: Vec<(Option<&str>, i64)> = names.iter().zip(0..).map(|(name, n)| (Some(name.as_str()), n)).collect();
    keep(&mut store, Slot::NEVER, &rows);
    store.commit().expect("a version");
    for compressed in [false, true] {
        let all = TableContent::Rows(store.tables()[0].freeze());
        let foreign = foreign(StateContent::Snapshot, 0, &all, compressed);
        assert!(foreign.batches.len() > 1, "one batch of all would have to be held at once");
        let same = foreign.batches.concat().iter().zip(&rows).all(|(read, (user, n))| *read == row(*user, *n));
        assert!(same && foreign.batches.concat().len() == rows.len());
    }
    let empty = StateStore::new(vec![table()]);
    let foreign = foreign(StateContent::Snapshot, 0, &TableContent::Rows(empty.tables()[0].freeze()), true);
    assert_eq!(foreign.header, header("snapshot", 0, &json!([])));
    assert_eq!(foreign.batches.concat(), Vec::<Value>::new());
}
