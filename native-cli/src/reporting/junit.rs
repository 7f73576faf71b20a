//! JUnit's XML, which most CI servers show: a test case per dump, which fails when it has errors.

use anyhow::{Error, Result};
use metadump::Report;
use metadump::check::Severity;
use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};

use super::{Reporting, in_words, write_all};
use crate::failure;
use crate::printable::printable;
use crate::report::verdict;
use crate::stdout::Stdout;

/// What test case and suite are of.
const SUITE: &str = "databend-metactl validate";

/// The test cases so far.
pub struct Junit {
    out: Stdout,
    cases: TestSuite,
}

impl Junit {
    /// Writes to `out` when all dumps were checked.
    pub fn new(out: Stdout) -> Self {
        Self { out, cases: TestSuite::new(SUITE) }
    }

    fn add(&mut self, name: &str, status: TestCaseStatus, said: Option<String>) {
        let mut case = TestCase::new(printable(name), status);
        case.set_classname(SUITE);
        if let Some(said) = said {
            case.set_system_out(said);
        }
        self.cases.add_test_case(case);
    }
}

impl Reporting for Junit {
    fn checked(&mut self, name: &str, report: &Report) -> Result<()> {
        let words = in_words(name, report)?;
        let is_error = |kept: &&metadump::check::Finding| kept.severity() == Severity::Error;
        match report.findings.kept().iter().find(is_error) {
            None => self.add(name, TestCaseStatus::success(), Some(words)),
            Some(first) => {
                let mut failed = TestCaseStatus::non_success(NonSuccessKind::Failure);
                failed.set_type(first.code.name()).set_message(verdict(report));
                failed.set_description(words);
                self.add(name, failed, None);
            }
        }
        Ok(())
    }

    fn unread(&mut self, name: &str, error: &Error) -> Result<()> {
        let mut failed = TestCaseStatus::non_success(NonSuccessKind::Error);
        failed.set_message(failure::what(error)).set_description(failure::in_words(error));
        self.add(name, failed, None);
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        let mut report = quick_junit::Report::new(SUITE);
        report.add_test_suite(self.cases.clone());
        let mut document = report.to_string()?;
        if !document.ends_with('\n') {
            document.push('\n');
        }
        write_all(&mut self.out, document.as_bytes())
    }
}
