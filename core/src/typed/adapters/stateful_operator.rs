//! For [`StatefulOperator`], and [`MapGroups`](crate::typed::MapGroups): each of these is one.

use super::{kernel, started};
use crate::fault::Faults;
use crate::node::{BuildContext, Node, Operator, Ports, Signature};
use crate::stream::Stream;
use crate::typed::declare::Declare;
use crate::typed::logic::OfGroups;
use crate::typed::spec::{Description, Initial, RowTypes};
use crate::typed::stateful::{StatefulOperator, Timeout};
use crate::typed::timers::Clock;
use crate::typed::variables::{ValueState, initial_columns, initial_misfits};

fn describe<O: StatefulOperator + Node>(operator: &O) -> (Description, ValueState<O::State>) {
    let mut declared = Declare::default();
    let state = declared.value("state");
    let description = Description {
        name: operator.entry().name,
        rows: RowTypes::of::<O::Key, O::Input, O::Output>(),
        output_mode: operator.output_mode(),
        order: operator.order(),
        hold_back: operator.hold_back(),
        clocks: match operator.timeout() {
            Timeout::None => &[],
            Timeout::ProcessingTime => &[Clock::Processing],
            Timeout::EventTime => &[Clock::Event],
        },
        declared,
        initial: Some(Initial { columns: initial_columns::<O::State>(), misfits: initial_misfits::<O::State> }),
        own_faults: operator.check().err().unwrap_or_default(),
    };
    (description, state)
}

/// As `OperatorSpec::ports`.
pub fn ports<O: StatefulOperator + Node>(operator: &O) -> Ports {
    describe(operator).0.ports()
}

/// As `OperatorSpec::signature`.
pub fn signature<O: StatefulOperator + Node>(operator: &O, inputs: &[Vec<Stream>]) -> Result<Signature, Faults> {
    describe(operator).0.signature(inputs)
}

/// As `OperatorSpec::free_fields`.
pub fn free_fields<O: StatefulOperator>(operator: &O) -> &'static [&'static str] {
    operator.free_fields()
}

/// As `OperatorSpec::state_version`.
pub fn state_version<O: StatefulOperator>(_: &O) -> u32 {
    O::VERSION
}

/// As `OperatorSpec::build`.
pub fn build<O: StatefulOperator + Node>(
    operator: &O,
    inputs: &[Vec<Stream>],
    cx: &BuildContext,
) -> Result<Operator, Faults> {
    let (description, state) = describe(operator);
    let bound = description.bind(inputs)?;
    // What was checked holds, whatever `on_start` makes of the operator.
    let timeout = operator.timeout();
    let operator = started(operator, O::on_start)?;
    let logic = OfGroups { operator, state, timeout, has_watermark: bound.has_watermark };
    Ok(kernel(logic, O::VERSION, description, bound, false, inputs, cx))
}
