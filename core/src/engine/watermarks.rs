//! Watermarks: one value per watermark node, pushed down the graph twice per epoch.
//!
//! What epoch *n* saw closes and evicts in epoch *n + 1* and makes rows late in epoch *n + 2*: late rows are judged by the
//! watermark of the epoch before (SEMANTICS §1.2, §1.3).

use std::collections::BTreeMap;

use super::topology::Topology;
use crate::time::{Timestamp, Watermark};

/// The watermark of each watermark node, and what it was in the last epoch.
#[derive(Debug)]
pub(super) struct Watermarks {
    /// By node: `Some` for a watermark node.
    current: Vec<Option<Watermark>>,
    /// What `current` was when the last epoch was planned.
    last: Vec<Option<Watermark>>,
}

/// The watermarks of one epoch at every node; [`Watermark::NONE`] where there is none.
#[derive(Debug)]
pub(super) struct InForce {
    pub(super) late: Vec<Watermark>,
    pub(super) evict: Vec<Watermark>,
}

impl Watermarks {
    pub(super) fn new(topology: &Topology) -> Self {
        let none: Vec<_> = topology.nodes.iter().map(|node| node.delay.map(|_| Watermark::NONE)).collect();
        Self { last: none.clone(), current: none }
    }

    /// What is in force in the epoch that is planned now.
    pub(super) fn in_force(&self, topology: &Topology) -> InForce {
        InForce { late: pushed_down(&self.last, topology), evict: pushed_down(&self.current, topology) }
    }

    /// The epoch that was planned with the current values is done; `newest` is the newest event time each node saw.
    pub(super) fn advance(&mut self, topology: &Topology, newest: &[Watermark]) {
        self.last.clone_from(&self.current);
        for (id, node) in topology.nodes.iter().enumerate() {
            if let (Some(delay), Some(value), Some(time)) = (node.delay, &mut self.current[id], newest[id].0) {
                *value = (*value).max(Watermark(Some(time.floor_to_millis().minus(delay))));
            }
        }
    }

    /// Moves every watermark to the end of time.
    pub(super) fn flush(&mut self) {
        for value in self.current.iter_mut().flatten() {
            *value = Watermark(Some(Timestamp::END));
        }
    }

    /// Whether a node asks for an epoch without input, because the watermark that reaches it moved.
    pub(super) fn call_for_epoch(&self, topology: &Topology) -> bool {
        let InForce { late: before, evict: now } = self.in_force(topology);
        topology.nodes.iter().enumerate().any(|(id, node)| node.wakes && now[id] > before[id])
    }

    /// The least of all watermark nodes' values; `None` for a graph without one.
    pub(super) fn least(&self) -> Option<Watermark> {
        self.current.iter().flatten().min().copied()
    }

    /// The values by the names of the watermark nodes: of the last epoch, and current.
    pub(super) fn by_name(&self, topology: &Topology) -> [BTreeMap<String, Watermark>; 2] {
        [&self.last, &self.current].map(|values| {
            let named = topology.nodes.iter().zip(values);
            named.filter_map(|(node, value)| Some((node.name.to_string(), (*value)?))).collect()
        })
    }
}

/// The watermark at each node: a watermark node has its own, any other the least of those that feed it and have one.
fn pushed_down(values: &[Option<Watermark>], topology: &Topology) -> Vec<Watermark> {
    let mut reached: Vec<Option<Watermark>> = Vec::with_capacity(values.len());
    for (node, own) in topology.nodes.iter().zip(values) {
        let above = node.inputs.iter().filter_map(|&input| reached[input]).min();
        reached.push(own.or(above));
    }
    reached.into_iter().map(Option::unwrap_or_default).collect()
}
