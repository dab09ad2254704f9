//! What changed in a table: each row once, as it was before and as it is after.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray, StructArray, new_null_array};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Fields};
use watershed_core::checkpoint::Action;
use watershed_core::checkpoint::inspect::{Difference, SlotDifference, WrittenRows, difference, written};
use watershed_core::error::Result;
use watershed_core::state::Slot;

use super::rows::{Shown, beside, sorted};
use super::unreadable;
use super::version::{Before, Version, load_failed};
use super::view::{View, batch};
use crate::cli::exit::{Exit, Failure};

/// The names of the columns that say what happened, and hold the values.
pub(super) const CHANGE: &str = "change";
pub(super) const BEFORE: &str = "before";
pub(super) const AFTER: &str = "after";

/// Reads what the epoch changed, or what changed since another; at most `limit` rows.
pub(super) fn read(version: &Version<'_>, view: &View, since: Option<u64>, limit: usize) -> Result<Shown, Failure> {
    let before = match since {
        Some(since) if since >= version.commit.epoch.0 => {
            let message = format!("epoch {since} is not before epoch {}", version.commit.epoch);
            return Err(Failure::new(Exit::Usage, message).help("`--since` names the older one, `--epoch` the newer"));
        }
        Some(since) => Before::Kept(version.at(since)?),
        None => version.before(),
    };
    let load = |version: &Version<'_>| version.load(&view.node, &view.table, view.partition);
    let parts = match before {
        Before::Gone => return of_epoch(version, view, limit),
        Before::Beginning => compared(view, difference(None, load(version)?.as_ref())),
        Before::Kept(before) => compared(view, difference(load(&before)?.as_ref(), load(version)?.as_ref())),
    };
    shown(parts.map_err(unreadable)?, limit)
}

/// What an epoch changed whose version before is not kept: what its files say.
fn of_epoch(version: &Version<'_>, view: &View, limit: usize) -> Result<Shown, Failure> {
    let epoch = version.commit.epoch;
    let found = written(version.storage, version.commit, &view.node, &view.table, view.partition)
        .map_err(|error| load_failed(version.storage, error))?;
    let Some(found) = found else {
        let message = format!("epoch {epoch} wrote `{}` whole, and the version before it is not kept", view.node);
        return Err(Failure::new(Exit::Usage, message).help("`--since` compares with another version that is kept"));
    };
    shown(from_entries(view, &found).map_err(unreadable)?, limit)
}

/// Rows that changed: in the order of slots, the key columns at `keys`.
struct Changed {
    /// The number of columns before the key: `change` and the slot's.
    leading: usize,
    keys: usize,
    slots: Vec<RecordBatch>,
    nothing: RecordBatch,
}

fn shown(changed: Changed, limit: usize) -> Result<Shown, Failure> {
    let mut shown = Shown { schema: changed.nothing.schema(), batches: Vec::new(), more: 0 };
    let mut room = limit;
    for rows in changed.slots {
        let key = changed.leading..changed.leading + changed.keys;
        let wanted = rows.num_rows().min(room);
        let rows_in_order = sorted(&rows, key).map_err(unreadable)?.slice(0, wanted);
        room -= wanted;
        shown.more += rows.num_rows() - wanted;
        if wanted > 0 {
            shown.batches.push(rows_in_order);
        }
    }
    Ok(shown)
}

fn compared(view: &View, found: Result<Option<Difference>>) -> Result<Changed> {
    let Some(found) = found? else {
        let nothing = RecordBatch::new_empty(Arc::new(arrow::datatypes::Schema::empty()));
        return Ok(Changed { leading: 0, keys: 0, slots: Vec::new(), nothing });
    };
    let keys = found.keys;
    let empty = RecordBatch::new_empty(Arc::clone(&found.columns));
    let nothing = change(view, "", Slot::NEVER, keys, &empty, (Some(&empty), Some(&empty)))?;
    let mut slots = Vec::new();
    for SlotDifference { slot, added, removed, before, after } in &found.slots {
        let parts = [
            change(view, "removed", *slot, keys, removed, (Some(removed), None))?,
            change(view, "changed", *slot, keys, after, (Some(before), Some(after)))?,
            change(view, "added", *slot, keys, added, (None, Some(added)))?,
        ];
        let rows = concat_batches(&nothing.schema(), &parts)?;
        if rows.num_rows() > 0 {
            slots.push(rows);
        }
    }
    Ok(Changed { leading: leading(view, &empty, keys)?, keys, slots, nothing })
}

