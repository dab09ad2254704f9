//! State that another version of an operator takes over: shown before the start, written whole with the next commit.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Fields, Int64Type};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use watershed_core::epoch::Port;
use watershed_core::error::{Error, Result};
use watershed_core::fault::Faults;
use watershed_core::node::{
    BuildContext, Collector, Distribution, EpochContext, EpochInput, Operator, OperatorSpec, Signature, StateNeed,
    Stateful,
};
use watershed_core::schema::parse_ddl;
use watershed_core::state::{EarlierState, PlacedBy, Slot, StateStore, TableSchema};
use watershed_core::stream::Stream;
use watershed_core::testing::Tested;
use watershed_core::{assert_table, register_operator};

/// Sums per key. Version 1 keeps the sum; version 2 how many values it is of, too; version 3 keeps neither and takes nothing over.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
struct Sums {
    version: u32,
    /// Fails to take over this key.
    #[serde(default)]
    refused: i64,
}
register_operator!(Sums, example: "Sums(version: 1)");

#[typetag::serde]
impl OperatorSpec for Sums {
    fn signature(&self, _: &[Vec<Stream>]) -> Result<Signature, Faults> {
        let output = Stream::of(parse_ddl("k BIGINT NOT NULL, sum BIGINT NOT NULL, of BIGINT NOT NULL")?);
        let (distribution, state) = (Distribution::Hash(vec![0]), StateNeed::Unbounded);
        Ok(Signature { distribution, state, ..Signature::stateless(vec![output]) })
    }

    fn free_fields(&self) -> &'static [&'static str] {
        &["version", "refused"]
    }

    fn state_version(&self) -> u32 {
        self.version
    }

    fn build(&self, _: &[Vec<Stream>], _: &BuildContext) -> Result<Operator, Faults> {
        Ok(Operator::Stateful(Arc::new(self.clone())))
    }
}

fn fields(names: &[&str]) -> Fields {
    names.iter().map(|name| Field::new(*name, DataType::Int64, false)).collect()
}

fn ones(rows: usize) -> ArrayRef {
    Arc::new(Int64Array::from(vec![1; rows]))
}

impl Stateful for Sums {
    fn tables(&self) -> Vec<TableSchema> {
        let table = |name, values: &[&str]| TableSchema {
            name,
            keys: fields(&["k"]),
            values: fields(values),
            placed_by: PlacedBy::Keys,
            slots: String::new(),
        };
        match self.version {
            1 => vec![table("sums", &["sum"]), table("seen", &[])],
            2 => vec![table("sums", &["sum", "of"])],
            _ => vec![table("other", &["sum", "of"])],
        }
    }

    fn run(&self, input: EpochInput, state: &mut StateStore, _: &EpochContext, out: &mut Collector) -> Result<()> {
        for (_, rows) in input.batches {
            for row in 0..rows.num_rows() {
                let table = state.table(0);
                let groups = table.group(Slot::NEVER, &[rows.column(0).slice(row, 1)], 1)?;
                let kept = table.gather(&groups)?;
                let old = |column: usize| {
                    kept.values
                        .get(column)
                        .map_or(0, |values| values.as_primitive::<Int64Type>().iter().flatten().sum())
                };
                let (sum, of): (i64, i64) =
                    (old(0) + rows.column(1).as_primitive::<Int64Type>().value(row), old(1) + 1);
                let values: Vec<ArrayRef> =
                    vec![Arc::new(Int64Array::from(vec![sum])), Arc::new(Int64Array::from(vec![of]))];
                table.upsert(&groups, values[..self.tables()[0].values.len()].to_vec())?;
                if self.version == 1 {
                    let seen = state.table(1).group(Slot::NEVER, &groups.keys, 1)?;
                    state.table(1).upsert(&seen, Vec::new())?;
                }
                let columns = [groups.keys.clone(), values].concat();
                let schema = parse_ddl("k BIGINT NOT NULL, sum BIGINT NOT NULL, of BIGINT NOT NULL").expect("a schema");
                out.emit(Port::FIRST, RecordBatch::try_new(schema, columns)?);
            }
        }
        Ok(())
    }

