//! A scalar expression over the columns of a stream.
//!
//! ```
//! use std::sync::Arc;
//! use arrow::array::{AsArray, Int64Array, RecordBatch};
//! use arrow::datatypes::Int64Type;
//! use watershed_core::epoch::{Epoch, Partition};
//! use watershed_core::node::EpochContext;
//! use watershed_core::time::{Timestamp, Watermark};
//! use watershed_operators::sql::Expression;
//!
//! let batch = RecordBatch::try_from_iter([("x", Arc::new(Int64Array::from(vec![1, 2])) as _)])?;
//! let cx = EpochContext {
//!     epoch: Epoch(0),
//!     partition: Partition(0),
//!     processing_time: Timestamp::from_micros(0),
//!     late: Watermark::NONE,
//!     evict: Watermark::NONE,
//!     call_limit: None,
//! };
//! let doubled = Expression::parse("x * 2", &batch.schema()).expect("a good expression");
//! assert_eq!(doubled.evaluate(&batch, &cx)?.as_primitive::<Int64Type>().values(), &[2, 4]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, RecordBatch, RecordBatchOptions, TimestampMicrosecondArray,
};
use arrow::compute::prep_null_mask_filter;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion_common::{DataFusionError, ScalarValue};
use datafusion_expr::{Expr, ExprSchemable};
use datafusion_physical_expr::PhysicalExpr;
use datafusion_physical_expr::expressions::{Column, Literal};
use datafusion_physical_expr::utils::collect_columns;
use watershed_core::error::{Error, Result};
use watershed_core::fault::{Fault, Faults};
use watershed_core::node::EpochContext;

use super::check::{Aggregation, check};
use super::functions::is_clock;
use super::normal::{normal_array, normal_type};
use super::plan::{Planner, cause_of, type_fault};
use super::syntax::Parsed;

/// The columns that expressions may name, ready to plan many of them.
#[derive(Clone, Debug)]
pub struct Scope {
    pub(crate) planner: Planner,
    input: SchemaRef,
}

impl Scope {
    /// A scope over the columns of `schema`, whose names must differ.
    pub fn new(schema: &Schema) -> Result<Self, Fault> {
        let planner = Planner::new(schema).map_err(|cause| type_fault(&cause))?;
        Ok(Self { planner, input: Arc::new(schema.clone()) })
    }

    /// The column at place `index` as it is, under its own name.
    pub(crate) fn column(&self, index: usize) -> Named {
        let field = self.input.field(index);
        Named { name: field.name().clone(), expression: Expression::column(field.name(), index, field) }
    }

    /// Reads an expression without a name.
    pub fn parse(&self, text: &str) -> Result<Expression, Faults> {
        self.expression(&Parsed::read(text, false)?)
    }

    /// Reads `expression AS name`. Without a name a column keeps its own, and anything else is called as it is written.
    pub fn parse_named(&self, text: &str) -> Result<Named, Faults> {
        let parsed = Parsed::read(text, true)?;
        let expression = self.expression(&parsed)?;
        let name = parsed.alias.unwrap_or_else(|| expression.as_column().unwrap_or(&parsed.body).to_owned());
        Ok(Named { name, expression })
    }

    fn expression(&self, parsed: &Parsed) -> Result<Expression, Faults> {
        let faults = check(parsed, &self.input, Aggregation::None);
        if !faults.is_empty() {
            return Err(faults);
        }
        if let Some(name) = parsed.as_name().filter(|name| !is_clock(name))
            && let Some((index, field)) = self.input.column_with_name(name)
        {
            return Ok(Expression::column(&parsed.body, index, field));
        }
        let typed = self.planner.plan(parsed)?;
        Expression::lowered(&self.planner, &parsed.body, &typed)
            .map_err(|cause| type_fault(&cause).within(0..parsed.body.len()).into())
    }
}

/// An expression and the name of its result.
#[derive(Clone, Debug)]
pub struct Named {
    /// What the result is called.
    pub name: String,
    /// What computes it.
    pub expression: Expression,
}

/// A scalar expression that can be evaluated on the batches of one schema.
#[derive(Clone, Debug)]
pub struct Expression {
    text: Arc<str>,
    data_type: DataType,
    nullable: bool,
    body: Body,
}

#[derive(Clone, Debug)]
enum Body {
    /// A column as it is.
    Column { index: usize, name: String },
    /// Anything else. With the clock, the schema of the input with the clock's column.
    Computed { physical: Arc<dyn PhysicalExpr>, with_clock: Option<SchemaRef> },
}

impl Expression {
    /// Reads an expression over the columns of `schema`. Every fault names the bytes it is about within `text`.
    pub fn parse(text: &str, schema: &Schema) -> Result<Self, Faults> {
        Scope::new(schema)?.parse(text)
    }

    /// Reads `expression AS name`, see [`Scope::parse_named`].
    pub fn parse_aliased(text: &str, schema: &Schema) -> Result<(Self, String), Faults> {
        let Named { name, expression } = Scope::new(schema)?.parse_named(text)?;
        Ok((expression, name))
    }

