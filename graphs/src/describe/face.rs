//! What only a node itself can tell: its ports, and what it promises. The registered example makes one to ask.

use std::sync::Arc;

use watershed_core::node::{Kind, NodeEntry, OperatorSpec, PortName, Ports, SinkSpec, SourceSpec};
use watershed_core::schema::parse_ddl;
use watershed_core::stream::{Mode, Stream};

use crate::{adapter, syntax};

/// What a node tells of itself.
#[derive(Clone, Debug, Default)]
pub(super) struct Face {
    pub(super) inputs: Vec<PortName>,
    pub(super) optional_inputs: Vec<PortName>,
    pub(super) many_edges: bool,
    pub(super) outputs: Vec<PortName>,
    pub(super) notes: Vec<String>,
}

impl Face {
    /// Asks the example of `entry`; an example that does not load has no face, which a test over all entries forbids.
    pub(super) fn of(entry: &NodeEntry) -> Option<Self> {
        Some(match entry.kind {
            Kind::Source => Self::of_source(&*example::<Box<dyn SourceSpec>>(entry)?),
            Kind::Operator => Self::of_operator(&*example::<Box<dyn OperatorSpec>>(entry)?),
            Kind::Sink => Self::of_sink(&*example::<Box<dyn SinkSpec>>(entry)?),
        })
    }

    fn of_source(node: &dyn SourceSpec) -> Self {
        let note = if node.replayable() {
            "The same rows can be read again after a restart."
        } else {
            "Rows cannot be read again: what was read when the program stops is not seen after a restart."
        };
        Self { outputs: Ports::PLAIN.outputs.to_vec(), notes: vec![note.to_owned()], ..Self::default() }
    }

    fn of_operator(node: &dyn OperatorSpec) -> Self {
        let ports = node.ports();
        Self {
            optional_inputs: ports.optional.iter().filter_map(|port| ports.inputs.get(port.0).cloned()).collect(),
            inputs: ports.inputs.to_vec(),
            many_edges: ports.many,
            outputs: ports.outputs.to_vec(),
            notes: Vec::new(),
        }
    }

    fn of_sink(node: &dyn SinkSpec) -> Self {
        let mut notes = vec![format!("A row is delivered {}.", node.delivery())];
        notes.extend(modes_taken(node));
        Self { inputs: Ports::PLAIN.inputs.to_vec(), notes, ..Self::default() }
    }
}

/// Which output modes a sink takes, found by offering it a simple stream of each.
fn modes_taken(node: &dyn SinkSpec) -> Option<String> {
    let schema = parse_ddl("value STRING").expect("the schema of one column is right");
    let keys = vec!["value".to_owned()];
    let modes = [Mode::Append, Mode::Update(keys.clone()), Mode::Complete(keys)];
    let taken = modes
        .into_iter()
        .filter(|mode| node.check(&Stream { mode: mode.clone(), ..Stream::of(Arc::clone(&schema)) }).is_ok());
    let words: Vec<String> = taken.map(|mode| format!("`{mode}`")).collect();
    // A sink that wants other columns says nothing of modes here.
    match words.as_slice() {
        [] => None,
        [one] => Some(format!("Takes streams of mode {one} only.")),
        several => Some(format!("Takes streams of the modes {}.", several.join(", "))),
    }
}

fn example<T: for<'de> serde::Deserialize<'de>>(entry: &NodeEntry) -> Option<T> {
    let (tree, _) = syntax::parse(entry.example, 0..entry.example.len(), None);
    let (node, _) = adapter::read_node(entry.example, &tree?).ok()?;
    Some(node)
}
