//! One side of a join of streams: what of its rows is exchanged, what is kept of them, and until when.
//!
//! Exchanged rows are the join keys, then those columns of the stream that somebody reads later. A column that is a key as it
//! stands is not carried twice. The table keeps the same, with a number behind the keys that tells rows of one key apart, and at
//! the end, where rows without a partner come out, whether the row has found one. A row is written again when it finds
//! its first, so once at most; a table of partners beside it would hold the keys of all of them for as long.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::buffer::NullBuffer;
use arrow::compute::{filter_record_batch, not};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use watershed_core::epoch::Epoch;
use watershed_core::error::Result;
use watershed_core::keys::canonical;
use watershed_core::node::EpochContext;
use watershed_core::state::{Found, PlacedBy, Slot, StateTable, TableSchema};
use watershed_core::time::Watermark;

use super::condition::{Kept, KeyPair, Moment};
use super::deadline::Deadline;
use super::numbers::Numbers;
use super::scope::Side;
use super::spec::{Bound, JoinKind};
use super::view::View;
use crate::sql::Expression;

/// One side, ready to run.
#[derive(Debug)]
pub(super) struct KeptSide {
    pub(super) side: Side,
    /// Whether rows without a partner come out.
    pub(super) outer: bool,
    /// What a row must fulfil by itself.
    pub(super) only: Option<Expression>,
    /// The event time by which rows are late.
    pub(super) time: Option<usize>,
    keys: Vec<Key>,
    /// The columns of the stream that are carried behind the keys.
    carried: Vec<usize>,
    /// By column of the stream, its place among the exchanged ones, if it is among them.
    places: Vec<Option<usize>>,
    exchanged: SchemaRef,
    table: TableSchema,
    kept: SchemaRef,
    deadline: Option<Deadline>,
}

#[derive(Debug)]
struct Key {
    expression: Expression,
    null_safe: bool,
}

impl Key {
    /// The column of the stream whose values the key holds as they are.
    fn as_column(&self) -> Option<usize> {
        // Of a floating-point number, the key tells -0.0 and 0.0 not apart.
        let is_exact = !self.expression.data_type().is_floating();
        self.expression.as_column().filter(|_| is_exact).map(|_| self.expression.columns()[0])
    }
}

impl KeptSide {
    /// What `bound` says of `side`, of whose columns `views` read some after the exchange.
    pub(super) fn new(bound: &Bound, side: Side, views: &[&View]) -> Self {
        let condition = &bound.condition;
        let stream = &bound.inputs[side.place()];
        let of_pair = |pair: &KeyPair| Key {
            expression: if side == Side::Left { pair.left.clone() } else { pair.right.clone() },
            null_safe: pair.null_safe,
        };
        let keys: Vec<Key> = condition.keys.iter().map(of_pair).collect();
        let mut places = vec![None; stream.schema.fields().len()];
        for (place, key) in keys.iter().enumerate().rev() {
            if let Some(column) = key.as_column() {
                places[column] = Some(place);
            }
        }
        let own_time = match condition.kept(side) {
            Kept::Until { time: Moment::Column(column), .. } => Some(column),
            _ => None,
        };
        let read: BTreeSet<usize> = views.iter().flat_map(|view| view.of(side)).chain(own_time).collect();
        let carried: Vec<usize> = read.into_iter().filter(|column| places[*column].is_none()).collect();
        for (index, &column) in carried.iter().enumerate() {
            places[column] = Some(keys.len() + index);
        }
        let mut names = Names::default();
        let carried_fields: Vec<Field> =
            carried.iter().map(|&column| names.field(stream.schema.field(column).clone())).collect();
        let key_field = |key: &Key| {
            let name = key.as_column().map_or(key.expression.text(), |column| stream.schema.field(column).name());
            names.field(Field::new(name, key.expression.data_type().clone(), true))
        };
        let key_fields: Vec<Field> = keys.iter().map(key_field).collect();
        let exchanged = Arc::new(Schema::new([key_fields.clone(), carried_fields.clone()].concat()));
        let deadline = Deadline::of(condition.kept(side), &places);
        let outer = bound.kind.keeps(side) || (side == Side::Left && bound.kind == JoinKind::LeftAnti);
        let matched = outer.then(|| names.field(Field::new("matched", DataType::Boolean, false)));
        let table = TableSchema {
            name: side.name(),
            placed_by: PlacedBy::Leading(keys.len()),
            slots: deadline.map(|deadline| deadline.slots_of(&exchanged)).unwrap_or_default(),
            keys: key_fields.into_iter().chain([names.field(Field::new("row", DataType::Int64, false))]).collect(),
            values: carried_fields.into_iter().chain(matched).collect(),
        };
        Self {
            side,
            outer,
            only: if side == Side::Left { condition.left_only.clone() } else { condition.right_only.clone() },
            time: condition.time(side).map(|time| time.index),
            keys,
            carried,
            places,
            exchanged,
            kept: table.columns(),
            table,
            deadline,
        }
    }

