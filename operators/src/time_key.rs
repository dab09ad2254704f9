//! An event time among the keys of a node: it says to which slot of the state a key belongs, and when it is done with.

use std::collections::BTreeMap;

use arrow::array::{AsArray, BooleanArray, RecordBatch};
use arrow::datatypes::TimestampMicrosecondType;
use watershed_core::error::Result;
use watershed_core::fault::Fault;
use watershed_core::state::{Slot, StateTable};
use watershed_core::stream::{EventTime, Stream};
use watershed_core::time::{Timestamp, Watermark};

use crate::buckets::Buckets;

/// The key that is event time.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TimeKey {
    /// The tag of its column.
    pub(crate) tag: EventTime,
    /// Its place in the input.
    pub(crate) input: usize,
    /// Its place among the keys.
    pub(crate) key: usize,
    buckets: Buckets,
}

impl TimeKey {
    /// The one of `keys` that is event time, if there is one. Two are a fault.
    pub(crate) fn among(keys: &[String], input: &Stream) -> Result<Option<Self>, Fault> {
        let mut times = keys.iter().enumerate().filter_map(|(key, name)| Some((key, input.event_time(name)?)));
        let Some((key, tag)) = times.next() else { return Ok(None) };
        if let Some((second, tag)) = times.next() {
            let message = format!("key `{}` is a second event time; one is allowed", tag.column);
            return Err(Fault::new("two_event_times", message).at("keys").at(second));
        }
        let column = input.schema.index_of(&tag.column).expect("a tag names a column of its stream");
        Ok(Some(Self { tag: tag.clone(), input: column, key, buckets: Buckets::of(tag) }))
    }

    /// What the slots of a table with these keys stand for.
    pub(crate) fn slots(&self) -> String {
        self.buckets.slots(self.key)
    }

    /// The rows of each slot, in order: of rows whose time is the column at this place.
    pub(crate) fn split(&self, rows: &RecordBatch, column: usize) -> BTreeMap<Slot, Vec<u32>> {
        self.buckets.split(rows.column(column).as_primitive())
    }

    /// Takes what `watermark` has passed out of a table whose key columns come first, slot by slot.
    pub(crate) fn take_due(&self, table: &mut StateTable, watermark: Watermark) -> Result<Vec<(Slot, RecordBatch)>> {
        let Some(time) = watermark.0 else { return Ok(Vec::new()) };
        let has_passed =
            |time: Option<i64>| Some(time.is_some_and(|time| watermark.has_passed(Timestamp::from_micros(time))));
        table.take_due(watermark, self.buckets.slot(time.micros()), |kept| {
            let times = kept.column(self.key).as_primitive::<TimestampMicrosecondType>();
            Ok(times.iter().map(has_passed).collect::<BooleanArray>())
        })
    }
}

/// What is wrong with a node in `Append` mode without an event time among its keys.
pub(crate) fn append_without_time(input: &Stream, instead: &str) -> Fault {
    let message = "`Append` needs an event-time column among the keys, which tells when a group is complete";
    let fault = Fault::new("append_without_watermark", message).at("output_mode");
    let tagged: Vec<&str> = input.event_times.iter().map(|tag| tag.column.as_str()).collect();
    fault.help(match tagged.as_slice() {
        [] => "put a `Watermark` above and its column among the keys, or use `Update` or `Complete`".to_owned(),
        [column, ..] => format!("add `{column}` to the keys, use `{instead}`, or choose `Update` or `Complete`"),
    })
}
