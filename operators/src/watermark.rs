//! `Watermark`: makes a column event time and follows it.

use std::sync::Arc;

use arrow::array::{AsArray, BooleanArray, RecordBatch};
use arrow::compute::{filter_record_batch, max, not};
use arrow::datatypes::TimestampMicrosecondType;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use watershed_core::epoch::Port;
use watershed_core::error::Result;
use watershed_core::fault::{Fault, Faults};
use watershed_core::node::{
    BuildContext, Collector, EpochContext, Operator, OperatorSpec, OutputWatermark, Ports, Signature, Stateless,
};
use watershed_core::register_operator;
use watershed_core::stream::{EventTime, EventTimeKind, Stream};
use watershed_core::time::{TimeSpan, Timestamp};

use crate::inputs;

/// Makes a column event time, and lets the watermark follow the newest time seen at a distance.
///
/// The watermark is the newest event time less the delay, in whole milliseconds, and never goes back. What an epoch saw closes
/// windows in the next one and makes rows late in the one after that. All rows pass, but for those of `max_future`; a null time
/// moves nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Watermark {
    /// The event-time column, a TIMESTAMP.
    pub column: String,
    /// How late a row may come: a row further behind the newest one than this may be dropped.
    pub delay: TimeSpan,
    /// When no row has come for so long, by the clock, nodes below that have other inputs do not wait for this one, until its next
    /// row. What is then at or before their watermark is late. Left out: they wait as long as it takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_after: Option<TimeSpan>,
    /// A row further ahead of the clock than this has a wrong time: it moves nothing, and leaves by port `bad_time`. Left out: every
    /// time is believed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_future: Option<TimeSpan>,
}

