//! What a checkpoint remembers of an operator: its spec as JSON, held against that of the next run.

use serde_json::{Value, json};
use watershed_core::node::OperatorSpec;

/// The JSON of a node that is written like this.
fn recorded(written: Value) -> Value {
    let spec: Box<dyn OperatorSpec> = serde_json::from_value(written).expect("an operator");
    serde_json::to_value(&spec).expect("an operator is plain data")
}

#[test]
fn the_same_operator_in_other_words_is_recorded_alike() {
    for (one, other) in [
        (
            json!({"Window": {"window": {"Tumbling": {"size": "10 minutes"}}, "aggregates": ["count(*) AS n"], "output_mode": "Append"}}),
            json!({"Window": {
                "output_mode": "Append", "keys": [], "aggregates": ["count(*) AS n"], "time": null,
                "window": {"Tumbling": {"offset": "0s", "size": "600 seconds"}},
            }}),
        ),
        (
            json!({"Window": {"window": {"Sliding": {"size": "1h", "slide": "30 minutes"}}, "keys": ["k"], "aggregates": [], "output_mode": "Update"}}),
            json!({"Window": {"window": {"Sliding": {"size": "60 minutes", "slide": "1800s", "offset": "0 minutes"}}, "keys": ["k"], "aggregates": [], "output_mode": "Update"}}),
        ),
        (
            json!({"Window": {"window": {"Session": {"gap": "60 seconds"}}, "keys": ["k"], "aggregates": [], "output_mode": "Append"}}),
            json!({"Window": {"window": {"Session": {"gap": "1 minute", "gap_by": null}}, "keys": ["k"], "aggregates": [], "output_mode": "Append"}}),
        ),
        (
            json!({"Aggregate": {"aggregates": ["sum(x) AS s"], "output_mode": "Complete"}}),
            json!({"Aggregate": {"output_mode": "Complete", "keys": [], "aggregates": ["sum(x) AS s"]}}),
        ),
        (
            json!({"Watermark": {"column": "t", "delay": "90 minutes"}}),
            json!({"Watermark": {"delay": "1 hour 30 minutes", "column": "t"}}),
        ),
        (
            json!({"AssignWindow": {"window": {"Tumbling": {"size": "1.5s"}}}}),
            json!({"AssignWindow": {"window": {"Tumbling": {"size": "1500 ms", "offset": "0s"}}, "time": null}}),
        ),
        (json!({"Dedup": {}}), json!({"Dedup": {"within_watermark": false, "keys": []}})),
        (json!({"Distinct": {}}), json!({"Distinct": {"columns": []}})),
        (json!({"Union": {}}), json!({"Union": {"missing": "Refuse"}})),
        (
            json!({"TopN": {"by": ["x"], "n": 1, "output_mode": "Append"}}),
            json!({"TopN": {"rank": null, "keys": [], "output_mode": "Append", "n": 1, "by": ["x"]}}),
        ),
        (
            json!({"Route": {"ports": [["a", "x > 1"]]}}),
            json!({"Route": {"to": "First", "rest": "rest", "ports": [["a", "x > 1"]]}}),
        ),
    ] {
        let recorded_one = recorded(one.clone());
        assert_eq!(recorded_one, recorded(other.clone()), "{one} and {other}");
        assert_eq!(recorded(recorded_one.clone()), recorded_one, "what is recorded reads back");
    }
}

#[test]
fn what_concerns_the_state_is_recorded_apart() {
    let window = |size: &str| json!({"Window": {"window": {"Tumbling": {"size": size}}, "aggregates": [], "output_mode": "Append"}});
    assert_ne!(recorded(window("10 minutes")), recorded(window("11 minutes")));
    assert_ne!(recorded(json!({"Dedup": {}})), recorded(json!({"Dedup": {"keys": ["a"]}})));
}

#[test]
fn a_free_field_is_a_field_of_its_node() {
    let free = |written: Value| -> (Value, Vec<&'static str>) {
        let spec: Box<dyn OperatorSpec> = serde_json::from_value(written.clone()).expect("an operator");
        let (_, fields) =
            recorded(written).as_object().expect("tagged by its type").clone().into_iter().next().expect("one");
        (fields, spec.free_fields().to_vec())
    };
    let modes = json!({"aggregates": ["count(*) AS n"], "output_mode": "Update"});
    let mut window = modes.clone();
    window["window"] = json!({"Tumbling": {"size": "1m"}});
    let mut sessions = modes.clone();
    sessions["window"] = json!({"Session": {"gap": "1m"}});
    for (written, expected) in [
        (json!({"Window": window}), &["output_mode"][..]),
        (json!({"Window": sessions}), &["output_mode", "window"]),
        (json!({"Aggregate": modes}), &["output_mode"]),
        (json!({"Limit": 3}), &["0"]),
        (
            json!({"TopN": {"by": ["x DESC"], "keys": ["a"], "n": 3, "output_mode": "Update", "rank": "place"}}),
            &["output_mode", "rank"],
        ),
        (json!({"First": {"keys": ["a"], "output_mode": "Update"}}), &["output_mode"]),
        (json!({"Last": {"keys": ["a"], "output_mode": "Update"}}), &["output_mode"]),
        (json!({"Distinct": {"columns": ["a"]}}), &[]),
        (json!({"Dedup": {"keys": ["a"]}}), &[]),
    ] {
        let (fields, free) = free(written);
        assert_eq!(free, expected);
        let is_field = |name: &str| if fields.is_object() { fields.get(name).is_some() } else { name == "0" };
        assert!(free.iter().all(|name| is_field(name)), "{fields}");
    }
}
