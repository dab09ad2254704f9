//! What checking found out of the nodes of a plan, in words: what comes in and goes out, event time and watermark, and how long
//! what is kept.

use std::collections::BTreeMap;

use petgraph::Direction;
use petgraph::algo::toposort;
use petgraph::graph::NodeIndex;
use petgraph::visit::EdgeRef;
use serde::Serialize;
use watershed_core::node::{OutputWatermark, PortName, StateNeed};
use watershed_core::plan::{Plan, PlanNode, Role};
use watershed_core::stream::{EventTimeKind, Mode, Stream};
use watershed_core::time::TimeSpan;

use super::edge::{outgoing, ports};

/// What is known of a node once the graph is checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NodeDescription {
    /// Its name.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub type_name: &'static str,
    /// What enters, edge by edge.
    pub inputs: Vec<PortDescription>,
    /// What leaves, edge by edge.
    pub outputs: Vec<PortDescription>,
    /// Where its watermark comes from; none for a source, and where no event time is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watermark: Option<String>,
    /// What is kept from epoch to epoch, and until when, and other facts of the node.
    pub notes: Vec<String>,
}

/// An edge as one of its nodes sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PortDescription {
    /// The node's own port.
    pub port: PortName,
    /// The node at the other end.
    pub node: String,
    /// `Append`, `Update by …` or `Complete by …`, and the columns of event time.
    pub stream: String,
}

/// How far behind each watermark node the watermark is.
type Behind = BTreeMap<String, TimeSpan>;

/// Describes all nodes, in the order of the file.
pub fn describe_nodes(plan: &Plan) -> Vec<NodeDescription> {
    // ORDER: a node's watermark comes of those above it. A plan has no cycles, so every node is in the order.
    let mut leaving: BTreeMap<NodeIndex, Behind> = BTreeMap::new();
    let mut reached: BTreeMap<NodeIndex, Behind> = BTreeMap::new();
    for index in toposort(&plan.dag, None).unwrap_or_default() {
        let mut here = Behind::new();
        for above in plan.dag.neighbors_directed(index, Direction::Incoming) {
            for (name, span) in leaving.get(&above).into_iter().flatten() {
                let slowest = here.entry(name.clone()).or_default();
                *slowest = (*slowest).max(*span);
            }
        }
        leaving.insert(index, after(&plan.dag[index], &here));
        reached.insert(index, here);
    }
    plan.dag.node_indices().map(|index| described(plan, index, reached.get(&index))).collect()
}

/// What leaves a node that this reaches.
fn after(node: &PlanNode, here: &Behind) -> Behind {
    let Role::Operator { signature, .. } = &node.role else { return here.clone() };
    match signature.watermark {
        OutputWatermark::Input => here.clone(),
        OutputWatermark::HeldBack(span) => {
            let later = |behind: TimeSpan| behind.micros().saturating_add(span.max(TimeSpan::ZERO).micros());
            here.iter().map(|(name, behind)| (name.clone(), TimeSpan::from_micros(later(*behind)))).collect()
        }
        OutputWatermark::None => Behind::new(),
        OutputWatermark::Own { .. } => Behind::from([(node.name.to_string(), TimeSpan::ZERO)]),
    }
}

fn described(plan: &Plan, index: NodeIndex, reached: Option<&Behind>) -> NodeDescription {
    let node = &plan.dag[index];
    let (mut inputs, mut outputs): (Vec<_>, Vec<_>) = (Vec::new(), Vec::new());
    // petgraph gives edges the last first.
    for edge in plan.dag.edges_directed(index, Direction::Incoming) {
        let stream = outgoing(&plan.dag[edge.source()], edge.weight().from);
        inputs.push((edge.id(), end(&ports(node).inputs, edge.weight().to.0, &plan.dag[edge.source()], stream)));
    }
    for edge in plan.dag.edges_directed(index, Direction::Outgoing) {
        let stream = outgoing(node, edge.weight().from);
        outputs.push((edge.id(), end(&ports(node).outputs, edge.weight().from.0, &plan.dag[edge.target()], stream)));
    }
    let in_order = |mut ends: Vec<(_, Option<PortDescription>)>| {
        ends.sort_by_key(|(edge, _)| *edge);
        ends.into_iter().filter_map(|(_, end)| end).collect()
    };
    let (type_name, watermark, notes) = match &node.role {
        Role::Source(spec, _) => (spec.entry().name, None, Vec::new()),
        Role::Sink(spec, _) => (spec.entry().name, reached.and_then(least), Vec::new()),
        Role::Operator { spec, signature, .. } => {
            let watermark = match signature.watermark {
                OutputWatermark::Own { delay, .. } => Some(format!("its own, {delay} behind the newest event time")),
                OutputWatermark::Input => reached.and_then(least),
                OutputWatermark::HeldBack(span) if span <= TimeSpan::ZERO => reached.and_then(least),
                OutputWatermark::HeldBack(span) => {
                    reached.and_then(least).map(|least| format!("{least}; {span} earlier for what follows"))
                }
                OutputWatermark::None => reached.and_then(least).map(|least| format!("{least}; none for what follows")),
            };
            (spec.entry().name, watermark, notes(signature.state, &signature.notes))
        }
    };
    NodeDescription {
        name: node.name.to_string(),
        type_name,
        inputs: in_order(inputs),
        outputs: in_order(outputs),
        watermark,
        notes,
    }
}

/// What a node says of itself; where it keeps something and says nothing, that much.
fn notes(state: StateNeed, said: &[String]) -> Vec<String> {
    let general = match state {
        _ if !said.is_empty() => return said.to_vec(),
        StateNeed::None => return Vec::new(),
        StateNeed::Bounded => "what it keeps is bounded",
        StateNeed::Unbounded => "what it keeps grows for ever",
    };
    vec![general.to_owned()]
}

