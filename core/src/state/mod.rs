//! The one place where anything lives that must survive an epoch.
//!
//! A [`StateStore`] belongs to one node and partition and holds the tables its operator declared, each a map
//! `slot -> key -> row`. A [`Slot`] is an event time
//! (a window's end, a deadline) or [`Slot::NEVER`]; when the watermark passes it, the whole slot is dropped without a look
//! at its rows. Rows are Arrow columns in immutable segments, one per write; the segments of an epoch with their
//! keys are exactly what changed in it.
//!
//! ```text
//! slot ──▶ keys: key bytes ──▶ id        (Interner)
//!          place: id ──▶ segment, row
//!          segments: [RecordBatch]   key columns, then value columns
//! ```
//!
//! Writes of an epoch are visible to its later reads. A commit tells what the epoch changed; that is what a checkpoint
//! keeps, and applying it to the version before gives the same table again. The order of a scan is that in which keys came to have
//! a row, and depends on nothing else, so a restored table is read in the order of the one it was made from.

mod found;
mod index;
mod interner;
mod record;
mod slot;
mod store;
mod table;

pub use found::{Found, Sought};
pub use interner::Interner;
pub use record::{ColumnRecord, EarlierState, TableRecord};
pub use slot::Slot;
pub use store::{Change, FrozenTable, Gathered, Groups, PlacedBy, StateStore, StateTable, TableSchema};
