//! What operators ask of their inputs: facts only, a column by name, the one column of event time.

use arrow::datatypes::Schema;
use watershed_core::fault::{Fault, listed};
use watershed_core::names::nearest;
use watershed_core::schema::{TIMESTAMP, type_to_ddl};
use watershed_core::stream::{EventTime, Mode, Stream, column_names};

/// The one input of an operator with a single edge.
///
/// # Panics
/// If there is none: the graph is checked for unfed ports before nodes are asked anything.
pub(crate) fn only(inputs: &[Vec<Stream>]) -> &Stream {
    inputs.first().and_then(|port| port.first()).expect("a node is asked only when its ports are fed")
}

/// Refuses a stream whose rows replace earlier ones: a stateful `node` cannot take a row back.
pub(crate) fn only_append(stream: &Stream, node: &str) -> Result<(), Fault> {
    if stream.mode == Mode::Append {
        return Ok(());
    }
    let message =
        format!("`{node}` takes facts, but its input is in mode `{}`, where rows replace earlier ones", stream.mode);
    Err(Fault::new("mode_not_accepted", message)
        .help("give the node above `output_mode: Append`, or end this path in a sink"))
}

/// The place of the column called `name`.
pub(crate) fn column(schema: &Schema, name: &str) -> Result<usize, Fault> {
    schema.column_with_name(name).map(|(index, _)| index).ok_or_else(|| unknown_column(name, schema, false))
}

/// A fault about a column that is not there, without a place.
pub(crate) fn unknown_column(name: &str, schema: &Schema, quoted: bool) -> Fault {
    let fault = Fault::new("unknown_column", format!("no column `{name}`")).label("not a column here");
    let known = format!("columns are {}", listed(column_names(schema)));
    fault.help(match nearest(name, column_names(schema)) {
        Some(meant) => format!("did you mean `{meant}`? {known}"),
        None if quoted => format!("text is written '{name}', in single quotes; {known}"),
        None => known,
    })
}

/// The place of the column called `name`, which must be a timestamp.
pub(crate) fn timestamp_column(schema: &Schema, name: &str) -> Result<usize, Fault> {
    let index = column(schema, name)?;
    let data_type = schema.field(index).data_type();
    if *data_type == TIMESTAMP {
        return Ok(index);
    }
    let message = format!("column `{name}` is `{}`, but event time must be `TIMESTAMP`", type_to_ddl(data_type));
    let help = format!(
        "make it one in a `Select` above: `to_timestamp_seconds({name}) AS event_time` (or `_millis`, `_micros`, `_nanos`; from text `to_timestamp`)"
    );
    Err(Fault::new("not_a_timestamp", message).label("not a timestamp").help(help))
}

/// A column of event time, with the tag of the watermark if it has one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TimeColumn {
    /// Its place in the schema.
    pub(crate) index: usize,
    /// Its name.
    pub(crate) name: String,
    /// The tag. Without one, no watermark is about this column.
    pub(crate) tag: Option<EventTime>,
}

/// The one column that is tagged as event time, if any. More than one is ambiguous.
pub(crate) fn event_time(stream: &Stream) -> Result<Option<TimeColumn>, Fault> {
    match stream.event_times.as_slice() {
        [] => Ok(None),
        [tag] => {
            let index = column(&stream.schema, &tag.column)?;
            Ok(Some(TimeColumn { index, name: tag.column.clone(), tag: Some(tag.clone()) }))
        }
        tags => {
            let message = format!(
                "{} are all event time, and only one column may be",
                listed(tags.iter().map(|tag| &tag.column))
            );
            Err(Fault::new("several_event_times", message)
                .help("leave all but one out in a `Select` above, or compute them: `col + INTERVAL '0 seconds'`"))
        }
    }
}

/// The column of event time that a node works by: the one called `time`, else the one that is tagged. A fault about a name
/// is below the field `time`.
pub(crate) fn time_column(stream: &Stream, time: Option<&str>) -> Result<TimeColumn, Fault> {
    if let Some(name) = time {
        let index = timestamp_column(&stream.schema, name).map_err(|fault| fault.under("time"))?;
        return Ok(TimeColumn { index, name: name.to_owned(), tag: stream.event_time(name).cloned() });
    }
    event_time(stream)?.ok_or_else(|| {
        let help = "put a `Watermark` node above, or name the column in `time`";
        Fault::new("no_event_time", "no column is event time here").help(help)
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::datatypes::{DataType, Field};
    use watershed_core::stream::EventTimeKind;
    use watershed_core::time::TimeSpan;

    use super::*;

    fn stream(tags: &[&str]) -> Stream {
        let fields = vec![
            Field::new("a", TIMESTAMP, true),
            Field::new("b", TIMESTAMP, true),
            Field::new("x", DataType::Int64, true),
        ];
        let mut stream = Stream::of(Arc::new(Schema::new(fields)));
        let tag = |column: &&str| EventTime {
            column: (*column).to_owned(),
            kind: EventTimeKind::Instant,
            delay: TimeSpan::ZERO,
        };
        stream.event_times = tags.iter().map(tag).collect();
        stream
    }

    #[test]
    fn the_tagged_column_is_the_default() {
        assert_eq!(time_column(&stream(&["b"]), None).map(|time| time.index), Ok(1));
        assert_eq!(event_time(&stream(&[])), Ok(None));
        let named = time_column(&stream(&["b"]), Some("a")).expect("a timestamp");
        assert_eq!((named.index, named.tag), (0, None));
    }

    #[test]
    fn an_unclear_event_time_is_a_fault() {
        for (tags, time, code) in [
            (&["a", "b"][..], None, "several_event_times"),
            (&[], None, "no_event_time"),
            (&["a"], Some("x"), "not_a_timestamp"),
            (&["a"], Some("c"), "unknown_column"),
        ] {
            let fault = time_column(&stream(tags), time).expect_err(code);
            assert_eq!(fault.code, code);
            assert_eq!(fault.path.is_empty(), time.is_none());
        }
    }

    #[test]
    fn only_facts_pass() {
        let mut updates = stream(&[]);
        assert!(only_append(&updates, "Dedup").is_ok());
        updates.mode = Mode::Update(vec![]);
        assert_eq!(only_append(&updates, "Dedup").expect_err("updates").code, "mode_not_accepted");
    }
}
