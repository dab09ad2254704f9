//! The decoder against `serde_json`: the same lines accepted, the same values read.

use std::fmt;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{
    DataType, Float32Type, Float64Type, Int8Type, Int32Type, Int64Type, SchemaRef, TimestampMicrosecondType,
};
use proptest::prelude::*;
use serde::de::{self, MapAccess};
use serde_json::value::RawValue;
use watershed_core::schema::parse_ddl;

use super::Decoder;
use crate::instant::parse_timestamp;
use crate::records::testing::lines;

fn decoder(ddl: &str) -> Decoder {
    Decoder::new(parse_ddl(ddl).expect("a schema")).expect("types that JSON can hold")
}

#[test]
fn values_fit_their_columns_or_are_refused() {
    for (data_type, value, read) in [
        ("BOOLEAN", "true", Some("true")),
        ("BOOLEAN", "1", None),
        ("TINYINT", "-128", Some("-128")),
        ("TINYINT", "128", None),
        ("SMALLINT", "3.0", Some("3")),
        ("INT", "1e3", Some("1000")),
        ("INT", "2147483648", None),
        ("BIGINT", "9223372036854775807", Some("9223372036854775807")),
        ("BIGINT", "-9223372036854775808", Some("-9223372036854775808")),
        ("BIGINT", "9223372036854775808", None),
        ("BIGINT", "9007199254740993.0", Some("9007199254740993")),
        ("BIGINT", "1.5", None),
        ("BIGINT", "\"1\"", None),
        ("BIGINT", "00", None),
        ("FLOAT", "1.1", Some("1.1")),
        ("FLOAT", "1e39", None),
        ("FLOAT", "\"NaN\"", Some("NaN")),
        ("DOUBLE", "3.356934E-4", Some("0.0003356934")),
        ("DOUBLE", "-0.018814087", Some("-0.018814087")),
        ("DOUBLE", "123456789012345678901234567890", Some("1.2345678901234568e29")),
        ("DOUBLE", "1e400", None),
        ("DOUBLE", "\"NaN\"", Some("NaN")),
        ("DOUBLE", "\"Infinity\"", Some("inf")),
        ("DOUBLE", "NaN", None),
        ("DOUBLE", ".5", None),
        ("DECIMAL(5, 2)", "999.99", Some("999.99")),
        ("DECIMAL(5, 2)", "\"-1.5\"", Some("-1.50")),
        ("DECIMAL(5, 2)", "1000", None),
        ("DECIMAL(5, 2)", "0.001", None),
        ("STRING", r#""a\u00e9\ud83d\ude00\n\/""#, Some("aé😀\n/")),
        ("STRING", r#""\ud83d""#, None),
        ("STRING", r#""\ude00\ud83d""#, None),
        ("STRING", "\"a\tb\"", None),
        ("STRING", "1.50", Some("1.50")),
        ("STRING", r#"{"a": [1, null]}"#, Some(r#"{"a": [1, null]}"#)),
        ("STRING", r#"{"a": [1, nul]}"#, None),
        ("BINARY", "\"00fF\"", Some("00ff")),
        ("BINARY", "\"0\"", None),
        ("DATE", "\"2015-02-24\"", Some("2015-02-24")),
        ("DATE", "\"2015-02-24T00:00:00Z\"", None),
        ("TIMESTAMP", "\"2015-02-24T10:00:00.5Z\"", Some("2015-02-24T10:00:00.500")),
        ("TIMESTAMP", "\"2015-02-24 10:00\"", Some("2015-02-24T10:00:00")),
        ("TIMESTAMP", "1424686735090", None),
        ("ARRAY<INT>", "[1, null ,3]", Some("[1, ∅, 3]")),
        ("ARRAY<INT>", "[]", Some("[]")),
        ("ARRAY<INT>", "[1,]", None),
        ("ARRAY<INT>", "{}", None),
        ("STRUCT<a: INT, b: STRING>", r#"{"b":"x","c":[[]]}"#, Some("{a: ∅, b: x}")),
        ("STRUCT<a: INT NOT NULL>", "{}", None),
        ("STRUCT<a: INT NOT NULL>", "null", Some("∅")),
        ("INT NOT NULL", "null", None),
        ("INT", "null", Some("∅")),
    ] {
        let mut decoder = decoder(&format!("v {data_type}"));
        let outcome = decoder.decode(format!("{{\"v\":{value}}}").as_bytes());
        assert_eq!(outcome.is_ok(), read.is_some(), "{data_type} {value}: {outcome:?}");
        assert_eq!(lines(&decoder.finish().expect("a batch")), Vec::from_iter(read), "{data_type} {value}");
    }
}

#[test]
fn a_bad_line_says_why() {
    let mut decoder = decoder("Index INT NOT NULL, x DOUBLE, t TIMESTAMP");
    for (line, words) in [
        (r#"{"Index":"abc"}"#, "column `Index` is INT: expected a whole number, found `\"abc\"}`"),
        (r#"{"Index":5000000000}"#, "column `Index` is INT, which cannot hold `5000000000}`"),
        (r#"{"x":1.0}"#, "column `Index` is NOT NULL and has no value"),
        (r#"{"Index":1,"t":1424686735090}"#, "declare BIGINT and convert it"),
        (r#"{"Index":1"#, "expected `,` or `}` at byte 10, found the end of the record"),
        (r#"{"Index":1} {}"#, "expected the end of the line after the object at byte 12"),
        (r#"{"Index" 1}"#, "expected `:` after the key at byte 9"),
        (r"[1]", "expected `{`, the start of an object at byte 0"),
        (r#"{"Index":1,"x":tru}"#, "expected a value at byte 15"),
    ] {
        let problem = decoder.decode(line.as_bytes()).expect_err(line);
        assert!(problem.0.contains(words), "{line}: {problem}");
    }
    assert_eq!(decoder.rows(), 0);
}

#[test]
fn nesting_that_nobody_reads_is_bounded() {
    let mut decoder = decoder("a INT");
    let nested = |depth: usize| format!("{{\"b\":{}1{}}}", "[".repeat(depth), "]".repeat(depth));
    assert!(decoder.decode(nested(128).as_bytes()).is_ok());
    assert!(decoder.decode(nested(129).as_bytes()).is_err());
    assert!(decoder.decode(nested(1_000_000).as_bytes()).is_err());
}

#[test]
fn lines_are_decoded_up_to_a_number_of_rows() {
    let text = b"{\"a\":1}\n\n{\"a\":x}\n{\"a\":2}\n{\"a\":3}";
    let mut decoder = decoder("a INT");
    let (used, bad) = decoder.decode_lines(text, 2);
    assert_eq!((used, bad, decoder.rows()), (25, 1, 2));
    let (used, bad) = decoder.decode_lines(&text[used..], 9);
    assert_eq!((used, bad), (7, 0));
    assert_eq!(lines(&decoder.finish().expect("a batch")), ["1", "2", "3"]);
}

/// The columns of the comparison.
const DDL: &str = "b BOOLEAN, i INT, n TINYINT, l BIGINT, d DOUBLE, f FLOAT, s STRING, t TIMESTAMP, a ARRAY<BIGINT>, o STRUCT<x: DOUBLE, s: STRING>";

/// An object's members in order, read by `serde_json`.
struct Members(Vec<(String, Box<RawValue>)>);

impl<'de> de::Deserialize<'de> for Members {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Members;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Visitor)
    }
}

/// A row as `serde_json` and `str::parse` have it: one text per column, `None` for a line that must be refused.
fn expected_row(line: &[u8], fields: &arrow::datatypes::Fields) -> Option<Vec<String>> {
    let Members(members) = serde_json::from_slice(line).ok()?;
    let mut row = vec!["null".to_owned(); fields.len()];
    for (key, value) in members {
        if let Some((index, field)) = fields.find(&key) {
            row[index] = expected_value(value.get(), field.data_type())?;
        }
    }
    Some(row)
}

fn expected_value(text: &str, data_type: &DataType) -> Option<String> {
    if text == "null" {
        return Some(text.to_owned());
    }
    let quoted = || serde_json::from_str::<String>(text).ok();
    match data_type {
        DataType::Boolean => serde_json::from_str::<bool>(text).ok().map(|value| value.to_string()),
        DataType::Int8 => whole_number(text).and_then(|value| i8::try_from(value).ok()).map(|value| value.to_string()),
        DataType::Int32 => {
            whole_number(text).and_then(|value| i32::try_from(value).ok()).map(|value| value.to_string())
        }
        DataType::Int64 => whole_number(text).map(|value| value.to_string()),
        DataType::Float64 | DataType::Float32 if text.starts_with('"') => {
            let text = quoted().filter(|text| ["NaN", "Infinity", "-Infinity"].contains(&text.as_str()))?;
            Some(match data_type {
                DataType::Float64 => format!("{:x}", text.parse::<f64>().ok()?.to_bits()),
                _ => format!("{:x}", text.parse::<f32>().ok()?.to_bits()),
            })
        }
        DataType::Float64 => {
            text.parse().ok().filter(|value: &f64| value.is_finite()).map(|value| format!("{:x}", value.to_bits()))
        }
        DataType::Float32 => {
            text.parse().ok().filter(|value: &f32| value.is_finite()).map(|value| format!("{:x}", value.to_bits()))
        }
        DataType::Utf8 => {
            if text.starts_with('"') { quoted() } else { Some(text.to_owned()) }.map(|text| format!("{text:?}"))
        }
        DataType::Timestamp(..) => parse_timestamp(quoted()?.as_bytes()).map(|micros| micros.to_string()),
        DataType::List(item) => {
            let items: Vec<Box<RawValue>> = serde_json::from_str(text).ok()?;
            let items: Option<Vec<_>> =
                items.iter().map(|value| expected_value(value.get(), item.data_type())).collect();
            Some(format!("[{}]", items?.join(",")))
        }
        DataType::Struct(fields) => Some(format!("{{{}}}", expected_row(text.as_bytes(), fields)?.join(","))),
        other => panic!("no column of the comparison is {other}"),
    }
}

/// Arithmetic on the digits alone, by shifting text.
fn whole_number(text: &str) -> Option<i64> {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let bare = digits.trim_end_matches('0');
    if bare.trim_matches('-').is_empty() && digits.contains('0') {
        return Some(0);
    }
    let shift = exponent.parse::<i64>().ok()? - fraction.len() as i64 + (digits.len() - bare.len()) as i64;
    let zeros = usize::try_from(shift).ok().filter(|zeros| *zeros < 25)?;
    format!("{bare}{}", "0".repeat(zeros)).parse().ok()
}

/// A row of what was decoded, in the same words.
fn actual_row(batch: &RecordBatch, row: usize) -> Vec<String> {
    batch.columns().iter().map(|column| actual_value(column, row)).collect()
}

fn actual_value(column: &ArrayRef, row: usize) -> String {
    if column.is_null(row) {
        return "null".to_owned();
    }
    match column.data_type() {
        DataType::Boolean => column.as_boolean().value(row).to_string(),
        DataType::Int8 => column.as_primitive::<Int8Type>().value(row).to_string(),
        DataType::Int32 => column.as_primitive::<Int32Type>().value(row).to_string(),
        DataType::Int64 => column.as_primitive::<Int64Type>().value(row).to_string(),
        DataType::Float64 => format!("{:x}", column.as_primitive::<Float64Type>().value(row).to_bits()),
        DataType::Float32 => format!("{:x}", column.as_primitive::<Float32Type>().value(row).to_bits()),
        DataType::Utf8 => format!("{:?}", column.as_string::<i32>().value(row)),
        DataType::Timestamp(..) => column.as_primitive::<TimestampMicrosecondType>().value(row).to_string(),
        DataType::List(_) => {
            let items = column.as_list::<i32>().value(row);
            let items: Vec<_> = (0..items.len()).map(|item| actual_value(&items, item)).collect();
            format!("[{}]", items.join(","))
        }
        DataType::Struct(_) => {
            let members: Vec<_> = column.as_struct().columns().iter().map(|column| actual_value(column, row)).collect();
            format!("{{{}}}", members.join(","))
        }
        other => panic!("no column of the comparison is {other}"),
    }
}

fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<i64>().prop_map(|value| value.to_string()),
        (-200_i64..200).prop_map(|value| value.to_string()),
        any::<f64>()
            .prop_filter("JSON has no such number", |value| value.is_finite())
            .prop_map(|value| format!("{value:e}")),
        any::<f32>()
            .prop_filter("JSON has no such number", |value| value.is_finite())
            .prop_map(|value| value.to_string()),
        proptest::string::string_regex("-?(0|[1-9][0-9]{0,24})(\\.[0-9]{1,24})?([eE][+-]?[0-9]{1,3})?")
            .expect("a pattern"),
        proptest::string::string_regex("[-+0-9.eE]{1,6}").expect("a pattern"),
    ]
}

fn string() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>().prop_map(|text| serde_json::to_string(&text).expect("any string")),
        proptest::string::string_regex(
            r#""(\\[a-z/"\\]|\\u[dD][89c-fC-F][0-9a-f]{2}|\\u[0-9a-fA-F]{3,4}|[ -~é😀\t]){0,12}""#
        )
        .expect("a pattern"),
        proptest::string::string_regex(
            r#""20[0-9]{2}-[0-2][0-9]-[0-3][0-9]([T ][0-2][0-9]:[0-6][0-9](:[0-5][0-9](\.[0-9]{1,8})?)?(Z|\+01:00)?)?""#
        )
        .expect("a pattern"),
        prop_oneof![Just("\"NaN\""), Just("\"-Infinity\""), Just("\"null\"")].prop_map(str::to_owned),
    ]
}

fn value() -> impl Strategy<Value = String> {
    let scalar = prop_oneof![
        3 => number(),
        3 => string(),
        1 => prop_oneof![Just("null"), Just("true"), Just("false"), Just("nul"), Just("")].prop_map(str::to_owned),
    ];
    scalar.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            (proptest::collection::vec(inner.clone(), 0..4), blank())
                .prop_map(|(items, blank)| format!("[{blank}{}]", items.join(","))),
            proptest::collection::vec((key(), inner), 0..4).prop_map(|members| object(&members, "")),
        ]
    })
}

fn key() -> impl Strategy<Value = String> {
    let known = ["b", "i", "n", "l", "d", "f", "s", "t", "a", "o", "x", "unread", r"\u0069", r"\n", "ß"];
    proptest::sample::select(known.map(|key| format!("\"{key}\"")).to_vec())
}

fn blank() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(vec!["", "", "", " ", "\t ", "\r"])
}

fn object(members: &[(String, String)], blank: &str) -> String {
    let members: Vec<_> =
        members.iter().map(|(key, value)| format!("{blank}{key}{blank}:{blank}{value}{blank}")).collect();
    format!("{{{}}}", members.join(","))
}

/// A value that most likely fits the column of its key, so that whole lines are good often enough.
fn member() -> impl Strategy<Value = (String, String)> {
    let fitting = prop_oneof![
        any::<i32>().prop_map(|value| ("\"i\"".to_owned(), value.to_string())),
        any::<i64>().prop_map(|value| ("\"l\"".to_owned(), value.to_string())),
        number().prop_map(|value| ("\"d\"".to_owned(), value)),
        number().prop_map(|value| ("\"f\"".to_owned(), value)),
        value().prop_map(|value| ("\"s\"".to_owned(), value)),
        value().prop_map(|value| ("\"unread\"".to_owned(), value)),
        any::<bool>().prop_map(|value| ("\"b\"".to_owned(), value.to_string())),
        proptest::collection::vec(any::<i64>(), 0..4).prop_map(|items| ("\"a\"".to_owned(), format!("{items:?}"))),
        (number(), string()).prop_map(|(x, s)| ("\"o\"".to_owned(), format!("{{\"x\":{x}, \"s\" : {s}}}"))),
    ];
    prop_oneof![9 => fitting, 1 => (key(), value())]
}

fn line() -> impl Strategy<Value = Vec<u8>> {
    let good = (proptest::collection::vec(member(), 0..8), blank())
        .prop_map(|(members, blank)| object(&members, blank).into_bytes());
    let damage = proptest::option::weighted(0.3, (any::<prop::sample::Index>(), 0_usize..3, any::<u8>()));
    (good, damage).prop_map(|(mut line, damage)| {
        if let Some((place, kind, byte)) = damage {
            let at = place.index(line.len());
            match kind {
                0 => line[at] = byte,
                1 => line.insert(at, byte),
                _ => line.truncate(at),
            }
        }
        line
    })
}

/// Bytes that `serde_json` reads as lines would be separated by newlines before they reach the decoder.
fn fields() -> (SchemaRef, arrow::datatypes::Fields) {
    let schema = parse_ddl(DDL).expect("a schema");
    let fields = schema.fields().clone();
    (schema, fields)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn lines_are_accepted_and_read_as_serde_json_does(lines in proptest::collection::vec(line(), 1..12)) {
        let (schema, fields) = fields();
        let mut decoder = Decoder::new(schema).expect("types that JSON can hold");
        let mut expected = Vec::new();
        for line in lines.iter().flat_map(|line| [line, line]) {
            let row = expected_row(line, &fields);
            let outcome = decoder.decode(line);
            prop_assert_eq!(outcome.is_ok(), row.is_some(), "{}: {:?}", String::from_utf8_lossy(line), outcome);
            expected.extend(row);
        }
        let batch = decoder.finish().expect("a batch");
        let actual: Vec<_> = (0..batch.num_rows()).map(|row| actual_row(&batch, row)).collect();
        prop_assert_eq!(actual, expected);
    }

    #[test]
    fn numbers_are_read_exactly(number in number()) {
        let mut decoder = decoder("d DOUBLE");
        let read = decoder.decode(format!("{{\"d\":{number}}}").as_bytes()).is_ok();
        let expected = serde_json::from_str::<Box<RawValue>>(&number).ok().and_then(|raw| expected_value(raw.get(), &DataType::Float64));
        prop_assert_eq!(read, expected.is_some());
        if let Some(expected) = expected {
            prop_assert_eq!(actual_row(&decoder.finish().expect("a batch"), 0), vec![expected]);
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(line in any::<Vec<u8>>()) {
        let _ = decoder(DDL).decode(&line);
    }
}
