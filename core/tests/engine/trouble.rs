//! Nodes that panic in the call that a test names.

use std::sync::{Arc, Mutex, Once, PoisonError};

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, SchemaRef};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use watershed_core::epoch::{Epoch, Port};
use watershed_core::error::Result;
use watershed_core::fault::Faults;
use watershed_core::guard;
use watershed_core::node::{
    Available, BeforeExchange, BuildContext, Collector, Delivery, Distribution, EpochContext, EpochInput, Limit,
    Offset, OffsetRange, OpenContext, Operator, OperatorSpec, Part, Receipt, RowOutput, Signature, Sink, SinkSpec,
    Source, SourceSchema, SourceSpec, Split, StateNeed, Stateful, Stateless,
};
use watershed_core::state::{PlacedBy, StateStore, TableSchema};
use watershed_core::stream::Stream;
use watershed_core::time::Timestamp;
use watershed_core::{register_operator, register_sink, register_source};

use crate::nodes::{self, CollectingSink, Row, ScriptedSource};

/// Which call panics; clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trouble(Arc<Mutex<Option<&'static str>>>);

impl Trouble {
    /// From now on this call panics; `None`: none does.
    pub(crate) fn set(&self, call: Option<&'static str>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = call;
    }

    fn here(&self, call: &str) {
        let set = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(set != Some(call), "trouble in {call}");
    }

    pub(crate) fn source(&self, epochs: Vec<Vec<Row>>) -> Box<dyn Source> {
        Box::new(TroubledSource { inner: ScriptedSource::new(epochs), trouble: self.clone() })
    }

    pub(crate) fn sink(&self, inner: CollectingSink) -> Box<dyn Sink> {
        Box::new(TroubledSink { inner, trouble: self.clone() })
    }
}

/// Hands the places of panics in node code over, as the command's panic hook does.
pub(crate) fn note_places() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| match panic.location() {
            Some(place) if guard::in_node_code() => guard::note_panic(place.to_string()),
            _ => usual(panic),
        }));
    });
}

/// A source or a sink that the test gives, or that panics when it is opened.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Opened {}
register_source!(Opened, example: "Opened()");

#[typetag::serde]
impl SourceSpec for Opened {
    fn schema(&self) -> Result<SourceSchema, Faults> {
        Ok(SourceSchema::Declared(nodes::schema()))
    }
    fn infer_schema(&self) -> Result<SchemaRef> {
        Ok(nodes::schema())
    }
    fn replayable(&self) -> bool {
        true
    }
    fn open(&self, _: SchemaRef, _: &OpenContext) -> Result<Box<dyn Source>> {
        panic!("trouble in open")
    }
}

struct TroubledSource {
    inner: ScriptedSource,
    trouble: Trouble,
}

impl Source for TroubledSource {
    fn tables(&self) -> Vec<TableSchema> {
        self.trouble.here("tables");
        let field = |name: &str| vec![Field::new(name, DataType::Int64, false)].into();
        let (name, slots) = ("seen", String::new());
        vec![TableSchema { name, keys: field("k"), values: field("v"), placed_by: PlacedBy::Keys, slots }]
    }
    fn resume(&mut self, committed: &Offset, state: &mut StateStore) -> Result<()> {
        self.trouble.here("resume");
        self.inner.resume(committed, state)
    }
    fn remember(&mut self, range: &OffsetRange, state: &mut StateStore) -> Result<()> {
        self.trouble.here("remember");
        self.inner.remember(range, state)
    }
    fn freeze(&mut self) -> Result<()> {
        self.trouble.here("freeze");
        self.inner.freeze()
    }
    fn available(&mut self, after: &Offset, limit: Limit) -> Result<Available> {
        self.trouble.here("available");
        self.inner.available(after, limit)
    }
    fn remaining(&self, after: &Offset) -> Option<u64> {
        self.inner.remaining(after)
    }
    fn splits(&mut self, range: &OffsetRange) -> Result<Vec<Box<dyn Split>>> {
        self.trouble.here("splits");
        let troubled = |inner| -> Box<dyn Split> { Box::new(TroubledSplit { inner, trouble: self.trouble.clone() }) };
        Ok(self.inner.splits(range)?.into_iter().map(troubled).collect())
    }
    fn release(&mut self, offset: &Offset) -> Result<()> {
        self.trouble.here("release");
        self.inner.release(offset)
    }
}

