//! What is wrong with a text that a person wrote, and where.

use std::fmt;

/// A text that is not what was expected. Its message has a line that points at the place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyntaxError {
    /// The text.
    pub text: String,
    /// Where it stops being what was expected, in bytes from 0.
    pub column: usize,
    /// What should stand there.
    pub expected: String,
}

impl SyntaxError {
    /// The failure of a grammar that does not say what it expects where.
    pub(crate) fn of(
        text: &str,
        error: &nom::Err<nom::error::Error<&str>>,
        expected: &'static str,
    ) -> Self {
        let rest = match error {
            nom::Err::Error(error) | nom::Err::Failure(error) => error.input,
            nom::Err::Incomplete(_) => "",
        };
        let column = text.len() - rest.len();
        Self { text: text.to_owned(), column, expected: expected.to_owned() }
    }
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let before = self.text.get(..self.column).unwrap_or(&self.text);
        let indent = " ".repeat(before.chars().count());
        write!(f, "expected {}\n  {}\n  {indent}^", self.expected, self.text)
    }
}

impl std::error::Error for SyntaxError {}
