//! Looks through the causes of an error.

use std::error::Error;
use std::io;
use std::iter::successors;

/// The error and its causes, outermost first.
///
/// An `io::Error` that wraps another error names that one's cause as its own, so that walking
/// `source` alone would step over it, and with it over what TLS has to say.
pub fn causes<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    successors(Some(error), |&error| {
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        match wrapped {
            Some(wrapped) => Some(wrapped as &(dyn Error + 'static)),
            None => error.source(),
        }
    })
}

/// What the innermost cause says.
pub fn root_cause(error: &(dyn Error + 'static)) -> String {
    causes(error).last().map(ToString::to_string).unwrap_or_default()
}
