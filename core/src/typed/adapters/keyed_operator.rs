//! For [`KeyedOperator`].

use super::{kernel, started};
use crate::fault::Faults;
use crate::node::{BuildContext, Node, Operator, Ports, Signature};
use crate::stream::Stream;
use crate::typed::declare::Declare;
use crate::typed::keyed::{KeyedOperator, TimeMode};
use crate::typed::logic::OfKeys;
use crate::typed::spec::{Description, RowTypes};
use crate::typed::timers::Clock;

fn describe<O: KeyedOperator + Node>(operator: &O) -> (Description, O::State) {
    let mut declared = Declare::default();
    let state = operator.declare(&mut declared);
    let description = Description {
        name: operator.entry().name,
        rows: RowTypes::of::<O::Key, O::Input, O::Output>(),
        output_mode: operator.output_mode(),
        order: operator.order(),
        hold_back: operator.hold_back(),
        clocks: match operator.time_mode() {
            TimeMode::None => &[],
            TimeMode::ProcessingTime => &[Clock::Processing],
            TimeMode::EventTime => &Clock::ALL,
        },
        declared,
        initial: None,
        own_faults: operator.check().err().unwrap_or_default(),
    };
    (description, state)
}

/// As `OperatorSpec::ports`.
pub fn ports<O: KeyedOperator + Node>(operator: &O) -> Ports {
    describe(operator).0.ports()
}

/// As `OperatorSpec::signature`.
pub fn signature<O: KeyedOperator + Node>(operator: &O, inputs: &[Vec<Stream>]) -> Result<Signature, Faults> {
    describe(operator).0.signature(inputs)
}

/// As `OperatorSpec::free_fields`.
pub fn free_fields<O: KeyedOperator>(operator: &O) -> &'static [&'static str] {
    operator.free_fields()
}

/// As `OperatorSpec::state_version`.
pub fn state_version<O: KeyedOperator>(_: &O) -> u32 {
    O::VERSION
}

/// As `OperatorSpec::build`.
pub fn build<O: KeyedOperator + Node>(
    operator: &O,
    inputs: &[Vec<Stream>],
    cx: &BuildContext,
) -> Result<Operator, Faults> {
    // Described before it is started, as it was when the graph was checked.
    let (description, state) = describe(operator);
    let bound = description.bind(inputs)?;
    let operator = started(operator, O::on_start)?;
    Ok(kernel(OfKeys { operator, state }, O::VERSION, description, bound, true, inputs, cx))
}
