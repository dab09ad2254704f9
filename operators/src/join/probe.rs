//! Rows of one side look for partners among those that the other side keeps.
//!
//! Partners are found by key and then tried by what else the condition asks, a portion at a time: a key that many rows have
//! makes more pairs than memory holds.

use arrow::array::{ArrayRef, BooleanArray, BooleanBufferBuilder, RecordBatch, UInt32Array};
use arrow::compute::{take, take_arrays};
use watershed_core::epoch::Port;
use watershed_core::error::Result;
use watershed_core::node::{Collector, EpochContext};
use watershed_core::state::{Found, StateTable};

use super::operator::StreamJoin;
use super::scope::Side;
use super::side::KeptSide;
use super::view::View;

/// Exchanged rows of one side that look for partners.
pub(super) struct Probe<'a> {
    join: &'a StreamJoin,
    /// The side whose rows look.
    from: &'a KeptSide,
    /// The side whose rows are found.
    into: &'a KeptSide,
    rows: &'a RecordBatch,
    cx: &'a EpochContext,
}

impl<'a> Probe<'a> {
    /// `rows` of `side`.
    pub(super) fn new(join: &'a StreamJoin, side: Side, rows: &'a RecordBatch, cx: &'a EpochContext) -> Self {
        let [from, into] = [side, side.other()].map(|side| &join.sides[side.place()]);
        Self { join, from, into, rows, cx }
    }

    /// Puts out what comes of partners found in `table`, that of the other side. Tells which rows have found one.
    pub(super) fn run(&self, table: &mut StateTable, out: &mut Collector) -> Result<BooleanArray> {
        let mut have_partner = vec![false; self.rows.num_rows()];
        self.each_portion(table, |partners, table| {
            for row in &partners.of_row {
                have_partner[*row as usize] = true;
            }
            self.settle(&partners, table, out)
        })?;
        Ok(have_partner.into())
    }

    /// Calls `act` with partners found in `table`, a portion at a time and in the order of the rows: those of a row are in one.
    pub(super) fn each_portion(
        &self,
        table: &mut StateTable,
        mut act: impl FnMut(Found, &mut StateTable) -> Result<()>,
    ) -> Result<()> {
        if table.rows() == 0 {
            return Ok(());
        }
        let looking = self
            .from
            .may_match(self.rows)
            .map(|may_match| UInt32Array::from_iter_values(may_match.values().set_indices().map(|row| row as u32)));
        let keys = self.from.keys(self.rows);
        let mut sought = match &looking {
            Some(looking) => table.seek(&take_arrays(keys, looking, None)?, looking.len())?,
            None => table.seek(keys, self.rows.num_rows())?,
        };
        loop {
            let mut found = table.find_next(&mut sought, self.join.batch_rows);
            if found.is_empty() {
                return Ok(());
            }
            if let Some(looking) = &looking {
                found.of_row.iter_mut().for_each(|row| *row = looking.value(*row as usize));
            }
            act(self.tried(found, table)?, table)?;
        }
    }

    /// Those of the rows found that fulfil the whole condition.
    fn tried(&self, found: Found, table: &StateTable) -> Result<Found> {
        let Some((rest, view)) = &self.join.rest else { return Ok(found) };
        let mut fulfil = BooleanBufferBuilder::new(found.len());
        for part in self.join.portions(&found) {
            let pairs = self.pairs(view, &part, table)?;
            fulfil.append_buffer(rest.evaluate_condition(&pairs, self.cx)?.values());
        }
        Ok(found.only(&BooleanArray::new(fulfil.finish(), None)))
    }

    /// What comes of partners: pairs, or left rows that have one now.
    fn settle(&self, partners: &Found, table: &mut StateTable, out: &mut Collector) -> Result<()> {
        if self.join.is_one_sided() {
            return match self.from.side {
                Side::Left => Ok(()),
                Side::Right => self.release(&partners.only(&partners.firsts()), table, out),
            };
        }
        for part in self.join.portions(partners) {
            let pairs = self.pairs(&self.join.output, &part, table)?;
            out.emit(Port::FIRST, self.join.joined.rows(&pairs, self.cx)?);
        }
        if self.into.outer {
            let new = partners.only(&self.into.without_partner(partners, table)?);
            for part in self.join.portions(&new.only(&new.firsts())) {
                self.into.remember_partners(&part, table)?;
            }
        }
        Ok(())
    }

    /// Puts out left rows that were kept until they had a partner.
    fn release(&self, first: &Found, table: &mut StateTable, out: &mut Collector) -> Result<()> {
        for part in self.join.portions(first) {
            let seen = self.into.seen_of_found(&self.join.output, table, &part)?;
            self.join.emit_alone(self.into.side, part.len(), seen, self.cx, out)?;
        }
        table.remove_found(first, &BooleanArray::from(vec![true; first.len()]))
    }

    /// The columns that `view` reads, of the rows that look and of those found.
    fn pairs(&self, view: &View, found: &Found, table: &StateTable) -> Result<RecordBatch> {
        let of_row = UInt32Array::from(found.of_row.clone());
        let seen = self
            .from
            .seen(view, self.rows)
            .iter()
            .map(|column| take(column, &of_row, None))
            .collect::<Result<Vec<ArrayRef>, _>>()?;
        let found_columns = self.into.seen_of_found(view, table, found)?;
        match self.from.side {
            Side::Left => view.rows(found.len(), seen, found_columns),
            Side::Right => view.rows(found.len(), found_columns, seen),
        }
    }
}
