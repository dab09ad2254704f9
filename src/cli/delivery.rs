//! What a graph promises for the rows of an epoch that a crash comes between: as much as the weakest of its sinks.

use watershed_core::fault::listed;
use watershed_core::node::Delivery;
use watershed_core::plan::{Plan, Role};

/// The promise in a line.
pub(super) fn delivery(plan: &Plan) -> String {
    if plan.run.checkpoint.is_none() {
        return "delivery: nothing is promised over a restart; with `run.checkpoint` a run goes on where one stopped"
            .to_owned();
    }
    let sinks = plan.dag.node_weights().filter_map(|node| match &node.role {
        Role::Sink(spec, _) => Some((&*node.name, spec.delivery())),
        Role::Source(..) | Role::Operator { .. } => None,
    });
    let sinks: Vec<(&str, Delivery)> = sinks.collect();
    let weakest = sinks.iter().map(|(_, delivery)| *delivery).min().unwrap_or(Delivery::ExactlyOnce);
    match weakest {
        Delivery::ExactlyOnce => format!("delivery: {weakest}"),
        Delivery::AtLeastOnce => {
            let links = listed(sinks.iter().filter(|(_, delivery)| *delivery == weakest).map(|(name, _)| name));
            format!("delivery: {weakest} ({links}: rows of an epoch may be seen twice after a crash)")
        }
    }
}

#[cfg(test)]
mod tests {
    use watershed_graphs::{SchemaMode, load};

    use super::*;

    #[test]
    fn a_graph_promises_as_much_as_its_weakest_sink() {
        let (console, files) = ("Console()", "Files(path: \"out\", format: Json)");
        for (sinks, run, expected) in [
            (&[("a", files)][..], "checkpoint: \"state\"", "delivery: exactly once"),
            (
                &[("a", files), ("eyes", console)],
                "checkpoint: \"state\"",
                "delivery: at least once (`eyes`: rows of an epoch may be seen twice after a crash)",
            ),
            (
                &[("eyes", console), ("a", files), ("more", console)],
                "checkpoint: \"state\"",
                "delivery: at least once (`eyes` and `more`: rows of an epoch may be seen twice after a crash)",
            ),
            (
                &[("a", files)],
                "",
                "delivery: nothing is promised over a restart; with `run.checkpoint` a run goes on where one stopped",
            ),
        ] {
            let nodes: Vec<String> = sinks.iter().map(|(name, sink)| format!("\"{name}\": {sink}")).collect();
            let flow: Vec<String> = sinks.iter().map(|(name, _)| format!("\"in -> {name}\"")).collect();
            let text = format!(
                "Graph(name: \"x\", sources: {{\"in\": Rate()}}, sinks: {{{}}}, flow: [{}], run: ({run}))",
                nodes.join(", "),
                flow.join(", ")
            );
            let checked = load(&text, "x.ron", &|_| None).check(SchemaMode::Offline);
            let plan = checked.plan.unwrap_or_else(|| panic!("{}", checked.diagnostics));
            assert_eq!(delivery(&plan), expected);
        }
    }
}
