//! Tables in a temporary directory, and tables that are pushed.

use std::fs::{self, File};
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::SchemaRef;
use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::TempDir;
use watershed_core::error::Result;
use watershed_core::node::{
    Available, Handles, Limit, Offset, OffsetRange, OpenContext, Source, SourceSchema, SourceSpec,
};
use watershed_core::schema::Ddl;
use watershed_core::stream::Mode;
use watershed_core::time::{ManualClock, TimeSpan, Timestamp};

use super::{OnError, PushedTable, Reload, Table, TableFeed};
use crate::memory::PushError;
use crate::records::OnBadRecord;
use crate::records::testing::Collected;

/// A directory with a table, and a clock.
struct World {
    directory: TempDir,
    clock: Arc<ManualClock>,
    handles: Handles,
}

impl World {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        Self { directory, clock: Arc::default(), handles: Handles::default() }
    }

    /// Writes a file that was last changed `age` seconds after 1970.
    fn put(&self, name: &str, age: u64, text: impl AsRef<[u8]>) {
        let mut file = File::create(self.directory.path().join(name)).expect("a writable directory");
        file.write_all(text.as_ref()).expect("a writable file");
        file.set_modified(UNIX_EPOCH + Duration::from_secs(age)).expect("a system with modification times");
    }

    fn table(&self, path: &str) -> Table {
        Table {
            path: self.directory.path().join(path).to_str().expect("a plain name").to_owned(),
            format: None,
            schema: Some(Ddl("id BIGINT, name STRING".to_owned())),
            recursive: false,
            on_bad_record: OnBadRecord::Fail,
            reload: Reload::Every(TimeSpan::from_seconds(60)),
            on_error: OnError::Keep,
        }
    }

    fn open(&self, spec: &dyn SourceSpec) -> Box<dyn Source> {
        let cx = OpenContext {
            resumes: false,
            node: "users".into(),
            batch_rows: 2,
            clock: Arc::<ManualClock>::clone(&self.clock),
            handles: self.handles.clone(),
        };
        spec.open(schema_of(spec), &cx).expect("a table to open")
    }

    fn at_second(&self, second: i64) {
        self.clock.set(Timestamp::from_micros(second * 1_000_000));
    }
}

fn schema_of(spec: &dyn SourceSpec) -> SchemaRef {
    match spec.schema().expect("no faults") {
        SourceSchema::Declared(schema) => schema,
        SourceSchema::Inferred => spec.infer_schema().expect("columns"),
    }
}

/// A source and how far it was read.
struct Reader {
    source: Box<dyn Source>,
    after: Offset,
}

impl Reader {
    fn of(source: Box<dyn Source>) -> Self {
        Self { source, after: Offset::default() }
    }

    /// What an epoch would read now.
    fn next(&mut self) -> Result<Option<OffsetRange>> {
        match self.source.available(&self.after, Limit::Epoch)? {
            Available::Range(range) => {
                self.after = range.end.clone();
                Ok(Some(range))
            }
            Available::Finished => Ok(None),
            other => panic!("a table keeps no run going: {other:?}"),
        }
    }

    fn rows(&mut self, range: &OffsetRange) -> String {
        rows(self.source.as_mut(), range)
    }

    /// The rows that an epoch would read now, or `-` when it would read none.
    fn next_rows(&mut self) -> String {
        match self.next().expect("a table that can be read") {
            Some(range) => self.rows(&range),
            None => "-".to_owned(),
        }
    }
}

fn rows(source: &mut dyn Source, range: &OffsetRange) -> String {
    let splits = source.splits(range).expect("splits");
    Collected::of(splits).expect("rows").lines().join(", ")
}

