//! One aggregate function, lifted out of its expression: how it is fed and computed.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch};
use arrow::buffer::BooleanBuffer;
use arrow::compute::SortOptions;
use arrow::datatypes::{DataType, Field};
use datafusion_common::{Result, ScalarValue};
use datafusion_expr::Expr;
use datafusion_expr::expr::{AggregateFunction, NullTreatment};
use datafusion_physical_expr::PhysicalSortExpr;
use datafusion_physical_expr::aggregate::{AggregateExprBuilder, AggregateFunctionExpr};
use watershed_core::node::EpochContext;

use super::collected::{Collected, Collecting};
use super::deferred::Deferred;
use super::grouped::{Grouped, Native};
use super::integer_sum::{IntegerSum, STATE};
use crate::sql::{Expression, Planner};

/// Aggregates whose value does not change when rows are repeated, so that `DISTINCT` may be left out.
const IDEMPOTENT: &[&str] = &["min", "max", "bool_and", "bool_or", "bit_and", "bit_or", "approx_distinct"];
/// Aggregates whose state is their value.
const PLAIN_STATE: &[&str] = &["count", "sum", "min", "max", "bool_and", "bool_or", "bit_and", "bit_or", "bit_xor"];
/// Aggregates that keep only the best row under their `ORDER BY`, without collecting all.
const KEEPS_ONE: &[&str] = &["first_value", "last_value"];
/// Aggregates for which the order of rows cannot matter, so that `ORDER BY` may be left out.
const ORDERLESS: &[&str] = &[
    "count",
    "sum",
    "avg",
    "min",
    "max",
    "bool_and",
    "bool_or",
    "bit_and",
    "bit_or",
    "bit_xor",
    "median",
    "approx_distinct",
];

/// One aggregate function with its arguments.
#[derive(Debug)]
pub(super) struct Function {
    /// The function as SQL, for messages.
    pub(super) text: String,
    /// What must be kept of a group between epochs.
    pub(super) states: Vec<Field>,
    /// Whether a state is a result as it is.
    pub(super) state_is_result: bool,
    /// Whether the result may depend on the order of the rows.
    pub(super) looks_at_order: bool,
    arguments: Arguments,
    filter: Option<Expression>,
    method: Method,
}

#[derive(Debug)]
enum Arguments {
    /// `count(*)`: any column will do, as long as it has no nulls.
    Rows,
    /// The arguments and, where the method wants them, the expressions of `ORDER BY`.
    Expressions(Vec<Expression>),
}

#[derive(Debug)]
enum Method {
    /// With the types of the arguments and the expressions of `ORDER BY`.
    Native(Arc<AggregateFunctionExpr>, Vec<DataType>),
    /// With the types of the states.
    Deferred(Arc<AggregateFunctionExpr>, Vec<DataType>),
    IntegerSum(DataType),
    Collected(Arc<Collecting>, Box<Method>),
}

impl Function {
    /// Prepares `call`. `name` is what its states are called after.
    pub(super) fn new(planner: &Planner, call: &AggregateFunction, name: &str) -> Result<Self> {
        let AggregateFunction { func, params } = call;
        let text = Expr::AggregateFunction(call.clone()).to_string();
        let lower = |expression: &Expr| Expression::lowered(planner, &expression.to_string(), expression);
        let mut arguments = params.args.iter().map(lower).collect::<Result<Vec<_>>>()?;
        let filter = params.filter.as_deref().map(lower).transpose()?;
        let distinct = params.distinct && !IDEMPOTENT.contains(&func.name());
        let orders_within = func.supports_within_group_clause();
        let order_by = if ORDERLESS.contains(&func.name()) { &[][..] } else { &params.order_by[..] };
        let orders = order_by.iter().map(|order| lower(&order.expr)).collect::<Result<Vec<_>>>()?;
        let options: Vec<SortOptions> = order_by
            .iter()
            .map(|order| SortOptions { descending: !order.asc, nulls_first: order.nulls_first })
            .collect();

        let physical = |ordered: bool| -> Result<Arc<AggregateFunctionExpr>> {
            let sorts = orders.iter().zip(&options).filter(|_| ordered);
            let sorts =
                sorts.map(|(order, options)| PhysicalSortExpr { expr: order.physical(), options: *options }).collect();
            let builder =
                AggregateExprBuilder::new(Arc::clone(func), arguments.iter().map(Expression::physical).collect())
                    .schema(Arc::clone(&planner.schema))
                    .alias(name)
                    .order_by(sorts)
                    .with_ignore_nulls(params.null_treatment == Some(NullTreatment::IgnoreNulls));
            Ok(Arc::new(builder.build()?))
        };
        let collects = distinct || (!orders.is_empty() && !orders_within && !KEEPS_ONE.contains(&func.name()));
        let with_orders = if collects || orders_within { &[][..] } else { &orders[..] };
        let types =
            arguments.iter().chain(with_orders).map(|expression| expression.physical().data_type(&planner.schema));
        let plain = Method::plain(physical(!collects || orders_within)?, types.collect::<Result<_>>()?)?;
        let states = plain.state_fields(name)?;
        let looks_at_order = !ORDERLESS.contains(&func.name());
        let state_is_result = !collects
            && PLAIN_STATE.contains(&func.name())
            && states.len() == 1
            && plain.result_type().is_some_and(|result| result == *states[0].data_type());

        if !collects {
            let counts_rows = func.name() == "count"
                && arguments.iter().all(|argument| argument.constant().is_some_and(|value| !value.is_null()));
            if !orders_within {
                arguments.extend(orders);
            }
            let arguments = if counts_rows { Arguments::Rows } else { Arguments::Expressions(arguments) };
            return Ok(Self { text, states, state_is_result, looks_at_order, arguments, filter, method: plain });
        }
        let constants: Vec<Option<ScalarValue>> = arguments.iter().map(Expression::constant).collect();
        let orders = if orders_within { Vec::new() } else { orders };
        let options = if orders_within { Vec::new() } else { options };
        let kept =
            arguments.iter().zip(&constants).filter(|(_, constant)| constant.is_none()).map(|(argument, _)| argument);
        let types = kept
            .chain(&orders)
            .map(|expression| expression.physical().data_type(&planner.schema))
            .collect::<Result<Vec<_>>>()?;
        if types.is_empty() {
            return datafusion_common::plan_err!("`{text}` has no column to tell rows apart by");
        }
        arguments.extend(orders);
        let collecting = Arc::new(Collecting { types, constants, distinct, order: options });
        let method = Method::Collected(collecting, Box::new(plain));
        let states = method.state_fields(name)?;
        Ok(Self {
            text,
            states,
            state_is_result,
            looks_at_order,
            arguments: Arguments::Expressions(arguments),
            filter,
            method,
        })
    }

