//! Watermarks: one value per watermark node, pushed down the graph twice per epoch.
//!
//! What epoch *n* saw closes and evicts in epoch *n + 1* and makes rows late in epoch *n + 2*: late rows are judged by the
//! watermark of the epoch before (SEMANTICS §1.2, §1.3).

use std::collections::BTreeMap;

#[cfg(feature = "testing")]
use super::topology::NodeId;
use super::topology::{Node, Topology};
use crate::checkpoint::{Intent, WatermarkRecord};
use crate::node::OutputWatermark;
use crate::time::{TimeSpan, Timestamp, Watermark};

/// The watermark of each watermark node, and what it was in the last epoch.
#[derive(Debug)]
pub(super) struct Watermarks {
    /// By node: `Some` for a watermark node.
    current: Vec<Option<Watermark>>,
    /// What `current` was when the last epoch was planned.
    last: Vec<Option<Watermark>>,
    /// By node, the newest event time it ever saw.
    newest: Vec<Watermark>,
    /// By node, what an earlier run reached there: what it made late stays late, whatever is new above it.
    reached: Vec<Watermark>,
}

/// The watermarks of one epoch at every node; [`Watermark::NONE`] where there is none.
#[derive(Debug)]
pub(super) struct InForce {
    pub(super) late: Vec<Watermark>,
    pub(super) evict: Vec<Watermark>,
}

impl Watermarks {
    pub(super) fn new(topology: &Topology) -> Self {
        let none: Vec<_> = topology.nodes.iter().map(|node| node.delay().map(|_| Watermark::NONE)).collect();
        Self {
            last: none.clone(),
            newest: vec![Watermark::NONE; none.len()],
            reached: vec![Watermark::NONE; none.len()],
            current: none,
        }
    }

    /// Takes up what an earlier run left. `kept` finds a node's record. A watermark never goes back, also when the delay is
    /// longer now.
    pub(super) fn resume(
        &mut self,
        topology: &Topology,
        kept: impl Fn(&str) -> Option<WatermarkRecord>,
        reached: impl Fn(&str) -> Option<Watermark>,
    ) {
        for (id, node) in topology.nodes.iter().enumerate() {
            self.reached[id] = reached(&node.name).unwrap_or_default();
            if let (Some(delay), Some(WatermarkRecord { newest, in_force, next })) = (node.delay(), kept(&node.name)) {
                self.newest[id] = newest;
                self.last[id] = Some(in_force);
                self.current[id] = Some(next.max(behind(newest, delay)));
            }
        }
    }

    /// Puts in force what an epoch's intent says, so that it is run as it was meant to be.
    pub(super) fn put_in_force(&mut self, topology: &Topology, intent: &Intent) {
        for (values, kept) in [(&mut self.last, &intent.late), (&mut self.current, &intent.evict)] {
            for (value, node) in values.iter_mut().zip(&topology.nodes) {
                if let (Some(value), Some(kept)) = (value, kept.get(&*node.name)) {
                    *value = *kept;
                }
            }
        }
    }

    /// The watermark that was in force at every stateful node in the epoch that is done.
    pub(super) fn reached(&self, topology: &Topology) -> BTreeMap<String, Watermark> {
        let late = self.in_force(topology).late;
        topology.stateful().map(|(id, _)| (topology.nodes[id].name.to_string(), late[id])).collect()
    }

    /// What a checkpoint is to remember, by the names of the watermark nodes.
    pub(super) fn records(&self, topology: &Topology) -> BTreeMap<String, WatermarkRecord> {
        let record = |(id, node): (usize, &Node)| {
            let (in_force, next) = (self.last[id]?, self.current[id]?);
            Some((node.name.to_string(), WatermarkRecord { newest: self.newest[id], in_force, next }))
        };
        topology.nodes.iter().enumerate().filter_map(record).collect()
    }

    /// What is in force in the epoch that is planned now.
    pub(super) fn in_force(&self, topology: &Topology) -> InForce {
        let at_least = |values: Vec<Watermark>| -> Vec<Watermark> {
            values.into_iter().zip(&self.reached).map(|(value, reached)| value.max(*reached)).collect()
        };
        InForce {
            late: at_least(pushed_down(&self.last, topology)),
            evict: at_least(pushed_down(&self.current, topology)),
        }
    }

    /// The epoch that was planned with the current values is done; `newest` is the newest event time each node saw.
    pub(super) fn advance(&mut self, topology: &Topology, newest: &[Watermark]) {
        self.last.clone_from(&self.current);
        for (id, node) in topology.nodes.iter().enumerate() {
            if let (Some(delay), Some(value)) = (node.delay(), &mut self.current[id]) {
                self.newest[id] = self.newest[id].max(newest[id]);
                *value = (*value).max(behind(newest[id], delay));
            }
        }
    }

