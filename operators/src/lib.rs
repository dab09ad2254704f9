//! Watershed's built-in operators.
//!
//! Reading order: [`sql`] reads expressions, [`aggregates`] sums rows up, [`windows`] cuts event time, `inputs` holds what
//! stateful operators ask of their inputs; then one file per node.

pub mod aggregates;
pub mod sql;
pub mod windows;

mod buckets;
mod grouping;
mod inputs;

mod aggregate;
mod assign_window;
mod dedup;
mod filter;
mod limit;
mod select;
mod sort;
mod union;
mod unnest;
mod watermark;
mod window;

pub use aggregate::Aggregate;
pub use assign_window::AssignWindow;
pub use dedup::Dedup;
pub use filter::Filter;
pub use limit::Limit;
pub use select::Select;
pub use sort::Sort;
pub use union::Union;
pub use unnest::Unnest;
pub use watermark::Watermark;
pub use window::Window;

#[cfg(test)]
mod readable;
#[cfg(test)]
mod recorded;
#[cfg(test)]
mod testing;
