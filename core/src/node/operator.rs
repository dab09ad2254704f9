//! Operators: what their descriptor says before the start, and how they work on batches and epochs.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;

use super::{Collector, Node, Ports};
use crate::epoch::{Epoch, Partition, Port};
use crate::error::Result;
use crate::fault::{Fault, Faults};
use crate::state::{EarlierState, Slot, StateStore, TableSchema};
use crate::stream::Stream;
use crate::time::{TimeSpan, Timestamp, Watermark};

/// What a graph file says of an operator.
#[typetag::serde]
pub trait OperatorSpec: Node + Debug + Send + Sync {
    /// The node's ports.
    fn ports(&self) -> Ports {
        Ports::PLAIN
    }

    /// What the operator makes of its inputs: pure, opens nothing, finds every fault it can. `inputs` holds one list per
    /// input port with one stream per edge, in the order of the edges; an [optional](Ports::optional) port that is not fed has
    /// an empty one.
    fn signature(&self, inputs: &[Vec<Stream>]) -> Result<Signature, Faults>;

    /// Fields of the node, as the graph file writes them, that do not concern what it keeps: they may change while the state in
    /// a checkpoint goes on to be used. Of a node that is no list of fields, the field is `0`.
    fn free_fields(&self) -> &'static [&'static str] {
        &[]
    }

    /// The version of what the operator keeps. A checkpoint with another one is refused.
    fn state_version(&self) -> u32 {
        0
    }

    /// Builds the running operator, once per node, after the whole graph has been checked. `inputs` are the streams that
    /// [`signature`](Self::signature) accepted.
    fn build(&self, inputs: &[Vec<Stream>], cx: &BuildContext) -> Result<Operator, Faults>;
}

/// What an operator may know when it is built.
#[derive(Clone, Debug)]
pub struct BuildContext {
    /// The node's name.
    pub node: Arc<str>,
    /// The most rows a batch should hold.
    pub batch_rows: usize,
}

/// What an operator makes of its inputs.
#[derive(Clone, Debug, PartialEq)]
pub struct Signature {
    /// One stream per output port.
    pub outputs: Vec<Stream>,
    /// How exchanged rows must be grouped; [`Distribution::Any`] for a stateless operator.
    pub distribution: Distribution,
    /// The watermark of what leaves the operator.
    pub watermark: OutputWatermark,
    /// Whether a watermark that moved calls for an epoch even without input.
    pub wakes: bool,
    /// What the operator keeps from epoch to epoch.
    pub state: StateNeed,
    /// What the author should know; nothing here stops the graph.
    pub warnings: Vec<Fault>,
    /// Facts in words that the graph file does not say itself, such as how long rows are kept: `check --explain` shows them.
    pub notes: Vec<String>,
}

impl Signature {
    /// A stateless operator with these outputs.
    pub fn stateless(outputs: Vec<Stream>) -> Self {
        Self {
            outputs,
            distribution: Distribution::Any,
            watermark: OutputWatermark::Input,
            wakes: false,
            state: StateNeed::None,
            warnings: Vec::new(),
            notes: Vec::new(),
        }
    }
}

/// The watermark of what leaves an operator.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OutputWatermark {
    /// That of its inputs, the least of them: no row comes out that is older than those that may still come in.
    #[default]
    Input,
    /// That of its inputs, so much earlier (not at all if negative): the operator gives rows event times of its own, up to so far back. What follows
    /// judges late rows and closes state by it.
    HeldBack(TimeSpan),
    /// None: nobody can tell how old the rows are that may still come out. What follows is without event time.
    None,
    /// One of its own, so far behind the newest event time that the operator [observes](Collector::observe): a watermark node.
    Own {
        /// How far behind.
        delay: TimeSpan,
        /// When it has observed nothing for so long, in processing time, nodes below do not wait for it any more.
        idle_after: Option<TimeSpan>,
    },
}

impl OutputWatermark {
    /// One of its own, so far behind the newest event time, for which nodes below wait however long it takes.
    pub const fn own(delay: TimeSpan) -> Self {
        Self::Own { delay, idle_after: None }
    }
}

/// How the rows that reach a stateful operator must be grouped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Distribution {
    /// As they come: no exchange.
    Any,
    /// Rows that are equal in these columns (of the rows *exchanged*, by whatever port) reach the same partition.
    Hash(Vec<usize>),
    /// All rows reach the one partition.
    Single,
}

/// What an operator keeps from epoch to epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateNeed {
    /// Nothing.
    None,
    /// State that a watermark or a fixed size bounds.
    Bounded,
    /// State that grows with the number of keys for ever.
    Unbounded,
}

/// A running operator.
#[derive(Clone)]
pub enum Operator {
    /// Works on each batch alone.
    Stateless(Arc<dyn Stateless>),
    /// Works on the rows of an epoch, per partition of its keys.
    Stateful(Arc<dyn Stateful>),
}

/// An operator that works on each batch alone. Its answer may not depend on how rows are cut into batches.
pub trait Stateless: Send + Sync {
    /// Turns one batch into output.
    fn process(&self, batch: RecordBatch, cx: &EpochContext, out: &mut Collector) -> Result<()>;
}

