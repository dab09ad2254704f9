//! The queries as plain loops: what a person writes who has all events at hand, a hash table and an afternoon.
//!
//! Nothing here is shared with the operators. The loops know no epoch and no watermark, and read the columns of the same batches.

pub(crate) mod joins;
pub(crate) mod rows;
pub(crate) mod statistics;
pub(crate) mod windows;

use foldhash::fast::FixedState;

type Map<K, V> = hashbrown::HashMap<K, V, FixedState>;
type Set<K> = hashbrown::HashSet<K, FixedState>;

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// The start of the stretch of `size` that holds `time`.
fn start_of(time: i64, size: i64) -> i64 {
    time - time.rem_euclid(size)
}