#[test]
fn all_files_are_one_table_in_the_order_of_their_paths() {
    let world = World::new();
    world.put("b.csv", 1, "id,name\n2,bob\n3,\n");
    world.put("a.csv", 2, "id,name\n1,ann\n");
    let mut gz = GzEncoder::new(Vec::new(), Compression::fast());
    gz.write_all(b"{\"name\":\"dan\",\"id\":4}\n").expect("memory");
    world.put("c.json.gz", 3, gz.finish().expect("memory"));
    world.put("_not", 4, "");
    for (path, expected) in
        [("", "1 | ann, 2 | bob, 3 | ∅, 4 | dan"), ("*.csv", "1 | ann, 2 | bob, 3 | ∅"), ("a.csv", "1 | ann")]
    {
        let mut reader = Reader::of(world.open(&world.table(path)));
        assert_eq!(reader.next_rows(), expected, "{path}");
        assert_eq!(reader.next_rows(), "-", "{path}");
    }
}

#[test]
fn a_table_is_complete_and_its_columns_are_found_where_none_are_declared() {
    let world = World::new();
    world.put("t.csv", 1, "id,since\n1,2024-01-01T00:00:00Z\n");
    let table = Table { schema: None, ..world.table("t.csv") };
    assert_eq!(table.mode(), Mode::Complete(Vec::new()));
    assert_eq!(watershed_core::schema::to_ddl(&schema_of(&table)), "id BIGINT, since TIMESTAMP");
}

#[test]
fn a_table_that_has_changed_is_given_again_when_a_look_is_due() {
    let world = World::new();
    world.put("t.csv", 1, "id,name\n1,ann\n");
    let mut reader = Reader::of(world.open(&world.table("t.csv")));
    assert_eq!(reader.next_rows(), "1 | ann");
    world.put("t.csv", 2, "id,name\n1,bob\n");
    world.at_second(59);
    assert_eq!(reader.next_rows(), "-", "too early");
    world.at_second(60);
    assert_eq!(reader.next_rows(), "1 | bob");
    world.put("t.csv", 3, "id,name\n1,bob\n");
    world.at_second(120);
    assert_eq!(reader.next_rows(), "-", "written anew, and the same");
    world.put("t.csv", 4, "id,name\n1,ann\n");
    world.at_second(179);
    assert_eq!(reader.next_rows(), "-", "counted from the last look");
    world.at_second(180);
    assert_eq!(reader.next_rows(), "1 | ann", "as it was once");
    world.put("t.csv", 5, "id,name\n");
    world.at_second(240);
    assert_eq!(reader.next_rows(), "", "no rows are a table too");
    assert_eq!(reader.after, Offset(4.into()));
}

#[test]
fn nothing_is_read_again_where_it_never_should_be_or_the_end_is_settled() {
    for (reload, frozen) in [(Reload::Never, false), (Reload::Every(TimeSpan::from_seconds(1)), true)] {
        let world = World::new();
        world.put("t.csv", 1, "id,name\n1,ann\n");
        let mut reader = Reader::of(world.open(&Table { reload, ..world.table("t.csv") }));
        if frozen {
            reader.source.freeze().expect("freezes");
        }
        assert_eq!(reader.next_rows(), "1 | ann");
        world.put("t.csv", 2, "id,name\n1,bob\n");
        world.at_second(1000);
        assert_eq!(reader.next_rows(), "-", "{reload:?}");
        let mut next_run = Reader::of(world.open(&Table { reload, ..world.table("t.csv") }));
        next_run.after = reader.after.clone();
        assert_eq!(next_run.next_rows(), "1 | bob", "each run looks at its start");
    }
}

