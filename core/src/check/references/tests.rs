//! Each relation: what it reports, and what it does not.
