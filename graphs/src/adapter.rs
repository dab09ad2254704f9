//! From a tree to typed values: serde over RON's enum syntax, also where typetag asks for a map.
//!
//! A node is written `Window(size: "1m")`, while typetag's external tagging reads a map of one entry,
//! `{"Window": (size: "1m")}`. So wherever a type asks for a map and finds a name, it is shown the one as the other; that
//! holds for trait objects inside a node too. `Some` may be left out, as with RON's extension `implicit_some`.
//!
//! An error loses its structure on its way through typetag, but not its place: the innermost value that was being read
//! is remembered on the side.

mod access;

use std::cell::{Cell, RefCell};
use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};

use self::access::{Elements, MapEntries, Payload, Record, Tagged, Variant};
use crate::syntax::{Body, Name, Span, Tree, Value};

/// Why a tree is not a value of the type asked for.
#[derive(Clone, Debug)]
pub(crate) struct ReadFault {
    /// What serde or the type said.
    pub(crate) message: String,
    /// Where.
    pub(crate) span: Span,
    /// The fields of every struct that was met, in the order of its type.
    pub(crate) fields: Vec<FieldNames>,
}

/// The names of a struct's fields, as serde knows them.
pub(crate) type FieldNames = &'static [&'static str];

/// Reads `tree`, which stands in `text`, as a `T`.
pub(crate) fn read<'de, T: Deserialize<'de>>(text: &'de str, tree: &'de Tree) -> Result<T, ReadFault> {
    let reading = Reading {
        text,
        root: tree,
        failed: RefCell::default(),
        fields: RefCell::default(),
        outermost: Cell::new(None),
    };
    T::deserialize(At { reading: &reading, tree }).map_err(|error| reading.fault(&error, tree))
}

/// Reads a node `Type(…)` as a trait object. Also names the fields of the type, where it has named fields: a field that
/// is written and not among them was overlooked by a type that forgot to deny it.
pub(crate) fn read_node<'de, T: Deserialize<'de>>(
    text: &'de str,
    tree: &'de Tree,
) -> Result<(T, Option<FieldNames>), ReadFault> {
    let reading = Reading {
        text,
        root: tree,
        failed: RefCell::default(),
        fields: RefCell::default(),
        outermost: Cell::new(None),
    };
    let node = T::deserialize(At { reading: &reading, tree }).map_err(|error| reading.fault(&error, tree))?;
    Ok((node, reading.outermost.get()))
}

/// What one reading knows besides the tree.
struct Reading<'de> {
    text: &'de str,
    root: &'de Tree,
    failed: RefCell<Option<Span>>,
    /// The fields of the structs met.
    fields: RefCell<Vec<FieldNames>>,
    /// Those of the outermost one.
    outermost: Cell<Option<FieldNames>>,
}

impl Reading<'_> {
    fn fault(&self, error: &Error, tree: &Tree) -> ReadFault {
        let span = self.failed.borrow().clone().unwrap_or_else(|| tree.head());
        ReadFault { message: error.0.clone(), span, fields: self.fields.take() }
    }

    /// Remembers the place of the first, innermost failure.
    fn placed<T>(&self, result: Result<T, Error>, span: impl FnOnce() -> Span) -> Result<T, Error> {
        if result.is_err() {
            self.failed.borrow_mut().get_or_insert_with(span);
        }
        result
    }
}

#[derive(Debug)]
struct Error(String);

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

impl de::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

/// A value in the tree.
#[derive(Clone, Copy)]
struct At<'r, 'de> {
    reading: &'r Reading<'de>,
    tree: &'de Tree,
}

