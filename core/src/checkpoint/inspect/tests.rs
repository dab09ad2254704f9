//! Checkpoints made by hand, looked into whole, damaged and pruned.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Int64Type};

use super::*;
use crate::checkpoint::{
    Action, Chain, Commit, FileName, GraphRecord, Intent, MemoryStorage, Metadata, NewFile, StateContent, StateFile,
    TableContent, encode_state, record_file,
};
use crate::epoch::Epoch;
use crate::state::{Change, PlacedBy, Slot, StateStore, TableSchema};
use crate::time::{Timestamp, Watermark};

/// The last epoch that is committed; one more is planned.
const NEWEST: u64 = 4;

fn declared() -> TableSchema {
    TableSchema {
        name: "groups",
        keys: vec![Field::new("user", DataType::Utf8, true)].into(),
        values: vec![Field::new("count", DataType::Int64, false)].into(),
        placed_by: PlacedBy::Keys,
        slots: String::new(),
    }
}

fn file(epoch: u64, content: StateContent) -> StateFile {
    let (node, table) = ("counts".to_owned(), "groups".to_owned());
    StateFile { node, partition: 0, table, epoch: Epoch(epoch), content }
}

fn name(epoch: u64, content: StateContent) -> String {
    FileName::State(file(epoch, content)).to_string()
}

fn rows(users: &[&str], count: i64) -> RecordBatch {
    let keys: ArrayRef = Arc::new(StringArray::from(users.to_vec()));
    let values: ArrayRef = Arc::new(Int64Array::from(vec![count; users.len()]));
    RecordBatch::try_new(declared().columns(), vec![keys, values]).expect("columns of the table")
}

fn slot(number: u64) -> Slot {
    Slot::at(Timestamp::from_micros(number as i64))
}

/// What an epoch does: it counts `a` and a user of its own in a slot of its own, and drops the slot before the last.
fn changes(epoch: u64) -> Vec<Change> {
    let own = format!("user {epoch}");
    let mut changes = vec![Change::Upsert(slot(100), rows(&["a"], epoch as i64))];
    changes.push(Change::Upsert(slot(epoch), rows(&[&own], 1)));
    if let Some(old) = epoch.checked_sub(2) {
        changes.push(Change::Drop(slot(old)));
    }
    changes
}

/// A delta per epoch, and after epoch 2 a snapshot, which the commits from 3 on are made of.
fn checkpoint() -> MemoryStorage {
    let storage = MemoryStorage::new();
    let write = |files: Vec<NewFile>| storage.write(&files).expect("memory");
    let graph = GraphRecord {
        name: "g".to_owned(),
        text: String::new(),
        partitions: 1,
        nodes: BTreeMap::new(),
        flow: Vec::new(),
    };
    let metadata = Metadata { graph: "g".to_owned(), created: Timestamp::from_micros(0) };
    write(vec![record_file(&FileName::Metadata, &metadata), record_file(&FileName::Graph(Epoch(0)), &graph)]);
    let encoded = |file: &StateFile, content| encode_state(file, 1, &declared(), &content, false).expect("columns");
    let mut store = StateStore::new(vec![declared()]);
    for epoch in 0..=NEWEST + 1 {
        let intent = Intent {
            graph: Epoch(0),
            epoch: Epoch(epoch),
            ranges: BTreeMap::new(),
            late: BTreeMap::new(),
            evict: BTreeMap::from([("marked".to_owned(), Watermark(Some(Timestamp::from_micros(epoch as i64))))]),
            idle: std::collections::BTreeSet::new(),
            processing_time: Timestamp::from_micros(epoch as i64 * 1_000_000),
        };
        write(vec![record_file(&FileName::Intent(Epoch(epoch)), &intent)]);
        if epoch > NEWEST {
            break;
        }
        let changes = changes(epoch);
        for change in &changes {
            store.table(0).apply(change).expect("columns of the table");
        }
        store.commit().expect("memory");
        write(vec![encoded(&file(epoch, StateContent::Delta), TableContent::Changes(changes))]);
        let chain = match epoch {
            0..=2 => Chain { snapshot: None, deltas: (0..=epoch).map(Epoch).collect() },
            _ => Chain { snapshot: Some(Epoch(2)), deltas: (3..=epoch).map(Epoch).collect() },
        };
        let state = BTreeMap::from([("counts".to_owned(), BTreeMap::from([("groups".to_owned(), vec![chain])]))]);
        let commit = Commit {
            reached: BTreeMap::new(),
            epoch: Epoch(epoch),
            graph: Epoch(0),
            offsets: BTreeMap::new(),
            watermarks: BTreeMap::new(),
            state,
        };
        write(vec![record_file(&FileName::Commit(Epoch(epoch)), &commit)]);
        if epoch == 2 {
            let rows = TableContent::Rows(store.tables()[0].freeze());
            write(vec![encoded(&file(2, StateContent::Snapshot), rows)]);
        }
    }
    storage
}

