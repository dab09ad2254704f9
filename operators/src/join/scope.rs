//! Expressions over the columns of two sides, written `left.x` and `right.x`.
//!
//! The two schemas become one whose names carry their side, so that everything behind the syntax tree sees plain columns. What
//! is about one side only can be evaluated on rows of that side alone.

use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion_common::Column;
use datafusion_common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion_expr::{Expr, ExprSchemable};
use datafusion_sql::sqlparser::ast::{
    AccessExpr, BinaryOperator, Expr as SqlExpr, Function, FunctionArguments, Ident, Query, VisitMut, VisitorMut,
};
use watershed_core::fault::{Fault, Faults, listed};
use watershed_core::schema::type_to_ddl;
use watershed_core::stream::column_names;

use crate::inputs::unknown_column;
use crate::sql::{Aggregation, Expression, Parsed, Planner, check, is_clock, type_fault};

/// One of the two inputs of a join.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// What enters by port `left`.
    Left,
    /// What enters by port `right`.
    Right,
}

impl Side {
    /// Both, in the order of their ports.
    pub(crate) const BOTH: [Self; 2] = [Self::Left, Self::Right];

    /// The name of its port, and of its columns' owner.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::Right => "right",
        }
    }

    /// The other one.
    pub(crate) const fn other(self) -> Self {
        match self {
            Self::Left => Self::Right,
            Self::Right => Self::Left,
        }
    }

    /// Its place in [`BOTH`](Self::BOTH).
    pub(crate) const fn place(self) -> usize {
        match self {
            Self::Left => 0,
            Self::Right => 1,
        }
    }

    /// Its column `name`, as expressions write it.
    pub(crate) fn column(self, name: &str) -> String {
        format!("{}.{name}", self.name())
    }

    fn named(name: &str) -> Option<Self> {
        Self::BOTH.into_iter().find(|side| side.name() == name)
    }
}

/// The sides that an expression speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sides {
    /// Neither: it is a constant, or the epoch's time.
    None,
    /// This one only.
    One(Side),
    /// Both.
    Both,
}

/// One of the conditions that an `on` joins by `AND`.
#[derive(Clone, Debug)]
pub(super) struct Conjunct {
    /// As it is written.
    pub(super) text: String,
    /// What it means.
    pub(super) typed: Expr,
}

/// An output column as it is written.
pub(super) struct Selected {
    /// What it is called.
    pub(super) name: String,
    /// The text without the name.
    pub(super) text: String,
    /// What it means.
    pub(super) typed: Expr,
}

/// The columns of two sides.
#[derive(Clone, Debug)]
pub(super) struct Scope {
    sides: [SchemaRef; 2],
    prefixed: [SchemaRef; 2],
    joined: SchemaRef,
    both: Planner,
    one: [Planner; 2],
}

impl Scope {
    /// The columns of a left and a right schema.
    pub(super) fn new(left: &SchemaRef, right: &SchemaRef) -> Result<Self, Fault> {
        let sides = [Arc::clone(left), Arc::clone(right)];
        let prefixed = Side::BOTH.map(|side| {
            let renamed = |field: &Arc<Field>| field.as_ref().clone().with_name(side.column(field.name()));
            Arc::new(Schema::new(sides[side.place()].fields().iter().map(renamed).collect::<Vec<_>>()))
        });
        let fields: Vec<_> = prefixed.iter().flat_map(|schema| schema.fields()).cloned().collect();
        let joined = Arc::new(Schema::new(fields));
        let both = Planner::new(&joined).map_err(|cause| type_fault(&cause))?;
        let over = |side: Side| both.over(&prefixed[side.place()]).map_err(|cause| type_fault(&cause));
        let one = [over(Side::Left)?, over(Side::Right)?];
        Ok(Self { sides, prefixed, joined, both, one })
    }

    /// The columns of the left side and those of the right, under their full names.
    pub(super) fn joined(&self) -> &SchemaRef {
        &self.joined
    }

    /// The columns of one side, under their full names.
    pub(super) fn prefixed(&self, side: Side) -> &SchemaRef {
        &self.prefixed[side.place()]
    }

    /// The columns of one side as they are, under their own names.
    pub(super) fn columns(&self, side: Side) -> impl Iterator<Item = Selected> {
        column_names(&self.sides[side.place()]).map(move |name| {
            let full = side.column(name);
            let typed = Expr::Column(Column::new_unqualified(full.clone()));
            Selected { name: name.to_owned(), text: full, typed }
        })
    }

