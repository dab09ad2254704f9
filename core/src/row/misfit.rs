//! Why a column cannot be read as the Rust type that asks for it.

use std::fmt;

use arrow::datatypes::{DataType, Schema};

use crate::error::Error;
use crate::fault::listed;
use crate::names::nearest;
use crate::schema::type_to_ddl;

/// A column that cannot be read as the field that asks for it. Shown as text, it is one sentence with what to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// The column: `x`, below a struct `p.x`, the elements of a list `tags[]`.
    pub column: String,
    /// The type it is read as: in the words of DDL where it has one, else in serde's; empty where serde does not say.
    pub wanted: String,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What is wrong with a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// There is no such column.
    Missing {
        /// Those that there are.
        columns: Vec<String>,
    },
    /// It is of another type.
    Type {
        /// The type it has, in the words of DDL.
        seen: String,
    },
    /// It holds nulls, and the field is no `Option`.
    Nulls,
    /// A value in it cannot be read.
    Value {
        /// Why not.
        cause: String,
    },
}

impl Misfit {
    /// A column that is `seen` and should be `wanted`.
    pub(super) fn of_type(wanted: &DataType, seen: &DataType) -> Self {
        let wanted = type_to_ddl(wanted);
        let words = type_to_ddl(seen);
        // Arrow has several types that DDL has one word for.
        let seen = if words == wanted { format!("{seen}") } else { words };
        Self { column: String::new(), wanted, problem: Problem::Type { seen } }
    }

    /// A column of that type with nulls in it.
    pub(super) fn of_nulls(wanted: &DataType) -> Self {
        Self { column: String::new(), wanted: type_to_ddl(wanted), problem: Problem::Nulls }
    }

    /// A column with a value in it that cannot be read.
    pub(super) fn of_value(wanted: &DataType, cause: String) -> Self {
        Self { column: String::new(), wanted: type_to_ddl(wanted), problem: Problem::Value { cause } }
    }

    /// The column `name` is not among these.
    pub(super) fn missing<'a>(name: &str, wanted: &DataType, columns: impl Iterator<Item = &'a str>) -> Self {
        let columns = columns.map(str::to_owned).collect();
        Self { column: name.to_owned(), wanted: type_to_ddl(wanted), problem: Problem::Missing { columns } }
    }

    /// The same, one column further out.
    #[must_use]
    pub(super) fn within(mut self, name: &str) -> Self {
        let dot = if self.column.is_empty() || self.column.starts_with('[') { "" } else { "." };
        self.column = format!("{name}{dot}{}", self.column);
        self
    }

    /// The same of a column whose elements are meant.
    #[must_use]
    pub(super) fn of_element(self) -> Self {
        self.within("[]")
    }

    /// What is wrong, in a few words.
    pub fn message(&self) -> String {
        let Self { column, wanted, problem } = self;
        match problem {
            Problem::Missing { columns } if wanted.is_empty() => {
                format!("column `{column}` is missing; columns are {}", listed(columns))
            }
            Problem::Missing { columns } => {
                format!("column `{column}` ({wanted}) is missing; columns are {}", listed(columns))
            }
            Problem::Type { seen } => format!("column `{column}` is read as {wanted}, and the input has {seen}"),
            Problem::Nulls => {
                format!("column `{column}` is read as {wanted} without nulls, and the input has nulls in it")
            }
            Problem::Value { cause } => format!("column `{column}` has a value that cannot be read: {cause}"),
        }
    }

    /// What to do next, where there is something to say.
    pub fn help(&self) -> Option<String> {
        let Self { column, wanted, problem } = self;
        // What SQL names without quotes, and what it can be converted to.
        let is_plain = column.chars().all(|c| c.is_alphanumeric() || c == '_');
        let is_sql_type = wanted.chars().all(|c| c.is_ascii_uppercase());
        match problem {
            Problem::Missing { columns } => {
                let name = column.rsplit('.').next().unwrap_or(column);
                let nearest = nearest(name, columns.iter().map(String::as_str))?;
                Some(format!("did you mean `{nearest}`?"))
            }
            Problem::Type { .. } if is_plain && is_sql_type => Some(format!(
                "convert it above (`Select([…, \"CAST({column} AS {wanted}) AS {column}\"])`), or change the field"
            )),
            Problem::Type { .. } => Some("change the field, or the column above".to_owned()),
            Problem::Nulls if is_plain => {
                Some(format!("make the field an `Option`, or drop the rows above (`Filter(\"{column} IS NOT NULL\")`)"))
            }
            Problem::Nulls => Some("make the field an `Option`".to_owned()),
            Problem::Value { .. } => None,
        }
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message())?;
        self.help().map_or(Ok(()), |help| write!(f, "; {help}"))
    }
}

impl std::error::Error for Misfit {}

impl From<Misfit> for Error {
    fn from(misfit: Misfit) -> Self {
        Self::BadInput(misfit.to_string())
    }
}

/// Every column of `R` that is missing from the schema or has another type there.
pub fn misfits<R: super::Row>(schema: &Schema) -> Vec<Misfit> {
    super::columns::misfits_of(&R::fields(), schema.fields())
}
