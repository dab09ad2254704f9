//! The source `Nexmark`: one kind of the benchmark's rows.
//!
//! An offset is a number of events of all kinds, so that graphs that read several kinds read the same stretch of time of each in
//! every epoch.

use std::ops::Range;

use arrow::datatypes::SchemaRef;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use watershed::core::error::{Error, Result};
use watershed::core::fault::{Fault, Faults};
use watershed::core::node::{
    Available, Limit, Offset, OffsetRange, OpenContext, RowOutput, Source, SourceSchema, SourceSpec, Split,
};
use watershed::core::register_source;

use super::columns::{batch, schema};
use super::generator::{Generator, kind_of};
use super::rows::EventKind;

/// How many events a split goes through.
const SPLIT_EVENTS: u64 = 1 << 16;

/// Rows of the benchmark Nexmark: people, auctions or bids of an auction house.
///
/// The same rows in every run. Of fifty events one is a person, three are auctions and the rest are bids.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Nexmark {
    /// Which rows.
    pub kind: EventKind,
    /// How many events there are in all, of all kinds.
    #[serde(default = "events")]
    pub events: u64,
    /// How many events happen in a second of event time.
    #[serde(default = "events_per_second")]
    pub events_per_second: u64,
    /// How many events make an epoch.
    #[serde(default = "events_per_epoch")]
    pub events_per_epoch: u64,
    /// Chooses one of many sets alike. Sources that belong together have the same.
    #[serde(default = "seed")]
    pub seed: u64,
}

register_source!(Nexmark, example: "Nexmark(kind: Bid, events: 1000000)");

fn events() -> u64 {
    1_000_000
}

fn events_per_second() -> u64 {
    10_000
}

fn events_per_epoch() -> u64 {
    100_000
}

fn seed() -> u64 {
    1
}

impl Nexmark {
    fn faults(&self) -> Faults {
        let counts = [
            ("events", self.events),
            ("events_per_second", self.events_per_second),
            ("events_per_epoch", self.events_per_epoch),
        ];
        let zero = counts.into_iter().filter(|(_, count)| *count == 0);
        zero.map(|(name, _)| Fault::new("bad_option", format!("`{name}` must be at least 1")).at(name)).collect()
    }
}

#[typetag::serde]
impl SourceSpec for Nexmark {
    fn schema(&self) -> Result<SourceSchema, Faults> {
        let faults = self.faults();
        if faults.is_empty() { Ok(SourceSchema::Declared(schema(self.kind))) } else { Err(faults) }
    }

    fn infer_schema(&self) -> Result<SchemaRef> {
        Ok(schema(self.kind))
    }

    fn replayable(&self) -> bool {
        true
    }

    fn open(&self, _: SchemaRef, cx: &OpenContext) -> Result<Box<dyn Source>> {
        Ok(Box::new(NexmarkSource { spec: self.clone(), batch_rows: cx.batch_rows.max(1) }))
    }
}

struct NexmarkSource {
    spec: Nexmark,
    batch_rows: usize,
}

impl NexmarkSource {
    fn place(offset: &Offset) -> Result<u64> {
        if offset.0.is_null() {
            return Ok(0);
        }
        let place = offset.0.as_u64();
        place.ok_or_else(|| Error::BadInput(format!("read the offset {} of generated events: not a number", offset.0)))
    }
}

impl Source for NexmarkSource {
    fn freeze(&mut self) -> Result<()> {
        Ok(())
    }

    fn available(&mut self, after: &Offset, limit: Limit) -> Result<Available> {
        let start = Self::place(after)?;
        let end = match limit {
            Limit::Epoch => self.spec.events.min(start.saturating_add(self.spec.events_per_epoch)),
            Limit::Everything => self.spec.events,
        };
        if start >= end {
            return Ok(Available::Finished);
        }
        Ok(Available::Range(OffsetRange {
            start: after.clone(),
            end: Offset(end.into()),
            detail: serde_json::Value::Null,
            size: end - start,
        }))
    }

    fn remaining(&self, after: &Offset) -> Option<u64> {
        Some(self.spec.events.saturating_sub(Self::place(after).ok()?))
    }

