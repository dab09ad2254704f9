//! `Window`: aggregates per key and window of event time.
//!
//! Reading order: `spec` is the node, `frame` what every kind of window has in common, `fixed` and `panes` are windows
//! that tumble or overlap. Sessions are in [`crate::session`].

mod fixed;
mod frame;
mod panes;
mod spec;

pub(crate) use frame::{Frame, bounds};
pub use spec::Window;
