//! Plans for tests, from text.

use crate::core::plan::Plan;
use crate::core::testing::{Result, TestError};
use crate::graphs::{SchemaMode, environment, load};

/// The plan of a graph in RON, for a [`GraphDriver`](super::GraphDriver) or [`same_answer`](super::same_answer()). Nothing is opened, so its
/// sources have to declare their columns.
///
/// # Errors
///
/// All faults of the graph, as `watershed check` shows them.
pub fn plan(graph: &str) -> Result<Plan> {
    let checked = load(graph, "graph", &environment).check(SchemaMode::Offline);
    let undeclared = || TestError::Given("a source of this graph has no declared schema".to_owned());
    match checked.plan {
        _ if checked.diagnostics.has_errors() => Err(TestError::Given(checked.diagnostics.render(false))),
        plan => plan.ok_or_else(undeclared),
    }
}
