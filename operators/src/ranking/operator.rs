//! The ranking at work: rows are cut down per split, then ranked together with those that are kept.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::compute::{concat, concat_batches, take, take_record_batch};
use arrow::datatypes::Int64Type;
use watershed_core::epoch::Port;
use watershed_core::error::Result;
use watershed_core::late;
use watershed_core::node::{BeforeExchange, Collector, EpochContext, EpochInput, LateCount, Operator, Stateful};
use watershed_core::state::{Interner, Slot, StateStore, StateTable, TableSchema};
use watershed_core::stream::OutputMode;
use watershed_core::time::Timestamp;

use super::best::{Best, best, by_key_and_rank, number};
use super::bind::Ranking;
use crate::order;

/// Rows of a split are cut down as soon as there are so many more than were left the last time.
const MOST_WAITING: usize = 8192;

impl Ranking {
    /// The running operator.
    pub(crate) fn operator(self) -> Operator {
        Operator::Stateful(Arc::new(Ranked(Arc::new(self))))
    }

    fn interner(&self) -> Result<Interner> {
        let types: Vec<_> = self.keys.iter().map(|&key| self.input.field(key).data_type().clone()).collect();
        Interner::new(&types)
    }

    /// The best of `rows`, which stand in the order of their arrival.
    fn best_of(&self, rows: &RecordBatch) -> Result<Best> {
        let keys = number(&mut self.interner()?, &self.keys_of(rows), rows.num_rows())?;
        best(rows, &keys, order::arrival(rows.num_rows()), &self.order, self.ties, self.n)
    }

    /// Gives out rows of the input's columns, with their ranks where these are wanted.
    fn emit(&self, columns: Vec<ArrayRef>, ranks: ArrayRef, out: &mut Collector) -> Result<()> {
        let options = RecordBatchOptions::new().with_row_count(Some(ranks.len()));
        let ranks = self.with_rank.then_some(ranks);
        let columns = columns.into_iter().chain(ranks).collect();
        out.emit(Port::FIRST, RecordBatch::try_new_with_options(Arc::clone(&self.output), columns, &options)?);
        Ok(())
    }

    /// Gives out kept rows.
    fn emit_kept(&self, kept: &RecordBatch, out: &mut Collector) -> Result<()> {
        let kept = by_key_and_rank(kept, &kept.columns()[..self.keys.len()], self.kept_rank())?;
        self.emit(self.as_input(&kept), Arc::clone(kept.column(self.kept_rank())), out)
    }

    /// The input's columns of kept rows.
    fn as_input(&self, kept: &RecordBatch) -> Vec<ArrayRef> {
        self.kept_places.iter().map(|&place| Arc::clone(kept.column(place))).collect()
    }

    /// Ranks new rows together with those that are kept for their keys. What has changed is kept, and given out where every
    /// change is.
    fn add(&self, table: &mut StateTable, rows: &RecordBatch, out: &mut Collector) -> Result<()> {
        let mut interner = self.interner()?;
        let keys_of_rows = self.keys_of(rows);
        let new_keys = number(&mut interner, &keys_of_rows, rows.num_rows())?;
        let first = first_rows(&new_keys, interner.len());
        let distinct = keys_of_rows.iter().map(|key| take(key, &first, None)).collect::<Result<Vec<_>, _>>()?;
        let kept = table.rows_of(&table.find(&distinct, first.len())?)?;
        let kept_ranks = kept.column(self.kept_rank()).as_primitive::<Int64Type>().clone();
        let kept_keys = number(&mut interner, &kept.columns()[..self.keys.len()], kept.num_rows())?;

        let kept_rows = RecordBatch::try_new(Arc::clone(&self.input), self.as_input(&kept))?;
        let all = concat_batches(&self.input, [&kept_rows, rows])?;
        let keys = concat(&[&kept_keys, &new_keys])?;
        let ages = concat(&[&self.ties.ages_of_kept(&kept_ranks), &*order::arrival(rows.num_rows())])?;
        let best = best(&all, keys.as_primitive(), ages, &self.order, self.ties, self.n)?;

        let stays = |row: usize, rank: i64| row < kept_ranks.len() && kept_ranks.value(row) == rank;
        let changed = best.rows.into_iter().zip(best.ranks).filter(|(row, rank)| !stays(*row as usize, *rank));
        let (changed, ranks): (Vec<u32>, Vec<i64>) = changed.unzip();
        if changed.is_empty() {
            return Ok(());
        }
        let changed = take_record_batch(&all, &UInt32Array::from(changed))?;
        let ranks: ArrayRef = Arc::new(Int64Array::from(ranks));
        if self.mode == OutputMode::Update {
            self.emit(changed.columns().to_vec(), Arc::clone(&ranks), out)?;
        }
        self.keep(table, &changed, ranks)
    }