#[test]
fn an_epoch_that_is_run_again_has_the_table_that_it_had() {
    let world = World::new();
    world.put("t.csv", 1, "id,name\n1,ann\n2,bob\n3,cem\n");
    let table = world.table("t.csv");
    let range = Reader::of(world.open(&table)).next().expect("readable").expect("a table");
    let text = serde_json::to_string(&range).expect("an intent");
    let range: OffsetRange = serde_json::from_str(&text).expect("an intent");
    world.put("t.csv", 2, "id,name\n9,zoe\n");
    let mut source = world.open(&table);
    assert_eq!(rows(source.as_mut(), &range), "1 | ann, 2 | bob, 3 | cem");
    fs::remove_file(world.directory.path().join("t.csv")).expect("removed");
    assert_eq!(rows(source.as_mut(), &range), "1 | ann, 2 | bob, 3 | cem", "gone by now");
    let other = Table { schema: Some(Ddl("id BIGINT".to_owned())), ..table };
    let refused = world.open(&other).splits(&range).map(|_| ()).expect_err("other columns").to_string();
    assert!(refused.contains("`id BIGINT, name STRING` then, and are `id BIGINT` now"), "{refused}");
    let damaged = OffsetRange { detail: "no table".into(), ..range };
    let refused = source.splits(&damaged).map(|_| ()).expect_err("no table").to_string();
    assert!(refused.starts_with("read the table of an epoch from its intent: "), "{refused}");
}

#[test]
fn a_version_is_offered_until_it_is_taken() {
    let world = World::new();
    world.put("t.csv", 1, "id,name\n1,ann\n");
    let mut source = world.open(&world.table("t.csv"));
    let start = Offset::default();
    assert_eq!(source.remaining(&start), Some(0), "nobody has looked");
    let first = source.available(&start, Limit::Epoch).expect("readable");
    assert_eq!(source.available(&start, Limit::Epoch).expect("readable"), first);
    let Available::Range(range) = first else { panic!("{first:?}") };
    assert_eq!(source.remaining(&start), Some(range.size));
    assert_eq!(source.available(&range.end, Limit::Epoch).expect("readable"), Available::Finished);
    assert_eq!(source.remaining(&range.end), Some(0));
}

#[test]
fn a_table_must_be_there_at_the_first_start() {
    let world = World::new();
    for (path, words) in [("t.csv", "t.csv`: No such file"), ("*.csv", "there is no such file"), ("", "no such file")] {
        let failed = Reader::of(world.open(&world.table(path))).next().expect_err(path).to_string();
        assert!(failed.contains(words), "{failed}");
    }
}

#[test]
fn a_table_that_cannot_be_read_again_stays_as_it_was_and_says_so_or_stops_the_run() {
    let gone: fn(&World) = |world| fs::remove_file(world.directory.path().join("t.csv")).expect("removed");
    let bad: fn(&World) = |world| world.put("t.csv", 2, "id,name\nx,bob\n");
    let torn: fn(&World) = |world| world.put("t.csv", 2, "id,name\n1,\"bo");
    let breakages = [(gone, "No such file"), (bad, "`id`"), (torn, "t.csv")];
    for (break_it, words) in breakages {
        let world = World::new();
        world.put("t.csv", 1, "id,name\n1,ann\n");
        let table = world.table("t.csv");
        let mut kept = Reader::of(world.open(&table));
        let mut stopped = Reader::of(world.open(&Table { on_error: OnError::Fail, ..table.clone() }));
        assert_eq!([kept.next_rows(), stopped.next_rows()], ["1 | ann", "1 | ann"]);
        break_it(&world);
        world.at_second(60);
        assert_eq!(kept.next_rows(), "-");
        let trouble = kept.source.trouble().expect("not silent").to_owned();
        assert!(trouble.starts_with("the table stays as it was: ") && trouble.contains(words), "{trouble}");
        let failed = stopped.next().expect_err("stops").to_string();
        assert!(trouble.ends_with(&failed), "{failed}");
        let mut resumed = Reader::of(world.open(&table));
        resumed.after = kept.after.clone();
        assert_eq!(resumed.next_rows(), "-", "an earlier run has read it");
        assert!(resumed.source.trouble().is_some());
        world.put("t.csv", 3, "id,name\n1,cem\n");
        world.at_second(119);
        assert_eq!(kept.next_rows(), "-", "not tried before it is due");
        assert!(kept.source.trouble().is_some());
        world.at_second(120);
        assert_eq!(kept.next_rows(), "1 | cem");
        assert_eq!(kept.source.trouble(), None);
    }
}

