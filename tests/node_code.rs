//! The command with a node that panics: the process started here is this very program, as the command with the node linked in.

use std::process::{Command, ExitCode, Output};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tempfile::TempDir;
use watershed::arrow::array::RecordBatch;
use watershed::core::epoch::Port;
use watershed::core::error::Result;
use watershed::core::fault::Faults;
use watershed::core::node::{
    BuildContext, Collector, Distribution, EpochContext, EpochInput, Operator, OperatorSpec, Signature, StateNeed,
    Stateful, Stateless,
};
use watershed::core::register_operator;
use watershed::core::state::{StateStore, TableSchema};
use watershed::core::stream::Stream;

/// Where the node panics.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
enum Call {
    Signature,
    Build,
    Process,
    Run,
    /// Where the engine asks what nobody is expected to get wrong.
    Version,
}

/// Panics in the second epoch, or before the first.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
struct Panics {
    at: Call,
}
register_operator!(Panics, example: "Panics(at: Run)");

#[typetag::serde]
impl OperatorSpec for Panics {
    fn signature(&self, inputs: &[Vec<Stream>]) -> Result<Signature, Faults> {
        assert!(self.at != Call::Signature, "no rows at all");
        let stateless = Signature::stateless(inputs[0].clone());
        Ok(if self.at == Call::Run {
            Signature { distribution: Distribution::Hash(vec![0]), state: StateNeed::Bounded, ..stateless }
        } else {
            stateless
        })
    }

    fn state_version(&self) -> u32 {
        assert!(self.at != Call::Version, "no rows at all");
        0
    }

    fn build(&self, _: &[Vec<Stream>], _: &BuildContext) -> Result<Operator, Faults> {
        assert!(self.at != Call::Build, "no rows at all");
        Ok(if self.at == Call::Run {
            Operator::Stateful(Arc::new(self.clone()))
        } else {
            Operator::Stateless(Arc::new(self.clone()))
        })
    }
}

impl Stateless for Panics {
    fn process(&self, batch: RecordBatch, cx: &EpochContext, out: &mut Collector) -> Result<()> {
        assert!(self.at != Call::Process || cx.epoch.0 == 0, "no rows at all");
        out.emit(Port::FIRST, batch);
        Ok(())
    }
}

impl Stateful for Panics {
    fn tables(&self) -> Vec<TableSchema> {
        Vec::new()
    }

    fn run(&self, _: EpochInput, _: &mut StateStore, cx: &EpochContext, _: &mut Collector) -> Result<()> {
        assert!(cx.epoch.0 == 0, "no rows at all");
        Ok(())
    }
}

/// Tells this program that it is the command.
const IS_COMMAND: &str = "WATERSHED_TEST_IS_COMMAND";

fn main() -> ExitCode {
    if std::env::var_os(IS_COMMAND).is_some() {
        return watershed::cli::main();
    }
    for test in [
        a_panic_in_an_epoch_is_a_failure_of_the_node,
        a_panic_before_the_start_is_told_by_the_node,
        a_panic_elsewhere_is_a_bug,
    ] {
        test();
    }
    ExitCode::SUCCESS
}

fn run(at: &str) -> (Option<i32>, String) {
    let folder = TempDir::new().expect("a folder");
    std::fs::create_dir(folder.path().join("in")).expect("a folder");
    for file in ["a", "b"] {
        std::fs::write(folder.path().join("in").join(file), "{\"k\": 1}\n").expect("the file can be written");
    }
    let graph = format!(
        r#"Graph(
        name: "panics",
        sources: {{"in": Files(path: "in/*", format: Json, schema: "k BIGINT", max_files_per_epoch: 1)}},
        operators: {{"trouble": Panics(at: {at})}},
        sinks: {{"out": Discard()}},
        flow: ["in -> trouble -> out"],
        run: (trigger: AvailableNow, checkpoint: "state"),
    )"#
    );
    std::fs::write(folder.path().join("graph.ron"), graph).expect("the graph can be written");
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(["run", "graph.ron"]).env(IS_COMMAND, "").current_dir(folder.path());
    let Output { status, stderr, .. } = command.output().expect("this program can be started");
    (status.code(), String::from_utf8(stderr).expect("text"))
}

fn a_panic_in_an_epoch_is_a_failure_of_the_node() {
    for (at, partition) in [("Process", ""), ("Run", ", partition 0")] {
        let (exit, told) = run(at);
        assert_eq!(exit, Some(74), "{told}");
        let failed = format!("node `trouble` failed in epoch 1{partition}: panicked at tests/node_code.rs:");
        assert!(told.contains(&failed) && told.contains(": no rows at all"), "{told}");
        assert!(told.contains("nothing of this epoch was committed"), "{told}");
        assert!(!told.contains("bug:") && !told.contains("thread `"), "{told}");
    }
}

fn a_panic_before_the_start_is_told_by_the_node() {
    for (at, expected, words) in [
        ("Signature", 65, "operator `trouble`: its type is faulty: panicked at tests/node_code.rs:"),
        ("Build", 74, "node `trouble` cannot be opened: panicked at tests/node_code.rs:"),
    ] {
        let (exit, told) = run(at);
        assert_eq!(exit, Some(expected), "{told}");
        assert!(told.contains(words) && told.contains("no rows at all") && !told.contains("bug:"), "{told}");
    }
}

fn a_panic_elsewhere_is_a_bug() {
    let (exit, told) = run("Version");
    assert_eq!(exit, Some(70), "{told}");
    assert!(told.contains("bug: no rows at all") && told.contains("at tests/node_code.rs:"), "{told}");
}
