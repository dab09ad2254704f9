//! A report for a CI server: JUnit's XML, a suite per file.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report as XmlReport, TestCase, TestCaseStatus, TestSuite};

use super::report::{CaseReport, FileReport, Mismatch, Outcome, Report};

impl Report {
    /// The report as JUnit XML. A case that came out wrong is a failure; one that could not be run is an error.
    pub fn to_junit(&self) -> String {
        let mut report = XmlReport::new("watershed");
        report.set_time(self.files.iter().map(|file| file.time).sum::<Duration>());
        for file in &self.files {
            report.add_test_suite(suite(file));
        }
        // Characters that XML has no way to write were dropped where the texts were made, so only memory could run out.
        report.to_string().expect("a report of strings can be written as XML")
    }
}

fn suite(file: &FileReport) -> TestSuite {
    let path = file.path.display().to_string();
    let mut suite = TestSuite::new(&path);
    suite.set_time(file.time);
    if file.broken.is_some() {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
        status.set_message("the file cannot be run").set_description(file.render(false));
        let mut broken = TestCase::new("the file can be run", status);
        broken.set_classname(&path);
        suite.add_test_case(broken);
    }
    for case in &file.cases {
        let mut xml = TestCase::new(&case.name, status(case));
        xml.set_classname(&path).set_time(case.time);
        suite.add_test_case(xml);
    }
    suite
}

fn status(case: &CaseReport) -> TestCaseStatus {
    let (kind, message) = match &case.outcome {
        Outcome::Passed => return TestCaseStatus::success(),
        Outcome::NotRefused { .. } => (NonSuccessKind::Failure, "the graph is not refused as it should be".to_owned()),
        Outcome::Failed(failure) => {
            let what: Vec<String> = failure.mismatches.iter().map(Mismatch::headline).collect();
            (NonSuccessKind::Failure, format!("epoch {}: {}", failure.at, what.join("; ")))
        }
    };
    let mut status = TestCaseStatus::non_success(kind);
    status.set_message(message).set_description(case.render(false));
    status
}
