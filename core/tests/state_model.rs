//! The state store against a plain model: random writes, removals, evictions, commits; and what is made again from the files
//! of a checkpoint against the store itself, rows in the same order.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, StringArray};
use arrow::datatypes::{DataType, Field, Int64Type};
use proptest::prelude::*;
use watershed_core::checkpoint::{StateContent, StateFile, TableContent, decode_state, encode_state};
use watershed_core::epoch::Epoch;
use watershed_core::state::{PlacedBy, Slot, StateStore, TableSchema};
use watershed_core::time::{Timestamp, Watermark};

#[derive(Clone, Debug)]
enum Action {
    Add(u8, Vec<(Option<u8>, i64)>),
    Remove(u8, Vec<Option<u8>>),
    Drop(u8),
    Commit,
    Restore,
    Snapshot,
}

type Model = BTreeMap<u8, BTreeMap<Option<String>, i64>>;

fn actions() -> impl Strategy<Value = Vec<Action>> {
    let key = || proptest::option::weighted(0.9, 0..30_u8);
    let action = prop_oneof![
        6 => (0..4_u8, proptest::collection::vec((key(), -5..5_i64), 0..40)).prop_map(|(slot, rows)| Action::Add(slot, rows)),
        2 => (0..4_u8, proptest::collection::vec(key(), 0..20)).prop_map(|(slot, keys)| Action::Remove(slot, keys)),
        1 => (0..4_u8).prop_map(Action::Drop),
        3 => Just(Action::Commit),
        1 => Just(Action::Restore),
        1 => Just(Action::Snapshot),
    ];
    proptest::collection::vec(action, 1..60)
}

fn slot(number: u8) -> Slot {
    if number == 3 { Slot::NEVER } else { Slot::at(Timestamp::from_micros(i64::from(number))) }
}

fn name(key: Option<u8>) -> Option<String> {
    key.map(|key| "k".repeat(usize::from(key)))
}

fn keys(keys: impl Iterator<Item = Option<u8>>, two_columns: bool) -> Vec<ArrayRef> {
    let names: StringArray = keys.map(name).collect();
    let lengths: Int64Array = names.iter().map(|name| name.map(|name| name.len() as i64)).collect();
    let names: ArrayRef = Arc::new(names);
    if two_columns { vec![names, Arc::new(lengths)] } else { vec![names] }
}

fn contents(store: &mut StateStore) -> Model {
    let table = store.table(0);
    let mut model = Model::new();
    for number in 0..4_u8 {
        let rows = table.scan(slot(number)).expect("a scan");
        let values = rows.column(rows.num_columns() - 1).as_primitive::<Int64Type>();
        let entries = rows.column(0).as_string::<i32>().iter().zip(values.values());
        let entries: BTreeMap<_, _> = entries.map(|(key, value)| (key.map(str::to_owned), *value)).collect();
        assert_eq!(entries.len(), rows.num_rows(), "a key stands once");
        if !entries.is_empty() {
            model.insert(number, entries);
        }
    }
    let rows: usize = model.values().map(BTreeMap::len).sum();
    assert_eq!(store.rows(), rows);
    model
}

/// All rows in the order in which scans give them.
fn scans(store: &mut StateStore) -> Vec<String> {
    (0..4_u8).map(|number| format!("{:?}", store.table(0).scan(slot(number)).expect("a scan"))).collect()
}

/// Writes `content` to a file and reads it again into `store`.
fn through_a_file(content: &TableContent, declared: &TableSchema, store: &mut StateStore, compressed: bool) {
    let content_is = match content {
        TableContent::Changes(_) => StateContent::Delta,
        TableContent::Rows(_) => StateContent::Snapshot,
    };
    let (node, table) = ("n".to_owned(), "t".to_owned());
    let name = StateFile { node, partition: 0, table, epoch: Epoch(7), content: content_is };
    let file = encode_state(&name, 1, declared, content, compressed).expect("a file");
    let rows = decode_state(&name, file.content.concat()).expect("a whole file");
    for change in rows.changes(declared).expect("the declared columns") {
        store.table(0).apply(&change).expect("a change");
    }
    store.commit().expect("commit");
}

/// Adds each row's value to what its key holds: gathers, sums, upserts, as an aggregate does.
fn add(store: &mut StateStore, number: u8, rows: &[(Option<u8>, i64)], two_columns: bool) {
    let table = store.table(0);
    let columns = keys(rows.iter().map(|row| row.0), two_columns);
    let groups = table.group(slot(number), &columns, rows.len()).expect("keys of the declared types");
    let mut sums = vec![0; groups.len()];
    let old = table.gather(&groups).expect("gather");
    for (&group, value) in old.groups.iter().zip(old.values[0].as_primitive::<Int64Type>().values()) {
        sums[group] += value;
    }
    for (&group, row) in groups.group_of_row.iter().zip(rows) {
        sums[group] += row.1;
    }
    table.upsert(&groups, vec![Arc::new(Int64Array::from(sums))]).expect("values of the declared types");
}

fn remove(store: &mut StateStore, number: u8, gone: &[Option<u8>], two_columns: bool) {
    let table = store.table(0);
    let groups = table.group(slot(number), &keys(gone.iter().copied(), two_columns), gone.len()).expect("keys");
    table.remove(&groups, &vec![true; groups.len()]).expect("a removal");
}