    /// The running value of no groups.
    pub(super) fn accumulator(&self) -> Result<Box<dyn Grouped>> {
        self.method.accumulator()
    }

    /// The arguments for the rows of `batch`, and which of them count.
    pub(super) fn arguments(
        &self,
        batch: &RecordBatch,
        cx: &EpochContext,
    ) -> watershed_core::error::Result<(Vec<ArrayRef>, Option<BooleanArray>)> {
        let filter = self.filter.as_ref().map(|filter| filter.evaluate_condition(batch, cx)).transpose()?;
        let values = match &self.arguments {
            Arguments::Rows => {
                vec![Arc::new(BooleanArray::new(BooleanBuffer::new_unset(batch.num_rows()), None)) as ArrayRef]
            }
            Arguments::Expressions(arguments) => {
                arguments.iter().map(|argument| argument.evaluate_raw(batch, cx)).collect::<Result<_, _>>()?
            }
        };
        Ok((values, filter))
    }
}

impl Method {
    /// How an aggregate is computed whose rows may come in any order, repeated or not.
    fn plain(function: Arc<AggregateFunctionExpr>, arguments: Vec<DataType>) -> Result<Self> {
        let result = function.field().data_type().clone();
        if function.fun().name() == "sum" && matches!(result, DataType::Int64 | DataType::UInt64) {
            return Ok(Self::IntegerSum(result));
        }
        if function.groups_accumulator_supported() {
            return Ok(Self::Native(function, arguments));
        }
        let types = function.state_fields()?.iter().map(|field| field.data_type().clone()).collect();
        Ok(Self::Deferred(function, types))
    }

    fn accumulator(&self) -> Result<Box<dyn Grouped>> {
        Ok(match self {
            Self::Native(function, arguments) => {
                Box::new(Native::new(function.create_groups_accumulator()?, arguments))
            }
            Self::Deferred(function, types) => Box::new(Deferred::new(Arc::clone(function), types.clone())),
            Self::IntegerSum(data_type) => Box::new(IntegerSum::new(data_type.clone())),
            Self::Collected(how, plain) => Box::new(Collected::new(Arc::clone(how), plain.accumulator()?)?),
        })
    }

    fn result_type(&self) -> Option<DataType> {
        match self {
            Self::Native(function, _) | Self::Deferred(function, _) => Some(function.field().data_type().clone()),
            Self::IntegerSum(_) | Self::Collected(..) => None,
        }
    }

    /// The state's columns: `name`, or where there are several `name.part`.
    fn state_fields(&self, name: &str) -> Result<Vec<Field>> {
        let fields: Vec<(String, DataType)> = match self {
            Self::IntegerSum(_) => vec![(String::new(), STATE)],
            Self::Collected(how, _) => {
                let arguments = how.arguments();
                let part = |index: usize| {
                    if index < arguments { format!("values_{index}") } else { format!("order_{}", index - arguments) }
                };
                let list =
                    |data_type: &DataType| DataType::List(Arc::new(Field::new_list_field(data_type.clone(), true)));
                how.types.iter().enumerate().map(|(index, data_type)| (part(index), list(data_type))).collect()
            }
            Self::Native(function, _) | Self::Deferred(function, _) => {
                // DataFusion calls them `name[part]`.
                let part = |full: &str| full.strip_prefix(name).unwrap_or(full).trim_matches(['[', ']']).to_owned();
                function.state_fields()?.iter().map(|field| (part(field.name()), field.data_type().clone())).collect()
            }
        };
        let single = fields.len() == 1;
        let called = |part: &str| if single || part.is_empty() { name.to_owned() } else { format!("{name}.{part}") };
        Ok(fields.into_iter().map(|(part, data_type)| Field::new(called(&part), data_type, true)).collect())
    }
}
