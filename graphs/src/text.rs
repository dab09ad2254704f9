//! The text of a checked graph: what a checkpoint keeps of it.
//!
//! It stands alone: columns that were found by looking at the data are declared in it, so that it can be checked again
//! when the data is gone, and gives the same plan.

use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use serde_json::Value;
use watershed_core::node::{SourceSchema, SourceSpec};
use watershed_core::plan::Role;
use watershed_core::schema::to_ddl;

use crate::graph::{Draft, Graph};

/// The field in which a source declares its columns.
const SCHEMA: &str = "schema";

/// The graph of a draft without holes, whose nodes have these roles.
pub(crate) fn of(draft: &Draft, roles: &[Role]) -> String {
    let mut graph = Graph::of(draft);
    let typed = draft.nodes.iter().zip(roles).filter_map(|(node, role)| match role {
        Role::Source(spec, stream) => Some((&node.name, spec, &stream.schema)),
        Role::Operator { .. } | Role::Sink(..) => None,
    });
    for (name, spec, schema) in typed {
        if !matches!(spec.schema(), Ok(SourceSchema::Inferred)) {
            continue;
        }
        // A source that cannot be told its columns keeps looking for them.
        if let (Some((_, kept)), Some(declared)) =
            (graph.sources.iter_mut().find(|(other, _)| other == name), declared(&**spec, schema))
        {
            *kept = declared;
        }
    }
    graph.to_ron()
}

/// The same source with `schema` declared. Whether that is what the source understands, it says itself.
fn declared(spec: &dyn SourceSpec, schema: &SchemaRef) -> Option<Arc<dyn SourceSpec>> {
    // A source may add a last column to those that it is told, for records that cannot be read.
    let all_but_last = Schema::new(schema.fields()[..schema.fields().len().saturating_sub(1)].to_vec());
    [schema, &Arc::new(all_but_last)].into_iter().find_map(|columns| {
        let mut spec = serde_json::to_value(spec).ok()?;
        let fields = spec.as_object_mut()?.values_mut().next()?.as_object_mut()?;
        fields.insert(SCHEMA.to_owned(), Value::String(to_ddl(columns)));
        let declared: Box<dyn SourceSpec> = serde_json::from_value(spec).ok()?;
        (declared.schema() == Ok(SourceSchema::Declared(Arc::clone(schema)))).then(|| declared.into())
    })
}
