//! Counters: records that hold a number as decimal text.

use super::store::SharedRecord;

/// The number that a record holds: its whole text as a JSON number without sign, fraction and
/// exponent. Everything else, and no record, is 0.
pub(super) fn count(record: Option<&SharedRecord>) -> u64 {
    record.and_then(|record| serde_json::from_slice(&record.data.decode()).ok()).unwrap_or(0)
}

/// The number as it ends a sequential key: 21 digits in groups of three, so that the keys sort
/// as the numbers do.
pub(super) fn key_digits(number: u64) -> String {
    let mut digits = String::new();
    for (position, digit) in format!("{number:021}").chars().enumerate() {
        if position > 0 && position % 3 == 0 {
            digits.push('_');
        }
        digits.push(digit);
    }
    digits
}