#[test]
fn bad_records_are_counted_with_the_epoch_that_reads_the_table() {
    let world = World::new();
    world.put("t.csv", 1, "id,name\n1,ann\nx,bob\n");
    let table = Table { on_bad_record: OnBadRecord::Drop, ..world.table("t.csv") };
    let mut reader = Reader::of(world.open(&table));
    let range = reader.next().expect("readable").expect("a table");
    let read = Collected::of(reader.source.splits(&range).expect("splits")).expect("rows");
    assert_eq!((read.lines(), read.bad), (vec!["1 | ann".to_owned()], 1));
}

#[test]
fn options_that_make_no_sense_are_faults() {
    let world = World::new();
    for (table, code) in [
        (Table { reload: Reload::Every(TimeSpan::ZERO), ..world.table("t.csv") }, "bad_option"),
        (Table { path: String::new(), ..world.table("t.csv") }, "bad_path"),
        (Table { schema: Some(Ddl("id".to_owned())), ..world.table("t.csv") }, "bad_schema"),
    ] {
        let faults = table.schema().expect_err(code);
        assert!(faults.iter().any(|fault| fault.code == code), "{faults:?}");
    }
}

/// A batch of users, its columns in another order than the table's.
fn users(rows: &[(i64, &str)]) -> RecordBatch {
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.0)));
    let names: ArrayRef = Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.1)));
    RecordBatch::try_from_iter([("name", names), ("id", ids)]).expect("two columns")
}

#[test]
fn the_last_table_that_was_pushed_counts() {
    let world = World::new();
    let spec = PushedTable { schema: Ddl("id BIGINT, name STRING".to_owned()) };
    let left = Arc::new(TableFeed::new(schema_of(&spec)));
    left.replace(&users(&[(1, "ann")])).expect("pushed before the start");
    world.handles.publish("users", Arc::clone(&left));
    let mut reader = Reader::of(world.open(&spec));
    assert_eq!(reader.next_rows(), "1 | ann");
    assert_eq!(reader.next_rows(), "-");
    left.replace(&users(&[(2, "bob")])).expect("pushed");
    left.replace(&users(&[(3, "cem"), (3, "cem"), (4, "dan")])).expect("pushed");
    assert_eq!(reader.next_rows(), "3 | cem, 3 | cem, 4 | dan");
    left.replace(&users(&[(3, "cem"), (3, "cem"), (4, "dan")])).expect("pushed");
    assert_eq!(reader.next_rows(), "-", "the same again");
    left.replace(&users(&[])).expect("pushed");
    assert_eq!(reader.next_rows(), "", "an empty table");
    drop(reader);
    assert!(matches!(left.replace(&users(&[])), Err(PushError::Ended)));
}

#[test]
fn a_feed_takes_the_columns_of_its_table_only() {
    let world = World::new();
    let spec = PushedTable { schema: Ddl("id BIGINT, name STRING".to_owned()) };
    let mut reader = Reader::of(world.open(&spec));
    assert_eq!(reader.next_rows(), "-", "nothing was pushed");
    let feed = world.handles.get::<TableFeed>("users").expect("the source leaves one");
    let stray = users(&[(1, "ann")]).project(&[0]).expect("a column");
    let refused = feed.replace(&stray).expect_err("a column is missing").to_string();
    assert!(refused.contains("`name STRING NOT NULL`, and should be `id BIGINT, name STRING`"), "{refused}");
    assert_eq!(reader.next_rows(), "-");
    let other = PushedTable { schema: Ddl("id BIGINT".to_owned()) };
    let cx = OpenContext {
        resumes: false,
        node: "users".into(),
        batch_rows: 2,
        clock: Arc::<ManualClock>::clone(&world.clock),
        handles: world.handles.clone(),
    };
    assert!(other.open(schema_of(&other), &cx).is_err(), "the feed that was left is for another table");
}
