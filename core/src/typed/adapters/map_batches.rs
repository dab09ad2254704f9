//! For [`MapBatches`].

use std::sync::Arc;

use super::{checked, started};
use crate::fault::Faults;
use crate::node::{BuildContext, Node, Operator, Ports, Signature, Stateless};
use crate::stream::Stream;
use crate::typed::by_row::{Batched, made_of_batches};
use crate::typed::spec::{only_append, only_input};
use crate::typed::stateless::MapBatches;

stateless!(MapBatches);

fn stream<O: MapBatches + Node>(operator: &O, input: &Stream) -> Result<Stream, Faults> {
    let mut faults = operator.check().err().unwrap_or_default();
    faults.extend(only_append(operator.entry().name, "in", input));
    match operator.output(&input.schema) {
        Ok(schema) => checked(made_of_batches(input, schema), faults),
        Err(found) => {
            faults.extend(found);
            Err(faults)
        }
    }
}

fn work<O: MapBatches>(operator: O, _: &Stream, stream: Stream, _: &BuildContext) -> Arc<dyn Stateless> {
    Arc::new(Batched { operator, schema: stream.schema })
}
