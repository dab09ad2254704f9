//! What the tests of this crate share: streams and rows as text, and a way to run one node.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::json::ReaderBuilder;
use arrow::util::display::array_value_to_string;
use watershed_core::epoch::{Epoch, Partition};
use watershed_core::error::Result;
use watershed_core::fault::Fault;
use watershed_core::node::{BuildContext, Collector, EpochContext, Operator, OperatorSpec, Signature};
use watershed_core::schema::parse_ddl;
use watershed_core::stream::{EventTime, EventTimeKind, Mode, Stream};
use watershed_core::testing::{Epochs, Feed, Tested, same_answer};
use watershed_core::time::{TimeSpan, Timestamp, Watermark};

/// An epoch in which nothing is late and nothing is evicted.
pub(crate) fn epoch_context() -> EpochContext {
    EpochContext {
        epoch: Epoch(0),
        partition: Partition(0),
        processing_time: Timestamp::from_micros(1_000_000),
        late: Watermark::NONE,
        evict: Watermark::NONE,
        call_limit: None,
    }
}

/// A stream of facts with these columns.
pub(crate) fn stream(ddl: &str) -> Stream {
    Stream::of(parse_ddl(ddl).unwrap_or_else(|fault| panic!("{ddl}: {fault:?}")))
}

/// The same stream with `column` tagged below a watermark called `marked`.
pub(crate) fn tagged(mut stream: Stream, column: &str) -> Stream {
    stream.event_times.push(tag(column, EventTimeKind::Instant));
    stream.watermarks.insert("marked".to_owned());
    stream
}

/// A tag with a delay of a second.
pub(crate) fn tag(column: &str, kind: EventTimeKind) -> EventTime {
    EventTime { column: column.to_owned(), kind, delay: TimeSpan::from_seconds(1) }
}

/// The same stream in mode `Complete`.
pub(crate) fn complete(mut stream: Stream, keys: &[&str]) -> Stream {
    stream.mode = Mode::Complete(keys.iter().map(|key| (*key).to_owned()).collect());
    stream
}

/// The same stream in mode `Update`.
pub(crate) fn update(mut stream: Stream, keys: &[&str]) -> Stream {
    stream.mode = Mode::Update(keys.iter().map(|key| (*key).to_owned()).collect());
    stream
}

/// Rows of `stream`, one JSON object a line.
pub(crate) fn batch(stream: &Stream, lines: &[&str]) -> RecordBatch {
    let text = lines.join("\n");
    let mut reader = ReaderBuilder::new(Arc::clone(&stream.schema)).build(text.as_bytes()).expect("a reader");
    reader.next().map_or_else(|| RecordBatch::new_empty(Arc::clone(&stream.schema)), |batch| batch.expect("rows"))
}

/// Rows as text, `a|b|c`.
pub(crate) fn shown(batches: &[RecordBatch]) -> Vec<String> {
    let row = |batch: &RecordBatch, row| {
        let values = batch.columns().iter().map(|column| array_value_to_string(column, row).expect("shows"));
        values.collect::<Vec<_>>().join("|")
    };
    batches.iter().flat_map(|batch| (0..batch.num_rows()).map(move |number| row(batch, number))).collect()
}

/// What `spec` says of one input.
pub(crate) fn signature(spec: &dyn OperatorSpec, input: &Stream) -> Signature {
    spec.signature(&[vec![input.clone()]]).unwrap_or_else(|faults| panic!("{spec:?}: {faults:#?}"))
}

/// What is wrong with `spec` over these edges.
pub(crate) fn faults(spec: &dyn OperatorSpec, inputs: &[Stream]) -> Vec<Fault> {
    spec.signature(&[inputs.to_vec()]).expect_err("the spec is faulty")
}

/// The codes of what is wrong.
pub(crate) fn codes(spec: &dyn OperatorSpec, inputs: &[Stream]) -> Vec<&'static str> {
    faults(spec, inputs).iter().map(|fault| fault.code).collect()
}

fn built(spec: &dyn OperatorSpec, inputs: &[Stream]) -> Operator {
    let cx = BuildContext { node: "node".into(), batch_rows: 8 };
    spec.build(&[inputs.to_vec()], &cx).unwrap_or_else(|faults| panic!("{spec:?}: {faults:#?}"))
}

/// Runs a stateless node over one batch. The batches that come out have the schema that the signature promised.
pub(crate) fn process_with(
    spec: &dyn OperatorSpec,
    inputs: &[Stream],
    rows: RecordBatch,
    out: &mut Collector,
) -> Result<Vec<RecordBatch>> {
    let Operator::Stateless(operator) = built(spec, inputs) else { panic!("{spec:?} is stateful") };
    operator.process(rows, &epoch_context(), out)?;
    let promised = spec.signature(&[inputs.to_vec()]).expect("it was built").outputs;
    let emitted = out.take_emitted().into_iter().map(|(port, batch)| {
        assert_eq!(batch.schema(), promised[port.0].schema);
        batch
    });
    Ok(emitted.collect())
}

fn tested(spec: &(impl OperatorSpec + Clone + 'static), input: &Stream) -> Tested {
    Tested::new(spec.clone()).stream_at("in", input.clone())
}

/// The rows that a stateless node makes of these, however they are cut.
pub(crate) fn process(spec: &(impl OperatorSpec + Clone + 'static), input: &Stream, lines: &[&str]) -> Vec<String> {
    let feed = Feed::new().rows("in", batch(input, lines));
    same_answer(&tested(spec, input), [feed], Epochs::Any).expect("the answer does not depend on how rows are cut");
    epochs(spec, input, &[lines]).remove(0)
}

/// The rows that a node makes of each epoch, however it is run.
pub(crate) fn epochs(
    spec: &(impl OperatorSpec + Clone + 'static),
    input: &Stream,
    epochs: &[&[&str]],
) -> Vec<Vec<String>> {
    let (tested, mut feed) = (tested(spec, input), Feed::new());
    let mut harness = tested.harness().expect("the operator takes the stream");
    let mut outputs = Vec::new();
    for lines in epochs {
        let rows = batch(input, lines);
        feed = feed.rows("in", &rows).end_epoch();
        harness.feed("in", rows).expect("rows of the input");
        outputs.push(shown(&[harness.end_epoch().expect("runs")["out"].batch().clone()]));
    }
    same_answer(&tested, [feed], Epochs::Same).expect("the answer does not depend on how it is computed");
    outputs
}
