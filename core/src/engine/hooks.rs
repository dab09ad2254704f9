//! What the test kit may do with an open engine that nobody else may: look into state and change it, and move watermarks.

use super::driver::Engine;
use crate::state::StateStore;
use crate::time::Watermark;

impl Engine {
    /// The state of a node, per partition; `None` for a node that keeps none.
    pub(crate) fn state_of(&mut self, node: &str) -> Option<&mut Vec<StateStore>> {
        let id = self.topology.nodes.iter().position(|other| &*other.name == node)?;
        Some(&mut self.stores[id]).filter(|stores| !stores.is_empty())
    }

    /// What is in force at a watermark node in the epoch that is run next.
    pub(crate) fn watermark_of(&self, node: &str) -> Watermark {
        let [_, now] = self.watermarks.by_name(&self.topology);
        now.get(node).copied().unwrap_or_default()
    }

    /// Moves the watermark of a watermark node on, from the next epoch on.
    pub(crate) fn move_watermark(&mut self, node: &str, to: Watermark) {
        let id = self.topology.nodes.iter().position(|other| &*other.name == node);
        if let Some(id) = id {
            self.watermarks.move_on(id, to);
        }
    }
}
