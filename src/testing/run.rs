//! Runs test files: reads the file and its graph, and tries every case in every way.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::core::error::Result;
use crate::core::fault::Severity;
use crate::core::plan::Plan;
use crate::core::testing::Way;
use crate::graphs::syntax::{self, Span};
use crate::graphs::{Checked, Diagnostics, Finding, SchemaMode, environment, load, load_fragment};

use super::discover::discover;
use super::file::{Case, Claim, GraphText};
use super::reader::Reader;
use super::report::{Broken, CaseReport, EpochReport, Failure, FileReport, Outcome, Report};
use super::rows::{BoundCase, bind};
use super::trial::{self, Outputs, Wrong};

/// The name of the one case of a file with `refused`.
const REFUSED: &str = "refused";

/// How test files are run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Every case is run in each of these ways, and must come out the same.
    pub ways: Vec<Way>,
    /// Run only cases whose name, or whose file's path, contains this text.
    pub filter: Option<String>,
}

impl Default for Options {
    /// Every case, once sequentially, once in parallel, and once with a crash after every epoch.
    fn default() -> Self {
        Self { ways: vec![Way::SEQUENTIAL, Way::PARALLEL, Way::RECOVERED], filter: None }
    }
}

impl Options {
    fn selects(&self, path: &Path, case: &str) -> bool {
        self.filter.as_ref().is_none_or(|text| case.contains(text) || path.to_string_lossy().contains(text))
    }
}

/// Runs files, and all test files of directories. A path at which there is nothing is an error, and so is a directory
/// without any test.
pub fn run_paths(paths: &[PathBuf], options: &Options) -> Result<Report> {
    let files = discover(paths)?.into_iter().map(|path| run_file(&path, options));
    // A file of which the filter left nothing is none of the reader's business; one that is broken is.
    let files = files.filter(|file| options.filter.is_none() || !file.cases.is_empty() || file.broken.is_some());
    Ok(Report { files: files.collect() })
}

/// Runs one file.
pub fn run_file(path: &Path, options: &Options) -> FileReport {
    let watch = Stopwatch::start();
    let mut report = FileReport {
        path: path.to_owned(),
        graph: None,
        diagnostics: None,
        broken: None,
        cases: Vec::new(),
        time: Duration::ZERO,
    };
    report.broken = fill(&mut report, path, options).err();
    report.time = watch.elapsed();
    report
}

fn fill(report: &mut FileReport, path: &Path, options: &Options) -> Result<(), Broken> {
    let origin = path.to_string_lossy();
    let text =
        std::fs::read_to_string(path).map_err(|error| Broken::Unreadable(format!("read `{origin}`: {error}")))?;
    let (tree, syntax_faults) = syntax::parse(&text, 0..text.len(), None);
    let mut reader = Reader::new(&text);
    let tests = tree.as_ref().map(|tree| reader.file(tree)).unwrap_or_default();
    // What is wrong within a graph in place is told when the graph is read.
    let told_later = |at: &Span| matches!(tests.graph, Some(GraphText::InPlace(span)) if span.contains(&at.start));
    let told_now = syntax_faults.into_iter().filter(|fault| !told_later(&fault.span));
    reader.faults.extend(told_now.map(Finding::from));
    let checked = tests.graph.as_ref().and_then(|graph| check_graph(&mut reader, graph, path));
    let (graph_name, checked) = checked.map_or((None, None), |(name, checked)| (name, Some(checked)));
    report.graph = graph_name;
    report.diagnostics = checked.as_ref().map(|checked| checked.diagnostics.clone());
    let mut graph_faults = None;
    let mut bound = Vec::new();
    if let (Some(graph), Some(checked), Some(Claim::Cases(cases))) = (&tests.graph, &checked, &tests.claim) {
        match &checked.plan {
            _ if checked.diagnostics.has_errors() => graph_faults = Some(checked.diagnostics.clone()),
            Some(plan) => bound = bind(&mut reader, cases, plan),
            None => undeclared(&mut reader, graph),
        }
    }
    let faults: Vec<Diagnostics> = [reader.diagnostics(&origin), graph_faults].into_iter().flatten().collect();
    if !faults.is_empty() {
        return Err(Broken::Faulty(faults));
    }
    let line = |span: &Span| text[..span.start].matches('\n').count() + 1;
    // A graph or a claim that could not be read is a fault, and with faults nobody comes here.
    let (Some(Checked { plan, diagnostics }), Some(claim)) = (checked, tests.claim) else { return Ok(()) };
    match (claim, plan) {
        (Claim::Refused(wanted, span), _) if options.selects(path, REFUSED) => {
            let errors = diagnostics.iter().filter(|item| item.severity == Severity::Error);
            let said: Vec<String> = errors.map(|error| error.message.clone()).collect();
            let refused = said.iter().any(|message| message.contains(wanted));
            let outcome =
                if refused { Outcome::Passed } else { Outcome::NotRefused { wanted: wanted.to_owned(), said } };
            let (name, line) = (REFUSED.to_owned(), line(span));
            report.cases.push(CaseReport { name, line, outcome, time: Duration::ZERO });
        }
        (Claim::Cases(cases), Some(plan)) => {
            for (case, bound) in cases.iter().zip(&bound).filter(|(case, _)| options.selects(path, case.name)) {
                let watch = Stopwatch::start();
                let outcome = try_case(&plan, case, bound, options, &line);
                let (name, line) = (case.name.to_owned(), line(case.span));
                report.cases.push(CaseReport { name, line, outcome, time: watch.elapsed() });
            }
        }
        _ => {}
    }
    Ok(())
}

