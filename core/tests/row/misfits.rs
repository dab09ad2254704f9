//! What does not fit is found before there are rows, and named.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use watershed::record;
use watershed::row::{Json, ReadRow, Row, Serde, batch_of, column_of, rows_of};
use watershed::schema::parse_ddl;
use watershed::time::Timestamp;

#[record]
#[derive(Debug, Row)]
struct Wanted {
    user: String,
    event_time: Timestamp,
    #[serde(default)]
    count: i64,
    p: Point,
    tags: Vec<String>,
    by_name: BTreeMap<String, i64>,
}

#[record]
#[derive(Debug, Row)]
struct Point {
    x: f64,
    #[serde(rename = "y")]
    height: Option<f64>,
}

fn said<R: ReadRow>(ddl: &str) -> Vec<String> {
    let schema = parse_ddl(ddl).expect("a schema");
    R::misfits(&schema).iter().map(ToString::to_string).collect()
}

const FITS: &str = "user STRING, event_time TIMESTAMP, p STRUCT<x: DOUBLE, y: DOUBLE>, tags ARRAY<STRING>, \
                    by_name ARRAY<STRUCT<key: STRING, value: BIGINT>>, more BINARY";

/// The message and the help of every misfit.
fn table<R: ReadRow>(ddl: &str) -> Vec<(String, Option<String>)> {
    let schema = parse_ddl(ddl).expect("a schema");
    R::misfits(&schema).iter().map(|misfit| (misfit.message(), misfit.help())).collect()
}

fn expected(table: &[(&str, Option<&str>)]) -> Vec<(String, Option<String>)> {
    table.iter().map(|(message, help)| ((*message).to_owned(), help.map(str::to_owned))).collect()
}

const CHANGE: Option<&str> = Some("change the field, or the column above");

#[test]
fn all_of_them_are_found_at_once() {
    assert_eq!(said::<Wanted>(FITS), [""; 0]);
    assert_eq!(
        table::<Wanted>(
            "usr STRING, event_time STRING, count DOUBLE, p STRUCT<x: STRING, z: INT>, tags ARRAY<BIGINT>, by_name BIGINT"
        ),
        expected(&[
            (
                "column `user` (STRING) is missing; columns are `usr`, `event_time`, `count`, `p`, `tags` and `by_name`",
                Some("did you mean `usr`?")
            ),
            (
                "column `event_time` is read as TIMESTAMP, and the input has STRING",
                Some(
                    "convert it above (`Select([…, \"CAST(event_time AS TIMESTAMP) AS event_time\"])`), or change the field"
                )
            ),
            (
                "column `count` is read as BIGINT, and the input has DOUBLE",
                Some("convert it above (`Select([…, \"CAST(count AS BIGINT) AS count\"])`), or change the field")
            ),
            ("column `p.x` is read as DOUBLE, and the input has STRING", CHANGE),
            ("column `p.y` (DOUBLE) is missing; columns are `x` and `z`", None),
            ("column `tags[]` is read as STRING, and the input has BIGINT", CHANGE),
            (
                "column `by_name` is read as ARRAY<STRUCT<key: STRING NOT NULL, value: BIGINT NOT NULL>>, and the input has BIGINT",
                CHANGE
            ),
        ])
    );
}

#[test]
fn serde_finds_them_too() {
    assert_eq!(said::<Serde<Wanted>>(FITS), [""; 0]);
    assert_eq!(
        table::<Serde<Wanted>>(
            "usr STRING, event_time BOOLEAN, count STRING, p STRUCT<a: INT>, tags ARRAY<BIGINT>, by_name BIGINT"
        ),
        expected(&[
            (
                "column `event_time` is read as an instant such as \"2015-02-24T10:00:00Z\", or microseconds, and the input \
                 has BOOLEAN",
                CHANGE
            ),
            (
                "column `count` is read as BIGINT, and the input has STRING",
                Some("convert it above (`Select([…, \"CAST(count AS BIGINT) AS count\"])`), or change the field")
            ),
            ("column `p.x` is missing; columns are `a`", None),
            ("column `tags[]` is read as STRING, and the input has BIGINT", CHANGE),
            ("column `by_name` is read as a map, and the input has BIGINT", CHANGE),
            (
                "column `user` is missing; columns are `usr`, `event_time`, `count`, `p`, `tags` and `by_name`",
                Some("did you mean `usr`?")
            ),
        ])
    );
}

