//! The sink that takes everything and keeps nothing: for benchmarks, and for the half of a graph that does not matter
//! at the moment.

use arrow::array::RecordBatch;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use watershed_core::epoch::Epoch;
use watershed_core::error::Result;
use watershed_core::fault::Faults;
use watershed_core::node::{Delivery, OpenContext, Part, Receipt, Sink, SinkSpec};
use watershed_core::register_sink;
use watershed_core::stream::Stream;

/// Takes every row and shows none. Takes all modes.
///
/// All that is above it is computed, so it measures a graph without its output. As nothing is ever seen, nothing is
/// seen twice: exactly once.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Discard {}

register_sink!(Discard, example: "Discard()");

#[typetag::serde]
impl SinkSpec for Discard {
    fn check(&self, _: &Stream) -> Result<(), Faults> {
        Ok(())
    }

    fn delivery(&self) -> Delivery {
        Delivery::ExactlyOnce
    }

    fn open(&self, _: &Stream, _: &OpenContext) -> Result<Box<dyn Sink>> {
        Ok(Box::new(DiscardSink))
    }
}

struct DiscardSink;

impl Sink for DiscardSink {
    fn stage(&self, _: Part, _: &[RecordBatch]) -> Result<Receipt> {
        Ok(Receipt::default())
    }

    fn commit(&self, _: Epoch, _: &[Receipt]) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use watershed_core::node::{Kind, entries};

    use super::*;
    use crate::testing::{context, counts, part, stream};

    #[test]
    fn every_sink_of_this_crate_is_registered_with_an_example_that_loads() {
        let ours: Vec<_> = entries().into_iter().filter(|entry| entry.package == env!("CARGO_PKG_NAME")).collect();
        let names: Vec<_> = ours.iter().map(|entry| (entry.kind, entry.name)).collect();
        assert_eq!(
            names,
            ["Console", "Discard", "Files", "Foreach", "ForeachBatch", "Memory"].map(|name| (Kind::Sink, name))
        );
        let options = ron::Options::default().with_default_extension(ron::extensions::Extensions::IMPLICIT_SOME);
        for entry in ours {
            let fails = match entry.name {
                "Console" => options.from_str::<crate::Console>(entry.example).err(),
                "Files" => options.from_str::<crate::Files>(entry.example).err(),
                "Foreach" => options.from_str::<crate::Foreach>(entry.example).err(),
                "ForeachBatch" => options.from_str::<crate::ForeachBatch>(entry.example).err(),
                "Memory" => options.from_str::<crate::Memory>(entry.example).err(),
                _ => options.from_str::<Discard>(entry.example).err(),
            };
            assert_eq!(fails, None, "{}", entry.example);
        }
    }

    #[test]
    fn everything_is_taken() {
        let batch = counts(&[("a", 1)]);
        let input = stream(&batch);
        assert_eq!(Discard {}.check(&input), Ok(()));
        let sink = Discard {}.open(&input, &context("nothing")).unwrap();
        let receipt = sink.stage(part(0, 0), &[batch]).unwrap();
        sink.commit(Epoch(0), &[receipt]).unwrap();
    }
}
