//! The state store against a plain model: random writes, removals, evictions, commits; and what is made again from the files
//! of a checkpoint against the store itself, rows in the same order.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch, StringArray};
use arrow::compute::concat;
use arrow::datatypes::{DataType, Field, Int64Type};
use proptest::prelude::*;
use watershed_core::checkpoint::{StateContent, StateFile, TableContent, decode_state, encode_state};
use watershed_core::epoch::Epoch;
use watershed_core::state::{Found, PlacedBy, Slot, StateStore, StateTable, TableSchema};
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

#[derive(Clone, Debug)]
enum Search {
    Insert(Vec<(u8, Option<u8>, i64)>),
    Remove(Vec<Option<u8>>, u8),
    TakeDue(u8, u8),
    DropDue(u8, u8),
    Commit,
    Restore,
}

fn searches() -> impl Strategy<Value = Vec<Search>> {
    let key = || proptest::option::weighted(0.9, 0..6_u8);
    let search = prop_oneof![
        6 => proptest::collection::vec((0..4_u8, key(), 0..12_i64), 0..30).prop_map(Search::Insert),
        2 => (proptest::collection::vec(key(), 0..4), 1..4_u8).prop_map(|(keys, every)| Search::Remove(keys, every)),
        1 => (0..3_u8, 0..4_u8).prop_map(|(passed, border)| Search::TakeDue(passed, border)),
        1 => (0..3_u8, 0..4_u8).prop_map(|(passed, border)| Search::DropDue(passed, border)),
        3 => Just(Search::Commit),
        2 => Just(Search::Restore),
    ];
    proptest::collection::vec(search, 1..60)
}

/// By slot its rows, in the order in which their keys came to have one: the key's two columns, and the value.
type Rows = BTreeMap<u8, Vec<(Option<String>, i64, i64)>>;

/// What is found for every key there may be: whose match, and the row.
fn found(store: &StateStore) -> Vec<(u32, Option<String>, i64, i64)> {
    let looked_for = (0..7).map(Some).chain([None]);
    let columns = keys(looked_for, false);
    let table = &store.tables()[0];
    let found = table.find(&columns, 8).expect("a search");
    let rows = rows_of(table, &found);
    assert_eq!(found_in_portions(table, &columns), rows);
    // Looked for twice, a row is found first by the first of both.
    let twice = columns.iter().map(|column| concat(&[column, column]).expect("columns")).collect::<Vec<_>>();
    let twice = table.find(&twice, 16).expect("a search");
    assert_eq!(twice.len(), 2 * rows.len());
    assert_eq!(rows_of(table, &twice.only(&twice.firsts())), rows);
    rows
}

fn found_in_portions(table: &StateTable, columns: &[ArrayRef]) -> Vec<(u32, Option<String>, i64, i64)> {
    let mut sought = table.seek(columns, 8).expect("a search");
    let mut all = Vec::new();
    loop {
        let found = table.find_next(&mut sought, 2);
        let Some(last) = found.of_row.last() else { return all };
        let before = found.of_row.iter().filter(|row| *row < last).count();
        assert!(before < 2, "once a portion is full, only the row in hand is added");
        all.extend(rows_of(table, &found));
    }
}

fn rows_of(table: &StateTable, found: &Found) -> Vec<(u32, Option<String>, i64, i64)> {
    let rows = table.rows_of(found).expect("rows");
    let column = |index: usize| rows.column(index).as_primitive::<Int64Type>().values().to_vec();
    let names = rows.column(0).as_string::<i32>().iter().map(|name| name.map(str::to_owned));
    let rows = names.zip(column(1)).zip(column(2));
    found.of_row.iter().zip(rows).map(|(row, ((name, n), v))| (*row, name, n, v)).collect()
}

fn found_in(model: &Rows) -> Vec<(u32, Option<String>, i64, i64)> {
    let looked_for = (0..7).map(Some).chain([None]).map(name).enumerate();
    let of_key = |(row, name): (usize, Option<String>)| {
        let rows = model.values().flatten().filter(move |(key, ..)| *key == name);
        rows.map(move |(key, n, v)| (row as u32, key.clone(), *n, *v))
    };
    looked_for.flat_map(of_key).collect()
}

