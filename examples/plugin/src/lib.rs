//! Operators of one's own, a file each: what a crate made by `watershed new` grows into.
//!
//! | operator | shows |
//! |---|---|
//! | [`RunningTotals`] | what `watershed new` begins with: state by key, a timeout in event time |
//! | [`CurrentActivity`] | one row per key and epoch, as a table that is kept up to date |
//! | [`DeviceAverages`] | windows of so many rows, rows in the order of their time, state taken over from an earlier version |
//! | [`UserSessions`] | sessions that end by a timeout or by their length |
//! | [`PaymentAlerts`] | several state variables, some of which fade, timers, rows that leave by a port of their own |
//! | [`Movement`] | a row from a row |
//! | [`OneOf`] | some of the rows, as they are |
//! | [`Shares`] | whole columns at a time |
//!
//! The first three after `RunningTotals` are those of the chapter on event time in "Spark: The Definitive Guide"; their test files hold
//! what Spark puts out.

mod current_activity;
mod device_averages;
mod movement;
mod one_of;
mod payment_alerts;
mod running_totals;
mod shares;
mod user_sessions;

pub use current_activity::CurrentActivity;
pub use device_averages::DeviceAverages;
pub use movement::Movement;
pub use one_of::OneOf;
pub use payment_alerts::PaymentAlerts;
pub use running_totals::RunningTotals;
pub use shares::Shares;
pub use user_sessions::UserSessions;
