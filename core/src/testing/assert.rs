//! Assertions that show what differs.

use super::error::Result;
use super::given::Given;
use super::table::AsTable;

/// Asserts that rows are the expected ones, in any order; with `ordered` before the expected rows, in that order too.
///
/// The first argument is a [`Table`](crate::testing::Table), a batch or batches; the second anything that
/// [`Given`](crate::testing::Given) can be made from. Numbers compare by what they are worth, and floating-point numbers may differ
/// by one part in 10⁹. The message shows the rows that are missing (`-`) and those that are surplus (`+`), and then all rows, to
/// be copied from.
///
/// ```
/// use watershed_core::assert_table;
/// use watershed_core::testing::Table;
///
/// let table = Table::of("user STRING, n BIGINT", "user | n \n ann | 1 \n bob | 2")?;
/// assert_table!(table, "
///     user | n
///     bob  | 2
///     ann  | 1
/// ");
/// assert_table!(table, ordered "
///     user | n
///     ann  | 1
///     bob  | 2
/// ");
/// # Ok::<_, watershed_core::testing::TestError>(())
/// ```
#[macro_export]
macro_rules! assert_table {
    ($seen:expr, ordered $expected:expr $(,)?) => {
        $crate::assert_table!(@ $seen, $expected, true)
    };
    ($seen:expr, $expected:expr $(,)?) => {
        $crate::assert_table!(@ $seen, $expected, false)
    };
    (@ $seen:expr, $expected:expr, $ordered:expr) => {
        if let Some(difference) = $crate::testing::difference(&$seen, $expected, $ordered) {
            panic!("`{}` is not as expected: {difference}", stringify!($seen));
        }
    };
}

/// What [`assert_table!`](crate::assert_table) has to say.
#[doc(hidden)]
pub fn difference(seen: &(impl AsTable + ?Sized), expected: impl Into<Given>, ordered: bool) -> Option<String> {
    let compared = || -> Result<Option<String>> {
        let (seen, expected) = (seen.as_table()?, expected.into());
        // Of no batches nobody knows the columns.
        if seen.schema().fields().is_empty() && expected.is_empty() {
            return Ok(None);
        }
        seen.difference(expected, ordered)
    };
    compared().unwrap_or_else(|error| Some(error.to_string()))
}
