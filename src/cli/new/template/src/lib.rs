//! Operators for Watershed: a file each, and a line here.

mod running_totals;

pub use running_totals::RunningTotals;
