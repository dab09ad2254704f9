//! The rows that come out of a join: columns of both sides and expressions over them.

use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Field, Schema, SchemaRef};
use watershed_core::error::Result;
use watershed_core::fault::{Fault, Faults};
use watershed_core::node::EpochContext;
use watershed_core::stream::{EventTime, Stream};

use super::scope::{Scope, Selected, Side, Sides};
use super::spec::JoinKind;
use crate::sql::{Expression, Named};

/// What is made of two rows that belong together, or of one and nulls.
#[derive(Clone, Debug)]
pub(crate) struct Joined {
    /// What the expressions are read over: the columns of the left side, called `left.…`, then those of the right, unless only left
    /// rows come out. Those of a side that may be missing may be null.
    pub(crate) input: SchemaRef,
    /// The columns that come out.
    pub(crate) schema: SchemaRef,
    columns: Vec<Named>,
}

impl Joined {
    /// Reads `select` over the columns of two streams; none stands for all columns. Faults are below the field `select`.
    pub(super) fn bind(select: &[String], kind: JoinKind, left: &Stream, right: &Stream) -> Result<Self, Faults> {
        let sides = [
            if kind.keeps(Side::Right) { nullable(&left.schema) } else { Arc::clone(&left.schema) },
            if kind.keeps(Side::Left) { nullable(&right.schema) } else { Arc::clone(&right.schema) },
        ];
        let scope = Scope::new(&sides[0], &sides[1])?;
        let every: Vec<String>;
        let texts: &[String] = if select.is_empty() {
            let own = |side: &Side| !kind.is_one_sided() || *side == Side::Left;
            every = Side::BOTH.iter().filter(|side| own(side)).map(|side| side.column("*")).collect();
            &every
        } else {
            select
        };
        let (mut columns, mut faults): (Vec<Named>, Faults) = (Vec::new(), Faults::new());
        for (index, text) in texts.iter().enumerate() {
            let found = match all_columns(&scope, text) {
                Some(all) => Ok(all),
                None => scope.selected(text).map(|selected| vec![selected]),
            };
            let found = found.and_then(|found| {
                found.into_iter().map(|selected| named(&scope, kind, selected).map_err(Faults::from)).collect()
            });
            let named: Vec<Named> = found.unwrap_or_else(|found: Faults| {
                faults.extend(found.into_iter().map(|fault| fault.under(index)));
                Vec::new()
            });
            for named in named {
                if columns.iter().any(|other| other.name == named.name) {
                    let fault = duplicate(&named.name, select.is_empty());
                    faults.push(if select.is_empty() { fault } else { fault.at(index) });
                } else {
                    columns.push(named);
                }
            }
        }
        if !faults.is_empty() {
            let under = |fault: Fault| if select.is_empty() { fault } else { fault.under("select") };
            return Err(faults.into_iter().map(under).collect());
        }
        let fields: Vec<Field> = columns.iter().map(|column| column.expression.field(&column.name)).collect();
        let input =
            if kind.is_one_sided() { Arc::clone(scope.prefixed(Side::Left)) } else { Arc::clone(scope.joined()) };
        Ok(Self { input, schema: Arc::new(Schema::new(fields)), columns })
    }

    /// What the columns are computed by.
    pub(super) fn expressions(&self) -> impl Iterator<Item = &Expression> {
        self.columns.iter().map(|column| &column.expression)
    }

    /// The output for rows of [`input`](Self::input).
    pub(crate) fn rows(&self, rows: &RecordBatch, cx: &EpochContext) -> Result<RecordBatch> {
        let columns =
            self.columns.iter().map(|column| column.expression.evaluate(rows, cx)).collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?)
    }

    /// The tags of the columns that are passed on as they are, under their new names.
    pub(super) fn event_times(&self, left: &Stream, right: &Stream) -> Vec<EventTime> {
        let tag = |column: &Named| {
            let full = column.expression.as_column()?;
            let tags = [(Side::Left, left), (Side::Right, right)]
                .into_iter()
                .find_map(|(side, stream)| stream.event_times.iter().find(|tag| side.column(&tag.column) == full));
            Some(EventTime { column: column.name.clone(), ..tags?.clone() })
        };
        self.columns.iter().filter_map(tag).collect()
    }
}

fn nullable(schema: &SchemaRef) -> SchemaRef {
    Arc::new(Schema::new(
        schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true)).collect::<Vec<_>>(),
    ))
}

/// The columns that `left.*`, `right.*` or `*` stands for.
fn all_columns(scope: &Scope, text: &str) -> Option<Vec<Selected>> {
    let sides: &[Side] = match text.trim() {
        "*" => &Side::BOTH,
        "left.*" => &[Side::Left],
        "right.*" => &[Side::Right],
        _ => return None,
    };
    Some(sides.iter().flat_map(|side| scope.columns(*side)).collect())
}

fn named(scope: &Scope, kind: JoinKind, Selected { name, text, typed }: Selected) -> Result<Named, Fault> {
    if !kind.is_one_sided() {
        return Ok(Named { name, expression: scope.over_both(&text, &typed)? });
    }
    if matches!(scope.sides(&typed), Sides::One(Side::Right) | Sides::Both) {
        let message = format!("`{text}` is about the right side, of which `{kind:?}` gives no columns");
        let fault = Fault::new("no_such_side", message).within(0..text.len()).label("not among the rows that come out");
        return Err(fault.help("only left rows come out; `Inner` or `LeftOuter` give columns of both sides"));
    }
    Ok(Named { name, expression: scope.over_one(Side::Left, &text, &typed)? })
}

fn duplicate(name: &str, by_default: bool) -> Fault {
    let message = format!("two output columns are called `{name}`");
    Fault::new("duplicate_column", message).help(if by_default {
        format!("list the columns that are wanted: `select: [\"left.{name} AS left_{name}\", \"right.{name} AS right_{name}\", …]`")
    } else {
        "give one of them another name: `… AS name`".to_owned()
    })
}