register_operator!(Watermark, example: r#"Watermark(column: "event_time", delay: "30 minutes", idle_after: "1 minute", max_future: "1 hour")"#);

/// The port of rows with times that cannot be right.
const BAD_TIME: Port = Port(1);

impl Watermark {
    fn bind(&self, input: &Stream) -> Result<usize, Faults> {
        let mut faults = Faults::new();
        let place =
            inputs::timestamp_column(&input.schema, &self.column).map_err(|fault| faults.push(fault.at("column")));
        if self.delay < TimeSpan::ZERO {
            faults.push(Fault::new("bad_delay", format!("a delay of {} is negative", self.delay)).at("delay"));
        }
        if let Some(after) = self.idle_after.filter(|after| *after <= TimeSpan::ZERO) {
            let message = format!("an input cannot be idle after {after}: it must be longer than nothing");
            faults.push(Fault::new("bad_idle_after", message).at("idle_after").help("leave it out to wait for ever"));
        }
        if let Some(future) = self.max_future.filter(|future| *future < TimeSpan::ZERO) {
            let message = format!("`max_future` of {future} is negative: rows of this moment would be from the future");
            faults.push(
                Fault::new("bad_max_future", message).at("max_future").help("leave it out to believe every time"),
            );
        }
        match place {
            Ok(place) if faults.is_empty() => Ok(place),
            _ => Err(faults),
        }
    }
}

#[typetag::serde]
impl OperatorSpec for Watermark {
    fn ports(&self) -> Ports {
        if self.max_future.is_some() { Ports::of(["in"], ["out", "bad_time"]) } else { Ports::PLAIN }
    }

    fn signature(&self, inputs: &[Vec<Stream>]) -> Result<Signature, Faults> {
        let input = inputs::only(inputs);
        self.bind(input)?;
        let mut output = input.clone();
        output.event_times =
            vec![EventTime { column: self.column.clone(), kind: EventTimeKind::Instant, delay: self.delay }];
        let outputs = if self.max_future.is_some() { vec![output, input.clone()] } else { vec![output] };
        let watermark = OutputWatermark::Own { delay: self.delay, idle_after: self.idle_after };
        Ok(Signature { watermark, ..Signature::stateless(outputs) })
    }

    fn build(&self, inputs: &[Vec<Stream>], _: &BuildContext) -> Result<Operator, Faults> {
        let column = self.bind(inputs::only(inputs))?;
        Ok(Operator::Stateless(Arc::new(Observer { column, max_future: self.max_future })))
    }
}

struct Observer {
    column: usize,
    max_future: Option<TimeSpan>,
}

impl Observer {
    /// Takes out the rows whose time cannot be right.
    fn believed(&self, batch: RecordBatch, cx: &EpochContext, out: &mut Collector) -> Result<RecordBatch> {
        let Some(max_future) = self.max_future else { return Ok(batch) };
        let latest = cx.processing_time.plus(max_future).micros();
        let times = batch.column(self.column).as_primitive::<TimestampMicrosecondType>();
        if max(times).is_none_or(|newest| newest <= latest) {
            return Ok(batch);
        }
        let bad: BooleanArray = times.iter().map(|time| Some(time.is_some_and(|time| time > latest))).collect();
        out.count_bad_times(bad.true_count() as u64);
        out.emit(BAD_TIME, filter_record_batch(&batch, &bad)?);
        Ok(filter_record_batch(&batch, &not(&bad)?)?)
    }
}

impl Stateless for Observer {
    fn process(&self, batch: RecordBatch, cx: &EpochContext, out: &mut Collector) -> Result<()> {
        let batch = self.believed(batch, cx, out)?;
        if let Some(newest) = max(batch.column(self.column).as_primitive::<TimestampMicrosecondType>()) {
            out.observe(Timestamp::from_micros(newest));
        }
        out.emit(Port::FIRST, batch);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::slice::from_ref;

    use watershed_core::time::Watermark as Mark;

    use super::*;
    use crate::testing::{batch, codes, epoch_context, faults, process, process_with, signature, stream};

    fn watermark(column: &str, seconds: i64) -> Watermark {
        let delay = TimeSpan::from_seconds(seconds);
        Watermark { column: column.to_owned(), delay, idle_after: None, max_future: None }
    }

    #[test]
    fn the_newest_time_is_observed_and_all_rows_pass() {
        let input = stream("t TIMESTAMP");
        for (lines, newest) in [
            (&[r#"{"t": "1970-01-01T00:00:02Z"}"#, r#"{"t": "1970-01-01T00:00:05Z"}"#, "{}"][..], Some(5_000_000)),
            (&[r#"{"t": "1969-12-31T23:59:59Z"}"#], Some(-1_000_000)),
            (&["{}"], None),
            (&[], None),
        ] {
            let mut out = Collector::default();
            process_with(&watermark("t", 1), std::slice::from_ref(&input), batch(&input, lines), &mut out)
                .expect("runs");
            assert_eq!(out.take_newest(), Mark(newest.map(Timestamp::from_micros)), "{lines:?}");
            assert_eq!(process(&watermark("t", 1), &input, lines).len(), lines.len());
        }
    }

    #[test]
    fn the_column_becomes_event_time() {
        let signature = signature(&watermark("t", 30), &stream("t TIMESTAMP, x DOUBLE"));
        assert_eq!(signature.watermark, OutputWatermark::own(TimeSpan::from_seconds(30)));
        let tag = EventTime { column: "t".to_owned(), kind: EventTimeKind::Instant, delay: TimeSpan::from_seconds(30) };
        assert_eq!(signature.outputs[0].event_times, [tag]);
    }

    #[test]
    fn times_that_cannot_be_right_move_nothing_and_leave_by_a_port_of_their_own() {
        let input = stream("t TIMESTAMP");
        let cx = EpochContext { processing_time: Timestamp::from_micros(0), ..epoch_context() };
        let lines = [
            r#"{"t": "1970-01-01T00:00:10Z"}"#,
            "{}",
            r#"{"t": "2099-01-01T00:00:00Z"}"#,
            r#"{"t": "1970-01-01T00:00:10.001Z"}"#,
        ];
        for (max_future, newest, passed, bad) in [(None, 4_070_908_800_000_000, 4, 0), (Some(10), 10_000_000, 2, 2)] {
            let spec = Watermark { max_future: max_future.map(TimeSpan::from_seconds), ..watermark("t", 1) };
            let Operator::Stateless(operator) = spec
                .build(&[vec![input.clone()]], &BuildContext { node: "marked".into(), batch_rows: 8192 })
                .expect("a watermark")
            else {
                panic!("a watermark keeps nothing");
            };
            let mut out = Collector::default();
            operator.process(batch(&input, &lines), &cx, &mut out).expect("runs");
            assert_eq!(out.take_newest(), Mark(Some(Timestamp::from_micros(newest))));
            assert_eq!(out.take_bad_times(), bad);
            let rows = |wanted: Port, emitted: &[(Port, RecordBatch)]| -> usize {
                emitted.iter().filter(|(port, _)| *port == wanted).map(|(_, rows)| rows.num_rows()).sum()
            };
            let emitted = out.take_emitted();
            assert_eq!(
                (rows(Port::FIRST, &emitted), rows(BAD_TIME, &emitted)),
                (passed, bad as usize),
                "{max_future:?}"
            );
            assert_eq!(spec.ports().outputs.len(), signature(&spec, &input).outputs.len());
        }
    }

    #[test]
    fn a_watermark_that_cannot_be_is_refused() {
        let input = stream("t TIMESTAMP, x DOUBLE");
        assert_eq!(codes(&watermark("x", -1), from_ref(&input)), ["not_a_timestamp", "bad_delay"]);
        assert_eq!(codes(&watermark("T", 0), from_ref(&input)), ["unknown_column"]);
        let spans = |idle_after, max_future| Watermark {
            idle_after: Some(TimeSpan::from_seconds(idle_after)),
            max_future: Some(TimeSpan::from_seconds(max_future)),
            ..watermark("t", 0)
        };
        assert_eq!(codes(&spans(0, -1), from_ref(&input)), ["bad_idle_after", "bad_max_future"]);
        assert_eq!(signature(&spans(1, 0), &input).outputs.len(), 2);
        assert!(
            faults(&watermark("x", 1), &[stream("x DOUBLE")])[0]
                .help
                .as_deref()
                .unwrap_or_default()
                .contains("to_timestamp_seconds(x)")
        );
    }
}
