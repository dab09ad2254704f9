//! The author's traits as nodes: what `#[operator(…)]` calls, a module for each trait with the methods of `OperatorSpec`.

/// The functions of an adapter to a stateless trait, around `stream`, which says what flows on, and `work`.
macro_rules! stateless {
    ($trait:ident) => {
        /// As `OperatorSpec::ports`.
        pub fn ports<O: $trait>(_: &O) -> Ports {
            Ports::PLAIN
        }

        /// As `OperatorSpec::signature`.
        pub fn signature<O: $trait + Node>(operator: &O, inputs: &[Vec<Stream>]) -> Result<Signature, Faults> {
            Ok(Signature::stateless(vec![stream(operator, only_input(inputs))?]))
        }

        /// As `OperatorSpec::free_fields`: there is no state that a field could concern.
        pub fn free_fields<O: $trait>(_: &O) -> &'static [&'static str] {
            &[]
        }

        /// As `OperatorSpec::state_version`.
        pub fn state_version<O: $trait>(_: &O) -> u32 {
            0
        }

        /// As `OperatorSpec::build`.
        pub fn build<O: $trait + Node>(
            operator: &O,
            inputs: &[Vec<Stream>],
            cx: &BuildContext,
        ) -> Result<Operator, Faults> {
            let input = only_input(inputs);
            let stream = stream(operator, input)?;
            let operator = started(operator, O::on_start)?;
            Ok(Operator::Stateless(work(operator, input, stream, cx)))
        }
    };
}

pub mod filter_rows;
pub mod flat_map_rows;
pub mod keyed_operator;
pub mod map_batches;
pub mod map_rows;
pub mod stateful_operator;

/// For [`MapGroups`](crate::typed::MapGroups): each is a `StatefulOperator`.
pub use stateful_operator as map_groups;

use std::sync::Arc;

use arrow::datatypes::Schema;

use super::epoch::Kernel;
use super::logic::Logic;
use super::spec::{Bound, Description};
use crate::error::Result;
use crate::fault::{Fault, Faults};
use crate::node::{BuildContext, Operator};
use crate::stream::Stream;

/// What there is if nothing is faulty.
fn checked<T>(checked: T, faults: Faults) -> Result<T, Faults> {
    if faults.is_empty() { Ok(checked) } else { Err(faults) }
}

/// The operator's own copy, made ready for a run.
fn started<O: Clone>(operator: &O, on_start: impl FnOnce(&mut O) -> Result<()>) -> Result<O, Faults> {
    let mut own = operator.clone();
    on_start(&mut own).map_err(|error| Fault::new("not_started", format!("could not be started: {error}")))?;
    Ok(own)
}

fn kernel<L: Logic>(
    logic: L,
    version: u32,
    description: Description,
    bound: Bound,
    fires_when_reached: bool,
    inputs: &[Vec<Stream>],
    cx: &BuildContext,
) -> Operator {
    let streams = inputs.iter().filter_map(|port| port.first());
    let of = |(stream, columns): (&Stream, &Vec<usize>)| -> Arc<Schema> {
        Arc::new(Schema::new(
            columns.iter().map(|&column| Arc::clone(&stream.schema.fields()[column])).collect::<Vec<_>>(),
        ))
    };
    Operator::Stateful(Arc::new(Kernel {
        logic,
        version,
        layout: description.layout(),
        schemas: streams.zip(&bound.projection.columns).map(of).collect(),
        variables: description.declared.variables,
        sides: description.declared.sides,
        clocks: description.clocks,
        fires_when_reached,
        projection: Arc::new(bound.projection),
        order: bound.order,
        event_time: bound.event_time,
        batch_rows: cx.batch_rows,
    }))
}
