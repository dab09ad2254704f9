//! A lane: rows that one task at a time takes through the stateless nodes below their origin, up to the next exchange or
//! sink. A split of a source is a lane, and so is what a partition of a stateful node puts out.

use std::sync::Arc;

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;

use super::error::EngineError;
use super::topology::{NodeId, StatefulNode, Topology, Work};
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
}

impl EpochRun<'_> {
    pub(super) fn context(&self, node: NodeId, partition: Partition) -> EpochContext {
        EpochContext {
            epoch: self.epoch,
            partition,
            processing_time: self.processing_time,
            late: self.in_force.late[node],
            evict: self.in_force.evict[node],
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
    pub(super) newest: Watermark,
}

impl NodeCount {
    pub(super) fn add(&mut self, other: &Self) {
        self.rows_in += other.rows_in;
        self.rows_out += other.rows_out;
        self.late.rows += other.late.rows;
        self.late.dropped += other.late.dropped;
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
            mine.resize_with(mine.len().max(theirs.len()), Vec::new);
            for (mine, theirs) in mine.iter_mut().zip(theirs) {
                mine.extend(theirs);
            }
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
    before: Vec<Option<Box<dyn BeforeExchange>>>,
    collector: Collector,
    output: LaneOutput,
}

impl Lane {
    pub(super) fn new(origin: NodeId, topology: &Topology) -> Self {
        let nodes = topology.nodes.len();
        Self {
            origin,
            before: std::iter::repeat_with(|| None).take(nodes).collect(),
            collector: Collector::default(),
            output: LaneOutput::new(nodes),
        }
    }

    /// Takes a batch that the origin put out at `port`.
    pub(super) fn push(&mut self, port: Port, batch: &RecordBatch, run: &EpochRun<'_>) -> Result<(), EngineError> {
        self.deliver(self.origin, port, batch, run)
    }

    /// Counts what the origin itself did, where it ran in this lane.
    pub(super) fn count_origin(&mut self, collector: &mut Collector) {
        self.output.counts[self.origin].add(&NodeCount {
            late: collector.take_late(),
            newest: collector.take_newest(),
            ..NodeCount::default()
        });
    }

    /// The origin has no more rows: finishes the work before the exchanges.
    pub(super) fn finish(mut self, run: &EpochRun<'_>) -> Result<LaneOutput, EngineError> {
        // ORDER: nodes are in flow order, so what one gives to another arrives before that one is finished.
        for node in 0..self.before.len() {
            if let Some(before) = self.before[node].take() {
                let cx = run.context(node, Partition::default());
                before.finish(&cx, &mut self.collector).map_err(run.failed(node, None))?;
                self.pass_on(node, run)?;
            }
        }
        Ok(self.output)
    }

    fn deliver(
        &mut self,
        node: NodeId,
        port: Port,
        batch: &RecordBatch,
        run: &EpochRun<'_>,
    ) -> Result<(), EngineError> {
        if port == Port::FIRST {
            self.output.counts[node].rows_out += batch.num_rows() as u64;
        }
        let targets = run.topology.nodes[node].outputs.get(port.0).map_or(&[][..], Vec::as_slice);
        targets.iter().try_for_each(|&(target, port)| self.enter(target, port, batch.clone(), run))
    }

    fn enter(&mut self, node: NodeId, port: Port, batch: RecordBatch, run: &EpochRun<'_>) -> Result<(), EngineError> {
        self.output.counts[node].rows_in += batch.num_rows() as u64;
        let cx = run.context(node, Partition::default());
        match &run.topology.nodes[node].work {
            Work::Source => {}
            Work::Sink => self.output.written[node].push(batch),
            Work::Stateless(operator) => {
                operator.process(batch, &cx, &mut self.collector).map_err(run.failed(node, None))?;
                self.pass_on(node, run)?;
            }
            Work::Stateful(stateful) => {
                if self.before[node].is_none() {
                    self.before[node] = stateful.operator.before_exchange();
                }
                match &mut self.before[node] {
                    Some(before) => {
                        before.process(port, batch, &cx, &mut self.collector).map_err(run.failed(node, None))?;
                        self.pass_on(node, run)?;
                    }
                    None => self.exchange(node, stateful, port, batch).map_err(run.failed(node, None))?,
                }
            }
        }
        Ok(())
    }

    /// Hands on what the node's last call left in the collector.
    fn pass_on(&mut self, node: NodeId, run: &EpochRun<'_>) -> Result<(), EngineError> {
        let late = self.collector.take_late();
        let newest = self.collector.take_newest();
        self.output.counts[node].add(&NodeCount { late, newest, ..NodeCount::default() });
        for (port, batch) in self.collector.take_exchanged() {
            if let Work::Stateful(stateful) = &run.topology.nodes[node].work {
                self.exchange(node, stateful, port, batch).map_err(run.failed(node, None))?;
            }
        }
        for (port, batch) in self.collector.take_emitted() {
            self.deliver(node, port, &batch, run)?;
        }
        Ok(())
    }

    /// Sorts the batch's rows into the node's partitions, keeping their order.
    fn exchange(&mut self, node: NodeId, stateful: &StatefulNode, port: Port, batch: RecordBatch) -> Result<(), Error> {
        let partitions = &mut self.output.exchanged[node];
        partitions.resize_with(stateful.partitions, Vec::new);
        if stateful.partitions == 1 {
            partitions[0].push((port, batch));
            return Ok(());
        }
        let keys: Vec<_> = stateful.keys.iter().map(|&key| Arc::clone(batch.column(key))).collect();
        let mut rows = vec![Vec::new(); stateful.partitions];
        for (row, partition) in partition_of_rows(&keys, batch.num_rows(), stateful.partitions)?.into_iter().enumerate()
        {
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
}
