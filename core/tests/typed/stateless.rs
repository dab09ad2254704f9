//! Operators on each row alone, and on columns.

use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::kernels::numeric::mul;
use arrow::datatypes::{Field, Int64Type, Schema, SchemaRef};
use proptest::prelude::*;
use watershed_core::assert_table;
use watershed_core::error::{Error, Result as OperatorResult};
use watershed_core::fault::{Fault, Faults};
use watershed_core::node::OperatorSpec;
use watershed_core::row::{Row, Serde};
use watershed_core::schema::{parse_ddl, to_ddl};
use watershed_core::stream::{EventTime, EventTimeKind, Mode, Stream};
use watershed_core::testing::{Epochs, Feed, Result, Tested, same_answer};
use watershed_core::time::{TimeSpan, Timestamp};
use watershed_core::typed::{Emitter, FilterRows, FlatMapRows, MapBatches, MapRows};
use watershed_derive::operator;

#[derive(Row)]
struct Words<'a> {
    text: Option<&'a str>,
    at: Timestamp,
}

#[derive(Row)]
struct Length {
    length: Option<u32>,
}

/// Says how long texts are.
#[operator(MapRows, example: "Measure(keep: true)")]
struct Measure {
    keep: bool,
}

impl MapRows for Measure {
    type Input = Words<'static>;
    type Output = Length;

    fn keeps_columns(&self) -> bool {
        self.keep
    }

    fn map(&self, row: Words) -> OperatorResult<Length> {
        Ok(Length { length: row.text.map(|text| text.len() as u32) })
    }
}

#[derive(Row)]
struct Word<'a> {
    word: &'a str,
    #[row(event_time)]
    said: Timestamp,
}

/// Makes a row of each word.
#[operator(FlatMapRows)]
struct Split {}

impl FlatMapRows for Split {
    type Input = Words<'static>;
    type Output = Word<'static>;

    fn flat_map(&self, row: Words, out: &mut Emitter<Word>) -> OperatorResult<()> {
        for word in row.text.unwrap_or_default().split_whitespace() {
            out.emit(Word { word, said: row.at });
        }
        Ok(())
    }
}

#[derive(serde::Deserialize)]
struct Text {
    text: Option<String>,
}

/// Lets texts pass that are longer than a number.
#[operator(FilterRows)]
struct Longer {
    #[serde(default)]
    than: usize,
}

impl FilterRows for Longer {
    type Input = Serde<Text>;

    fn check(&self) -> std::result::Result<(), Faults> {
        if self.than > 100 {
            return Err(Fault::new("too_long", "no text is so long").at("than").into());
        }
        Ok(())
    }

    fn keep(&self, row: OperatorResult<Text>) -> OperatorResult<bool> {
        Ok(row?.text.is_some_and(|text| text.len() > self.than))
    }
}

/// Doubles a column.
#[operator(MapBatches)]
struct Double {
    #[serde(default)]
    lie: bool,
    #[serde(skip)]
    started: bool,
}

impl MapBatches for Double {
    fn on_start(&mut self) -> OperatorResult<()> {
        self.started = true;
        Ok(())
    }

    fn output(&self, input: &Schema) -> std::result::Result<SchemaRef, Faults> {
        let n = input.field_with_name("n").map_err(|_| Fault::new("unknown_column", "no column `n`"))?;
        let doubled = Field::new("doubled", n.data_type().clone(), true);
        Ok(Arc::new(Schema::new(input.fields().iter().cloned().chain([Arc::new(doubled)]).collect::<Vec<_>>())))
    }

    fn process(&self, batch: RecordBatch) -> OperatorResult<RecordBatch> {
        if !self.started {
            return Err(Error::other("it was not started"));
        }
        if self.lie {
            return Ok(batch);
        }
        let n = batch.column_by_name("n").expect("`output` looked for it").as_primitive::<Int64Type>();
        let two = arrow::array::Int64Array::new_scalar(2);
        let columns = batch.columns().iter().cloned().chain([mul(n, &two)?]);
        let schema = self.output(batch.schema_ref()).expect("it was checked");
        Ok(RecordBatch::try_new(schema, columns.collect())?)
    }
}

const INPUT: &str = "n BIGINT, text STRING, at TIMESTAMP NOT NULL";

fn tested(spec: impl OperatorSpec + 'static) -> Tested {
    Tested::new(spec).input(INPUT).event_time("at")
}

const ROWS: &str = "n | text | at
    1 | two words | 1970-01-01T00:00:01Z
    2 | null | 1970-01-01T00:00:02Z
    3 | one | 1970-01-01T00:00:03Z";