    fn column(text: &str, index: usize, field: &Field) -> Self {
        let body = Body::Column { index, name: field.name().clone() };
        Self { text: text.into(), data_type: field.data_type().clone(), nullable: field.is_nullable(), body }
    }

    /// The expression that evaluates `typed`, which `planner` planned.
    pub(crate) fn lowered(planner: &Planner, text: &str, typed: &Expr) -> Result<Self, DataFusionError> {
        if let Expr::Column(column) = typed
            && !planner.uses_clock(typed)
            && let Some((index, field)) = planner.schema.column_with_name(&column.name)
            && normal_type(field.data_type()) == *field.data_type()
        {
            return Ok(Self::column(text, index, field));
        }
        let physical = planner.lower(typed)?;
        let data_type = normal_type(&physical.data_type(&planner.schema)?);
        let nullable = typed.nullable(&**planner.columns()).unwrap_or(true);
        let with_clock = planner.uses_clock(typed).then(|| Arc::clone(&planner.schema));
        Ok(Self { text: text.into(), data_type, nullable, body: Body::Computed { physical, with_clock } })
    }

    /// The result as a column called `name`.
    pub fn field(&self, name: &str) -> Field {
        Field::new(name, self.data_type.clone(), self.nullable)
    }

    /// The result's type.
    pub fn data_type(&self) -> &DataType {
        &self.data_type
    }

    /// The expression as it was written, without its alias.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The column this expression stands for, if it computes nothing.
    pub fn as_column(&self) -> Option<&str> {
        match &self.body {
            Body::Column { name, .. } => Some(name),
            Body::Computed { .. } => None,
        }
    }

    /// The value, if it is written down and the same for every row.
    pub(crate) fn constant(&self) -> Option<ScalarValue> {
        self.physical().downcast_ref::<Literal>().map(|literal| literal.value().clone())
    }

    /// One value per row of `batch`, which must have the columns the expression was read for.
    pub fn evaluate(&self, batch: &RecordBatch, cx: &EpochContext) -> Result<ArrayRef> {
        let array = self.evaluate_raw(batch, cx)?;
        match &self.body {
            Body::Column { .. } => Ok(array),
            Body::Computed { .. } => normal_array(&array).map_err(|cause| self.failed(&cause.to_string())),
        }
    }

    /// Like [`evaluate`](Self::evaluate), in the type that the expression has by itself.
    pub(crate) fn evaluate_raw(&self, batch: &RecordBatch, cx: &EpochContext) -> Result<ArrayRef> {
        let (physical, with_clock) = match &self.body {
            Body::Column { index, .. } => return Ok(Arc::clone(batch.column(*index))),
            Body::Computed { physical, with_clock } => (physical, with_clock),
        };
        let value = match with_clock {
            None => physical.evaluate(batch),
            Some(schema) => physical.evaluate(&with_clock_column(batch, schema, cx)?),
        };
        value.and_then(|value| value.into_array(batch.num_rows())).map_err(|cause| self.failed(&cause_of(&cause)))
    }

    /// What DataFusion evaluates.
    pub(crate) fn physical(&self) -> Arc<dyn PhysicalExpr> {
        match &self.body {
            Body::Column { index, name } => Arc::new(Column::new(name, *index)),
            Body::Computed { physical, .. } => Arc::clone(physical),
        }
    }

    /// The places of the columns that it reads, ascending.
    pub(crate) fn columns(&self) -> Vec<usize> {
        let clock = match &self.body {
            Body::Computed { with_clock: Some(schema), .. } => schema.fields().len() - 1,
            _ => usize::MAX,
        };
        let read = collect_columns(&self.physical()).into_iter().map(|column| column.index());
        let mut places: Vec<usize> = read.filter(|place| *place != clock).collect();
        places.sort_unstable();
        places
    }

    /// Which rows of `batch` fulfil this condition: null counts as no.
    ///
    /// # Panics
    /// If the expression is not boolean; its type is to be checked when it is read.
    pub fn evaluate_condition(&self, batch: &RecordBatch, cx: &EpochContext) -> Result<BooleanArray> {
        let array = self.evaluate(batch, cx)?;
        let condition = array.as_boolean();
        Ok(if condition.null_count() == 0 { condition.clone() } else { prep_null_mask_filter(condition) })
    }

    fn failed(&self, cause: &str) -> Error {
        Error::Evaluation { expression: self.text.to_string(), cause: cause.to_owned() }
    }
}

fn with_clock_column(batch: &RecordBatch, schema: &SchemaRef, cx: &EpochContext) -> Result<RecordBatch> {
    let mut columns = batch.columns().to_vec();
    columns.push(Arc::new(TimestampMicrosecondArray::from_value(cx.processing_time.micros(), batch.num_rows())));
    // Only the number and the types of the columns count here, so a batch that promises fewer nulls is as good.
    let fields = batch.schema_ref().fields().iter().chain(schema.fields().last()).map(Arc::clone);
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(schema, columns, &options)?)
}
