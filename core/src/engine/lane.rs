//! A lane: rows that one task at a time takes through the stateless nodes below their origin, up to the next exchange or
//! sink. A split of a source is a lane, and so is what a partition of a stateful node puts out.

use std::sync::Arc;

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;

use super::calls::Calls;
use super::error::EngineError;
use super::topology::{NodeId, Route, RouteId, StatefulNode, Topology, Work};
use super::watermarks::InForce;
use crate::epoch::{Epoch, Partition, Port};
use crate::error::Error;
use crate::keys::partition_of_rows;
use crate::node::{BeforeExchange, Collector, EpochContext, LateCount};
use crate::time::{Timestamp, Watermark};

/// What all tasks of an epoch know.
pub(super) struct EpochRun<'a> {
    pub(super) topology: &'a Topology,
    pub(super) epoch: Epoch,
    pub(super) processing_time: Timestamp,
    pub(super) in_force: &'a InForce,
    /// By node, whether its whole result is a new one in this epoch.
    pub(super) renewed: &'a [bool],
    pub(super) calls: &'a Calls,
}

impl EpochRun<'_> {
    pub(super) fn context(&self, node: NodeId, partition: Partition) -> EpochContext {
        EpochContext {
            epoch: self.epoch,
            partition,
            processing_time: self.processing_time,
            late: self.in_force.late[node],
            evict: self.in_force.evict[node],
            call_limit: self.calls.limit,
        }
    }

    pub(super) fn failed(&self, node: NodeId, partition: Option<Partition>) -> impl FnOnce(Error) -> EngineError {
        let (node, epoch) = (Arc::clone(&self.topology.nodes[node].name), self.epoch);
        move |source| EngineError::Node { node, epoch, partition, source }
    }
}

/// What a node did in a lane, and in sum in an epoch.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct NodeCount {
    pub(super) rows_in: u64,
    pub(super) rows_out: u64,
    pub(super) late: LateCount,
    pub(super) bad_times: u64,
    pub(super) newest: Watermark,
}

impl NodeCount {
    /// Takes what a call of the node counted.
    fn take(collector: &mut Collector) -> Self {
        let (late, newest, bad_times) = (collector.take_late(), collector.take_newest(), collector.take_bad_times());
        Self { late, bad_times, newest, ..Self::default() }
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.rows_in += other.rows_in;
        self.rows_out += other.rows_out;
        self.late.rows += other.late.rows;
        self.late.dropped += other.late.dropped;
        self.bad_times += other.bad_times;
        self.newest = self.newest.max(other.newest);
    }
}

/// What came to the ends of a lane.
pub(super) struct LaneOutput {
    /// For each stateful node, per partition, what is exchanged to it; empty where nothing is.
    pub(super) exchanged: Vec<Vec<Vec<(Port, RecordBatch)>>>,
    /// For each sink its rows.
    pub(super) written: Vec<Vec<RecordBatch>>,
    /// For each node what it did.
    pub(super) counts: Vec<NodeCount>,
}

impl LaneOutput {
    pub(super) fn new(nodes: usize) -> Self {
        Self {
            exchanged: vec![Vec::new(); nodes],
            written: vec![Vec::new(); nodes],
            counts: vec![NodeCount::default(); nodes],
        }
    }

    /// Puts what another lane brought behind what this one holds.
    pub(super) fn append(&mut self, other: Self) {
        for (mine, theirs) in self.exchanged.iter_mut().zip(other.exchanged) {
            extend_each(mine, theirs);
        }
        for (mine, theirs) in self.written.iter_mut().zip(other.written) {
            mine.extend(theirs);
        }
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            mine.add(theirs);
        }
    }
}

/// Rows on their way from one origin.
pub(super) struct Lane {
    origin: NodeId,
    /// By route.
    arrived: Vec<Arrived>,
    collector: Collector,
    counts: Vec<NodeCount>,
}

/// What has come by one route to its end.
#[derive(Default)]
struct Arrived {
    before: Option<Box<dyn BeforeExchange>>,
    exchanged: Vec<Vec<(Port, RecordBatch)>>,
    written: Vec<RecordBatch>,
}

impl Lane {
    pub(super) fn new(origin: NodeId, topology: &Topology) -> Self {
        let routes = topology.nodes[origin].routes.all.len();
        Self {
            origin,
            arrived: std::iter::repeat_with(Arrived::default).take(routes).collect(),
            collector: Collector::default(),
            counts: vec![NodeCount::default(); topology.nodes.len()],
        }
    }

    /// Takes a batch that the origin put out at `port`.
    pub(super) fn push(&mut self, port: Port, batch: &RecordBatch, run: &EpochRun<'_>) -> Result<(), EngineError> {
        self.deliver(self.origin, &run.topology.nodes[self.origin].routes.first, port, batch, run)
    }

    /// Counts what the origin itself did, where it ran in this lane.
    pub(super) fn count_origin(&mut self, collector: &mut Collector) {
        self.counts[self.origin].add(&NodeCount::take(collector));
    }