struct TroubledSplit {
    inner: Box<dyn Split>,
    trouble: Trouble,
}

impl Split for TroubledSplit {
    fn read(self: Box<Self>, out: &mut dyn RowOutput) -> Result<()> {
        self.inner.read(out)?;
        self.trouble.here("read");
        Ok(())
    }
}

struct TroubledSink {
    inner: CollectingSink,
    trouble: Trouble,
}

impl Sink for TroubledSink {
    fn stage(&self, part: Part, rows: &[RecordBatch]) -> Result<Receipt> {
        self.trouble.here("stage");
        self.inner.stage(part, rows)
    }
    fn commit(&self, epoch: Epoch, receipts: &[Receipt]) -> Result<()> {
        self.trouble.here("commit");
        self.inner.commit(epoch, receipts)
    }
}

/// A sink that cannot be opened.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Shut {}
register_sink!(Shut, example: "Shut()");

#[typetag::serde]
impl SinkSpec for Shut {
    fn check(&self, _: &Stream) -> Result<(), Faults> {
        Ok(())
    }
    fn delivery(&self) -> Delivery {
        Delivery::ExactlyOnce
    }
    fn open(&self, _: &Stream, _: &OpenContext) -> Result<Box<dyn Sink>> {
        panic!("trouble in open")
    }
}

/// Passes rows on, by their keys if it is `keyed`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Troubled {
    pub(crate) keyed: bool,
    #[serde(skip)]
    pub(crate) trouble: Trouble,
}
register_operator!(Troubled, example: "Troubled(keyed: false)");

#[typetag::serde]
impl OperatorSpec for Troubled {
    fn signature(&self, inputs: &[Vec<Stream>]) -> Result<Signature, Faults> {
        let stateless = Signature::stateless(inputs[0].clone());
        Ok(if self.keyed {
            Signature { distribution: Distribution::Hash(vec![0]), state: StateNeed::Bounded, ..stateless }
        } else {
            stateless
        })
    }
    fn build(&self, _: &[Vec<Stream>], _: &BuildContext) -> Result<Operator, Faults> {
        self.trouble.here("build");
        Ok(if self.keyed {
            Operator::Stateful(Arc::new(self.clone()))
        } else {
            Operator::Stateless(Arc::new(self.clone()))
        })
    }
}

impl Stateless for Troubled {
    fn process(&self, batch: RecordBatch, _: &EpochContext, out: &mut Collector) -> Result<()> {
        out.emit(Port::FIRST, batch);
        self.trouble.here("process");
        Ok(())
    }
}

impl Stateful for Troubled {
    fn tables(&self) -> Vec<TableSchema> {
        Vec::new()
    }
    fn before_exchange(&self) -> Option<Box<dyn BeforeExchange>> {
        self.trouble.here("before_exchange");
        Some(Box::new(self.clone()))
    }
    fn run(&self, input: EpochInput, _: &mut StateStore, _: &EpochContext, out: &mut Collector) -> Result<()> {
        for (_, batch) in input.batches {
            out.emit(Port::FIRST, batch);
        }
        self.trouble.here("run");
        Ok(())
    }
    fn wake_at(&self, _: &StateStore) -> Option<Timestamp> {
        self.trouble.here("wake_at");
        None
    }
}

impl BeforeExchange for Troubled {
    fn process(&mut self, port: Port, batch: RecordBatch, _: &EpochContext, out: &mut Collector) -> Result<()> {
        out.exchange(port, batch);
        self.trouble.here("process before the exchange");
        Ok(())
    }
    fn finish(self: Box<Self>, _: &EpochContext, _: &mut Collector) -> Result<()> {
        self.trouble.here("finish");
        Ok(())
    }
}
