//! Why nothing comes out: which stateful nodes wait for a watermark, what holds it, and what would move it on.

use serde::Serialize;

use super::driver::Engine;
use super::topology::{Node, NodeId, Topology, Work};
use crate::state::{Slot, StateStore, StateTable};
use crate::time::{TimeSpan, Timestamp, Watermark};

/// A stateful node that holds rows until the watermark that reaches it has come further.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Waiting {
    /// The node.
    pub node: String,
    /// The watermark that reaches it, in force in the next epoch.
    pub watermark: Watermark,
    /// The watermark node that the watermark is of: of those that are waited for, the one that is furthest behind.
    pub held_by: String,
    /// The sources whose rows that watermark node sees.
    pub sources: Vec<String>,
    /// How far the watermark of `held_by` is behind the newest event time that any watermark node above `node` has seen; left out
    /// when `held_by` has seen none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub behind: Option<TimeSpan>,
    /// The first of the node's rows go, at the latest, when the watermark reaches this: the first slot ahead of it.
    pub next: Timestamp,
    /// Rows of state of the node.
    pub state_rows: u64,
    /// The event time at or after which `held_by` has to see a row so that its watermark reaches `next` at `node`: later by its delay
    /// and by what is held back on the way. Left out when no row can be so late.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub needs: Option<Timestamp>,
}

/// The watermark at a node, and whose it is.
#[derive(Clone, Debug)]
pub(super) struct Held {
    /// The watermark node.
    pub(super) by: NodeId,
    /// Its own watermark.
    pub(super) own: Watermark,
    /// What of it arrives.
    pub(super) watermark: Watermark,
    /// Whether it is not waited for.
    pub(super) idle: bool,
    /// How far it is held back on the way, node by node.
    pub(super) back: Vec<TimeSpan>,
    /// The newest event time that it, or any other watermark node whose watermark arrives, has seen.
    pub(super) newest: Watermark,
}

impl Held {
    /// The earliest event time at the watermark node, whose delay is `delay`, that brings the watermark to `goal`.
    fn needs(&self, delay: TimeSpan, goal: Timestamp) -> Option<Timestamp> {
        // A watermark is cut down to a whole millisecond, by the watermark node and wherever it is held back.
        let whole = |time: Timestamp| time.plus(TimeSpan::from_micros(999)).floor_to_millis();
        let leaves = self.back.iter().rev().fold(goal, |goal, span| whole(goal).plus(*span));
        Some(whole(leaves.plus(delay))).filter(|needs| *needs < Timestamp::END)
    }
}

impl Engine {
    /// The nodes that hold rows which the watermark of the next epoch does not reach, in the order of the flow.
    pub(super) fn waiting(&self) -> Vec<Waiting> {
        let in_force = self.watermarks.in_force(&self.topology).evict;
        let held = self.watermarks.held(&self.topology);
        let waiting = |(id, held): (NodeId, &Option<Held>)| {
            let (node, watermark) = (&self.topology.nodes[id], in_force[id]);
            // What keeps its rows whatever the watermark is does not wait for it.
            let held = held.as_ref().filter(|_| node.wakes)?;
            let next = first_ahead(&self.stores[id], watermark)?;
            let holder = &self.topology.nodes[held.by];
            Some(Waiting {
                node: node.name.to_string(),
                watermark,
                held_by: holder.name.to_string(),
                sources: sources_above(&self.topology, held.by),
                behind: held.newest.0.zip(held.own.0).map(|(newest, own)| newest.since(own).max(TimeSpan::ZERO)),
                next,
                state_rows: self.stores[id].iter().map(|store| store.rows() as u64).sum(),
                needs: holder.delay().and_then(|delay| held.needs(delay, next)),
            })
        };
        held.iter().enumerate().filter_map(waiting).collect()
    }
}

/// The time of the first slot that `watermark` has not reached.
fn first_ahead(stores: &[StateStore], watermark: Watermark) -> Option<Timestamp> {
    let slots = stores.iter().flat_map(StateStore::tables).flat_map(StateTable::slots);
    slots.filter_map(Slot::time).filter(|time| !watermark.has_passed(*time)).min()
}

/// The names of the sources whose rows reach a node.
fn sources_above(topology: &Topology, node: NodeId) -> Vec<String> {
    let mut above = vec![false; node + 1];
    above[node] = true;
    // Every node comes after those that feed it.
    for id in (0..=node).rev() {
        if above[id] {
            topology.nodes[id].inputs.iter().for_each(|&input| above[input] = true);
        }
    }
    let is_source = |(node, above): &(&Node, &bool)| **above && matches!(node.work, Work::Source);
    let sources = topology.nodes.iter().zip(&above).filter(is_source);
    sources.map(|(node, _)| node.name.to_string()).collect()
}
