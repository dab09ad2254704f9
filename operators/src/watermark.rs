//! `Watermark`: makes a column event time and follows it.

use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::max;
use arrow::datatypes::TimestampMicrosecondType;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use watershed_core::epoch::Port;
use watershed_core::error::Result;
use watershed_core::fault::{Fault, Faults};
use watershed_core::node::{
    BuildContext, Collector, EpochContext, Operator, OperatorSpec, OutputWatermark, Signature, Stateless,
};
use watershed_core::register_operator;
use watershed_core::stream::{EventTime, EventTimeKind, Stream};
use watershed_core::time::{TimeSpan, Timestamp};

use crate::inputs;

/// Makes a column event time, and lets the watermark follow the newest time seen at a distance.
///
/// The watermark is the newest event time less the delay, in whole milliseconds, and never goes back. What an epoch saw closes
/// windows in the next one and makes rows late in the one after that. All rows pass; a null time moves nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Watermark {
    /// The event-time column, a TIMESTAMP.
    pub column: String,
    /// How late a row may come: a row further behind the newest one than this may be dropped.
    pub delay: TimeSpan,
}

register_operator!(Watermark, example: r#"Watermark(column: "event_time", delay: "30 minutes")"#);

impl Watermark {
    fn bind(&self, input: &Stream) -> Result<usize, Faults> {
        let mut faults = Faults::new();
        let place =
            inputs::timestamp_column(&input.schema, &self.column).map_err(|fault| faults.push(fault.at("column")));
        if self.delay < TimeSpan::ZERO {
            faults.push(Fault::new("bad_delay", format!("a delay of {} is negative", self.delay)).at("delay"));
        }
        match place {
            Ok(place) if faults.is_empty() => Ok(place),
            _ => Err(faults),
        }
    }
}

#[typetag::serde]
impl OperatorSpec for Watermark {
    fn signature(&self, inputs: &[Vec<Stream>]) -> Result<Signature, Faults> {
        let mut output = inputs::only(inputs).clone();
        self.bind(&output)?;
        output.event_times =
            vec![EventTime { column: self.column.clone(), kind: EventTimeKind::Instant, delay: self.delay }];
        Ok(Signature { watermark: OutputWatermark::Own(self.delay), ..Signature::stateless(vec![output]) })
    }

    fn build(&self, inputs: &[Vec<Stream>], _: &BuildContext) -> Result<Operator, Faults> {
        Ok(Operator::Stateless(Arc::new(Observer { column: self.bind(inputs::only(inputs))? })))
    }
}

struct Observer {
    column: usize,
}

impl Stateless for Observer {
    fn process(&self, batch: RecordBatch, _: &EpochContext, out: &mut Collector) -> Result<()> {
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
    use crate::testing::{batch, codes, faults, process, process_with, signature, stream};

    fn watermark(column: &str, seconds: i64) -> Watermark {
        Watermark { column: column.to_owned(), delay: TimeSpan::from_seconds(seconds) }
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
        assert_eq!(signature.watermark, OutputWatermark::Own(TimeSpan::from_seconds(30)));
        let tag = EventTime { column: "t".to_owned(), kind: EventTimeKind::Instant, delay: TimeSpan::from_seconds(30) };
        assert_eq!(signature.outputs[0].event_times, [tag]);
    }

    #[test]
    fn a_watermark_that_cannot_be_is_refused() {
        let input = stream("t TIMESTAMP, x DOUBLE");
        assert_eq!(codes(&watermark("x", -1), from_ref(&input)), ["not_a_timestamp", "bad_delay"]);
        assert_eq!(codes(&watermark("T", 0), &[input]), ["unknown_column"]);
        assert!(
            faults(&watermark("x", 1), &[stream("x DOUBLE")])[0]
                .help
                .as_deref()
                .unwrap_or_default()
                .contains("to_timestamp_seconds(x)")
        );
    }
}