    fn splits(&mut self, range: &OffsetRange) -> Result<Vec<Box<dyn Split>>> {
        let (start, end) = (Self::place(&range.start)?, Self::place(&range.end)?);
        let generator = Generator { seed: self.spec.seed, events_per_second: self.spec.events_per_second };
        let (kind, batch_rows) = (self.spec.kind, self.batch_rows);
        let starts = (start..end).step_by(SPLIT_EVENTS as usize);
        let splits = starts.map(|start| {
            let events = start..end.min(start + SPLIT_EVENTS);
            Box::new(NexmarkSplit { generator, kind, events, batch_rows }) as Box<dyn Split>
        });
        Ok(splits.collect())
    }

    fn release(&mut self, _: &Offset) -> Result<()> {
        Ok(())
    }
}

struct NexmarkSplit {
    generator: Generator,
    kind: EventKind,
    events: Range<u64>,
    batch_rows: usize,
}

impl Split for NexmarkSplit {
    fn read(self: Box<Self>, out: &mut dyn RowOutput) -> Result<()> {
        let numbers: Vec<u64> = self.events.filter(|&event| kind_of(event) == self.kind).collect();
        numbers.chunks(self.batch_rows).try_for_each(|numbers| out.push(batch(self.generator, self.kind, numbers)))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::RecordBatch;
    use arrow::compute::concat_batches;
    use watershed::core::node::Handles;
    use watershed::core::time::ManualClock;

    use super::super::columns::Events;
    use super::*;

    fn spec(kind: EventKind) -> Nexmark {
        Nexmark { kind, events: 80_000, events_per_second: 1_000, events_per_epoch: 70_000, seed: 5 }
    }

    fn opened(spec: &Nexmark, batch_rows: usize) -> Box<dyn Source> {
        let cx = OpenContext {
            resumes: false,
            node: "bids".into(),
            batch_rows,
            clock: Arc::new(ManualClock::default()),
            handles: Handles::default(),
        };
        spec.open(schema(spec.kind), &cx).expect("nothing to open")
    }

    struct Collected(Vec<RecordBatch>);

    impl RowOutput for Collected {
        fn push(&mut self, batch: RecordBatch) -> Result<()> {
            self.0.push(batch);
            Ok(())
        }

        fn count_bad_records(&mut self, _: u64) {}
    }

    fn rows(source: &mut dyn Source, range: &OffsetRange) -> Vec<RecordBatch> {
        let mut collected = Collected(Vec::new());
        for split in source.splits(range).expect("splits") {
            split.read(&mut collected).expect("rows");
        }
        collected.0
    }

    #[test]
    fn epochs_splits_and_batches_do_not_show_in_the_rows() {
        for kind in [EventKind::Person, EventKind::Auction, EventKind::Bid] {
            let spec = spec(kind);
            let generator = Generator { seed: 5, events_per_second: 1_000 };
            let events = Events::generate(generator, spec.events, 9_999);
            let expected = concat_batches(&schema(kind), events.batches(kind).iter()).expect("one schema");
            let (mut source, mut after, mut seen, mut sizes) =
                (opened(&spec, 700), Offset::default(), Vec::new(), Vec::new());
            while let Available::Range(range) = source.available(&after, Limit::Epoch).expect("an answer") {
                assert_eq!(source.remaining(&after), Some(spec.events - NexmarkSource::place(&after).expect("ours")));
                seen.extend(rows(source.as_mut(), &range));
                // The same range again, from a source that is opened anew.
                assert_eq!(rows(opened(&spec, 700).as_mut(), &range), rows(source.as_mut(), &range));
                sizes.push(range.size);
                after = range.end;
            }
            assert_eq!(sizes, [70_000, 10_000]);
            assert!(seen.iter().all(|batch| batch.num_rows() <= 700));
            assert_eq!(concat_batches(&schema(kind), &seen).expect("one schema"), expected, "{kind:?}");
        }
    }

    #[test]
    fn every_fault_is_found() {
        let spec = Nexmark { events: 0, events_per_second: 0, events_per_epoch: 0, ..spec(EventKind::Bid) };
        assert_eq!(spec.schema().expect_err("three faults").len(), 3);
    }
}