fn two_part_rows(schema: &TableSchema, rows: &[(u8, Option<u8>, i64)], value: i64) -> RecordBatch {
    let numbers: Int64Array = rows.iter().map(|row| row.2).collect();
    let values = Int64Array::from(vec![value; rows.len()]);
    let columns = [keys(rows.iter().map(|row| row.1), false), vec![Arc::new(numbers), Arc::new(values)]].concat();
    RecordBatch::try_new(schema.columns(), columns).expect("rows of the table")
}

proptest! {
    #[test]
    fn rows_are_found_by_part_of_their_key_as_a_scan_finds_them(searches in searches()) {
        let field = |name: &str, data_type| Field::new(name, data_type, true);
        let schema = TableSchema {
            name: "t",
            keys: vec![field("k", DataType::Utf8), field("n", DataType::Int64)].into(),
            values: vec![field("v", DataType::Int64)].into(),
            placed_by: PlacedBy::Leading(1),
            slots: String::new(),
        };
        let new_store = || StateStore::new(vec![schema.clone()]);
        let (mut store, mut restored) = (new_store(), new_store());
        let (mut committed, mut model) = (Rows::new(), Rows::new());
        for (step, search) in searches.into_iter().enumerate() {
            match search {
                Search::Insert(mut rows) => {
                    rows.sort();
                    rows.dedup();
                    let mut slots: BTreeMap<Slot, Vec<u32>> = BTreeMap::new();
                    for (index, (number, key, n)) in rows.iter().enumerate() {
                        slots.entry(slot(*number)).or_default().push(index as u32);
                        let (key, value) = (name(*key), step as i64);
                        let kept = model.entry(*number).or_default();
                        match kept.iter_mut().find(|row| row.0 == key && row.1 == *n) {
                            Some(row) => row.2 = value,
                            None => kept.push((key, *n, value)),
                        }
                    }
                    let rows = two_part_rows(&schema, &rows, step as i64);
                    store.table(0).insert(&slots, &rows).expect("an insertion");
                }
                Search::Remove(looked_for, every) => {
                    let table = store.table(0);
                    let columns = keys(looked_for.iter().copied(), false);
                    let found = table.find(&columns, looked_for.len()).expect("a search");
                    let numbers = table.columns_of(&found, &[1]).expect("a column");
                    let every = i64::from(every);
                    let numbers = numbers[0].as_primitive::<Int64Type>().values();
                    let gone: BooleanArray = numbers.iter().map(|n| Some(n % every == 0)).collect();
                    table.remove_found(&found, &gone).expect("a removal");
                    for rows in model.values_mut() {
                        rows.retain(|(key, n, _)| !looked_for.iter().any(|gone| name(*gone) == *key) || n % every != 0);
                    }
                }
                Search::TakeDue(passed, border) | Search::DropDue(passed, border) => {
                    let watermark = Watermark(Some(Timestamp::from_micros(i64::from(passed))));
                    let is_due = |rows: &RecordBatch| {
                        Ok(rows.column(1).as_primitive::<Int64Type>().iter().map(|n| n.map(|n| n < 6)).collect())
                    };
                    let taken = if let Search::TakeDue(..) = search {
                        let taken = store.table(0).take_due(watermark, slot(border), is_due).expect("due rows");
                        Some(taken.into_iter().map(|(slot, rows)| (slot, rows.num_rows())).collect::<Vec<_>>())
                    } else {
                        store.table(0).drop_due(watermark, slot(border), is_due).expect("due rows");
                        None
                    };
                    let mut expected = Vec::new();
                    for (number, rows) in &mut model {
                        let before = rows.len();
                        rows.retain(|(_, n, _)| *number > passed && (*number != border || *n >= 6));
                        if before > rows.len() {
                            expected.push((slot(*number), before - rows.len()));
                        }
                    }
                    prop_assert_eq!(taken.unwrap_or_else(|| expected.clone()), expected);
                }
                Search::Commit => {
                    let changes = store.commit().expect("commit").remove(0);
                    committed = model.clone();
                    through_a_file(&TableContent::Changes(changes), &schema, &mut restored, false);
                    prop_assert_eq!(found(&restored), found_in(&model));
                }
                Search::Restore => {
                    store = new_store();
                    through_a_file(&TableContent::Rows(restored.tables()[0].freeze()), &schema, &mut store, false);
                    model = committed.clone();
                    let shared_out = StateStore::share_out(&[store], 3).expect("shares");
                    let together: usize = shared_out.iter().map(|share| found(share).len()).sum();
                    prop_assert_eq!(together, found_in(&model).len());
                    store = StateStore::share_out(&shared_out, 1).expect("shares").remove(0);
                    restored = StateStore::share_out(&shared_out, 1).expect("shares").remove(0);
                    prop_assert_eq!(found(&store), found(&restored));
                    committed = Rows::new();
                    for number in 0..4_u8 {
                        let rows = store.table(0).scan(slot(number)).expect("a scan");
                        let column = |index: usize| rows.column(index).as_primitive::<Int64Type>().values().to_vec();
                        let names = rows.column(0).as_string::<i32>().iter().map(|name| name.map(str::to_owned));
                        let rows = names.zip(column(1)).zip(column(2)).map(|((name, n), v)| (name, n, v)).collect();
                        committed.insert(number, rows);
                    }
                    model = committed.clone();
                }
            }
            prop_assert_eq!(found(&store), found_in(&model));
        }
    }
}

