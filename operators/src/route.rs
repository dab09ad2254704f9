//! `Route`: one stream parted into several by conditions.

use std::sync::Arc;

use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::{filter_record_batch, not, or};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use watershed_core::epoch::Port;
use watershed_core::error::Result;
use watershed_core::fault::{Fault, Faults};
use watershed_core::node::{
    BuildContext, Collector, EpochContext, Operator, OperatorSpec, Ports, Signature, Stateless,
};
use watershed_core::register_operator;
use watershed_core::stream::Stream;

use crate::sql::Expression;
use crate::{filter, inputs};

/// Sends each row to the port whose condition it fulfils.
///
/// The node's output ports are those that are listed, then that for the rest: a flow reads them as `route.big -> …`. The first one is
/// the default port. Rows for a port that nobody reads are dropped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// Ports, each with a SQL condition: `("big", "x > 10")`. Their order counts. A condition that is null counts as not fulfilled.
    pub ports: Vec<(String, String)>,
    /// The port of rows that fulfil none of the conditions.
    #[serde(default = "rest", skip_serializing_if = "is_rest")]
    pub rest: String,
    /// Where a row goes that fulfils several conditions.
    #[serde(default, skip_serializing_if = "is_first")]
    pub to: To,
}

/// Where a row goes that fulfils several conditions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum To {
    /// To the first port listed whose condition it fulfils; later conditions are not asked about it.
    #[default]
    First,
    /// To every port whose condition it fulfils.
    All,
}

fn rest() -> String {
    "rest".to_owned()
}

