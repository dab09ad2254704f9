//! `Movement`, `OneOf` and `Shares`: a row at a time, and a column at a time.

use activity_operators::{Movement, OneOf, Shares};
use watershed::testing::{Epochs, Result, Tested, assert_table};

use crate::same_answers;

fn movement() -> Tested {
    Tested::new(Movement { gravity: 1.0 }).input("id BIGINT, x DOUBLE, y DOUBLE, z DOUBLE")
}

fn one_of() -> Tested {
    Tested::new(OneOf(vec!["walk".to_owned(), "bike".to_owned()])).input("id BIGINT, gt STRING")
}

fn shares() -> Tested {
    Tested::new(Shares { parts: "amount".to_owned(), whole: "total".to_owned() })
        .input("user STRING, amount DOUBLE, total DOUBLE")
}

#[test]
fn movement_is_added_to_the_columns_and_null_where_an_axis_is() -> Result<()> {
    let mut harness = movement().harness()?;
    harness.feed("in", "id | x | y | z \n 1 | 2 | 3 | 6 \n 2 | 0 | null | 1")?;
    assert_table!(
        harness.end_epoch()?["out"],
        "id | x | y | z | movement \n 1 | 2 | 3 | 6 | 6 \n 2 | 0 | null | 1 | null"
    );
    same_answers(&movement(), Epochs::Any)
}

#[test]
fn rows_pass_as_they_are_or_not_at_all() -> Result<()> {
    let mut harness = one_of().harness()?;
    harness.feed("in", "id | gt \n 1 | walk \n 2 | sit \n 3 | null \n 4 | bike")?;
    assert_table!(harness.end_epoch()?["out"], ordered "id | gt \n 1 | walk \n 4 | bike");
    same_answers(&one_of(), Epochs::Any)
}

#[test]
fn shares_are_computed_by_column() -> Result<()> {
    let mut harness = shares().harness()?;
    harness.feed("in", "user | amount | total \n ann | 1 | 4 \n bob | null | 4")?;
    let output = harness.end_epoch()?;
    assert_table!(output["out"], "user | amount | total | share \n ann | 1 | 4 | 0.25 \n bob | null | 4 | null");
    same_answers(&shares(), Epochs::Any)
}

#[test]
fn a_column_that_cannot_be_shared_out_is_refused() {
    let tested = Tested::new(Shares { parts: "user".to_owned(), whole: "sum".to_owned() });
    let error = tested.input("user STRING, total DOUBLE").signature().expect_err("neither column will do").to_string();
    assert!(error.contains("`user`") && error.contains("no column `sum`"), "{error}");
}
