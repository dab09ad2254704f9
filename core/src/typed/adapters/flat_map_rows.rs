//! For [`FlatMapRows`].

use std::sync::Arc;

use super::{checked, started};
use crate::fault::Faults;
use crate::node::{BuildContext, Node, Operator, Ports, Signature, Stateless};
use crate::row::Row;
use crate::stream::Stream;
use crate::typed::by_row::{FlatMapped, check_reads, made};
use crate::typed::spec::{only_append, only_input};
use crate::typed::stateless::FlatMapRows;

stateless!(FlatMapRows);

fn stream<O: FlatMapRows + Node>(operator: &O, input: &Stream) -> Result<Stream, Faults> {
    let name = operator.entry().name;
    let mut faults = operator.check().err().unwrap_or_default();
    faults.extend(check_reads::<O::Input>(name, input));
    faults.extend(only_append(name, "in", input));
    let stream = made(name, input, &[], &O::Output::fields(), &mut faults);
    checked(stream, faults)
}

fn work<O: FlatMapRows>(operator: O, _: &Stream, _: Stream, cx: &BuildContext) -> Arc<dyn Stateless> {
    Arc::new(FlatMapped { operator, batch_rows: cx.batch_rows })
}
