//! Which keys to look at when: an index of keys by the second of a time, with that time.
//!
//! The invariant: for every key there is an entry no later than its earliest time. So a time that moves later, which is what
//! timeouts mostly do, costs the index nothing; the key is looked at when the old time comes, and entered anew. Entries of times that are
//! gone are dropped when they are looked at.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, TimestampMicrosecondArray, UInt32Array};
use arrow::compute::{concat_batches, take};
use arrow::datatypes::{Field, Fields, TimestampMicrosecondType};

use crate::error::Result;
use crate::schema::TIMESTAMP;
#[cfg(feature = "testing")]
use crate::state::TableSchema;
use crate::state::{Slot, StateTable};
use crate::time::{Timestamp, Watermark};

/// The width of a slot in microseconds: a slot costs a table, and a key that is looked at too early costs little.
const WIDTH: i64 = 1_000_000;

/// What the slots stand for.
pub(super) const SLOTS: &str = "seconds";

/// The value columns of the index.
pub(super) fn fields() -> Fields {
    vec![Field::new("at", TIMESTAMP, false)].into()
}

/// Whether a table is such an index.
#[cfg(feature = "testing")]
pub(crate) fn is_index(table: &TableSchema) -> bool {
    table.slots == SLOTS && table.values == fields()
}

/// The slot of a time: named by the last microsecond of its second.
pub(crate) fn slot(time: Timestamp) -> Slot {
    let start = time.micros().saturating_sub(time.micros().rem_euclid(WIDTH));
    Slot::at(Timestamp::from_micros(start.saturating_add(WIDTH - 1)).min(Timestamp::END))
}

/// Whether a key that was entered for `before` must be entered for `after`.
pub(super) fn is_earlier(after: Option<Timestamp>, before: Option<Timestamp>) -> bool {
    after.is_some_and(|after| before.is_none_or(|before| after < before))
}

/// The first time that a key is entered for.
pub(super) fn first(index: &StateTable) -> Result<Option<Timestamp>> {
    let Some(slot) = index.slots().first().copied() else { return Ok(None) };
    let entries = index.scan(slot)?;
    Ok(times(entries.columns()).iter().min().copied().map(Timestamp::from_micros))
}

/// Enters keys: those at these places of `keys`, each for its time.
pub(super) fn enter(index: &mut StateTable, keys: &[ArrayRef], entries: &[(u32, Timestamp)]) -> Result<()> {
    let mut slots: BTreeMap<Slot, (Vec<u32>, Vec<i64>)> = BTreeMap::new();
    for (place, time) in entries {
        let (places, times) = slots.entry(slot(*time)).or_default();
        places.push(*place);
        times.push(time.micros());
    }
    for (slot, (places, entered)) in slots {
        let places = UInt32Array::from(places);
        let keys = keys.iter().map(|key| take(key, &places, None)).collect::<Result<Vec<_>, _>>()?;
        let groups = index.group(slot, &keys, places.len())?;
        let mut new = vec![true; groups.len()];
        let kept = index.gather(&groups)?;
        for (key, time) in kept.groups.into_iter().zip(times(&kept.values)) {
            new[key] = entered[key] != *time;
        }
        let of_new = entered.into_iter().zip(&new).filter_map(|(time, new)| new.then_some(time));
        let of_new = TimestampMicrosecondArray::from_iter_values(of_new);
        index.upsert(&groups.only(&new)?, vec![Arc::new(of_new)])?;
    }
    Ok(())
}

/// The keys to look at now that time has come to `now`, some of them perhaps twice. Slots that are over are dropped.
pub(super) fn take_begun(index: &mut StateTable, now: Timestamp) -> Result<Option<RecordBatch>> {
    let begun = index.slots_up_to(Watermark(slot(now).time()));
    let entries = begun.into_iter().map(|slot| index.scan(slot)).collect::<Result<Vec<_>>>()?;
    index.drop_slots(Watermark(Some(now)));
    let Some(first) = entries.first() else { return Ok(None) };
    let columns: Vec<usize> = (0..index.declared().keys.len()).collect();
    Ok(Some(concat_batches(&first.schema(), &entries)?.project(&columns)?))
}

/// Enters keys that were looked at for the times they have now, and takes them out of the slot that has begun and is not over, if they
/// have no time there. `keys` are all different.
pub(super) fn settle(
    index: &mut StateTable,
    now: Timestamp,
    keys: &[ArrayRef],
    times: &[Option<Timestamp>],
) -> Result<()> {
    let begun = slot(now);
    if begun.time().is_some_and(|end| end > now) {
        let groups = index.group(begun, keys, times.len())?;
        let gone: Vec<bool> = times.iter().map(|time| time.is_none_or(|time| slot(time) != begun)).collect();
        index.remove(&groups, &gone)?;
    }
    let entries: Vec<(u32, Timestamp)> = (0..).zip(times).filter_map(|(place, time)| Some((place, (*time)?))).collect();
    enter(index, keys, &entries)
}

fn times(columns: &[ArrayRef]) -> &[i64] {
    columns.last().map_or(&[], |times| times.as_primitive::<TimestampMicrosecondType>().values())
}
