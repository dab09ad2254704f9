//! An operator alone in a test's hand.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::driver::GraphDriver;
use super::error::{Result, TestError};
use super::given::Given;
use super::moment::Moment;
use super::nodes::{TestedInput, TestedOutput, TestedWatermark};
use super::output::EpochOutput;
use super::snapshot::Snapshot;
use super::state::{Stores, Touch};
use super::table::{Table, unknown};
use super::timers::Change;
use super::way::Way;
use crate::epoch::{Epoch, Port};
use crate::fault::Fault;
use crate::node::{OperatorSpec, Signature};
use crate::plan::{Dag, Plan, PlanEdge, PlanNode, Role, RunOptions};
use crate::row::Row;
use crate::schema::parse_ddl;
use crate::state::Slot;
use crate::stream::{EventTime, EventTimeKind, Mode, Stream};
use crate::time::{TimeSpan, Timestamp, Watermark};

/// An operator that is to be tested, and the streams that it is given.
#[derive(Clone, Debug)]
pub struct Tested {
    spec: Arc<dyn OperatorSpec>,
    /// Per input port, a stream per edge.
    inputs: Vec<Vec<Stream>>,
    /// The port of the last input.
    last: usize,
    faults: Vec<Fault>,
    way: Way,
}

impl Tested {
    /// This operator, without inputs so far.
    pub fn new(spec: impl OperatorSpec + 'static) -> Self {
        let inputs = vec![Vec::new(); spec.ports().inputs.len()];
        Self { spec: Arc::new(spec), inputs, last: 0, faults: Vec::new(), way: Way::SEQUENTIAL }
    }

    /// A stream of facts with these columns (`"user STRING, n BIGINT"`) for the first input port.
    #[must_use]
    pub fn input(self, ddl: &str) -> Self {
        let port = first_port(&*self.spec);
        self.input_at(&port, ddl)
    }

    /// A stream of facts with these columns for an input port. A port that takes several gets one more each time.
    #[must_use]
    pub fn input_at(mut self, port: &str, ddl: &str) -> Self {
        match parse_ddl(ddl) {
            Ok(schema) => return self.stream_at(port, Stream::of(schema)),
            Err(fault) => self.faults.push(fault),
        }
        self
    }

    /// A stream of facts with the columns of a Rust type for the first input port.
    #[must_use]
    pub fn rows<R: Row>(self) -> Self {
        let port = first_port(&*self.spec);
        self.stream_at(&port, Stream::of(Arc::new(arrow::datatypes::Schema::new(R::arrow_fields()))))
    }

    /// Any stream for an input port.
    #[must_use]
    pub fn stream_at(mut self, port: &str, stream: Stream) -> Self {
        let ports = self.spec.ports();
        if let Some(index) = ports.inputs.iter().position(|name| *name == port) {
            self.inputs[index].push(stream);
            self.last = index;
        } else {
            let known = crate::fault::listed(ports.inputs.iter());
            let message = format!("the operator has no input port `{port}`; it has {known}");
            self.faults.push(Fault::new("unknown_port", message));
        }
        self
    }

    /// Makes a column of the last input its event time: rows then come below a watermark, which the test moves.
    #[must_use]
    pub fn event_time(self, column: &str) -> Self {
        self.event_time_delayed(column, TimeSpan::ZERO)
    }

    /// As [`event_time`](Self::event_time), below a watermark node of this delay: for operators that ask for it. The test moves
    /// the watermark all the same.
    #[must_use]
    pub fn event_time_delayed(mut self, column: &str, delay: TimeSpan) -> Self {
        if let Some(stream) = self.inputs[self.last].last_mut() {
            stream.event_times.push(EventTime { column: column.to_owned(), kind: EventTimeKind::Instant, delay });
            stream.watermarks.insert("watermark".to_owned());
        }
        self
    }

    /// How it is run: threads, partitions, batches, restarts.
    #[must_use]
    pub fn way(mut self, way: Way) -> Self {
        self.way = way;
        self
    }

    /// So many partitions of state.
    #[must_use]
    pub fn partitions(mut self, partitions: usize) -> Self {
        self.way.partitions = partitions;
        self
    }