fn end(names: &[PortName], port: usize, other: &PlanNode, stream: Option<&Stream>) -> Option<PortDescription> {
    Some(PortDescription { port: names.get(port)?.clone(), node: other.name.to_string(), stream: in_words(stream?) })
}

fn in_words(stream: &Stream) -> String {
    let mode = match &stream.mode {
        Mode::Update(keys) | Mode::Complete(keys) if !keys.is_empty() => {
            format!("{} by {}", stream.mode, quoted(keys.iter().map(String::as_str)))
        }
        mode => mode.to_string(),
    };
    let time = |kind: EventTimeKind| {
        let tags = stream.event_times.iter().filter(move |tag| tag.kind == kind);
        quoted(tags.map(|tag| tag.column.as_str()))
    };
    let times = [(EventTimeKind::Instant, "event time"), (EventTimeKind::WindowEnd, "ends of windows")]
        .map(|(kind, words)| (words, time(kind)));
    let times = times.into_iter().filter(|(_, columns)| !columns.is_empty());
    times.fold(mode, |text, (words, columns)| format!("{text}, {words} {columns}"))
}

fn quoted<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// The least of the watermarks that reach a node.
fn least(reached: &Behind) -> Option<String> {
    let mut names = reached.iter().map(|(name, behind)| match *behind {
        TimeSpan::ZERO => format!("`{name}`"),
        behind => format!("`{name}` - {behind}"),
    });
    let (first, rest) = (names.next()?, names.collect::<Vec<_>>());
    Some(match rest.as_slice() {
        [] => format!("that of {first}"),
        [most @ .., last] => {
            let most = [&[first], most].concat().join(", ");
            format!("the least of {most} and {last}")
        }
    })
}

#[cfg(test)]
mod tests {
    use watershed_core::node::Signature;
    use watershed_core::plan::{Dag, PlanEdge, RunOptions};

    use super::*;
    use crate::draw::sketch::{PLAIN, SketchFilter, marked, operator, sink, source, stream};
    use watershed_core::epoch::Port;

    fn node(dag: &mut Dag, name: &str, above: &[NodeIndex], watermark: OutputWatermark, notes: &[&str]) -> NodeIndex {
        let spec = SketchFilter("true".to_owned());
        let outputs = vec![marked(Mode::Append), stream()];
        let index = operator(dag, name, spec, outputs, StateNeed::Bounded);
        if let Role::Operator { signature, .. } = &mut dag[index].role {
            let notes = notes.iter().map(|note| (*note).to_owned()).collect();
            *signature = Signature { watermark, notes, ..signature.clone() };
        }
        for &above in above {
            dag.add_edge(above, index, PLAIN);
        }
        index
    }

    #[test]
    fn a_watermark_is_followed_through_the_nodes_that_hold_it_back() {
        let mut dag = Dag::new();
        let (seconds, own) = (TimeSpan::from_seconds, |span| OutputWatermark::own(span));
        let first = source(&mut dag, "first");
        let marked = node(&mut dag, "marked", &[first], own(seconds(9)), &[]);
        let other = node(&mut dag, "other", &[first], own(seconds(1)), &[]);
        let plain = node(&mut dag, "plain", &[marked, other], OutputWatermark::Input, &[]);
        let held = node(&mut dag, "held", &[marked], OutputWatermark::HeldBack(seconds(5)), &["kept a while"]);
        let held_again = node(&mut dag, "held_again", &[held, other], OutputWatermark::HeldBack(seconds(2)), &[]);
        let both = node(&mut dag, "both", &[plain, held_again], OutputWatermark::None, &[]);
        let end = sink(&mut dag, "end");
        dag.add_edge(both, end, PLAIN);
        dag.add_edge(held, end, PlanEdge { from: Port(1), to: Port(0) });
        let plan = Plan { name: "watermarks".to_owned(), text: String::new(), dag, run: RunOptions::default() };
        let nodes = describe_nodes(&plan);
        let found: Vec<(&str, Option<&str>)> =
            nodes.iter().map(|node| (node.name.as_str(), node.watermark.as_deref())).collect();
        assert_eq!(
            found,
            [
                ("first", None),
                ("marked", Some("its own, 9s behind the newest event time")),
                ("other", Some("its own, 1s behind the newest event time")),
                ("plain", Some("the least of `marked` and `other`")),
                ("held", Some("that of `marked`; 5s earlier for what follows")),
                ("held_again", Some("the least of `marked` - 5s and `other`; 2s earlier for what follows")),
                ("both", Some("the least of `marked` - 7s and `other` - 2s; none for what follows")),
                ("end", Some("that of `marked` - 5s")),
            ]
        );
        assert_eq!(
            (&nodes[4].notes[..], &nodes[3].notes[..]),
            (&["kept a while".to_owned()][..], &["what it keeps is bounded".to_owned()][..])
        );
        let end = nodes.last().expect("the sink");
        let inputs: Vec<_> = end.inputs.iter().map(|input| (input.node.as_str(), input.stream.as_str())).collect();
        assert_eq!(inputs, [("both", "Append, event time `event_time`"), ("held", "Append")]);
        assert_eq!((&*nodes[4].outputs[0].port, nodes[4].outputs[0].node.as_str()), ("out", "held_again"));
    }

    #[test]
    fn keys_and_times_of_a_stream_are_named() {
        let mut stream = marked(Mode::Update(vec!["a".to_owned(), "b".to_owned()]));
        stream.event_times[0].kind = EventTimeKind::WindowEnd;
        assert_eq!(in_words(&stream), "Update by `a`, `b`, ends of windows `event_time`");
    }
}
