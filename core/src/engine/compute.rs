//! One epoch's work: rows in, lanes, exchanges, partitions, staged output.

use std::sync::Arc;

use arrow::array::RecordBatch;
use rayon::ThreadPool;
use rayon::prelude::*;

use super::calls::Calls;
use super::error::EngineError;
use super::intake::{Message, Reading};
use super::lane::{EpochRun, Lane, LaneOutput};
use super::topology::{NodeId, StatefulNode};
use crate::epoch::{Epoch, Partition, Port};
use crate::error::Error;
use crate::node::{Collector, EpochInput, Part, Receipt, Sink};
use crate::state::StateStore;

/// The most rows in one part of a sink's output.
const PART_ROWS: usize = 1 << 20;

/// A split that is being read, with the source it belongs to.
pub(super) struct SplitLane {
    pub(super) source: NodeId,
    lane: Option<Lane>,
    waiting: Vec<RecordBatch>,
    ended: bool,
    pub(super) bad_records: u64,
    output: Option<LaneOutput>,
}

impl SplitLane {
    pub(super) fn new(source: NodeId) -> Self {
        Self { source, lane: None, waiting: Vec::new(), ended: false, bad_records: 0, output: None }
    }

    /// Takes what waits through the lane.
    fn work(&mut self, run: &EpochRun<'_>) -> Result<(), EngineError> {
        let lane = self.lane.get_or_insert_with(|| Lane::new(self.source, run.topology));
        for batch in self.waiting.drain(..) {
            lane.push(Port::FIRST, &batch, run)?;
        }
        if self.ended {
            self.output = self.lane.take().map(|lane| lane.finish(run)).transpose()?;
        }
        Ok(())
    }
}

/// Takes all rows of the epoch in, in rounds: whatever has arrived is worked on in parallel, a lane by one thread. The driver
/// waits for rows; the pool never does.
pub(super) fn take_in(
    reading: &Reading,
    lanes: &mut [SplitLane],
    run: &EpochRun<'_>,
    pool: &ThreadPool,
) -> Result<LaneOutput, EngineError> {
    let mut open = lanes.len();
    while open > 0 {
        let first = reading.messages.recv();
        let arrived = first.into_iter().chain(reading.messages.try_iter());
        let mut any = false;
        for message in arrived {
            any = true;
            match message {
                Message::Batch(lane, batch) => lanes[lane].waiting.push(batch),
                Message::End(lane, bad_records) => {
                    lanes[lane].ended = true;
                    lanes[lane].bad_records = bad_records;
                    open -= 1;
                }
                Message::Failed(lane, error) => return Err(run.failed(lanes[lane].source, None)(error)),
            }
        }
        if !any {
            let lost = lanes.iter().find(|lane| !lane.ended).map_or(0, |lane| lane.source);
            return Err(run.failed(lost, None)(Error::BadInput("a thread that read this source died".to_owned())));
        }
        let ready = |lane: &&mut SplitLane| !lane.waiting.is_empty() || (lane.ended && lane.output.is_none());
        let ready: Vec<&mut SplitLane> = lanes.iter_mut().filter(ready).collect();
        // Collected in the order of lanes, so that the first failure is the same whatever the threads.
        let done: Vec<Result<(), EngineError>> =
            pool.install(|| ready.into_par_iter().map(|lane| lane.work(run)).collect());
        done.into_iter().collect::<Result<(), _>>()?;
    }
    let mut all = LaneOutput::new(run.topology.nodes.len());
    for lane in lanes {
        if let Some(output) = lane.output.take() {
            all.append(output);
        }
    }
    Ok(all)
}

/// Runs the stateful nodes, each after those above it, partition by partition in parallel.
pub(super) fn run_stateful(
    mut all: LaneOutput,
    stores: &mut [Vec<StateStore>],
    run: &EpochRun<'_>,
) -> Result<LaneOutput, EngineError> {
    for (id, stateful) in run.topology.stateful() {
        let mut inputs = std::mem::take(&mut all.exchanged[id]);
        inputs.resize_with(stateful.partitions, Vec::new);
        let results = &run.topology.nodes[id].results;
        let mut replaced: Vec<Port> =
            results.iter().filter(|(from, _)| run.renewed[*from]).map(|(_, port)| *port).collect();
        replaced.sort_unstable();
        replaced.dedup();
        let tasks: Vec<_> = inputs.into_iter().zip(stores[id].iter_mut()).enumerate().collect();
        let outputs: Vec<Result<LaneOutput, EngineError>> = tasks
            .into_par_iter()
            .map(|(partition, (mut batches, state))| {
                // ORDER: by port, then as the lanes brought them.
                batches.sort_by_key(|(port, _)| *port);
                let input = EpochInput { batches, replaced: replaced.clone() };
                run_partition(id, stateful, Partition(partition), input, state, run)
            })
            .collect();
        for output in outputs {
            all.append(output?);
        }
    }
    Ok(all)
}

fn run_partition(
    id: NodeId,
    stateful: &StatefulNode,
    partition: Partition,
    input: EpochInput,
    state: &mut StateStore,
    run: &EpochRun<'_>,
) -> Result<LaneOutput, EngineError> {
    let mut collector = Collector::default();
    let cx = run.context(id, partition);
    let name = &run.topology.nodes[id].name;
    let ran = run
        .calls
        .call_for_epoch(name, run.epoch, partition, || stateful.operator.run(input, state, &cx, &mut collector));
    ran.map_err(run.failed(id, Some(partition)))?;
    let mut lane = Lane::new(id, run.topology);
    lane.count_origin(&mut collector);
    for (port, batch) in collector.take_emitted() {
        lane.push(port, &batch, run)?;
    }
    lane.finish(run)
}

/// Stages the rows of a sink in parts of a fixed number of rows, so that the parts depend on the rows alone.
pub(super) fn stage(
    epoch: Epoch,
    node: &Arc<str>,
    sink: &dyn Sink,
    rows: &[RecordBatch],
    calls: &Calls,
) -> Result<Vec<Receipt>, Error> {
    let parts: Vec<(usize, Vec<RecordBatch>)> = in_parts(rows).into_iter().enumerate().collect();
    let stage = |(index, rows): (usize, Vec<RecordBatch>)| {
        calls.call_shown(node, epoch, None, || sink.stage(Part { epoch, index }, &rows))
    };
    let staged: Vec<Result<Receipt, Error>> = parts.into_par_iter().map(stage).collect();
    staged.into_iter().collect()
}

fn in_parts(rows: &[RecordBatch]) -> Vec<Vec<RecordBatch>> {
    let mut parts: Vec<Vec<RecordBatch>> = Vec::new();
    let mut room = 0;
    for batch in rows {
        let mut start = 0;
        while start < batch.num_rows() {
            if room == 0 {
                parts.push(Vec::new());
                room = PART_ROWS;
            }
            let length = room.min(batch.num_rows() - start);
            parts.last_mut().expect("a part was just begun").push(batch.slice(start, length));
            start += length;
            room -= length;
        }
    }
    parts
}