    /// Moves the watermark of one node on.
    #[cfg(feature = "testing")]
    pub(super) fn move_on(&mut self, node: NodeId, to: Watermark) {
        if let Some(value) = &mut self.current[node] {
            *value = (*value).max(to);
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

/// The watermark that a newest event time makes.
fn behind(newest: Watermark, delay: TimeSpan) -> Watermark {
    Watermark(newest.0.map(|time| time.floor_to_millis().minus(delay)))
}

/// A watermark that is held back. The end of time is the end of everything.
fn held_back(watermark: Watermark, span: TimeSpan) -> Watermark {
    let span = span.max(TimeSpan::ZERO);
    Watermark(watermark.0.map(|time| if time == Timestamp::END { time } else { time.minus(span).floor_to_millis() }))
}

/// The watermark at each node: a watermark node has its own, any other the least of those that leave the nodes which feed it.
fn pushed_down(values: &[Option<Watermark>], topology: &Topology) -> Vec<Watermark> {
    let mut leaving: Vec<Option<Watermark>> = Vec::with_capacity(values.len());
    let mut reached = Vec::with_capacity(values.len());
    for (node, own) in topology.nodes.iter().zip(values) {
        let above = node.inputs.iter().filter_map(|&input| leaving[input]).min();
        let here = own.or(above);
        reached.push(here.unwrap_or_default());
        leaving.push(match node.watermark {
            OutputWatermark::Own(_) | OutputWatermark::Input => here,
            OutputWatermark::HeldBack(span) => here.map(|watermark| held_back(watermark, span)),
            OutputWatermark::None => None,
        });
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::topology::{Routes, Work};

    /// A node that is fed by those at these places.
    fn node(name: &str, watermark: OutputWatermark, inputs: &[usize]) -> Node {
        Node {
            name: name.into(),
            work: Work::Source,
            outputs: Vec::new(),
            inputs: inputs.to_vec(),
            watermark,
            wakes: false,
            routes: Routes::default(),
        }
    }

    fn at(millis: i64) -> Watermark {
        Watermark(Some(Timestamp::from_micros(millis * 1000)))
    }

    /// marked → through → after, and slow beside it; `after` has both above it.
    fn topology(through: OutputWatermark) -> Topology {
        let own = OutputWatermark::Own(TimeSpan::ZERO);
        let nodes = vec![
            node("source", OutputWatermark::Input, &[]),
            node("marked", own, &[0]),
            node("slow", own, &[0]),
            node("through", through, &[1]),
            node("after", OutputWatermark::Input, &[3]),
            node("joined", OutputWatermark::Input, &[4, 2]),
        ];
        Topology { nodes }
    }

    #[test]
    fn what_a_node_lets_through_is_what_is_seen_below_it() {
        let held_back = |millis: i64| OutputWatermark::HeldBack(TimeSpan::from_micros(millis * 1000));
        let none = Watermark::NONE;
        for (through, after, joined) in [
            (OutputWatermark::Input, at(100), at(90)),
            (held_back(30), at(70), at(70)),
            (held_back(0), at(100), at(90)),
            (held_back(-30), at(100), at(90)),
            // Of a millisecond that is not over nothing may be late.
            (OutputWatermark::HeldBack(TimeSpan::from_micros(500)), at(99), at(90)),
            (OutputWatermark::None, none, at(90)),
            (OutputWatermark::Own(TimeSpan::ZERO), at(5), at(5)),
        ] {
            let own = matches!(through, OutputWatermark::Own(_)).then(|| at(5));
            let values = [None, Some(at(100)), Some(at(90)), own, None, None];
            let reached = pushed_down(&values, &topology(through));
            let here = own.unwrap_or(at(100));
            assert_eq!(reached, [none, at(100), at(90), here, after, joined], "{through:?}");
        }
    }

    #[test]
    fn before_the_first_row_there_is_none_to_hold_back_and_the_end_of_time_is_the_end() {
        let topology = topology(OutputWatermark::HeldBack(TimeSpan::from_seconds(1)));
        let end = Watermark(Some(Timestamp::END));
        for value in [Watermark::NONE, end] {
            let reached = pushed_down(&[None, Some(value), Some(end), None, None, None], &topology);
            assert_eq!(reached[3..], [value, value, value]);
        }
    }

    #[test]
    fn a_node_that_has_reached_more_before_keeps_it() {
        let topology = topology(OutputWatermark::HeldBack(TimeSpan::from_seconds(1)));
        let mut watermarks = Watermarks::new(&topology);
        watermarks.resume(&topology, |_| None, |name| (name == "after").then(|| at(50)));
        assert_eq!(watermarks.in_force(&topology).evict[4], at(50));
        let mut newest = vec![Watermark::NONE; 6];
        newest[1] = at(2000);
        watermarks.advance(&topology, &newest);
        let InForce { late, evict } = watermarks.in_force(&topology);
        assert_eq!(
            (late[4], evict[4], evict[3]),
            (at(50), at(1000), at(2000)),
            "held back below, not at the node itself"
        );
    }
}
