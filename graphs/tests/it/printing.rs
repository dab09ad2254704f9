//! A graph printed as RON loads to the same graph.

use proptest::prelude::*;
use watershed_core::node::{Kind, entries};
use watershed_graphs::{Graph, load};

use crate::invalid::variables;
use crate::nodes::{Console, Select, Window, sources::Files, sources::Format};
use crate::nodes::{Shape, Watermark};
use crate::typing::ACTIVITY;

fn graph(text: &str) -> Graph {
    let loaded = load(text, "test.ron", &variables);
    loaded.graph.unwrap_or_else(|| panic!("{}\n{text}", loaded.diagnostics))
}

fn assert_survives(graph: &Graph) {
    let printed = graph.to_ron();
    let again = self::graph(&printed);
    assert_eq!(&again, graph, "{printed}");
    assert_eq!(
        format!("{:?} {:?} {:?}", again.sources, again.operators, again.sinks),
        format!("{:?} {:?} {:?}", graph.sources, graph.operators, graph.sinks)
    );
    assert_eq!((&again.name, &again.flow, &again.run), (&graph.name, &graph.flow, &graph.run));
}

#[test]
fn the_printed_graph_reads_like_a_written_one() {
    let graph = graph(ACTIVITY);
    insta::assert_snapshot!("printed_graph", graph.to_ron());
    assert_survives(&graph);
}

#[test]
fn the_example_of_every_node_survives_printing() {
    for entry in entries() {
        let in_section =
            |kind: Kind| if entry.kind == kind { format!("\"x\": {}", entry.example) } else { String::new() };
        let text = format!(
            "Graph(name: \"x\", sources: {{{}}}, operators: {{{}}}, sinks: {{{}}}, flow: [])",
            in_section(Kind::Source),
            in_section(Kind::Operator),
            in_section(Kind::Sink)
        );
        assert_survives(&graph(&text));
    }
}

proptest! {
    #[test]
    fn any_text_and_number_survives_printing(
        name in any::<String>(),
        path in "(\\$|\\{|\\}|[A-Z]|:-|\"|\\\\|\\PC|\n|\r){0,12}",
        expressions in proptest::collection::vec("\\PC{0,80}", 0..6),
        delimiter in any::<char>(),
        files in any::<Option<u32>>(),
        micros in -1_000_000_000_000_000_i64..1_000_000_000_000_000,
        sliding in any::<bool>(),
    ) {
        let size = watershed_core::time::TimeSpan::from_micros(micros);
        let window = if sliding { Shape::Sliding { size, slide: size } } else { Shape::Tumbling { size, offset: size } };
        let files = Files {
            path: path.clone(),
            format: Format::Csv { delimiter, header: sliding },
            schema: sliding.then(|| watershed_core::schema::Ddl(path.clone())),
            max_files_per_epoch: files,
            renamed: expressions.iter().map(|text| (text.clone(), path.clone())).collect(),
        };
        let graph = Graph::builder(name)
            .source("in", files)
            .operator("s", Select(expressions.clone()))
            .operator("w", Watermark { column: path.clone(), delay: size })
            .operator("c", Window { window, keys: expressions, output_mode: watershed_core::stream::OutputMode::Append, time: Some(path) })
            .sink("out", Console {})
            .flow("in -> s -> w -> c -> out")
            .build();
        assert_survives(&graph);
    }
}
