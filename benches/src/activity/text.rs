//! Rows as lines of text, in the words of the real data.

use std::io::Write;

use super::{Activity, DEEDS, DEVICES, Row};

/// Appends a row as a line of JSON.
pub fn push_json(text: &mut Vec<u8>, row: &Row, activity: &Activity) {
    let (device, model) = DEVICES[row.device];
    let [x, y, z] = row.motion.map(Number);
    writeln!(
        text,
        r#"{{"Arrival_Time":{},"Creation_Time":{},"Device":"{device}","Index":{},"Model":"{model}","User":"{}","gt":"{}","x":{x},"y":{y},"z":{z}}}"#,
        row.arrived_millis,
        row.created_nanos,
        row.index,
        activity.user_name(row.user),
        DEEDS[row.deed].0,
    )
    .expect("writing to memory cannot fail");
}

/// The first line of a CSV file.
pub fn csv_header() -> &'static [u8] {
    b"Arrival_Time,Creation_Time,Device,Index,Model,User,gt,x,y,z\n"
}

/// Appends a row as a line of CSV.
pub fn push_csv(text: &mut Vec<u8>, row: &Row, activity: &Activity) {
    let (device, model) = DEVICES[row.device];
    let [x, y, z] = row.motion.map(Number);
    writeln!(
        text,
        "{},{},{device},{},{model},{},{},{x},{y},{z}",
        row.arrived_millis,
        row.created_nanos,
        row.index,
        activity.user_name(row.user),
        DEEDS[row.deed].0,
    )
    .expect("writing to memory cannot fail");
}

/// A number as the real data writes it: plain from a thousandth upwards, `3.356934E-4` below.
struct Number(f64);

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0 != 0.0 && self.0.abs() < 1e-3 { write!(f, "{:E}", self.0) } else { write!(f, "{:?}", self.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_look_as_in_the_real_data() {
        for (number, text) in
            [(0.000_335_693_4, "3.356934E-4"), (-0.018_814_087, "-0.018814087"), (0.0, "0.0"), (-4.2, "-4.2")]
        {
            assert_eq!(Number(number).to_string(), text);
        }
    }

    #[test]
    fn a_line_has_the_fields_of_the_real_data_in_their_order() {
        let row = Row {
            arrived_millis: 1_424_686_735_090,
            created_nanos: 1_424_686_733_090_638_193,
            device: 0,
            index: 18,
            user: 6,
            deed: 0,
            motion: [0.000_335_693_4, -0.000_564_575_2, -0.018_814_087],
        };
        let (mut json, mut csv) = (Vec::new(), Vec::new());
        push_json(&mut json, &row, &Activity::of_rows(1));
        push_csv(&mut csv, &row, &Activity::of_rows(1));
        let expected = concat!(
            r#"{"Arrival_Time":1424686735090,"Creation_Time":1424686733090638193,"Device":"nexus4_1","Index":18,"#,
            r#""Model":"nexus4","User":"g","gt":"stand","x":3.356934E-4,"y":-5.645752E-4,"z":-0.018814087}"#,
            "\n"
        );
        assert_eq!(String::from_utf8_lossy(&json), expected);
        let expected =
            "1424686735090,1424686733090638193,nexus4_1,18,nexus4,g,stand,3.356934E-4,-5.645752E-4,-0.018814087\n";
        assert_eq!(String::from_utf8_lossy(&csv), expected);
    }
}