    /// Reads conditions that are joined by `AND`.
    pub(super) fn conjuncts(&self, text: &str) -> Result<Vec<Conjunct>, Faults> {
        let parsed = self.read(text, false)?;
        let (mut conjuncts, mut faults) = (Vec::new(), Faults::new());
        for part in split(&parsed.tree) {
            let place = parsed.place_of(part);
            match self.both.plan_part(&parsed, part).and_then(|typed| self.boolean(typed, text, &place)) {
                Ok(typed) => conjuncts.push(Conjunct { text: text[place].trim().to_owned(), typed }),
                Err(fault) => faults.push(fault),
            }
        }
        if faults.is_empty() { Ok(conjuncts) } else { Err(faults) }
    }

    fn boolean(&self, typed: Expr, text: &str, place: &Range<usize>) -> Result<Expr, Fault> {
        let data_type = typed.get_type(&**self.both.columns()).map_err(|cause| type_fault(&cause))?;
        if data_type == DataType::Boolean {
            return Ok(typed);
        }
        let message =
            format!("a condition is BOOLEAN, but `{}` is {}", text[place.clone()].trim(), type_to_ddl(&data_type));
        Err(Fault::new("not_a_condition", message)
            .within(place.clone())
            .label("not a condition")
            .help("compare it with something: `left.x = right.x`, `left.x > 0`"))
    }

    /// Reads `expression AS name`. Without a name a column keeps its own, and anything else is called as it is written.
    pub(super) fn selected(&self, text: &str) -> Result<Selected, Faults> {
        let parsed = self.read(text, true)?;
        let typed = self.both.plan(&parsed)?;
        let own = |column: &str| column.split_once('.').map_or(column, |(_, name)| name).to_owned();
        let name = match (&parsed.alias, &typed) {
            (Some(name), _) => name.clone(),
            (None, Expr::Column(column)) if self.joined.column_with_name(&column.name).is_some() => own(&column.name),
            (None, _) => parsed.body.clone(),
        };
        Ok(Selected { name, text: parsed.body, typed })
    }

    /// The syntax tree of a text in which every column is called by its full name.
    fn read(&self, text: &str, aliased: bool) -> Result<Parsed, Faults> {
        let mut parsed = Parsed::read(text, aliased)?;
        let mut tree = parsed.tree.clone();
        let mut qualifier = Qualifier { scope: self, parsed: &parsed, faults: Faults::new(), done: Vec::new() };
        let _ = VisitMut::visit(&mut tree, &mut qualifier);
        let mut faults = qualifier.faults;
        parsed.tree = tree;
        let is_new = |fault: &Fault| fault.code != "unknown_column" || faults.is_empty();
        let found: Faults = check(&parsed, &self.joined, Aggregation::None).into_iter().filter(is_new).collect();
        faults.extend(found);
        if faults.is_empty() { Ok(parsed) } else { Err(faults) }
    }

    /// Whose columns an expression speaks of.
    pub(super) fn sides(&self, typed: &Expr) -> Sides {
        let left = self.sides[0].fields().len();
        let mut seen = [false; 2];
        // The closure never fails.
        let _ = typed.apply(|part| {
            if let Expr::Column(column) = part
                && let Some((place, _)) = self.joined.column_with_name(&column.name)
            {
                seen[usize::from(place >= left)] = true;
            }
            Ok(TreeNodeRecursion::Continue)
        });
        match seen {
            [false, false] => Sides::None,
            [true, false] => Sides::One(Side::Left),
            [false, true] => Sides::One(Side::Right),
            [true, true] => Sides::Both,
        }
    }

    /// What evaluates an expression on rows of one side, which is all it speaks of.
    pub(super) fn over_one(&self, side: Side, text: &str, typed: &Expr) -> Result<Expression, Fault> {
        Expression::lowered(&self.one[side.place()], text, typed).map_err(|cause| type_fault(&cause))
    }

    /// What evaluates an expression on rows of both sides.
    pub(super) fn over_both(&self, text: &str, typed: &Expr) -> Result<Expression, Fault> {
        Expression::lowered(&self.both, text, typed).map_err(|cause| type_fault(&cause))
    }

    /// The same condition with its constants computed.
    pub(super) fn simplified(&self, typed: &Expr) -> Expr {
        self.both.simplified(typed).unwrap_or_else(|_| typed.clone())
    }
}

/// The parts that `AND` joins.
fn split(tree: &SqlExpr) -> Vec<&SqlExpr> {
    match tree {
        SqlExpr::Nested(inner) => split(inner),
        SqlExpr::BinaryOp { left, op: BinaryOperator::And, right } => {
            split(left).into_iter().chain(split(right)).collect()
        }
        other => vec![other],
    }
}

