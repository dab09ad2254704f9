//! Holds a test file against its graph: rows become the columns of a source, or what a sink should get.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Field, Schema, SchemaRef};

use crate::core::plan::{Plan, Role};
use crate::core::schema::type_to_ddl;
use crate::core::stream::column_names;
use crate::core::testing::{Cell, Input, batch_of, is_writable};
use crate::core::time::{Timestamp, Watermark};
use crate::graphs::Finding;

use super::file::{Case, Feed, NodeRows, Row, Script};
use super::literal::Purpose;
use super::reader::Reader;

/// A case that can be run.
#[derive(Debug)]
pub(super) struct BoundCase {
    pub(super) feed: Feed,
    pub(super) ordered: bool,
    pub(super) epochs: Vec<BoundEpoch>,
}

/// An epoch of a case that can be run.
#[derive(Debug)]
pub(super) struct BoundEpoch {
    pub(super) restart: bool,
    pub(super) clock: Option<Timestamp>,
    pub(super) input: Option<Input>,
    pub(super) watermark: Option<Watermark>,
    pub(super) output: Vec<ExpectedRows>,
}

/// What a sink should get in an epoch.
#[derive(Debug)]
pub(super) struct ExpectedRows {
    pub(super) sink: String,
    pub(super) schema: SchemaRef,
    pub(super) rows: Vec<Vec<Cell>>,
}

/// The streams of a plan's sources and sinks.
struct Ends {
    sources: BTreeMap<String, SchemaRef>,
    sinks: BTreeMap<String, SchemaRef>,
}

/// Turns the rows of all cases into those of the graph; finds every name and value that does not fit it. What is bound
/// with faults is not to be run.
pub(super) fn bind<'a>(reader: &mut Reader<'a>, cases: &[Case<'a>], plan: &Plan) -> Vec<BoundCase> {
    let mut ends = Ends { sources: BTreeMap::new(), sinks: BTreeMap::new() };
    for node in plan.dag.node_weights() {
        match &node.role {
            Role::Source(_, stream) => ends.sources.insert(node.name.to_string(), Arc::clone(&stream.schema)),
            Role::Sink(_, stream) => ends.sinks.insert(node.name.to_string(), Arc::clone(&stream.schema)),
            Role::Operator { .. } => None,
        };
    }
    let bound = cases.iter().map(|case| BoundCase {
        feed: case.feed,
        ordered: case.ordered,
        epochs: case.epochs.iter().map(|script| ends.epoch(reader, script)).collect(),
    });
    bound.collect()
}

impl Ends {
    fn epoch<'a>(&self, reader: &mut Reader<'a>, script: &Script<'a>) -> BoundEpoch {
        let input = script.input.as_ref().map(|nodes| {
            let batch = |node: &NodeRows<'a>| Some((node.node.to_owned(), self.input(reader, node)?));
            nodes.iter().filter_map(batch).collect()
        });
        BoundEpoch {
            restart: script.restart,
            clock: script.clock,
            input,
            watermark: script.watermark,
            output: script.output.iter().filter_map(|node| self.output(reader, node)).collect(),
        }
    }

    fn input<'a>(&self, reader: &mut Reader<'a>, node: &NodeRows<'a>) -> Option<RecordBatch> {
        let schema = known_node(reader, &self.sources, "source", node)?;
        let message = if let Some(field) = schema.fields().iter().find(|field| !is_writable(field.data_type())) {
            let data_type = type_to_ddl(field.data_type());
            format!("column `{}` of `{}` is {data_type}, which a test file cannot write", field.name(), node.node)
        } else {
            let faults = reader.faults.len();
            let rows = read_rows(reader, node, schema, Purpose::Input);
            match batch_of(schema, &rows) {
                Ok(batch) => return Some(batch),
                // Null stands for what was wrong.
                Err(_) if reader.faults.len() > faults => return None,
                Err(error) => format!("the rows of `{}` are no rows of its schema: {error}", node.node),
            }
        };
        reader.faults.push(Finding::error("bad_value", message).span(node.node_span.clone()));
        None
    }

    fn output<'a>(&self, reader: &mut Reader<'a>, node: &NodeRows<'a>) -> Option<ExpectedRows> {
        let schema = known_node(reader, &self.sinks, "sink", node)?;
        let rows = read_rows(reader, node, schema, Purpose::Output);
        Some(ExpectedRows { sink: node.node.to_owned(), schema: Arc::clone(schema), rows })
    }
}

fn known_node<'n>(
    reader: &mut Reader<'_>,
    nodes: &'n BTreeMap<String, SchemaRef>,
    kind: &str,
    node: &NodeRows<'_>,
) -> Option<&'n SchemaRef> {
    let found = nodes.get(node.node);
    if found.is_none() {
        let fault = Finding::error("unknown_node", format!("the graph has no {kind} `{}`", node.node));
        let known = nodes.keys().map(String::as_str);
        reader.faults.push(fault.span(node.node_span.clone()).known(kind, node.node, known));
    }
    found
}