    /// What is kept.
    pub(super) fn table(&self) -> TableSchema {
        self.table.clone()
    }

    /// Whether its rows are dropped some time.
    pub(super) fn is_bounded(&self) -> bool {
        self.deadline.is_some()
    }

    /// The columns of exchanged rows.
    pub(super) fn exchanged_schema(&self) -> &SchemaRef {
        &self.exchanged
    }

    /// Rows of the stream as they are exchanged.
    pub(super) fn exchanged(&self, rows: &RecordBatch, cx: &EpochContext) -> Result<RecordBatch> {
        let keys = self.keys.iter().map(|key| key.expression.evaluate(rows, cx)).collect::<Result<Vec<_>>>()?;
        let carried = self.carried.iter().map(|&column| Arc::clone(rows.column(column)));
        Ok(RecordBatch::try_new(Arc::clone(&self.exchanged), canonical(&keys).into_iter().chain(carried).collect())?)
    }

    /// The join keys of exchanged rows.
    pub(super) fn keys<'a>(&self, rows: &'a RecordBatch) -> &'a [ArrayRef] {
        &rows.columns()[..self.keys.len()]
    }

    /// Which exchanged rows may find a partner, since no key of theirs is null that equals nothing then; none if all may.
    pub(super) fn may_match(&self, rows: &RecordBatch) -> Option<BooleanArray> {
        let strict = self.keys.iter().zip(rows.columns()).filter(|(key, _)| !key.null_safe);
        let nulls = strict.fold(None, |nulls, (_, column)| NullBuffer::union(nulls.as_ref(), column.nulls()));
        nulls.filter(|nulls| nulls.null_count() > 0).map(|nulls| BooleanArray::new(nulls.into_inner(), None))
    }

    /// The columns that `view` reads, of exchanged rows.
    pub(super) fn seen(&self, view: &View, rows: &RecordBatch) -> Vec<ArrayRef> {
        self.places_of(view).map(|place| Arc::clone(rows.column(place))).collect()
    }

    /// The columns that `view` reads, of rows as the table keeps them.
    pub(super) fn seen_of_kept(&self, view: &View, rows: &RecordBatch) -> Vec<ArrayRef> {
        self.places_of(view).map(|place| Arc::clone(rows.column(self.in_table(place)))).collect()
    }

    /// The columns that `view` reads, of rows found in the table.
    pub(super) fn seen_of_found(&self, view: &View, table: &StateTable, found: &Found) -> Result<Vec<ArrayRef>> {
        table.columns_of(found, &self.places_of(view).map(|place| self.in_table(place)).collect::<Vec<_>>())
    }

    fn places_of(&self, view: &View) -> impl Iterator<Item = usize> {
        view.of(self.side).map(|column| self.places[column].expect("what a view reads is carried"))
    }

    /// The place in the table of a column that is exchanged at `place`: behind the keys stands the number.
    fn in_table(&self, place: usize) -> usize {
        if place < self.keys.len() { place } else { place + 1 }
    }

    /// Numbers for rows of this epoch.
    pub(super) fn numbers(&self, epoch: Epoch) -> Result<Numbers> {
        let types: Vec<DataType> = self.keys.iter().map(|key| key.expression.data_type().clone()).collect();
        Numbers::new(&types, epoch)
    }

    /// Keeps exchanged rows; of rows that come out without a partner, `matched` tells which have found one.
    pub(super) fn keep(
        &self,
        rows: &RecordBatch,
        matched: &BooleanArray,
        numbers: &mut Numbers,
        table: &mut StateTable,
    ) -> Result<()> {
        if rows.num_rows() == 0 {
            return Ok(());
        }
        let matched: Option<ArrayRef> = self.outer.then(|| Arc::new(matched.clone()) as ArrayRef);
        let kept = self.numbered(rows, matched, numbers)?;
        let slots = self.slots(rows.num_rows(), |deadline| rows.column(deadline.place));
        table.insert(&slots, &kept)
    }

    /// Exchanged rows as the table keeps them, with whether they have `matched` if it keeps that.
    pub(super) fn numbered(
        &self,
        rows: &RecordBatch,
        matched: Option<ArrayRef>,
        numbers: &mut Numbers,
    ) -> Result<RecordBatch> {
        let (keys, carried) = rows.columns().split_at(self.keys.len());
        let number: ArrayRef = Arc::new(numbers.of(keys, rows.num_rows())?);
        let columns = keys.iter().cloned().chain([number]).chain(carried.iter().cloned()).chain(matched);
        Ok(RecordBatch::try_new(Arc::clone(&self.kept), columns.collect())?)
    }

    /// The rows of each slot.
    fn slots<'a>(&self, rows: usize, time: impl Fn(&Deadline) -> &'a ArrayRef) -> BTreeMap<Slot, Vec<u32>> {
        match &self.deadline {
            Some(deadline) => deadline.slots(time(deadline)),
            None => BTreeMap::from([(Slot::NEVER, (0..rows as u32).collect())]),
        }
    }

    /// Which of the rows found are not known to have a partner.
    pub(super) fn without_partner(&self, found: &Found, table: &StateTable) -> Result<BooleanArray> {
        let matched = table.columns_of(found, &[self.kept.fields().len() - 1])?;
        Ok(not(matched[0].as_boolean())?)
    }

    /// Remembers that the rows found, each once, have a partner.
    pub(super) fn remember_partners(&self, found: &Found, table: &mut StateTable) -> Result<()> {
        let rows = table.rows_of(found)?;
        let (_, mut columns, count) = rows.into_parts();
        columns.pop();
        columns.push(Arc::new(BooleanArray::from(vec![true; count])));
        let rows = RecordBatch::try_new(Arc::clone(&self.kept), columns)?;
        table.insert(&self.slots(count, |deadline| rows.column(self.in_table(deadline.place))), &rows)
    }

    /// Which exchanged rows are of no use any more once the watermark is `evict`; none if nothing tells.
    pub(super) fn due(&self, rows: &RecordBatch, evict: Watermark) -> Option<BooleanArray> {
        let deadline = self.deadline?;
        Some(deadline.passed(rows.column(deadline.place), evict)).filter(|due| due.true_count() > 0)
    }

    /// Drops the rows that are of no use any more. Gives those that have found no partner, if such rows come out.
    pub(super) fn end(&self, table: &mut StateTable, evict: Watermark) -> Result<Vec<RecordBatch>> {
        let (Some(deadline), true) = (self.deadline, evict != Watermark::NONE) else { return Ok(Vec::new()) };
        let border = deadline.border(evict);
        let place = self.in_table(deadline.place);
        let due = |rows: &RecordBatch| Ok(deadline.passed(rows.column(place), evict));
        if !self.outer {
            table.drop_due(evict, border, due)?;
            return Ok(Vec::new());
        }
        let without_partner = |(_, rows): (Slot, RecordBatch)| {
            let matched = rows.column(rows.num_columns() - 1).as_boolean();
            Ok(filter_record_batch(&rows, &not(matched)?)?)
        };
        table.take_due(evict, border, due)?.into_iter().map(without_partner).collect()
    }
}

/// Names of the columns of one table, which must differ.
#[derive(Default)]
struct Names(BTreeSet<String>);

impl Names {
    /// The field, under another name where there is one of its own already.
    fn field(&mut self, field: Field) -> Field {
        let mut name = field.name().clone();
        while !self.0.insert(name.clone()) {
            name.insert(0, '_');
        }
        field.with_name(name)
    }
}
