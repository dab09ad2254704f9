//! A test file as data: what it says, with the place of everything, before it is held against a graph.

use crate::core::time::{Timestamp, Watermark};
use crate::graphs::Finding;
use crate::graphs::syntax::{Span, Tree, Value};

use super::reader::{Entry, Fields, Reader};

/// A whole test file, as far as it could be read.
#[derive(Debug, Default)]
pub(super) struct TestFile<'a> {
    pub(super) graph: Option<GraphText<'a>>,
    pub(super) claim: Option<Claim<'a>>,
}

/// The graph that is tested, and where it is named or stands.
#[derive(Debug)]
pub(super) enum GraphText<'a> {
    /// Another file, relative to this one.
    Path(&'a str, &'a Span),
    /// `Graph(…)`.
    InPlace(&'a Span),
}

/// What a file says of its graph.
#[derive(Debug)]
pub(super) enum Claim<'a> {
    /// These cases come out as written.
    Cases(Vec<Case<'a>>),
    /// Checking it fails with a message that contains the text.
    Refused(&'a str, &'a Span),
}

/// How inputs reach the graph.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Feed {
    /// An input is offered when the graph has come to rest.
    #[default]
    Stepwise,
    /// All inputs wait from the start, one epoch each.
    Queued,
}

/// A script of epochs.
#[derive(Debug)]
pub(super) struct Case<'a> {
    pub(super) name: &'a str,
    pub(super) span: &'a Span,
    pub(super) feed: Feed,
    pub(super) ordered: bool,
    pub(super) epochs: Vec<Script<'a>>,
}

/// One epoch of a script.
#[derive(Debug)]
pub(super) struct Script<'a> {
    pub(super) span: &'a Span,
    pub(super) restart: bool,
    pub(super) clock: Option<Timestamp>,
    pub(super) input: Option<Vec<NodeRows<'a>>>,
    pub(super) watermark: Option<Watermark>,
    pub(super) output: Vec<NodeRows<'a>>,
}

/// The rows of a source or sink.
#[derive(Debug)]
pub(super) struct NodeRows<'a> {
    pub(super) node: &'a str,
    pub(super) node_span: &'a Span,
    pub(super) rows: Vec<Row<'a>>,
}

/// A row as it is written.
#[derive(Debug)]
pub(super) struct Row<'a> {
    pub(super) span: &'a Span,
    pub(super) columns: Vec<Entry<'a>>,
}

