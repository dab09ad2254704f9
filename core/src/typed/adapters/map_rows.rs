//! For [`MapRows`].

use std::sync::Arc;

use super::{checked, started};
use crate::fault::Faults;
use crate::node::{BuildContext, Node, Operator, Ports, Signature, Stateless};
use crate::row::{Row, RowField};
use crate::stream::Stream;
use crate::typed::by_row::{Mapped, check_reads, kept_columns, made};
use crate::typed::spec::only_input;
use crate::typed::stateless::MapRows;

stateless!(MapRows);

fn kept<O: MapRows>(operator: &O, input: &Stream, made: &[RowField]) -> Vec<usize> {
    if operator.keeps_columns() { kept_columns(&input.schema, made) } else { Vec::new() }
}

fn stream<O: MapRows + Node>(operator: &O, input: &Stream) -> Result<Stream, Faults> {
    let (name, fields) = (operator.entry().name, O::Output::fields());
    let mut faults = operator.check().err().unwrap_or_default();
    faults.extend(check_reads::<O::Input>(name, input));
    let stream = made(name, input, &kept(operator, input, &fields), &fields, &mut faults);
    checked(stream, faults)
}

fn work<O: MapRows>(operator: O, input: &Stream, stream: Stream, _: &BuildContext) -> Arc<dyn Stateless> {
    let kept = kept(&operator, input, &O::Output::fields());
    Arc::new(Mapped { operator, kept, schema: stream.schema })
}
