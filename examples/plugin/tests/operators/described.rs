//! The command knows the operators of this crate: by list, with their docs, field by field.

use std::path::Path;
use std::process::{Command, Output};

use watershed::core::node::entries;
use watershed::graphs::describe::describe;
use watershed::graphs::{SchemaMode, load};

const OWN: [&str; 8] = [
    "CurrentActivity",
    "DeviceAverages",
    "Movement",
    "OneOf",
    "PaymentAlerts",
    "RunningTotals",
    "Shares",
    "UserSessions",
];

fn command(arguments: &[&str]) -> Output {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut command = Command::new(env!("CARGO_BIN_EXE_activity-operators"));
    command.args(arguments).current_dir(root).output().expect("the command starts")
}

fn out(arguments: &[&str]) -> String {
    let output = command(arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn list_shows_them_beside_the_built_in_ones() {
    let own: Vec<&str> =
        entries().into_iter().filter(|entry| entry.package == "activity-operators").map(|entry| entry.name).collect();
    assert_eq!(own, OWN);
    let listed = out(&["list", "--kind", "operator"]);
    for name in OWN.iter().chain(&["Window"]) {
        assert!(listed.lines().any(|line| line.trim_start().starts_with(name)), "{name}:\n{listed}");
    }
}

#[test]
fn describe_shows_docs_fields_and_ports() {
    let shown = out(&["describe", "PaymentAlerts"]);
    // The docs may be broken into lines anywhere.
    let shown = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    for words in ["so are stolen cards tried out before they are used", "for how long", "refused", "late"] {
        assert!(shown.to_lowercase().contains(words), "{words}:\n{shown}");
    }
}

#[test]
fn every_example_loads_and_every_field_is_documented() {
    for entry in entries().into_iter().filter(|entry| entry.package == "activity-operators") {
        let description = describe(entry);
        let text = description.render(false, 100);
        assert!(!text.contains("undocumented"), "{text}");
        let graph = format!(
            "Graph(name: \"one\", sources: {{\"in\": Memory(schema: \"v BIGINT\")}}, operators: {{\"it\": {}}}, sinks: {{\"out\": Discard()}}, flow: [\"in -> it -> out\"])",
            entry.example
        );
        let shown = load(&graph, "one.ron", &|_| None).check(SchemaMode::Offline).diagnostics.render(false);
        // The columns do not fit; the node itself is read.
        for fault in ["missing_field", "unknown_field", "unknown_type", "bad_value", "syntax"] {
            assert!(!shown.contains(fault), "{}:\n{shown}", entry.name);
        }
    }
}

/// What `check` says of an operator over some columns.
fn faults(operator: &str, columns: &str) -> String {
    let graph = format!(
        r#"Graph(
    name: "faulty",
    sources: {{ "in": Memory(schema: "{columns}") }},
    operators: {{
        "marked": Watermark(column: "at", delay: "1 minute"),
        "it": {operator},
    }},
    sinks: {{ "out": Discard() }},
    flow: ["in -> marked -> it -> out"],
)"#
    );
    load(&graph, "faulty.ron", &|_| None).check(SchemaMode::Offline).diagnostics.render(false)
}

#[test]
fn check_finds_misspelt_fields_bad_values_and_columns_that_do_not_fit() {
    let columns = "at TIMESTAMP, user STRING, amount DOUBLE";
    assert_eq!(faults(r#"RunningTotals(idle: "1 hour")"#, columns), "");
    for (operator, columns, said) in [
        (r#"RunningTotals(idel: "1 hour")"#, columns, &["has no field `idel`", "did you mean `idle`"][..]),
        (r#"RunningTotals(idle: "1 huor")"#, columns, &["bad duration", "faulty.ron:6"]),
        (r#"RunningTotals(idle: "0s")"#, columns, &["`idle`", "longer than no time at all", "faulty.ron:6"]),
        ("RunningTotal()", columns, &["did you mean `RunningTotals`"]),
        (
            "RunningTotals()",
            "at TIMESTAMP, usr STRING, amount DOUBLE",
            &["`user`", "did you mean `usr`", "faulty.ron:6"],
        ),
        (
            "RunningTotals()",
            "at TIMESTAMP, user STRING, amount STRING",
            &["column `amount` is read as DOUBLE, and the input has STRING", "CAST(amount AS DOUBLE)", "faulty.ron:6"],
        ),
    ] {
        let shown = faults(operator, columns);
        for words in said {
            assert!(shown.contains(words), "{operator} over {columns} should say {words:?}:\n{shown}");
        }
    }
}