/// An operator that sees the rows of an epoch partition by partition. All that must survive the epoch goes into `state`:
/// a replay of the epoch on the earlier version of the state must give the same answer.
pub trait Stateful: Send + Sync {
    /// The tables kept from epoch to epoch; none for an operator that only needs an epoch's rows together.
    fn tables(&self) -> Vec<TableSchema>;

    /// Work on the rows before they are regrouped by key: a partial aggregate, a late filter. One is made per split and
    /// epoch. Without it, the rows are exchanged as they are.
    fn before_exchange(&self) -> Option<Box<dyn BeforeExchange>> {
        None
    }

    /// Runs one epoch of one partition, once, also when there is no input. Batches of equal input come in the same
    /// order whatever the number of threads.
    fn run(&self, input: EpochInput, state: &mut StateStore, cx: &EpochContext, out: &mut Collector) -> Result<()>;

    /// Whether there is something to do at this watermark, the present one of the node, that the last epoch has not seen to: it
    /// calls for an epoch, also without input and without a watermark that moved.
    fn is_due(&self, state: &StateStore, evict: Watermark) -> bool {
        let _ = (state, evict);
        false
    }

    /// The processing time at which this partition wants an epoch even without input: the least of its timers. Asked after the
    /// start and after every epoch, from what is in `state`. One that the last epoch had reached already is due as soon as the
    /// clock moves on.
    fn wake_at(&self, state: &StateStore) -> Option<Timestamp> {
        let _ = state;
        None
    }

    /// Whether it can take over what another version of it has left, or this version with other tables or columns; asked before
    /// anything is started. Says what becomes of the state, or why it cannot be taken over: nothing, where there is nothing to add
    /// to the difference.
    fn adopts(&self, earlier: &EarlierState) -> Result<Vec<String>, Vec<String>> {
        let _ = earlier;
        Err(Vec::new())
    }

    /// Makes rows of one of those tables, key columns first, rows of the present tables: for each of these its place, its slot and
    /// its rows. Keys may change neither their columns nor their partition.
    fn adopt(
        &self,
        earlier: &EarlierState,
        table: &str,
        slot: Slot,
        rows: RecordBatch,
    ) -> Result<Vec<(usize, Slot, RecordBatch)>> {
        let _ = (earlier, table, slot, rows);
        Ok(Vec::new())
    }

    /// How a slot of the table declared at place `table` is shown to people: columns that come before those of the key, alike
    /// for all slots. A window says its bounds here; none where a table has one slot only.
    fn readable_slot(&self, table: usize, slot: Slot) -> Vec<(&'static str, Option<Timestamp>)> {
        let _ = table;
        vec![("slot", slot.time())]
    }

    /// What the value columns of that table mean to people: one row for each. Running sums become results here; as they are
    /// where that says enough.
    fn readable_values(&self, table: usize, values: RecordBatch, cx: &EpochContext) -> Result<RecordBatch> {
        let _ = (table, cx);
        Ok(values)
    }
}

/// What a stateful operator does with the rows of one split before the exchange. What it passes on goes to
/// [`Collector::exchange`]; what it [emits](Collector::emit) leaves by the node's ports (rows that came too late).
/// It sees the rows of a split in order, and its answer may not depend on how they are cut into batches.
pub trait BeforeExchange: Send {
    /// Takes a batch that arrived at an input port.
    fn process(&mut self, port: Port, batch: RecordBatch, cx: &EpochContext, out: &mut Collector) -> Result<()>;

    /// The split is at its end.
    fn finish(self: Box<Self>, cx: &EpochContext, out: &mut Collector) -> Result<()>;
}

/// The rows of an epoch for one partition: per input port the batches, in order.
#[derive(Debug, Default)]
pub struct EpochInput {
    /// Batches in the order in which they are to be taken.
    pub batches: Vec<(Port, RecordBatch)>,
    /// The ports, of those fed by streams of mode [`Complete`](crate::stream::Mode::Complete), whose rows of this epoch replace all
    /// earlier ones, also where there are none. In other epochs no row comes by them, and what came before still holds.
    pub replaced: Vec<Port>,
}

/// What an operator may know of the epoch.
#[derive(Clone, Copy, Debug)]
pub struct EpochContext {
    /// The epoch's number.
    pub epoch: Epoch,
    /// Which partition of the keys this is; before the exchange, 0.
    pub partition: Partition,
    /// The epoch's processing time: the same on a replay.
    pub processing_time: Timestamp,
    /// Rows at or before it are late: what the node's watermark was in the epoch before.
    pub late: Watermark,
    /// State at or before it is closed and evicted: the node's watermark in this epoch.
    pub evict: Watermark,
    /// How long a call of a user's code may take, for an operator that calls it row by row or key by key: a longer one fails
    /// with [`Error::Slow`](crate::error::Error::Slow). The engine itself sees to calls of the operator.
    pub call_limit: Option<Duration>,
}
