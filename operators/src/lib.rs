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
mod order;
mod ranking;
mod session;
mod time_key;

mod aggregate;
mod assign_window;
mod dedup;
mod distinct;
mod filter;
mod first_last;
mod join;
mod limit;
mod route;
mod select;
mod sort;
mod top_n;
mod union;
mod unnest;
mod watermark;
mod window;

pub use aggregate::Aggregate;
pub use assign_window::AssignWindow;
pub use dedup::Dedup;
pub use distinct::Distinct;
pub use filter::Filter;
pub use first_last::{First, Last};
pub use join::{Join, JoinKind};
pub use limit::Limit;
pub use route::{Route, To};
pub use select::Select;
pub use sort::Sort;
pub use top_n::TopN;
pub use union::{Missing, Union};
pub use unnest::Unnest;
pub use watermark::Watermark;
pub use window::Window;

#[cfg(test)]
mod readable;
#[cfg(test)]
mod recorded;
#[cfg(test)]
mod testing;
