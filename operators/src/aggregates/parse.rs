//! Texts of aggregates to functions and the expressions around them.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion_common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion_common::{Column, Result as PlanResult};
use datafusion_expr::expr::AggregateFunction;
use datafusion_expr::{Expr, ExprSchemable};
use watershed_core::error::Result;
use watershed_core::fault::{Fault, Faults};

use super::function::Function;
use crate::sql::{Aggregation, Expression, Named, Parsed, Planner, cause_of, check, type_fault};

/// The aggregates of a node, ready to be computed.
#[derive(Clone, Debug)]
pub struct Aggregates {
    pub(super) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(super) struct Inner {
    /// The aggregate functions, each once.
    pub(super) functions: Vec<Function>,
    /// What they give: a column each.
    pub(super) values: SchemaRef,
    /// The output columns, over `values`.
    pub(super) outputs: Vec<Named>,
}

/// A text that has been planned, its aggregate functions replaced by references to their values.
struct Lifted {
    name: String,
    text: String,
    outer: Expr,
}

impl Aggregates {
    /// Reads `texts` such as `count(*) AS count` over the columns of `schema`. Faults name the text they are about by its
    /// index, and the bytes within it.
    pub fn parse(texts: &[String], schema: &Schema) -> Result<Self, Faults> {
        let planner = Planner::new(schema).map_err(|cause| type_fault(&cause))?;
        let mut faults = Faults::new();
        let mut calls: Vec<AggregateFunction> = Vec::new();
        let mut lifted: Vec<Lifted> = Vec::new();
        for (index, text) in texts.iter().enumerate() {
            match lift(text, schema, &planner, &mut calls) {
                Ok(next) if lifted.iter().any(|other| other.name == next.name) => {
                    let message = format!("two aggregates are called `{}`", next.name);
                    faults.push(
                        Fault::new("duplicate_name", message).at(index).help("give one of them another name with `AS`"),
                    );
                }
                Ok(next) => lifted.push(next),
                Err(found) => faults.extend(found.into_iter().map(|fault| fault.under(index))),
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        Self::prepare(&planner, &calls, &lifted)
    }

    fn prepare(planner: &Planner, calls: &[AggregateFunction], lifted: &[Lifted]) -> Result<Self, Faults> {
        let mut names = BTreeSet::new();
        let mut functions = Vec::with_capacity(calls.len());
        let mut faults = Faults::new();
        for (number, call) in calls.iter().enumerate() {
            let call_text = Expr::AggregateFunction(call.clone()).to_string();
            let own_output =
                lifted.iter().find(|output| is_value(&output.outer, number)).map(|output| output.name.as_str());
            let name = unique(own_output.unwrap_or(&call_text), &mut names);
            let prepared = Function::new(planner, call, &name).and_then(|function| probe(&function).map(|()| function));
            match prepared {
                Ok(function) => functions.push(function),
                Err(cause) => {
                    let index = lifted.iter().position(|output| mentions(&output.outer, number)).unwrap_or_default();
                    let message = format!(
                        "`{call_text}` cannot be computed piece by piece, as a stream needs it: {}",
                        cause_of(&cause)
                    );
                    faults.push(Fault::new("unsplittable_aggregate", message).at(index));
                }
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        rename_apart(&mut functions);
        let outputs = (|| -> PlanResult<(SchemaRef, Vec<Named>)> {
            let value = |(number, call): (usize, &AggregateFunction)| -> PlanResult<Field> {
                let (_, field) = Expr::AggregateFunction(call.clone()).to_field(&**planner.columns())?;
                Ok(Field::new(value_name(number), field.data_type().clone(), field.is_nullable()))
            };
            let values = Schema::new(calls.iter().enumerate().map(value).collect::<PlanResult<Vec<_>>>()?);
            let outer = planner.over(&values)?;
            let named = |output: &Lifted| -> PlanResult<Named> {
                Ok(Named {
                    name: output.name.clone(),
                    expression: Expression::lowered(&outer, &output.text, &output.outer)?,
                })
            };
            let outputs = lifted.iter().map(named).collect::<PlanResult<_>>()?;
            Ok((Arc::new(values), outputs))
        })();
        let (values, outputs) = outputs.map_err(|cause| type_fault(&cause))?;
        Ok(Self { inner: Arc::new(Inner { functions, values, outputs }) })
    }

    /// The output columns.
    pub fn output_fields(&self) -> Vec<Field> {
        self.inner.outputs.iter().map(|output| output.expression.field(&output.name)).collect()
    }

    /// Whether a result may depend on the order of the rows: a first value, a list.
    pub fn look_at_order(&self) -> bool {
        self.inner.functions.iter().any(|function| function.looks_at_order)
    }

    /// The columns of the states, all that must be kept of a group. Their names differ and may be shown.
    pub fn state_fields(&self) -> Vec<Field> {
        self.inner.functions.iter().flat_map(|function| function.states.iter().cloned()).collect()
    }
}

/// Plans one text and moves its aggregate functions to `calls`, unless they are there already.
fn lift(text: &str, schema: &Schema, planner: &Planner, calls: &mut Vec<AggregateFunction>) -> Result<Lifted, Faults> {
    let parsed = Parsed::read(text, true)?;
    let faults = check(&parsed, schema, Aggregation::Required);
    if !faults.is_empty() {
        return Err(faults);
    }
    let typed = planner.plan(&parsed)?;
    let outer = typed.transform_down(|part| {
        let Expr::AggregateFunction(call) = part else { return Ok(Transformed::no(part)) };
        let number = calls.iter().position(|known| *known == call).unwrap_or_else(|| {
            calls.push(call);
            calls.len() - 1
        });
        let value = Expr::Column(Column::new_unqualified(value_name(number)));
        Ok(Transformed::new(value, true, TreeNodeRecursion::Jump))
    });
    let outer = outer.data().map_err(|cause| type_fault(&cause).within(0..parsed.body.len()))?;
    let outer = outer.unalias_nested().data;
    let name = parsed.alias.unwrap_or_else(|| parsed.body.clone());
    Ok(Lifted { name, text: parsed.body, outer })
}

fn value_name(number: usize) -> String {
    format!("value {number}")
}

fn is_value(outer: &Expr, number: usize) -> bool {
    match outer {
        Expr::Alias(alias) => is_value(&alias.expr, number),
        Expr::Column(column) => column.name == value_name(number),
        _ => false,
    }
}

fn mentions(outer: &Expr, number: usize) -> bool {
    outer.column_refs().iter().any(|column| column.name == value_name(number))
}

/// `name`, or with a number behind it if it is taken.
fn unique(name: &str, taken: &mut BTreeSet<String>) -> String {
    let mut candidate = name.to_owned();
    let mut number = 2;
    while !taken.insert(candidate.clone()) {
        candidate = format!("{name} {number}");
        number += 1;
    }
    candidate
}

/// Gives states that happen to be called alike different names.
fn rename_apart(functions: &mut [Function]) {
    let mut taken = BTreeSet::new();
    for field in functions.iter_mut().flat_map(|function| &mut function.states) {
        let name = unique(field.name(), &mut taken);
        field.set_name(name);
    }
}

/// Takes a function's state apart and together again, to find out before the start whether that works and gives the
/// promised types.
fn probe(function: &Function) -> PlanResult<()> {
    let mut accumulator = function.accumulator()?;
    accumulator.grow(1)?;
    let states = accumulator.states()?;
    let types_differ = |(state, field): (&ArrayRef, &Field)| state.data_type() != field.data_type();
    if states.len() != function.states.len() || states.iter().zip(&function.states).any(types_differ) {
        return datafusion_common::plan_err!("its state has other types than it says");
    }
    let mut accumulator = function.accumulator()?;
    accumulator.merge(&states, &[0], 1)?;
    accumulator.results().map(drop)
}
