//! For [`FilterRows`].

use std::sync::Arc;

use super::{checked, started};
use crate::fault::Faults;
use crate::node::{BuildContext, Node, Operator, Ports, Signature, Stateless};
use crate::stream::Stream;
use crate::typed::by_row::{Filtered, check_reads};
use crate::typed::spec::only_input;
use crate::typed::stateless::FilterRows;

stateless!(FilterRows);

fn stream<O: FilterRows + Node>(operator: &O, input: &Stream) -> Result<Stream, Faults> {
    let mut faults = operator.check().err().unwrap_or_default();
    faults.extend(check_reads::<O::Input>(operator.entry().name, input));
    checked(input.clone(), faults)
}

fn work<O: FilterRows>(operator: O, _: &Stream, _: Stream, _: &BuildContext) -> Arc<dyn Stateless> {
    Arc::new(Filtered(operator))
}