proptest! {
    #[test]
    fn the_store_does_what_a_map_does(actions in actions(), two_columns: bool) {
        let mut key_fields = vec![Field::new("k", DataType::Utf8, true)];
        if two_columns {
            key_fields.push(Field::new("l", DataType::Int64, true));
        }
        let schema = TableSchema { name: "t", keys: key_fields.into(), values: vec![Field::new("v", DataType::Int64, true)].into(), placed_by: PlacedBy::Keys, slots: String::new() };
        let new_store = || StateStore::new(vec![schema.clone()]);
        let (mut store, mut restored) = (new_store(), new_store());
        let (mut committed, mut model) = (Model::new(), Model::new());
        for action in actions {
            match action {
                Action::Add(number, rows) => {
                    add(&mut store, number, &rows, two_columns);
                    for (key, value) in rows {
                        *model.entry(number).or_default().entry(name(key)).or_default() += value;
                    }
                }
                Action::Remove(number, gone) => {
                    remove(&mut store, number, &gone, two_columns);
                    if let Some(entries) = model.get_mut(&number) {
                        entries.retain(|key, _| !gone.iter().any(|gone| name(*gone) == *key));
                    }
                }
                Action::Drop(up_to) => {
                    store.table(0).drop_slots(Watermark(Some(Timestamp::from_micros(i64::from(up_to)))));
                    model.retain(|number, _| *number > up_to || *number == 3);
                }
                Action::Commit => {
                    let changes = store.commit().expect("commit").remove(0);
                    committed = model.clone();
                    through_a_file(&TableContent::Changes(changes), &schema, &mut restored, false);
                    prop_assert_eq!(scans(&mut store), scans(&mut restored));
                }
                // A crash: what was not committed is gone.
                Action::Restore => {
                    store = std::mem::replace(&mut restored, new_store());
                    through_a_file(&TableContent::Rows(store.tables()[0].freeze()), &schema, &mut restored, false);
                    model = committed.clone();
                }
                Action::Snapshot => {
                    let before = scans(&mut restored);
                    let snapshot = TableContent::Rows(restored.tables()[0].freeze());
                    restored = new_store();
                    through_a_file(&snapshot, &schema, &mut restored, true);
                    prop_assert_eq!(scans(&mut restored), before);
                    let shared_out = StateStore::share_out(&[restored], 3).expect("shares");
                    restored = StateStore::share_out(&shared_out, 1).expect("shares").remove(0);
                    prop_assert_eq!(contents(&mut restored), committed.clone());
                    restored = new_store();
                    through_a_file(&snapshot, &schema, &mut restored, true);
                }
            }
            model.retain(|_, entries| !entries.is_empty());
            prop_assert_eq!(&contents(&mut store), &model);
        }
    }
}

/// Enough keys and epochs that segments are joined and forgotten keys are given back.
#[test]
fn compaction_changes_nothing() {
    let schema = TableSchema {
        name: "t",
        keys: vec![Field::new("k", DataType::Int64, true)].into(),
        values: vec![Field::new("v", DataType::Int64, true)].into(),
        placed_by: PlacedBy::Keys,
        slots: String::new(),
    };
    let mut store = StateStore::new(vec![schema]);
    let mut model: BTreeMap<i64, i64> = BTreeMap::new();
    let mut most_memory = 0;
    for epoch in 0..200_i64 {
        let table = store.table(0);
        let keys: Vec<i64> = (0..500).map(|key| (key * 7 + epoch * 40) % 6_000).collect();
        let columns: Vec<ArrayRef> = vec![Arc::new(Int64Array::from(keys.clone()))];
        let groups = table.group(Slot::NEVER, &columns, keys.len()).expect("keys");
        let values: Vec<i64> = keys.iter().map(|key| key * 1_000 + epoch).collect();
        table.upsert(&groups, vec![Arc::new(Int64Array::from(values.clone()))]).expect("values");
        let old: Vec<i64> = model.keys().copied().filter(|key| key % 11 == epoch % 11).collect();
        let columns: Vec<ArrayRef> = vec![Arc::new(Int64Array::from(old.clone()))];
        let gone = table.group(Slot::NEVER, &columns, old.len()).expect("keys");
        let in_both = |key: &i64| keys.contains(key);
        let removed: Vec<bool> = old.iter().map(|key| !in_both(key)).collect();
        table.remove(&gone, &removed).expect("a removal");
        model.retain(|key, _| key % 11 != epoch % 11 || in_both(key));
        model.extend(keys.into_iter().zip(values));
        store.commit().expect("commit");
        assert_eq!(contents_of(&mut store), model, "epoch {epoch}");
        most_memory = most_memory.max(store.memory());
    }
    assert!(most_memory < 3_000_000, "{most_memory} bytes for {} rows", model.len());
}

fn contents_of(store: &mut StateStore) -> BTreeMap<i64, i64> {
    let rows = store.table(0).scan(Slot::NEVER).expect("a scan");
    let column = |index: usize| rows.column(index).as_primitive::<Int64Type>().values().to_vec();
    column(0).into_iter().zip(column(1)).collect()
}