    /// The origin has no more rows: finishes the work before the exchanges.
    pub(super) fn finish(mut self, run: &EpochRun<'_>) -> Result<LaneOutput, EngineError> {
        let routes = &run.topology.nodes[self.origin].routes.all;
        // ORDER: a route comes before those that continue it, so what one gives to another arrives before that is finished.
        for (id, route) in routes.iter().enumerate() {
            if let Some(before) = self.arrived[id].before.take() {
                let cx = run.context(route.node, Partition::default());
                let finished = run.calls.call(|| before.finish(&cx, &mut self.collector));
                finished.map_err(run.failed(route.node, None))?;
                self.pass_on(id, route, run)?;
            }
        }
        let mut output = LaneOutput { counts: self.counts, ..LaneOutput::new(run.topology.nodes.len()) };
        for (route, arrived) in routes.iter().zip(self.arrived) {
            extend_each(&mut output.exchanged[route.node], arrived.exchanged);
            output.written[route.node].extend(arrived.written);
        }
        Ok(output)
    }

    fn deliver(
        &mut self,
        node: NodeId,
        next: &[Vec<RouteId>],
        port: Port,
        batch: &RecordBatch,
        run: &EpochRun<'_>,
    ) -> Result<(), EngineError> {
        if port == Port::FIRST {
            self.counts[node].rows_out += batch.num_rows() as u64;
        }
        let routes = next.get(port.0).map_or(&[][..], Vec::as_slice);
        routes.iter().try_for_each(|&route| self.enter(route, batch.clone(), run))
    }

    fn enter(&mut self, id: RouteId, batch: RecordBatch, run: &EpochRun<'_>) -> Result<(), EngineError> {
        let route = &run.topology.nodes[self.origin].routes.all[id];
        let (node, port) = (route.node, route.port);
        self.counts[node].rows_in += batch.num_rows() as u64;
        let cx = run.context(node, Partition::default());
        match &run.topology.nodes[node].work {
            Work::Source => {}
            Work::Sink => self.arrived[id].written.push(batch),
            Work::Stateless(operator) => {
                let processed = run.calls.call(|| operator.process(batch, &cx, &mut self.collector));
                processed.map_err(run.failed(node, None))?;
                self.pass_on(id, route, run)?;
            }
            Work::Stateful(stateful) => {
                let arrived = &mut self.arrived[id];
                if arrived.before.is_none() {
                    let before = run.calls.call(|| Ok(stateful.operator.before_exchange()));
                    arrived.before = before.map_err(run.failed(node, None))?;
                }
                match &mut arrived.before {
                    Some(before) => {
                        let processed = run.calls.call(|| before.process(port, batch, &cx, &mut self.collector));
                        processed.map_err(run.failed(node, None))?;
                        self.pass_on(id, route, run)?;
                    }
                    None => exchange(&mut arrived.exchanged, stateful, port, batch).map_err(run.failed(node, None))?,
                }
            }
        }
        Ok(())
    }

    /// Hands on what the last call of the route's node left in the collector.
    fn pass_on(&mut self, id: RouteId, route: &Route, run: &EpochRun<'_>) -> Result<(), EngineError> {
        self.counts[route.node].add(&NodeCount::take(&mut self.collector));
        for (port, batch) in self.collector.take_exchanged() {
            if let Work::Stateful(stateful) = &run.topology.nodes[route.node].work {
                let partitions = &mut self.arrived[id].exchanged;
                exchange(partitions, stateful, port, batch).map_err(run.failed(route.node, None))?;
            }
        }
        for (port, batch) in self.collector.take_emitted() {
            self.deliver(route.node, &route.next, port, &batch, run)?;
        }
        Ok(())
    }
}

/// Puts each list of `theirs` behind the one of `mine` at its place.
fn extend_each<T>(mine: &mut Vec<Vec<T>>, theirs: Vec<Vec<T>>) {
    mine.resize_with(mine.len().max(theirs.len()), Vec::new);
    for (mine, theirs) in mine.iter_mut().zip(theirs) {
        mine.extend(theirs);
    }
}

/// Sorts the batch's rows into the node's partitions, keeping their order.
fn exchange(
    partitions: &mut Vec<Vec<(Port, RecordBatch)>>,
    stateful: &StatefulNode,
    port: Port,
    batch: RecordBatch,
) -> Result<(), Error> {
    partitions.resize_with(stateful.partitions, Vec::new);
    if stateful.partitions == 1 {
        partitions[0].push((port, batch));
        return Ok(());
    }
    let keys: Vec<_> = stateful.keys.iter().map(|&key| Arc::clone(batch.column(key))).collect();
    let mut rows = vec![Vec::new(); stateful.partitions];
    for (row, partition) in partition_of_rows(&keys, batch.num_rows(), stateful.partitions)?.into_iter().enumerate() {
        rows[partition as usize].push(row as u32);
    }
    for (rows, partition) in rows.into_iter().zip(partitions) {
        if rows.len() == batch.num_rows() {
            partition.push((port, batch.clone()));
        } else if !rows.is_empty() {
            partition.push((port, take_record_batch(&batch, &UInt32Array::from(rows))?));
        }
    }
    Ok(())
}