impl<'a> Reader<'a> {
    /// Reads a file; all of its faults are found in one go.
    pub(super) fn file(&mut self, tree: &'a Tree) -> TestFile<'a> {
        let name = tree.tag().map(|(name, _)| name);
        if !matches!(tree.value, Value::Struct(..) | Value::Broken) || name.is_some_and(|name| name != "Tests") {
            let fault = Finding::error("not_tests", "a file of tests is written `Tests(…)`").span(tree.head());
            let fault = fault.label("should be `Tests(…)`");
            self.faults.push(match name {
                Some("Graph") => fault.help("check a graph with `watershed check`, run it with `watershed run`"),
                _ => fault,
            });
            return TestFile::default();
        }
        let Some(fields) = self.fields(tree, "`Tests`", &["graph", "cases", "refused"]) else {
            return TestFile::default();
        };
        let graph = self.required(&fields, "graph").and_then(|graph| match &graph.value {
            Value::Struct(Some(name), _) if name.text == "Graph" => Some(GraphText::InPlace(&graph.span)),
            _ => {
                let path = self.string(graph, "`graph`", "a path such as `\"../activity.ron\"`, or `Graph(…)`");
                path.map(|path| GraphText::Path(path, &graph.span))
            }
        });
        let claim = match (fields.get("cases"), fields.entry("refused")) {
            (Some(cases), None) => Some(Claim::Cases(self.cases(cases))),
            (None, Some(Entry { value, .. })) => {
                self.string(value, "`refused`", "the text of a message").map(|text| Claim::Refused(text, &value.span))
            }
            (None, None) => {
                let message = "`Tests` has neither `cases` nor `refused`";
                self.fault("missing_field", message, &tree.head(), "needs one of them");
                None
            }
            (Some(_), Some(refused)) => {
                let message = "`Tests` has both `cases` and `refused`: a graph that is refused cannot run";
                self.fault("too_many_fields", message, refused.span, "drop one of them");
                None
            }
        };
        TestFile { graph, claim }
    }

    fn cases(&mut self, tree: &'a Tree) -> Vec<Case<'a>> {
        if matches!(&tree.value, Value::List(items) if items.is_empty()) {
            self.fault("no_cases", "`cases` is empty", &tree.span, "tests nothing");
        }
        let items = self.list(tree, "`cases`", "cases `(name: …, epochs: […])`");
        items.iter().filter_map(|item| self.case(item)).collect()
    }

    fn case(&mut self, tree: &'a Tree) -> Option<Case<'a>> {
        let fields = self.fields(tree, "a case", &["name", "feed", "ordered", "epochs"])?;
        let name = self.required(&fields, "name").and_then(|name| self.string(name, "`name`", "a string"));
        let feed = fields.get("feed").map_or(Feed::default(), |feed| match &feed.value {
            Value::Name(name) if name == "Stepwise" => Feed::Stepwise,
            Value::Name(name) if name == "Queued" => Feed::Queued,
            _ => {
                self.wrong(feed, "`feed`", "`Stepwise` or `Queued`");
                Feed::default()
            }
        });
        let ordered = self.flag(&fields, "ordered");
        let epochs = self.required(&fields, "epochs");
        let epochs = epochs.map_or(&[][..], |epochs| self.list(epochs, "`epochs`", "epochs `(input: …, output: …)`"));
        let epochs: Vec<Script<'a>> = epochs.iter().filter_map(|epoch| self.epoch(epoch)).collect();
        if feed == Feed::Queued {
            self.queued_order(&epochs);
        }
        Some(Case { name: name.unwrap_or_default(), span: &tree.span, feed, ordered, epochs })
    }

    /// With all inputs waiting from the start, no epoch without input can come between two of them.
    fn queued_order(&mut self, epochs: &[Script<'a>]) {
        let Some(last) = epochs.iter().rposition(|epoch| epoch.input.is_some()) else { return };
        for epoch in epochs[..last].iter().filter(|epoch| epoch.input.is_none()) {
            let message = "with `feed: Queued`, epochs without `input` come only after the last input";
            let fault = Finding::error("bad_script", message).span(epoch.span.clone()).label("has no `input`");
            self.faults.push(fault.help("move it to the end, or write `feed: Stepwise`"));
        }
    }

    fn epoch(&mut self, tree: &'a Tree) -> Option<Script<'a>> {
        let fields = self.fields(tree, "an epoch", &["restart", "clock", "input", "watermark", "output"])?;
        let restart = self.flag(&fields, "restart");
        let clock = self.instant(&fields, "clock");
        let watermark = match fields.get("watermark").map(|watermark| &watermark.value) {
            Some(Value::Name(none)) if none == "None" => Some(Watermark::NONE),
            _ => self.instant(&fields, "watermark").map(|instant| Watermark(Some(instant))),
        };
        let input = fields.entry("input").map(|input| {
            if matches!(&input.value.value, Value::Map(entries) if entries.is_empty()) {
                let message = "an epoch with `input` names at least one source";
                let fault = Finding::error("bad_script", message).span(input.span.clone()).label("names none");
                self.faults.push(fault.help(
                    "`{\"in\": []}` is an input without rows; for an epoch of the engine's own accord leave `input` out",
                ));
            }
            self.nodes("`input`", "source", input.value)
        });
        let output = fields.get("output").map(|output| self.nodes("`output`", "sink", output)).unwrap_or_default();
        Some(Script { span: &tree.span, restart, clock, input, watermark, output })
    }

    fn instant(&mut self, fields: &Fields<'a>, name: &str) -> Option<Timestamp> {
        let tree = fields.get(name)?;
        let text = self.string(tree, &format!("`{name}`"), "an instant such as `\"2015-02-24T10:00:00Z\"`")?;
        let instant = text.parse::<Timestamp>();
        instant.map_err(|said| self.fault("bad_value", format!("`{name}`: {said}"), &tree.span, "not an instant")).ok()
    }

    fn nodes(&mut self, what: &str, kind: &str, tree: &'a Tree) -> Vec<NodeRows<'a>> {
        let entries = self.map(tree, what, &format!("`{{\"{kind}\": [rows]}}`")).unwrap_or_default();
        let nodes = entries.into_iter().map(|Entry { name, span, value }| {
            let items = self.list(value, &format!("the rows of `{name}`"), "rows");
            NodeRows { node: name, node_span: span, rows: items.iter().filter_map(|item| self.row(item)).collect() }
        });
        nodes.collect()
    }

    fn row(&mut self, tree: &'a Tree) -> Option<Row<'a>> {
        let columns = self.map(tree, "a row", "from column to value, `{\"user\": \"a\", \"n\": 1}`")?;
        Some(Row { span: &tree.span, columns })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graphs::syntax::parse;

    fn faults(text: &str) -> Vec<String> {
        let (tree, faults) = parse(text, 0..text.len(), None);
        let mut reader = Reader { text, faults: faults.into_iter().map(Finding::from).collect() };
        if let Some(tree) = &tree {
            reader.file(tree);
        }
        reader.shown()
    }

    #[test]
    fn a_file_is_read_with_all_it_says() {
        let text = r#"
            // A comment, and one /* within */.
            Tests(
                graph: "../a.ron", // where it is
                cases: [
                    (
                        name: "one", feed: Queued, ordered: true,
                        epochs: [
                            (input: {"in": [{"k": None, "n": 1}, {}], "other": []}, output: {}),
                            (restart: true, clock: "2015-02-24T10:00:00Z", watermark: "2015-02-24T09:30:00Z", output: {"out": []}),
                            (watermark: None),
                        ],
                    ),
                ],
            )
        "#;
        let tree = parse(text, 0..text.len(), None).0.expect("a tree");
        let mut reader = Reader::new(text);
        let file = reader.file(&tree);
        assert!(reader.faults.is_empty(), "{:?}", reader.faults);
        assert!(matches!(&file.graph, Some(GraphText::Path("../a.ron", _))));
        let Some(Claim::Cases(cases)) = &file.claim else { panic!("not cases") };
        let [case] = &cases[..] else { panic!("not one case") };
        assert_eq!((case.name, case.feed, case.ordered), ("one", Feed::Queued, true));
        let inputs = case.epochs[0].input.as_ref().expect("an input");
        assert_eq!((inputs[0].rows.len(), inputs[0].rows[0].columns.len(), inputs[1].rows.len()), (2, 2, 0));
        assert!(case.epochs[0].output.is_empty());
        assert!(case.epochs[1].restart && case.epochs[1].clock.is_some() && case.epochs[1].input.is_none());
        assert_eq!(case.epochs[2].watermark, Some(Watermark::NONE));
        assert_eq!(&text[case.epochs[2].span.clone()], "(watermark: None)");
    }

    #[test]
    fn what_is_wrong_with_a_file_has_a_place() {
        for (text, said) in [
            ("Tests(graph: \"a\", cases: [)", "`[` is closed by `)`"),
            ("Graph()", "`Graph`: a file of tests is written"),
            ("Tests(cases: [])", "lacks the field `graph`"),
            ("Tests(graph: 3, refused: \"\")", "`3`: `graph` should be a path"),
            ("Tests(graph: \"a\")", "neither `cases` nor `refused`"),
            ("Tests(graph: Graph(name: ,))", "neither `cases` nor `refused`"),
            ("Tests(graph: \"a\", refused: \"\", cases: [])", "`refused`: `Tests` has both"),
            ("Tests(graph: \"a\", cases: [])", "`[]`: `cases` is empty"),
            ("Tests(graph: \"a\", kases: [])", "`kases`: `Tests` has no field `kases`"),
            ("Tests(graph: \"a\", graph: \"b\", refused: \"\")", "`graph`: field `graph` is given twice"),
            ("Tests(graph: \"a\", cases: [(epochs: [])])", "lacks the field `name`"),
            ("Tests(graph: \"a\", cases: [(name: \"a\")])", "lacks the field `epochs`"),
            ("Tests(graph: \"a\", cases: [(name: 3, epochs: [])])", "`3`: `name` should be a string"),
            ("Tests(graph: \"a\", cases: [(name: \"a\", feed: Slow, epochs: [])])", "`Slow`: `feed` should be"),
            ("Tests(graph: \"a\", cases: [(name: \"a\", epochs: {})])", "`{}`: `epochs` should be a list"),
            (
                "Tests(graph: \"a\", cases: [(name: \"a\", epochs: [(input: {})])])",
                "`input`: an epoch with `input` names",
            ),
            (
                "Tests(graph: \"a\", cases: [(name: \"a\", epochs: [(watermark: \"now\")])])",
                "`\"now\"`: `watermark`: bad instant",
            ),
            (
                "Tests(graph: \"a\", cases: [(name: \"a\", epochs: [(input: {\"in\": {}})])])",
                "`{}`: the rows of `in` should be",
            ),
            (
                "Tests(graph: \"a\", cases: [(name: \"a\", epochs: [(input: {\"in\": [1]})])])",
                "`1`: a row should be a map",
            ),
            (
                "Tests(graph: \"a\", cases: [(name: \"a\", epochs: [(input: {k: []})])])",
                "`k`: a key should be a string",
            ),
            (
                "Tests(graph: \"a\", cases: [(name: \"a\", epochs: [(input: {\"in\": [{\"k\": 1, \"k\": 2}]})])])",
                "`\"k\"`: key `k` is given twice",
            ),
            (
                "Tests(graph: \"a\", cases: [(name: \"a\", feed: Queued, epochs: [(output: {}), (input: {\"in\": []})])])",
                "`(output: {})`: with `feed: Queued`",
            ),
        ] {
            let said_are = faults(text);
            assert!(said_are.iter().any(|line| line.contains(said)), "{text}\nsays {said_are:?}");
        }
    }

    #[test]
    fn all_faults_of_a_file_are_found_at_once() {
        let text = "Tests(graf: \"a\", cases: [(name: 1, fed: 2, epochs: [(in: 3), (watermark: 4)])])";
        assert_eq!(faults(text).len(), 6);
        let text = "Tests(graph \"a\", cases: [(name: \"b\" feed: 2, epochs: [(output: {\"o\" [], \"p\": 3})])])";
        assert_eq!(faults(text).len(), 5, "{:?}", faults(text));
    }
}
