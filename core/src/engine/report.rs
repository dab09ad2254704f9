//! An epoch's progress, put together from what its lanes counted.

use super::driver::{Computed, Engine};
use super::lane::NodeCount;
use super::planning::OpenSource;
use super::progress::{EventTimeProgress, OperatorProgress, Progress, SinkProgress, SourceProgress};
use super::topology::{NodeId, Work};
use crate::guard::guarded;

impl Engine {
    /// What the epoch did, before it is committed.
    pub(super) fn progress(&self, computed: &Computed) -> Progress {
        let Computed { planned, output, in_force, watermark, processing_time, durations, .. } = computed;
        let counts = &output.counts;
        let source = |(index, open): (usize, &OpenSource)| {
            let range = planned.ranges.iter().find(|(source, _)| *source == index).map(|(_, range)| range);
            let lanes = planned.lanes.iter().filter(|lane| lane.source == open.node);
            SourceProgress {
                node: self.topology.nodes[open.node].name.to_string(),
                start: range.map_or_else(|| open.committed.clone(), |range| range.start.clone()),
                end: range.map_or_else(|| open.committed.clone(), |range| range.end.clone()),
                rows: counts[open.node].rows_out,
                bad_records: lanes.map(|lane| lane.bad_records).sum(),
                size: range.map_or(0, |range| range.size),
                trouble: guarded(|| Ok(open.source.trouble().map(str::to_owned))).ok().flatten(),
            }
        };
        let operator = |(id, count): (NodeId, &NodeCount)| {
            let node = &self.topology.nodes[id];
            matches!(node.work, Work::Stateless(_) | Work::Stateful(_)).then(|| OperatorProgress {
                node: node.name.to_string(),
                rows_in: count.rows_in,
                rows_out: count.rows_out,
                rows_late: count.late.rows,
                dropped_by_watermark: count.late.dropped,
                rows_bad_time: count.bad_times,
                state_rows: self.stores[id].iter().map(|store| store.rows() as u64).sum(),
                state_bytes: self.stores[id].iter().map(|store| store.memory() as u64).sum(),
                watermark: in_force.evict[id],
            })
        };
        let sink = |(id, count): (NodeId, &NodeCount)| {
            let node = &self.topology.nodes[id];
            matches!(node.work, Work::Sink).then(|| SinkProgress { node: node.name.to_string(), rows: count.rows_in })
        };
        let sources: Vec<SourceProgress> = self.sources.iter().enumerate().map(source).collect();
        let input_rows = sources.iter().map(|source| source.rows).sum();
        let newest = self.topology.nodes.iter().zip(counts).filter(|(node, _)| node.delay().is_some());
        Progress {
            graph: self.name.clone(),
            epoch: self.next,
            timestamp: *processing_time,
            duration_ms: *durations,
            input_rows,
            processed_rows_per_second: input_rows as f64 / (durations.total / 1000.0).max(1e-9),
            event_time: watermark.map(|watermark| EventTimeProgress {
                max: newest.map(|(_, count)| count.newest).max().unwrap_or_default(),
                watermark,
                idle: self.watermarks.idle(&self.topology),
            }),
            sources,
            operators: counts.iter().enumerate().filter_map(operator).collect(),
            sinks: counts.iter().enumerate().filter_map(sink).collect(),
            waiting: self.waiting(),
        }
    }
}
