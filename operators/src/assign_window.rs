//! `AssignWindow`: each row with the windows it belongs to.

use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch, TimestampMicrosecondArray, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::{Field, Schema, SchemaRef, TimestampMicrosecondType};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use watershed_core::epoch::Port;
use watershed_core::error::Result;
use watershed_core::fault::{Fault, Faults};
use watershed_core::node::{BuildContext, Collector, EpochContext, Operator, OperatorSpec, Signature, Stateless};
use watershed_core::register_operator;
use watershed_core::schema::TIMESTAMP;
use watershed_core::stream::{EventTime, EventTimeKind, Mode, Stream};

use crate::inputs;
use crate::windows::{WindowSpec, Windows};

/// Each row once per window it belongs to, with `window_start` and `window_end` added.
///
/// Where the time is followed by a watermark, the window becomes the row's event time: what is below judges and groups by
/// the window's end. Rows without a time belong to no window and are left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AssignWindow {
    /// The windows.
    pub window: WindowSpec,
    /// The event-time column, where the watermark's own is not meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
}

register_operator!(AssignWindow, example: r#"AssignWindow(window: Tumbling(size: "10 seconds"))"#);

const ADDED: [&str; 2] = ["window_start", "window_end"];

struct Bound {
    windows: Windows,
    time: usize,
    tag: Option<EventTime>,
    schema: SchemaRef,
}

impl AssignWindow {
    fn bind(&self, input: &Stream) -> Result<Bound, Faults> {
        let mut faults = Faults::new();
        let windows =
            self.window.windows().map_err(|found| faults.extend(found.into_iter().map(|fault| fault.under("window"))));
        let time = inputs::time_column(input, self.time.as_deref()).map_err(|fault| faults.push(fault));
        for name in ADDED.iter().filter(|name| input.schema.index_of(name).is_ok()) {
            let fault = Fault::new("duplicate_column", format!("the input has a column `{name}` already"));
            faults.push(fault.help("rename or leave it out in a `Select` above"));
        }
        let (Ok(windows), Ok(time), true) = (windows, time, faults.is_empty()) else {
            return Err(faults);
        };
        let added = ADDED.map(|name| Arc::new(Field::new(name, TIMESTAMP, false)));
        let fields: Vec<_> = input.schema.fields().iter().cloned().chain(added).collect();
        Ok(Bound { windows, time: time.index, tag: time.tag, schema: Arc::new(Schema::new(fields)) })
    }
}

#[typetag::serde]
impl OperatorSpec for AssignWindow {
    fn signature(&self, inputs: &[Vec<Stream>]) -> Result<Signature, Faults> {
        let input = inputs::only(inputs);
        let bound = self.bind(input)?;
        let mut output = input.clone();
        output.schema = bound.schema;
        if let Some(tag) = bound.tag {
            output.event_times =
                vec![EventTime { column: ADDED[1].to_owned(), kind: EventTimeKind::WindowEnd, delay: tag.delay }];
        }
        if let (Mode::Update(keys) | Mode::Complete(keys), false) = (&mut output.mode, bound.windows.is_tumbling()) {
            // A row is there once per window now.
            keys.push(ADDED[1].to_owned());
        }
        Ok(Signature::stateless(vec![output]))
    }

    fn build(&self, inputs: &[Vec<Stream>], _: &BuildContext) -> Result<Operator, Faults> {
        Ok(Operator::Stateless(Arc::new(self.bind(inputs::only(inputs))?)))
    }
}

impl Stateless for Bound {
    fn process(&self, batch: RecordBatch, _: &EpochContext, out: &mut Collector) -> Result<()> {
        let times = batch.column(self.time).as_primitive::<TimestampMicrosecondType>();
        // The end of a window stands for its last microsecond.
        let shift = i64::from(self.tag.as_ref().is_some_and(|tag| tag.kind == EventTimeKind::WindowEnd));
        if self.windows.is_tumbling() && times.null_count() == 0 {
            let starts: TimestampMicrosecondArray =
                times.unary(|time| self.windows.last_start(time.saturating_sub(shift)));
            let ends: TimestampMicrosecondArray = starts.unary(|start| self.windows.end(start));
            let mut columns = batch.columns().to_vec();
            columns.push(Arc::new(starts));
            columns.push(Arc::new(ends));
            out.emit(Port::FIRST, RecordBatch::try_new(Arc::clone(&self.schema), columns)?);
            return Ok(());
        }
        let (mut rows, mut starts) = (Vec::with_capacity(times.len()), Vec::with_capacity(times.len()));
        for (row, &time) in times.values().iter().enumerate() {
            if times.is_valid(row) {
                starts.extend(self.windows.starts(time.saturating_sub(shift)));
                rows.resize(starts.len(), row as u32);
            }
        }
        let starts = TimestampMicrosecondArray::from(starts);
        let ends: TimestampMicrosecondArray = starts.unary(|start| self.windows.end(start));
        let mut columns = take_record_batch(&batch, &UInt32Array::from(rows))?.columns().to_vec();
        columns.push(Arc::new(starts));
        columns.push(Arc::new(ends));
        out.emit(Port::FIRST, RecordBatch::try_new(Arc::clone(&self.schema), columns)?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use watershed_core::time::TimeSpan;

    use super::*;
    use crate::testing::{codes, faults, process, signature, stream, tag, tagged, update};

    fn tumbling(seconds: i64, time: Option<&str>) -> AssignWindow {
        let window = WindowSpec::Tumbling { size: TimeSpan::from_seconds(seconds), offset: TimeSpan::ZERO };
        AssignWindow { window, time: time.map(str::to_owned) }
    }

    fn sliding(size: i64, slide: i64) -> AssignWindow {
        let span = TimeSpan::from_seconds;
        AssignWindow {
            window: WindowSpec::Sliding { size: span(size), slide: span(slide), offset: TimeSpan::ZERO },
            time: None,
        }
    }

    #[test]
    fn a_row_comes_out_once_per_window() {
        let input = tagged(stream("t TIMESTAMP, v BIGINT"), "t");
        let lines =
            [r#"{"t": "1970-01-01T00:00:12Z", "v": 1}"#, r#"{"v": 2}"#, r#"{"t": "1969-12-31T23:59:59Z", "v": 3}"#];
        let ends = |rows: Vec<String>| -> Vec<String> {
            rows.iter().map(|row| row.replace("1970-01-01T00:", "").replace("1969-12-31T23:", "-")).collect()
        };
        assert_eq!(
            ends(process(&tumbling(10, None), &input, &lines)),
            ["00:12|1|00:10|00:20", "-59:59|3|-59:50|00:00"]
        );
        assert_eq!(
            ends(process(&sliding(10, 5), &input, &lines)),
            ["00:12|1|00:10|00:20", "00:12|1|00:05|00:15", "-59:59|3|-59:55|00:05", "-59:59|3|-59:50|00:00"]
        );
        assert_eq!(ends(process(&tumbling(10, None), &input, &lines[..1])), ["00:12|1|00:10|00:20"]);
    }

    #[test]
    fn a_window_belongs_to_the_windows_of_its_last_microsecond() {
        let mut input = stream("window_end_below TIMESTAMP");
        input.event_times.push(tag("window_end_below", EventTimeKind::WindowEnd));
        let rows = process(&tumbling(10, None), &input, &[r#"{"window_end_below": "1970-01-01T00:00:10Z"}"#]);
        assert_eq!(rows, ["1970-01-01T00:00:10|1970-01-01T00:00:00|1970-01-01T00:00:10"]);
    }

    #[test]
    fn the_window_becomes_the_event_time() {
        let input = tagged(stream("t TIMESTAMP, u TIMESTAMP"), "t");
        let output = signature(&tumbling(10, None), &input).outputs.remove(0);
        assert_eq!(output.event_times, [tag("window_end", EventTimeKind::WindowEnd)]);
        assert_eq!(
            watershed_core::schema::to_ddl(&output.schema),
            "t TIMESTAMP, u TIMESTAMP, window_start TIMESTAMP NOT NULL, window_end TIMESTAMP NOT NULL"
        );
        let other = signature(&tumbling(10, Some("u")), &input).outputs.remove(0);
        assert_eq!(other.event_times, input.event_times, "no watermark follows `u`");
        let untagged = signature(&tumbling(10, Some("t")), &stream("t TIMESTAMP")).outputs.remove(0);
        assert_eq!(untagged.event_times, []);
    }

    #[test]
    fn a_row_in_several_windows_is_told_apart_by_its_window() {
        let input = update(tagged(stream("t TIMESTAMP, k BIGINT"), "t"), &["k"]);
        assert_eq!(signature(&tumbling(10, None), &input).outputs[0].mode, input.mode);
        assert_eq!(
            signature(&sliding(10, 5), &input).outputs[0].mode,
            Mode::Update(vec!["k".to_owned(), "window_end".to_owned()])
        );
    }

    #[test]
    fn what_cannot_be_is_refused_all_at_once() {
        assert_eq!(
            codes(&tumbling(0, None), &[stream("t TIMESTAMP, window_end TIMESTAMP")]),
            ["bad_window", "no_event_time", "duplicate_column"]
        );
        let found = faults(&tumbling(0, Some("s")), &[stream("t TIMESTAMP, s STRING")]);
        assert_eq!(found[0].path, ["window".into(), "size".into()]);
        assert_eq!((found[1].code, found[1].path.as_slice()), ("not_a_timestamp", &["time".into()][..]));
        assert_eq!(
            codes(&tumbling(1, None), &[tagged(tagged(stream("t TIMESTAMP, u TIMESTAMP"), "t"), "u")]),
            ["several_event_times"]
        );
    }
}