fn checked(storage: &MemoryStorage) -> Verification {
    verify(storage, &|done, total| assert!(done <= total)).expect("memory")
}

/// How a damaged checkpoint is told of: `file (epochs that need it)`, and from where a run goes on.
fn told(storage: &MemoryStorage) -> String {
    let verification = checked(storage);
    let finding = |finding: &Finding| {
        assert!(!finding.remedy.is_empty());
        let epochs: Vec<String> = finding.versions.iter().map(Epoch::to_string).collect();
        format!("{} ({})", finding.damage.file, epochs.join(" "))
    };
    let findings: Vec<String> = verification.findings.iter().map(finding).collect();
    let from = match verification.decision {
        Decision::GoOn { version: Some(version), .. } => format!("after {version}"),
        Decision::GoOn { version: None, .. } => "from the beginning".to_owned(),
        Decision::Damaged { .. } => "not at all".to_owned(),
        Decision::Fresh => "fresh".to_owned(),
    };
    format!("{}; {from}", findings.join(", "))
}

fn replace(storage: &MemoryStorage, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
    let mut content = storage.read(name).expect("memory").expect("the file is there");
    change(&mut content);
    storage.write(&[NewFile { name: name.to_owned(), content: vec![content] }]).expect("memory");
}

fn lose(storage: &MemoryStorage, name: &str) {
    storage.remove(&[name.to_owned()]).expect("memory");
}

fn version(storage: &MemoryStorage, epoch: u64) -> TableVersion {
    let holdings = Holdings::read_in_use(storage).expect("memory");
    let commit = holdings.commits[&Epoch(epoch)].as_ref().expect("it is whole");
    let version = TableVersion::load(storage, commit, "counts", "groups", None).expect("its files are whole");
    version.expect("there is such a table")
}

fn shown(rows: &RecordBatch) -> Vec<String> {
    let users = rows.column(0).as_string::<i32>();
    let counts = rows.column(1).as_primitive::<Int64Type>();
    (0..rows.num_rows()).map(|row| format!("{}={}", users.value(row), counts.value(row))).collect()
}

fn all_rows(version: &TableVersion) -> Vec<String> {
    version.slots().into_iter().flat_map(|slot| shown(&version.scan(slot).expect("memory"))).collect()
}

#[test]
fn an_overview_tells_epochs_chains_and_how_a_run_goes_on() {
    let storage = checkpoint();
    let overview = Overview::of(&Holdings::read_in_use(&storage).expect("memory"));
    let states: Vec<(u64, &str)> = overview.epochs.iter().map(|epoch| (epoch.epoch.0, epoch.state.name())).collect();
    let committed = (0..=NEWEST).map(|epoch| (epoch, "committed"));
    assert_eq!(states, committed.chain([(NEWEST + 1, "uncommitted")]).collect::<Vec<_>>());
    assert_eq!((overview.graph.as_deref(), overview.partitions), (Some("g"), Some(1)));
    assert_eq!(overview.version, Some(Epoch(NEWEST)));
    assert_eq!(overview.tables[0].chains, [Chain { snapshot: Some(Epoch(2)), deltas: vec![Epoch(3), Epoch(4)] }]);
    let replay = Decision::GoOn { version: Some(Epoch(4)), replay: vec![Epoch(5)], damages: Vec::new() };
    assert_eq!(overview.decision, replay);
    assert_eq!(overview.epochs[2].new_files, 2, "a delta and a snapshot");
    let bytes: u64 = storage.list().expect("memory").iter().map(|file| file.bytes).sum();
    assert_eq!(overview.bytes, bytes);
    assert!(Holdings::read_in_use(&MemoryStorage::new()).expect("memory").is_empty());
}