#[test]
fn each_does_with_rows_what_it_says() -> Result<()> {
    let cases: [(Tested, &str); 5] = [
        (tested(Measure { keep: false }), "length \n 9 \n null \n 3"),
        (
            tested(Measure { keep: true }),
            "n | text | at | length
             1 | two words | 1970-01-01T00:00:01Z | 9
             2 | null | 1970-01-01T00:00:02Z | null
             3 | one | 1970-01-01T00:00:03Z | 3",
        ),
        (
            tested(Split {}),
            "word | said
             two | 1970-01-01T00:00:01Z
             words | 1970-01-01T00:00:01Z
             one | 1970-01-01T00:00:03Z",
        ),
        (tested(Longer { than: 3 }), "n | text | at \n 1 | two words | 1970-01-01T00:00:01Z"),
        (
            tested(Double { lie: false, started: false }),
            "n | text | at | doubled
             1 | two words | 1970-01-01T00:00:01Z | 2
             2 | null | 1970-01-01T00:00:02Z | 4
             3 | one | 1970-01-01T00:00:03Z | 6",
        ),
    ];
    for (tested, expected) in cases {
        let mut harness = tested.harness()?;
        harness.feed("in", ROWS)?;
        assert_table!(harness.end_epoch()?["out"], ordered expected);
    }
    Ok(())
}

fn input() -> Stream {
    let mut stream = Stream::of(parse_ddl(INPUT).expect("columns"));
    stream.event_times.push(EventTime { column: "at".to_owned(), kind: EventTimeKind::Instant, delay: TimeSpan::ZERO });
    stream.watermarks.insert("watermark".to_owned());
    stream
}

#[test]
fn event_time_goes_on_where_its_column_does() {
    for (spec, columns, tags) in [
        (&Measure { keep: false } as &dyn OperatorSpec, "length BIGINT", &[][..]),
        (&Measure { keep: true }, "n BIGINT, text STRING, at TIMESTAMP NOT NULL, length BIGINT", &["at"]),
        (&Split {}, "word STRING NOT NULL, said TIMESTAMP NOT NULL", &["said"]),
        (&Longer { than: 0 }, INPUT, &["at"]),
        (
            &Double { lie: false, started: false },
            "n BIGINT, text STRING, at TIMESTAMP NOT NULL, doubled BIGINT",
            &["at"],
        ),
    ] {
        let mut signature = spec.signature(&[vec![input()]]).expect("it takes this");
        let stream = signature.outputs.remove(0);
        // DDL has no word for an unsigned number.
        assert_eq!(to_ddl(&stream.schema).replace("UInt32", "BIGINT"), columns, "{spec:?}");
        assert_eq!(stream.event_times.iter().map(|tag| tag.column.as_str()).collect::<Vec<_>>(), tags, "{spec:?}");
        assert_eq!(stream.watermarks, input().watermarks);
    }
}

#[test]
fn what_is_wrong_is_found_before_the_start() {
    let update = |keys: &[&str]| {
        let mode = Mode::Update(keys.iter().map(|&key| key.to_owned()).collect());
        Stream { mode, ..input() }
    };
    let no_time = Stream { event_times: Vec::new(), ..input() };
    let other = |ddl| Stream::of(parse_ddl(ddl).expect("columns"));
    let length = other("text STRING, at TIMESTAMP, length BIGINT");
    for (spec, stream, code) in [
        (&Measure { keep: true } as &dyn OperatorSpec, other("at TIMESTAMP"), "unknown_column"),
        (&Measure { keep: true }, Stream { schema: length.schema, ..update(&["length"]) }, "masked_key"),
        (&Split {}, no_time, "no_event_time"),
        (&Split {}, update(&["n"]), "mode_not_accepted"),
        (&Longer { than: 0 }, other("text BIGINT"), "wrong_type"),
        (&Longer { than: 101 }, input(), "too_long"),
        (&Double { lie: false, started: false }, other("m BIGINT"), "unknown_column"),
        (&Double { lie: false, started: false }, update(&["n"]), "mode_not_accepted"),
    ] {
        let faults = spec.signature(&[vec![stream]]).expect_err(code);
        assert_eq!(faults.iter().map(|fault| fault.code).collect::<Vec<_>>(), [code], "{spec:?}");
    }
    assert!(Measure { keep: true }.signature(&[vec![update(&["n"])]]).is_ok());
    assert!(Longer { than: 0 }.signature(&[vec![update(&["n"])]]).is_ok());
}

#[test]
fn batches_of_other_columns_than_promised_are_an_error() -> Result<()> {
    let mut harness = tested(Double { lie: true, started: false }).harness()?;
    harness.feed("in", ROWS)?;
    let error = harness.end_epoch().expect_err("a lie").to_string();
    assert!(
        error.contains("gave columns `n BIGINT, text STRING, at TIMESTAMP NOT NULL`, and `output` promised"),
        "{error}"
    );
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_answer_does_not_depend_on_how_it_is_computed(seed in any::<u64>()) {
        for tested in [tested(Measure { keep: true }), tested(Split {}), tested(Longer { than: 2 })] {
            let feed = Feed::random(seed, &tested).expect("rows of these columns");
            same_answer(&tested, [feed], Epochs::Any).expect("the same");
        }
    }
}