    /// What the operator makes of its inputs.
    ///
    /// # Errors
    ///
    /// All faults that it finds, as a check of the graph would.
    pub fn signature(&self) -> Result<Signature> {
        if !self.faults.is_empty() {
            return Err(TestError::Faults(self.faults.clone()));
        }
        let ports = self.spec.ports();
        let is_missing = |(port, edges): &(usize, &Vec<Stream>)| edges.is_empty() && !ports.is_optional(Port(*port));
        if let Some((index, _)) = self.inputs.iter().enumerate().find(is_missing) {
            let port = &ports.inputs[index];
            return Err(TestError::Given(format!("input port `{port}` has no stream: call `input` or `input_at`")));
        }
        self.spec.signature(&self.inputs).map_err(TestError::Faults)
    }

    /// A harness with the operator in it.
    pub fn harness(&self) -> Result<OperatorHarness> {
        OperatorHarness::new(self)
    }

    /// The inputs by name: that of the port; of several for one port, the second is `in 2`.
    pub(super) fn named_inputs(&self) -> Vec<(String, &Stream)> {
        let ports = self.spec.ports();
        let named = ports.inputs.iter().zip(&self.inputs).flat_map(|(port, streams)| {
            streams.iter().enumerate().map(move |(edge, stream)| (edge_name(port, edge), stream))
        });
        named.collect()
    }

    /// The operator's name: that of its type.
    pub(super) fn name(&self) -> &'static str {
        self.spec.entry().name
    }
}

/// An operator alone in a test's hand: rows are fed to its input ports, the test moves watermark and clock and ends each epoch, and
/// looks at what came out by each output port, and at the state. It is run by the engine, as the only operator of a graph.
#[derive(Debug)]
pub struct OperatorHarness {
    driver: GraphDriver,
    name: String,
    /// Names of the inputs, and of the outputs.
    inputs: Vec<String>,
    outputs: Vec<String>,
    /// The inputs whose rows replace each other as a whole.
    tables: Vec<String>,
    /// The watermark nodes above the operator.
    marks: Vec<String>,
    signature: Signature,
}

impl OperatorHarness {
    fn new(tested: &Tested) -> Result<Self> {
        let signature = tested.signature()?;
        let (ports, name) = (tested.spec.ports(), tested.name().to_owned());
        let (mut dag, mut inputs, mut marks, mut tables) = (Dag::default(), Vec::new(), Vec::new(), Vec::new());
        let mut edges = Vec::new();
        let mut named = tested.named_inputs().into_iter();
        for (index, streams) in tested.inputs.iter().enumerate() {
            for (input, stream) in named.by_ref().take(streams.len()) {
                let role = Role::Source(Arc::new(TestedInput {}), stream.clone());
                let mut above = dag.add_node(PlanNode { name: input_node(&input).into(), role });
                if !stream.watermarks.is_empty() {
                    let mark = format!("watermark of {input}");
                    let (spec, streams) = (Arc::new(TestedWatermark {}), vec![vec![stream.clone()]]);
                    let signature = spec.signature(&streams).map_err(TestError::Faults)?;
                    let role = Role::Operator { spec, inputs: streams, signature };
                    let node = dag.add_node(PlanNode { name: mark.as_str().into(), role });
                    dag.add_edge(above, node, PlanEdge { from: Port::FIRST, to: Port::FIRST });
                    above = node;
                    marks.push(mark);
                }
                edges.push((above, Port(index)));
                if matches!(stream.mode, Mode::Complete(_)) {
                    tables.push(input.clone());
                }
                inputs.push(input);
            }
        }
        let role = Role::Operator {
            spec: Arc::clone(&tested.spec),
            inputs: tested.inputs.clone(),
            signature: signature.clone(),
        };
        let operator = dag.add_node(PlanNode { name: name.as_str().into(), role });
        for (above, to) in edges {
            dag.add_edge(above, operator, PlanEdge { from: Port::FIRST, to });
        }
        let outputs: Vec<String> = ports.outputs.iter().map(ToString::to_string).collect();
        for (index, (port, stream)) in outputs.iter().zip(&signature.outputs).enumerate() {
            let role = Role::Sink(Arc::new(TestedOutput {}), stream.clone());
            let sink = dag.add_node(PlanNode { name: port.as_str().into(), role });
            dag.add_edge(operator, sink, PlanEdge { from: Port(index), to: Port::FIRST });
        }
        let plan = Plan { name: name.clone(), text: String::new(), dag, run: RunOptions::default() };
        let driver = GraphDriver::new(&plan).way(tested.way);
        Ok(Self { driver, name, inputs, outputs, tables, marks, signature })
    }