/// Reads and checks the graph: its name, and what came of it. A file that cannot be read is a fault.
fn check_graph(reader: &mut Reader<'_>, graph: &GraphText<'_>, path: &Path) -> Option<(Option<String>, Checked)> {
    let loaded = match *graph {
        GraphText::InPlace(span) => load_fragment(reader.text, span.clone(), &path.to_string_lossy(), &environment),
        GraphText::Path(relative, span) => {
            let graph_path = path.parent().unwrap_or(Path::new("")).join(relative);
            match std::fs::read_to_string(&graph_path) {
                Ok(text) => load(&text, &graph_path.to_string_lossy(), &environment),
                Err(error) => {
                    let message = format!("read `{}`: {error}", graph_path.display());
                    let fault = Finding::error("unreadable_graph", message).span(span.clone()).label("cannot be read");
                    reader.faults.push(fault.help("the path is relative to the test file"));
                    return None;
                }
            }
        }
    };
    let name = loaded.graph.as_ref().map(|graph| graph.name.clone());
    Some((name, loaded.check(SchemaMode::Offline)))
}

/// A graph without errors that has no plan: a source's columns are unknown.
fn undeclared(reader: &mut Reader<'_>, graph: &GraphText<'_>) {
    let (GraphText::InPlace(span) | GraphText::Path(_, span)) = *graph;
    let fault = Finding::error("undeclared_schema", "a source of this graph has no declared schema");
    let fault = fault.span(span.clone()).label("cannot be tested as it is");
    let help = "give the source a `schema`: a test opens no connector, so there is no data to infer it from";
    reader.faults.push(fault.help(help));
}

fn try_case(
    plan: &Plan,
    case: &Case<'_>,
    bound: &BoundCase,
    options: &Options,
    line: &dyn Fn(&Span) -> usize,
) -> Outcome {
    let mut tried: Vec<(Way, Outputs)> = Vec::with_capacity(options.ways.len());
    for &way in &options.ways {
        let way = way.with_partitions(plan.run.partitions);
        let outputs = trial::run(plan, bound, way).and_then(|outputs| {
            let alike = tried.iter().find(|(other, _)| way.must_agree_with(*other));
            alike.map_or(Ok(()), |(other, there)| trial::agree(&outputs, there, *other))?;
            Ok(outputs)
        });
        match outputs {
            Ok(outputs) => tried.push((way, outputs)),
            Err(wrong) => return Outcome::Failed(Box::new(failure(case, bound, way, wrong, line))),
        }
    }
    Outcome::Passed
}

fn failure(case: &Case<'_>, bound: &BoundCase, way: Way, wrong: Wrong, line: &dyn Fn(&Span) -> usize) -> Failure {
    let epochs = case.epochs.iter().zip(&bound.epochs).map(|(script, bound)| EpochReport {
        line: line(script.span),
        input: bound
            .input
            .as_ref()
            .map(|input| input.iter().map(|(source, rows)| (source.clone(), rows.num_rows())).collect()),
    });
    Failure { way, epochs: epochs.collect(), at: wrong.at, mismatches: wrong.mismatches }
}

/// Measures how long tests take. No answer depends on it.
struct Stopwatch(Instant);

impl Stopwatch {
    #[expect(clippy::disallowed_methods, reason = "durations are reported, never used in an answer")]
    fn start() -> Self {
        Self(Instant::now())
    }

    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}
