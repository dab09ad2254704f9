//! Watershed's graph files: from RON text to a checked plan.
//!
//! A file passes through these rooms, and a fault in one does not keep the next from looking at the rest:
//!
//! ```text
//! text ──syntax──▶ tree with places ──load──▶ nodes, flow, run ──check──▶ Plan
//!                                                  │                        ▲
//!                                Graph (plain data, builder, to_ron) ───────┘
//! ```
//!
//! - [`load()`] reads a file and never fails: [`Loaded`] holds the graph, if it is whole, and all faults found so far;
//! - [`Loaded::check`] goes on to the flow and the types and returns both sorts of faults in the order of the text;
//! - [`Graph`] is plain data, built by hand with [`Graph::builder`], printed by [`Graph::to_ron`] and checked by
//!   [`Graph::check`];
//! - [`Checked`] holds the [`Plan`](watershed_core::plan::Plan) when there was no error;
//! - [`Diagnostics`] render for people and for programs; a reader of files of its own, such as one of tests, reads them
//!   through [`syntax`] and tells its [`Finding`]s with [`Diagnostics::of_text`];
//! - [`draw`] makes pictures of a plan, [`describe`](mod@describe) says what node types and edges are.
//!
//! Nodes are known through the registry only: this crate names none of them.

pub mod describe;
pub mod draw;
pub mod syntax;

mod adapter;
mod check;
mod diagnostic;
mod document;
mod explain;
mod finding;
mod flow;
mod graph;
mod load;
mod nearest;
mod place;
mod print;
mod render;
mod text;
mod typing;

pub use check::{Checked, SchemaMode};
pub use diagnostic::{Diagnostic, Diagnostics, Place, Telling};
pub use document::Position;
pub use finding::Finding;
pub use graph::{Graph, GraphBuilder};
pub use load::{Loaded, environment, load, load_fragment};
