//! The nodes around an operator that is tested alone: where its rows come from, what sets its watermark, where its output goes.
//! They are not in the registry, so no graph file can name them.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::epoch::Port;
use crate::error::{Error, Result};
use crate::fault::Faults;
use crate::node::{
    BuildContext, Collector, Delivery, EpochContext, Kind, Node, NodeEntry, OpenContext, Operator, OperatorSpec,
    OutputWatermark, Signature, Sink, SinkSpec, Source, SourceSchema, SourceSpec, Stateless,
};
use crate::stream::Stream;
use crate::time::TimeSpan;

macro_rules! kit_node {
    ($type:ident, $kind:ident, $doc:literal) => {
        #[doc = $doc]
        #[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
        pub(super) struct $type {}

        impl Node for $type {
            fn entry(&self) -> &'static NodeEntry {
                static ENTRY: NodeEntry = NodeEntry {
                    name: stringify!($type),
                    kind: Kind::$kind,
                    package: env!("CARGO_PKG_NAME"),
                    schema: || schemars::schema_for!($type),
                    example: concat!(stringify!($type), "()"),
                };
                &ENTRY
            }
        }
    };
}

kit_node!(TestedInput, Source, "Rows that the test feeds.");
kit_node!(TestedWatermark, Operator, "A watermark that the test moves.");
kit_node!(TestedOutput, Sink, "Rows that the test reads.");

fn given_by_the_test() -> Error {
    Error::BadInput("the test kit gives this connector".to_owned())
}

#[typetag::serde]
impl SourceSpec for TestedInput {
    fn schema(&self) -> Result<SourceSchema, Faults> {
        Ok(SourceSchema::Inferred)
    }

    fn infer_schema(&self) -> Result<SchemaRef> {
        Err(given_by_the_test())
    }

    fn replayable(&self) -> bool {
        true
    }

    fn open(&self, _: SchemaRef, _: &OpenContext) -> Result<Box<dyn Source>> {
        Err(given_by_the_test())
    }
}

#[typetag::serde]
impl SinkSpec for TestedOutput {
    fn check(&self, _: &Stream) -> Result<(), Faults> {
        Ok(())
    }

    fn delivery(&self) -> Delivery {
        Delivery::ExactlyOnce
    }

    fn open(&self, _: &Stream, _: &OpenContext) -> Result<Box<dyn Sink>> {
        Err(given_by_the_test())
    }
}

#[typetag::serde]
impl OperatorSpec for TestedWatermark {
    fn signature(&self, inputs: &[Vec<Stream>]) -> Result<Signature, Faults> {
        Ok(Signature { watermark: OutputWatermark::own(TimeSpan::ZERO), ..Signature::stateless(inputs[0].clone()) })
    }

    fn build(&self, _: &[Vec<Stream>], _: &BuildContext) -> Result<Operator, Faults> {
        Ok(Operator::Stateless(Arc::new(PassOn)))
    }
}

struct PassOn;

impl Stateless for PassOn {
    fn process(&self, batch: RecordBatch, _: &EpochContext, out: &mut Collector) -> Result<()> {
        out.emit(Port::FIRST, batch);
        Ok(())
    }
}
