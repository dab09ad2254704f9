//! The sources as a program finds them that links this crate.

use ron::extensions::Extensions;
use watershed_core::node::{Kind, SourceSchema, SourceSpec, entries};
use watershed_sources::{Files, Memory, PushedTable, Rate, Stdin, Table};

fn example<T: SourceSpec + serde::de::DeserializeOwned>(name: &str) -> T {
    let entry = entries().into_iter().find(|entry| entry.name == name).expect("a registered source");
    let options = ron::Options::default().with_default_extension(Extensions::IMPLICIT_SOME);
    options.from_str(entry.example).expect("an example that loads")
}

#[test]
fn every_source_is_registered_with_an_example_that_can_be_checked() {
    let names: Vec<_> =
        entries().into_iter().filter(|entry| entry.kind == Kind::Source).map(|entry| entry.name).collect();
    assert_eq!(names, ["Files", "Memory", "PushedTable", "Rate", "Stdin", "Table"]);
    let specs: [Box<dyn SourceSpec>; 6] = [
        Box::new(example::<Files>("Files")),
        Box::new(example::<Memory>("Memory")),
        Box::new(example::<PushedTable>("PushedTable")),
        Box::new(example::<Rate>("Rate")),
        Box::new(example::<Stdin>("Stdin")),
        Box::new(example::<Table>("Table")),
    ];
    for spec in specs {
        assert!(matches!(spec.schema(), Ok(SourceSchema::Declared(_))), "{spec:?}");
    }
}

#[test]
fn every_field_is_described() {
    for entry in entries() {
        let schema = (entry.schema)();
        let fields = schema.get("properties").and_then(|fields| fields.as_object()).expect("a struct");
        assert!(!fields.is_empty());
        for (field, description) in fields {
            assert!(description.get("description").is_some(), "{}.{field}", entry.name);
        }
    }
}