    fn adopts(&self, earlier: &EarlierState) -> Result<Vec<String>, Vec<String>> {
        if (earlier.version, self.version) == (1, 2) {
            return Ok(vec!["`sums` gets `of`, from 1 on".to_owned()]);
        }
        Err(vec![format!("version {} takes over nothing", self.version)])
    }

    fn adopt(
        &self,
        _: &EarlierState,
        table: &str,
        slot: Slot,
        rows: RecordBatch,
    ) -> Result<Vec<(usize, Slot, RecordBatch)>> {
        if table == "seen" {
            return Ok(Vec::new());
        }
        if rows.column(0).as_primitive::<Int64Type>().iter().flatten().any(|key| key == self.refused) {
            return Err(Error::BadInput("nothing is known of it".to_owned()).at_key(format!("`k` = {}", self.refused)));
        }
        let columns = [rows.columns(), &[ones(rows.num_rows())]].concat();
        Ok(vec![(0, slot, RecordBatch::try_new(self.tables()[0].columns(), columns)?)])
    }
}

fn tested(version: u32, partitions: usize) -> Tested {
    Tested::new(Sums { version, refused: 0 }).input("k BIGINT, v BIGINT").partitions(partitions)
}

#[test]
fn another_version_takes_over_what_was_kept_also_into_other_partitions() -> watershed_core::testing::Result<()> {
    let mut before = tested(1, 2).harness()?;
    before.feed("in", "k | v \n 1 | 10 \n 2 | 20 \n 3 | 30")?;
    before.end_epoch()?;
    let snapshot = before.snapshot()?;
    for partitions in [2, 3, 1] {
        let mut after = tested(2, partitions).harness()?;
        // Whoever stops before the first commit finds the state of version 1 again.
        for _ in 0..2 {
            after.restore(&snapshot)?;
            assert_table!(after.state()?.table("sums")?, "k | sum | of \n 1 | 10 | 1 \n 2 | 20 | 1 \n 3 | 30 | 1");
        }
        after.feed("in", "k | v \n 1 | 1")?;
        assert_table!(after.end_epoch()?["out"], "k | sum | of \n 1 | 11 | 2");
        // Run again from the state of version 1.
        after.crash()?;
        after.restart()?;
        assert_table!(after.state()?.table("sums")?, "k | sum | of \n 1 | 11 | 2 \n 2 | 20 | 1 \n 3 | 30 | 1");
        after.feed("in", "k | v \n 1 | 1 \n 3 | 3")?;
        assert_table!(after.end_epoch()?["out"], "k | sum | of \n 1 | 12 | 3 \n 3 | 33 | 2");
        after.restart_into(partitions + 1)?;
        assert_table!(after.state()?.table("sums")?, "k | sum | of \n 1 | 12 | 3 \n 2 | 20 | 1 \n 3 | 33 | 2");
    }
    Ok(())
}

#[test]
fn what_does_not_fit_is_refused_with_both_versions() -> watershed_core::testing::Result<()> {
    let mut before = tested(1, 1).harness()?;
    before.feed("in", "k | v \n 1 | 10")?;
    before.end_epoch()?;
    let snapshot = before.snapshot()?;
    let refused = tested(3, 1).harness()?.restore(&snapshot).expect_err("version 3 takes nothing over").to_string();
    for part in ["version 1", "version 3", "no longer keeps `sums`", "takes over nothing"] {
        assert!(refused.contains(part), "{refused}");
    }
    // Nothing was lost by the attempt.
    before.restore(&snapshot)?;
    before.feed("in", "k | v \n 1 | 1")?;
    assert_table!(before.end_epoch()?["out"], "k | sum | of \n 1 | 11 | 1");
    Ok(())
}

#[test]
fn a_row_that_cannot_be_taken_over_is_named() -> watershed_core::testing::Result<()> {
    let mut before = tested(1, 1).harness()?;
    before.feed("in", "k | v \n 1 | 10 \n 7 | 10")?;
    before.end_epoch()?;
    let snapshot = before.snapshot()?;
    let mut after = Tested::new(Sums { version: 2, refused: 7 }).input("k BIGINT, v BIGINT").partitions(1).harness()?;
    let failed = after.restore(&snapshot).expect_err("key 7 is refused").to_string();
    assert!(failed.contains("at key `k` = 7") && failed.contains("nothing is known of it"), "{failed}");
    Ok(())
}
