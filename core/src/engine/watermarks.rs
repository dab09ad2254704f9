//! Watermarks: one value per watermark node, pushed down the graph twice per epoch.
//!
//! What epoch *n* saw closes and evicts in epoch *n + 1* and makes rows late in epoch *n + 2*: late rows are judged by the
//! watermark of the epoch before (SEMANTICS §1.2, §1.3).
//!
//! A watermark node that is silent for longer than it may be is idle: nodes below do not wait for it, and wait again once it has
//! seen a row. Which nodes are idle is decided when an epoch is planned, and stands in its intent. No watermark goes back
//! when they return.

use std::collections::{BTreeMap, BTreeSet};

#[cfg(feature = "testing")]
use super::topology::NodeId;
use super::topology::{Node, Topology};
use super::waiting::Held;
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
    /// By node, what was in force there in the last epoch, also of an earlier run: what that made late stays late, whatever is
    /// new above the node or comes back.
    reached: Vec<Watermark>,
    /// By node, the processing time since when it has seen nothing; none where the last epoch brought it something.
    silent_since: Vec<Option<Timestamp>>,
    /// By node, whether nodes below do not wait for it.
    idle: Vec<bool>,
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
            silent_since: vec![None; none.len()],
            idle: vec![false; none.len()],
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
        for (idle, node) in self.idle.iter_mut().zip(&topology.nodes) {
            *idle = intent.idle.contains(&*node.name);
        }
    }

    /// Finds out which nodes are idle at `now`, a processing time.
    pub(super) fn look_for_idle(&mut self, topology: &Topology, now: Timestamp) {
        for (id, node) in topology.nodes.iter().enumerate() {
            let silent_since = *self.silent_since[id].get_or_insert(now);
            self.idle[id] = node.idle_after().is_some_and(|after| silent_since.plus(after) <= now);
        }
    }

    /// The names of the watermark nodes that nobody waits for.
    pub(super) fn idle(&self, topology: &Topology) -> BTreeSet<String> {
        let idle = topology.nodes.iter().zip(&self.idle).filter(|(_, idle)| **idle);
        idle.map(|(node, _)| node.name.to_string()).collect()
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
            late: at_least(pushed_down(&self.last, &vec![false; self.last.len()], topology)),
            evict: at_least(pushed_down(&self.current, &self.idle, topology)),
        }
    }

    /// The epoch that was planned with the current values is done; `newest` is the newest event time each node saw.
    pub(super) fn advance(&mut self, topology: &Topology, newest: &[Watermark]) {
        self.reached = self.in_force(topology).evict;
        self.last.clone_from(&self.current);
        for (id, node) in topology.nodes.iter().enumerate() {
            if let (Some(delay), Some(value)) = (node.delay(), &mut self.current[id]) {
                self.newest[id] = self.newest[id].max(newest[id]);
                if newest[id] > Watermark::NONE {
                    self.silent_since[id] = None;
                }
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

    /// The least of the watermark nodes' values, of those that are waited for if there are any; `None` for a graph without one.
    pub(super) fn least(&self) -> Option<Watermark> {
        let of =
            |idle: bool| self.current.iter().zip(&self.idle).filter(move |at| *at.1 == idle).filter_map(|at| *at.0);
        of(false).min().or_else(|| of(true).min())
    }

    /// The values by the names of the watermark nodes: of the last epoch, and current.
    pub(super) fn by_name(&self, topology: &Topology) -> [BTreeMap<String, Watermark>; 2] {
        [&self.last, &self.current].map(|values| {
            let named = topology.nodes.iter().zip(values);
            named.filter_map(|(node, value)| Some((node.name.to_string(), (*value)?))).collect()
        })
    }

    /// By node, whose watermark reaches it: `None` for a node with no watermark node above it. Of equal ones it is that of the first
    /// input.
    pub(super) fn held(&self, topology: &Topology) -> Vec<Option<Held>> {
        let mut leaving: Vec<Option<Held>> = Vec::with_capacity(topology.nodes.len());
        let mut reached = Vec::with_capacity(topology.nodes.len());
        for (id, node) in topology.nodes.iter().enumerate() {
            let held = if let Some(own) = self.current[id] {
                let (idle, newest) = (self.idle[id], self.newest[id]);
                Some(Held { by: id, own, watermark: own, idle, back: Vec::new(), newest })
            } else {
                let above = || node.inputs.iter().filter_map(|&input| leaving[input].as_ref());
                let newest = above().map(|held| held.newest).max().unwrap_or_default();
                let least = above().min_by_key(|held| (held.idle, held.watermark));
                least.map(|held| Held { newest, ..held.clone() })
            };
            reached.push(held.clone());
            leaving.push(match node.watermark {
                OutputWatermark::Own { .. } | OutputWatermark::Input => held,
                OutputWatermark::HeldBack(span) => held.map(|held| {
                    let watermark = held_back(held.watermark, span);
                    let back = held.back.into_iter().chain([span.max(TimeSpan::ZERO)]).collect();
                    Held { watermark, back, ..held }
                }),
                OutputWatermark::None => None,
            });
        }
        reached
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

/// What leaves a node.
#[derive(Clone, Copy)]
struct Leaving {
    watermark: Option<Watermark>,
    /// Whether it is not waited for: it comes from nothing but idle nodes.
    idle: bool,
}

/// The watermark at each node: a watermark node has its own, any other the least of those that leave the nodes which feed it. Idle
/// ones count only where there are no others.
fn pushed_down(values: &[Option<Watermark>], idle: &[bool], topology: &Topology) -> Vec<Watermark> {
    let mut leaving: Vec<Leaving> = Vec::with_capacity(values.len());
    let mut reached = Vec::with_capacity(values.len());
    for ((node, own), own_idle) in topology.nodes.iter().zip(values).zip(idle) {
        let above = |idle: bool| {
            let above = node.inputs.iter().map(|&input| leaving[input]).filter(move |above| above.idle == idle);
            above.filter_map(|above| above.watermark).min()
        };
        let awaited = above(false);
        let here = own.or(awaited).or_else(|| above(true));
        let idle = if own.is_some() { *own_idle } else { awaited.is_none() && here.is_some() };
        reached.push(here.unwrap_or_default());
        let watermark = match node.watermark {
            OutputWatermark::Own { .. } | OutputWatermark::Input => here,
            OutputWatermark::HeldBack(span) => here.map(|watermark| held_back(watermark, span)),
            OutputWatermark::None => None,
        };
        leaving.push(Leaving { watermark, idle });
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
            results: Vec::new(),
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
        let own = OutputWatermark::own(TimeSpan::ZERO);
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
            (OutputWatermark::own(TimeSpan::ZERO), at(5), at(5)),
        ] {
            let own = matches!(through, OutputWatermark::Own { .. }).then(|| at(5));
            let values = [None, Some(at(100)), Some(at(90)), own, None, None];
            let reached = pushed_down(&values, &[false; 6], &topology(through));
            let here = own.unwrap_or(at(100));
            assert_eq!(reached, [none, at(100), at(90), here, after, joined], "{through:?}");
        }
    }

    #[test]
    fn before_the_first_row_there_is_none_to_hold_back_and_the_end_of_time_is_the_end() {
        let topology = topology(OutputWatermark::HeldBack(TimeSpan::from_seconds(1)));
        let end = Watermark(Some(Timestamp::END));
        for value in [Watermark::NONE, end] {
            let reached = pushed_down(&[None, Some(value), Some(end), None, None, None], &[false; 6], &topology);
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

    /// `quick` and `slow` meet in `both`.
    fn meeting(idle_after: Option<TimeSpan>) -> Topology {
        let own = OutputWatermark::Own { delay: TimeSpan::ZERO, idle_after };
        let nodes = vec![
            node("quick", own, &[]),
            node("slow", own, &[]),
            node("both", OutputWatermark::Input, &[0, 1]),
            node("below", OutputWatermark::Input, &[2]),
        ];
        Topology { nodes }
    }

    fn seen(quick: Watermark, slow: Watermark) -> Vec<Watermark> {
        vec![quick, slow, Watermark::NONE, Watermark::NONE]
    }

    #[test]
    fn a_silent_input_is_waited_for_until_it_is_idle_and_again_when_it_returns() {
        let (none, now) = (Watermark::NONE, |millis: i64| Timestamp::from_micros(millis * 1000));
        for (idle_after, while_silent) in [(None, at(10)), (Some(TimeSpan::from_seconds(1)), at(90))] {
            let topology = meeting(idle_after);
            let mut watermarks = Watermarks::new(&topology);
            let below = |watermarks: &Watermarks| {
                let InForce { late, evict } = watermarks.in_force(&topology);
                (late[3], evict[3])
            };
            watermarks.look_for_idle(&topology, now(5_000));
            watermarks.advance(&topology, &seen(at(20), at(10)));
            watermarks.look_for_idle(&topology, now(5_100));
            assert_eq!(below(&watermarks), (none, at(10)));
            watermarks.advance(&topology, &seen(at(90), none));
            watermarks.look_for_idle(&topology, now(6_099));
            assert_eq!(below(&watermarks), (at(10), at(10)), "silent, but not for long enough");
            watermarks.look_for_idle(&topology, now(6_100));
            assert_eq!(below(&watermarks), (at(10), while_silent), "{idle_after:?}");
            watermarks.advance(&topology, &seen(at(95), at(50)));
            watermarks.look_for_idle(&topology, now(6_200));
            assert_eq!(below(&watermarks).1, at(50).max(while_silent), "what was reached is not given up");
            assert_eq!(below(&watermarks).0, while_silent);
            assert!(watermarks.idle(&topology).is_empty());
        }
    }

    #[test]
    fn when_all_inputs_are_idle_the_watermark_stays() {
        let topology = meeting(Some(TimeSpan::from_seconds(1)));
        let mut watermarks = Watermarks::new(&topology);
        let (none, now) = (Watermark::NONE, |millis: i64| Timestamp::from_micros(millis * 1000));
        watermarks.look_for_idle(&topology, now(0));
        watermarks.advance(&topology, &seen(at(20), at(10)));
        watermarks.look_for_idle(&topology, now(0));
        watermarks.look_for_idle(&topology, now(9_000));
        assert_eq!(watermarks.idle(&topology).len(), 2);
        assert_eq!((watermarks.in_force(&topology).evict[3], watermarks.least()), (at(10), Some(at(10))));
        watermarks.advance(&topology, &seen(at(30), none));
        watermarks.look_for_idle(&topology, now(9_001));
        assert_eq!(watermarks.idle(&topology).into_iter().collect::<Vec<_>>(), ["slow"]);
        assert_eq!((watermarks.in_force(&topology).evict[3], watermarks.least()), (at(30), Some(at(30))));
    }
}
