//! `Join`: rows of two streams, or of a stream and a table, side by side.
//!
//! Reading order: `spec` is the node as a graph file writes it; `scope` reads expressions over the columns of two sides;
//! `condition` takes `on` apart, and `bounds` tells from it how long rows are of use; `output` is what comes out, and
//! `words` tells people. Then the two that run. `operator` joins streams: rows come in by `entrance`, `probe` finds them partners,
//! `side` keeps them, with `numbers` that tell them apart, until a `deadline`; `view` puts rows of both sides together.
//! `table` looks rows up in a table.

mod bounds;
mod condition;
mod deadline;
mod entrance;
mod numbers;
mod operator;
mod output;
mod probe;
mod scope;
mod side;
mod spec;
mod table;
mod view;
mod words;

pub use spec::{Join, JoinKind};

#[cfg(test)]
mod oracle;
#[cfg(test)]
mod run_tests;
#[cfg(test)]
mod tests;