    /// What the operator makes of its inputs.
    pub fn signature(&self) -> &Signature {
        &self.signature
    }

    /// Gives an input rows for this epoch. It has the name of its port; of several for one port, the second is `in 2`. An input in mode
    /// `Complete` that is given none, not even `""`, stays as it was.
    pub fn feed(&mut self, input: &str, rows: impl Into<Given>) -> Result<()> {
        if !self.inputs.iter().any(|known| known == input) {
            return Err(unknown("input", input, self.inputs.iter().map(String::as_str)));
        }
        self.driver.feed(&input_node(input), rows)
    }

    /// Moves the watermark on, as rows of the epoch before would have done: this epoch closes and evicts what it has passed, and
    /// rows that it has passed are late from the epoch after this one.
    pub fn set_watermark(&mut self, to: impl Moment) -> Result<()> {
        let to = Watermark(Some(to.moment()?));
        if self.marks.is_empty() {
            let message = "no input has event time, so there is no watermark: call `event_time` after `input`";
            return Err(TestError::Given(message.to_owned()));
        }
        let now = self.watermark()?;
        if to < now {
            return Err(TestError::Given(format!("the watermark is {now}, and does not go back to {to}")));
        }
        for node in self.marks.clone() {
            self.driver.add_touch(Touch::Watermark { node, to })?;
        }
        Ok(())
    }

    /// The watermark that is in force in this epoch.
    pub fn watermark(&mut self) -> Result<Watermark> {
        self.driver.touch()?;
        let Some(mark) = self.marks.first() else { return Ok(Watermark::NONE) };
        Ok(self.driver.engine()?.watermark_of(mark))
    }

    /// Sets the processing time of this epoch and those after it.
    pub fn set_clock(&mut self, time: impl Moment) -> Result<()> {
        self.driver.set_clock(time)
    }

    /// Moves the clock on.
    pub fn advance_clock(&mut self, by: TimeSpan) {
        self.driver.advance_clock(by);
    }

    /// The processing time.
    pub fn clock(&self) -> Timestamp {
        self.driver.clock()
    }

    /// The epoch that is being put together.
    pub fn epoch(&mut self) -> Result<Epoch> {
        self.driver.next_epoch()
    }

    /// Ends the epoch: the rows fed go through the work before the exchange, are exchanged by key, and the partitions run, also
    /// when there is no row. Then state and output are committed.
    ///
    /// # Errors
    ///
    /// As the engine gives them: nothing of the epoch was committed.
    pub fn end_epoch(&mut self) -> Result<EpochOutput> {
        for input in self.inputs.iter().filter(|input| !self.tables.contains(input)) {
            self.driver.feed(&input_node(input), "")?;
        }
        let output = self.driver.step()?;
        output.ok_or_else(|| TestError::Given("the engine did not run the epoch".to_owned()))
    }

    /// All rows that came out by a port so far, epoch by epoch.
    pub fn output(&self, port: &str) -> Result<Table> {
        if !self.outputs.iter().any(|known| known == port) {
            return Err(unknown("output port", port, self.outputs.iter().map(String::as_str)));
        }
        self.driver.output(port)
    }

