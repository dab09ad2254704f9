//! What becomes of a checkpoint's state when the graph has changed: node by node, before anything starts.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use super::record::{GraphRecord, NodeRecord, NodeRole, WatermarkRecord};
use crate::node::Stateful;
use crate::state::{ColumnRecord, EarlierState};
use crate::time::Watermark;

/// What is found when a graph is held against a checkpoint.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Verdict {
    /// Every node of either, in the order of names.
    pub nodes: Vec<NodeVerdict>,
}

impl Verdict {
    /// The nodes that go on with what they had: their names now and in the checkpoint.
    pub fn carried(&self) -> impl Iterator<Item = (String, String)> {
        self.nodes.iter().filter_map(|node| match &node.change {
            Change::Keep => Some((node.node.clone(), node.node.clone())),
            Change::Renamed { from } => Some((node.node.clone(), from.clone())),
            _ => None,
        })
    }

    /// A watermark that has come anywhere is not forgotten unasked either: rows that were late would count again.
    pub fn keep_watermarks(
        &mut self,
        before: &GraphRecord,
        now: &BTreeMap<String, GraphNode>,
        watermarks: &BTreeMap<String, WatermarkRecord>,
    ) {
        let is_no_more = |node: &NodeVerdict| match (before.nodes.get(&node.node), now.get(&node.node)) {
            (Some(old), Some(new)) => node.change == Change::Keep && old.kind != new.record.kind,
            _ => node.change == Change::Removed,
        };
        for node in self.nodes.iter_mut().filter(|node| is_no_more(node)) {
            if watermarks.get(&node.node).is_some_and(|record| record.next != Watermark::NONE) {
                node.change = Change::Lost;
                node.reasons = vec!["how far event time has come would be forgotten".to_owned()];
                node.successors =
                    before.nodes.get(&node.node).map_or_else(Vec::new, |old| successors(old, before, now));
            }
        }
    }

    /// The nodes for which the graph may not go on.
    fn obstacles(&self) -> impl Iterator<Item = &NodeVerdict> {
        self.nodes.iter().filter(|node| node.change.stops())
    }

    /// Whether the graph may go on from the checkpoint.
    pub fn is_compatible(&self) -> bool {
        self.obstacles().next().is_none()
    }
}

/// What keeps the graph from going on, node by node.
impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let obstacle = |node: &NodeVerdict| format!("`{}`: {}", node.node, node.reasons.join(", "));
        f.write_str(&self.obstacles().map(obstacle).collect::<Vec<_>>().join("; "))
    }
}

/// What becomes of one node.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NodeVerdict {
    /// Its name; of a removed node, the one in the checkpoint.
    pub node: String,
    /// Source, operator or sink.
    pub role: NodeRole,
    /// What becomes of it.
    pub change: Change,
    /// Why: one reason each.
    pub reasons: Vec<String>,
    /// Whether its state is taken over from another version of the operator, or from other columns.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub migrated: bool,
    /// Of a node that is gone: new nodes that could go on with what it had, would it be renamed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub successors: Vec<String>,
}

/// What becomes of a node's state and place in its input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// It goes on as before.
    Keep,
    /// It was not there before, and starts with nothing.
    New,
    /// It goes on under another name than it had.
    Renamed {
        /// The name in the checkpoint.
        from: String,
    },
    /// Its state is dropped, as was asked for.
    Reset,
    /// It is gone, and kept nothing.
    Removed,
    /// It is gone, and what it kept would be lost: refused until that is asked for.
    Lost,
    /// What it kept does not fit any more: refused until it is dropped.
    Incompatible,
}

impl Change {
    /// Whether the graph may not start.
    pub const fn stops(&self) -> bool {
        matches!(self, Self::Lost | Self::Incompatible)
    }
}

