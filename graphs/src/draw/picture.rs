//! A plan as boxes and arrows, before anybody decides where they stand.

use petgraph::visit::EdgeRef;
use serde::Serialize;
use watershed_core::epoch::Port;
use watershed_core::node::{NodeEntry, StateNeed};
use watershed_core::plan::{Plan, PlanNode, Role, Trigger};
use watershed_core::stream::{EventTimeKind, Mode, Stream};

use super::facts::facts;
use crate::describe::edge::{outgoing, ports};

/// The most lines a box shows.
const LINES_SHOWN: usize = 9;
/// The most lines one fact may take.
const LINES_A_FACT: usize = 4;
/// What a fact's further lines begin with; spaces that no reader folds.
pub(crate) const INDENT: &str = "\u{a0}\u{a0}";

/// What there is to draw.
#[derive(Clone, Debug)]
pub(crate) struct Picture {
    /// The graph's name.
    pub(crate) title: String,
    /// How it is run, in a few words.
    pub(crate) subtitle: String,
    /// The nodes, in the plan's order.
    pub(crate) boxes: Vec<NodeBox>,
    /// The edges, in the plan's order.
    pub(crate) arrows: Vec<Arrow>,
}

/// A node.
#[derive(Clone, Debug)]
pub(crate) struct NodeBox {
    /// Its name in the graph.
    pub(crate) name: String,
    /// Its type's name.
    pub(crate) type_name: &'static str,
    /// Which colour and shape it has.
    pub(crate) look: Look,
    /// What the file says of it, a line each, none longer than asked for.
    pub(crate) facts: Vec<String>,
}

/// What tells the boxes apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Look {
    Source,
    Stateless,
    Stateful,
    /// Keeps state that nothing bounds.
    Growing,
    Sink,
}

impl Look {
    /// A word for the corner of the box.
    pub(crate) const fn badge(self) -> Option<&'static str> {
        match self {
            Self::Stateful => Some("state"),
            Self::Growing => Some("state ∞"),
            Self::Source | Self::Stateless | Self::Sink => None,
        }
    }
}

/// An edge, by the places of its ends in [`Picture::boxes`].
#[derive(Clone, Debug)]
pub(crate) struct Arrow {
    pub(crate) from: usize,
    pub(crate) to: usize,
    /// What flows there, where it is worth a word: ports, mode, watermark.
    pub(crate) label: Vec<String>,
    /// A side output, such as rows that came too late.
    pub(crate) side: bool,
}

impl Picture {
    /// The picture of `plan`, with facts cut to `width` characters.
    pub(crate) fn of(plan: &Plan, width: usize) -> Self {
        let boxes = plan.dag.node_weights().map(|node| node_box(node, width)).collect();
        let arrow = |edge: petgraph::graph::EdgeReference<'_, watershed_core::plan::PlanEdge>| {
            let (from, to) = (&plan.dag[edge.source()], &plan.dag[edge.target()]);
            let ports = *edge.weight();
            let mut label: Vec<String> =
                [output_port(from, ports.from), input_port(to, ports.to)].into_iter().flatten().collect();
            label.extend(outgoing(from, ports.from).into_iter().flat_map(stream_words));
            Arrow { from: edge.source().index(), to: edge.target().index(), label, side: ports.from != Port::FIRST }
        };
        let arrows = plan.dag.edge_references().map(arrow).collect();
        Self { title: plan.name.clone(), subtitle: subtitle(plan), boxes, arrows }
    }
}

fn subtitle(plan: &Plan) -> String {
    let trigger = match plan.run.trigger {
        Trigger::Continuous => "runs continuously".to_owned(),
        Trigger::Every(span) => format!("an epoch every {span}"),
        Trigger::AvailableNow => "runs over what is available now".to_owned(),
        Trigger::Once => "runs one epoch".to_owned(),
    };
    match &plan.run.checkpoint {
        Some(directory) => format!("{trigger} · checkpoint {directory}"),
        None => trigger,
    }
}

fn node_box(node: &PlanNode, width: usize) -> NodeBox {
    let (look, entry, facts) = match &node.role {
        Role::Source(spec, _) => described(Look::Source, spec.entry(), &**spec),
        Role::Sink(spec, _) => described(Look::Sink, spec.entry(), &**spec),
        Role::Operator { spec, signature, .. } => {
            let look = match signature.state {
                StateNeed::None => Look::Stateless,
                StateNeed::Bounded => Look::Stateful,
                StateNeed::Unbounded => Look::Growing,
            };
            described(look, spec.entry(), &**spec)
        }
    };
    NodeBox { name: node.name.to_string(), type_name: entry.name, look, facts: shortened(facts, width) }
}