/// The names of a call without brackets, which is how a word is parsed that SQL has other plans for: `User`, `left.User`. The words
/// of the clock are calls.
fn words(function: &Function) -> Vec<Ident> {
    let names: Vec<Ident> = function.name.0.iter().filter_map(|part| part.as_ident().cloned()).collect();
    let is_call = match names.as_slice() {
        [name] => is_clock(&name.value),
        _ => false,
    };
    if is_call || !matches!(function.args, FunctionArguments::None) { Vec::new() } else { names }
}

/// A column, or a member of one.
fn named(mut names: Vec<Ident>) -> SqlExpr {
    if names.len() == 1 { SqlExpr::Identifier(names.remove(0)) } else { SqlExpr::CompoundIdentifier(names) }
}

/// Gives every column its full name.
struct Qualifier<'a> {
    scope: &'a Scope,
    parsed: &'a Parsed,
    faults: Faults,
    /// Names that are no columns of their own: members of structs, and columns that have their full name already.
    done: Vec<*const SqlExpr>,
}

impl VisitorMut for Qualifier<'_> {
    type Break = ();

    // `check` refuses it.
    fn pre_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        ControlFlow::Break(())
    }

    fn pre_visit_expr(&mut self, expression: &mut SqlExpr) -> ControlFlow<()> {
        let is_done = self.done.contains(&std::ptr::from_ref(expression));
        match expression {
            SqlExpr::Identifier(_) if is_done => {}
            SqlExpr::Identifier(name) => self.bare(&name.clone()),
            SqlExpr::CompoundIdentifier(names) => {
                if let Some(full) = self.full(names) {
                    *expression = named(full);
                }
            }
            SqlExpr::CompoundFieldAccess { root, access_chain } => {
                if let (SqlExpr::Identifier(side), Some(AccessExpr::Dot(SqlExpr::Identifier(column)))) =
                    (&**root, access_chain.first())
                    && let Some(full) = self.full(&[side.clone(), column.clone()])
                {
                    access_chain.remove(0);
                    **root = named(full);
                    self.done.push(&raw const **root);
                }
                self.done.extend(access_chain.iter().filter_map(|access| match access {
                    AccessExpr::Dot(member) => Some(std::ptr::from_ref(member)),
                    AccessExpr::Subscript(_) => None,
                }));
            }
            SqlExpr::Function(function) => match words(function).as_slice() {
                [] => {}
                [name] => self.bare(name),
                names => {
                    if let Some(full) = self.full(names) {
                        *expression = named(full);
                    }
                }
            },
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

impl Qualifier<'_> {
    /// `left`, `x` and members of it as the one column `left.x` and those members.
    fn full(&mut self, names: &[Ident]) -> Option<Vec<Ident>> {
        let [owner, column, members @ ..] = names else { return None };
        let Some(side) = Side::named(&owner.value) else {
            self.bare(owner);
            return None;
        };
        let schema = &self.scope.sides[side.place()];
        if schema.column_with_name(&column.value).is_none() {
            let message = format!("the {} has no column `{}`", side.name(), column.value);
            let known = unknown_column(&column.value, schema, false);
            self.faults.push(Fault { message, ..known }.within(self.parsed.place(column.span)));
            return None;
        }
        let span = owner.span.union(&column.span);
        let full = Ident { value: side.column(&column.value), quote_style: Some('`'), span };
        Some(std::iter::once(full).chain(members.iter().cloned()).collect())
    }

    /// A name without a side.
    fn bare(&mut self, name: &Ident) {
        let place = self.parsed.place(name.span);
        let has = |side: &Side| self.scope.sides[side.place()].column_with_name(&name.value).is_some();
        let owners: Vec<String> =
            Side::BOTH.into_iter().filter(has).map(|side| format!("`{}`", side.column(&name.value))).collect();
        let fault = if owners.is_empty() {
            let known = listed(column_names(&self.scope.joined));
            let text = if name.quote_style == Some('"') {
                format!("text is written '{}', in single quotes; ", name.value)
            } else {
                String::new()
            };
            Fault::new("unknown_column", format!("no column `{}`", name.value))
                .label("not a column here")
                .help(format!("{text}columns are {known}"))
        } else {
            Fault::new("unqualified_column", format!("`{}` does not say whose column it is", name.value))
                .label("of which side?")
                .help(format!("write {}", owners.join(" or ")))
        };
        self.faults.push(fault.within(place));
    }
}