/// What the author asks for about state that does not fit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Adjustments {
    /// Nodes whose state is to be dropped.
    pub reset: BTreeSet<String>,
    /// By a node's name in the graph, the name it has in the checkpoint.
    pub renamed: BTreeMap<String, String>,
}

/// A node of the graph that is to be run.
#[derive(Clone)]
pub struct GraphNode {
    /// What a checkpoint will remember of it.
    pub record: NodeRecord,
    /// Fields of its spec that do not concern what it keeps.
    pub free_fields: Vec<&'static str>,
    /// Of a stateful operator: who is asked whether it takes over state that differs.
    pub operator: Option<Arc<dyn Stateful>>,
}

impl NodeRecord {
    /// Its state, for the operator that may take it over.
    pub fn earlier_state(&self) -> EarlierState {
        EarlierState { version: self.state_version, tables: self.tables.clone() }
    }
}

/// Holds a graph against what a checkpoint remembers. `Err`: adjustments that name no node.
pub fn compare(
    before: &GraphRecord,
    now: &BTreeMap<String, GraphNode>,
    adjustments: &Adjustments,
) -> Result<Verdict, Vec<String>> {
    let wrong = misnamed(before, now, adjustments);
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let mut nodes: Vec<NodeVerdict> = now.iter().map(|(name, node)| judge(name, node, before, adjustments)).collect();
    let carried: BTreeSet<&String> = adjustments.renamed.values().collect();
    for (name, old) in before.nodes.iter().filter(|(name, _)| !now.contains_key(*name) && !carried.contains(name)) {
        let (change, reasons) = gone(name, old, adjustments);
        let successors = if change == Change::Reset { Vec::new() } else { successors(old, before, now) };
        nodes.push(NodeVerdict { node: name.clone(), role: old.role, change, reasons, migrated: false, successors });
    }
    nodes.sort_by(|one, other| one.node.cmp(&other.node));
    Ok(Verdict { nodes })
}

fn misnamed(before: &GraphRecord, now: &BTreeMap<String, GraphNode>, adjustments: &Adjustments) -> Vec<String> {
    let mut wrong = Vec::new();
    for name in &adjustments.reset {
        if !before.nodes.contains_key(name) {
            wrong.push(format!("`--reset {name}`: the checkpoint holds no node `{name}`"));
        }
    }
    let mut taken = BTreeSet::new();
    for (new, old) in &adjustments.renamed {
        let option = format!("`--rename {old}={new}`");
        if !before.nodes.contains_key(old) {
            wrong.push(format!("{option}: the checkpoint holds no node `{old}`"));
        } else if now.contains_key(old) {
            wrong.push(format!("{option}: the graph still has a node `{old}`"));
        } else if !taken.insert(old) {
            wrong.push(format!("{option}: `{old}` is renamed twice"));
        }
        if !now.contains_key(new) {
            wrong.push(format!("{option}: the graph has no node `{new}`"));
        } else if before.nodes.contains_key(new) {
            wrong.push(format!("{option}: the checkpoint already holds a node `{new}`"));
        }
    }
    wrong
}

fn judge(name: &str, node: &GraphNode, before: &GraphRecord, adjustments: &Adjustments) -> NodeVerdict {
    let role = node.record.role;
    let verdict = |change, reasons| NodeVerdict {
        node: name.to_owned(),
        role,
        change,
        reasons,
        migrated: false,
        successors: Vec::new(),
    };
    let from = adjustments.renamed.get(name);
    let Some(old) = before.nodes.get(from.map_or(name, String::as_str)) else {
        return verdict(Change::New, Vec::new());
    };
    if adjustments.reset.contains(from.map_or(name, String::as_str)) {
        return verdict(Change::Reset, vec!["`--reset` was given".to_owned()]);
    }
    let Differences { mut obstacles, mut notes, of_state } = differences(old, node);
    let mut migrated = false;
    if obstacles.is_empty() && !of_state.is_empty() {
        let adopted = node.operator.as_ref().map_or(Err(Vec::new()), |operator| operator.adopts(&old.earlier_state()));
        migrated = adopted.is_ok();
        match adopted {
            Ok(how) => notes.extend(how),
            Err(why) => obstacles = of_state.into_iter().chain(why).collect(),
        }
    }
    if !obstacles.is_empty() {
        return verdict(Change::Incompatible, obstacles);
    }
    let change = from.map_or(Change::Keep, |from| Change::Renamed { from: from.clone() });
    NodeVerdict { migrated, ..verdict(change, notes) }
}

