//! The stateless traits at work.

use std::sync::Arc;

use arrow::array::{BooleanArray, RecordBatch, RecordBatchOptions};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{Schema, SchemaRef};

use super::rows::Emitter;
use super::spec::of_misfit;
use super::stateless::{FilterRows, FlatMapRows, MapBatches, MapRows};
use crate::epoch::Port;
use crate::error::{Error, Result};
use crate::fault::{Fault, Faults, listed};
use crate::node::{Collector, EpochContext, Stateless};
use crate::row::{Misfit, ReadRow, RowField};
use crate::schema::to_ddl;
use crate::stream::{EventTime, Mode, Stream, column_names};

/// Every fault of an operator that reads rows of `input` as `R`.
pub(super) fn check_reads<R: ReadRow>(name: &str, input: &Stream) -> Faults {
    R::misfits(&input.schema).iter().map(|misfit: &Misfit| of_misfit(name, misfit)).collect()
}

/// What rows made one by one flow on as, behind those columns of the input that are kept.
pub(super) fn made(name: &str, input: &Stream, kept: &[usize], made: &[RowField], faults: &mut Faults) -> Stream {
    let kept = kept.iter().map(|&column| Arc::clone(&input.schema.fields()[column]));
    let fields = kept.chain(made.iter().map(|field| Arc::new(field.field.clone())));
    let mut stream = input.clone();
    stream.schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    stream.event_times.retain(|tag| {
        made.iter().all(|field| *field.field.name() != tag.column) && stream.schema.field_with_name(&tag.column).is_ok()
    });
    for field in made.iter().filter(|field| field.event_time) {
        match input.event_times.as_slice() {
            [tag] => stream.event_times.push(EventTime { column: field.field.name().clone(), ..tag.clone() }),
            tags => {
                let message = format!(
                    "`{name}` carries event time on in `{}`, and its input has {}",
                    field.field.name(),
                    if tags.is_empty() { "none".to_owned() } else { listed(tags.iter().map(|tag| &tag.column)) },
                );
                faults.push(
                    Fault::new("no_event_time", message)
                        .help("put one `Watermark` above, or leave the mark out and put it below"),
                );
            }
        }
    }
    if let Mode::Update(keys) | Mode::Complete(keys) = &input.mode {
        for key in keys.iter().filter(|key| made.iter().any(|field| field.field.name() == *key)) {
            let message = format!(
                "`{key}` is the key by which rows of mode `{}` replace each other, and `{name}` makes it anew",
                input.mode
            );
            faults.push(
                Fault::new("masked_key", message)
                    .help(format!("give the new column another name, and let `keeps_columns` pass `{key}` on")),
            );
        }
    }
    stream
}

/// The columns of the input that stay beside those that are made.
pub(super) fn kept_columns(input: &Schema, made: &[RowField]) -> Vec<usize> {
    let is_made = |name: &str| made.iter().any(|field| field.field.name() == name);
    column_names(input).enumerate().filter(|(_, name)| !is_made(name)).map(|(column, _)| column).collect()
}

/// A [`MapRows`] at work.
pub(super) struct Mapped<O> {
    pub(super) operator: O,
    pub(super) kept: Vec<usize>,
    pub(super) schema: SchemaRef,
}

impl<O: MapRows> Stateless for Mapped<O> {
    fn process(&self, batch: RecordBatch, _: &EpochContext, out: &mut Collector) -> Result<()> {
        let rows = O::Input::bind(&batch)?;
        let mut made = Emitter::<O::Output>::new();
        for row in 0..batch.num_rows() {
            made.emit(self.operator.map(O::Input::get(&rows, row))?);
        }
        let kept = self.kept.iter().map(|&column| Arc::clone(batch.column(column)));
        let columns = kept.chain(made.take()?.columns().iter().cloned()).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        out.emit(Port::FIRST, RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?);
        Ok(())
    }
}

/// A [`FlatMapRows`] at work.
pub(super) struct FlatMapped<O> {
    pub(super) operator: O,
    pub(super) batch_rows: usize,
}

impl<O: FlatMapRows> Stateless for FlatMapped<O> {
    fn process(&self, batch: RecordBatch, _: &EpochContext, out: &mut Collector) -> Result<()> {
        let rows = O::Input::bind(&batch)?;
        let mut made = Emitter::new();
        for row in 0..batch.num_rows() {
            made.begin_call();
            self.operator.flat_map(O::Input::get(&rows, row), &mut made)?;
            if made.waiting() >= self.batch_rows {
                out.emit(Port::FIRST, made.take()?);
            }
        }
        out.emit(Port::FIRST, made.take()?);
        Ok(())
    }
}

/// A [`FilterRows`] at work.
pub(super) struct Filtered<O>(pub(super) O);

impl<O: FilterRows> Stateless for Filtered<O> {
    fn process(&self, batch: RecordBatch, _: &EpochContext, out: &mut Collector) -> Result<()> {
        let rows = O::Input::bind(&batch)?;
        let keep: Vec<bool> =
            (0..batch.num_rows()).map(|row| self.0.keep(O::Input::get(&rows, row))).collect::<Result<_>>()?;
        drop(rows);
        let kept = if keep.contains(&false) { filter_record_batch(&batch, &BooleanArray::from(keep))? } else { batch };
        out.emit(Port::FIRST, kept);
        Ok(())
    }
}

/// A [`MapBatches`] at work.
pub(super) struct Batched<O> {
    pub(super) operator: O,
    pub(super) schema: SchemaRef,
}

impl<O: MapBatches> Stateless for Batched<O> {
    fn process(&self, batch: RecordBatch, _: &EpochContext, out: &mut Collector) -> Result<()> {
        let made = self.operator.process(batch)?;
        let types = |schema: &Schema| {
            schema.fields().iter().map(|field| (field.name().clone(), field.data_type().clone())).collect::<Vec<_>>()
        };
        if types(made.schema_ref()) != types(&self.schema) {
            return Err(Error::other(format!(
                "gave columns `{}`, and `output` promised `{}`",
                to_ddl(made.schema_ref()),
                to_ddl(&self.schema)
            )));
        }
        let options = RecordBatchOptions::new().with_row_count(Some(made.num_rows()));
        out.emit(
            Port::FIRST,
            RecordBatch::try_new_with_options(Arc::clone(&self.schema), made.columns().to_vec(), &options)?,
        );
        Ok(())
    }
}

/// What batches made of the input flow on as.
pub(super) fn made_of_batches(input: &Stream, schema: SchemaRef) -> Stream {
    let mut stream = input.clone();
    let type_in =
        |schema: &Schema, name: &str| schema.field_with_name(name).ok().map(|field| field.data_type().clone());
    stream.event_times.retain(|tag| type_in(&schema, &tag.column) == type_in(&input.schema, &tag.column));
    stream.schema = schema;
    stream
}