impl<'r, 'de> At<'r, 'de> {
    fn slice(self) -> &'de str {
        &self.reading.text[self.tree.span.clone()]
    }

    fn with(self, tree: &'de Tree) -> Self {
        Self { reading: self.reading, tree }
    }

    fn wrong(self, expected: &str) -> Error {
        Error(format!("expected {expected} but found {}", self.tree.describe(self.reading.text)))
    }

    /// Runs `read` and remembers this value's place when it fails.
    fn placed<T>(self, read: impl FnOnce(Self) -> Result<T, Error>) -> Result<T, Error> {
        self.reading.placed(read(self), || self.tree.head())
    }

    /// Lets `ron` read a number, a character or bytes.
    fn scalar<T: Deserialize<'de>>(self, expected: &str) -> Result<T, Error> {
        ron::from_str(self.slice()).map_err(|error| match error.code {
            ron::Error::IntegerOutOfBounds => {
                Error(format!("`{}` is out of bounds: expected {expected}", self.slice()))
            }
            _ => self.wrong(expected),
        })
    }

    fn values(self, values: &'de [Tree]) -> Elements<'r, 'de> {
        Elements { reading: self.reading, values: values.iter() }
    }

    fn fields(self, fields: &'de [(Name, Tree)]) -> Record<'r, 'de> {
        Record { reading: self.reading, fields: fields.iter(), value: None }
    }

    fn body(self, body: &'de Body) -> Payload<'r, 'de> {
        Payload { at: self, body: Some(body) }
    }
}

macro_rules! scalars {
    ($($method:ident $visit:ident $type:ty, $expected:literal;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            self.placed(|at| match at.tree.value {
                Value::Number => visitor.$visit(at.scalar::<$type>($expected)?),
                _ => Err(at.wrong($expected)),
            })
        }
    )*};
}

impl<'de> Deserializer<'de> for At<'_, 'de> {
    type Error = Error;

    scalars! {
        deserialize_i8 visit_i8 i8, "a whole number from -128 to 127";
        deserialize_i16 visit_i16 i16, "a whole number of 16 bits";
        deserialize_i32 visit_i32 i32, "a whole number of 32 bits";
        deserialize_i64 visit_i64 i64, "a whole number";
        deserialize_u8 visit_u8 u8, "a whole number from 0 to 255";
        deserialize_u16 visit_u16 u16, "a whole number from 0 to 65535";
        deserialize_u32 visit_u32 u32, "a whole number from 0 to 4294967295";
        deserialize_u64 visit_u64 u64, "a whole number, not negative";
    }