fn gone(name: &str, old: &NodeRecord, adjustments: &Adjustments) -> (Change, Vec<String>) {
    if adjustments.reset.contains(name) {
        return (Change::Reset, vec!["`--reset` was given".to_owned()]);
    }
    match old.role {
        NodeRole::Source => (Change::Lost, vec!["how far it was read would be forgotten".to_owned()]),
        NodeRole::Operator if !old.tables.is_empty() => (Change::Lost, vec!["its state would be lost".to_owned()]),
        NodeRole::Operator | NodeRole::Sink => (Change::Removed, Vec::new()),
    }
}

/// New nodes of the same type that could take over what a node kept.
fn successors(old: &NodeRecord, before: &GraphRecord, now: &BTreeMap<String, GraphNode>) -> Vec<String> {
    let new = now.iter().filter(|(name, _)| !before.nodes.contains_key(*name));
    let fits = |node: &GraphNode| {
        old.role == node.record.role && old.kind == node.record.kind && differences(old, node).is_harmless()
    };
    new.filter(|(_, node)| fits(node)).map(|(name, _)| name.clone()).collect()
}

/// How a node differs from what it was.
#[derive(Default)]
struct Differences {
    /// What keeps it from going on.
    obstacles: Vec<String>,
    /// What has changed without harm.
    notes: Vec<String>,
    /// What has changed in the state it keeps: an obstacle unless the operator can take that over.
    of_state: Vec<String>,
}

impl Differences {
    fn is_harmless(&self) -> bool {
        self.obstacles.is_empty() && self.of_state.is_empty()
    }
}

fn differences(old: &NodeRecord, node: &GraphNode) -> Differences {
    let new = &node.record;
    let Differences { mut obstacles, mut notes, mut of_state } = Differences::default();
    let keeps = !old.tables.is_empty() || old.role == NodeRole::Source;
    if old.role != new.role {
        let change = format!("it was {}, and is {}", old.role.described(), new.role.described());
        let list = if keeps { &mut obstacles } else { &mut notes };
        list.push(change);
        return Differences { obstacles, notes, of_state };
    }
    if old.kind != new.kind {
        let change = format!("it was a `{}`, and is a `{}`", old.kind, new.kind);
        let list = if keeps { &mut obstacles } else { &mut notes };
        list.push(change);
        return Differences { obstacles, notes, of_state };
    }
    let (was, is) = (fields(&old.spec), fields(&new.spec));
    let names: BTreeSet<&str> = was.keys().chain(is.keys()).copied().collect();
    for name in names {
        let (was, is) = (was.get(name).copied().unwrap_or(&Value::Null), is.get(name).copied().unwrap_or(&Value::Null));
        if was != is {
            let change = format!("`{name}` was {}, and is {}", shown(was), shown(is));
            let matters = old.role == NodeRole::Operator && keeps && !node.free_fields.contains(&name);
            let list = if matters { &mut obstacles } else { &mut notes };
            list.push(change);
        }
    }
    if keeps && old.state_version != new.state_version {
        of_state.push(format!(
            "its state has version {}, and the node keeps version {}",
            old.state_version, new.state_version
        ));
    }
    // A field that changed explains the columns; without one, they tell what changed above the node.
    if obstacles.is_empty() {
        for table in &old.tables {
            match new.tables.iter().find(|other| other.name == table.name) {
                None => of_state.push(format!("it no longer keeps `{}`", table.name)),
                Some(other) if other.slots != table.slots => {
                    let words = |slots: &str| if slots.is_empty() { "never".to_owned() } else { format!("by {slots}") };
                    obstacles.push(format!(
                        "rows of `{}` were dropped {}, and are dropped {}: another event time reaches it",
                        table.name,
                        words(&table.slots),
                        words(&other.slots)
                    ));
                }
                Some(other) => {
                    let sides = [("key", &table.keys, &other.keys), ("state", &table.values, &other.values)];
                    of_state.extend(sides.into_iter().flat_map(|(what, was, is)| columns(what, was, is)));
                }
            }
        }
        let more = new.tables.iter().filter(|table| !old.tables.iter().any(|other| other.name == table.name));
        if keeps {
            of_state.extend(more.map(|table| format!("it keeps `{}`, which it did not", table.name)));
        }
    }
    Differences { obstacles, notes, of_state }
}