fn is_rest(port: &str) -> bool {
    port == "rest"
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_first(to: &To) -> bool {
    *to == To::First
}

register_operator!(Route, example: r#"Route(ports: [("big", "x > 10"), ("bot", "user LIKE 'bot%'")], rest: "others")"#);

/// Whether the flow of a graph can name such a port.
fn is_port_name(name: &str) -> bool {
    !name.is_empty() && name != "in" && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'))
}

impl Route {
    fn bind(&self, input: &Stream) -> Result<Vec<Expression>, Faults> {
        let (mut conditions, mut faults) = (Vec::new(), Faults::new());
        if self.ports.is_empty() {
            let fault = Fault::new("no_ports", "`Route` lists no port").at("ports");
            faults.push(fault.help("name ports with conditions: `ports: [(\"big\", \"x > 10\")]`"));
        }
        let names = self.ports.iter().map(|(name, _)| name);
        for (index, name) in names.chain([&self.rest]).enumerate() {
            let listed = index < self.ports.len();
            let at = |fault: Fault| if listed { fault.at("ports").at(index).at(0) } else { fault.at("rest") };
            if !is_port_name(name) {
                let message = format!("a port cannot be called `{name}`");
                let help = "a name is made of letters, digits, `_` and `-`; `in` is the node's input";
                faults.push(at(Fault::new("bad_port", message).help(help)));
            } else if self.ports[..index.min(self.ports.len())].iter().any(|(other, _)| other == name) {
                let fault = Fault::new("duplicate_port", format!("two ports are called `{name}`"));
                faults.push(at(fault.help("give one of them another name, or join their conditions by `OR`")));
            }
        }
        for (index, (_, text)) in self.ports.iter().enumerate() {
            match filter::condition(text, &input.schema) {
                Ok(condition) => conditions.push(condition),
                Err(found) => {
                    faults.extend(found.into_iter().map(|fault| fault.under(1).under(index).under("ports")));
                }
            }
        }
        if faults.is_empty() { Ok(conditions) } else { Err(faults) }
    }
}

#[typetag::serde]
impl OperatorSpec for Route {
    fn ports(&self) -> Ports {
        let names = self.ports.iter().map(|(name, _)| name).chain([&self.rest]);
        Ports::of(["in"], names.cloned())
    }

    fn signature(&self, inputs: &[Vec<Stream>]) -> Result<Signature, Faults> {
        let input = inputs::only(inputs);
        self.bind(input)?;
        Ok(Signature::stateless(vec![input.clone(); self.ports.len() + 1]))
    }

    fn build(&self, inputs: &[Vec<Stream>], _: &BuildContext) -> Result<Operator, Faults> {
        let conditions = self.bind(inputs::only(inputs))?;
        Ok(Operator::Stateless(match self.to {
            To::First => Arc::new(ToFirst(conditions)),
            To::All => Arc::new(ToAll(conditions)),
        }))
    }
}

/// Each row to the first port whose condition it fulfils.
struct ToFirst(Vec<Expression>);

impl Stateless for ToFirst {
    fn process(&self, batch: RecordBatch, cx: &EpochContext, out: &mut Collector) -> Result<()> {
        let mut rest = batch;
        for (port, condition) in self.0.iter().enumerate() {
            if rest.num_rows() == 0 {
                return Ok(());
            }
            let fulfil = condition.evaluate_condition(&rest, cx)?;
            if fulfil.true_count() > 0 {
                out.emit(Port(port), filter_record_batch(&rest, &fulfil)?);
                rest = filter_record_batch(&rest, &not(&fulfil)?)?;
            }
        }
        out.emit(Port(self.0.len()), rest);
        Ok(())
    }
}

/// Each row to every port whose condition it fulfils.
struct ToAll(Vec<Expression>);

impl Stateless for ToAll {
    fn process(&self, batch: RecordBatch, cx: &EpochContext, out: &mut Collector) -> Result<()> {
        let mut any = BooleanArray::from(vec![false; batch.num_rows()]);
        for (port, condition) in self.0.iter().enumerate() {
            let fulfil = condition.evaluate_condition(&batch, cx)?;
            out.emit(Port(port), filter_record_batch(&batch, &fulfil)?);
            any = or(&any, &fulfil)?;
        }
        out.emit(Port(self.0.len()), filter_record_batch(&batch, &not(&any)?)?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::slice::from_ref;

    use watershed_core::testing::{Epochs, Feed, Tested, same_answer};

    use super::*;
    use crate::testing::{batch, codes, faults, shown, signature, stream, tagged, update};

    fn route(ports: &[(&str, &str)], to: To) -> Route {
        let ports = ports.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        Route { ports, rest: rest(), to }
    }

    const LINES: [&str; 5] =
        [r#"{"v": 1, "s": "a"}"#, r#"{"v": 11, "s": "bot"}"#, r#"{"s": "bot"}"#, r#"{"v": 12}"#, "{}"];

    fn routed(spec: &Route) -> BTreeMap<String, Vec<String>> {
        let input = stream("v BIGINT, s STRING");
        let tested = Tested::new(spec.clone()).stream_at("in", input.clone());
        let rows = batch(&input, &LINES);
        same_answer(&tested, [Feed::new().rows("in", &rows)], Epochs::Any).expect("the answer is the same");
        let mut harness = tested.harness().expect("the operator takes the stream");
        harness.feed("in", rows).expect("rows of the input");
        let output = harness.end_epoch().expect("runs");
        output.tables().map(|(port, table)| (port.to_owned(), shown(&[table.batch().clone()]))).collect()
    }

    fn told(ports: &[(&str, &[&str])]) -> BTreeMap<String, Vec<String>> {
        let rows = |rows: &[&str]| rows.iter().map(|row| (*row).to_owned()).collect();
        ports.iter().map(|(port, of_port)| ((*port).to_owned(), rows(of_port))).collect()
    }

    #[test]
    fn a_row_goes_to_the_first_port_or_to_all_that_it_fits() {
        let ports = [("bot", "s = 'bot'"), ("big", "v > 10"), ("none", "v > 99")];
        assert_eq!(
            routed(&route(&ports, To::First)),
            told(&[("bot", &["11|bot", "|bot"]), ("big", &["12|"]), ("none", &[]), ("rest", &["1|a", "|"])])
        );
        assert_eq!(
            routed(&route(&ports, To::All)),
            told(&[("bot", &["11|bot", "|bot"]), ("big", &["11|bot", "12|"]), ("none", &[]), ("rest", &["1|a", "|"])])
        );
        let turned = [("big", "v > 10"), ("bot", "s = 'bot'")];
        assert_eq!(
            routed(&Route { rest: "others".to_owned(), ..route(&turned, To::First) }),
            told(&[("big", &["11|bot", "12|"]), ("bot", &["|bot"]), ("others", &["1|a", "|"])])
        );
        assert_eq!(routed(&route(&[("all", "true")], To::First))["rest"], [""; 0]);
    }

    /// Otherwise the text of a bot would have to be a number.
    #[test]
    fn a_condition_is_not_asked_about_rows_that_have_gone() {
        let ports = [("text", "s IS NULL OR s LIKE '%o%' OR s = 'a'"), ("number", "CAST(s AS BIGINT) > 0")];
        assert_eq!(routed(&route(&ports, To::First))["text"].len(), LINES.len());
    }

    #[test]
    fn every_port_carries_the_stream_as_it_is() {
        let input = update(tagged(stream("t TIMESTAMP"), "t"), &["t"]);
        let spec = route(&[("a", "t IS NULL"), ("b", "true")], To::First);
        assert_eq!(signature(&spec, &input).outputs, [input.clone(), input.clone(), input]);
        assert_eq!(spec.ports(), Ports::of(["in"], ["a", "b", "rest"]));
    }

    #[test]
    fn what_is_wrong_is_placed_in_its_text() {
        let input = stream("v BIGINT");
        let wrong = [("a", "v > 1"), ("a", "w > 1"), ("b.c", "v + 1"), ("rest", "true"), ("in", "v >")];
        let found = faults(&route(&wrong, To::First), from_ref(&input));
        let places: Vec<_> = found.iter().map(|fault| (fault.code, fault.path.clone(), fault.within.clone())).collect();
        let at = |index: usize, part: usize| vec!["ports".into(), index.into(), part.into()];
        assert_eq!(
            places,
            [
                ("duplicate_port", at(1, 0), None),
                ("bad_port", at(2, 0), None),
                ("bad_port", at(4, 0), None),
                ("duplicate_port", vec!["rest".into()], None),
                ("unknown_column", at(1, 1), Some(0..1)),
                ("not_a_condition", at(2, 1), None),
                ("bad_expression", at(4, 1), found[6].within.clone()),
            ]
        );
        assert_eq!(codes(&route(&[], To::All), &[input]), ["no_ports"]);
    }
}
