//! Why serde could not read a row.

use std::fmt;

use serde::de::{self, Expected, Unexpected};

use crate::row::misfit::{Misfit, Problem};

/// A row, or a value in it, that could not be read.
#[derive(Debug)]
pub(super) struct Unread {
    /// Where, from the innermost step outwards.
    pub(super) path: Vec<Step>,
    pub(super) reason: Reason,
}

/// A step to a value from the row.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    /// A column, or a field of a struct.
    Field(String),
    /// The elements of a list.
    Element,
}

/// What serde said.
#[derive(Debug)]
pub(super) enum Reason {
    /// A field has no column.
    Missing(&'static str),
    /// A field wants another type.
    Type { seen: String, expected: String },
    /// The value is null, and the field is no `Option`.
    Null { expected: String },
    /// The text is none of an enum's names.
    Variant { seen: String, expected: &'static [&'static str] },
    /// The value is of the right type, and bad.
    Value(String),
}

impl Unread {
    /// The same, one step further out.
    pub(super) fn within(mut self, step: Step) -> Self {
        self.path.push(step);
        self
    }

    /// Where it is, from the row inwards; of a missing column, where it should be.
    pub(super) fn place(&self) -> Vec<Step> {
        let missing = match self.reason {
            Reason::Missing(name) => Some(Step::Field(name.to_owned())),
            _ => None,
        };
        self.path.iter().rev().cloned().chain(missing).collect()
    }
}

impl From<Reason> for Unread {
    fn from(reason: Reason) -> Self {
        Self { path: Vec::new(), reason }
    }
}

impl de::Error for Unread {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Reason::Value(message.to_string()).into()
    }

    fn invalid_type(seen: Unexpected, expected: &dyn Expected) -> Self {
        let expected = expected.to_string();
        match seen {
            Unexpected::Unit => Reason::Null { expected },
            seen => Reason::Type { seen: seen.to_string(), expected },
        }
        .into()
    }

    fn missing_field(field: &'static str) -> Self {
        Reason::Missing(field).into()
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Reason::Variant { seen: variant.to_owned(), expected }.into()
    }
}

impl std::error::Error for Unread {}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.reason {
            Reason::Missing(field) => write!(f, "column `{field}` is missing"),
            Reason::Type { seen, expected } => write!(f, "{seen} where {expected} was expected"),
            Reason::Null { expected } => write!(f, "null where {expected} was expected"),
            Reason::Variant { seen, expected } => {
                write!(f, "`{seen}` is none of {}", crate::fault::listed(expected.iter()))
            }
            Reason::Value(cause) => f.write_str(cause),
        }
    }
}

/// What serde calls the types that DDL has words for.
const IN_DDL: [(&str, &str); 9] = [
    ("a boolean", "BOOLEAN"),
    ("i8", "TINYINT"),
    ("i16", "SMALLINT"),
    ("i32", "INT"),
    ("i64", "BIGINT"),
    ("f32", "FLOAT"),
    ("f64", "DOUBLE"),
    ("a string", "STRING"),
    ("a borrowed string", "STRING"),
];

impl From<Unread> for Misfit {
    fn from(unread: Unread) -> Self {
        let in_ddl = |expected: String| {
            IN_DDL.iter().find(|(word, _)| *word == expected).map_or(expected, |(_, ddl)| (*ddl).to_owned())
        };
        let cause = unread.to_string();
        let (column, wanted, problem) = match unread.reason {
            Reason::Missing(field) => (field.to_owned(), String::new(), Problem::Missing { columns: Vec::new() }),
            Reason::Type { seen, expected } => (String::new(), in_ddl(expected), Problem::Type { seen }),
            Reason::Null { expected } => (String::new(), in_ddl(expected), Problem::Nulls),
            Reason::Variant { .. } | Reason::Value(_) => (String::new(), String::new(), Problem::Value { cause }),
        };
        let mut misfit = Self { column, wanted, problem };
        for step in unread.path {
            misfit = match step {
                Step::Field(name) => misfit.within(&name),
                Step::Element => misfit.of_element(),
            };
        }
        misfit
    }
}