/// Whether a node is what it was, but for fields that may change.
pub fn is_the_same(old: &NodeRecord, node: &GraphNode) -> bool {
    let (was, is) = (fields(&old.spec), fields(&node.record.spec));
    let mut names = was.keys().chain(is.keys()).filter(|name| !node.free_fields.contains(*name));
    old.role == node.record.role && old.kind == node.record.kind && names.all(|name| was.get(name) == is.get(name))
}

/// Columns are told apart by place and type. A name may change; but a name that stood elsewhere says that columns changed places.
fn columns(what: &str, was: &[ColumnRecord], is: &[ColumnRecord]) -> Vec<String> {
    if was.len() != is.len() {
        return vec![format!("it had {} {what} columns, and has {}", was.len(), is.len())];
    }
    let others: Vec<&str> = was.iter().map(|column| column.name.as_str()).collect();
    let difference = |(was, is): (&ColumnRecord, &ColumnRecord)| {
        if was.data_type != is.data_type {
            Some(format!("{what} column `{}` was {}, and is {}", is.name, was.data_type, is.data_type))
        } else if was.nullable && !is.nullable {
            Some(format!("{what} column `{}` could be null, and cannot be any more", is.name))
        } else if was.name != is.name && others.contains(&is.name.as_str()) {
            Some(format!("{what} column `{}` stands where `{}` stood", is.name, was.name))
        } else {
            None
        }
    };
    was.iter().zip(is).filter_map(difference).collect()
}

