//! The state store against a plain model: random writes, removals, evictions, commits and roll-backs.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, StringArray};
use arrow::datatypes::{DataType, Field, Int64Type};
use proptest::prelude::*;
use watershed_core::state::{Slot, StateStore, TableSchema};
use watershed_core::time::{Timestamp, Watermark};

#[derive(Clone, Debug)]
enum Action {
    Add(u8, Vec<(Option<u8>, i64)>),
    Remove(u8, Vec<Option<u8>>),
    Drop(u8),
    Commit,
    RollBack,
}

type Model = BTreeMap<u8, BTreeMap<Option<String>, i64>>;

fn actions() -> impl Strategy<Value = Vec<Action>> {
    let key = || proptest::option::weighted(0.9, 0..30_u8);
    let action = prop_oneof![
        6 => (0..4_u8, proptest::collection::vec((key(), -5..5_i64), 0..40)).prop_map(|(slot, rows)| Action::Add(slot, rows)),
        2 => (0..4_u8, proptest::collection::vec(key(), 0..20)).prop_map(|(slot, keys)| Action::Remove(slot, keys)),
        1 => (0..4_u8).prop_map(Action::Drop),
        3 => Just(Action::Commit),
        2 => Just(Action::RollBack),
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
    table.remove(&groups, &vec![true; groups.len()]);
}

proptest! {
    #[test]
    fn the_store_does_what_a_map_does(actions in actions(), two_columns: bool) {
        let mut key_fields = vec![Field::new("k", DataType::Utf8, true)];
        if two_columns {
            key_fields.push(Field::new("l", DataType::Int64, true));
        }
        let schema = TableSchema { name: "t", keys: key_fields.into(), values: vec![Field::new("v", DataType::Int64, true)].into() };
        let mut store = StateStore::new(vec![schema]);
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
                    store.commit().expect("commit");
                    committed = model.clone();
                }
                Action::RollBack => {
                    store.roll_back();
                    model = committed.clone();
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
        table.remove(&gone, &removed);
        model.retain(|key, _| key % 11 != epoch % 11 || in_both(key));
        model.extend(keys.into_iter().zip(values));
        if epoch % 5 == 4 {
            let before = contents_of(&mut store);
            store.table(0).drop_slots(Watermark(Some(Timestamp::END)));
            store.roll_back();
            assert_ne!(contents_of(&mut store), before, "the epochs since the last commit are undone");
            return_to(&mut store, &before);
        }
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

/// Brings the store to `wanted` again, as a replay would.
fn return_to(store: &mut StateStore, wanted: &BTreeMap<i64, i64>) {
    let table = store.table(0);
    let have = table.scan(Slot::NEVER).expect("a scan");
    let groups = table.group(Slot::NEVER, &have.columns()[..1], have.num_rows()).expect("keys");
    table.remove(&groups, &vec![true; groups.len()]);
    let keys: ArrayRef = Arc::new(Int64Array::from_iter_values(wanted.keys().copied()));
    let groups = table.group(Slot::NEVER, &[keys], wanted.len()).expect("keys");
    table.upsert(&groups, vec![Arc::new(Int64Array::from_iter_values(wanted.values().copied()))]).expect("values");
}
