//! A struct under `#[operator]` is a node: read from text, checked, described; all by way of `watershed::private`.

// The macros name `::watershed`, which is this crate here: its adapter is a small one.
extern crate self as watershed;

use serde_json::json;
use watershed_core::fault::{Fault, Faults};
use watershed_core::node::{BuildContext, Operator, OperatorSpec, Ports, Signature, entries};
use watershed_core::row::{Date, Row, batch_of, rows_of};
use watershed_core::stream::Stream;
use watershed_core::time::Timestamp;
use watershed_core::{operator, setting};

#[doc(hidden)]
pub mod private {
    //! What the macros name.

    pub use watershed_core::private::*;

    pub mod typed {
        //! Adapters of the operator author's traits.

        pub mod filter_rows {
            //! The one for `FilterRows`.

            pub use crate::{build, free_fields, ports, signature, state_version};
        }
    }
}

/// The trait that the operators of these tests implement.
pub trait FilterRows {
    /// The version of its state.
    const VERSION: u32;
}

/// Its ports.
pub fn ports<O: FilterRows>(_: &O) -> Ports {
    Ports::PLAIN
}

/// Its signature.
pub fn signature<O: FilterRows>(_: &O, inputs: &[Vec<Stream>]) -> Result<Signature, Faults> {
    Ok(Signature::stateless(inputs.concat()))
}

/// Its free fields.
pub fn free_fields<O: FilterRows>(_: &O) -> &'static [&'static str] {
    &["most"]
}

/// Its version.
pub fn state_version<O: FilterRows>(_: &O) -> u32 {
    O::VERSION
}

/// Never built here.
pub fn build<O: FilterRows>(_: &O, _: &[Vec<Stream>], _: &BuildContext) -> Result<Operator, Faults> {
    Err(Fault::new("not_built", "nothing is built here").into())
}

/// A row that other crates may name, with a column that they may not.
#[derive(Row)]
pub struct Open<'a> {
    /// A text.
    pub text: &'a str,
    hidden: Hidden<'a>,
}

#[derive(Row)]
struct Hidden<'h> {
    text: Option<&'h str>,
}

/// Keeps few rows.
#[operator(FilterRows, example: "Few(most: 3)")]
#[derive(PartialEq)]
pub struct Few {
    /// How few at most.
    most: u32,
    #[serde(default)]
    kind: Kind,
    since: Option<Timestamp>,
    day: Option<Date>,
}

/// A kind.
#[setting]
#[derive(Default, PartialEq)]
pub enum Kind {
    /// The first.
    #[default]
    First,
    /// The last.
    Last,
}

impl FilterRows for Few {
    const VERSION: u32 = 7;
}

/// Keeps all rows.
#[operator(FilterRows)]
pub struct All {}

impl FilterRows for All {
    const VERSION: u32 = 0;
}

#[test]
fn it_is_read_and_written_by_its_name() {
    let node: Box<dyn OperatorSpec> =
        serde_json::from_value(json!({"Few": {"most": 3, "kind": "Last", "day": "2015-02-24"}})).expect("a node");
    assert_eq!(
        serde_json::to_value(&node).expect("it can be written"),
        json!({"Few": {"most": 3, "kind": "Last", "since": null, "day": "2015-02-24"}})
    );
    assert_eq!((node.state_version(), node.free_fields(), node.ports()), (7, &["most"][..], Ports::PLAIN));
    assert_eq!(node.signature(&[]), Ok(Signature::stateless(Vec::new())));
}

#[test]
fn a_field_that_it_does_not_have_is_refused() {
    let error = serde_json::from_value::<Few>(json!({"most": 3, "fw": 1})).expect_err("not a field");
    assert!(error.to_string().contains("unknown field `fw`"), "{error}");
}

#[test]
fn it_is_listed_with_its_docs_and_an_example() {
    let known: Vec<_> = entries().iter().map(|entry| (entry.name, entry.package, entry.example)).collect();
    assert_eq!(known, [("All", "watershed-core", "All()"), ("Few", "watershed-core", "Few(most: 3)")]);
    let schema = serde_json::to_value((entries()[1].schema)()).expect("a schema is JSON");
    assert_eq!(schema["description"], "Keeps few rows.");
    assert_eq!(schema["properties"]["most"]["description"], "How few at most.");
    assert_eq!(schema["additionalProperties"], false);
}

#[test]
fn a_public_row_may_hold_a_private_one() {
    let batch = batch_of::<Open>([Open { text: "a", hidden: Hidden { text: Some("b") } }]);
    let texts: Vec<_> = rows_of::<Open>(&batch).expect("it fits").map(|row| (row.text, row.hidden.text)).collect();
    assert_eq!(texts, [("a", Some("b"))]);
}