#[test]
fn a_bad_value_of_the_made_up_row_is_no_misfit() {
    #[derive(Debug)]
    #[record]
    struct Choosy {
        kind: Kind,
        time: Timestamp,
        digits: Digits,
        not_zero: std::num::NonZeroU8,
        more: Option<Kind>,
    }
    #[derive(Debug)]
    #[record]
    enum Kind {
        Warm,
        Cold,
    }
    #[derive(Debug)]
    #[record]
    #[serde(try_from = "String", into = "String")]
    struct Digits(u64);
    impl Clone for Digits {
        fn clone(&self) -> Self {
            Self(self.0)
        }
    }
    impl From<Digits> for String {
        fn from(digits: Digits) -> Self {
            digits.0.to_string()
        }
    }
    impl TryFrom<String> for Digits {
        type Error = std::num::ParseIntError;

        fn try_from(text: String) -> Result<Self, Self::Error> {
            text.parse().map(Self)
        }
    }

    let fits = "kind STRING, time STRING, digits STRING, not_zero INT, more STRING";
    assert_eq!(said::<Serde<Choosy>>(fits), [""; 0]);
    assert_eq!(
        table::<Serde<Choosy>>(&fits.replace("more STRING", "more DATE")),
        expected(&[("column `more` is read as enum Kind, and the input has DATE", CHANGE)])
    );
}

#[test]
fn a_type_that_holds_itself_is_tried_so_deep() {
    #[record]
    struct Endless {
        next: Box<Endless>,
    }
    assert_eq!(said::<Serde<Endless>>("x INT"), ["column `next` is missing; columns are `x`"]);
}

#[test]
fn a_struct_of_all_columns_reads_them_all() {
    #[record]
    struct All {
        x: i64,
        #[serde(flatten)]
        others: BTreeMap<String, i64>,
    }
    let schema = parse_ddl("x BIGINT, y BIGINT, z BIGINT").expect("a schema");
    assert_eq!(Serde::<All>::columns(&schema), [0, 1, 2]);
    assert_eq!(Serde::<Point>::columns(&schema), [0, 1]);
    assert_eq!(Point::columns(&schema), [0, 1]);
}

fn batch(name: &str, column: ArrayRef) -> RecordBatch {
    RecordBatch::try_from_iter([(name, column)]).expect("a batch")
}

#[test]
fn a_null_that_no_option_takes_stops_the_batch() {
    #[derive(Debug, Row)]
    struct Strict {
        x: i64,
    }
    let nulls = batch("x", Arc::new(Int64Array::from(vec![Some(1), None])));
    let error = rows_of::<Strict>(&nulls).map(|_| ()).expect_err("a null");
    assert_eq!(
        error.to_string(),
        "column `x` is read as BIGINT without nulls, and the input has nulls in it; make the field an `Option`, or drop the \
         rows above (`Filter(\"x IS NOT NULL\")`)"
    );
    assert_eq!(rows_of::<Strict>(&nulls.slice(0, 1)).expect("no null is seen").map(|row| row.x).sum::<i64>(), 1);
}

#[test]
fn text_that_is_not_json_is_found_when_the_column_is_bound() {
    let texts: ArrayRef = Arc::new(StringArray::from(vec!["[1]", "[1, \"two\"]", "[3"]));
    let error = column_of::<Json<Vec<u8>>>("j", &texts).map(|_| ()).expect_err("not a list of numbers");
    assert_eq!(
        error.to_string(),
        "column `j` has a value that cannot be read: `[1, \"two\"]` is not the JSON of `Vec<u8>`: invalid type: string \
         \"two\", expected u8 at line 1 column 9"
    );
    let batch = batch("j", texts).slice(0, 1);
    let column = column_of::<Json<Vec<u8>>>("j", batch.column(0)).expect("the bad rows are not in the slice");
    assert_eq!(<Json<Vec<u8>> as watershed::row::Value>::get(&column, 0), Json(vec![1]));
}

#[test]
fn a_field_with_a_default_needs_no_column() {
    #[derive(Debug, PartialEq, Row)]
    struct Old<'a> {
        user: &'a str,
    }
    #[derive(Debug, PartialEq, Row)]
    struct New<'a> {
        user: &'a str,
        #[row(default)]
        note: Option<&'a str>,
        #[row(default = "ten")]
        count: u8,
        #[row(default)]
        tags: Vec<&'a str>,
    }
    fn ten() -> u8 {
        10
    }
    let batch = batch_of::<Old>([Old { user: "a" }]);
    let rows: Vec<_> = rows_of::<New>(&batch).expect("it fits").collect();
    assert_eq!(rows, [New { user: "a", note: None, count: 10, tags: vec![] }]);
    assert_eq!(said::<New>("user STRING, count BIGINT").len(), 1);
}
