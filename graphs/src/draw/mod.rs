//! Drawings of a checked graph: Graphviz dot, Mermaid, and an SVG that needs no other program.
//!
//! The three writers share one `Picture`: boxes with what the file says of a node, arrows with what
//! flows along them. A drawing depends on the plan alone, so that it can be kept beside the graph and compared.

mod dot;
mod facts;
mod layout;
mod mermaid;
mod picture;
mod style;
mod svg;

pub use dot::dot;
pub use mermaid::mermaid;
pub use svg::svg;

#[cfg(test)]
pub(crate) mod sketch;