fn from_entries(view: &View, found: &WrittenRows) -> Result<Changed> {
    let keys = found.keys;
    let empty = RecordBatch::new_empty(Arc::clone(&found.columns));
    let nothing = change(view, "", Slot::NEVER, keys, &empty, (Some(&empty), Some(&empty)))?;
    let mut slots: std::collections::BTreeMap<Slot, Vec<RecordBatch>> = std::collections::BTreeMap::new();
    for (action, slot, rows) in &found.entries {
        let part = match action {
            Action::Upsert => change(view, "written", *slot, keys, rows, (None, Some(rows)))?,
            Action::Remove => change(view, "removed", *slot, keys, rows, (None, None))?,
            Action::Drop => {
                // Which keys it held, no file says any more.
                let columns = found.columns.fields().iter().map(|field| new_null_array(field.data_type(), 1));
                let fields =
                    found.columns.fields().iter().map(|field| Arc::new(field.as_ref().clone().with_nullable(true)));
                let unknown = batch(fields.collect(), columns.collect(), 1)?;
                change(view, "slot dropped", *slot, keys, &unknown, (None, None))?
            }
        };
        slots.entry(*slot).or_default().push(part);
    }
    let schema = nothing.schema();
    let slots = slots.into_values().map(|parts| concat_batches(&schema, &parts));
    let slots = slots.collect::<Result<Vec<_>, _>>()?.into_iter().filter(|rows| rows.num_rows() > 0).collect();
    Ok(Changed { leading: leading(view, &empty, keys)?, keys, slots, nothing })
}

fn leading(view: &View, empty: &RecordBatch, keys: usize) -> Result<usize> {
    Ok(1 + view.identity(Slot::NEVER, empty, keys)?.num_columns() - keys)
}

/// Rows with the keys of `rows`, to which `kind` happened, with their values before and after where they are known; those that
/// the filter means.
fn change(
    view: &View,
    kind: &str,
    slot: Slot,
    keys: usize,
    rows: &RecordBatch,
    (before, after): (Option<&RecordBatch>, Option<&RecordBatch>),
) -> Result<RecordBatch> {
    let count = rows.num_rows();
    let kinds: ArrayRef = Arc::new(StringArray::from_iter_values(std::iter::repeat_n(kind, count)));
    let kinds = batch(vec![Arc::new(Field::new(CHANGE, DataType::Utf8, false))], vec![kinds], count)?;
    let identity = view.identity(slot, rows, keys)?;
    let value_types = view.values(&rows.slice(0, 0), keys)?.schema();
    let mut parts = vec![kinds, identity.clone()];
    if !value_types.fields().is_empty() {
        for (name, known) in [(BEFORE, before), (AFTER, after)] {
            parts.push(values(view, name, keys, known, value_types.fields(), count)?);
        }
    }
    let whole = beside(&parts.iter().collect::<Vec<_>>())?;
    view.filter.of(&identity, &whole)
}

/// A column of structs: the values of `known`, or nulls.
fn values(
    view: &View,
    name: &str,
    keys: usize,
    known: Option<&RecordBatch>,
    fields: &Fields,
    count: usize,
) -> Result<RecordBatch> {
    let data_type = DataType::Struct(fields.clone());
    let column: ArrayRef = match known {
        Some(rows) => {
            Arc::new(StructArray::try_new(fields.clone(), view.values(rows, keys)?.columns().to_vec(), None)?)
        }
        None => new_null_array(&data_type, count),
    };
    batch(vec![Arc::new(Field::new(name, data_type, true))], vec![column], count)
}