    /// The state, to be looked into.
    pub fn state(&mut self) -> Result<Stores<'_>> {
        self.driver.state(&self.name)
    }

    /// Keeps rows in a table of the state, each in place of the one that its key has: rows of a table without slots.
    pub fn set_state(&mut self, table: &str, rows: impl Into<Given>) -> Result<()> {
        self.set_state_at(table, Slot::NEVER, rows)
    }

    /// Keeps rows in a slot of a table of the state.
    pub fn set_state_at(&mut self, table: &str, slot: Slot, rows: impl Into<Given>) -> Result<()> {
        let (place, declared) = self.table(table)?;
        let rows = rows.into().table(&declared.columns())?.batch().clone();
        self.driver.add_touch(Touch::Keep { node: self.name.clone(), table: place, slot, rows })
    }

    /// Removes what is kept for these keys in a table without slots.
    pub fn remove_state(&mut self, table: &str, keys: impl Into<Given>) -> Result<()> {
        self.remove_state_at(table, Slot::NEVER, keys)
    }

    /// Removes what a slot of a table keeps for these keys.
    pub fn remove_state_at(&mut self, table: &str, slot: Slot, keys: impl Into<Given>) -> Result<()> {
        let (place, declared) = self.table(table)?;
        let columns = Arc::new(arrow::datatypes::Schema::new(declared.keys));
        let keys = keys.into().table(&columns)?.batch().clone();
        self.driver.add_touch(Touch::Remove { node: self.name.clone(), table: place, slot, keys })
    }

    /// Sets timers of a typed operator: rows as [`Stores::timers`] gives them. Those that are there already stay.
    pub fn set_timers(&mut self, timers: impl Into<Given>) -> Result<()> {
        self.change_timers(&timers.into(), Change::Set)
    }

    /// Takes timers of a typed operator away. They need not be there.
    pub fn delete_timers(&mut self, timers: impl Into<Given>) -> Result<()> {
        self.change_timers(&timers.into(), Change::Delete)
    }

    fn change_timers(&mut self, timers: &Given, change: Change) -> Result<()> {
        let node = self.name.clone();
        let state = self.state()?;
        let timers = timers.table(&state.timer_columns()?)?;
        let touches = state.change_timers(&node, &timers, change)?;
        touches.into_iter().try_for_each(|touch| self.driver.add_touch(touch))
    }

    fn table(&mut self, name: &str) -> Result<(usize, crate::state::TableSchema)> {
        let state = self.state()?;
        let place = state.place(name)?;
        let declared = state.declared().nth(place).expect("it has this place").clone();
        Ok((place, declared))
    }

    /// Stops, and goes on from the checkpoint.
    pub fn restart(&mut self) -> Result<()> {
        self.driver.restart()
    }

    /// Crashes, so that the last epoch is run again from its intent; it must put out what it did the first time.
    pub fn crash(&mut self) -> Result<()> {
        self.driver.crash()
    }

    /// Stops, and goes on with another number of partitions.
    pub fn restart_into(&mut self, partitions: usize) -> Result<()> {
        self.driver.restart_into(partitions)
    }

    /// State, watermark and clock as they are, to be restored later or into another harness. Rows fed in this epoch are not in it.
    pub fn snapshot(&mut self) -> Result<Snapshot> {
        self.driver.snapshot()
    }

    pub(super) fn driver(&mut self) -> &mut GraphDriver {
        &mut self.driver
    }

    pub(super) fn output_modes(&self) -> BTreeMap<String, Mode> {
        let mode = |(port, stream): (&String, &Stream)| (port.clone(), stream.mode.clone());
        self.outputs.iter().zip(&self.signature.outputs).map(mode).collect()
    }

    /// Goes on from a snapshot; it may come from a harness with other partitions, or with an earlier version of the operator.
    pub fn restore(&mut self, snapshot: &Snapshot) -> Result<()> {
        self.driver.restore(snapshot)
    }
}

fn first_port(spec: &dyn OperatorSpec) -> String {
    spec.ports().inputs[0].to_string()
}

/// Streams for one port are told apart by number.
fn edge_name(port: &str, edge: usize) -> String {
    if edge == 0 { port.to_owned() } else { format!("{port} {}", edge + 1) }
}

/// A name that is neither that of an operator nor of an output port.
fn input_node(input: &str) -> String {
    format!("input {input}")
}
