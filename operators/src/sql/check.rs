//! Every unknown column and function of an expression, found on the syntax tree, where the places are.

use std::ops::ControlFlow;

use arrow::datatypes::{DataType, Fields, Schema};
use datafusion_sql::sqlparser::ast::{
    AccessExpr, Expr, Function, FunctionArguments, Ident, Query, Spanned, Visit, Visitor,
};
use watershed_core::fault::{Fault, Faults, listed};
use watershed_core::names::nearest;

use super::functions::{FUNCTIONS, Kind, is_clock};
use super::syntax::Parsed;
use crate::inputs::unknown_column;

/// Whether an expression is about single rows or about groups of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Aggregation {
    /// Columns are those of a row; aggregates are refused.
    None,
    /// Columns stand inside of aggregates only.
    Required,
}

/// All that the names in `parsed` are guilty of.
pub(crate) fn check(parsed: &Parsed, schema: &Schema, aggregation: Aggregation) -> Faults {
    let mut checker = Checker {
        parsed,
        schema,
        aggregation,
        faults: Vec::new(),
        members: Vec::new(),
        inside: 0,
        aggregates: 0,
        subquery: false,
    };
    let _ = parsed.tree.visit(&mut checker);
    let Checker { mut faults, aggregates, .. } = checker;
    if aggregation == Aggregation::Required && aggregates == 0 && faults.is_empty() {
        let message = format!("`{}` is not an aggregate", parsed.body);
        let help = "aggregates are such as `count(*)`, `sum(x)`, `avg(x)` or `max(x) - min(x)`; the keys are in the result anyway";
        faults.push(
            Fault::new("not_an_aggregate", message).within(0..parsed.body.len()).label("one value per row").help(help),
        );
    }
    faults
}

struct Checker<'a> {
    parsed: &'a Parsed,
    schema: &'a Schema,
    aggregation: Aggregation,
    faults: Faults,
    /// Names after a dot, which are members of a struct and no columns.
    members: Vec<*const Expr>,
    /// How many aggregates are around the present place.
    inside: usize,
    /// How many aggregates were met.
    aggregates: usize,
    subquery: bool,
}

impl Visitor for Checker<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        if !self.subquery {
            self.subquery = true;
            let fault = Fault::new("subquery", "an expression cannot hold a query");
            self.faults.push(fault.within(0..self.parsed.body.len()).help("join the other stream to this one instead"));
        }
        ControlFlow::Break(())
    }

    fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<()> {
        match expression {
            Expr::Identifier(name) if !self.members.contains(&std::ptr::from_ref(expression)) => self.column(name, &[]),
            Expr::CompoundIdentifier(names) => {
                if let [column, members @ ..] = names.as_slice() {
                    self.column(column, members);
                }
            }
            Expr::CompoundFieldAccess { access_chain, .. } => {
                let member = |access: &AccessExpr| match access {
                    AccessExpr::Dot(member) => Some(std::ptr::from_ref(member)),
                    AccessExpr::Subscript(_) => None,
                };
                self.members.extend(access_chain.iter().filter_map(member));
            }
            Expr::Function(function) => self.function(function),
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expression: &Expr) -> ControlFlow<()> {
        if let Expr::Function(function) = expression
            && kind_of(function) == Some(Kind::Aggregate)
        {
            self.inside -= 1;
        }
        ControlFlow::Continue(())
    }
}

impl Checker<'_> {
    fn column(&mut self, name: &Ident, members: &[Ident]) {
        let place = self.parsed.place(name.span);
        let Some((_, field)) = self.schema.column_with_name(&name.value) else {
            self.faults.push(unknown_column(&name.value, self.schema, name.quote_style == Some('"')).within(place));
            return;
        };
        if self.aggregation == Aggregation::Required && self.inside == 0 {
            let message = format!("column `{}` stands outside of an aggregate", name.value);
            let help = format!(
                "say which of a group's values is meant: `max({0})`, `first_value({0})`, …; the keys are in the result anyway",
                name.value
            );
            self.faults.push(
                Fault::new("column_outside_aggregate", message).within(place).label("many values per group").help(help),
            );
        }
        let mut data_type = field.data_type();
        for member in members {
            let DataType::Struct(fields) = data_type else { return };
            let Some(field) = fields.iter().find(|field| *field.name() == member.value) else {
                self.faults.push(unknown_member(&member.value, fields).within(self.parsed.place(member.span)));
                return;
            };
            data_type = field.data_type();
        }
    }

    fn function(&mut self, function: &Function) {
        let name = name_of(function);
        // A word without brackets that is not the clock is a column whose name SQL has other plans for.
        if matches!(function.args, FunctionArguments::None)
            && !is_clock(&name)
            && let Some(column) = function.name.0.first().and_then(|part| part.as_ident())
        {
            self.column(column, &[]);
            return;
        }
        let place = self.parsed.place(function.name.span());
        if function.over.is_some() {
            let message = format!("`{name}(…) OVER` looks at other rows, which a stream does not have at hand");
            self.faults.push(
                Fault::new("window_function", message).within(place.clone()).help("use a `Window` or `Aggregate` node"),
            );
        }
        match kind_of(function) {
            Some(Kind::Scalar) => {}
            Some(Kind::Unrepeatable) => {
                let message =
                    format!("`{name}` gives another value each time, so a replay after a crash would give other rows");
                self.faults.push(Fault::new("unrepeatable_function", message).within(place).label("not repeatable"));
            }
            Some(Kind::Aggregate) => self.aggregate(&name, place),
            None if name == "unnest" || name == "unnest_outer" => {
                let fault =
                    Fault::new("unknown_function", "`unnest` makes several rows of one, which an expression cannot");
                self.faults.push(fault.within(place).help("use an `Unnest` node after this one"));
            }
            None => {
                let fault = Fault::new("unknown_function", format!("no function `{name}`"))
                    .within(place)
                    .label("not a function");
                self.faults.push(match nearest(&name, FUNCTIONS.names()) {
                    Some(known) => fault.help(format!("did you mean `{known}`?")),
                    None => fault.help("functions are those of DataFusion's SQL"),
                });
            }
        }
    }

    fn aggregate(&mut self, name: &str, place: std::ops::Range<usize>) {
        let fault = if name == "grouping" {
            Some(Fault::new(
                "unsplittable_aggregate",
                "`grouping` cannot be computed piece by piece, as a stream needs it",
            ))
        } else if self.aggregation == Aggregation::None {
            let message = format!("`{name}` is an aggregate: it needs many rows, and here is one");
            Some(Fault::new("aggregate", message).help("use it in the `aggregates` of a `Window` or `Aggregate` node"))
        } else if self.inside > 0 {
            let message = format!("aggregate `{name}` stands inside of another aggregate");
            Some(Fault::new("nested_aggregate", message).help("aggregate twice, with one node after the other"))
        } else {
            None
        };
        self.faults.extend(fault.map(|fault| fault.within(place).label("an aggregate")));
        self.aggregates += 1;
        self.inside += 1;
    }
}

fn name_of(function: &Function) -> String {
    function.name.to_string().to_lowercase()
}

fn kind_of(function: &Function) -> Option<Kind> {
    FUNCTIONS.kind(&name_of(function))
}

fn unknown_member(name: &str, fields: &Fields) -> Fault {
    let known = listed(fields.iter().map(|field| field.name()));
    Fault::new("unknown_column", format!("no field `{name}` in the struct"))
        .label("not a field of it")
        .help(format!("its fields are {known}"))
}