fn described<N: Serialize + ?Sized>(
    look: Look,
    entry: &'static NodeEntry,
    spec: &N,
) -> (Look, &'static NodeEntry, Vec<String>) {
    (look, entry, facts(spec, entry))
}

/// At most [`LINES_SHOWN`] lines of at most `width` characters.
fn shortened(facts: Vec<String>, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = facts.into_iter().flat_map(|fact| broken(&fact, width)).collect();
    if lines.len() > LINES_SHOWN {
        lines.truncate(LINES_SHOWN - 1);
        lines.push("…".to_owned());
    }
    lines
}

/// A fact in lines of at most `width` characters, broken at spaces where there are any, and cut when it is too long.
fn broken(fact: &str, width: usize) -> Vec<String> {
    let fact = fact.replace(char::is_control, " ");
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    for word in fact.split_inclusive(' ') {
        if !line.is_empty() && line.chars().count() + word.trim_end().chars().count() > width {
            lines.push(std::mem::replace(&mut line, INDENT.to_owned()));
        }
        line.push_str(word);
    }
    lines.push(line);
    let is_cut = lines.len() > LINES_A_FACT;
    lines.truncate(LINES_A_FACT);
    if let Some(last) = lines.last_mut().filter(|_| is_cut) {
        last.push('…');
    }
    lines.iter().map(|line| cut(line.trim_end_matches(' '), width)).collect()
}

fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width { text.to_owned() } else { text.chars().take(width - 1).chain(['…']).collect() }
}

/// The output port's name, unless it is the default one.
fn output_port(node: &PlanNode, port: Port) -> Option<String> {
    let name = ports(node).outputs.get(port.0)?.to_string();
    (port != Port::FIRST).then_some(name)
}

/// The input port's name, unless the node has only one.
fn input_port(node: &PlanNode, port: Port) -> Option<String> {
    let ports = ports(node);
    let name = ports.inputs.get(port.0)?;
    (ports.inputs.len() > 1).then(|| format!("→ {name}"))
}

/// The mode, unless rows are facts; and event time with how far the watermark stays behind it.
fn stream_words(stream: &Stream) -> Vec<String> {
    let mut words = Vec::new();
    if stream.mode != Mode::Append {
        words.push(stream.mode.to_string());
    }
    // A window's two edges say the same: its end is the one that counts.
    for tag in
        stream.event_times.iter().filter(|tag| tag.kind == EventTimeKind::WindowEnd || stream.event_times.len() == 1)
    {
        words.push(if stream.watermarks.is_empty() {
            tag.column.clone()
        } else {
            format!("{} − {}", tag.column, tag.delay)
        });
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::sketch;

    #[test]
    fn an_arrow_says_what_is_not_ordinary() {
        let picture = Picture::of(&sketch::activity(), 40);
        let labels: Vec<String> = picture.arrows.iter().map(|arrow| arrow.label.join(" · ")).collect();
        assert_eq!(labels, ["", "", "event_time − 30m", "Update · event_time − 30m", "late · event_time − 30m"]);
        assert!(picture.arrows[4].side);
    }

    #[test]
    fn an_input_port_is_named_where_there_are_two() {
        let picture = Picture::of(&sketch::tangle(), 40);
        assert_eq!(picture.arrows[3].label[0], "→ right");
    }

    #[test]
    fn a_long_fact_takes_several_lines() {
        let picture = Picture::of(&sketch::activity(), 24);
        let facts = &picture.boxes[3].facts;
        assert_eq!(facts[..2], ["window: Sliding(size:", "\u{a0}\u{a0}\"10m\", slide: \"5m\")"]);
        assert_eq!(picture.boxes[3].look, Look::Stateful);
    }

    #[test]
    fn a_fact_that_is_too_long_is_cut() {
        assert_eq!(broken("abcdefgh", 5), ["abcd…"]);
        assert_eq!(broken("a b c d e f g h i", 3), ["a b", "\u{a0}\u{a0}c", "\u{a0}\u{a0}d", "\u{a0}\u{a0}…"]);
    }
}