    fn keep(&self, table: &mut StateTable, rows: &RecordBatch, ranks: ArrayRef) -> Result<()> {
        let slots = match &self.time {
            Some(time) => time.split(rows, time.input),
            None => BTreeMap::from([(Slot::NEVER, (0..rows.num_rows() as u32).collect())]),
        };
        let values = (0..rows.num_columns()).filter(|column| !self.keys.contains(column));
        let values = values.map(|column| Arc::clone(rows.column(column)));
        let columns = self.keys_of(rows).into_iter().chain([ranks]).chain(values).collect();
        table.insert(&slots, &RecordBatch::try_new(table.declared().columns(), columns)?)
    }
}

/// For each of so many keys its first row.
fn first_rows(keys: &UInt32Array, distinct: usize) -> UInt32Array {
    let mut first = Vec::with_capacity(distinct);
    for (row, &key) in keys.values().iter().enumerate() {
        if key as usize == first.len() {
            first.push(row as u32);
        }
    }
    first.into()
}

struct Ranked(Arc<Ranking>);

impl Stateful for Ranked {
    fn tables(&self) -> Vec<TableSchema> {
        if self.0.of_facts { vec![self.0.table()] } else { Vec::new() }
    }

    fn before_exchange(&self) -> Option<Box<dyn BeforeExchange>> {
        Some(Box::new(BestOfSplit { ranking: Arc::clone(&self.0), waiting: Vec::new(), rows: 0, left: 0 }))
    }

    fn run(&self, input: EpochInput, state: &mut StateStore, cx: &EpochContext, out: &mut Collector) -> Result<()> {
        let ranking = &*self.0;
        let batches: Vec<RecordBatch> = input.batches.into_iter().map(|(_, batch)| batch).collect();
        let rows = concat_batches(&ranking.input, &batches)?;
        if !ranking.of_facts {
            let Best { rows: places, ranks } = ranking.best_of(&rows)?;
            let rows = take_record_batch(&rows, &UInt32Array::from(places))?;
            return ranking.emit(rows.columns().to_vec(), Arc::new(Int64Array::from(ranks)), out);
        }
        let table = state.table(0);
        if rows.num_rows() > 0 {
            ranking.add(table, &rows, out)?;
        }
        match (ranking.mode, ranking.closing()) {
            (OutputMode::Append, Some(time)) => {
                for (_, closed) in time.take_due(table, cx.evict)? {
                    ranking.emit_kept(&closed, out)?;
                }
            }
            (OutputMode::Complete, _) => {
                for slot in table.slots() {
                    ranking.emit_kept(&table.scan(slot)?, out)?;
                }
            }
            _ => table.drop_slots(ranking.judging(cx.evict)),
        }
        Ok(())
    }

    fn readable_slot(&self, _: usize, slot: Slot) -> Vec<(&'static str, Option<Timestamp>)> {
        if self.0.time.is_some() { vec![("slot", slot.time())] } else { Vec::new() }
    }
}

/// The best rows of one split.
struct BestOfSplit {
    ranking: Arc<Ranking>,
    waiting: Vec<RecordBatch>,
    /// How many rows wait, and how many were left when they were last cut down.
    rows: usize,
    left: usize,
}

impl BestOfSplit {
    /// Leaves only the best of the rows that wait, in the order of their arrival.
    fn cut_down(&mut self) -> Result<()> {
        let rows = concat_batches(&self.ranking.input, &self.waiting)?;
        let mut best = self.ranking.best_of(&rows)?.rows;
        best.sort_unstable();
        (self.rows, self.left) = (best.len(), best.len());
        self.waiting = vec![take_record_batch(&rows, &UInt32Array::from(best))?];
        Ok(())
    }
}

impl BeforeExchange for BestOfSplit {
    fn process(&mut self, _: Port, batch: RecordBatch, cx: &EpochContext, out: &mut Collector) -> Result<()> {
        let mut batch = batch;
        if let Some(time) = self.ranking.closing() {
            let (on_time, late) = late::split(batch, time.input, cx.late)?;
            if let Some(late) = late {
                let rows = late.num_rows() as u64;
                out.count_late(LateCount { rows, dropped: rows });
                out.emit(late::PORT, late);
            }
            batch = on_time;
        }
        if batch.num_rows() > 0 {
            self.rows += batch.num_rows();
            self.waiting.push(batch);
        }
        if self.rows > 2 * self.left + MOST_WAITING { self.cut_down() } else { Ok(()) }
    }

    fn finish(mut self: Box<Self>, _: &EpochContext, out: &mut Collector) -> Result<()> {
        if self.rows > 0 {
            self.cut_down()?;
        }
        for batch in self.waiting {
            out.exchange(Port::FIRST, batch);
        }
        Ok(())
    }
}