#[test]
fn a_whole_checkpoint_verifies() {
    let verification = checked(&checkpoint());
    assert_eq!(verification.findings, []);
    assert_eq!(verification.whole, (0..=NEWEST).map(Epoch).collect::<Vec<_>>());
    assert_eq!(verification.unneeded, (0, 0));
}

#[test]
fn every_damage_is_told_with_the_epochs_that_it_concerns() {
    use StateContent::{Delta, Snapshot};
    for (damage, expected) in [
        (
            &(|s: &MemoryStorage| replace(s, &name(4, Delta), |content| content[300] ^= 1)) as &dyn Fn(&MemoryStorage),
            format!("{} (4); after 3", name(4, Delta)),
        ),
        (&|s| replace(s, &name(4, Delta), |content| content.truncate(40)), format!("{} (4); after 3", name(4, Delta))),
        (&|s| lose(s, &name(4, Delta)), format!("{} (4); after 3", name(4, Delta))),
        (&|s| lose(s, &name(2, Snapshot)), format!("{} (3 4); after 2", name(2, Snapshot))),
        (&|s| lose(s, &name(1, Delta)), format!("{} (1 2); after 4", name(1, Delta))),
        (&|s| lose(s, "metadata.json"), "metadata.json (); after 4".to_owned()),
        (&|s| lose(s, "graphs/00000000.json"), "graphs/00000000.json (0 1 2 3 4); from the beginning".to_owned()),
        (&|s| lose(s, "epochs/00000002.commit"), "epochs/00000002.commit (2); after 4".to_owned()),
        (
            &|s| replace(s, "epochs/00000004.commit", |content| content[20] ^= 1),
            "epochs/00000004.commit (4); after 3".to_owned(),
        ),
        (&|s| lose(s, "epochs/00000003.intent"), "epochs/00000003.intent (); after 4".to_owned()),
        (&|s| replace(s, "epochs/00000005.intent", Vec::clear), "epochs/00000005.intent (); not at all".to_owned()),
    ] {
        let storage = checkpoint();
        damage(&storage);
        assert_eq!(told(&storage), expected);
    }
}

#[test]
fn a_file_that_no_version_needs_is_no_damage() {
    let storage = checkpoint();
    let stray = StateFile { node: "gone".to_owned(), ..file(1, StateContent::Delta) };
    let stray = encode_state(&stray, 1, &declared(), &TableContent::Changes(Vec::new()), false).expect("columns");
    storage.write(&[stray.clone(), NewFile { name: "notes.txt".to_owned(), content: vec![vec![1]] }]).expect("memory");
    let verification = checked(&storage);
    assert_eq!((verification.findings.len(), verification.unneeded), (0, (1, stray.bytes())));
    assert_eq!(verification.strangers, ["notes.txt"]);
}