    /// `ron` reads numbers of 64 bits only.
    fn deserialize_i128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.placed(|at| match at.scalar::<i64>("a whole number") {
            Ok(number) => visitor.visit_i128(number.into()),
            Err(_) => visitor.visit_i128(at.scalar::<u64>("a whole number")?.into()),
        })
    }

    fn deserialize_u128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.placed(|at| visitor.visit_u128(at.scalar::<u64>("a whole number, not negative")?.into()))
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.placed(|at| match &at.tree.value {
            Value::Number => visitor.visit_f64(at.scalar("a number")?),
            Value::Name(name) if matches!(name.as_str(), "inf" | "NaN") => visitor.visit_f64(at.scalar("a number")?),
            _ => Err(at.wrong("a number")),
        })
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.placed(|at| match &at.tree.value {
            Value::Name(name) if name == "true" => visitor.visit_bool(true),
            Value::Name(name) if name == "false" => visitor.visit_bool(false),
            _ => Err(at.wrong("`true` or `false`")),
        })
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.placed(|at| match &at.tree.value {
            Value::Other => visitor.visit_char(at.scalar("a character such as `';'`")?),
            // A string of one character is as good.
            Value::Text(text) if text.value.chars().count() == 1 => visitor.visit_str(&text.value),
            _ => Err(at.wrong("a character such as `';'`")),
        })
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.placed(|at| match &at.tree.value {
            Value::Text(text) => visitor.visit_borrowed_str(&text.value),
            _ => Err(at.wrong("a string")),
        })
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_byte_buf(visitor)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.placed(|at| match &at.tree.value {
            Value::Other => visitor.visit_byte_buf(at.scalar::<Bytes>("bytes such as `b\"…\"`")?.0),
            Value::List(_) => at.deserialize_seq(visitor),
            _ => Err(at.wrong("bytes such as `b\"…\"`")),
        })
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.placed(|at| match &at.tree.value {
            Value::Text(_) => at.deserialize_str(visitor),
            Value::Number => {
                let mut scalar = ron::Deserializer::from_str(at.slice()).map_err(|_| at.wrong("a number"))?;
                scalar.deserialize_any(visitor).map_err(|_| at.wrong("a number"))
            }
            Value::Other => {
                let mut scalar = ron::Deserializer::from_str(at.slice()).map_err(|_| at.wrong("a value"))?;
                scalar.deserialize_any(visitor).map_err(|_| at.wrong("a value"))
            }
            Value::Name(name) => match name.as_str() {
                "true" | "false" => at.deserialize_bool(visitor),
                "None" => visitor.visit_none(),
                "inf" | "NaN" => at.deserialize_f64(visitor),
                _ => visitor.visit_borrowed_str(name),
            },
            Value::List(_) => at.deserialize_seq(visitor),
            Value::Map(_) => at.deserialize_map(visitor),
            Value::Struct(Some(name), Body::Values(values)) if name.text == "Some" && values.len() == 1 => {
                visitor.visit_some(at.with(&values[0]))
            }
            Value::Struct(_, Body::Values(values)) if values.is_empty() => visitor.visit_unit(),
            Value::Struct(_, Body::Values(values)) => visitor.visit_seq(at.values(values)),
            Value::Struct(_, Body::Fields(fields)) => visitor.visit_map(at.fields(fields)),
            Value::Broken => Err(at.wrong("a value")),
        })
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.placed(|at| match &at.tree.value {
            Value::Name(name) if name == "None" => visitor.visit_none(),
            Value::Struct(Some(name), Body::Values(values)) if name.text == "Some" && values.len() == 1 => {
                visitor.visit_some(at.with(&values[0]))
            }
            _ => visitor.visit_some(at),
        })
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.placed(|at| match &at.tree.value {
            Value::Struct(None, Body::Values(values)) if values.is_empty() => visitor.visit_unit(),
            _ => Err(at.wrong("`()`")),
        })
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Error> {
        self.placed(|at| at.body_of(name)?.unit_struct(visitor))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Error> {
        self.placed(|at| match &at.tree.value {
            Value::Struct(tag, Body::Values(values))
                if values.len() == 1 && tag.as_ref().is_none_or(|tag| tag.text == name) =>
            {
                visitor.visit_newtype_struct(at.with(&values[0]))
            }
            _ => visitor.visit_newtype_struct(at),
        })
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.placed(|at| match &at.tree.value {
            Value::List(items) => visitor.visit_seq(at.values(items)),
            _ => Err(at.wrong("a list `[…]`")),
        })
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, Error> {
        self.placed(|at| match &at.tree.value {
            Value::Struct(None, body) => at.body(body).tuple(length, visitor),
            _ => Err(at.wrong(&format!("`(…)` with {length} values"))),
        })
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.placed(|at| at.body_of(name)?.tuple(length, visitor))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.placed(|at| match &at.tree.value {
            Value::Map(entries) => {
                visitor.visit_map(MapEntries { reading: at.reading, rest: entries.iter(), value: None })
            }
            Value::Name(name) => visitor.visit_map(Tagged { name, payload: Some(Payload { at, body: None }) }),
            Value::Struct(Some(name), body) => {
                visitor.visit_map(Tagged { name: &name.text, payload: Some(at.body(body)) })
            }
            _ => Err(at.wrong("a map `{…}`")),
        })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.placed(|at| at.body_of(name)?.structure(fields, visitor))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.placed(|at| match &at.tree.value {
            Value::Name(name) => visitor.visit_enum(Variant { name, payload: Payload { at, body: None } }),
            Value::Struct(Some(name), body) => visitor.visit_enum(Variant { name: &name.text, payload: at.body(body) }),
            _ => Err(at.wrong("a name such as `Name` or `Name(…)`")),
        })
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.placed(|at| match &at.tree.value {
            Value::Text(text) => visitor.visit_borrowed_str(&text.value),
            Value::Name(name) => visitor.visit_borrowed_str(name),
            _ => Err(at.wrong("a name")),
        })
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }
}

impl<'r, 'de> At<'r, 'de> {
    /// What stands in the brackets of the struct `name`, whose name may be left out.
    fn body_of(self, name: &str) -> Result<Payload<'r, 'de>, Error> {
        match &self.tree.value {
            Value::Name(tag) if tag == name => Ok(Payload { at: self, body: None }),
            Value::Struct(None, body) => Ok(self.body(body)),
            Value::Struct(Some(tag), body) if tag.text == name => Ok(self.body(body)),
            _ => Err(self.wrong(&format!("`{name}(…)` or `(…)`"))),
        }
    }
}

/// The bytes of `b"…"`.
pub(crate) struct Bytes(pub(crate) Vec<u8>);

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct BytesVisitor;
        impl Visitor<'_> for BytesVisitor {
            type Value = Bytes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Bytes, E> {
                Ok(Bytes(bytes.to_vec()))
            }
        }
        deserializer.deserialize_bytes(BytesVisitor)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use ron::extensions::Extensions;
    use serde::Serialize;

    use super::*;
    use crate::syntax;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Unit;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Wrapped(Vec<u8>);

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Pair(i8, String);

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Inner {
        x: f64,
        #[serde(default)]
        y: Option<char>,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    enum Choice {
        Plain,
        One(Inner),
        Two(u64, bool),
        Named { text: String, more: Option<Box<Choice>> },
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Everything {
        unit: (),
        marker: Unit,
        wrapped: Wrapped,
        pair: Pair,
        choices: Vec<Choice>,
        map: BTreeMap<(u8, char), Option<Inner>>,
        float: f32,
        big: i64,
        any: serde_json::Value,
    }

    const EVERYTHING: &str = r#"(
        unit: (), marker: Unit, wrapped: ([1, 2]), pair: Pair(-3, "a\tb"),
        choices: [Plain, One((x: 1)), Two(18446744073709551615, true), Named(text: "", more: None), Named(text: r"\\", more: Some(Plain))],
        map: {(1, 'a'): None, (2, '\''): Some((x: -inf)), (3, 'é'): Inner(x: 1e3, y: Some(';'))},
        float: 0.5, big: -9223372036854775808, any: [1, -2.5, "x", true, {"a": "b"}],
    )"#;

    fn tree(text: &str) -> Tree {
        let (tree, faults) = syntax::parse(text, 0..text.len(), None);
        assert!(faults.is_empty(), "{faults:?}");
        tree.expect("a tree")
    }

    #[test]
    fn values_are_those_that_ron_reads() {
        let options = ron::Options::default().with_default_extension(Extensions::IMPLICIT_SOME);
        let expected: Everything = options.from_str(EVERYTHING).expect("ron reads it");
        let tree = tree(EVERYTHING);
        assert_eq!(read::<Everything>(EVERYTHING, &tree).expect("it is read"), expected);
        let printed = options.to_string(&expected).expect("ron writes it");
        assert_eq!(read::<Everything>(&printed, &self::tree(&printed)).expect("it is read"), expected);
    }

    #[test]
    fn what_is_written_shorter_means_the_same() {
        for (short, long) in [
            ("One(x: 1.0)", "One((x: 1.0))"),
            ("One((x: 1.0, y: ';'))", "One(Inner(x: 1.0, y: Some(';')))"),
            ("Named(text: \"a\", more: Plain)", "Named(text: \"a\", more: Some(Plain))"),
        ] {
            let (short_tree, long_tree) = (tree(short), tree(long));
            let value: Choice = read(short, &short_tree).expect(short);
            assert_eq!(value, read(long, &long_tree).expect(long));
        }
    }

    #[test]
    fn a_mistake_is_placed_at_the_innermost_value() {
        for (from, to, place) in [
            ("x: 1)", "x: \"1\")", "\"1\""),
            ("true)", "truth)", "truth"),
            ("Plain,", "Plane,", "Plane"),
            ("float:", "flaot:", "flaot"),
            ("Two(18446744073709551615, true)", "Two(1)", "Two"),
            ("(2, '\\'')", "(256, 'b')", "256"),
            ("marker: Unit", "marker: 1", "1"),
            ("unit: ()", "unit: (1)", "(1)"),
            ("big: -9223372036854775808", "big: -9223372036854775809", "-9223372036854775809"),
            ("wrapped: ([1, 2])", "wrapped: ([1, -2])", "-2"),
        ] {
            let text = EVERYTHING.replacen(from, to, 1);
            assert_ne!(text, EVERYTHING, "{from}");
            let tree = tree(&text);
            let fault = read::<Everything>(&text, &tree).expect_err(to);
            assert_eq!(&text[fault.span.clone()], place, "{fault:?}");
        }
    }
}