/// Keys come and go, so that segments are joined, ids given anew, and forgotten keys given back.
#[test]
fn finding_survives_compaction() {
    let field = |name: &str| Field::new(name, DataType::Int64, true);
    let schema = TableSchema {
        name: "t",
        keys: vec![field("k"), field("n")].into(),
        values: vec![field("v")].into(),
        placed_by: PlacedBy::Leading(1),
        slots: String::new(),
    };
    let mut store = StateStore::new(vec![schema.clone()]);
    let mut most_memory = 0;
    for epoch in 0..200_i64 {
        let table = store.table(0);
        let of_epoch =
            |epoch: i64| -> ArrayRef { Arc::new(Int64Array::from_iter_values((0..300).map(|key| key + 10 * epoch))) };
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![epoch; 300]));
        let rows = RecordBatch::try_new(schema.columns(), vec![of_epoch(epoch), Arc::clone(&numbers), numbers]);
        let slots = BTreeMap::from([(Slot::NEVER, (0..300).collect())]);
        table.insert(&slots, &rows.expect("rows of the table")).expect("an insertion");
        if epoch >= 20 {
            let found = table.find(&[of_epoch(epoch - 20)], 300).expect("a search");
            let numbers = table.columns_of(&found, &[1]).expect("a column");
            let old = numbers[0].as_primitive::<Int64Type>().iter().map(|n| n.map(|n| n == epoch - 20));
            table.remove_found(&found, &old.collect()).expect("a removal");
        }
        store.commit().expect("commit");
        let table = &store.tables()[0];
        let found = table.find(&[of_epoch(epoch)], 300).expect("a search");
        let columns = table.columns_of(&found, &[0, 1]).expect("columns");
        let values = |index: usize| columns[index].as_primitive::<Int64Type>().values().to_vec();
        let expected: Vec<(i64, i64)> = (10 * epoch..10 * epoch + 300)
            .flat_map(|key| ((epoch - 19).max(0)..=epoch).map(move |n| (key, n)))
            .filter(|(key, n)| (10 * n..10 * n + 300).contains(key))
            .collect();
        assert_eq!(values(0).into_iter().zip(values(1)).collect::<Vec<_>>(), expected, "epoch {epoch}");
        most_memory = most_memory.max(store.memory());
    }
    assert!(most_memory < 3_000_000, "{most_memory} bytes");
}