#[test]
fn pruning_keeps_the_newest_versions_with_all_they_need_and_the_plan_of_the_next() {
    let storage = checkpoint();
    let removal = prune(&storage, 2).expect("memory");
    assert_eq!((removal.kept, removal.versions), (vec![Epoch(3), Epoch(4)], vec![Epoch(0), Epoch(1), Epoch(2)]));
    let names: Vec<String> = removal.files.into_iter().map(|(name, _)| name).collect();
    let records =
        (0..3).flat_map(|epoch| [format!("epochs/0000000{epoch}.intent"), format!("epochs/0000000{epoch}.commit")]);
    let deltas = (0..3).map(|epoch| name(epoch, StateContent::Delta));
    assert_eq!(names, records.chain(deltas).collect::<Vec<_>>(), "intents before commits before state");
    let before = all_rows(&version(&storage, NEWEST));
    // Whatever a crash leaves undone of it, all that is to stay is there.
    for name in &names {
        lose(&storage, name);
        let Decision::GoOn { version, replay, .. } = Overview::of(&Holdings::read(&storage).expect("memory")).decision
        else {
            panic!("without {name} no run can go on");
        };
        assert_eq!((version, replay), (Some(Epoch(NEWEST)), vec![Epoch(NEWEST + 1)]), "without {name}");
    }
    assert_eq!(checked(&storage).findings, []);
    assert_eq!(all_rows(&version(&storage, NEWEST)), before);
    assert!(prune(&storage, 2).expect("memory").files.is_empty());
    assert_eq!(prune(&storage, 9).expect("memory").kept, [Epoch(3), Epoch(4)]);
}

#[test]
fn pruning_keeps_what_a_run_would_go_on_from_when_newer_versions_are_damaged() {
    let storage = checkpoint();
    replace(&storage, &name(4, StateContent::Delta), |content| content[300] ^= 1);
    let removal = prune(&storage, 1).expect("memory");
    assert_eq!(removal.kept, [Epoch(3)]);
    assert!(removal.files.iter().all(|(name, _)| !name.contains("00000004") && !name.contains("00000003")));
    lose(&storage, "epochs/00000005.intent");
    lose(&storage, "epochs/00000004.intent");
    assert!(matches!(prune(&storage, 1), Err(CheckpointError::Damaged { .. })));
    assert_eq!(prune(&MemoryStorage::new(), 1).expect("memory"), Removal::default());
}

#[test]
fn rows_are_read_at_every_version_from_deltas_and_snapshots_alike() {
    let storage = checkpoint();
    for epoch in 0..=NEWEST {
        let own = epoch.saturating_sub(1)..=epoch;
        let expected: Vec<String> = own.map(|epoch| format!("user {epoch}=1")).chain([format!("a={epoch}")]).collect();
        assert_eq!(all_rows(&version(&storage, epoch)), expected, "epoch {epoch}");
    }
    assert_eq!(version(&storage, NEWEST).rows(), 3);
}

#[test]
fn two_versions_are_compared_whatever_files_they_are_made_of() {
    let storage = checkpoint();
    let found = difference(Some(&version(&storage, 1)), Some(&version(&storage, 4))).expect("the same columns");
    let found = found.expect("a table").slots.into_iter().map(|found| {
        let parts = [&found.removed, &found.before, &found.after, &found.added];
        format!("{:?}", parts.map(shown))
    });
    assert_eq!(
        found.collect::<Vec<_>>(),
        [
            r#"[["user 0=1"], [], [], []]"#,
            r#"[["user 1=1"], [], [], []]"#,
            r#"[[], [], [], ["user 3=1"]]"#,
            r#"[[], [], [], ["user 4=1"]]"#,
            r#"[[], ["a=1"], ["a=4"], []]"#,
        ]
    );
    let same = difference(Some(&version(&storage, 2)), Some(&version(&storage, 2))).expect("the same columns");
    assert!(same.expect("a table").slots.is_empty());
}

#[test]
fn an_epoch_tells_what_it_wrote_when_the_version_before_is_gone() {
    let storage = checkpoint();
    let holdings = Holdings::read(&storage).expect("memory");
    let commit = holdings.commits[&Epoch(4)].as_ref().expect("it is whole");
    let found = written(&storage, commit, "counts", "groups", None).expect("whole files").expect("a delta");
    let told: Vec<_> = found.entries.iter().map(|(action, slot, rows)| (*action, *slot, shown(rows))).collect();
    assert_eq!(
        told,
        [
            (Action::Upsert, slot(100), vec!["a=4".to_owned()]),
            (Action::Upsert, slot(4), vec!["user 4=1".to_owned()]),
            (Action::Drop, slot(2), vec![]),
        ]
    );
    assert!(written(&storage, commit, "counts", "other", None).expect("whole files").is_none());
}