fn read_rows<'a>(reader: &mut Reader<'a>, node: &NodeRows<'a>, schema: &Schema, purpose: Purpose) -> Vec<Vec<Cell>> {
    // A column that is misspelt in every row is reported once.
    let mut reported = BTreeSet::new();
    let rows = node.rows.iter().map(|row| {
        for column in &row.columns {
            if schema.column_with_name(column.name).is_none() && reported.insert(column.name) {
                let fault =
                    Finding::error("unknown_column", format!("`{}` has no column `{}`", node.node, column.name));
                let fault = fault.known("column", column.name, column_names(schema));
                reader.faults.push(fault.span(column.span.clone()));
            }
        }
        schema.fields().iter().map(|field| read_cell(reader, row, field, purpose)).collect()
    });
    rows.collect()
}

fn read_cell<'a>(reader: &mut Reader<'a>, row: &Row<'a>, field: &Field, purpose: Purpose) -> Cell {
    if let Some(column) = row.columns.iter().find(|column| column.name == field.name()) {
        return reader.cell(column.value, column.name, field, purpose);
    }
    if !field.is_nullable() && purpose == Purpose::Input {
        let message = format!("this row lacks column `{}`, which is NOT NULL", field.name());
        reader.fault("null_value", message, row.span, "needs a value");
    }
    Cell::Null
}

#[cfg(test)]
mod tests {
    use crate::core::schema::parse_ddl;
    use crate::core::testing::cells_of;

    use super::super::file::Claim;
    use super::*;
    use crate::graphs::syntax::parse;

    fn bound(ddl: &str, rows: &str) -> Result<RecordBatch, Vec<String>> {
        let schema = parse_ddl(ddl).expect("a schema");
        let text = format!("Tests(graph: \"g\", cases: [(name: \"c\", epochs: [(input: {{\"in\": {rows}}})])])");
        let tree = parse(&text, 0..text.len(), None).0.expect("a tree");
        let mut reader = Reader::new(&text);
        let Some(Claim::Cases(cases)) = reader.file(&tree).claim else { panic!("not cases") };
        let ends = Ends { sources: BTreeMap::from([("in".to_owned(), schema)]), sinks: BTreeMap::new() };
        let epoch = ends.epoch(&mut reader, &cases[0].epochs[0]);
        if !reader.faults.is_empty() {
            return Err(reader.shown());
        }
        Ok(epoch.input.and_then(|mut input| input.remove("in")).expect("an input"))
    }

    #[test]
    fn rows_become_columns_of_every_type_and_back() {
        let ddl = "b BOOLEAN, i8 TINYINT, i16 SMALLINT, i32 INT, i64 BIGINT, f FLOAT, d DOUBLE, s STRING, y BINARY, day DATE, \
                   t TIMESTAMP, m DECIMAL(10, 2), l ARRAY<BIGINT>, st STRUCT<a: BIGINT, l: ARRAY<STRING>>";
        let rows = r#"[
            {"b": true, "i8": 1, "i16": 2, "i32": 3, "i64": 4, "f": 1.5, "d": 2.5, "s": "x", "y": "ab", "day": "1970-01-02",
             "t": "1970-01-01T00:00:01Z", "m": 1.25, "l": [1, None, 3], "st": {"a": 7, "l": ["u", "v"]}},
            {},
            {"l": [], "st": {"l": None}},
        ]"#;
        let batch = bound(ddl, rows).expect("rows of the schema");
        let shown: Vec<String> = cells_of(&[batch])
            .expect("rows")
            .iter()
            .map(|row| row.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
            .collect();
        assert_eq!(
            shown,
            [
                "true 1 2 3 4 1.5 2.5 x 6162 1970-01-02 1970-01-01T00:00:01Z 1.25 [1, null, 3] {a: 7, l: [u, v]}",
                "null null null null null null null null null null null null null null",
                "null null null null null null null null null null null null [] {a: null, l: null}",
            ]
        );
    }

    #[test]
    fn rows_that_do_not_fit_are_refused_at_their_place() {
        for (ddl, rows, said) in [
            ("k STRING", "[{\"kk\": 1}, {\"kk\": 2}]", "`\"kk\"`: `in` has no column `kk`"),
            ("k STRING", "[{\"k\": 1}]", "`1`: column `k` is STRING, and `1` is no value of it"),
            ("k STRING NOT NULL", "[{}]", "`{}`: this row lacks column `k`"),
            ("k STRING NOT NULL", "[{\"k\": None}]", "`None`: column `k` is NOT NULL"),
            ("s STRUCT<a: BIGINT>", "[{\"s\": {\"b\": 1}}]", "`\"b\"`: column `s` has no field `b`"),
            ("s STRUCT<a: BIGINT>", "[{\"s\": {\"a\": \"x\"}}]", "column `s.a` is BIGINT"),
        ] {
            let faults = bound(ddl, rows).expect_err(rows);
            assert_eq!(faults.len(), 1, "{faults:?}");
            assert!(faults[0].contains(said), "{rows} says {faults:?}");
        }
    }
}