/// The fields of a spec; one that is no map has the one field `0`.
fn fields(spec: &Value) -> BTreeMap<&str, &Value> {
    match spec {
        Value::Object(map) => map.iter().map(|(name, value)| (name.as_str(), value)).collect(),
        other => BTreeMap::from([("0", other)]),
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "left out".to_owned(),
        Value::String(text) => format!("`{text}`"),
        other => format!("`{other}`"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::state::TableRecord;
    use crate::time::Timestamp;

    fn column(name: &str, data_type: &str) -> ColumnRecord {
        ColumnRecord { name: name.to_owned(), data_type: data_type.to_owned(), nullable: true }
    }

    fn node(role: NodeRole, kind: &str, spec: Value, tables: &[(&str, &str)]) -> GraphNode {
        let table = |(name, key): &(&str, &str)| TableRecord {
            name: (*name).to_owned(),
            keys: vec![column("User", key)],
            values: vec![column("count", "Int64")],
            slots: String::new(),
        };
        let tables = tables.iter().map(table).collect();
        let record = NodeRecord { role, kind: kind.to_owned(), spec, state_version: 0, tables };
        GraphNode { record, free_fields: vec!["output_mode"], operator: None }
    }

    fn window(keys: &str, mode: &str) -> GraphNode {
        node(NodeRole::Operator, "Window", json!({"keys": [keys], "output_mode": mode}), &[("groups", "Utf8")])
    }

    fn graph() -> BTreeMap<String, GraphNode> {
        BTreeMap::from([
            ("in".to_owned(), node(NodeRole::Source, "Files", json!({"path": "a"}), &[])),
            ("timed".to_owned(), node(NodeRole::Operator, "Select", json!(["x"]), &[])),
            ("counts".to_owned(), window("User", "Append")),
            ("out".to_owned(), node(NodeRole::Sink, "Files", json!({"path": "b"}), &[])),
        ])
    }

    fn before() -> GraphRecord {
        let nodes = graph().into_iter().map(|(name, node)| (name, node.record)).collect();
        GraphRecord { name: "g".to_owned(), text: String::new(), partitions: 2, nodes, flow: Vec::new() }
    }

    /// What is found of the nodes that do not simply go on.
    fn found(now: &BTreeMap<String, GraphNode>, adjustments: &Adjustments) -> Vec<String> {
        let verdict = match compare(&before(), now, adjustments) {
            Ok(verdict) => verdict,
            Err(wrong) => return wrong,
        };
        let told = |node: &&NodeVerdict| node.change != Change::Keep || !node.reasons.is_empty();
        let nodes = verdict.nodes.iter().filter(told);
        nodes.map(|node| format!("{} {:?} {}", node.node, node.change, node.reasons.join(", "))).collect()
    }

    #[test]
    fn what_concerns_no_state_may_change() {
        let none = Adjustments::default();
        assert_eq!(found(&graph(), &none), Vec::<String>::new());
        for (name, changed, expected) in [
            ("in", node(NodeRole::Source, "Files", json!({"path": "c"}), &[]), "in Keep `path` was `a`, and is `c`"),
            (
                "timed",
                node(NodeRole::Operator, "Filter", json!("x"), &[]),
                "timed Keep it was a `Select`, and is a `Filter`",
            ),
            ("counts", window("User", "Update"), "counts Keep `output_mode` was `Append`, and is `Update`"),
            ("out", node(NodeRole::Sink, "Console", json!({}), &[]), "out Keep it was a `Files`, and is a `Console`"),
            ("more", window("User", "Append"), "more New "),
        ] {
            let mut now = graph();
            now.insert(name.to_owned(), changed);
            assert_eq!(found(&now, &none), [expected]);
            assert!(compare(&before(), &now, &none).is_ok_and(|verdict| verdict.is_compatible()));
        }
    }

    #[test]
    fn what_does_not_fit_stops_the_start_and_says_why() {
        let typed = |key| {
            node(NodeRole::Operator, "Window", json!({"keys": ["User"], "output_mode": "Append"}), &[("groups", key)])
        };
        let mut version = window("User", "Append");
        version.record.state_version = 2;
        for (name, changed, expected) in [
            ("counts", window("Device", "Append"), "`keys` was `[\"User\"]`, and is `[\"Device\"]`"),
            ("counts", typed("Int64"), "key column `User` was Utf8, and is Int64"),
            ("counts", version, "its state has version 0, and the node keeps version 2"),
            ("counts", node(NodeRole::Operator, "Dedup", json!({}), &[]), "it was a `Window`, and is a `Dedup`"),
            ("counts", node(NodeRole::Sink, "Discard", json!({}), &[]), "it was an operator, and is a sink"),
            ("in", node(NodeRole::Source, "Rate", json!({}), &[]), "it was a `Files`, and is a `Rate`"),
        ] {
            let mut now = graph();
            now.insert(name.to_owned(), changed);
            assert_eq!(found(&now, &Adjustments::default()), [format!("{name} Incompatible {expected}")]);
            let reset = Adjustments { reset: BTreeSet::from([name.to_owned()]), ..Adjustments::default() };
            assert_eq!(found(&now, &reset), [format!("{name} Reset `--reset` was given")]);
        }
    }

    #[test]
    fn a_node_that_is_gone_takes_nothing_with_it_unasked() {
        let without = |gone: &[&str]| {
            let mut now = graph();
            now.retain(|name, _| !gone.contains(&name.as_str()));
            now
        };
        let none = Adjustments::default();
        assert_eq!(found(&without(&["timed"]), &none), ["timed Removed "]);
        assert_eq!(found(&without(&["out"]), &none), ["out Removed "]);
        assert_eq!(found(&without(&["counts"]), &none), ["counts Lost its state would be lost"]);
        assert_eq!(found(&without(&["in"]), &none), ["in Lost how far it was read would be forgotten"]);
        let reset = Adjustments { reset: BTreeSet::from(["counts".to_owned()]), ..Adjustments::default() };
        assert_eq!(found(&without(&["counts"]), &reset), ["counts Reset `--reset` was given"]);
    }

    #[test]
    fn a_watermark_that_has_come_anywhere_is_not_forgotten_unasked() {
        let mut now = graph();
        let timed = now.remove("timed").expect("it is there");
        now.insert("marked".to_owned(), timed);
        let judged = |next: Watermark, adjustments: &Adjustments| {
            let mut verdict = compare(&before(), &now, adjustments).expect("a verdict");
            let record = WatermarkRecord { next, ..WatermarkRecord::default() };
            verdict.keep_watermarks(&before(), &now, &BTreeMap::from([("timed".to_owned(), record)]));
            let timed = verdict.nodes.iter().find(|node| node.node == "timed").expect("it was there");
            (timed.change.clone(), timed.successors.clone())
        };
        let successors = vec!["marked".to_owned()];
        let (none, reached) = (Adjustments::default(), Watermark(Some(Timestamp::from_micros(0))));
        assert_eq!(judged(Watermark::NONE, &none), (Change::Removed, successors.clone()));
        assert_eq!(judged(reached, &none), (Change::Lost, successors));
        let reset = Adjustments { reset: BTreeSet::from(["timed".to_owned()]), ..Adjustments::default() };
        assert_eq!(judged(reached, &reset), (Change::Reset, vec![]));
    }

    #[test]
    fn a_node_that_could_take_over_is_named() {
        let mut now = graph();
        now.remove("counts");
        now.insert("per_user".to_owned(), window("User", "Update"));
        now.insert("per_device".to_owned(), window("Device", "Append"));
        let verdict = compare(&before(), &now, &Adjustments::default()).expect("a verdict");
        let counts = verdict.nodes.iter().find(|node| node.node == "counts").expect("it was there");
        assert_eq!((&counts.change, &counts.successors), (&Change::Lost, &vec!["per_user".to_owned()]));
    }

    #[test]
    fn a_node_may_be_renamed_and_a_wrong_name_is_told() {
        let mut now = graph();
        let counts = now.remove("counts").expect("it is there");
        now.insert("per_user".to_owned(), counts);
        let rename = |new: &str, old: &str| Adjustments {
            renamed: BTreeMap::from([(new.to_owned(), old.to_owned())]),
            ..Adjustments::default()
        };
        let good = rename("per_user", "counts");
        assert_eq!(found(&now, &good), ["per_user Renamed { from: \"counts\" } "]);
        let verdict = compare(&before(), &now, &good).expect("a verdict");
        assert!(verdict.carried().any(|carried| carried == ("per_user".to_owned(), "counts".to_owned())));
        for (adjustments, expected) in [
            (rename("per_user", "count"), "`--rename count=per_user`: the checkpoint holds no node `count`"),
            (rename("per_users", "counts"), "`--rename counts=per_users`: the graph has no node `per_users`"),
            (rename("per_user", "in"), "`--rename in=per_user`: the graph still has a node `in`"),
            (
                Adjustments { reset: BTreeSet::from(["per_user".to_owned()]), ..Adjustments::default() },
                "`--reset per_user`: the checkpoint holds no node `per_user`",
            ),
        ] {
            assert_eq!(found(&now, &adjustments), [expected]);
        }
    }
}
